"""Few-shot learning: prototypes and distances against their definitions, fair episodes, and scores that are known."""

import math
import re

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from tlcourse.backbones import Backbone
from tlcourse.feature_extraction import FeatureExtractor
from tlcourse.few_shot import (
    EpisodeSampler,
    EpisodeScores,
    PrototypicalNetwork,
    class_prototypes,
    cosine_distance,
    evaluate_episodes,
    prototype_classifier,
    squared_euclidean_distance,
)

IDENTITY = PrototypicalNetwork(nn.Identity())
DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")),
]


def normal(*size, seed=0, dtype=torch.float64):
    return torch.randn(*size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def encoder():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 6)).double()


def brute_force(x, y):
    return (x.double()[:, None] - y.double()).square().sum(2)


# Prototypes


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.int16])
def test_a_prototype_is_the_mean_of_its_class(dtype):
    features, labels = normal(9, 5), torch.tensor([7, -3, 7, 300, -3, 7, 300, 7, 0], dtype=dtype)
    prototypes, classes = class_prototypes(features, labels)
    assert classes.tolist() == [-3, 0, 7, 300]
    for prototype, label in zip(prototypes, classes, strict=True):
        torch.testing.assert_close(prototype, features[labels == label].mean(0), rtol=0, atol=1e-14)


def test_the_order_of_the_examples_does_not_matter():
    features, labels = normal(20, 3), torch.arange(20) % 4
    order = torch.randperm(20, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(class_prototypes(features[order], labels[order]), class_prototypes(features, labels))


def test_every_example_has_its_share_in_the_gradient():
    features, labels = normal(5, 2).requires_grad_(), torch.tensor([4, 2, 4, 4, 2])
    prototypes, _ = class_prototypes(features, labels)
    (gradient,) = torch.autograd.grad(prototypes[1].sum(), features)
    torch.testing.assert_close(gradient[:, 0], torch.tensor([1, 0, 1, 1, 0], dtype=torch.float64) / 3)


def test_the_mean_is_the_best_prototype_for_the_squared_distance():
    """sum_i ||z_i - p||² = sum_i ||z_i - c||² + n ||c - p||²: nothing is better than p = c, the mean."""
    z, others = normal(7, 3), 2 * normal(200, 3, seed=1)
    mean, _ = class_prototypes(z, torch.zeros(7, dtype=torch.int64))
    least = squared_euclidean_distance(z, mean).sum()
    total = squared_euclidean_distance(z, others).sum(0)
    torch.testing.assert_close(total, least + 7 * squared_euclidean_distance(others, mean)[:, 0])
    assert (total > least).all()


@pytest.mark.parametrize(
    ("features", "labels", "words"),
    [
        (torch.rand(3, 2), torch.arange(4), r"shape \(3, 2\) and labels \(4,\); \(n, D\) and \(n,\) are needed$"),
        (torch.rand(3), torch.arange(3), r"shape \(3,\)"),
        (torch.rand(3, 2, 1, 1), torch.arange(3), r"shape \(3, 2, 1, 1\) .* end the encoder by nn.Flatten\(\)"),
        (torch.rand(0, 2), torch.arange(0), r"shape \(0, 2\)"),
        (torch.rand(3, 2), torch.rand(3), "labels are torch.float32; integers are needed"),
        (torch.ones(3, 2, dtype=torch.uint8), torch.arange(3), r"features are torch.uint8; floats .* features.float\("),
    ],
)
def test_features_and_labels_that_do_not_fit_are_refused(features, labels, words):
    with pytest.raises(ValueError, match=words):
        class_prototypes(features, labels)


# Distances


def test_the_distance_is_that_of_the_differences():
    x, y = normal(30, 16), normal(12, 16, seed=1)
    torch.testing.assert_close(squared_euclidean_distance(x, y), brute_force(x, y), rtol=1e-12, atol=1e-12)


def test_features_far_from_zero_lose_nothing_in_single_precision():
    x, y = (1000 + normal(n, 64, seed=n, dtype=torch.float32) for n in (30, 12))
    torch.testing.assert_close(squared_euclidean_distance(x, y).double(), brute_force(x, y), rtol=1e-5, atol=1e-5)
    unshifted = x.square().sum(1)[:, None] - 2 * x @ y.T + y.square().sum(1)
    assert (unshifted - brute_force(x, y)).abs().max() > 1, "without the shift the same formula is off"


def test_a_point_is_at_distance_0_from_itself_and_nothing_is_nearer():
    x = 100 * normal(20, 8, dtype=torch.float32)
    distances = squared_euclidean_distance(x, x)
    assert distances.min() >= 0 and distances.diagonal().max() < 1e-4 * distances.mean()


def test_the_gradients_are_those_of_the_differences():
    x, y = normal(6, 4).requires_grad_(), normal(3, 4, seed=1).requires_grad_()
    weights = normal(6, 3, seed=2)
    ours = torch.autograd.grad((squared_euclidean_distance(x, y) * weights).sum(), (x, y))
    theirs = torch.autograd.grad((brute_force(x, y) * weights).sum(), (x, y))
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_at_distance_0_the_gradient_is_0(dtype):
    x = normal(4, 3, dtype=dtype)
    x, y = x.clone().requires_grad_(), x.clone().requires_grad_()
    squared_euclidean_distance(x, y).diagonal().sum().backward()
    for gradient in (x.grad, y.grad):
        torch.testing.assert_close(gradient, torch.zeros_like(x), rtol=0, atol=1e-5)


def test_no_step_of_the_distance_holds_all_the_differences():
    sizes = []

    class Sizes(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            result = function(*args, **(kwargs or {}))
            sizes.extend(part.numel() for part in (result if isinstance(result, tuple | list) else [result]))
            return result

    x, y = normal(300, 64).requires_grad_(), normal(20, 64, seed=1).requires_grad_()
    with Sizes():
        squared_euclidean_distance(x, y).sum().backward()
    assert max(sizes) == 300 * 64, "forward or backward"


def test_the_cosine_distance_looks_at_directions_only():
    x, y = normal(5, 4), normal(3, 4, seed=1)
    expected = 1 - F.cosine_similarity(x[:, None], y, dim=2)
    torch.testing.assert_close(cosine_distance(x, y), expected)
    torch.testing.assert_close(cosine_distance(7 * x, y / 3), expected)
    right_angle = torch.tensor([[0.0, 1.0]])
    torch.testing.assert_close(
        cosine_distance(torch.tensor([[0.0, 2.0], [3.0, 0.0], [0.0, -5.0]]), right_angle)[:, 0],
        torch.tensor([0.0, 1.0, 2.0]),
    )


# The network


def episode(n_way=4, n_support=3, n_query=10):
    support, query = normal(n_way * n_support, 4), normal(n_query, 4, seed=1)
    return support, torch.arange(n_way).repeat_interleave(n_support), query


def test_the_probabilities_are_the_softmax_of_minus_the_squared_distances():
    network, (support, labels, query) = PrototypicalNetwork(encoder()), episode()
    log_p = network(support, labels, query)
    prototypes = torch.stack([network.encoder(support[labels == k]).mean(0) for k in range(4)])
    expected = (-brute_force(network.encoder(query), prototypes)).softmax(1).log()
    torch.testing.assert_close(log_p, expected, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(log_p.exp().sum(1), torch.ones(10, dtype=torch.float64))


def test_the_log_probabilities_and_their_gradients_are_those_of_easyfsl():
    methods = pytest.importorskip("easyfsl.methods")

    class Squared(methods.PrototypicalNetworks):
        """Snell et al. square the distance; easyfsl does not."""

        def l2_distance_to_prototypes(self, samples):
            return -super().l2_distance_to_prototypes(samples).square()

    (support, labels, query), answers = episode(), torch.arange(10) % 4
    ours, theirs = PrototypicalNetwork(encoder()), Squared(encoder())
    log_p = ours(support, labels, query)
    theirs.process_support_set(support, labels)
    expected = theirs(query).log_softmax(1)
    torch.testing.assert_close(log_p, expected, rtol=1e-10, atol=1e-10)
    F.nll_loss(log_p, answers).backward()
    F.nll_loss(expected, answers).backward()
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, other.grad, rtol=1e-8, atol=1e-10)


def test_both_forms_say_the_same():
    network, (support, labels, query) = PrototypicalNetwork(encoder()), episode()
    expected = network(support, labels, query)
    for other in (
        network(support, query, 4, 3),
        network(support, query=query, n_way=4, n_support=3),
        network(support=support, query=query, n_way=4, n_support=3),
        network(support, query=query, support_labels=labels),
        network(support=support, support_labels=labels, query=query),
    ):
        assert torch.equal(other, expected)


def test_any_labels_do_and_the_columns_follow_them():
    network, (support, labels, query) = PrototypicalNetwork(encoder()), episode()
    expected = network(support, labels, query)
    named = torch.tensor([40, -7, 1000, 2])[labels]
    order = torch.randperm(12, generator=torch.Generator().manual_seed(0))
    columns = named.unique().tolist()
    assert columns == [-7, 2, 40, 1000]
    torch.testing.assert_close(network(support[order], named[order], query), expected[:, [1, 3, 0, 2]])


def test_classes_may_have_different_numbers_of_examples():
    support, query = normal(6, 4), normal(3, 4, seed=1)
    labels = torch.tensor([0, 1, 1, 1, 1, 2])
    prototypes = torch.stack([support[0], support[1:5].mean(0), support[5]])
    expected = (-brute_force(query, prototypes)).log_softmax(1)
    torch.testing.assert_close(IDENTITY(support, labels, query), expected)


def test_one_example_of_a_class_is_its_prototype():
    support = normal(5, 3)
    log_p = PrototypicalNetwork(nn.Identity(), scale=1e3)(support, support, 5, 1)
    torch.testing.assert_close(log_p.exp(), torch.eye(5, dtype=torch.float64), rtol=0, atol=1e-6)


def test_support_and_query_are_one_batch_to_batch_normalisation():
    network = PrototypicalNetwork(nn.BatchNorm1d(4).double())
    support, labels, query = episode()
    network(support, labels, query)
    together = torch.cat([support, query])
    assert network.encoder.num_batches_tracked == 1
    torch.testing.assert_close(network.encoder.running_mean, 0.1 * together.mean(0))


def test_cosine_with_its_scale():
    support, labels, query = episode()
    log_p = PrototypicalNetwork(nn.Identity(), "cosine", scale=10)(support, labels, query)
    prototypes, _ = class_prototypes(support, labels)
    expected = (10 * F.cosine_similarity(query[:, None], prototypes, dim=2)).log_softmax(1)
    torch.testing.assert_close(log_p, expected)


def test_the_scale_multiplies_the_squared_distance_too():
    support, labels, query = episode()
    sharper = PrototypicalNetwork(nn.Identity(), scale=4.0)(support, labels, query)
    torch.testing.assert_close(sharper, IDENTITY(2 * support, labels, 2 * query))


def test_only_the_encoder_has_parameters():
    inner = encoder()
    assert [*PrototypicalNetwork(inner).parameters()] == [*inner.parameters()]
    assert not [*IDENTITY.parameters()]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((torch.rand(7, 2), torch.rand(3, 2), 4, 2), r"7 examples, but n_way · n_support is 4 · 2; .* class by class"),
        ((torch.rand(4, 2), torch.rand(3, 5), 4, 1), r"support is \(4, 2\) and query \(3, 5\); one kind"),
        ((torch.rand(4, 2), torch.arange(4), torch.rand(0, 2)), "one query example at least"),
        ((torch.rand(4, 2), torch.arange(3), torch.rand(3, 2)), r"labels \(3,\)"),
        ((torch.rand(4, 2), torch.rand(4), torch.rand(3, 2)), "labels are torch.float32; integers"),
        ((torch.rand(4, 2, 1, 1), torch.rand(3, 2, 1, 1), 4, 1), r"end the encoder by nn.Flatten\(\)"),
        ((torch.rand(0, 2), torch.arange(0), torch.rand(3, 2)), r"shape \(0, 2\)"),
        ((torch.rand(0, 2), torch.rand(3, 2), 0, 1), "n_way is 0; give an integer of 1 or more"),
        ((torch.rand(0, 2), torch.rand(3, 2), 5, 0), "n_support is 0; give an integer of 1 or more"),
        ((torch.rand(4, 2), torch.rand(3, 2), 4.0, 1), r"n_way is 4\.0; give an integer"),
        ((torch.rand(4, 2), torch.rand(3, 2), -2, -2), "n_way is -2; give an integer"),
        ((torch.ones(2, 2, dtype=torch.uint8), torch.ones(1, 2, dtype=torch.uint8), 2, 1), "uint8; floats"),
    ],
)
def test_episodes_that_do_not_fit_are_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        IDENTITY(*arguments)


@pytest.mark.parametrize(
    ("arguments", "named", "kinds"),
    [
        ((), {}, r"\(Tensor\)"),
        ((torch.rand(3, 2),), {}, r"\(Tensor, Tensor\)"),
        ((torch.rand(3, 2), 4), {}, r"\(Tensor, Tensor, int\)"),
        (([0, 1, 2, 3], torch.rand(3, 2)), {}, r"\(Tensor, list, Tensor\)"),
        (([[0.0, 1.0]], 4, 1), {}, r"\(Tensor, list, int, int\)"),
        ((torch.arange(4), torch.rand(3, 2), 4, 1), {}, r"\(Tensor, Tensor, Tensor, int, int\)"),
        ((torch.rand(3, 2),), {"n_way": 4}, r"\(Tensor, Tensor, n_way: int\)"),
        ((torch.rand(3, 2),), {"query": torch.rand(3, 2), "size": 4}, r"\(Tensor, Tensor, query: Tensor, size: int\)"),
        ((torch.arange(4),), {"support_labels": torch.arange(4)}, r"\(Tensor, Tensor, support_labels: Tensor\)"),
    ],
)
def test_arguments_of_neither_form_are_told_both(arguments, named, kinds):
    words = r"; give \(support, query, n_way, n_support\) or \(support, support_labels, query\), where .* tensors"
    with pytest.raises(TypeError, match=f"the arguments are {kinds}{words}"):
        IDENTITY(torch.rand(4, 2), *arguments, **named)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"distance": "manhattan"}, "'manhattan'; give one of 'euclidean', 'cosine'"),
        ({"scale": 0.0}, "scale is 0.0; give a finite number above 0"),
        ({"scale": -1.0}, "scale is -1.0"),
        ({"scale": math.nan}, "scale is nan"),
        ({"scale": math.inf}, "scale is inf"),
    ],
)
def test_impossible_settings_are_refused(settings, words):
    with pytest.raises(ValueError, match=words):
        PrototypicalNetwork(nn.Identity(), **settings)


def test_the_linear_classifier_has_the_same_softmax():
    support, labels, query = episode()
    prototypes, _ = class_prototypes(support, labels)
    layer = prototype_classifier(prototypes)
    assert layer.weight.shape == (4, 4) and layer.weight.dtype == torch.float64
    torch.testing.assert_close(layer(query).log_softmax(1), IDENTITY(support, labels, query))


def test_the_linear_classifier_is_a_start_to_train_from():
    prototypes = normal(3, 5, dtype=torch.float32).requires_grad_()
    layer = prototype_classifier(prototypes)
    assert (layer.in_features, layer.out_features) == (5, 3)
    layer(torch.rand(2, 5)).sum().backward()
    assert layer.weight.grad is not None and prototypes.grad is None


@pytest.mark.parametrize("shape", [(5,), (2, 5, 1)])
def test_prototypes_of_another_shape_make_no_classifier(shape):
    with pytest.raises(ValueError, match=re.escape(f"shape {shape}; (N, D) is needed")):
        prototype_classifier(torch.rand(shape))


# Episodes

LABELS = torch.tensor([5, -2, 11, 5, 900, -2, 11, 5, 900, -2, 11, 900, 7, 7, 7] * 6)  # 5 classes of 18


def test_an_episode_has_what_was_asked_for_class_by_class():
    for drawn in EpisodeSampler(LABELS, 3, 4, 6, episodes=50):
        assert drawn.support_labels.tolist() == [0] * 4 + [1] * 4 + [2] * 4
        assert drawn.query_labels.tolist() == [0] * 6 + [1] * 6 + [2] * 6
        assert len(drawn.classes.unique()) == 3
        assert torch.equal(LABELS[drawn.support], drawn.classes[drawn.support_labels])
        assert torch.equal(LABELS[drawn.query], drawn.classes[drawn.query_labels])
        assert len(torch.cat([drawn.support, drawn.query]).unique()) == 30, "no example twice"


def test_all_of_a_class_may_be_needed():
    for drawn in EpisodeSampler(LABELS, 5, 8, 10, episodes=5):
        assert torch.equal(torch.cat([drawn.support, drawn.query]).sort().values, torch.arange(len(LABELS)))


def flat(sampler):
    return torch.stack([torch.cat(drawn) for drawn in sampler])


def test_the_seed_says_which_episodes():
    settings = {"n_way": 3, "n_support": 2, "n_query": 3, "episodes": 10}
    sampler = EpisodeSampler(LABELS, **settings, seed=1)
    episodes = flat(sampler)
    assert len(sampler) == len(episodes) == 10 and len(episodes.unique(dim=0)) == 10
    torch.manual_seed(3)
    assert torch.equal(flat(sampler), episodes), "once more through the same sampler, whatever else was drawn"
    assert torch.equal(flat(EpisodeSampler(LABELS, **settings, seed=1)), episodes)
    assert torch.equal(flat(EpisodeSampler(LABELS.int(), **settings, seed=1)), episodes)
    assert not torch.equal(flat(EpisodeSampler(LABELS, **settings, seed=2)), episodes)


def test_it_leaves_the_global_random_numbers_alone():
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    list(EpisodeSampler(LABELS, 2, 1, 1, episodes=3))
    assert torch.equal(torch.rand(3), expected)


def test_fewer_episodes_are_the_first_of_more():
    few, many = (flat(EpisodeSampler(LABELS, 2, 1, 1, episodes=count)) for count in (3, 8))
    assert torch.equal(few, many[:3])


def assert_uniform(counts, expected):
    """Within five standard deviations of counts of rare events, at a fixed seed."""
    assert (counts - expected).abs().max() < 5 * expected**0.5, counts


def test_classes_and_examples_are_drawn_uniformly():
    episodes = 3000
    support, query, classes = torch.zeros(90), torch.zeros(90), torch.zeros(3, 5)
    order = LABELS.unique().tolist()
    for drawn in EpisodeSampler(LABELS, 3, 2, 4, episodes=episodes):
        support[drawn.support] += 1
        query[drawn.query] += 1
        for place, label in enumerate(drawn.classes.tolist()):
            classes[place, order.index(label)] += 1
    assert_uniform(classes, episodes / 5)  # of each place in the episode
    assert_uniform(support, episodes * 3 * 2 / 90)
    assert_uniform(query, episodes * 3 * 4 / 90)


def test_large_classes_use_all_their_examples_alike():
    labels = torch.tensor([0] * 4 + [1] * 40 + [2] * 7)
    counts, episodes = torch.zeros(len(labels)), 2000
    for drawn in EpisodeSampler(labels, 3, 1, 3, episodes=episodes):
        counts[torch.cat([drawn.support, drawn.query])] += 1
    sizes = labels.bincount()
    assert torch.equal(counts[:4], torch.full((4,), float(episodes)))
    for label in (1, 2):
        assert_uniform(counts[labels == label], episodes * 4 / sizes[label].item())


def grouped():
    """Groups 9, -4, 1000 and 3 of 3, 6, 12 and 1 classes, 4 examples of each class, shuffled."""
    labels = torch.arange(22).repeat_interleave(4)
    groups = torch.tensor([9] * 3 + [-4] * 6 + [1000] * 12 + [3]).repeat_interleave(4)
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    return labels[order], groups[order]


def test_an_episode_is_of_one_group_drawn_in_proportion_to_its_classes():
    labels, groups = grouped()
    episodes, counts, classes = 2100, {}, torch.zeros(22)
    for drawn in EpisodeSampler(labels, 2, 1, 2, groups=groups, episodes=episodes):
        (group,) = groups[torch.cat([drawn.support, drawn.query])].unique().tolist()
        counts[group] = counts.get(group, 0) + 1
        classes[drawn.classes] += 1
    assert set(counts) == {9, -4, 1000}, "a group of one class is left out"
    for group, number in ((9, 3), (-4, 6), (1000, 12)):
        share = number / 21
        assert abs(counts[group] / episodes - share) < 5 * (share * (1 - share) / episodes) ** 0.5
    assert classes[21] == 0
    assert_uniform(classes[:21], episodes * 2 / 21)  # so that all classes are drawn equally often


def test_without_groups_classes_of_different_groups_meet():
    labels, groups = grouped()
    assert any(len(groups[drawn.support].unique()) > 1 for drawn in EpisodeSampler(labels, 2, 1, 2, episodes=20))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"n_way": 1}, "n_way is 1; give an integer of 2 or more"),
        ({"n_support": 0}, "n_support is 0; give an integer of 1 or more"),
        ({"n_query": 0}, "n_query is 0; give an integer of 1 or more"),
        ({"episodes": 0}, "episodes is 0; give an integer of 1 or more"),
        ({"n_way": 2.0}, r"n_way is 2\.0; give an integer"),
        ({"n_support": 1.5}, r"n_support is 1\.5; give an integer"),
        ({"n_query": "3"}, "n_query is '3'; give an integer"),
        ({"episodes": 1e3}, r"episodes is 1000\.0; give an integer"),
        ({"n_way": 6}, "n_way is 6, but there are 5 classes; give a smaller n_way"),
        ({"n_support": 10, "n_query": 9}, r"class -2 has 18 examples, but n_support \+ n_query is 10 \+ 9; .* leave"),
        ({"labels": LABELS.float()}, "labels are torch.float32; integers are needed"),
        ({"labels": LABELS[:, None]}, r"labels have shape \(90, 1\); one label for each example"),
        ({"labels": LABELS[:0]}, r"labels have shape \(0,\)"),
        ({"groups": LABELS[1:]}, r"groups have shape \(89,\) and labels \(90,\); give one for each"),
        ({"groups": LABELS / 7}, "groups are torch.float32; integers are needed"),
        ({"groups": torch.arange(90)}, "examples of one class are in several groups"),
        ({"labels": LABELS.clamp(max=20).to(torch.int8), "groups": 256 * torch.arange(90)}, "in several groups"),
        ({"groups": LABELS}, "n_way is 2, but the largest group has 1 classes"),
        ({"groups": LABELS > 6, "n_way": 4}, "n_way is 4, but the largest group has 3 classes; give a smaller n_way"),
    ],
)
def test_what_makes_no_episodes_is_refused(arguments, words):
    settings = {"labels": LABELS, "n_way": 2, "n_support": 1, "n_query": 1} | arguments
    with pytest.raises(ValueError, match=words):
        EpisodeSampler(**settings)


def test_the_class_that_is_too_small_is_named():
    labels = torch.tensor([4] * 20 + [-8] * 5 + [6] * 9)
    with pytest.raises(ValueError, match=r"class -8 has 5 examples, but n_support \+ n_query is 1 \+ 15"):
        EpisodeSampler(labels, 2)


def test_a_class_may_be_too_small_in_a_group_that_is_left_out():
    labels = torch.tensor([4] * 5 + [-8] * 2 + [6] * 5 + [9] * 4)
    for drawn in EpisodeSampler(labels, 2, 1, 3, groups=torch.where(labels == -8, 1, 0), episodes=20):
        assert set(drawn.classes.tolist()) <= {4, 6, 9}
    with pytest.raises(ValueError, match="class -8 has 2 examples"):
        EpisodeSampler(labels, 2, 1, 3, groups=torch.where(labels <= 4, 1, 0))


# Evaluation


def clouds(spread, classes=10, each=20):
    labels = torch.arange(classes).repeat_interleave(each)
    features = 10 * torch.eye(classes)[labels] + spread * normal(len(labels), classes, dtype=torch.float32)
    return features, labels


def evaluated(classify, inputs, labels, **settings):
    return evaluate_episodes(classify, inputs, EpisodeSampler(labels, **settings), progress=False)


def test_classes_that_lie_apart_are_all_recognised():
    scores = evaluated(IDENTITY, *clouds(0.1), episodes=20)
    assert scores.mean == 1 and scores.interval == 0 and scores.accuracies.shape == (20,)


@pytest.mark.parametrize("n_way", [2, 5])
def test_features_without_information_are_right_by_chance(n_way):
    features, labels = normal(200, 10, dtype=torch.float32), clouds(1)[1]
    scores = evaluated(IDENTITY, features, labels, n_way=n_way, n_query=10, episodes=600)
    assert abs(scores.mean - 1 / n_way) < 2 * scores.interval
    assert 0 < scores.interval < 0.02


def test_a_function_is_judged_by_its_largest_score():
    features, labels = clouds(0.1)

    def always_the_first(support, support_labels, query):
        assert support.shape == (5, 10) and support_labels.tolist() == [0, 1, 2, 3, 4]
        return F.one_hot(torch.zeros(len(query), dtype=torch.int64), 5)

    scores = evaluated(always_the_first, features, labels, episodes=3)
    torch.testing.assert_close(scores.accuracies, torch.full((3,), 0.2))
    assert evaluated(lambda *parts: -IDENTITY(*parts), features, labels, episodes=3).mean == 0


def test_the_accuracy_of_each_episode_is_the_share_of_right_answers():
    features, labels = clouds(5)
    sampler = EpisodeSampler(labels, 4, 2, 5, episodes=7)
    expected = []
    for drawn in sampler:
        prototypes = features[drawn.support].view(4, 2, -1).mean(1)
        answers = brute_force(features[drawn.query], prototypes).argmin(1)
        expected.append((answers == drawn.query_labels).double().mean().item())
    scores = evaluate_episodes(IDENTITY, features, sampler, progress=False)
    assert scores.accuracies.tolist() == pytest.approx(expected) and 0.3 < scores.mean < 1
    assert scores.mean == pytest.approx(np.mean(expected))


def test_the_interval_is_that_of_a_mean():
    values = normal(600).sigmoid()
    scores = EpisodeScores(values)
    assert scores.interval == pytest.approx(1.96 * np.std(values.numpy(), ddof=1) / 600**0.5)


def test_one_accuracy_has_a_mean_but_no_interval():
    scores = evaluated(IDENTITY, *clouds(0.1), episodes=1)
    assert scores.mean == 1
    with pytest.raises(ValueError, match="one accuracy has no interval; evaluate two episodes or more"):
        _ = scores.interval


def test_scores_may_be_compared_and_be_keys():
    one, other = EpisodeScores(torch.rand(3)), EpisodeScores(torch.rand(3))
    assert one == one and one != other and len({one, other}) == 2


def test_the_interval_holds_the_true_accuracy_about_95_times_in_100():
    generator = torch.Generator().manual_seed(0)
    held = 0
    for _ in range(400):
        right = torch.rand(100, 50, generator=generator) < 0.7
        scores = EpisodeScores(right.float().mean(1))
        held += abs(scores.mean - 0.7) < scores.interval
    assert 0.92 < held / 400 < 0.98


def test_a_module_is_evaluated_in_evaluation_mode_and_put_back():
    network = PrototypicalNetwork(nn.Sequential(nn.BatchNorm1d(10), nn.Dropout(0.5), nn.Identity()))
    network.encoder[1].eval()
    modes = [module.training for module in network.modules()]
    before = {name: buffer.clone() for name, buffer in network.named_buffers()}
    seen = []
    network.encoder[2].register_forward_hook(lambda module, *_: seen.append(module.training))
    features, labels = clouds(3)
    scores = evaluated(network, features, labels, episodes=4)
    assert seen == [False] * 4 and [module.training for module in network.modules()] == modes
    assert all(torch.equal(buffer, before[name]) for name, buffer in network.named_buffers())
    expected = evaluated(IDENTITY, features / (1 + 1e-5) ** 0.5, labels, episodes=4)  # an untrained one only rescales
    torch.testing.assert_close(scores.accuracies, expected.accuracies)


def test_the_modes_are_put_back_after_an_error_too():
    network = PrototypicalNetwork(nn.Linear(3, 2))
    with pytest.raises(RuntimeError):
        evaluated(network, *clouds(1), episodes=2)
    assert network.training


def test_nothing_is_kept_for_gradients():
    network, seen = PrototypicalNetwork(nn.Linear(10, 2)), []

    def classify(*parts):
        seen.append(network(*parts))
        return seen[-1]

    evaluated(classify, *clouds(1), episodes=2)
    assert not any(log_p.requires_grad for log_p in seen) and torch.is_grad_enabled()


def test_inputs_without_labels_are_refused():
    features, labels = clouds(1)
    with pytest.raises(ValueError, match="199 inputs and 200 labels; as many inputs as labels are needed"):
        evaluated(IDENTITY, features[1:], labels)


@pytest.mark.parametrize(
    ("shape_of", "words"),
    [
        (lambda scores: scores[:, :4], r"\(75, 4\); \(75, 5\) is needed, a row for each query example"),
        (lambda scores: scores[:1], r"\(1, 5\); \(75, 5\)"),
        (lambda scores: scores.T, r"\(5, 75\); \(75, 5\)"),
        (lambda scores: scores.argmax(1), r"\(75,\); \(75, 5\)"),
    ],
)
def test_scores_of_another_shape_are_refused(shape_of, words):
    with pytest.raises(ValueError, match=f"scores have shape {words}"):
        evaluated(lambda *parts: shape_of(IDENTITY(*parts)), *clouds(1), episodes=2)


def test_a_score_that_is_not_a_number_is_no_answer():
    features, labels = clouds(1)
    features[3] = math.nan
    with pytest.raises(FloatingPointError, match="a score is NaN; look for NaN in the inputs"):
        evaluated(IDENTITY, features, labels, episodes=100)


@pytest.mark.parametrize("device", DEVICES)
def test_the_classifier_gets_all_on_the_device_of_the_inputs(device):
    def classify(*parts):
        assert {part.device.type for part in parts} == {device}
        return IDENTITY(*parts)

    features, labels = clouds(1)
    evaluated(classify, features.to(device), labels, episodes=2)


def test_features_of_a_pretrained_network_do():
    """Images of ten colours, which a backbone of one group turns into their mean colour."""
    groups = {"stem": nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())}
    backbone = Backbone(groups, name="small", feature_dim=3, image_size=8, resize_size=8, interpolation="bilinear")
    colours = torch.rand(10, 3, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(10).repeat_interleave(16)
    images = (colours[labels].view(-1, 3, 1, 1) + 0.02 * normal(160, 3, 8, 8, dtype=torch.float32)).clamp(0, 1)
    features = FeatureExtractor(backbone, device="cpu").extract_features(images, progress=False)
    scores = evaluated(PrototypicalNetwork(nn.Identity(), "cosine", scale=10), features, labels, episodes=20)
    assert scores.mean > 0.9
    assert evaluated(IDENTITY, features, labels, episodes=20).mean > 0.95


@pytest.mark.parametrize("device", DEVICES)
def test_it_learns_to_leave_out_what_does_not_matter(device):
    """Two features tell the classes, 30 louder ones do not; training by episodes carries over to classes never seen."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(40).repeat_interleave(20)
    classes = 3 * torch.randn(40, 2, generator=generator)[labels]
    noise = torch.randn(800, 32, generator=generator) * torch.tensor([0.3] * 2 + [3.0] * 30)
    features = (noise + F.pad(classes, (0, 30))).to(device)
    known, new = labels < 30, labels >= 30
    torch.manual_seed(0)
    network = PrototypicalNetwork(nn.Linear(32, 4)).to(device)

    def accuracy():
        return evaluated(network, features[new], labels[new], n_query=5, episodes=100).mean

    before = accuracy()
    optimizer = torch.optim.Adam(network.parameters(), 0.02)
    for drawn in EpisodeSampler(labels[known], 10, 2, 5, episodes=100):
        log_p = network(features[drawn.support], drawn.support_labels, features[drawn.query])
        loss = F.nll_loss(log_p, drawn.query_labels.to(device))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert before < 0.5 < 0.75 < accuracy()
