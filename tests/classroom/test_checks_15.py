"""The exercises of lesson 15: which answers count as right, and what is said of the others."""

import math

import pytest
import torch

from tlcourse.classroom import language
from tlcourse.classroom.checks.e15_multi_task_learning import EXERCISES


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


def by_cases(a, b):
    if torch.dot(a, b) >= 0:
        return a + b
    return a - b * torch.dot(a, b) / b.norm() ** 2 + (b - a * torch.dot(a, b) / a.norm() ** 2)


def by_orthonormal_basis(a, b):
    if torch.dot(a, b) >= 0:
        return a + b
    basis = [torch.nn.functional.normalize(x, dim=0) for x in (a, b)]
    return (a - basis[1] * (basis[1] @ a)) + (b - basis[0] * (basis[0] @ b))


def by_weights(a, b):
    cosine = min(0.0, float(a @ b / a.norm() / b.norm()))
    return (1 - cosine * b.norm() / a.norm()) * a + (1 - cosine * a.norm() / b.norm()) * b


def by_likelihood(losses, s):
    of_errors = torch.distributions.Normal(0, (s / 2).exp()).log_prob(losses.sqrt())
    return -(of_errors + 0.5 * math.log(2 * math.pi)).sum()


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("pcgrad", by_cases),
        ("pcgrad", by_orthonormal_basis),
        ("pcgrad", by_weights),
        ("uncertainty", lambda losses, s: 0.5 * (losses * torch.exp(-s)).sum() + 0.5 * s.sum()),
        ("uncertainty", by_likelihood),
    ],
)
def test_the_answer_may_be_computed_in_any_way(name, answer):
    verdicts = [EXERCISES[name].verdict(answer, seed) for seed in range(2)]
    assert all(verdict.status == "correct" for verdict in verdicts), verdicts


@pytest.mark.parametrize("name", EXERCISES)
def test_every_named_mistake_is_recognised_and_no_two_are_alike(name):
    mistakes = EXERCISES[name].mistakes
    for mistake in mistakes:
        assert EXERCISES[name].verdict(mistake.function, 7).reason in mistake.reason
    assert len({mistake.reason for mistake in mistakes}) == len(mistakes)


def away(a, b, length):
    return a - torch.clamp(a @ b, max=0) / length * b


def projected_in_turn(a, b):
    a = away(a, b, b @ b)
    return a + away(b, a, a @ a)


def second_first(a, b):
    b = away(b, a, a @ a)
    return away(a, b, b @ b) + b


@pytest.mark.parametrize(
    ("answer", "english", "polish"),
    [
        (lambda a, b: a - a @ b / (b @ b) * b + b - a @ b / (a @ a) * a, "You project always", "Rzutujesz zawsze"),
        (lambda a, b: a + b, "This is the plain sum", "To zwykła suma"),
        (lambda a, b: away(a, b, a @ a) + away(b, a, b @ b), "You divide by the wrong", "Dzielisz przez niewłaściwą"),
        (lambda a, b: away(a, b, b.norm()) + away(b, a, a.norm()), "The norm must be squared", "Norma ma być"),
        (lambda a, b: away(a, b, 1) + away(b, a, 1), "The division is missing", "Brakuje dzielenia"),
        (projected_in_turn, "You project the second gradient", "Drugi gradient rzutujesz"),
        (second_first, "You project the first gradient", "Pierwszy gradient rzutujesz"),
        (lambda a, b: by_cases(a, b) / 2, "This is the mean", "To średnia"),
        (lambda a, b: away(a, b, -b @ b) + away(b, a, -a @ a), "The sign is wrong", "Zły znak"),
    ],
)
def test_another_combination_is_told_what_is_wrong(lang, answer, english, polish):
    told("pcgrad", answer, lang, english, polish)


@pytest.mark.parametrize(
    ("answer", "english", "polish"),
    [
        (lambda L, s: (L * torch.exp(-s) / 2).sum(), "The term $s_i / 2$ is", "Brakuje składnika"),
        (lambda L, s: (L / (2 * s**2) + torch.log(s)).sum(), "You take $s$ for $\\sigma", "Bierzesz $s$ za $\\sigma"),
        (lambda L, s: (L / (2 * s) + s.log() / 2).sum(), "You take $s$ for the variance", "Bierzesz $s$ za wariancję"),
        (lambda L, s: (L / (2 * s.exp() ** 2) + s).sum(), "You take $s$ for $\\ln", "Bierzesz $s$ za $\\ln"),
        (lambda L, s: (L / (2 * s.exp()) + s).sum(), "The regulariser is", "Składnik regularyzujący"),
        (lambda L, s: (L / s.exp() + s / 2).sum(), "The factor ½ before", "Brakuje czynnika ½ przed"),
        (lambda L, s: (L / s.exp() + s).sum(), "The factor ½ is missing in", "W obu składnikach"),
        (lambda L, s: (L * s.exp() / 2 + s / 2).sum(), "The sign in the exponent", "Zły znak w wykładniku"),
        (lambda L, s: (L / s.exp() / 2 - s / 2).sum(), "The sign of $s_i", "Zły znak przy"),
        (lambda L, s: (L / s.exp() / 2 + s / 2).mean(), "You average over the tasks", "Uśredniasz po zadaniach"),
        (lambda L, s: L / s.exp() / 2 + s / 2, "You return a number per task", "Zwracasz jedną liczbę"),
        (lambda L, s: by_likelihood(L, s.data), "The number is right", "Liczba się zgadza"),
    ],
)
def test_another_weighted_loss_is_told_what_is_wrong(lang, answer, english, polish):
    told("uncertainty", answer, lang, english, polish)
