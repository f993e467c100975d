"""The exercises of lesson 03."""

import torch
from torch import Tensor

from ..exercises import Exercise, Mistake


def _layer(generator: torch.Generator) -> tuple:
    start = [torch.randn(size, generator=generator) for size in [(4, 3), (4,)]]
    return [s + 0.3 * torch.randn(s.shape, generator=generator) for s in start], start


def _distance(weights: list[Tensor], start: list[Tensor]) -> Tensor:
    after, before = (torch.cat([tensor.flatten() for tensor in tensors]) for tensors in (weights, start))
    return (after - before).norm() / before.norm()


def _stages(generator: torch.Generator) -> tuple:
    sizes = torch.randint(1, 4, (4,), generator=generator).tolist()
    names = iter([f"block{i}" for i in range(sum(sizes) - 1)] + ["head"])
    return [[next(names) for _ in range(size)] for size in sizes], 1 + int(torch.randint(2, (), generator=generator))


EXERCISES = {
    "distance": Exercise(
        reference=_distance,
        inputs=_layer,
        mistakes=[
            Mistake(
                lambda weights, start: sum((w - s).norm() / s.norm() for w, s in zip(weights, start, strict=True)),
                (
                    "You add one ratio per tensor; norms are not added: sum the squares of all entries first.",
                    "Dodajesz iloraz dla każdego tensora z osobna, a norm się nie dodaje: najpierw zsumuj kwadraty wszystkich składowych.",
                ),
            ),
            Mistake(
                lambda weights, start: _distance(weights, start) ** 2,
                (
                    "This is the square of the distance: take the root.",
                    "To kwadrat odległości: weź pierwiastek.",
                ),
            ),
            Mistake(
                lambda weights, start: _distance(start, weights),
                (
                    "You divide by the norm of the weights as they are now; divide by that of the start.",
                    "Dzielisz przez normę obecnych wag; podziel przez normę startu.",
                ),
            ),
            Mistake(
                lambda weights, start: _distance(weights, start) * torch.cat([s.flatten() for s in start]).norm(),
                (
                    "This is the distance itself; it must be divided by the norm of the start.",
                    "To sama odległość; trzeba ją podzielić przez normę startu.",
                ),
            ),
        ],
    ),
    "trained_in": Exercise(
        reference=lambda parts, stage: sum(parts[-stage - 1 :], []),
        inputs=_stages,
        mistakes=[
            Mistake(
                lambda parts, stage: sum(parts[: stage + 1], []),
                ("These are the first parts: head first begins at the end.", "To pierwsze części: zacznij od głowicy, czyli od końca."),
            ),
            Mistake(
                lambda parts, stage: sum(parts[-stage:], []),
                ("One part is missing: stage 0 already trains one.", "Brakuje jednej części: już etap 0 trenuje jedną."),
            ),
            Mistake(
                lambda parts, stage: parts[-stage - 1],
                ("This is the newest part alone; those nearer to the head go on training.", "To tylko ostatnio odmrożona część; części bliżej głowicy nadal są trenowane."),
            ),
            Mistake(
                lambda parts, stage: parts[-stage - 1 :],
                ("Join the lists into one list of names.", "Połącz listy w jedną listę nazw."),
            ),
        ],
    ),
}
