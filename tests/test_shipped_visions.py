"""A vision that comes with the course sees as its file and the record say."""

from pathlib import Path

import numpy as np
import pytest
import torch

from tlcourse.classroom import recorded
from tlcourse.darla import load_vision
from tlcourse.disentanglement import mutual_information, mutual_information_gap
from tlcourse.robots.colour_world import render, sample_factors

FOLDER = Path(__file__).parents[1] / "data" / "vision"
NAMES = {"beta_4": "beta 4", "beta_12": "beta 12"}  # of the file, and in the record


@pytest.mark.parametrize("name", NAMES)
def test_its_gap_is_what_its_notes_say(name):
    """On other pictures, so not to the last digit."""
    vision = load_vision(FOLDER / f"{name}.safetensors")
    factors = sample_factors(8_000, "everything", np.random.default_rng(1))
    pictures = torch.from_numpy(render(factors))
    shares = mutual_information(vision(pictures).numpy(), factors)
    assert mutual_information_gap(shares) == pytest.approx(vision.notes["gap"], abs=0.03)


@pytest.mark.parametrize("name", NAMES)
def test_what_it_imagines_is_the_picture_that_it_saw(name):
    vision = load_vision(FOLDER / f"{name}.safetensors")
    pictures = torch.from_numpy(render(sample_factors(1_000, "everything", np.random.default_rng(1)))) / 255
    error = (vision.imagine(vision(pictures)) - pictures).square().mean()
    assert error < 0.1 * pictures.var(0).mean(), "what it loses is less than a tenth of what pictures differ by"


@pytest.mark.parametrize("name", NAMES)
def test_it_is_the_one_of_the_record(name):
    notes, record = load_vision(FOLDER / f"{name}.safetensors").notes, recorded("darla")
    row = record.results["visions"][NAMES[name]][notes["seed"]]
    assert notes["gap"] == pytest.approx(row["gap"], abs=1e-3)
    for domain in ("source", "target"):
        assert notes[f"return in the {domain}"] == pytest.approx(np.mean(row["DQN"][domain]), abs=0.01)
    assert NAMES[name] == f"beta {notes['beta']:g}"
    assert notes["steps"] == record.results["steps"] and notes["script"] == record.script


def test_there_are_no_others():
    assert {file.name for file in FOLDER.iterdir()} == {f"{name}.safetensors" for name in NAMES}
