"""The exercises of lesson 11: which answers count as right, and what is said of the others."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy import stats

from tlcourse.classroom import language
from tlcourse.classroom.checks.e11_actor_mimic import EXERCISES


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


def by_hand(student_logits, expert_q, tau):
    loss = 0
    for logits, values in zip(student_logits, expert_q, strict=True):
        expert = torch.exp(values / tau) / torch.exp(values / tau).sum()
        for action, p in enumerate(expert):
            loss = loss - p * (logits[action] - torch.logsumexp(logits, 0))
    return loss / len(student_logits)


def by_covariance(student, expert):
    x, y = student - student.mean(0), expert - expert.mean(0)
    predicted = x @ torch.linalg.solve(x.T @ x, x.T @ y)
    return predicted.square().sum() / y.square().sum()


def by_numpy(new, old, updates):
    new, old, updates = (np.asarray(values) for values in (new, old, updates))
    gaps = ((new - old)[:, 1:] + (new - old)[:, :-1]) @ np.diff(updates) / 2 / np.ptp(updates)
    low, high = stats.t.interval(0.95, len(gaps) - 1, gaps.mean(), stats.sem(gaps))
    return gaps.mean(), (high - low) / 2


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("policy_loss", lambda logits, q, tau: F.cross_entropy(logits, (q / tau).softmax(1))),
        ("policy_loss", by_hand),
        ("policy_loss", lambda logits, q, tau: (logits.logsumexp(1) - ((q / tau).softmax(1) * logits).sum(1)).mean()),
        ("readable", by_covariance),
        ("readable", lambda student, expert: float(by_covariance(student, expert))),
        ("head_start", by_numpy),
        ("head_start", lambda *curves: tuple(torch.tensor(value) for value in by_numpy(*curves))),
    ],
)
def test_the_answer_may_be_computed_in_any_way(name, answer):
    assert all(EXERCISES[name].verdict(answer, seed).status == "correct" for seed in range(2))


@pytest.mark.parametrize(
    ("answer", "english", "polish"),
    [
        (lambda z, q, tau: F.cross_entropy(z / tau, (q / tau).softmax(1)), "You divide the st", "Dzielisz przez `tau`"),
        (lambda z, q, tau: F.cross_entropy(z, (q * tau).softmax(1)), "You multiply by `tau`", "Mnożysz przez `tau`"),
        (lambda z, q, tau: F.cross_entropy(z, q.softmax(1)), "`tau` is not used", "Nie używasz `tau`"),
        (
            lambda z, q, tau: F.kl_div(z.log_softmax(1), (q / tau).softmax(1), reduction="batchmean"),
            "This is the Kullback",
            "To dywergencja Kullbacka",
        ),
        (lambda z, q, tau: F.cross_entropy(q / tau, z.softmax(1)), "Expert and student have", "Ekspert i uczeń zamie"),
        (lambda z, q, tau: -F.cross_entropy(z, (q / tau).softmax(1)), "The minus sign is", "Brakuje minusa"),
        (lambda z, q, tau: -((q / tau).softmax(1) * z.log_softmax(1)).mean(), "You average over the", "Uśredniasz ta"),
        (lambda z, q, tau: -((q / tau).softmax(1) * z.log_softmax(1)).sum(), "You add up the states", "Sumujesz po s"),
        (lambda z, q, tau: F.cross_entropy(z, (q / tau).softmax(0)), "The expert's softmax runs", "Softmax eksperta"),
        (lambda z, q, tau: F.cross_entropy(z, q.argmax(1)), "This imitates only", "To naśladuje tylko"),
        (lambda z, q, tau: F.cross_entropy(z.detach(), (q / tau).softmax(1)), "The number is right", "Liczba się"),
    ],
)
def test_another_loss_is_told_what_is_wrong(lang, answer, english, polish):
    told("policy_loss", answer, lang, english, polish)


def left(student, expert):
    return expert - student @ torch.linalg.lstsq(student, expert).solution


def share(residual, total):
    return 1 - residual.square().sum() / total.square().sum()


def ones(student):
    return torch.cat([torch.ones(len(student), 1, dtype=student.dtype), student], 1)


@pytest.mark.parametrize(
    ("answer", "english", "polish"),
    [
        (lambda s, e: 1 - left(s, e).var(0).sum() / e.var(0).sum(), "Input: ", "Wejście: "),
        (lambda s, e: share(left(s, e), e - e.mean(0)), "The map has no bias", "Odwzorowanie nie ma"),
        (lambda s, e: share(left(ones(s), e), e), "You divide by the sum", "Dzielisz przez sumę"),
        (lambda s, e: share(left(s, e), e), "Neither has the map", "Odwzorowanie nie ma wyrazu wolnego i nie"),
        (lambda s, e: by_covariance(e, s), "You predict the student's", "Przewidujesz cechy ucznia"),
        (lambda s, e: 1 - by_covariance(s, e), "This is the share that", "To część niewyjaśniona"),
        (lambda s, e: (1 - left(ones(s), e).var(0) / e.var(0)).mean(), "You average the shares", "Uśredniasz udzi"),
    ],
)
def test_another_share_is_told_what_is_wrong(lang, answer, english, polish):
    told("readable", answer, lang, english, polish)


def areas(curves, updates):
    return torch.trapezoid(curves, updates) / (updates[-1] - updates[0])


STUDENT = stats.t.ppf(0.975, 5)


def interval(gaps, factor=STUDENT, ddof=1):
    return gaps.mean(), factor * gaps.std(correction=ddof) / 6**0.5


@pytest.mark.parametrize(
    ("answer", "english", "polish"),
    [
        (lambda a, b, x: interval(a.mean(1) - b.mean(1)), "The plain mean", "Zwykła średnia"),
        (lambda a, b, x: interval(torch.trapezoid(a - b, x)), "This is the area itself", "To samo pole"),
        (lambda a, b, x: interval(areas(b - a, x)), "The sign is wrong", "Zły znak"),
        (lambda a, b, x: interval(areas(a - b, x), 1.959964), "1.96 is for many", "1,96 jest dla wielu"),
        (lambda a, b, x: interval(areas(a - b, x), 1), "This is the standard error", "To błąd standardowy"),
        (lambda a, b, x: interval(areas(a - b, x), ddof=0), "The standard deviation div", "W odchyleniu standardowym"),
        (lambda a, b, x: interval(areas(a - b, x), STUDENT * 6**0.5), "This is the spread", "To rozrzut"),
        (
            lambda a, b, x: (areas(a - b, x).mean(), STUDENT * ((areas(a, x).var() + areas(b, x).var()) / 6) ** 0.5),
            "You take the two methods",
            "Traktujesz obie metody",
        ),
        (lambda a, b, x: areas(a - b, x).mean(), "Input: ", "Wejście: "),
    ],
)
def test_another_interval_is_told_what_is_wrong(lang, answer, english, polish):
    told("head_start", answer, lang, english, polish)
