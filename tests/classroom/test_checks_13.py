"""The exercises of lesson 13: which answers count as right, and what is said of the others."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tlcourse.classroom import language
from tlcourse.classroom.checks.e13_growing_networks import EXERCISES


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


def counts(mapping):
    return torch.bincount(mapping)[mapping]


def divided_first(W1, b1, W2, mapping):
    return W1[mapping], b1[mapping], (W2 / torch.bincount(mapping))[:, mapping]


def by_product(W1, b1, W2, mapping):
    picks = F.one_hot(mapping).to(W1.dtype)  # (new, old)
    return picks @ W1, picks @ b1, W2 @ torch.linalg.pinv(picks)


def unit_by_unit(W1, b1, W2, mapping):
    columns = [W2[:, j] / mapping.tolist().count(j) for j in mapping.tolist()]
    return torch.stack([W1[j] for j in mapping]), torch.stack([b1[j] for j in mapping]), torch.stack(columns, 1)


def by_correlation(first, second):
    return F.conv1d(first[None, None], second.flip(0)[None, None], padding=len(second) - 1)[0, 0]


def term_by_term(first, second):
    kernel = torch.zeros(len(first) + len(second) - 1, dtype=first.dtype)
    for s, a in enumerate(first):
        for t, b in enumerate(second):
            kernel[s + t] += a * b
    return kernel


def by_polynomials(first, second):
    return torch.from_numpy(np.polymul(first.numpy(), second.numpy()))


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("widen_pair", divided_first),
        ("widen_pair", by_product),
        ("widen_pair", unit_by_unit),
        ("compose_1d", by_correlation),
        ("compose_1d", term_by_term),
        ("compose_1d", by_polynomials),
        ("compose_1d", lambda first, second: by_correlation(second, first)),
    ],
)
def test_the_answer_may_be_computed_in_any_way(name, answer):
    verdicts = [EXERCISES[name].verdict(answer, seed) for seed in range(3)]
    assert all(verdict.status == "correct" for verdict in verdicts), verdicts


@pytest.mark.parametrize("name", EXERCISES)
def test_no_common_mistake_is_right_and_none_hides_another(name):
    for mistake in EXERCISES[name].mistakes:
        told(name, mistake.function, "en", *mistake.reason)


@pytest.mark.parametrize(
    ("answer", "english", "polish"),
    [
        (lambda W1, b1, W2, g: (W1[g], b1[g], W2[:, g]), "The columns of `W2` are copied", "Kolumny `W2` są"),
        (lambda W1, b1, W2, g: (W1[g], b1[g], W2[:, g] * 3 / 7), "You divide by new / old", "Dzielisz przez stosunek"),
        (
            lambda W1, b1, W2, g: (W1[g], b1[g], W2[:, g] / torch.stack([(g == j).sum() for j in range(7)])),
            "The number of copies is taken",
            "Liczbę kopii bierzesz",
        ),
        (
            lambda W1, b1, W2, g: (W1[g], b1[g], torch.cat([W2, W2[:, g[3:]] / counts(g)[3:]], 1)),
            "You divide only the new",
            "Dzielisz tylko nowe",
        ),
        (
            lambda W1, b1, W2, g: (W1[g], (b1 / torch.bincount(g))[g], W2[:, g] / counts(g)),
            "You divide `b1`",
            "Dzielisz także `b1`",
        ),
        (
            lambda W1, b1, W2, g: (W1[g] / counts(g).view(-1, 1), b1[g], W2[:, g] / counts(g)),
            "You divide the incoming",
            "Dzielisz także wagi",
        ),
        (
            lambda W1, b1, W2, g: (W1[g] / counts(g).view(-1, 1), b1[g] / counts(g), W2[:, g]),
            "You divide the incoming",
            "Dzielisz także wagi",
        ),
        (lambda W1, b1, W2, g: (W1[g], b1[g], W2[g]), "You copy the rows", "Kopiujesz wiersze"),
        (lambda W1, b1, W2, g: (W1[g], b1[g], W2[g] / counts(g)), "You copy the rows", "Kopiujesz wiersze"),
    ],
)
def test_another_widening_is_told_what_is_wrong(lang, answer, english, polish):
    told("widen_pair", answer, lang, english, polish)


def unturned(first, second):
    return F.conv1d(first[None, None], second[None, None], padding=len(second) - 1)[0, 0]


def convolved(first, second, mode):
    return torch.from_numpy(np.convolve(first.numpy(), second.numpy(), mode))


@pytest.mark.parametrize(
    ("answer", "english", "polish"),
    [
        (unturned, "`second` is turned", "`second` jest odwrócone"),
        (lambda first, second: unturned(second, first), "`first` is turned", "`first` jest odwrócone"),
        (lambda first, second: by_correlation(first, second).flip(0), "The composed kernel is", "Złożony filtr"),
        (lambda first, second: convolved(first, second, "same"), "The ends are cut", "Brakuje końców"),
        (lambda first, second: convolved(first, second, "valid"), "The ends are cut", "Brakuje końców"),
        (lambda first, second: second * first, "Element by element", "Element po elemencie"),
        (lambda first, second: first + second, "Element by element", "Element po elemencie"),
        (lambda first, second: first + F.pad(second, (1, 1)), "The sum is what", "Suma odpowiada"),
        (lambda first, second: first[:, None] * second, "These are all the products", "To wszystkie iloczyny"),
    ],
)
def test_another_composition_is_told_what_is_wrong(lang, answer, english, polish):
    told("compose_1d", answer, lang, english, polish)


def test_the_right_answers_keep_the_function():
    generator = torch.Generator().manual_seed(0)
    W1, b1, W2, mapping = EXERCISES["widen_pair"].inputs(generator)
    wide1, wide_bias, wide2 = EXERCISES["widen_pair"].reference(W1, b1, W2, mapping)
    x = torch.randn(8, 5, generator=generator, dtype=torch.float64)
    narrow = torch.tanh(x @ W1.T + b1) @ W2.T
    assert torch.allclose(torch.tanh(x @ wide1.T + wide_bias) @ wide2.T, narrow, atol=1e-12)

    first, second = EXERCISES["compose_1d"].inputs(generator)
    signal = torch.randn(1, 1, 20, generator=generator, dtype=torch.float64)
    twice = F.conv1d(F.conv1d(signal, first[None, None]), second[None, None])
    composed = EXERCISES["compose_1d"].reference(first, second)
    assert torch.allclose(F.conv1d(signal, composed[None, None]), twice, atol=1e-12)
