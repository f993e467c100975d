"""The exercises of lesson 10: which answers count as right, and what is said of the others."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tlcourse.classroom import language
from tlcourse.classroom.checks.e10_policy_distillation import EXERCISES
from tlcourse.policy_distillation import kl_loss


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


def kl(z, q, tau, dim=1, reduction="batchmean"):
    return F.kl_div(z.log_softmax(1), (q / tau).softmax(dim), reduction=reduction)


def by_hand(student_logits, teacher_q, tau):
    loss = 0
    for logits, values in zip(student_logits, teacher_q, strict=True):
        teacher = torch.exp(values / tau) / torch.exp(values / tau).sum()
        for action, p in enumerate(teacher):
            loss = loss + p * (p.log() - logits[action] + torch.logsumexp(logits, 0))
    return loss / len(student_logits)


def by_projection(student, teacher):
    ones = torch.full((4, 4), 0.25, dtype=student.dtype)
    return ((student - teacher) @ ones).square().sum() / (student - teacher).square().sum()


def by_numpy(student, teacher):
    error = (student - teacher).numpy()
    return 1 - np.sum((error - error.mean(1, keepdims=True)) ** 2) / np.sum(error**2)


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("kl_loss", kl),
        ("kl_loss", kl_loss),
        ("kl_loss", by_hand),
        ("temperature", lambda gap, p: gap / math.log(p / (1 - p))),
        ("temperature", lambda gap, p: gap / torch.logit(torch.tensor(p))),
        ("level_share", by_projection),
        ("level_share", by_numpy),
        ("level_share", lambda student, teacher: float(by_projection(student, teacher))),
    ],
)
def test_the_answer_may_be_computed_in_any_way(name, answer):
    verdicts = [EXERCISES[name].verdict(answer, seed) for seed in range(2)]
    assert all(verdict.status == "correct" for verdict in verdicts), verdicts


@pytest.mark.parametrize(
    ("answer", "english", "polish"),
    [
        (lambda z, q, tau: kl(z / tau, q, tau), "You divide the student's", "Dzielisz przez `tau`"),
        (lambda z, q, tau: kl(z, q * tau, 1), "You multiply by `tau`", "Mnożysz przez `tau`"),
        (lambda z, q, tau: kl(z, q, 1), "`tau` is not used", "Nie używasz `tau`"),
        (lambda z, q, tau: F.kl_div(z.log_softmax(1), (q / tau).softmax(1)), "You average over the", "Uśredniasz ta"),
        (lambda z, q, tau: kl(z, q, tau, reduction="sum"), "You add up the states", "Sumujesz po stanach"),
        (lambda z, q, tau: kl(q / tau, z, 1), "Teacher and student have", "Nauczyciel i uczeń zamienili"),
        (lambda z, q, tau: kl(z, q, tau, dim=0), "The teacher's softmax runs", "Softmax nauczyciela biegnie"),
        (lambda z, q, tau: F.cross_entropy(z, (q / tau).softmax(1)), "This is the cross-ent", "To entropia krz"),
        (lambda z, q, tau: -kl(z, q, tau), "The sign is wrong", "Zły znak"),
        (lambda z, q, tau: F.cross_entropy(z, q.argmax(1)), "This imitates only", "To naśladuje tylko"),
        (lambda z, q, tau: kl(z.detach(), q, tau), "The number is right", "Liczba się zgadza"),
    ],
)
@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides")
def test_another_loss_is_told_what_is_wrong(lang, answer, english, polish):
    told("kl_loss", answer, lang, english, polish)


@pytest.mark.parametrize(
    ("answer", "english", "polish"),
    [
        (lambda gap, p: math.log(p / (1 - p)) / gap, "This is $1/\\tau$", "To jest $1/\\tau$"),
        (lambda gap, p: gap * math.log(p / (1 - p)), "You multiply by the log", "Mnożysz przez log"),
        (lambda gap, p: gap / math.log(1 / p - 1), "The temperature comes out neg", "Temperatura wychodzi ujemna"),
        (lambda gap, p: gap / -math.log(p), "You take $p$ for", "Bierzesz $p$ za"),
        (lambda gap, p: gap / -math.log(1 - p), "You take $1 - p$ for", "Bierzesz $1 - p$ za"),
        (lambda gap, p: gap * (1 - p) / p, "The logarithm of the odds", "Brakuje logarytmu"),
        (lambda gap, p: gap / math.log2(p / (1 - p)), "The softmax has the base", "Softmax ma podstawę"),
        (lambda gap, p: gap / math.log10(p / (1 - p)), "The softmax has the base", "Softmax ma podstawę"),
    ],
)
def test_another_temperature_is_told_what_is_wrong(lang, answer, english, polish):
    told("temperature", answer, lang, english, polish)


def share(shift, error):
    return shift.expand_as(error).square().sum() / error.square().sum()


@pytest.mark.parametrize(
    ("answer", "english", "polish"),
    [
        (lambda s, t: 1 - by_projection(s, t), "This is the other part", "To ta druga część"),
        (lambda s, t: (s - t).mean(1).square().sum() / (s - t).square().sum(), "The shift occurs in", "Przesunięcie w"),
        (lambda s, t: share((s - t).mean(), s - t), "You take one shift for all", "Bierzesz jedno przesunięcie"),
        (lambda s, t: share((s - t).mean(0), s - t), "You average over the states", "Uśredniasz po stanach"),
        (lambda s, t: (4 * (s - t).mean(1) ** 2 / ((s - t) ** 2).sum(1)).mean(), "You average the", "Uśredniasz ud"),
        (lambda s, t: (s - t).mean(1).square().sum() / (s - t).norm(), "The whole error must", "Cały błąd też"),
        (lambda s, t: share(s.mean(1, keepdim=True), s), "Take the mean of the *diff", "Weź średnią *różnicy*"),
    ],
)
def test_another_share_is_told_what_is_wrong(lang, answer, english, polish):
    told("level_share", answer, lang, english, polish)
