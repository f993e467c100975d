"""Photographs that scikit-image ships."""

from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

_PHOTOS = {
    "astronaut": "astronaut",
    "brick": "brick",
    "camera": "camera",
    "cat": "chelsea",
    "coffee": "coffee",
    "coins": "coins",
    "galaxies": "hubble_deep_field",
    "grass": "grass",
    "gravel": "gravel",
    "moon": "moon",
    "motorcycle": "stereo_motorcycle",
    "retina": "retina",
    "rocket": "rocket",
    "tissue": "immunohistochemistry",
}
PHOTOS = tuple(_PHOTOS)
"""The names of the photographs."""


def photo(name: str) -> Tensor:
    """A photograph as bytes, uint8 (3, H, W), by one of the names in `PHOTOS`; grey ones have three equal channels.

    Each call gives a copy.

    Raises:
        ValueError: another name.
    """
    if name not in _PHOTOS:
        raise ValueError(f"there is no photograph {name!r}; there are {', '.join(_PHOTOS)}")
    return _decoded(name).clone()


@cache  # 18 MB for all of them
def _decoded(name: str) -> Tensor:
    from skimage import data

    pixels = getattr(data, _PHOTOS[name])()
    if isinstance(pixels, tuple):
        pixels = pixels[0]  # of the stereo pair the left picture
    if pixels.ndim == 2:
        pixels = np.stack([pixels] * 3, axis=-1)
    return torch.from_numpy(np.ascontiguousarray(pixels[..., :3].transpose(2, 0, 1)))


def photo_crops(per_photo: int, *, half: str, size: int = 96, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Random square pieces of every photograph, and from which photograph each was cut.

    Cut from the left halves to train and from the right ones to test, they make a task as ImageNet's are: natural
    pictures of many things, named by what they show.

    Args:
        per_photo: pieces of each photograph.
        half: `"left"` or `"right"`, where they are cut from.
        size: side in pixels to which the pieces, of 48 to 96 pixels, are scaled.
        seed: of the places.

    Returns:
        Images, uint8 (14 * per_photo, 3, size, size), and labels, int64, indices into `PHOTOS`.

    Raises:
        ValueError: no pieces, another half, or a size below 1.
    """
    if half not in ("left", "right") or per_photo < 1 or size < 1:
        raise ValueError(
            f"half is {half!r}, per_photo {per_photo} and size {size}; give 'left' or 'right', and 1 or more of both"
        )
    generator = torch.Generator().manual_seed(2 * seed + (half == "right"))
    crops = []
    for name in PHOTOS:
        pixels = photo(name)
        height, middle = pixels.shape[1], pixels.shape[2] // 2
        side = pixels[:, :, :middle] if half == "left" else pixels[:, :, middle:]
        for _ in range(per_photo):
            edge = int(torch.randint(48, 97, (), generator=generator))
            top = int(torch.randint(height - edge + 1, (), generator=generator))
            left = int(torch.randint(side.shape[2] - edge + 1, (), generator=generator))
            crop = side[None, :, top : top + edge, left : left + edge].float()
            crops.append(F.interpolate(crop, (size, size), mode="bilinear", antialias=True)[0])
    labels = torch.arange(len(PHOTOS)).repeat_interleave(per_photo)
    return torch.stack(crops).round().clamp(0, 255).to(torch.uint8), labels
