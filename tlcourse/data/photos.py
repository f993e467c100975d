"""Photographs that scikit-image ships."""

import numpy as np
import torch
from torch import Tensor

_PHOTOS = {"cat": "chelsea", "coffee": "coffee", "astronaut": "astronaut", "rocket": "rocket"}


def photo(name: str) -> Tensor:
    """A photograph as bytes, uint8 (3, H, W): `"cat"`, `"coffee"`, `"astronaut"` or `"rocket"`.

    Raises:
        ValueError: another name.
    """
    from skimage import data

    if name not in _PHOTOS:
        raise ValueError(f"there is no photograph {name!r}; there are {', '.join(_PHOTOS)}")
    return torch.from_numpy(np.ascontiguousarray(getattr(data, _PHOTOS[name])().transpose(2, 0, 1)))
