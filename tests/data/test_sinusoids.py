"""Sinusoids: what is drawn, from which ranges, and again."""

import math

import pytest
import torch

from tlcourse.data.sinusoids import sinusoid_tasks


def test_points_lie_on_the_tasks_own_sinusoid():
    drawn = sinusoid_tasks(50, shots=7, query=3, seed=0)
    for part, n in (("train", 7), ("query", 3)):
        x, y = drawn.tasks[part]
        assert x.shape == y.shape == (50, n, 1) and x.dtype == y.dtype == torch.float32
        assert torch.equal(y, drawn.amplitude * torch.sin(x - drawn.phase)) and torch.equal(y, drawn(x))
    assert drawn(torch.linspace(-5, 5, 20)[:, None]).shape == (50, 20, 1)


def test_the_draws_fill_the_papers_ranges():
    drawn = sinusoid_tasks(2000, seed=0)
    x = torch.cat([drawn.tasks[part][0] for part in ("train", "query")], 1)
    for values, low, high in ((drawn.amplitude, 0.1, 5.0), (drawn.phase, 0.0, math.pi), (x, -5.0, 5.0)):
        width = high - low
        assert low <= values.min() < low + 0.01 * width and high - 0.01 * width < values.max() <= high
        assert values.mean().item() == pytest.approx((low + high) / 2, abs=0.02 * width)


def test_other_ranges_are_kept():
    drawn = sinusoid_tasks(20, seed=0, amplitude=(10.0, 10.0), phase=(1.0, 2.0), inputs=(0.0, 1.0))
    assert (drawn.amplitude == 10).all() and drawn.phase.min() >= 1 and drawn.tasks["query"][0].min() >= 0


def test_a_seed_draws_the_same_and_a_generator_goes_on():
    first, again, other = (sinusoid_tasks(4, seed=seed).tasks["train"][0] for seed in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, other)
    generator = torch.Generator().manual_seed(0)
    one, two = (sinusoid_tasks(4, seed=generator).tasks["train"][0] for _ in range(2))
    assert torch.equal(one, first) and not torch.equal(two, first)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (dict(count=0), "count is 0"),
        (dict(count=1, shots=0), "shots 0"),
        (dict(count=1, phase=(1.0, 0.0)), "phase is from 1.0 to 0.0"),
        (dict(count=1, inputs=(0.0, math.inf)), "inputs is from 0.0 to inf"),
    ],
)
def test_unusable_settings_are_refused(settings, told):
    with pytest.raises(ValueError, match=told):
        sinusoid_tasks(seed=0, **settings)
