"""The exercises of lesson 15."""

import torch
from torch import Tensor

from ..exercises import Exercise, Mistake

Pair = tuple[Tensor, Tensor]


def _two_pairs(generator: torch.Generator) -> tuple[Pair, Pair]:
    """Two gradients that conflict, and two that do not; of different lengths, so that a wrong norm shows."""
    one, across = torch.randn(2, 5, generator=generator, dtype=torch.float64)
    across = across - (across @ one) / (one @ one) * one
    along = 0.3 + torch.rand(2, generator=generator, dtype=torch.float64)
    return (one, across - along[0] * one), (one.flip(0), (across + along[1] * one).flip(0))


def _on_both(function, conflicting: Pair, agreeing: Pair) -> tuple[Tensor, Tensor]:
    return function(*conflicting), function(*agreeing)


def _without(a: Tensor, b: Tensor, length: Tensor) -> Tensor:
    """`a` less (a·b / length) b where they conflict."""
    return a - torch.clamp(a @ b, max=0) / length * b


def _combined(a: Tensor, b: Tensor) -> Tensor:
    return _without(a, b, b @ b) + _without(b, a, a @ a)


def _projected_in_turn(a: Tensor, b: Tensor) -> Tensor:
    first = _without(a, b, b @ b)
    return first + _without(b, first, first @ first)


def _losses_and_log_variances(generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Mean squared errors of four tasks that differ by orders of magnitude, and positive log-variances."""
    scale = 10.0 ** torch.linspace(-1, 2, 4, dtype=torch.float64)
    losses, s = torch.rand(2, 4, generator=generator, dtype=torch.float64)
    return (0.5 + losses) * scale, 0.2 + 2 * s


def _value_and_gradients(function, losses: Tensor, log_variances: Tensor) -> tuple[Tensor, Tensor]:
    """The weighted loss, and what it tells the network (by way of the losses) and the log-variances."""
    inputs = losses.requires_grad_(), log_variances.requires_grad_()
    total, gradients = function(*inputs), (None, None)
    if total.requires_grad:
        gradients = torch.autograd.grad(total.sum(), inputs, allow_unused=True)
    filled = [torch.zeros_like(x) if g is None else g for x, g in zip(inputs, gradients, strict=True)]
    return total.detach(), torch.stack(filled)


EXERCISES = {
    "pcgrad": Exercise(
        reference=_combined,
        inputs=_two_pairs,
        call=_on_both,
        mistakes=[
            Mistake(
                lambda a, b: a - (a @ b) / (b @ b) * b + b - (a @ b) / (a @ a) * a,
                (
                    "You project always. Gradients that do not conflict, $g_1 \\cdot g_2 \\ge 0$, stay as they are.",
                    "Rzutujesz zawsze. Gradienty, które nie są w konflikcie, $g_1 \\cdot g_2 \\ge 0$, mają zostać bez "
                    "zmian.",
                ),
            ),
            Mistake(
                lambda a, b: a + b,
                (
                    "This is the plain sum: where the gradients conflict, each must lose its part along the other.",
                    "To zwykła suma: gdzie gradienty są w konflikcie, każdy ma stracić część wzdłuż drugiego.",
                ),
            ),
            Mistake(
                lambda a, b: _without(a, b, a @ a) + _without(b, a, b @ b),
                (
                    "You divide by the wrong norm: what is taken from $g_1$ lies along $g_2$, so divide by "
                    "$\\lVert g_2 \\rVert^2$.",
                    "Dzielisz przez niewłaściwą normę: to, co odejmujesz od $g_1$, leży wzdłuż $g_2$, więc podziel "
                    "przez $\\lVert g_2 \\rVert^2$.",
                ),
            ),
            Mistake(
                lambda a, b: _without(a, b, b.norm()) + _without(b, a, a.norm()),
                ("The norm must be squared.", "Norma ma być podniesiona do kwadratu."),
            ),
            Mistake(
                lambda a, b: _without(a, b, torch.tensor(1.0)) + _without(b, a, torch.tensor(1.0)),
                (
                    "The division is missing: $g_2$ has not the length 1.",
                    "Brakuje dzielenia: $g_2$ nie ma długości 1.",
                ),
            ),
            Mistake(
                _projected_in_turn,
                (
                    "You project the second gradient against the *projected* first one, to which it is already "
                    "orthogonal, so nothing happens. Project against the original.",
                    "Drugi gradient rzutujesz względem *zrzutowanego* pierwszego, do którego jest już prostopadły, "
                    "więc nic się nie dzieje. Rzutuj względem pierwotnego.",
                ),
            ),
            Mistake(
                lambda a, b: _projected_in_turn(b, a),
                (
                    "You project the first gradient against the *projected* second one, to which it is already "
                    "orthogonal, so nothing happens. Project against the original.",
                    "Pierwszy gradient rzutujesz względem *zrzutowanego* drugiego, do którego jest już prostopadły, "
                    "więc nic się nie dzieje. Rzutuj względem pierwotnego.",
                ),
            ),
            Mistake(
                lambda a, b: _combined(a, b) / 2,
                ("This is the mean; PCGrad adds up.", "To średnia; PCGrad sumuje."),
            ),
            Mistake(
                lambda a, b: 2 * (a + b) - _combined(a, b),
                (
                    "The sign is wrong: $g_1 \\cdot g_2$ is negative, and the part along $g_2$ must be *subtracted*.",
                    "Zły znak: $g_1 \\cdot g_2$ jest ujemne, a część wzdłuż $g_2$ trzeba *odjąć*.",
                ),
            ),
        ],
    ),
    "uncertainty": Exercise(
        reference=lambda losses, s: (torch.exp(-s) * losses + s).sum() / 2,
        inputs=_losses_and_log_variances,
        call=_value_and_gradients,
        mistakes=[
            Mistake(
                lambda losses, s: (torch.exp(-s) * losses).sum() / 2,
                (
                    "The term $s_i / 2$ is missing: without it the loss falls for ever as $s_i$ grows, and no task "
                    "is learned.",
                    "Brakuje składnika $s_i / 2$: bez niego strata maleje bez końca, gdy $s_i$ rośnie, i żadne zadanie "
                    "nie zostaje opanowane.",
                ),
            ),
            Mistake(
                lambda losses, s: (losses / (2 * s.square()) + s.log()).sum(),
                (
                    "You take $s$ for $\\sigma$; it is $\\ln \\sigma^2$, so $1/\\sigma^2 = e^{-s}$.",
                    "Bierzesz $s$ za $\\sigma$; jest to $\\ln \\sigma^2$, więc $1/\\sigma^2 = e^{-s}$.",
                ),
            ),
            Mistake(
                lambda losses, s: (losses / s + s.log()).sum() / 2,
                (
                    "You take $s$ for the variance $\\sigma^2$; it is its logarithm, so $1/\\sigma^2 = e^{-s}$.",
                    "Bierzesz $s$ za wariancję $\\sigma^2$; jest to jej logarytm, więc $1/\\sigma^2 = e^{-s}$.",
                ),
            ),
            Mistake(
                lambda losses, s: (torch.exp(-2 * s) * losses / 2 + s).sum(),
                (
                    "You take $s$ for $\\ln \\sigma$; it is $\\ln \\sigma^2$.",
                    "Bierzesz $s$ za $\\ln \\sigma$; jest to $\\ln \\sigma^2$.",
                ),
            ),
            Mistake(
                lambda losses, s: (torch.exp(-s) * losses / 2 + s).sum(),
                (
                    "The regulariser is twice too large: $\\frac12 \\ln \\sigma_i^2 = s_i / 2$.",
                    "Składnik regularyzujący jest dwa razy za duży: $\\frac12 \\ln \\sigma_i^2 = s_i / 2$.",
                ),
            ),
            Mistake(
                lambda losses, s: (torch.exp(-s) * losses + s / 2).sum(),
                (
                    "The factor ½ before $e^{-s_i} L_i$ is missing: that is the form for classification.",
                    "Brakuje czynnika ½ przed $e^{-s_i} L_i$: to postać dla klasyfikacji.",
                ),
            ),
            Mistake(
                lambda losses, s: (torch.exp(-s) * losses + s).sum(),
                ("The factor ½ is missing in both terms.", "W obu składnikach brakuje czynnika ½."),
            ),
            Mistake(
                lambda losses, s: (torch.exp(s) * losses + s).sum() / 2,
                (
                    "The sign in the exponent is wrong: a large variance must make the weight small.",
                    "Zły znak w wykładniku: duża wariancja ma dawać małą wagę.",
                ),
            ),
            Mistake(
                lambda losses, s: (torch.exp(-s) * losses - s).sum() / 2,
                (
                    "The sign of $s_i / 2$ is wrong: a large variance has its price.",
                    "Zły znak przy $s_i / 2$: duża wariancja ma swoją cenę.",
                ),
            ),
            Mistake(
                lambda losses, s: (torch.exp(-s) * losses + s).mean() / 2,
                ("You average over the tasks; add them up.", "Uśredniasz po zadaniach; zsumuj."),
            ),
            Mistake(
                lambda losses, s: (torch.exp(-s) * losses + s) / 2,
                (
                    "You return a number per task; their sum is wanted.",
                    "Zwracasz jedną liczbę na zadanie; potrzebna jest ich suma.",
                ),
            ),
            Mistake(
                lambda losses, s: (torch.exp(-s.detach()) * losses + s.detach()).sum() / 2,
                (
                    "The number is right, but no gradient comes back to `s`, so the weights are never learned.",
                    "Liczba się zgadza, ale do `s` nie wraca żaden gradient, więc wagi nigdy się nie uczą.",
                ),
            ),
        ],
    ),
}
