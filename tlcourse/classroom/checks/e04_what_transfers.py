"""The exercises of lesson 04."""

import torch
import torch.nn.functional as F

from tlcourse.similarity import linear_cka
from tlcourse.transferability import leep

from ..exercises import Exercise, Mistake


def _two_layers(generator: torch.Generator) -> tuple:
    """Features of the same 20 examples that have something in common, and means that are not 0."""
    x = torch.randn(20, 4, generator=generator)
    y = x @ torch.randn(4, 3, generator=generator) + torch.randn(20, 3, generator=generator)
    return x + 1, y - 2


def _centred(x: torch.Tensor) -> torch.Tensor:
    return x - x.mean(0)


def _guesses(generator: torch.Generator) -> tuple:
    labels = torch.arange(24) % 3
    bias = 2 * F.one_hot(labels, 4)  # the source's classes tell something about the target's
    theta = (torch.randn(24, 4, generator=generator) + bias).softmax(1)
    order = torch.randperm(24, generator=generator)
    return theta[order], labels[order]


def _joint(theta: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return F.one_hot(y).T.to(theta) @ theta / len(y)


def _log_likelihood(theta: torch.Tensor, y: torch.Tensor, conditional: torch.Tensor) -> torch.Tensor:
    return (theta * conditional[y]).sum(1).log().mean()


EXERCISES = {
    "cka": Exercise(
        reference=linear_cka,
        inputs=_two_layers,
        mistakes=[
            Mistake(
                lambda x, y: (y.T @ x).norm() ** 2 / ((x.T @ x).norm() * (y.T @ y).norm()),
                (
                    "The columns are not centred: subtract each feature's mean over the examples first.",
                    "Kolumny nie są wycentrowane: odejmij najpierw od każdej cechy jej średnią po przykładach.",
                ),
            ),
            Mistake(
                lambda x, y: (
                    (_centred(y.T).T.T @ _centred(x.T).T).norm() ** 2
                    / ((_centred(x.T) @ _centred(x.T).T).norm() * (_centred(y.T) @ _centred(y.T).T).norm())
                ),
                (
                    "You have centred the rows; it is each feature, a column, that must have mean 0: `mean(0)`.",
                    "Wycentrowane są wiersze; średnią 0 ma mieć każda cecha, czyli kolumna: `mean(0)`.",
                ),
            ),
            Mistake(
                lambda x, y: (
                    (_centred(y).T @ _centred(x)).norm()
                    / ((_centred(x).T @ _centred(x)).norm() * (_centred(y).T @ _centred(y)).norm())
                ),
                (
                    "The norm in the numerator must be squared: it is the sum of the squares.",
                    "Norma w liczniku musi być podniesiona do kwadratu: to suma kwadratów.",
                ),
            ),
            Mistake(
                lambda x, y: (
                    (_centred(y).T @ _centred(x)).norm() ** 2 / (_centred(x).norm() ** 2 * _centred(y).norm() ** 2)
                ),
                (
                    "The denominator needs the norms of the products $X^{\\top} X$ and $Y^{\\top} Y$, not of $X$ and $Y$ themselves.",
                    "W mianowniku mają stać normy iloczynów $X^{\\top} X$ i $Y^{\\top} Y$, a nie samych $X$ i $Y$.",
                ),
            ),
        ],
    ),
    "leep_score": Exercise(
        reference=leep,
        inputs=_guesses,
        mistakes=[
            Mistake(
                lambda theta, y: _log_likelihood(theta, y, _joint(theta, y)),
                (
                    "This uses the joint $P(y, z)$; divide it by $P(z)$, its sum over $y$, to get $P(y \\mid z)$.",
                    "Używasz tu rozkładu łącznego $P(y, z)$; podziel go przez $P(z)$, czyli jego sumę po $y$, a dostaniesz $P(y \\mid z)$.",
                ),
            ),
            Mistake(
                lambda theta, y: _log_likelihood(theta, y, _joint(theta, y) / _joint(theta, y).sum(1, keepdim=True)),
                (
                    "You have divided by $P(y)$ and got $P(z \\mid y)$; sum over $y$, that is over dim 0.",
                    "Po podzieleniu przez $P(y)$ wychodzi $P(z \\mid y)$; sumuj po $y$, czyli po wymiarze 0.",
                ),
            ),
            Mistake(
                lambda theta, y: (theta * (_joint(theta, y) / _joint(theta, y).sum(0))[y]).sum(1).mean().log(),
                (
                    "The logarithm of the mean; it must be the mean of the logarithms.",
                    "To logarytm średniej, a potrzebna jest średnia logarytmów.",
                ),
            ),
            Mistake(
                lambda theta, y: -_log_likelihood(theta, y, _joint(theta, y) / _joint(theta, y).sum(0)),
                (
                    "The sign is wrong: LEEP is a log-likelihood, never above 0, and higher is better.",
                    "Zły znak: LEEP to logarytm wiarygodności, nigdy nie większy od 0, a wyższy jest lepszy.",
                ),
            ),
        ],
    ),
}
