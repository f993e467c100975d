"""Exercises with a comparison of their own: which answers count as right, and what is said of the others."""

import pytest
import torch
from torch import nn

from tlcourse.classroom import language
from tlcourse.classroom.checks.e08_prototypical_networks import EXERCISES as FEW_SHOT
from tlcourse.few_shot import PrototypicalNetwork, prototype_classifier


@pytest.fixture(params=["en", "pl"])
def lang(request):
    before = language.current_language()
    language.use_language(request.param)
    yield request.param
    language.use_language(before)


def layer(prototypes):
    return 2 * prototypes, -prototypes.square().sum(1)


def shifted(prototypes):
    """-||z - c||² + ||z||² + 3 z_1 - 7: the softmax is the same."""
    weight, bias = layer(prototypes)
    return weight + torch.tensor([3.0, 0.0]), bias - 7


def from_the_package(prototypes):
    linear = prototype_classifier(prototypes)
    return linear.weight, linear.bias


@pytest.mark.parametrize(
    "answer",
    [
        layer,
        shifted,
        from_the_package,
        lambda prototypes: list(layer(prototypes.double())),
        lambda prototypes: tuple(part.numpy() for part in layer(prototypes)),
    ],
)
def test_every_linear_classifier_with_the_softmax_of_the_prototypes_is_right(answer):
    assert all(FEW_SHOT["linear_classifier"].verdict(answer, seed).status == "correct" for seed in range(3))


@pytest.mark.parametrize(
    ("answer", "english", "polish"),
    [
        (lambda c: (2 * c.T, layer(c)[1]), "The weight has shape (2, 3); (3, 2) is", "Wagi (`weight`) mają kształt"),
        (lambda c: (2 * c, layer(c)[1][:, None]), "The bias has shape (3, 1); (3,) is", "Wyrazy wolne (`bias`) mają"),
        (lambda c: (2 * c, ...), "The bias is still `...`; a tensor of shape (3,)", "Wyrazy wolne (`bias`) to nadal `"),
        (lambda c: (None, layer(c)[1]), "The weight is `NoneType`; a tensor of shape (3", "Wagi (`weight`) to `None"),
        (lambda c: (2 * c, 0.0), "The bias has shape (); (3,) is", "Wyrazy wolne (`bias`) mają kształt ();"),
        (lambda c: (3 * c, layer(c)[1]), "At z = (", "W punkcie z = ("),
        (lambda c: (2 * c, layer(c)[1] * float("nan")), "At z = (", "W punkcie z = ("),
        (lambda c: 2 * c, "Your function returns a tensor of shape (3, 2)", "Twoja funkcja zwraca: tensor o"),
        (prototype_classifier, "Your function returns `Linear`", "Twoja funkcja zwraca: `Linear`"),
    ],
)
def test_another_linear_classifier_is_told_what_is_wrong(lang, answer, english, polish):
    verdict = FEW_SHOT["linear_classifier"].verdict(answer, 0)
    assert verdict.status == "wrong" and verdict.reason.startswith(english if lang == "en" else polish), verdict.reason


@pytest.mark.parametrize(
    ("pooled", "english", "polish"),
    [
        (lambda support: support.sum(1), "You add the K examples", "Sumujesz K przykładów"),
        (lambda support: support.median(1).values, "You take the median", "Bierzesz medianę"),
        (lambda support: support.mean(0), "You average over the classes", "Uśredniasz po klasach"),
        (lambda support: support[:, 0], "You use only the first example", "Bierzesz tylko pierwszy przykład"),
    ],
)
def test_what_is_no_mean_of_a_class_is_told(lang, pooled, english, polish):
    def answer(support, query):
        return (-torch.cdist(query, pooled(support)).square()).log_softmax(1)

    for seed in range(5):
        verdict = FEW_SHOT["episode_log_probabilities"].verdict(answer, seed)
        assert verdict.status == "wrong" and verdict.reason.startswith(english if lang == "en" else polish), verdict


@pytest.mark.parametrize(
    "answer",
    [
        lambda support, query: PrototypicalNetwork(nn.Identity())(support.flatten(0, 1), query, 4, 3),
        lambda support, query: (-torch.cdist(query, support.mean(1)).square()).softmax(1).log(),
    ],
)
def test_the_log_probabilities_may_be_computed_in_any_way(answer):
    assert all(FEW_SHOT["episode_log_probabilities"].verdict(answer, seed).status == "correct" for seed in range(20))
