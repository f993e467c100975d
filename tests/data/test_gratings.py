"""Gratings: bytes with the stripes at the angle that the label says."""

from math import pi

import pytest
import torch

from tlcourse.data.gratings import gratings


def test_gratings_are_bytes_that_the_seed_repeats():
    images, labels = gratings(20, seed=3)
    assert images.shape == (20, 1, 28, 28) and images.dtype == torch.uint8
    assert labels.tolist()[:9] == [0, 1, 2, 3, 4, 5, 6, 7, 0]
    assert torch.equal(images, gratings(20, seed=3)[0]) and not torch.equal(images, gratings(20, seed=4)[0])


def test_the_brightness_changes_along_the_angle_and_not_across_it():
    images, labels = gratings(2, orientations=2)
    along_x, along_y = images.float()[:, 0]
    assert along_x.std(0).max() < 1 < along_x.std(1).min()
    assert along_y.std(1).max() < 1 < along_y.std(0).min()


def test_at_45_degrees_the_brightness_changes_to_the_right_and_downwards_alike():
    """sin(w (x + y) / sqrt 2): the same where x + y is, while x - y makes a difference."""
    images, labels = gratings(40, orientations=4)
    slanted = images.float()[labels == 1, 0]
    assert (slanted[:, 1:, :-1] - slanted[:, :-1, 1:]).abs().max() <= 1
    assert (slanted[:, 1:, 1:] - slanted[:, :-1, :-1]).abs().amax((1, 2)).min() > 50


def test_the_frequency_varies_from_half_a_radian_to_one_and_a_half_per_pixel():
    size = 256
    images, labels = gratings(200, orientations=2, size=size)
    rows = images[labels == 0, 0, 0].float()  # the waves run along x
    peak = torch.fft.rfft(rows - rows.mean(1, keepdim=True)).abs().argmax(1) * 2 * pi / size
    step = 2 * pi / size
    assert 0.5 - step <= peak.min() < 0.55 and 1.45 < peak.max() <= 1.5 + step
    assert peak.std() == pytest.approx(1 / 12**0.5, rel=0.15)  # uniform


def test_impossible_settings_are_refused():
    with pytest.raises(ValueError, match="orientations=1"):
        gratings(5, orientations=1)
