"""The exercises of lesson 14."""

import torch
from torch import Tensor

from ..exercises import Exercise, Mistake


def _accuracies(generator: torch.Generator) -> tuple[Tensor]:
    """What was right of each task (columns) after each task (rows), with rows that differ enough to tell."""
    return (0.2 + 0.8 * torch.rand(5, 5, generator=generator, dtype=torch.float64),)


def _forgetting(accuracy: Tensor) -> Tensor:
    return (accuracy[:-1, :-1].max(0).values - accuracy[-1, :-1]).mean()


def _weights_inputs_labels(generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    w, x = torch.randn(3, generator=generator), 1 + torch.randn(6, 3, generator=generator)
    y = (torch.rand(6, generator=generator) < 0.5).double()
    return w.double(), x.double(), y


def _gradients(w: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Of each example's loss, (N, D)."""
    return ((x @ w).sigmoid() - y)[:, None] * x


def _stream(generator: torch.Generator) -> tuple[list[int], int, list[float]]:
    items = torch.randperm(40, generator=generator).tolist()
    return items, 5, torch.rand(40, generator=generator, dtype=torch.float64).tolist()


def _kept(items, capacity, draws, place=None) -> list:
    """Reservoir sampling; `place(u, n)` says where the n-th item would go, by default uniformly from 0 to n - 1."""
    memory = []
    for n, (item, u) in enumerate(zip(items, draws, strict=True), 1):
        if len(memory) < capacity:
            memory.append(item)
        elif (index := int(u * n) if place is None else place(u, n)) < capacity:
            memory[index] = item
    return memory


def _first_out(items, capacity, draws) -> list:
    memory = []
    for n, (item, u) in enumerate(zip(items, draws, strict=True), 1):
        if len(memory) == capacity:
            if u * n >= capacity:
                continue
            memory.pop(0)
        memory.append(item)
    return memory


EXERCISES = {
    "forgetting": Exercise(
        reference=_forgetting,
        inputs=_accuracies,
        mistakes=[
            Mistake(
                lambda a: (a.diagonal()[:-1] - a[-1, :-1]).mean(),
                (
                    "This is the backward transfer with its sign turned: it starts from the accuracy just after the "
                    "task, `accuracy[j, j]`. Forgetting starts from the best that there ever was before the last task.",
                    "To transfer wsteczny z odwróconym znakiem: wychodzi od dokładności tuż po zadaniu, "
                    "`accuracy[j, j]`. Zapominanie wychodzi od najlepszej, jaka była przed ostatnim zadaniem.",
                ),
            ),
            Mistake(
                lambda a: (a[-1, :-1] - a.diagonal()[:-1]).mean(),
                (
                    "This is the backward transfer. Forgetting has the other sign, and starts from the best accuracy "
                    "that there ever was before the last task.",
                    "To transfer wsteczny. Zapominanie ma przeciwny znak i wychodzi od najlepszej dokładności, jaka "
                    "była przed ostatnim zadaniem.",
                ),
            ),
            Mistake(
                lambda a: -_forgetting(a),
                (
                    "The sign is wrong: what was lost counts as positive.",
                    "Zły znak: to, co stracono, liczy się dodatnio.",
                ),
            ),
            Mistake(
                lambda a: (a.max(0).values - a[-1]).mean(),
                (
                    "The last task cannot have been forgotten yet: leave out its column, and take the best of the "
                    "rows *before* the last.",
                    "Ostatniego zadania nie można było jeszcze zapomnieć: pomiń jego kolumnę, a najlepszego wyniku "
                    "szukaj w wierszach *przed* ostatnim.",
                ),
            ),
            Mistake(
                lambda a: (a.max(0).values - a[-1])[:-1].mean(),
                (
                    "The best accuracy must come from the rows *before* the last one; so forgetting may be negative, "
                    "where the last task has helped an earlier one.",
                    "Najlepsza dokładność ma pochodzić z wierszy *przed* ostatnim; dlatego zapominanie bywa ujemne, "
                    "gdy ostatnie zadanie pomogło wcześniejszemu.",
                ),
            ),
            Mistake(
                lambda a: (a[:-1].max(0).values - a[-1]).mean(),
                (
                    "The last task has not been learned in the rows before the last: leave out its column.",
                    "W wierszach przed ostatnim nie było jeszcze ostatniego zadania: pomiń jego kolumnę.",
                ),
            ),
            Mistake(
                lambda a: (a[:-1, :-1].max(0).values - a[-1, :-1]).sum(),
                ("You add up the tasks; take their mean.", "Sumujesz po zadaniach; weź średnią."),
            ),
            Mistake(
                lambda a: (a[:-1, :-1].max(0).values - a[-1, :-1]).sum() / 5,
                (
                    "You divide by all tasks; the sum has one term less, for the last task does not count.",
                    "Dzielisz przez liczbę wszystkich zadań; składników jest o jeden mniej, bo ostatnie się nie liczy.",
                ),
            ),
            Mistake(
                lambda a: _forgetting(a.T),
                (
                    "Rows and columns have changed places: a row is a time, a column is a task.",
                    "Wiersze i kolumny zamieniły się miejscami: wiersz to chwila, kolumna to zadanie.",
                ),
            ),
            Mistake(
                lambda a: (a[0, :-1] - a[-1, :-1]).mean(),
                (
                    "You compare with the first row; most tasks had not been learned by then.",
                    "Porównujesz z pierwszym wierszem; większości zadań sieć jeszcze wtedy nie znała.",
                ),
            ),
            Mistake(
                lambda a: a[-1].mean(),
                (
                    "This is the average accuracy at the end; forgetting is what was lost on the way there.",
                    "To średnia dokładność na końcu; zapominanie to strata po drodze.",
                ),
            ),
        ],
    ),
    "fisher": Exercise(
        reference=lambda w, x, y: _gradients(w, x, y).square().mean(0),
        inputs=_weights_inputs_labels,
        mistakes=[
            Mistake(
                lambda w, x, y: _gradients(w, x, y).mean(0).square(),
                (
                    "This is the square of the mean gradient, which vanishes at a minimum. Square the gradient of each "
                    "example first, then average.",
                    "To kwadrat średniego gradientu, który w minimum znika. Najpierw podnieś do kwadratu gradient "
                    "każdego przykładu, potem uśrednij.",
                ),
            ),
            Mistake(
                lambda w, x, y: _gradients(w, x, y).mean(0),
                ("This is the mean gradient; the squares are missing.", "To średni gradient; brakuje kwadratów."),
            ),
            Mistake(
                lambda w, x, y: _gradients(w, x, y).abs().mean(0),
                ("You average absolute values; take squares.", "Uśredniasz wartości bezwzględne; weź kwadraty."),
            ),
            Mistake(
                lambda w, x, y: _gradients(w, x, y).square().mean(1),
                (
                    "You average over the weights, dim 1; average over the examples, dim 0.",
                    "Uśredniasz po wagach, czyli po wymiarze 1; uśrednij po przykładach, po wymiarze 0.",
                ),
            ),
            Mistake(
                lambda w, x, y: _gradients(w, x, y).square().sum(0),
                (
                    "You add up the examples; average, so that the Fisher does not grow with their number.",
                    "Sumujesz po przykładach; weź średnią, żeby wynik nie rósł z ich liczbą.",
                ),
            ),
            Mistake(
                lambda w, x, y: _gradients(w, x, y).square().mean(),
                (
                    "You average over the weights, too; each weight has an importance of its own: average over dim 0.",
                    "Uśredniasz także po wagach; każda waga ma własną ważność: uśrednij po wymiarze 0.",
                ),
            ),
            Mistake(
                lambda w, x, y: ((p := (x @ w).sigmoid()) * (1 - p))[:, None].mul(x.square()).mean(0),
                (
                    "This is the Fisher with labels drawn from the model, $p(1 - p) x^2$ on average. Asked for is the one "
                    "with the true labels `y`.",
                    "To informacja Fishera z etykietami losowanymi z modelu, średnio $p(1 - p) x^2$. Chodzi o tę z "
                    "prawdziwymi etykietami `y`.",
                ),
            ),
            Mistake(
                lambda w, x, y: ((x @ w).sigmoid() - y).square()[:, None].mul(x).mean(0),
                (
                    "You square the error, but not the input that stands beside it: square the whole gradient.",
                    "Podnosisz do kwadratu błąd, ale nie wejście, które przy nim stoi: podnieś cały gradient.",
                ),
            ),
            Mistake(
                lambda w, x, y: (x @ w - y).square()[:, None].mul(x.square()).mean(0),
                ("The sigmoid is missing: $p = \\sigma(w \\cdot x)$.", "Brakuje sigmoidy: $p = \\sigma(w \\cdot x)$."),
            ),
            Mistake(
                lambda w, x, y: ((x @ w).sigmoid() - y).square().mean().expand(len(w)),
                (
                    "By the chain rule the gradient also contains the input: $(p - y)\\, x$.",
                    "Z pochodnej funkcji złożonej gradient zawiera też wejście: $(p - y)\\, x$.",
                ),
            ),
            Mistake(
                lambda w, x, y: _gradients(w, x, y).var(0),
                (
                    "This is the variance: it takes the mean gradient off, and divides by $N - 1$. Average the squares.",
                    "To wariancja: odejmuje średni gradient i dzieli przez $N - 1$. Uśrednij same kwadraty.",
                ),
            ),
        ],
    ),
    "reservoir": Exercise(
        reference=_kept,
        inputs=_stream,
        mistakes=[
            Mistake(
                lambda items, capacity, draws: items[:capacity],
                (
                    "You keep the first items and never replace one: later tasks would have no example in the memory.",
                    "Zachowujesz pierwsze elementy i nigdy żadnego nie wymieniasz: późniejsze zadania nie miałyby w "
                    "pamięci żadnego przykładu.",
                ),
            ),
            Mistake(
                lambda items, capacity, draws: items[-capacity:],
                (
                    "You keep the latest items: of the first task nothing is left, which is what the memory was for.",
                    "Zachowujesz ostatnie elementy: z pierwszego zadania nic nie zostaje, a pamięć miała temu zapobiec.",
                ),
            ),
            Mistake(
                lambda items, capacity, draws: _kept(items, capacity, draws, lambda u, n: int(u * capacity)),
                (
                    "Every item is let in: draw the place from 0 to $n - 1$, not from 0 to $K - 1$; only places below "
                    "$K$ exist.",
                    "Wpuszczasz każdy element: losuj miejsce od 0 do $n - 1$, a nie od 0 do $K - 1$; istnieją tylko "
                    "miejsca poniżej $K$.",
                ),
            ),
            Mistake(
                lambda items, capacity, draws: _kept(items, capacity, draws, lambda u, n: int(u * len(items))),
                (
                    "You draw from the length of the whole stream, which nobody knows in advance; take the number $n$ "
                    "of items so far.",
                    "Losujesz z długości całego strumienia, której nikt z góry nie zna; weź liczbę $n$ dotychczasowych "
                    "elementów.",
                ),
            ),
            Mistake(
                lambda items, capacity, draws: _kept(items, capacity, draws, lambda u, n: int(u * (n - 1))),
                (
                    "You count one item too few: when the place is drawn, $n$ includes the new item.",
                    "Liczysz o jeden element za mało: w chwili losowania miejsca $n$ obejmuje już nowy element.",
                ),
            ),
            Mistake(
                lambda items, capacity, draws: _kept(items, capacity, draws, lambda u, n: int(u * (n + 1))),
                (
                    "You count one item too many: $n$ is 1 for the first item.",
                    "Liczysz o jeden element za dużo: dla pierwszego elementu $n$ wynosi 1.",
                ),
            ),
            Mistake(
                lambda items, capacity, draws: _kept(
                    items, capacity, draws, lambda u, n: int(u * capacity) if u < capacity / n else capacity
                ),
                (
                    "You use one number twice: if $u$ is below $K/n$, then $u \\cdot K$ is small, too, and the first "
                    "places are replaced too often. `int(u * n)` does both at once.",
                    "Używasz jednej liczby dwa razy: gdy $u$ jest poniżej $K/n$, to $u \\cdot K$ też jest małe i pierwsze "
                    "miejsca są wymieniane za często. `int(u * n)` załatwia jedno i drugie naraz.",
                ),
            ),
            Mistake(
                _first_out,
                (
                    "The probability is right, but you throw out the oldest item; then old ones live too short. The new "
                    "item takes the place that was drawn.",
                    "Prawdopodobieństwo jest dobre, ale wyrzucasz najstarszy element; stare żyją wtedy za krótko. Nowy "
                    "element zajmuje wylosowane miejsce.",
                ),
            ),
        ],
    ),
}
