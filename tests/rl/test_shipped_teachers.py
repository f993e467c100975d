"""A teacher that comes with the course plays as its file and the record say."""

from pathlib import Path

import pytest

from tlcourse.classroom import recorded
from tlcourse.rl.q_networks import load_q_network
from tlcourse.rl.support import evaluate_policy
from tlcourse.robots.games import GAMES

TEACHERS = Path(__file__).parents[2] / "data" / "teachers"


@pytest.mark.parametrize("game", GAMES)
def test_it_returns_what_its_notes_say(game):
    teacher = load_q_network(TEACHERS / f"{game}.safetensors")
    notes, episodes = teacher.notes, 64
    returns = evaluate_policy(teacher.act, GAMES[game](episodes), episodes, seed=0)
    # Other starts than those of the notes: the errors of both means add up in squares.
    error = notes["standard error"] * (1 + notes["episodes"] / episodes) ** 0.5
    assert returns.mean() == pytest.approx(notes["return"], abs=4 * error)
    assert notes["game"] == game and notes["return"] > notes["random return"] + 10 * error


@pytest.mark.parametrize("game", GAMES)
def test_it_is_the_one_of_the_record(game):
    notes = load_q_network(TEACHERS / f"{game}.safetensors").notes
    record = recorded("teachers")
    row = record.results["games"][game]
    assert notes["return"] == pytest.approx(row["return"][record.seeds.index(notes["seed"])], abs=1e-3)
    assert notes["updates"] == row["updates"][-1] and notes["script"] == record.script


def test_there_are_no_others():
    assert {file.name for file in TEACHERS.iterdir()} == {f"{game}.safetensors" for game in GAMES}
