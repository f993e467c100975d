"""Sinusoids, the smallest family of regression tasks: one differs from another in amplitude and phase."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

Range = tuple[float, float]


@dataclass(frozen=True)
class Sinusoids:
    """T tasks y = amplitude sin(x - phase).

    `tasks` is {"train": (x, y), "query": (x, y)}, each tensor (T, n, 1); `amplitude` and `phase` are (T, 1, 1), so
    that they can be computed with x at once: `sinusoids(x)`.
    """

    tasks: dict[str, tuple[Tensor, Tensor]]
    amplitude: Tensor
    phase: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """y of every task, (T, n, 1), at x (T, n, 1) or (n, 1)."""
        return self.amplitude * torch.sin(x - self.phase)


def sinusoid_tasks(
    count: int,
    shots: int = 10,
    query: int = 10,
    *,
    seed: int | torch.Generator,
    amplitude: Range = (0.1, 5.0),
    phase: Range = (0.0, math.pi),
    inputs: Range = (-5.0, 5.0),
) -> Sinusoids:
    """Draw sinusoids, and points on each without noise. By default as Finn et al. 2017, arXiv 1703.03400, section 5.1.

    Args:
        count: T, how many tasks.
        shots, query: how many points the train and the query set of each have.
        seed: of the draw; or a generator, which goes on from call to call.
        amplitude, phase, inputs: the ranges of the uniform draws; phase in rad.

    Raises:
        ValueError: a number below 1, or a range from more to less.
    """
    if min(count, shots, query) < 1:
        raise ValueError(f"count is {count}, shots {shots} and query {query}; give 1 or more of each")
    for name, (low, high) in (("amplitude", amplitude), ("phase", phase), ("inputs", inputs)):
        if not (math.isfinite(low) and math.isfinite(high) and low <= high):
            raise ValueError(f"{name} is from {low} to {high}; give two finite numbers, the smaller first")
    generator = seed if isinstance(seed, torch.Generator) else torch.Generator().manual_seed(seed)

    def uniform(bounds: Range, points: int = 1) -> Tensor:
        return bounds[0] + (bounds[1] - bounds[0]) * torch.rand(count, points, 1, generator=generator)

    drawn = Sinusoids({}, uniform(amplitude), uniform(phase))
    x = uniform(inputs, shots + query).split([shots, query], dim=1)
    drawn.tasks.update({part: (points, drawn(points)) for part, points in zip(("train", "query"), x, strict=True)})
    return drawn
