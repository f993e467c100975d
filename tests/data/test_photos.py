"""The photographs are there, as bytes, and cut so that nothing is seen in training and test alike."""

import pytest
import torch

from tlcourse.data.photos import PHOTOS, photo, photo_crops


@pytest.mark.parametrize("name", PHOTOS)
def test_a_photograph_is_bytes_with_three_channels(name):
    image = photo(name)
    assert image.dtype == torch.uint8 and image.shape[0] == 3 and min(image.shape[1:]) > 250
    assert image.float().std() > 10, "it shows something"


def test_who_paints_on_a_photograph_paints_on_a_copy():
    before = photo("cat")
    photo("cat").zero_()
    assert torch.equal(photo("cat"), before) and before.any()


def test_an_unknown_photograph_is_refused():
    with pytest.raises(ValueError, match="dog.*cat"):
        photo("dog")


def test_crops_are_named_by_their_photograph_and_repeatable():
    images, labels = photo_crops(3, half="left", size=32)
    assert images.shape == (3 * len(PHOTOS), 3, 32, 32) and images.dtype == torch.uint8
    assert torch.equal(labels.bincount(), torch.full((len(PHOTOS),), 3))
    assert torch.equal(images, photo_crops(3, half="left", size=32)[0])
    assert not torch.equal(images, photo_crops(3, half="left", size=32, seed=1)[0])


def test_a_crop_shows_its_own_half_of_its_photograph(monkeypatch):
    halves = torch.zeros(3, 100, 200, dtype=torch.uint8)
    halves[:, :, 100:] = 200
    monkeypatch.setattr("tlcourse.data.photos.photo", lambda name: halves)
    assert photo_crops(2, half="left")[0].max() == 0
    assert photo_crops(2, half="right")[0].min() == 200


def test_crops_reach_every_edge_of_their_half_and_have_all_scales(monkeypatch):
    """Red is the row and green the column, so a piece's pixels tell where it was cut."""
    where = torch.stack(torch.meshgrid(torch.arange(120), torch.arange(220), indexing="ij") + (torch.zeros(120, 220),))
    monkeypatch.setattr("tlcourse.data.photos.photo", lambda name: where.to(torch.uint8))
    rows, columns, _ = photo_crops(50, half="right")[0].unbind(1)
    assert rows.min() == 0 and rows.max() == 119
    assert columns.min() == 110 and columns.max() == 219
    sides = rows.amax((1, 2)).int() - rows.amin((1, 2)).int() + 1
    assert sides.min() == 48 and sides.max() == 96 and len(sides.unique()) == 49
    assert torch.equal(sides, columns.amax((1, 2)).int() - columns.amin((1, 2)).int() + 1), "they are square"


def test_crops_of_no_half_are_refused():
    with pytest.raises(ValueError, match="'top'"):
        photo_crops(3, half="top")
    with pytest.raises(ValueError, match="per_photo 0"):
        photo_crops(0, half="left")
    with pytest.raises(ValueError, match="size 0"):
        photo_crops(3, half="left", size=0)
