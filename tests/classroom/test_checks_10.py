"""The exercises of lesson 10: which answers count as right, and what is said of the others."""

import math

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
    rest = torch.eye(4, dtype=student.dtype) - 0.25
    return ((student - teacher) @ rest).square().sum() / len(student)


def by_variance(student, teacher):
    return 4 * (student - teacher).var(1, unbiased=False).mean()


def by_difference(student, teacher):
    error = student - teacher
    return (error**2).sum(1).mean() - 4 * error.mean(1).square().mean()


def by_hand_centred(student, teacher):
    student, teacher = (q - q.mean(1, keepdim=True) for q in (student, teacher))
    return F.mse_loss(student, teacher, reduction="sum") / len(student)


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("kl_loss", kl),
        ("kl_loss", kl_loss),
        ("kl_loss", by_hand),
        ("temperature", lambda gap, p: gap / math.log(p / (1 - p))),
        ("temperature", lambda gap, p: gap / torch.logit(torch.tensor(p))),
        ("without_level", by_projection),
        ("without_level", by_variance),
        ("without_level", by_difference),
        ("without_level", by_hand_centred),
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


def summed(error):
    return (error**2).sum(1).mean()


@pytest.mark.parametrize(
    ("answer", "english", "polish"),
    [
        (lambda s, t: summed(s - t), "This is the whole squared", "To cały błąd"),
        (lambda s, t: summed(s - t) - by_variance(s, t), "This is the level", "To poziom"),
        (lambda s, t: ((s.mean(1) - t.mean(1)) ** 2).mean(), "This is the level", "To poziom"),
        (lambda s, t: summed((s - s.mean(1)) - (t - t.mean(1))), "The means have shape", "Średnie mają kształt"),
        (lambda s, t: summed(s - s.mean(0) - t + t.mean(0)), "You average over the states", "Uśredniasz po stanach"),
        (lambda s, t: summed(s - s.mean() - t + t.mean()), "You subtract one level", "Odejmujesz jeden poziom"),
        (
            lambda s, t: summed(s - t + t.mean(1, keepdim=True)),
            "You centre only the teacher's",
            "Odejmujesz średnią tylko od wartości n",
        ),
        (
            lambda s, t: summed(s - t - s.mean(1, keepdim=True)),
            "You centre only the student's",
            "Odejmujesz średnią tylko od wartości u",
        ),
        (lambda s, t: by_variance(s, t) / 4, "You average over the actions", "Uśredniasz także po akcjach"),
        (lambda s, t: by_variance(s, t) * len(s), "You add up the states", "Sumujesz po stanach"),
        (lambda s, t: (s - t).std(1, unbiased=False).mean() * 2, "Leave the root out", "Bez pierwiastka"),
        (lambda s, t: by_variance(s.detach(), t), "The number is right", "Liczba się zgadza"),
    ],
)
def test_another_error_is_told_what_is_wrong(lang, answer, english, polish):
    told("without_level", answer, lang, english, polish)


def test_the_loss_without_the_level_does_not_pull_the_level():
    student, teacher = EXERCISES["without_level"].inputs(torch.Generator().manual_seed(0))
    student.requires_grad_()
    EXERCISES["without_level"].reference(student, teacher).backward()
    assert student.grad.sum(1).abs().max() < 1e-12
    error = (student - teacher).detach()
    assert torch.allclose(student.grad, 2 / len(error) * (error - error.mean(1, keepdim=True)))
