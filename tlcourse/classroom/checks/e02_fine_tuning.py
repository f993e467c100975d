"""The exercises of lesson 02."""

import torch
from torch import nn

from tlcourse.fine_tuning import discriminative_rates, freeze

from ..exercises import Exercise, Mistake


def _settings(generator: torch.Generator) -> tuple:
    rate, decay = torch.rand(2, generator=generator).tolist()
    return 0.1 * rate + 0.01, 5, 1.5 + decay


def _network(generator: torch.Generator) -> tuple:
    return (nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.5)).train(),)


def _frozen(module: nn.Module) -> nn.Module:
    freeze(module)
    return module


EXERCISES = {
    "rates_of": Exercise(
        reference=discriminative_rates,
        inputs=_settings,
        mistakes=[
            Mistake(
                lambda lr, groups, decay: [lr / decay**group for group in range(groups)],
                (
                    "The order is reversed: the stem comes first and must be the slowest.",
                    "Kolejność jest odwrócona: pierwszy na liście jest początek sieci i to on ma uczyć się najwolniej.",
                ),
            ),
            Mistake(
                lambda lr, groups, decay: [lr / decay ** (groups - group) for group in range(groups)],
                (
                    "All rates are `decay` times too low: the head gets `lr` itself, its exponent is 0.",
                    "Wszystkie współczynniki są `decay` razy za małe: głowica dostaje samo `lr`, więc jej wykładnik to 0.",
                ),
            ),
            Mistake(
                lambda lr, groups, decay: [lr / (decay * (groups - 1 - group) or 1) for group in range(groups)],
                (
                    "You multiply the factor by the distance from the head; it must be raised to that power.",
                    "Mnożysz czynnik przez odległość od głowicy; trzeba go podnieść do potęgi równej tej odległości.",
                ),
            ),
            Mistake(
                lambda lr, groups, decay: [lr * decay ** (groups - 1 - group) for group in range(groups)],
                (
                    "The stem is the fastest here: divide by the factor instead of multiplying.",
                    "Tu najszybciej uczy się początek sieci: dziel przez czynnik zamiast mnożyć.",
                ),
            ),
        ],
    ),
    "frozen_module": Exercise(
        reference=_frozen,
        inputs=_network,
        mistakes=[
            Mistake(
                lambda module: module.requires_grad_(False),
                (
                    "Batch normalisation still drifts: put the module into evaluation mode, too.",
                    "Średnie w normalizacji wsadowej wciąż dryfują: przełącz moduł także w tryb ewaluacji.",
                ),
            ),
            Mistake(
                lambda module: module.eval(),
                (
                    "The parameters still get gradients: switch them off, too.",
                    "Gradienty parametrów są wciąż liczone: wyłącz także gradienty.",
                ),
            ),
            Mistake(
                lambda module: module,
                (
                    "Nothing is frozen yet: switch the gradients off and the evaluation mode on.",
                    "Nic jeszcze nie jest zamrożone: wyłącz gradienty i włącz tryb ewaluacji.",
                ),
            ),
        ],
    ),
}
