"""Multi-task learning: PCGrad worked by hand, weights against closed forms, gradients against plain autograd."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tlcourse.multitask import (
    METHODS,
    GradNorm,
    HardSharing,
    UncertaintyWeighting,
    combined_backward,
    conflict_share,
    gradient_cosines,
    pcgrad,
    task_gradients,
    train_multitask,
)

NAMES = ("a", "b", "c")


def normal(*size, seed=0):
    return torch.randn(*size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def sharing(names=NAMES, width=5, dtype=torch.float64):
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        trunk = nn.Sequential(nn.Linear(3, width), nn.Tanh())
        return HardSharing(trunk, {name: nn.Linear(width, 2) for name in names}).to(dtype)


def losses_of(model, names=NAMES):
    outputs = model(normal(7, 3, seed=1))
    return {name: (outputs[name] - normal(7, 2, seed=2 + i)).square().mean() for i, name in enumerate(names)}


def scalars(*values):
    return {name: torch.tensor(value) for name, value in zip("abcdef", values, strict=False)}


def seeded(seed):
    return torch.Generator().manual_seed(seed)


# PCGrad and conflicts


def test_pcgrad_of_two_gradients_worked_by_hand():
    # g1·g2 = -1: g1 + g2/2 = (½, ½) and g2 + g1 = (0, 1). With g2 projected against what became of g1, as is wrong,
    # the sum would be (-½, 1½).
    combined = pcgrad(torch.tensor([[1.0, 0.0], [-1.0, 1.0]]))
    assert torch.allclose(combined, torch.tensor([0.5, 1.5]))


def test_pcgrad_of_three_gradients_depends_on_the_order():
    # The second and third become (0, 1) and 0 in any order. The first, (1, 0), becomes (½, ½) by the second and then
    # (0, ½) by the third; by the third first it becomes 0, which conflicts with nothing.
    gradients = torch.tensor([[1.0, 0.0], [-1.0, 1.0], [-1.0, 0.0]])
    seen = {tuple(pcgrad(gradients, seeded(seed)).tolist()) for seed in range(20)}
    assert seen == {(0.0, 1.5), (0.0, 1.0)}


def test_pcgrad_is_the_plain_sum_where_nothing_conflicts():
    gradients = normal(4, 6).abs()
    assert torch.equal(pcgrad(gradients), gradients.sum(0))


def test_pcgrad_of_two_conflicting_gradients_helps_both_and_is_a_weighted_sum():
    one, other = normal(2, 9, seed=3)
    other = other - 2 * (one @ other).abs() / (one @ one) * one
    combined = pcgrad(torch.stack([one, other]))
    assert one @ other < 0 and combined @ one >= 0 and combined @ other >= 0
    against = -(one @ other) / (one.norm() * other.norm())
    weights = 1 + against * other.norm() / one.norm(), 1 + against * one.norm() / other.norm()
    assert torch.allclose(combined, weights[0] * one + weights[1] * other)


def test_pcgrad_of_opposite_gradients_is_zero():
    assert pcgrad(torch.tensor([[1.0, 2.0], [-2.0, -4.0]])).abs().max() < 1e-6


def test_pcgrad_leaves_its_input_and_the_global_generator_alone():
    gradients, state = normal(3, 4), torch.get_rng_state()
    before = gradients.clone()
    one, same = pcgrad(gradients, seeded(5)), pcgrad(gradients, seeded(5))
    assert torch.equal(gradients, before) and torch.equal(one, same) and torch.equal(torch.get_rng_state(), state)


def test_pcgrad_lets_a_gradient_of_zero_pass():
    gradients = torch.tensor([[0.0, 0.0], [3.0, 4.0]])
    assert pcgrad(gradients).tolist() == [3.0, 4.0]


@pytest.mark.parametrize("size", [1e-23, 1e-12, 1e20])
def test_pcgrad_and_cosines_do_not_mind_how_long_a_gradient_is(size):
    # As by hand above: (½, ½) and size · (0, 1). The squares of 1e-23 and 1e20 are 0 and infinite in float32.
    gradients = torch.tensor([[1.0, 0.0], [-size, size]])
    assert torch.allclose(pcgrad(gradients), torch.tensor([0.5, 0.5 + size]))
    assert gradient_cosines(gradients)[0, 1] == pytest.approx(-math.sqrt(0.5))


def test_a_gradient_of_zero_has_no_direction():
    cosines = gradient_cosines(torch.tensor([[1.0, 0.0], [0.0, 0.0], [-1.0, 0.0]]))
    assert cosines.isnan().tolist() == [[False, True, False], [True, True, True], [False, True, False]]
    assert conflict_share(cosines) == 1  # the one pair that is left


def test_cosines_and_the_share_of_conflicts():
    cosines = gradient_cosines(torch.tensor([[2.0, 0.0], [0.0, 3.0], [-1.0, -1.0]]))
    half = math.sqrt(0.5)
    assert torch.allclose(cosines, torch.tensor([[1, 0, -half], [0, 1, -half], [-half, -half, 1]]))
    assert conflict_share(cosines) == pytest.approx(2 / 3)
    assert conflict_share(torch.stack([cosines, torch.ones(3, 3)])) == pytest.approx(1 / 3)


# Gradients


def test_task_gradients_are_those_of_plain_autograd():
    model = sharing()
    gradients = task_gradients(losses_of(model), model.trunk.parameters())
    for row, name in enumerate(NAMES):
        plain = torch.autograd.grad(losses_of(model)[name], list(model.trunk.parameters()))
        assert torch.equal(gradients[row], torch.cat([part.flatten() for part in plain]))


def test_a_parameter_that_one_task_does_not_use_has_gradient_zero():
    x, y = torch.ones(2, requires_grad=True), torch.ones(1, requires_grad=True)
    gradients = task_gradients({"both": (x * y).sum(), "one": 3 * x.sum()}, [x, y])
    assert gradients.tolist() == [[1, 1, 2], [3, 3, 0]]


def test_combined_backward_gives_each_head_its_own_gradient_and_the_trunk_the_combination():
    model, plain = sharing(), sharing()
    gradients = combined_backward(losses_of(model), model, lambda rows: rows[0] - 2 * rows[2])
    assert torch.equal(gradients, task_gradients(losses_of(model), model.trunk.parameters()))
    trunk = torch.cat([parameter.grad.flatten() for parameter in model.trunk.parameters()])
    assert torch.allclose(trunk, gradients[0] - 2 * gradients[2])
    sum(losses_of(plain).values()).backward()
    for mine, theirs in zip(model.heads.parameters(), plain.heads.parameters(), strict=True):
        assert torch.allclose(mine.grad, theirs.grad)


def test_combined_backward_with_the_sum_is_backward_and_replaces_old_gradients():
    model, plain = sharing(), sharing()
    for _ in range(2):
        combined_backward(losses_of(model), model, lambda rows: rows.sum(0))
    sum(losses_of(plain).values()).backward()
    for mine, theirs in zip(model.parameters(), plain.parameters(), strict=True):
        assert torch.allclose(mine.grad, theirs.grad)


def test_combined_backward_leaves_frozen_parameters_alone():
    model = sharing()
    model.trunk[0].bias.requires_grad_(False)
    combined_backward(losses_of(model), model, pcgrad)
    assert model.trunk[0].bias.grad is None and model.trunk[0].weight.grad is not None


# Hard sharing


def test_each_task_may_have_its_own_inputs():
    model = sharing()
    inputs = {"c": normal(4, 3), "a": normal(2, 3, seed=1)}
    outputs = model(inputs)
    assert list(outputs) == ["c", "a"]
    for name, x in inputs.items():
        assert torch.allclose(outputs[name], model(x)[name]) and len(outputs[name]) == len(x)


# Uncertainty weighting


@pytest.mark.parametrize(("kind", "factor"), [("regression", 1.0), ("classification", 2.0)])
def test_the_best_log_variance_has_a_closed_form(kind, factor):
    weighting, loss = UncertaintyWeighting({"a": kind, "b": kind}), (0.3, 40.0)
    optimum = [math.log(factor * value) for value in loss]
    with torch.no_grad():
        weighting.log_variances.copy_(torch.tensor(optimum))
    weighting(scalars(*loss)).backward()
    assert weighting.log_variances.grad.abs().max() < 1e-6
    assert torch.allclose(weighting.weights() * torch.tensor(loss), torch.tensor(0.5))  # scale-free: w_i L_i = ½


def test_the_weighted_loss_is_that_of_the_paper():
    weighting = UncertaintyWeighting({"a": "regression", "b": "classification"})
    assert weighting(scalars(3.0, 5.0)).item() == pytest.approx(3 / 2 + 5)  # s = 0 at first
    with torch.no_grad():
        weighting.log_variances.copy_(torch.tensor([0.4, -0.8]))
    wanted = math.exp(-0.4) / 2 * 3 + 0.4 / 2 + math.exp(0.8) * 5 - 0.8 / 2
    assert weighting(scalars(3.0, 5.0)).item() == pytest.approx(wanted)


# GradNorm


def test_the_weight_of_a_task_without_a_loss_stays_finite():
    weighting = UncertaintyWeighting({"a": "regression", "b": "regression"})
    with torch.no_grad():
        weighting.log_variances[0] = -1000.0
    weighting({"a": torch.tensor(0.0), "b": torch.tensor(1.0)}).backward()
    assert weighting.weights()[0].item() == pytest.approx(math.exp(12) / 2)
    assert weighting.log_variances.grad.isfinite().all()


def test_gradnorm_survives_losses_of_zero():
    gradnorm = GradNorm(2)
    gradnorm.step(scalars(1.0, 2.0), torch.eye(2))
    assert gradnorm.step(scalars(0.0, 0.0), torch.zeros(2, 2)).isfinite().all()


def test_gradnorm_keeps_equal_tasks_equal():
    balance, same = GradNorm(3), normal(1, 4).expand(3, 4)
    for _ in range(10):
        weights = balance.step(scalars(2.0, 2.0, 2.0), same)
    assert torch.allclose(weights, torch.ones(3))


def test_gradnorm_brings_the_lengths_together_and_keeps_the_sum():
    balance, gradients = GradNorm(2, alpha=0.0, lr=0.1), torch.tensor([[1.0, 0.0], [0.0, 100.0]])
    for _ in range(100):
        weights = balance.step(scalars(1.0, 1.0), gradients)
        assert weights.sum().item() == pytest.approx(2) and weights.min() > 0
    lengths = weights * gradients.norm(dim=1)
    assert 0.9 < lengths[0] / lengths[1] < 1.1


def test_gradnorm_gives_more_to_the_task_that_is_behind():
    weights = {}
    for alpha in (0.0, 1.0):
        balance = GradNorm(2, alpha=alpha, lr=0.02)
        balance.step(scalars(1.0, 1.0), torch.eye(2))
        for _ in range(80):
            weights[alpha] = balance.step(scalars(0.2, 0.4), torch.eye(2))  # the second has come down less
    # With alpha 1 the lengths, here the weights, go as the ratios of the losses: 2/3 and 4/3.
    assert torch.allclose(weights[0.0], torch.ones(2), atol=0.05)
    assert torch.allclose(weights[1.0], torch.tensor([2 / 3, 4 / 3]), atol=0.05)


# The trainer


def data(names=NAMES, n=40):
    x = normal(n, 3, seed=9).float()
    return {name: (x, torch.sin(x[:, :2] + i)) for i, name in enumerate(names)}


@pytest.mark.parametrize("method", METHODS)
def test_every_method_learns_reproducibly_and_leaves_the_global_generator_alone(method):
    found, state = [], torch.get_rng_state()
    for _ in range(2):
        model = sharing(width=16, dtype=torch.float32)
        seen = train_multitask(model, data(), method=method, steps=60, measure_every=20, seed=3, progress=False)
        found.append(torch.cat([parameter.flatten() for parameter in model.parameters()]))
    assert torch.equal(*found) and torch.equal(torch.get_rng_state(), state)
    assert (seen["losses"][-1] < seen["losses"][0] / 3).all() and seen["weights"].shape == (60, 3)
    assert seen["steps"].tolist() == [0, 20, 40] and seen["cosines"].shape == (3, 3, 3)
    assert torch.allclose(seen["cosines"], seen["cosines"].mT) and seen["cosines"].abs().max() <= 1


def test_the_first_step_of_gradnorm_has_equal_weights():
    model = sharing(dtype=torch.float32)
    weights = train_multitask(model, data(), method="gradnorm", steps=2, progress=False)["weights"]
    assert torch.equal(weights[0], torch.ones(3))
    assert not torch.equal(weights[1], torch.ones(3))


def test_training_mode_is_switched_on():
    model = HardSharing(nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)), {"a": nn.Linear(4, 2)}).eval()
    train_multitask(model, data(("a",)), steps=1, progress=False)
    assert model.trunk[1].running_mean.any()


@pytest.mark.parametrize("method", METHODS)
def test_a_head_that_starts_at_zero_is_measured_as_without_direction(method):
    model = sharing(dtype=torch.float32)
    nn.init.zeros_(model.heads["b"].weight)
    cosines = train_multitask(model, data(), method=method, steps=2, measure_every=1, progress=False)["cosines"]
    assert cosines[0].isnan().any(1).tolist() == [True, True, True] and not cosines[0, 0, 2].isnan()
    assert cosines[1].isfinite().all()


def test_kinds_may_be_named_in_any_order():
    order = [{"c": "classification", "a": "regression"}, {"a": "regression", "c": "classification"}]
    runs = [
        train_multitask(
            sharing(dtype=torch.float32), data(), method="uncertainty", kinds=kinds, steps=3, progress=False
        )["weights"]
        for kinds in order
    ]
    assert torch.equal(*runs)
    assert runs[0][0].tolist() == [0.5, 0.5, 1.0]


def test_one_task_alone_and_a_weight_of_zero():
    model = sharing(dtype=torch.float32)
    before = {name: model.heads[name].weight.clone() for name in NAMES}
    train_multitask(model, data(("a",)), steps=5, progress=False)
    train_multitask(model, data(("b", "c")), weights={"c": 0.0}, steps=5, progress=False)
    assert [torch.equal(before[name], model.heads[name].weight) for name in NAMES] == [False, False, True]


def test_uncertainty_weighting_does_not_mind_the_unit_of_a_task():
    """In other units of one task, the plain sum learns the other one worse; the learned weights do not."""
    errors = {}
    for method in ("sum", "uncertainty"):
        for factor in (1.0, 30.0):
            model, shown = sharing(("a", "b"), 16, torch.float32), data(("a", "b"))
            shown["b"] = shown["b"][0], factor * shown["b"][1]
            train_multitask(model, shown, method=method, steps=120, progress=False)
            with torch.no_grad():
                errors[method, factor] = F.mse_loss(model(shown["a"][0])["a"], shown["a"][1]).item()
    assert errors["sum", 30.0] > 3 * errors["sum", 1.0]
    assert errors["uncertainty", 30.0] < errors["sum", 30.0] / 3


# What is refused


@pytest.mark.parametrize(
    ("call", "error", "told"),
    [
        (lambda: HardSharing(nn.Linear(2, 2), {}), ValueError, "no head; give a head for each task"),
        (lambda: HardSharing(nn.Tanh(), {"a": nn.Linear(2, 2)}), ValueError, "no shared parameter learns"),
        (lambda: sharing()({"d": torch.ones(1, 3)}), KeyError, "no head for 'd'; there are heads for a, b, c"),
        (lambda: task_gradients(scalars(1.0), [torch.ones(1)]), ValueError, "the number of tasks is 1; two or more"),
        (lambda: task_gradients(losses_of(sharing()), []), ValueError, "no shared parameter learns"),
        (
            lambda: task_gradients(losses_of(sharing()), sharing().trunk.parameters()),
            ValueError,
            "the loss of 'a' depends on no shared parameter",
        ),
        (
            lambda: task_gradients(scalars(1.0, 2.0), sharing().parameters()),
            ValueError,
            "the loss of 'a' depends on no shared parameter",
        ),
        (
            lambda: combined_backward({"a": torch.ones(3), "b": torch.tensor(1.0)}, sharing(), pcgrad),
            ValueError,
            r"the loss of 'a' has shape \(3,\); give a scalar tensor",
        ),
        (lambda: combined_backward(scalars(1.0, math.nan), sharing(), pcgrad), ValueError, "the loss of 'b' is nan"),
        (
            lambda: combined_backward({"a": torch.tensor(1.0), "z": torch.tensor(1.0)}, sharing(), pcgrad),
            KeyError,
            "no head for 'z'",
        ),
        (lambda: pcgrad(torch.ones(1, 4)), ValueError, r"shape \(1, 4\); give \(T, P\), one row for each of two or"),
        (lambda: pcgrad(torch.ones(4)), ValueError, r"shape \(4,\)"),
        (lambda: pcgrad(torch.tensor([[1.0], [math.inf]])), ValueError, "gradient 1 is not finite"),
        (lambda: HardSharing(nn.Linear(1, 1), {"keys": nn.Linear(1, 1)}), ValueError, "named 'keys'.*rename the task"),
        (lambda: HardSharing(nn.Linear(1, 1), {"a.b": nn.Linear(1, 1)}), ValueError, "named 'a.b'.*rename the task"),
        (lambda: UncertaintyWeighting({"a": "regression"}), ValueError, "the number of tasks is 1"),
        (lambda: UncertaintyWeighting({"a": "mse", "b": "mse"}), ValueError, "task 'a' is of the kind 'mse'; give reg"),
        (
            lambda: UncertaintyWeighting({"x": "regression", "y": "regression"})(scalars(1.0, 1.0)),
            ValueError,
            "the losses are of a, b; the weights are of x, y",
        ),
        (lambda: GradNorm(1), ValueError, "the number of tasks is 1"),
        (lambda: GradNorm(2, alpha=-1.0), ValueError, "alpha is -1.0"),
        (lambda: GradNorm(2).step(scalars(1.0, 1.0), torch.ones(3, 2)), ValueError, "one row for each of 2 tasks"),
        (lambda: GradNorm(2).step(scalars(1.0, 0.0), torch.eye(2)), ValueError, "none may be 0"),
        (lambda: GradNorm(2).step(scalars(1.0), torch.eye(2)), ValueError, r"the losses are \[1.0\]; give 2"),
        (lambda: GradNorm(2).step(scalars(1.0, -1.0), torch.eye(2)), ValueError, "none of them below 0"),
        (lambda: train_multitask(sharing(), data(), method="mean"), ValueError, "method is 'mean'; give one of sum,"),
        (lambda: train_multitask(sharing(), {}), ValueError, "there is no task"),
        (lambda: train_multitask(sharing(), data(("a",)), method="pcgrad"), ValueError, "the number of tasks is 1"),
        (lambda: train_multitask(sharing(), data(("a", "z"))), KeyError, "no head for 'z'"),
        (lambda: train_multitask(sharing(), data(), weights={"z": 1.0}), ValueError, "only 'sum' takes weights"),
        (
            lambda: train_multitask(sharing(), data(), method="pcgrad", weights={"a": 1.0}),
            ValueError,
            "only 'sum' takes weights",
        ),
        (lambda: train_multitask(sharing(), data(), steps=0), ValueError, "steps is 0"),
        (lambda: train_multitask(sharing(), data(), measure_every=-3), ValueError, "measure_every -3"),
        (lambda: train_multitask(sharing(), data(("a",)), measure_every=1), ValueError, "the number of tasks is 1"),
        (lambda: train_multitask(sharing(), data(), kinds={"a": "regression"}), ValueError, "only 'uncertainty' takes"),
        (
            lambda: train_multitask(sharing(), {"a": (torch.ones(2, 3), torch.ones(3, 2))}),
            ValueError,
            "task 'a' has 2 inputs and 3 targets",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(call, error, told):
    with pytest.raises(error, match=told):
        call()
