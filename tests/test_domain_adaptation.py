"""Domain adaptation: gradients against independent derivations, losses against their formulas, and what each is for."""

import copy
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tlcourse.domain_adaptation import (
    DomainAdaptationModel,
    GradientReversal,
    adaptation_strength,
    adaptive_batch_norm,
    coral_loss,
    domain_adversarial_loss,
    mmd_loss,
    proxy_a_distance,
    train_adaptation,
)
from tlcourse.networks import digit_encoder


def normal(*size, seed=0):
    return torch.randn(*size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def small_model():
    torch.manual_seed(0)
    features = nn.Sequential(nn.Linear(3, 5), nn.Tanh())
    model = DomainAdaptationModel(features, nn.Linear(5, 4), nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 1)))
    return model.double()


# The schedule


def test_the_strength_rises_from_0_to_almost_1_as_a_hyperbolic_tangent():
    for progress in (0.0, 0.1, 0.5, 1.0):
        assert adaptation_strength(progress) == pytest.approx(math.tanh(5 * progress))
    assert adaptation_strength(0.0) == 0.0 and adaptation_strength(0.3, gamma=2) == pytest.approx(math.tanh(0.3))


@pytest.mark.parametrize("progress", [-0.1, 1.1, math.nan])
def test_a_progress_that_is_no_share_is_refused(progress):
    with pytest.raises(ValueError, match="share of training"):
        adaptation_strength(progress)


# Gradient reversal


@pytest.mark.parametrize("strength", [0.0, 0.3, 1.0, 2.5])
def test_the_gradient_comes_back_times_minus_strength(strength):
    x, weights = normal(4, 3).requires_grad_(), normal(4, 3, seed=1)
    reversal = GradientReversal(strength)
    assert torch.equal(reversal(x), x)
    (plain,) = torch.autograd.grad((x.sin() * weights).sum(), x)
    (reversed_,) = torch.autograd.grad((reversal(x).sin() * weights).sum(), x)
    torch.testing.assert_close(reversed_, -strength * plain, rtol=0, atol=0)


def test_the_reversed_gradient_is_minus_strength_times_finite_differences():
    x, step = normal(5), 1e-6
    loss = lambda z: (z.pow(3).sum() + (z[0] * z[1]).exp()).item()  # noqa: E731
    numeric = torch.stack([torch.tensor(loss(x + step * e) - loss(x - step * e)) / (2 * step) for e in torch.eye(5)])
    x.requires_grad_()
    z = GradientReversal(0.7)(x)
    (z.pow(3).sum() + (z[0] * z[1]).exp()).backward()
    torch.testing.assert_close(x.grad, -0.7 * numeric.double(), rtol=1e-6, atol=1e-8)


def test_the_strength_may_change_between_two_steps_of_one_module():
    reversal, x = GradientReversal(), torch.ones(2, requires_grad=True)
    for strength in (0.0, 0.5, 2.0):
        reversal.strength = strength
        (gradient,) = torch.autograd.grad(reversal(x).sum(), x)
        assert torch.equal(gradient, torch.full((2,), -strength))


def test_it_stands_in_a_sequential_and_has_no_parameters():
    network = nn.Sequential(nn.Linear(3, 3), GradientReversal(0.5), nn.Linear(3, 1))
    assert network(torch.rand(2, 3)).shape == (2, 1) and "strength=0.5" in repr(network)
    assert not list(GradientReversal().parameters())


def test_a_minus_sign_on_the_loss_is_something_else():
    """It gives the features the same gradient, but makes the domain classifier worse instead of better."""
    x, domains = normal(8, 3), torch.tensor([[0.0]] * 4 + [[1.0]] * 4, dtype=torch.float64)

    def gradients(minus):
        model = small_model()
        if minus:
            loss = -F.binary_cross_entropy_with_logits(model.domain_classifier(model.feature_extractor(x)), domains)
        else:
            loss = F.binary_cross_entropy_with_logits(model(x)[1], domains)
        loss.backward()
        flat = lambda module: torch.cat([p.grad.flatten() for p in module.parameters()])  # noqa: E731
        return flat(model.feature_extractor), flat(model.domain_classifier)

    (features, classifier), (features_minus, classifier_minus) = gradients(False), gradients(True)
    torch.testing.assert_close(features_minus, features)
    torch.testing.assert_close(classifier_minus, -classifier)
    assert classifier.norm() > 1e-3


def test_one_step_is_the_one_of_pytorch_adapt():
    layers = pytest.importorskip("pytorch_adapt.layers")
    ours = small_model()
    theirs, reversal = copy.deepcopy(ours), layers.GradientReversal(weight=0.4)
    x, y, u = normal(6, 3), torch.arange(6) % 4, normal(6, 3, seed=1)

    ours.reversal.strength = 0.4
    source, target = ours.feature_extractor(x), ours.feature_extractor(u)
    domain = domain_adversarial_loss(*(ours.domain_classifier(ours.reversal(f)) for f in (source, target)))
    (F.cross_entropy(ours.task_classifier(source), y) + domain).backward()

    features = theirs.feature_extractor(torch.cat([x, u]))
    logits = theirs.domain_classifier(reversal(features))[:, 0]
    domains = torch.tensor([0.0] * 6 + [1.0] * 6, dtype=torch.float64)
    loss = F.cross_entropy(theirs.task_classifier(features[:6]), y)
    (loss + F.binary_cross_entropy_with_logits(logits, domains)).backward()
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, other.grad)


# The model


def test_the_strength_given_is_the_strength_used():
    model, x = small_model(), normal(4, 3)

    def feature_gradient(strength):
        model.zero_grad()
        model(x, strength)[1].sum().backward()
        return torch.cat([p.grad.flatten() for p in model.feature_extractor.parameters()])

    torch.testing.assert_close(feature_gradient(0.25), feature_gradient(1.0) / 4)
    assert not feature_gradient(0.0).any()
    model.reversal.strength = 0.3
    model(x)
    assert model.reversal.strength == 0.3, "kept, unless another is given"


def test_it_takes_a_backbone_of_the_course():
    from tlcourse.backbones import load_backbone

    backbone = load_backbone(weights=None)
    model = DomainAdaptationModel(backbone, nn.Linear(backbone.feature_dim, 6), nn.Linear(backbone.feature_dim, 1))
    task, domain = model.eval()(torch.rand(2, 3, 64, 64))
    assert task.shape == (2, 6) and domain.shape == (2, 1)


# The losses


def test_the_domain_loss_is_the_cross_entropy_of_balanced_domains():
    source, target = normal(5, 1), normal(5, 1, seed=1)
    domains = torch.tensor([[0.0]] * 5 + [[1.0]] * 5, dtype=torch.float64)
    expected = F.binary_cross_entropy_with_logits(torch.cat([source, target]), domains)
    torch.testing.assert_close(domain_adversarial_loss(source, target), expected)
    assert domain_adversarial_loss(torch.zeros(3), torch.zeros(9)).item() == pytest.approx(math.log(2))


def test_both_domains_weigh_the_same():
    source, target = normal(4), normal(6, seed=1)
    torch.testing.assert_close(
        domain_adversarial_loss(source.repeat(3), target), domain_adversarial_loss(source, target)
    )


@pytest.mark.parametrize("logits", [torch.zeros(4, 2), torch.zeros(0, 1), torch.zeros(2, 1, 2)])
def test_domain_logits_of_another_shape_are_refused(logits):
    with pytest.raises(ValueError, match="one logit for each example"):
        domain_adversarial_loss(torch.zeros(4), logits)


def test_coral_is_the_distance_of_numpys_covariances():
    source, target = normal(7, 3), 2 * normal(9, 3, seed=1) + 1
    expected = np.sum((np.cov(source.numpy().T) - np.cov(target.numpy().T)) ** 2) / (4 * 3**2)
    assert coral_loss(source, target).item() == pytest.approx(expected, rel=1e-12)


def test_corals_gradient_is_the_one_derived_by_hand():
    """dL/dS = (S - mean) (C_S - C_T) / (d^2 (n - 1)): equation 4 of the paper, simplified."""
    source, target = normal(7, 3).requires_grad_(), 2 * normal(9, 3, seed=1)
    coral_loss(source, target).backward()
    s = source.detach()
    expected = (s - s.mean(0)) @ (s.T.cov() - target.T.cov()) / (3**2 * 6)
    torch.testing.assert_close(source.grad, expected)


def test_coral_sees_no_shift_of_the_mean_but_mmd_does():
    source = normal(50, 4)
    assert coral_loss(source, source + 3).item() == pytest.approx(0, abs=1e-12)
    assert mmd_loss(source, source + 3).item() > 0.5


def test_mmd_is_the_mean_over_pairs_one_by_one():
    source, target, scales = normal(4, 3), normal(5, 3, seed=1) + 0.5, (0.5, 2.0)
    points = [*source, *target]
    squared = [[((a - b) ** 2).sum().item() for b in points] for a in points]
    above = sorted(squared[i][j] for i in range(9) for j in range(i + 1, 9))
    variance = above[(len(above) - 1) // 2]
    kernel = lambda i, j: np.mean([math.exp(-squared[i][j] / (2 * c * variance)) for c in scales])  # noqa: E731
    s, t = range(4), range(4, 9)
    mean = lambda rows, columns: np.mean([kernel(i, j) for i in rows for j in columns])  # noqa: E731
    expected = mean(s, s) + mean(t, t) - 2 * mean(s, t)
    assert mmd_loss(source, target, scales).item() == pytest.approx(expected, rel=1e-9)


def test_mmds_gradient_is_right_while_the_bandwidth_is_held():
    """Finite differences of the loss with the bandwidth of the start: none of the gradient comes through the median."""
    source, target = normal(6, 2), normal(6, 2, seed=1) + 1
    point = source.clone().requires_grad_()
    mmd_loss(point, target).backward()
    both = torch.cat([source, target])
    variance = torch.pdist(both).square().median()

    def held(x):
        kernel = lambda a, b: torch.stack(  # noqa: E731
            [torch.exp(-torch.cdist(a, b).square() / (2 * c * variance)).mean() for c in (0.125, 0.25, 0.5, 1.0, 2.0)]
        ).mean()
        return kernel(x, x) + kernel(target, target) - 2 * kernel(x, target)

    step = torch.zeros_like(source)
    step[2, 1] = 1e-5
    numeric = (held(source + step) - held(source - step)) / 2e-5
    assert point.grad[2, 1].item() == pytest.approx(numeric.item(), rel=1e-5)


def test_mmd_is_zero_for_one_sample_twice_and_never_negative():
    source = normal(30, 4)
    assert mmd_loss(source, source).item() == pytest.approx(0, abs=1e-12)
    assert mmd_loss(source, normal(20, 4, seed=1)).item() > 0
    assert mmd_loss(torch.ones(3, 2), torch.ones(3, 2)).item() == 0, "no spread at all is no reason for NaN"


def test_mmd_does_not_depend_on_the_unit_of_the_features():
    source, target = normal(30, 4), normal(30, 4, seed=1) + 0.3
    torch.testing.assert_close(mmd_loss(1000 * source, 1000 * target), mmd_loss(source, target))
    near, far = ((source + shift).float() for shift in (0, 1000)), ((target + shift).float() for shift in (0, 1000))
    (here, there), (here_too, there_too) = near, far
    torch.testing.assert_close(mmd_loss(there, there_too), mmd_loss(here, here_too), rtol=1e-2, atol=1e-4)


def test_mmd_pulls_at_features_most_of_which_have_collapsed():
    source, target = torch.zeros(10, 2), torch.zeros(10, 2)
    target[0] = 1.0
    target.requires_grad_()
    mmd_loss(source, target).backward()
    assert target.grad[0].abs().min() > 0


@pytest.mark.parametrize("loss", [coral_loss, mmd_loss])
@pytest.mark.parametrize("target", [torch.zeros(5, 4), torch.zeros(5), torch.zeros(1, 3), torch.zeros(5, 3, 1)])
def test_features_that_do_not_fit_are_refused(loss, target):
    with pytest.raises(ValueError, match="of equal d are needed"):
        loss(torch.zeros(5, 3), target)


def test_scales_that_are_not_positive_are_refused():
    with pytest.raises(ValueError, match="one or more positive"):
        mmd_loss(torch.zeros(5, 3), torch.zeros(5, 3), scales=(1.0, 0.0))


# AdaBN


def test_adabn_gives_the_first_layer_the_targets_own_statistics():
    network = nn.Sequential(nn.BatchNorm1d(3), nn.Dropout(0.5), nn.Linear(3, 2)).double()
    before, target = copy.deepcopy(network.state_dict()), 2 * normal(40, 3) + 5
    adaptive_batch_norm(network.train(), target)
    torch.testing.assert_close(network[0].running_mean, target.mean(0))
    torch.testing.assert_close(network[0].running_var, target.var(0))
    assert all(torch.equal(network.state_dict()[name], before[name]) for name, _ in network.named_parameters())
    assert all(module.training for module in network.modules()) and network[0].momentum == 0.1


def test_adabn_averages_batches_of_nearly_equal_size():
    network, target = nn.Sequential(nn.BatchNorm1d(3)).double().eval(), normal(41, 3)
    batches = []
    network.register_forward_pre_hook(lambda _, inputs: batches.append(inputs[0]))
    adaptive_batch_norm(network, target, batch_size=20)
    assert sorted(map(len, batches)) == [13, 14, 14] and torch.equal(
        torch.cat(batches).sort(0).values, target.sort(0).values
    )
    torch.testing.assert_close(network[0].running_mean, torch.stack([batch.mean(0) for batch in batches]).mean(0))
    assert not network[0].training


def test_adabn_does_not_depend_on_the_order_of_the_inputs():
    network, target = nn.Sequential(nn.BatchNorm1d(1)).double(), normal(2000, 1)
    adaptive_batch_norm(network, target.sort(0).values, batch_size=100)
    assert network[0].running_var.item() == pytest.approx(target.var().item(), rel=0.03)


@pytest.mark.parametrize("count", [3, 5])
def test_adabn_leaves_no_batch_of_one(count):
    network = nn.Sequential(nn.BatchNorm1d(3)).double()
    adaptive_batch_norm(network, normal(count, 3), batch_size=2)
    assert network[0].running_var.isfinite().all()


def test_adabn_undoes_a_change_of_brightness_and_contrast():
    """A first layer that is normalised sees the same after any change of scale and offset of its inputs."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 4, 3, bias=False), nn.BatchNorm2d(4, eps=1e-9), nn.ReLU())
    images = torch.rand(64, 1, 8, 8)
    adaptive_batch_norm(network.eval(), images)
    seen = network(images)
    other = 0.3 * images + 0.5
    assert (network(other) - seen).abs().max() > 0.5
    adaptive_batch_norm(network, other)
    torch.testing.assert_close(network(other), seen, atol=1e-3, rtol=1e-3)


def test_adabn_puts_all_modes_back_when_the_network_fails():
    network = nn.Sequential(nn.BatchNorm1d(3), nn.Linear(4, 2))
    network[0].running_mean += 5
    with pytest.raises(RuntimeError):
        adaptive_batch_norm(network, torch.rand(8, 3))
    assert torch.equal(network[0].running_mean, torch.full((3,), 5.0))
    assert network.training and network[1].training and network[0].momentum == 0.1


@pytest.mark.parametrize(
    ("network", "inputs", "size", "told"),
    [
        (nn.Linear(3, 2), torch.rand(8, 3), 4, "no batch normalisation"),
        (nn.BatchNorm1d(3, track_running_stats=False), torch.rand(8, 3), 4, "no batch normalisation"),
        (nn.BatchNorm1d(3), torch.rand(1, 3), 4, "there are 1 inputs"),
        (nn.BatchNorm1d(3), torch.rand(8, 3), 1, "batch_size is 1"),
    ],
)
def test_adabn_refuses_what_it_cannot_change(network, inputs, size, told):
    with pytest.raises(ValueError, match=told):
        adaptive_batch_norm(network, inputs, size)


# The proxy A-distance


def test_equal_domains_have_distance_0_and_separate_ones_2():
    source = normal(400, 5)
    assert proxy_a_distance(source, normal(400, 5, seed=1)) < 0.2
    assert proxy_a_distance(source, normal(400, 5, seed=1) + 6) == 2.0


def test_the_distance_is_the_one_of_the_best_line_between_two_normals():
    """Normals a distance of 2 apart: the best classifier errs with probability Phi(-1)."""
    source, target = normal(20_000, 1), normal(20_000, 1, seed=1) + 2
    phi = 0.5 * (1 - math.erf(1 / math.sqrt(2)))
    assert proxy_a_distance(source, target) == pytest.approx(2 * (1 - 2 * phi), abs=0.03)


def test_the_distance_is_measured_on_examples_that_were_not_fitted():
    """With almost as many features as examples anything can be told apart that has been seen."""
    assert proxy_a_distance(normal(60, 50), normal(60, 50, seed=1)) < 0.8


def test_a_small_domain_weighs_as_much_as_a_large_one():
    source, target = normal(4000, 2), normal(100, 2, seed=1)
    assert proxy_a_distance(source, target) < 0.4, "guessing the larger domain would look like 2 (1 - 2 / 41)"


def test_the_distance_needs_examples():
    with pytest.raises(ValueError, match="at least 4"):
        proxy_a_distance(torch.zeros(3, 2), torch.zeros(9, 2))


# Training


def two_clouds(shift, count=300):
    """Two classes side by side along the first axis; the target lies `shift` further along the second."""
    labels = torch.arange(count) % 2
    source = normal(count, 3).float() * 0.3
    source[:, 0] += 2.0 * labels
    target = normal(count, 3, seed=1).float() * 0.3
    target[:, 0] += 2.0 * labels
    target[:, 1] += shift
    return (source, labels), target, labels


def cloud_model():
    torch.manual_seed(0)
    extractor = nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 4))
    return DomainAdaptationModel(
        extractor, nn.Linear(4, 2), nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 1))
    )


@pytest.mark.parametrize(("align", "weight"), [("adversarial", 1.0), (coral_loss, 10.0), (mmd_loss, 5.0)])
def test_training_brings_the_domains_together_and_keeps_the_task(align, weight):
    source, target, labels = two_clouds(shift=1.0)
    run = {"steps": 150, "batch_size": 32, "apart": False, "device": "cpu", "progress": False}
    models = {used: cloud_model() for used in (0.0, weight)}
    for used, model in models.items():
        losses = train_adaptation(model, source, target, align=align, weight=used, **run)
        assert len(losses["task"]) == len(losses["alignment"]) == 150
    measure = coral_loss if align == coral_loss else mmd_loss  # CORAL does not look at means
    distances = [measure(m.feature_extractor(source[0]), m.feature_extractor(target)).item() for m in models.values()]
    assert distances[1] < 0.5 * distances[0]
    assert (models[weight](target)[0].argmax(1) == labels).float().mean() > 0.95


def test_at_weight_0_the_features_are_those_of_the_source_alone():
    """The domain classifier learns, but nothing of it reaches the features."""
    source, target, _ = two_clouds(shift=1.0)
    run = {"steps": 20, "batch_size": 32, "apart": False, "device": "cpu", "progress": False, "weight": 0.0}
    first, second = cloud_model(), cloud_model()
    start = copy.deepcopy(first.domain_classifier[0].weight)
    train_adaptation(first, source, target, **run)
    train_adaptation(second, source, target + 5, **run)
    assert torch.equal(first.feature_extractor[0].weight, second.feature_extractor[0].weight)
    assert not torch.equal(first.domain_classifier[0].weight, start)


def test_apart_the_extractor_sees_the_domains_one_by_one_and_the_domain_classifier_both():
    source, target, _ = two_clouds(shift=1.0)
    for apart, expected in ((True, [32, 32]), (False, [64])):
        model, sizes, judged = cloud_model(), [], []
        model.feature_extractor.register_forward_pre_hook(lambda _, inputs, sizes=sizes: sizes.append(len(inputs[0])))
        model.domain_classifier.register_forward_pre_hook(lambda _, inputs, sizes=judged: sizes.append(len(inputs[0])))
        train_adaptation(model, source, target, steps=1, batch_size=32, apart=apart, device="cpu", progress=False)
        assert sizes == expected and judged == [64]


def test_strength_and_rate_follow_their_schedules(monkeypatch):
    model, (source, target, _), seen, optimizers = cloud_model(), two_clouds(shift=1.0), [], []
    adam = torch.optim.Adam

    def remembered(*arguments, **options):
        optimizers.append(adam(*arguments, **options))
        return optimizers[0]

    monkeypatch.setattr(torch.optim, "Adam", remembered)

    def look(step):
        seen.append((model.reversal.strength, optimizers[0].param_groups[0]["lr"], model.training))

    train_adaptation(model, source, target, weight=2.0, steps=4, lr=0.1, device="cpu", on_step=look, progress=False)
    for step, (strength, rate, training) in enumerate(seen):
        assert strength == 2.0 * adaptation_strength(step / 4) and training
        assert rate == pytest.approx(0.1 * (1 - (step + 1) / 4) ** 0.5)  # that of the next step
    assert optimizers[0].param_groups[0]["betas"] == (0.5, 0.999) and not model.training


def test_apart_it_ends_with_the_targets_statistics_and_together_with_a_mixture():
    source, target = (torch.rand(64, 1, 28, 28), torch.arange(64) % 10), torch.rand(64, 1, 28, 28) * 0.2
    models = {}
    for apart in (True, False):
        torch.manual_seed(0)
        models[apart] = DomainAdaptationModel(digit_encoder(1, 4), nn.Linear(100, 10), nn.Linear(100, 1))
        train_adaptation(
            models[apart], source, target, steps=2, batch_size=32, apart=apart, device="cpu", progress=False
        )
    again = copy.deepcopy(models[True])
    adaptive_batch_norm(again, target)
    for name, buffer in models[True].named_buffers():
        torch.testing.assert_close(buffer, again.get_buffer(name))
    mean = lambda model: model.feature_extractor.conv1[3].running_mean  # noqa: E731
    assert (mean(models[True]) - mean(models[False])).abs().max() > 0.01


def test_without_batch_normalisation_apart_and_together_are_the_same():
    source, target, _ = two_clouds(shift=1.0)
    models = {apart: cloud_model() for apart in (True, False)}
    for apart, model in models.items():
        train_adaptation(model, source, target, steps=3, apart=apart, device="cpu", progress=False)
    for one, other in zip(models[True].parameters(), models[False].parameters(), strict=True):
        torch.testing.assert_close(one, other)


def test_a_seed_gives_the_same_weights_and_leaves_the_callers_random_numbers_alone():
    source, target, _ = two_clouds(shift=1.0)
    run = {"steps": 10, "batch_size": 32, "apart": False, "device": "cpu", "progress": False}
    states = []
    for seed in (0, 0, 1):
        model = cloud_model()
        torch.manual_seed(7)
        train_adaptation(model, source, target, seed=seed, **run)
        assert torch.rand(()) == torch.rand((), generator=torch.Generator().manual_seed(7))
        states.append(model.task_classifier.weight)
    assert torch.equal(states[0], states[1]) and not torch.equal(states[0], states[2])


def test_somebody_may_look_at_each_step():
    seen, (source, target, _) = [], two_clouds(shift=1.0)
    train_adaptation(
        cloud_model(), source, target, steps=3, apart=False, device="cpu", on_step=seen.append, progress=False
    )
    assert seen == [0, 1, 2]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"align": "coral"}, "align is 'coral'"),
        ({"align": None}, "align is None"),
        ({"target": (torch.rand(300, 3), torch.arange(300))}, "target is a tuple; give its inputs alone"),
        ({"weight": -1.0}, "weight is -1.0"),
        ({"target": torch.rand(300, 4)}, "type and shape must agree"),
        ({"target": torch.rand(300, 3).double()}, "type and shape must agree"),
        ({"target": torch.rand(20, 3)}, "batches of 2 to 20"),
        ({"steps": 0}, "steps is 0"),
        ({"batch_size": 1}, "batch_size 1"),
        ({"source": (torch.rand(300, 3), torch.rand(300))}, "labels"),
    ],
)
def test_unusable_data_and_settings_are_refused(change, told):
    source, target, _ = two_clouds(shift=1.0)
    arguments = {"source": source, "target": target, "steps": 1, "batch_size": 32, "device": "cpu"} | change
    with pytest.raises(ValueError, match=told):
        train_adaptation(cloud_model(), **arguments)


def test_a_loss_that_is_not_finite_is_an_error():
    source, target, _ = two_clouds(shift=1.0)
    with pytest.raises(FloatingPointError, match="loss is nan in step 0"):
        train_adaptation(cloud_model(), source, target * math.nan, align=coral_loss, apart=False, device="cpu")
