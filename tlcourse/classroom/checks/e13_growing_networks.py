"""The exercises of lesson 13."""

import torch
import torch.nn.functional as F
from torch import Tensor

from ...net2net import copy_incoming, random_mapping, split_outgoing
from ..exercises import Exercise, Mistake

Weights = tuple[Tensor, Tensor, Tensor]


def _two_layers_and_mapping(generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Three units become seven, so that they never have equally many copies."""
    shapes = (3, 5), (3,), (4, 3)
    weights = [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes]
    return *weights, random_mapping(3, 7, generator)


def _widened(W1: Tensor, b1: Tensor, W2: Tensor, mapping: Tensor) -> Weights:
    return copy_incoming(W1, mapping), copy_incoming(b1, mapping), split_outgoing(W2, mapping)


def _copies(mapping: Tensor) -> Tensor:
    """How many copies there are of what each new unit is a copy of, (new,)."""
    return mapping.bincount()[mapping]


def _only_copies_divided(W1: Tensor, b1: Tensor, W2: Tensor, mapping: Tensor) -> Weights:
    return W1[mapping], b1[mapping], torch.cat([W2, (W2[:, mapping] / _copies(mapping))[:, len(b1) :]], 1)


_INCOMING = (
    "You divide the incoming weights, too: the copies must hear all that the original hears, or φ gets another input. "
    "Only the columns of `W2` are divided.",
    "Dzielisz także wagi wchodzące: kopie mają słyszeć wszystko to, co oryginał, bo inaczej φ dostanie co innego. Dzieli "
    "się tylko kolumny `W2`.",
)
_ROWS = (
    "You copy the rows of `W2`. They belong to its outputs; what the units say stands in its columns, `W2[:, mapping]`.",
    "Kopiujesz wiersze `W2`. Te należą do jej wyjść; to, co mówią neurony, stoi w jej kolumnach: `W2[:, mapping]`.",
)


def _two_kernels(generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Of different lengths."""
    first, second = (torch.randn(length, generator=generator, dtype=torch.float64) for length in (5, 3))
    return first, second


def _composed(first: Tensor, second: Tensor) -> Tensor:
    return F.conv_transpose1d(second[None, None], first[None, None])[0, 0]


_CUT = (
    "The ends are cut off: the composed kernel reaches over $k_1 + k_2 - 1$ places.",
    "Brakuje końców: złożony filtr obejmuje $k_1 + k_2 - 1$ miejsc.",
)
_PAIRED = (
    "Element by element, each weight meets only one other (and the lengths differ); each of `first` must meet each of "
    "`second`, and their product belongs to the place $s + t$.",
    "Element po elemencie każda waga spotyka tylko jedną inną (a długości są różne); każda z `first` ma się spotkać z "
    "każdą z `second`, a ich iloczyn należy do miejsca $s + t$.",
)
_SUM = (
    "The sum is what two layers side by side would make; these stand behind one another, so that weights are multiplied.",
    "Suma odpowiada dwóm warstwom obok siebie; te stoją jedna za drugą, więc wagi się mnoży.",
)
_TABLE = (
    "These are all the products, in a table; add up those with the same $s + t$.",
    "To wszystkie iloczyny, w tabeli; zsumuj te o tym samym $s + t$.",
)


EXERCISES = {
    "widen_pair": Exercise(
        reference=_widened,
        inputs=_two_layers_and_mapping,
        mistakes=[
            Mistake(
                lambda W1, b1, W2, g: (W1[g], b1[g], W2[:, g]),
                (
                    "The columns of `W2` are copied, but not divided: a unit with three copies is now heard three times.",
                    "Kolumny `W2` są skopiowane, ale nie podzielone: neuron o trzech kopiach słychać teraz trzy razy.",
                ),
            ),
            Mistake(
                lambda W1, b1, W2, g: (W1[g], b1[g], W2[:, g] / (len(g) / len(b1))),
                (
                    "You divide by new / old, the mean number of copies; each unit must be divided by its own.",
                    "Dzielisz przez stosunek nowej liczby neuronów do starej, czyli średnią liczbę kopii; każdy neuron "
                    "trzeba podzielić przez jego własną.",
                ),
            ),
            Mistake(
                lambda W1, b1, W2, g: (W1[g], b1[g], W2[:, g] / g.bincount(minlength=len(g))),
                (
                    "The number of copies is taken at the place of the new unit; take it at the unit that it copies: "
                    "`mapping.bincount()[mapping]`.",
                    "Liczbę kopii bierzesz z miejsca nowego neuronu; weź ją od neuronu, który on kopiuje: "
                    "`mapping.bincount()[mapping]`.",
                ),
            ),
            Mistake(
                lambda W1, b1, W2, g: (W1[g], b1[g], W2[:, g] / (_copies(g) - 1)),
                (
                    "You do not count the original: it, too, is one of those that share the weight.",
                    "Nie liczysz oryginału: on też jest jednym z tych, którzy dzielą się wagą.",
                ),
            ),
            Mistake(
                _only_copies_divided,
                (
                    "You divide only the new columns; the original is one of the copies and has to give up its share, "
                    "too.",
                    "Dzielisz tylko nowe kolumny; oryginał jest jedną z kopii i też musi oddać swoją część.",
                ),
            ),
            Mistake(
                lambda W1, b1, W2, g: (W1[g], b1[g], F.pad(W2, (0, len(g) - len(b1)))),
                (
                    "This keeps the function, but nobody hears the new units: let all copies share the outgoing weight.",
                    "To zachowuje funkcję, ale nowych neuronów nikt nie słyszy: niech wszystkie kopie podzielą się wagą "
                    "wychodzącą.",
                ),
            ),
            Mistake(
                lambda W1, b1, W2, g: (W1[g], b1[g], W2[:, g] * _copies(g)),
                ("You multiply by the number of copies; divide.", "Mnożysz przez liczbę kopii; podziel."),
            ),
            Mistake(
                lambda W1, b1, W2, g: (W1[g], b1[g] / _copies(g), W2[:, g] / _copies(g)),
                (
                    "You divide `b1`, too: a bias goes into the unit, as its incoming weights do, and is only copied.",
                    "Dzielisz także `b1`: wyraz wolny wchodzi do neuronu tak jak wagi wchodzące i tylko się go kopiuje.",
                ),
            ),
            Mistake(
                lambda W1, b1, W2, g: (W1[g], b1, W2[:, g] / _copies(g)),
                (
                    "`b1` is not copied: each new unit needs a bias.",
                    "`b1` nie jest skopiowane: każdy nowy neuron ma mieć wyraz wolny.",
                ),
            ),
            *(
                Mistake(function, _INCOMING)
                for function in (
                    lambda W1, b1, W2, g: (W1[g] / _copies(g)[:, None], b1[g], W2[:, g] / _copies(g)),
                    lambda W1, b1, W2, g: (W1[g] / _copies(g)[:, None], b1[g] / _copies(g), W2[:, g] / _copies(g)),
                    lambda W1, b1, W2, g: (W1[g] / _copies(g)[:, None], b1[g], W2[:, g]),
                    lambda W1, b1, W2, g: (W1[g] / _copies(g)[:, None], b1[g] / _copies(g), W2[:, g]),
                )
            ),
            *(
                Mistake(function, _ROWS)
                for function in (
                    lambda W1, b1, W2, g: (W1[g], b1[g], W2[g]),
                    lambda W1, b1, W2, g: (W1[g], b1[g], W2[g] / _copies(g)[:, None]),
                    lambda W1, b1, W2, g: (W1[g], b1[g], W2[g] / _copies(g)),
                )
            ),
        ],
    ),
    "compose_1d": Exercise(
        reference=_composed,
        inputs=_two_kernels,
        mistakes=[
            Mistake(
                lambda first, second: _composed(first, second.flip(0)),
                (
                    "`second` is turned round: its place $t$ must meet the place $s - t$ of `first`, so that both add up "
                    "to $s$.",
                    "`second` jest odwrócone: jego miejsce $t$ ma się spotkać z miejscem $s - t$ w `first`, tak żeby "
                    "razem dawały $s$.",
                ),
            ),
            Mistake(
                lambda first, second: _composed(first.flip(0), second),
                (
                    "`first` is turned round. `F.conv1d` itself does not turn its kernel: turn the one that you give it "
                    "as the kernel.",
                    "`first` jest odwrócone. Samo `F.conv1d` nie odwraca filtra: odwróć ten, który podajesz mu jako filtr.",
                ),
            ),
            Mistake(
                lambda first, second: _composed(first, second).flip(0),
                ("The composed kernel is turned round.", "Złożony filtr jest odwrócony."),
            ),
            *(
                Mistake(lambda first, second, ends=ends: _composed(first, second)[slice(*ends)], _CUT)
                for ends in [(1, -1), (2, -2), (0, 5), (2, None)]
            ),
            Mistake(lambda first, second: first * second, _PAIRED),
            Mistake(lambda first, second: second * first, _PAIRED),
            Mistake(lambda first, second: first * F.pad(second, (1, 1)), _PAIRED),
            Mistake(lambda first, second: first * F.pad(second, (0, 2)), _PAIRED),
            Mistake(lambda first, second: first + F.pad(second, (1, 1)), _SUM),
            Mistake(lambda first, second: first + F.pad(second, (0, 2)), _SUM),
            Mistake(lambda first, second: torch.outer(first, second), _TABLE),
            Mistake(lambda first, second: torch.outer(second, first), _TABLE),
        ],
    ),
}
