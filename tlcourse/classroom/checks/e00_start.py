"""The exercises of lesson 00."""

import math

import torch

from ..exercises import Exercise, Mistake


def _error(w: float, n: int, delta: float, sigma: float) -> float:
    return w**2 * delta**2 + (1 - w) ** 2 * sigma**2 / n


def _mixture(generator: torch.Generator) -> tuple:
    w, delta, sigma = (torch.rand(3, generator=generator) + 0.1).tolist()
    return w, int(torch.randint(2, 30, (), generator=generator)), 10 * delta, 10 * sigma


def _break_even(delta: float, sigma: float) -> int:
    return math.floor(sigma**2 / delta**2) + 1


def _pair(generator: torch.Generator) -> tuple:
    delta, ratio = torch.rand(2, generator=generator).tolist()
    return 0.5 + delta, (0.5 + delta) * (2.3 + 3 * ratio)


EXERCISES = {
    "mixture_error": Exercise(
        reference=_error,
        inputs=_mixture,
        mistakes=[
            Mistake(
                lambda w, n, delta, sigma: w * delta**2 + (1 - w) * sigma**2 / n,
                ("The weights must be squared, too.", "Wagi też trzeba podnieść do kwadratu."),
            ),
            Mistake(
                lambda w, n, delta, sigma: w**2 * delta**2 + (1 - w) ** 2 * sigma**2,
                (
                    "This is the noise of one weighing; the mean of n has a variance n times smaller.",
                    "To szum jednego ważenia; średnia z n ma wariancję n razy mniejszą.",
                ),
            ),
            Mistake(
                lambda w, n, delta, sigma: w**2 * delta**2 + (1 - w) ** 2 * sigma / n,
                (
                    "sigma is the standard deviation; the variance is its square.",
                    "sigma to odchylenie standardowe; wariancja jest jego kwadratem.",
                ),
            ),
            Mistake(
                lambda w, n, delta, sigma: (1 - w) ** 2 * delta**2 + w**2 * sigma**2 / n,
                (
                    "The weights are swapped: w belongs to the source, so to delta.",
                    "Wagi są zamienione: w należy do źródła, czyli do delta.",
                ),
            ),
        ],
    ),
    "break_even": Exercise(
        reference=_break_even,
        inputs=_pair,
        mistakes=[
            Mistake(
                lambda delta, sigma: sigma**2 / delta**2,
                (
                    "This is where both are equally good; return the next whole number above it.",
                    "Tutaj oba są równie dobre; zwróć następną liczbę całkowitą powyżej.",
                ),
            ),
            Mistake(
                lambda delta, sigma: math.floor(sigma**2 / delta**2),
                (
                    "One too low: with so many weighings the source is still the better one.",
                    "O jeden za mało: przy tylu ważeniach źródło jest jeszcze lepsze.",
                ),
            ),
            Mistake(
                lambda delta, sigma: math.floor(sigma / delta) + 1,
                (
                    "Compare the squares: the variance sigma² / n with delta².",
                    "Porównaj kwadraty: wariancję sigma² / n z delta².",
                ),
            ),
        ],
    ),
}
