"""The exercises of lesson 14: which answers count as right, and what is said of the others."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.func import grad, vmap

from tlcourse.classroom import language
from tlcourse.classroom.checks.e14_continual_learning import EXERCISES


@pytest.fixture(params=["en", "pl"])
def lang(request):
    before = language.current_language()
    language.use_language(request.param)
    yield request.param
    language.use_language(before)


def told(name, answer, lang, english, polish):
    verdict = EXERCISES[name].verdict(answer, 0)
    assert verdict.status == "wrong"
    assert verdict.reason.startswith(english if lang == "en" else polish), verdict.reason


def forgetting_by_loops(accuracy):
    tasks, total = len(accuracy), 0.0
    for task in range(tasks - 1):
        best = max(float(accuracy[row, task]) for row in range(tasks - 1))
        total += best - float(accuracy[-1, task])
    return total / (tasks - 1)


def loss(w, x, y):
    return F.binary_cross_entropy_with_logits(x @ w, y)


def fisher_by_vmap(w, x, y):
    return vmap(grad(loss), (None, 0, 0))(w, x, y).square().mean(0)


def fisher_by_loops(w, x, y):
    squares = []
    for one, label in zip(x, y, strict=True):
        weights = w.clone().requires_grad_()
        loss(weights, one, label).backward()
        squares.append(weights.grad**2)
    return torch.stack(squares).mean(0)


def fisher_by_numpy(w, x, y):
    p = 1 / (1 + np.exp(-x.numpy() @ w.numpy()))
    return torch.from_numpy(((p - y.numpy()) ** 2) @ (x.numpy() ** 2) / len(x))


def reservoir_by_slices(items, capacity, draws):
    memory = items[:capacity]
    for n in range(capacity + 1, len(items) + 1):
        place = int(draws[n - 1] * n)
        if place < capacity:
            memory[place] = items[n - 1]
    return memory


def reservoir(items, capacity, draws, place):
    memory = list(items[:capacity])
    for n in range(capacity + 1, len(items) + 1):
        index = place(draws[n - 1], n)
        if index is not None and index < capacity:
            memory[index] = items[n - 1]
    return memory


def oldest_out(items, capacity, draws):
    memory = list(items[:capacity])
    for n in range(capacity + 1, len(items) + 1):
        if draws[n - 1] < capacity / n:
            memory = [*memory[1:], items[n - 1]]
    return memory


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("forgetting", forgetting_by_loops),
        ("forgetting", lambda a: torch.from_numpy(np.max(a.numpy()[:-1], 0) - a.numpy()[-1])[:-1].mean()),
        ("fisher", fisher_by_vmap),
        ("fisher", fisher_by_loops),
        ("fisher", fisher_by_numpy),
        ("reservoir", reservoir_by_slices),
        ("reservoir", lambda items, capacity, draws: tuple(reservoir_by_slices(items, capacity, draws))),
    ],
)
def test_the_answer_may_be_computed_in_any_way(name, answer):
    verdicts = [EXERCISES[name].verdict(answer, seed) for seed in range(2)]
    assert all(verdict.status == "correct" for verdict in verdicts), verdicts


def lost(a, best):
    return (best - a[-1])[:-1].mean()


@pytest.mark.parametrize(
    ("answer", "english", "polish"),
    [
        (lambda a: lost(a, a.diagonal()), "This is the backward transfer with", "To transfer wsteczny z odw"),
        (lambda a: -lost(a, a.diagonal()), "This is the backward transfer. F", "To transfer wsteczny. Z"),
        (lambda a: -lost(a, a[:-1].amax(0)), "The sign is wrong", "Zły znak"),
        (lambda a: (a.amax(0) - a[-1]).mean(), "The last task cannot", "Ostatniego zadania nie"),
        (lambda a: lost(a, a.amax(0)), "The best accuracy must", "Najlepsza dokładność ma"),
        (lambda a: (a[:-1].amax(0) - a[-1]).mean(), "The last task has not been", "W wierszach przed ostatnim"),
        (lambda a: 4 * lost(a, a[:-1].amax(0)), "You add up the tasks", "Sumujesz po zadaniach"),
        (lambda a: 0.8 * lost(a, a[:-1].amax(0)), "You divide by all tasks", "Dzielisz przez liczbę"),
        (lambda a: lost(a.T, a.T[:-1].amax(0)), "Rows and columns", "Wiersze i kolumny"),
        (lambda a: lost(a, a[0]), "You compare with the first row", "Porównujesz z pierwszym"),
        (lambda a: a[-1].mean(), "This is the average accuracy", "To średnia dokładność"),
    ],
)
def test_another_forgetting_is_told_what_is_wrong(lang, answer, english, polish):
    told("forgetting", answer, lang, english, polish)


def each(w, x, y):
    return vmap(grad(loss), (None, 0, 0))(w, x, y)


def drawn_from_the_model(w, x, y):
    p = torch.sigmoid(x @ w)
    return (p * (1 - p)) @ x**2 / len(x)


@pytest.mark.parametrize(
    ("answer", "english", "polish"),
    [
        (lambda w, x, y: grad(loss)(w, x, y) ** 2, "This is the square of the mean", "To kwadrat średniego"),
        (grad(loss), "This is the mean gradient", "To średni gradient"),
        (lambda w, x, y: each(w, x, y).abs().mean(0), "You average absolute", "Uśredniasz wartości bez"),
        (lambda w, x, y: (each(w, x, y) ** 2).mean(1), "You average over the weights, dim", "Uśredniasz po wagach"),
        (lambda w, x, y: (each(w, x, y) ** 2).sum(0), "You add up the examples", "Sumujesz po przykładach"),
        (lambda w, x, y: (each(w, x, y) ** 2).mean(), "You average over the weights, too", "Uśredniasz także po"),
        (drawn_from_the_model, "This is the Fisher with labels", "To informacja Fishera z etykietami"),
        (lambda w, x, y: (torch.sigmoid(x @ w) - y) ** 2 @ x / len(x), "You square the error", "Podnosisz do kwad"),
        (lambda w, x, y: (x @ w - y) ** 2 @ x**2 / len(x), "The sigmoid is missing", "Brakuje sigmoidy"),
        (lambda w, x, y: ((torch.sigmoid(x @ w) - y) ** 2).mean().repeat(3), "By the chain rule", "Z pochodnej"),
        (lambda w, x, y: each(w, x, y).std(0) ** 2, "This is the variance", "To wariancja"),
    ],
)
def test_another_fisher_is_told_what_is_wrong(lang, answer, english, polish):
    told("fisher", answer, lang, english, polish)


@pytest.mark.parametrize(
    ("answer", "english", "polish"),
    [
        (lambda items, k, u: items[:k], "You keep the first items", "Zachowujesz pierwsze"),
        (lambda items, k, u: items[-k:], "You keep the latest items", "Zachowujesz ostatnie"),
        (lambda s, k, u: reservoir(s, k, u, lambda u, n: int(u * k)), "Every item is let in", "Wpuszczasz każdy"),
        (lambda s, k, u: reservoir(s, k, u, lambda u, n: int(u * len(s))), "You draw from the length", "Losujesz z dł"),
        (lambda s, k, u: reservoir(s, k, u, lambda u, n: int(u * (n - 1))), "You count one item too few", "Liczysz o"),
        (lambda s, k, u: reservoir(s, k, u, lambda u, n: int(u * (n + 1))), "You count one item too man", "Liczysz o"),
        (
            lambda s, k, u: reservoir(s, k, u, lambda u, n: int(u * k) if u * n < k else None),
            "You use one number twice",
            "Używasz jednej liczby",
        ),
        (oldest_out, "The probability is right", "Prawdopodobieństwo jest dobre"),
    ],
)
def test_another_reservoir_is_told_what_is_wrong(lang, answer, english, polish):
    told("reservoir", answer, lang, english, polish)
