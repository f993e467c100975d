"""The exercises of lesson 00."""

import math

import torch

from ..exercises import Exercise, Mistake


def _error(w: float, n: int, m: int, delta: float, sigma: float) -> float:
    return w**2 * (delta**2 + sigma**2 / m) + (1 - w) ** 2 * sigma**2 / n


def _mixture(generator: torch.Generator) -> tuple:
    w, delta, sigma = (torch.rand(3, generator=generator) + 0.1).tolist()
    n, m = torch.randint(2, 30, (2,), generator=generator).tolist()
    return 0.9 * w, n, m + 30, 10 * delta, 10 * sigma


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
                lambda w, n, m, delta, sigma: w**2 * delta**2 + (1 - w) ** 2 * sigma**2 / n,
                (
                    "The noise of the source is missing: its mean of m weighings has a variance, too.",
                    "Brakuje szumu źródła: jego średnia z m ważeń też ma wariancję.",
                ),
            ),
            Mistake(
                lambda w, n, m, delta, sigma: w**2 * (delta**2 + sigma**2) + (1 - w) ** 2 * sigma**2 / n,
                (
                    "This is the noise of one weighing of the source; the mean of m has a variance m times smaller.",
                    "To szum jednego ważenia źródła; średnia z m ma wariancję m razy mniejszą.",
                ),
            ),
            Mistake(
                lambda w, n, m, delta, sigma: w**2 * delta**2 + sigma**2 / m + (1 - w) ** 2 * sigma**2 / n,
                (
                    "The source's noise enters with the weight w, so its variance with w squared.",
                    "Szum źródła wchodzi z wagą w, więc jego wariancja z kwadratem w.",
                ),
            ),
            Mistake(
                lambda w, n, m, delta, sigma: (w * (delta + sigma / m**0.5) + (1 - w) * sigma / n**0.5) ** 2,
                (
                    "You added first and squared then; independent errors have no cross term: add their squares.",
                    "Najpierw dodajesz, potem podnosisz do kwadratu; niezależne błędy nie mają wyrazu mieszanego: dodaj ich kwadraty.",
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
