"""Stripes: the simplest images that have a direction."""

import torch
from torch import Tensor


def gratings(count: int, *, orientations: int = 8, size: int = 28, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Sine waves over the image, each in one of `orientations` directions, with random frequency and phase.

        brightness(x, y) = sin(w (x cos a + y sin a) + phase),   a = label * pi / orientations

    w is the angular frequency, 0.5 to 1.5 radians per pixel; x grows to the right and y downwards, in pixels. The
    brightness changes along the direction a and not across it.

    Returns:
        images, uint8 (count, 1, size, size), and labels, int64 (count,), 0 to orientations - 1, in turn.

    Raises:
        ValueError: no images, fewer than two orientations, or an empty image.
    """
    if count < 1 or orientations < 2 or size < 1:
        raise ValueError(f"count={count}, orientations={orientations} and size={size}: 1, 2 and 1 or more are needed")
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % orientations
    angle = (torch.pi * labels / orientations).view(-1, 1, 1)
    frequency = 0.5 + torch.rand(count, 1, 1, generator=generator)
    phase = 2 * torch.pi * torch.rand(count, 1, 1, generator=generator)
    y, x = torch.arange(float(size)).view(1, -1, 1), torch.arange(float(size)).view(1, 1, -1)
    waves = torch.sin(frequency * (x * angle.cos() + y * angle.sin()) + phase)
    return ((waves + 1) * 127.5).round().to(torch.uint8)[:, None], labels
