"""The exercises of lesson 06."""

import torch
from torch import Tensor

from ..exercises import Exercise, Mistake


def _value_and_gradient(function, x: Tensor, strength: float) -> tuple[Tensor, Tensor]:
    """What comes out, and what comes back: the gradient of a weighted sum, so that no two entries are alike."""
    x.requires_grad_()
    out = function(x, strength)
    weights = torch.linspace(-1, 2, x.numel()).view_as(x)
    (gradient,) = torch.autograd.grad((out * weights).sum(), x, allow_unused=True)
    return out.detach(), torch.zeros_like(x) if gradient is None else gradient


def _features(generator: torch.Generator) -> tuple[Tensor, float]:
    return torch.randn(2, 3, generator=generator), 0.2 + 1.5 * float(torch.rand((), generator=generator))


def _logits(generator: torch.Generator) -> tuple[Tensor]:
    logits = 3 * torch.randn(5, 4, generator=generator)
    logits[0] = torch.tensor([200.0, 0.0, -200.0, 0.0])
    return (logits,)


def _entropy(logits: Tensor) -> Tensor:
    return torch.distributions.Categorical(logits=logits).entropy().mean()


EXERCISES = {
    "reverse": Exercise(
        reference=lambda x, strength: (1 + strength) * x.detach() - strength * x,
        inputs=_features,
        call=_value_and_gradient,
        mistakes=[
            Mistake(
                lambda x, strength: -strength * x,
                (
                    "The gradient is right, the value is not: add what is missing, detached.",
                    "Gradient się zgadza, wartość nie: dodaj to, czego brakuje, ale bez gradientu.",
                ),
            ),
            Mistake(
                lambda x, strength: x.detach() - strength * x,
                (
                    "The value is x times 1 - strength: the detached term must make up for the other one.",
                    "Wartość to x razy 1 - strength: składnik bez gradientu musi wyrównać ten drugi.",
                ),
            ),
            Mistake(
                lambda x, strength: x.detach(),
                ("No gradient comes back at all.", "Żaden gradient nie wraca."),
            ),
            Mistake(
                lambda x, strength: (1 - strength) * x.detach() + strength * x,
                (
                    "The gradient comes back with its sign unchanged: the term with the gradient needs a minus.",
                    "Gradient wraca bez zmiany znaku: składnik z gradientem musi mieć minus.",
                ),
            ),
        ],
    ),
    "entropy": Exercise(
        reference=_entropy,
        inputs=_logits,
        mistakes=[
            Mistake(
                lambda logits: -(logits.softmax(1) * logits.softmax(1).log()).sum(1).mean(),
                (
                    "A probability that rounds to 0 makes 0 times minus infinity, which is NaN: use log_softmax.",
                    "Prawdopodobieństwo zaokrąglone do 0 daje 0 razy minus nieskończoność, czyli NaN: użyj log_softmax.",
                ),
            ),
            Mistake(
                lambda logits: (logits.softmax(1) * logits.log_softmax(1)).sum(1).mean(),
                (
                    "The sign is missing: entropy is never negative.",
                    "Brakuje znaku: entropia nigdy nie jest ujemna.",
                ),
            ),
            Mistake(
                lambda logits: -(logits.softmax(1) * logits.log_softmax(1)).mean(),
                (
                    "You average over the classes too; sum over them, average over the images only.",
                    "Uśredniasz też po klasach; po nich sumuj, a uśredniaj tylko po obrazach.",
                ),
            ),
            Mistake(
                lambda logits: -(logits.softmax(1) * logits.log_softmax(1)).sum(),
                (
                    "This is the sum over the images; take their mean.",
                    "To suma po obrazach; weź ich średnią.",
                ),
            ),
            Mistake(
                lambda logits: -(logits.softmax(0) * logits.log_softmax(0)).sum(0).mean(),
                (
                    "The softmax must run over the classes, dimension 1, not over the images.",
                    "Softmax musi biec po klasach, czyli po wymiarze 1, a nie po obrazach.",
                ),
            ),
        ],
    ),
}
