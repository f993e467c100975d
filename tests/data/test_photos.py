"""Photographs are colour images of bytes."""

import pytest
import torch

from tlcourse.data.photos import photo


@pytest.mark.parametrize("name", ["cat", "coffee", "astronaut", "rocket"])
def test_a_photograph_is_an_image_of_bytes(name):
    image = photo(name)
    assert image.dtype == torch.uint8 and image.shape[0] == 3 and min(image.shape[1:]) > 250
    assert image.float().std() > 20, "it shows something"


def test_an_unknown_photograph_is_refused():
    with pytest.raises(ValueError, match="'dog'; there are cat"):
        photo("dog")
