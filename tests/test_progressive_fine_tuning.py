"""Stages, rates and penalties against their formulas; what is frozen stays; what is trained moves."""

import copy
import math

import pytest
import torch
from torch import nn

from tlcourse.backbones import Backbone
from tlcourse.feature_extraction import linear_probe
from tlcourse.fine_tuning import TransferLearningModel
from tlcourse.progressive_fine_tuning import (
    ProgressiveFineTuner,
    l2_sp,
    one_cycle,
    slanted_triangular,
    start_from_probe,
)
from tlcourse.training import evaluate, predict


def small_backbone() -> Backbone:
    groups = {f"block{i}": nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3), nn.Tanh()) for i in range(5)}
    groups["features"] = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 8))
    return Backbone(groups, name="small", feature_dim=8, image_size=8, resize_size=8, interpolation="bilinear")


@pytest.fixture
def model() -> TransferLearningModel:
    torch.manual_seed(0)
    return TransferLearningModel(2, backbone=small_backbone(), dropout=0)


@pytest.fixture
def data() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(24, 3, 8, 8, generator=generator), torch.arange(24) % 2


@pytest.fixture(autouse=True)
def on_the_cpu(monkeypatch):
    """Numbers are compared to the last bits here, which holds on one device only."""
    monkeypatch.setenv("TLCOURSE_DEVICE", "cpu")


def state(module: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def changed(before: dict[str, torch.Tensor], module: nn.Module) -> set[str]:
    """The layer groups of which anything, statistics included, is not as it was."""
    return {name.split(".")[0] for name, tensor in module.state_dict().items() if not torch.equal(tensor, before[name])}


# L2-SP


def test_l2_sp_is_its_formula():
    weights = {"a": torch.tensor([1.0, 2.0]), "b": torch.tensor([[3.0]]), "head": torch.tensor([4.0, 5.0])}
    start = {"a": torch.tensor([0.0, 4.0]), "b": torch.tensor([[1.0]])}
    by_hand = 0.6 / 2 * (1 + 4 + 4) + 0.2 / 2 * (16 + 25)
    assert l2_sp(weights, start, alpha=0.6, beta=0.2).item() == pytest.approx(by_hand)


def test_l2_sp_pulls_towards_the_start():
    weight, start = torch.tensor([3.0, -1.0], requires_grad=True), torch.tensor([1.0, 1.0])
    l2_sp({"w": weight}, {"w": start}, alpha=0.5, beta=1.0).backward()
    assert torch.allclose(weight.grad, 0.5 * (weight.detach() - start))


def test_a_quadratic_loss_with_l2_sp_ends_where_the_algebra_says():
    """The minimum of h/2 (w - w*)² + alpha/2 (w - w0)² lies at w0 + h / (h + alpha) (w* - w0), for each h."""
    curvature, best, start, alpha = torch.tensor([100.0, 1.0, 0.01]), torch.ones(3), torch.zeros(3), 1.0
    weight = start.clone().requires_grad_()
    optimizer = torch.optim.LBFGS([weight], max_iter=200, tolerance_grad=1e-10, line_search_fn="strong_wolfe")

    def objective():
        optimizer.zero_grad()
        loss = (curvature / 2 * (weight - best).square()).sum() + l2_sp({"w": weight}, {"w": start}, alpha, 0.0)
        loss.backward()
        return loss

    optimizer.step(objective)
    assert torch.allclose(weight.detach(), curvature / (curvature + alpha), atol=1e-4)


def test_l2_sp_refuses_what_makes_no_sense():
    weights = {"a": torch.ones(1)}
    with pytest.raises(ValueError, match="alpha is -1"):
        l2_sp(weights, weights, alpha=-1, beta=0)
    with pytest.raises(ValueError, match="start holds b"):
        l2_sp(weights, {"b": torch.ones(1)}, alpha=1, beta=0)
    with pytest.raises(ValueError, match=r"a has shape \(1,\), its start \(3,\)"):
        l2_sp(weights, {"a": torch.ones(3)}, alpha=1, beta=0)


# schedules


def rates_of(schedule, steps: int, lr: float = 0.5) -> list[float]:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=lr)
    scheduler, rates = schedule(optimizer, steps), []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


@pytest.mark.parametrize("T", [12, 45, 200])
def test_slanted_triangular_is_the_papers_formula(T):
    """Howard and Ruder's equation (3), with their own symbols; its fall ends at T, whatever floor leaves over."""
    cut_frac, ratio, eta_max = 0.1, 32, 0.5
    cut = math.floor(T * cut_frac)
    expected = []
    for t in range(T):
        p = t / cut if t < cut else 1 - (t - cut) / (T - cut)
        expected.append(eta_max * (1 + p * (ratio - 1)) / ratio)
    assert rates_of(slanted_triangular, T) == pytest.approx(expected)


@pytest.mark.parametrize("schedule", [one_cycle, slanted_triangular])
def test_a_schedule_rises_to_the_full_rate_and_falls(schedule):
    rates = rates_of(schedule, 100)
    peak = rates.index(max(rates))
    assert max(rates) == pytest.approx(0.5, rel=0.01) and 5 < peak < 40
    assert rates[: peak + 1] == sorted(rates[: peak + 1]) and rates[peak:] == sorted(rates[peak:], reverse=True)
    assert rates[0] < 0.1 and rates[-1] < 0.1


@pytest.mark.parametrize("schedule", [one_cycle, slanted_triangular])
def test_too_few_steps_are_refused(schedule):
    with pytest.raises(ValueError, match="in 3 steps no rate can rise and fall"):
        rates_of(schedule, 3)
    assert 0.4 < max(rates_of(schedule, 4)) <= 0.5


def test_slanted_triangular_refuses_a_share_that_is_none():
    with pytest.raises(ValueError, match="cut_frac is 1"):
        rates_of(lambda optimizer, steps: slanted_triangular(optimizer, steps, cut_frac=1), 10)


# stages


def test_split_layers_cuts_the_groups_in_order(model):
    names = [name for name, _ in model.layers.named_children()]
    for stages in range(1, len(names) + 1):
        parts = ProgressiveFineTuner(model, stages).split_layers()
        assert sum(parts, []) == names and len(parts) == stages
        assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_head_first_adds_parts_backwards_and_input_first_forwards(model):
    backwards, forwards = ProgressiveFineTuner(model), ProgressiveFineTuner(model, order="input first")
    assert backwards.split_layers() == [["block0", "block1"], ["block2", "block3", "block4"], ["features", "head"]]
    assert backwards.trainable_layers(0) == ["features", "head"]
    assert backwards.trainable_layers(1) == ["block2", "block3", "block4", "features", "head"]
    assert forwards.trainable_layers(0) == ["block0", "block1", "head"]
    assert forwards.trainable_layers(1) == ["block0", "block1", "block2", "block3", "block4", "head"]
    assert backwards.trainable_layers(2) == forwards.trainable_layers(2) == list(dict(model.layers.named_children()))


@pytest.mark.parametrize("order", ["head first", "input first"])
@pytest.mark.parametrize("stage", [0, 1, 2])
def test_a_stage_changes_its_layers_and_nothing_else(model, data, order, stage):
    tuner, before = ProgressiveFineTuner(model, order=order, freeze_batch_norm=False), state(model.layers)
    tuner.train_stage(stage, data, epochs=2, batch_size=8, progress=False)
    assert changed(before, model.layers) == set(tuner.trainable_layers(stage))


def test_batch_normalisation_stays_frozen_in_trained_layers(model, data):
    before = state(model.layers)
    ProgressiveFineTuner(model).train_stage(2, data, epochs=2, batch_size=8, progress=False)
    norms = {name for name in before if name.split(".")[1] == "1" and name.startswith("block")}
    assert norms and all(torch.equal(model.layers.state_dict()[name], before[name]) for name in norms)
    assert not torch.equal(model.layers.state_dict()["block0.0.weight"], before["block0.0.weight"])


def test_rates_fall_from_part_to_part_and_from_stage_to_stage(model):
    tuner = ProgressiveFineTuner(model, 3, lr=0.5, decay=2.0)
    assert tuner.rates(0) == pytest.approx([0.125, 0.25, 0.5])
    assert tuner.rates(2) == pytest.approx([0.125 / 3, 0.25 / 3, 0.5 / 3])
    with pytest.raises(ValueError, match="stage is 3"):
        tuner.rates(3)


@pytest.mark.parametrize(
    ("order", "stage", "counts"),
    [
        ("head first", 0, [0, 0, 4]),  # weights and biases of features and head
        ("head first", 1, [0, 6, 4]),  # and of three convolutions
        ("input first", 0, [4, 0, 2]),
        ("input first", 2, [4, 6, 4]),
    ],
)
def test_each_part_is_trained_at_its_rate(model, data, order, stage, counts):
    seen = []

    def schedule(optimizer, steps):
        seen.append((steps, [len(group["params"]) for group in optimizer.param_groups]))
        seen.append([group["lr"] for group in optimizer.param_groups])
        return one_cycle(optimizer, steps)

    tuner = ProgressiveFineTuner(model, order=order, lr=0.01, decay=2.0, schedule=schedule)
    tuner.train_stage(stage, data, epochs=3, batch_size=10, progress=False)
    assert seen[0] == (3 * 3, counts)  # 24 images in batches of 10
    assert seen[1] == pytest.approx([0.0025 / (stage + 1), 0.005 / (stage + 1), 0.01 / (stage + 1)])


def test_validation_is_of_the_whole_model(model, data):
    history = ProgressiveFineTuner(model).train_stage(0, data, data, epochs=4, batch_size=8, progress=False)
    assert history.validation_loss[-1] == pytest.approx(evaluate(model, data)["loss"], rel=1e-5)


def test_the_loss_is_the_one_that_is_given(model, data):
    before = model.layers.head[-1].weight.detach().clone()
    tuner = ProgressiveFineTuner(model, lr=0.1)
    tuner.train_stage(0, data, epochs=4, batch_size=8, loss=lambda z, y: 0 * z.sum(), weight_decay=0, progress=False)
    assert torch.equal(model.layers.head[-1].weight, before)
    tuner.train_stage(0, data, epochs=4, batch_size=8, loss=lambda z, y: 0 * z.sum(), weight_decay=0.9, progress=False)
    assert model.layers.head[-1].weight.norm() < before.norm(), "weight decay alone pulls to zero"


def test_a_stage_learns(model):
    generator = torch.Generator().manual_seed(1)
    labels = torch.arange(40) % 2
    images = 0.3 * torch.rand(40, 3, 8, 8, generator=generator) + 0.7 * labels[:, None, None, None]
    history = ProgressiveFineTuner(model, lr=0.1).train_stage(
        2, (images, labels), (images, labels), epochs=15, batch_size=10, progress=False
    )
    assert history.validation_accuracy[-1] > 0.9


@pytest.mark.parametrize("stage", [0, 2])
def test_each_batch_draws_one_view_of_each_image(model, data, stage):
    """Equal views train as the image itself does; of different views, both are seen."""
    images, labels = data
    results = []
    for given in (images, torch.stack([images, images], dim=1), torch.stack([images, 1 - images], dim=1)):
        network = copy.deepcopy(model)
        ProgressiveFineTuner(network).train_stage(stage, (given, labels), epochs=4, batch_size=24, progress=False)
        results.append(network.layers.features[-1].weight.detach())
    for view in (images, 1 - images):
        network = copy.deepcopy(model)
        ProgressiveFineTuner(network).train_stage(stage, (view, labels), epochs=4, batch_size=24, progress=False)
        assert not torch.equal(results[2], network.layers.features[-1].weight)
    assert torch.allclose(results[0], results[1], atol=1e-6)


def test_moved_is_the_relative_distance_from_the_start(model):
    tuner = ProgressiveFineTuner(model)
    assert set(tuner.moved().values()) == {0.0}
    with torch.no_grad():
        for parameter in model.layers.block1.parameters():
            parameter.mul_(1.25)
    assert tuner.moved()["block1"] == pytest.approx(0.25)
    assert sum(value > 0 for value in tuner.moved().values()) == 1 and "head" not in tuner.moved()


def test_movement_is_noted_after_every_epoch(model, data):
    tuner = ProgressiveFineTuner(model)
    for stage in range(2):
        tuner.train_stage(stage, data, epochs=3, batch_size=8, progress=False)
    assert len(tuner.movement) == 6
    assert [epoch["block2"] > 0 for epoch in tuner.movement] == [False] * 3 + [True] * 3
    assert tuner.movement[-1] == tuner.moved()


def test_a_seed_repeats_the_numbers_and_another_gives_others(model, data):
    networks = [copy.deepcopy(model) for _ in range(3)]
    for network, seed in zip(networks, (3, 3, 4), strict=True):
        ProgressiveFineTuner(network).train_stage(1, data, epochs=2, batch_size=8, seed=seed, progress=False)
    first, same, other = (network.layers.head[-1].weight for network in networks)
    assert torch.equal(first, same) and not torch.equal(first, other)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"num_stages": 0}, "num_stages is 0; give 1 to 7"),
        ({"num_stages": 8}, "num_stages is 8; give 1 to 7"),
        ({"order": "random"}, "order is 'random'; give 'head first' or 'input first'"),
        ({"lr": 0}, "lr=0"),
        ({"decay": -1}, "decay=-1"),
    ],
)
def test_settings_that_make_no_sense_are_refused(model, options, told):
    with pytest.raises(ValueError, match=told):
        ProgressiveFineTuner(model, **options)


def test_a_stage_that_is_not_there_is_refused_before_anything_is_frozen(model, data):
    model.unfreeze_layers(6)
    with pytest.raises(ValueError, match="stage is 3; there are stages 0 to 2"):
        ProgressiveFineTuner(model).train_stage(3, data)
    with pytest.raises(ValueError, match="epochs is 0"):
        ProgressiveFineTuner(model).train_stage(0, data, epochs=0)
    with pytest.raises(ValueError, match="24 inputs and 23 labels"):
        ProgressiveFineTuner(model).train_stage(0, (data[0], data[1][:-1]))
    assert all(parameter.requires_grad for parameter in model.parameters())


# LP-FT


def test_start_from_probe_makes_the_model_answer_as_the_probe(model, data):
    images, labels = data
    start_from_probe(model, images, labels, penalty=1.0)
    features = predict(model.layers[:-1], images)
    probe = linear_probe(features, labels, 1.0)
    with torch.no_grad():
        assert torch.allclose(predict(model, images), probe(features), atol=1e-5)


def test_start_from_probe_refuses_another_number_of_classes(model, data):
    with pytest.raises(ValueError, match="the labels have 3 classes, the model's head 2"):
        start_from_probe(model, data[0], torch.arange(24) % 3)
