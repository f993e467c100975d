"""Gratings: bytes with the stripes at the angle that the label says."""

import pytest
import torch

from tlcourse.data.gratings import gratings


def test_gratings_are_bytes_that_the_seed_repeats():
    images, labels = gratings(20, seed=3)
    assert images.shape == (20, 1, 28, 28) and images.dtype == torch.uint8
    assert labels.tolist()[:9] == [0, 1, 2, 3, 4, 5, 6, 7, 0]
    assert torch.equal(images, gratings(20, seed=3)[0]) and not torch.equal(images, gratings(20, seed=4)[0])


def test_the_brightness_changes_along_the_angle_and_not_across_it():
    images, labels = gratings(2, angles=2)
    along_x, along_y = images.float()[:, 0]
    assert along_x.std(0).max() < 1 < along_x.std(1).min()
    assert along_y.std(1).max() < 1 < along_y.std(0).min()


def test_impossible_settings_are_refused():
    with pytest.raises(ValueError, match="angles=1"):
        gratings(5, angles=1)
