"""The exercises of lesson 01."""

import torch
import torch.nn.functional as F
from torch import Tensor

from ..exercises import Exercise, Mistake


def _standardise(train: Tensor, test: Tensor) -> tuple[Tensor, Tensor]:
    mean, std = train.mean(0), train.std(0)
    return (train - mean) / std, (test - mean) / std


def _each_by_itself(train: Tensor, test: Tensor) -> tuple[Tensor, Tensor]:
    return _standardise(train, train)[0], _standardise(test, test)[0]


def _both_together(train: Tensor, test: Tensor) -> tuple[Tensor, Tensor]:
    both = torch.cat([train, test])
    return _standardise(both, train)[1], _standardise(both, test)[1]


def _over_examples(train: Tensor, test: Tensor) -> tuple[Tensor, Tensor]:
    def rows(x: Tensor) -> Tensor:
        return (x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True)

    return rows(train), rows(test)


def _gradient(W: Tensor, b: Tensor, z: Tensor, y: Tensor, lam: float) -> Tensor:
    return (_probabilities(W, b, z) - F.one_hot(y, len(b))).T @ z + lam * W


def _probabilities(W: Tensor, b: Tensor, z: Tensor) -> Tensor:
    return (z @ W.T + b).softmax(1)


def _probe(generator: torch.Generator) -> tuple:
    shapes = (4, 7), (4,), (9, 7)
    W, b, z = (torch.randn(*shape, generator=generator) for shape in shapes)
    return W, b, z, torch.randint(4, (9,), generator=generator), 0.7


EXERCISES = {
    "standardise": Exercise(
        reference=_standardise,
        inputs=lambda generator: (
            3 + 2 * torch.randn(60, 4, generator=generator),
            torch.randn(10, 4, generator=generator),
        ),
        tolerance=3e-2,
        mistakes=[
            Mistake(
                _each_by_itself,
                (
                    "You used the test set's own mean and deviation; use the training set's for both.",
                    "Zbiór testowy dostał własną średnią i własne odchylenie; w obu zbiorach użyj wartości ze zbioru treningowego.",
                ),
            ),
            Mistake(
                _both_together,
                (
                    "Mean and deviation come from both sets together: the test set was looked at. Use the training set alone.",
                    "Średnia i odchylenie pochodzą z obu zbiorów naraz, a to podglądanie. Policz je tylko na zbiorze treningowym.",
                ),
            ),
            Mistake(
                _over_examples,
                (
                    "You standardised each image over its features (dim 1); each feature is meant, over the images (dim 0).",
                    "Średnia i odchylenie są liczone dla każdego obrazu (wymiar 1), a mają być dla każdej cechy (wymiar 0).",
                ),
            ),
            Mistake(
                lambda train, test: (train - train.mean(0), test - train.mean(0)),
                (
                    "The mean is right; now divide by the standard deviation.",
                    "Średnia się zgadza; teraz podziel jeszcze przez odchylenie standardowe.",
                ),
            ),
        ],
    ),
    "probe_gradient": Exercise(
        reference=_gradient,
        inputs=_probe,
        mistakes=[
            Mistake(
                lambda W, b, z, y, lam: _gradient(W, b, z, y, 0),
                ("The penalty's gradient is missing: add lam * W.", "Brakuje gradientu kary: dodaj lam * W."),
            ),
            Mistake(
                lambda W, b, z, y, lam: _gradient(W, b, z, y, 0) / len(z) + lam * W,
                (
                    "You averaged over the examples; J is a sum.",
                    "Uśredniasz po przykładach; J jest sumą.",
                ),
            ),
            Mistake(
                lambda W, b, z, y, lam: (F.one_hot(y, len(b)) - _probabilities(W, b, z)).T @ z + lam * W,
                (
                    "The sign of p − e is the other way round: this would climb the loss.",
                    "Różnica p − e ma odwrotny znak: taki krok zwiększałby stratę.",
                ),
            ),
            Mistake(
                lambda W, b, z, y, lam: _probabilities(W, b, z).T @ z + lam * W,
                (
                    "The true classes are missing: subtract their one-hot vectors from p.",
                    "Brakuje prawdziwych klas: odejmij od p ich wektory one-hot.",
                ),
            ),
        ],
    ),
}
