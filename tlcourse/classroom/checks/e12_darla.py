"""The exercises of lesson 12."""

import torch
from torch import Tensor

from ...beta_vae import kl_to_standard_normal
from ..exercises import Exercise, Mistake


def _posteriors(generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Means and logarithms of variances of five images and three latent variables."""
    mean, log_variance = torch.randn(2, 5, 3, generator=generator, dtype=torch.float64)
    return mean, log_variance


def _shares(generator: torch.Generator) -> tuple[Tensor]:
    """Shares of information of six latent variables about four factors, the largest one somewhere in each column."""
    return (torch.rand(6, 4, generator=generator, dtype=torch.float64) ** 3,)


def _gap(shares: Tensor) -> Tensor:
    first, second = shares.topk(2, dim=0).values
    return (first - second).mean()


EXERCISES = {
    "kl": Exercise(
        reference=kl_to_standard_normal,
        inputs=_posteriors,
        mistakes=[
            Mistake(
                lambda mean, log_variance: kl_to_standard_normal(mean, log_variance).mean(),
                (
                    "One number for each image is needed, (B,); the mean over the batch comes later.",
                    "Potrzebna jest jedna liczba na każdy obraz, (B,); średnią po paczce bierze się później.",
                ),
            ),
            Mistake(
                lambda mean, log_variance: kl_to_standard_normal(mean, log_variance) / mean.shape[1],
                (
                    "You take the mean over the latent variables; for independent ones the divergences add up.",
                    "Bierzesz średnią po zmiennych ukrytych; dla niezależnych dywergencje się sumują.",
                ),
            ),
            Mistake(
                lambda mean, log_variance: 0.5 * (mean**2 + log_variance - log_variance.abs().log() - 1).sum(1),
                (
                    "`log_variance` is log σ², not σ²: take its exponential where σ² stands.",
                    "`log_variance` to log σ², a nie σ²: tam, gdzie stoi σ², weź jego eksponentę.",
                ),
            ),
            Mistake(
                lambda mean, log_variance: kl_to_standard_normal(mean, 2 * log_variance),
                (
                    "`log_variance` is log σ², not log σ: do not square once more.",
                    "`log_variance` to log σ², a nie log σ: nie podnoś jeszcze raz do kwadratu.",
                ),
            ),
            Mistake(
                lambda mean, log_variance: -kl_to_standard_normal(mean, log_variance),
                (
                    "The sign is wrong: a divergence is never negative.",
                    "Zły znak: dywergencja nigdy nie jest ujemna.",
                ),
            ),
            Mistake(
                lambda mean, log_variance: 2 * kl_to_standard_normal(mean, log_variance),
                ("The factor ½ is missing.", "Brakuje czynnika ½."),
            ),
            Mistake(
                lambda mean, log_variance: 0.5 * (log_variance.exp() - log_variance - 1).sum(1),
                (
                    "The means are missing: a posterior far from 0 is far from the prior, too.",
                    "Brakuje średnich: rozkład a posteriori daleki od 0 jest też daleki od rozkładu a priori.",
                ),
            ),
        ],
    ),
    "gap": Exercise(
        reference=_gap,
        inputs=_shares,
        mistakes=[
            Mistake(
                lambda shares: _gap(shares.T),
                (
                    "You compare the factors of each latent variable; compare the latent variables of each factor: "
                    "the two largest numbers of each column.",
                    "Porównujesz czynniki dla każdej zmiennej ukrytej; porównaj zmienne ukryte dla każdego czynnika: "
                    "dwie największe liczby w każdej kolumnie.",
                ),
            ),
            Mistake(
                lambda shares: shares.max(0).values.mean(),
                (
                    "This is the mean of the largest shares; subtract the second largest ones.",
                    "To średnia największych udziałów; odejmij od nich drugie co do wielkości.",
                ),
            ),
            Mistake(
                lambda shares: (shares.max(0).values - shares.min(0).values).mean(),
                (
                    "You subtract the smallest share; the second largest one is needed.",
                    "Odejmujesz najmniejszy udział; potrzebny jest drugi co do wielkości.",
                ),
            ),
            Mistake(
                lambda shares: shares.topk(2, dim=0).values.diff(dim=0).sum().neg(),
                (
                    "Take the mean over the factors, not the sum.",
                    "Weź średnią po czynnikach, a nie sumę.",
                ),
            ),
            Mistake(
                lambda shares: -_gap(shares),
                (
                    "The sign is wrong: the second largest share is taken off the largest one.",
                    "Zły znak: od największego udziału odejmuje się drugi co do wielkości.",
                ),
            ),
        ],
    ),
}
