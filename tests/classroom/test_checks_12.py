"""The exercises of lesson 12: which answers count as right, and what is said of the others."""

import pytest
import torch
from torch.distributions import Independent, Normal, kl_divergence

from tlcourse.classroom import language
from tlcourse.classroom.checks.e12_darla import EXERCISES


@pytest.fixture(params=["en", "pl"])
def lang(request):
    before = language.current_language()
    language.use_language(request.param)
    yield request.param
    language.use_language(before)


def by_torch(mean, log_variance):
    prior = Independent(Normal(torch.zeros_like(mean), 1), 1)
    return kl_divergence(Independent(Normal(mean, (0.5 * log_variance).exp()), 1), prior)


def gap_by_hand(shares):
    gaps = []
    for factor in shares.T.tolist():
        *_, second, first = sorted(factor)
        gaps.append(first - second)
    return sum(gaps) / len(gaps)


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("kl", by_torch),
        ("gap", gap_by_hand),
        ("gap", lambda shares: torch.tensor(gap_by_hand(shares))),
    ],
)
def test_right_answers_are_right(name, answer):
    assert all(EXERCISES[name].verdict(answer, seed).status == "correct" for seed in range(3))


@pytest.mark.parametrize("name", EXERCISES)
def test_each_wrong_answer_gets_its_own_reason(name, lang):
    exercise = EXERCISES[name]
    for mistake in exercise.mistakes:
        verdict = exercise.verdict(mistake.function, 0)
        assert verdict.status == "wrong"
        assert verdict.reason.startswith(language.text(mistake.reason)), verdict.reason


def test_a_stub_is_unanswered():
    assert all(exercise.verdict(lambda *given: ...).status == "unanswered" for exercise in EXERCISES.values())
