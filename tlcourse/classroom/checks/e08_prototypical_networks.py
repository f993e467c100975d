"""The exercises of lesson 08."""

from typing import Any

import torch
from torch import Tensor

from ..exercises import Exercise, Mistake, difference
from ..language import t


def _task(generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Features of 4 classes with 3 examples each, and of 5 query examples."""
    return torch.randn(4, 3, 2, generator=generator), torch.randn(5, 2, generator=generator)


def _squared_distances(support: Tensor, query: Tensor, dim: int = 1) -> Tensor:
    return (query[:, None] - support.mean(dim)).square().sum(2)


Layer = tuple[Tensor, Tensor]
"""The weight (N, D) and the bias (N,) of a linear classifier."""


def _numbers(part: Any) -> Any:
    """A part of a layer in double precision; what is no tensor and makes none, as it is."""
    try:
        return torch.as_tensor(part).detach().cpu().double()
    except (TypeError, ValueError, RuntimeError):  # torch's, by what it was given
        return part


def _same_softmax(expected: Layer, got: Layer) -> str | None:
    """Whether two linear classifiers say the same. A number added to all classes' scores changes no probability."""
    expected, got = ([_numbers(part) for part in (weight, bias)] for weight, bias in (expected, got))
    for name, wanted, there in zip(("weight", "bias"), expected, got, strict=True):
        needed, polish_name = tuple(wanted.shape), "Wagi" if name == "weight" else "Wyrazy wolne"
        if not isinstance(there, Tensor):
            verb, polish_verb = ("is still", "to nadal") if there is ... else ("is", "to")
            shown = "..." if there is ... else type(there).__name__
            return t(
                f"The {name} {verb} `{shown}`; a tensor of shape {needed} is needed.",
                f"{polish_name} (`{name}`) {polish_verb} `{shown}`; potrzebny jest tensor o kształcie {needed}.",
            )
        if wanted.shape != there.shape:
            return t(
                f"The {name} has shape {tuple(there.shape)}; {needed} is needed.",
                f"{polish_name} (`{name}`) mają kształt {tuple(there.shape)}; potrzebny jest {needed}.",
            )
    for z in torch.randn(10, expected[0].shape[1], generator=torch.Generator().manual_seed(0)).double():
        log_p, answer = ((weight @ z + bias).log_softmax(0) for weight, bias in (expected, got))
        if reason := difference(log_p, answer):
            at = ", ".join(f"{number:.2f}" for number in z.tolist())
            return t(
                f"At z = ({at}) the log-probabilities are not those of the prototypes: {reason}.",
                f"W punkcie z = ({at}) logarytmy prawdopodobieństw są inne niż dla prototypów: {reason}.",
            )
    return None


EXERCISES = {
    "episode_log_probabilities": Exercise(
        reference=lambda support, query: (-_squared_distances(support, query)).log_softmax(1),
        inputs=_task,
        mistakes=[
            Mistake(
                lambda support, query: (-_squared_distances(support, query, dim=0)).log_softmax(1),
                (
                    "You average over the classes: the prototypes are means over dim 1, the K examples of a class.",
                    "Uśredniasz po klasach: prototypy to średnie po wymiarze 1, czyli po K przykładach klasy.",
                ),
            ),
            Mistake(
                lambda support, query: (-_squared_distances(support.sum(1, keepdim=True), query)).log_softmax(1),
                (
                    "You add the K examples of a class up; the prototype is their mean: divide by K, or call `mean(1)`.",
                    "Sumujesz K przykładów klasy; prototyp to ich średnia: podziel przez K albo wywołaj `mean(1)`.",
                ),
            ),
            Mistake(
                lambda support, query: (-_squared_distances(support.median(1, True).values, query)).log_softmax(1),
                (
                    "You take the median of a class's examples; the prototype is their mean.",
                    "Bierzesz medianę przykładów klasy; prototyp to ich średnia.",
                ),
            ),
            Mistake(
                lambda support, query: (-_squared_distances(support[:, :1], query)).log_softmax(1),
                (
                    "You use only the first example of each class; the prototype is the mean of all K.",
                    "Bierzesz tylko pierwszy przykład każdej klasy; prototyp to średnia ze wszystkich K.",
                ),
            ),
            Mistake(
                lambda support, query: (-_squared_distances(support, query).sqrt()).log_softmax(1),
                (
                    "The distance is not squared: leave out the square root, or square what `torch.cdist` returns.",
                    "Odległość nie jest podniesiona do kwadratu: pomiń pierwiastek albo podnieś do kwadratu wynik "
                    "`torch.cdist`.",
                ),
            ),
            Mistake(
                lambda support, query: (-_squared_distances(support, query) / query.shape[1]).log_softmax(1),
                (
                    "You take the mean over the features; the squared distance is the sum over them.",
                    "Uśredniasz po cechach; kwadrat odległości to suma po nich.",
                ),
            ),
            Mistake(
                lambda support, query: _squared_distances(support, query).log_softmax(1),
                (
                    "The sign is missing: the farther the prototype, the smaller must be the probability.",
                    "Brakuje znaku: im dalej prototyp, tym mniejsze ma być prawdopodobieństwo.",
                ),
            ),
            Mistake(
                lambda support, query: (-_squared_distances(support, query)).log_softmax(0),
                (
                    "The softmax must run over the classes, dimension 1, not over the query examples.",
                    "Softmax musi biec po klasach, czyli po wymiarze 1, a nie po zapytaniach.",
                ),
            ),
            Mistake(
                lambda support, query: (-_squared_distances(support, query)).log_softmax(1).T,
                (
                    "This is (N, M); one row for each query example is needed, (M, N).",
                    "To jest (N, M); potrzebny jest jeden wiersz na każde zapytanie, czyli (M, N).",
                ),
            ),
            Mistake(
                lambda support, query: (-_squared_distances(support, query)).softmax(1),
                (
                    "These are the probabilities; their logarithms are needed: log_softmax.",
                    "To są prawdopodobieństwa; potrzebne są ich logarytmy: log_softmax.",
                ),
            ),
            Mistake(
                lambda support, query: -_squared_distances(support, query),
                (
                    "These are the negative distances; the log_softmax over the classes is missing.",
                    "To są odległości ze znakiem minus; brakuje jeszcze log_softmax po klasach.",
                ),
            ),
        ],
    ),
    "linear_classifier": Exercise(
        reference=lambda prototypes: (2 * prototypes, -prototypes.square().sum(1)),
        inputs=lambda generator: (torch.randn(3, 2, generator=generator),),
        compare=_same_softmax,
        mistakes=[
            Mistake(
                lambda prototypes: (prototypes, -prototypes.square().sum(1)),
                (
                    "The weight lacks the factor 2: expand -||z - c||² and look at the term with both z and c.",
                    "W wagach brakuje czynnika 2: rozwiń -||z - c||² i spójrz na składnik, w którym są i z, i c.",
                ),
            ),
            Mistake(
                lambda prototypes: (prototypes, -prototypes.square().sum(1) / 2),
                (
                    "The largest score is the right one, but the scores are half of what they should be, so the "
                    "softmax is less sure than that of the prototypes: multiply both by 2.",
                    "Największy wynik ma właściwa klasa, ale wyniki są dwa razy za małe, więc softmax jest mniej "
                    "pewny niż dla prototypów: pomnóż oba przez 2.",
                ),
            ),
            Mistake(
                lambda prototypes: (2 * prototypes, prototypes.square().sum(1)),
                (
                    "The sign of the bias is wrong: -||z - c||² contains -||c||².",
                    "Zły znak wyrazów wolnych: w -||z - c||² jest -||c||².",
                ),
            ),
            Mistake(
                lambda prototypes: (2 * prototypes, -prototypes.norm(dim=1)),
                (
                    "The bias has the norm itself; its square is needed.",
                    "W wyrazach wolnych jest sama norma; potrzebny jest jej kwadrat.",
                ),
            ),
            Mistake(
                lambda prototypes: (2 * prototypes, torch.zeros(len(prototypes))),
                (
                    "Without a bias, a prototype far from the origin wins too often: what is left of -||z - c||² that "
                    "depends on the class, but not on z?",
                    "Bez wyrazów wolnych prototyp daleki od początku układu wygrywa zbyt często: co jeszcze w -||z - c||² "
                    "zależy od klasy, a nie zależy od z?",
                ),
            ),
            Mistake(
                lambda prototypes: (-2 * prototypes, prototypes.square().sum(1)),
                (
                    "All signs are the other way round: this is the distance, and the nearest prototype must have the "
                    "largest score.",
                    "Wszystkie znaki są odwrotne: to jest odległość, a największy wynik ma mieć najbliższy prototyp.",
                ),
            ),
        ],
    ),
}
