import copy
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from tlcourse.net2net import copy_incoming, deepen, function_distance, random_mapping, split_outgoing, widen

many = settings(max_examples=25, deadline=None, derandomize=True)
EXACT = 1e-12  # in float64


class Residual(nn.Module):
    """x + conv(relu(conv(x))), with batch normalisation or without."""

    def __init__(self, channels: int, norm: bool = True):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm1 = nn.BatchNorm2d(channels) if norm else nn.Identity()
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.relu2 = nn.ReLU()

    def forward(self, x):
        return self.relu2(x + self.conv2(self.relu1(self.norm1(self.conv1(x)))))


@st.composite
def networks(draw) -> SimpleNamespace:
    """A random network in float64 that has seen two batches, inputs, and the names of its inner layers."""
    torch.manual_seed(draw(st.integers(0, 10_000)))
    activation = draw(st.sampled_from([nn.ReLU, nn.Hardtanh]))
    layers, channels, size = [], 1, 12
    for _ in range(draw(st.integers(0, 3))):
        new, kernel, stride = draw(st.integers(1, 5)), draw(st.sampled_from([1, 3, 5])), draw(st.sampled_from([1, 2]))
        norm = draw(st.booleans())
        layers.append(nn.Conv2d(channels, new, kernel, stride, kernel // 2, bias=not norm))
        layers += [nn.BatchNorm2d(new)] * norm + [activation()]
        channels, size = new, -(-size // stride)
        if draw(st.booleans()):
            layers.append(Residual(channels, draw(st.booleans())))
        if size > 3 and draw(st.booleans()):
            layers.append(nn.MaxPool2d(2))
            size //= 2
    layers.append(nn.Flatten())
    features = channels * size**2
    for _ in range(draw(st.integers(1, 2))):
        new = draw(st.integers(1, 6))
        layers += [nn.Linear(features, new), *[nn.BatchNorm1d(new)] * draw(st.booleans()), activation()]
        features = new
    network = nn.Sequential(*layers, nn.Linear(features, 3)).double()
    for _ in range(2):
        network(torch.randn(8, 1, 12, 12).double())
    inner = [name for name, module in network.named_modules() if isinstance(module, nn.Conv2d | nn.Linear)][:-1]
    return SimpleNamespace(network=network.eval(), inputs=torch.randn(9, 1, 12, 12).double(), inner=inner, draw=draw)


@many
@given(networks(), st.integers(0, 6))
def test_widening_any_layer_keeps_the_function_in_both_modes(net, more):
    for layer in net.inner:
        before = copy.deepcopy(net.network.state_dict())
        width = net.network.get_submodule(layer).weight.shape[0]
        grown = widen(net.network, layer, width + more, seed=more)
        assert function_distance(net.network, grown, net.inputs) < EXACT
        assert function_distance(net.network, grown, net.inputs, training=True) < EXACT
        assert grown.get_submodule(layer).weight.shape[0] == width + more
        assert before.keys() == net.network.state_dict().keys()
        assert all(torch.equal(before[name], tensor) for name, tensor in net.network.state_dict().items())


@many
@given(networks(), st.booleans())
def test_deepening_keeps_the_function(net, measured):
    for layer in net.inner:
        if layer.endswith("conv2"):
            continue  # a sum follows
        grown = deepen(net.network, layer, inputs=net.inputs if measured else None)
        assert function_distance(net.network, grown, net.inputs) < EXACT
        if measured:
            # Of a dead channel the batch tells nothing: its variance of 0 is exact, but divides rounding errors by √ε.
            assert function_distance(net.network, grown, net.inputs, training=True) < 1e-9
        assert sum(p.numel() for p in grown.parameters()) > sum(p.numel() for p in net.network.parameters())


@many
@given(networks(), st.lists(st.tuples(st.booleans(), st.integers(0, 9)), min_size=2, max_size=4))
def test_growing_again_and_again_keeps_the_function(net, steps):
    grown = net.network
    for wider, choice in steps:
        layers = [name for name, module in grown.named_modules() if isinstance(module, nn.Conv2d | nn.Linear)][:-1]
        layer = layers[choice % len(layers)]
        if wider:
            grown = widen(grown, layer, grown.get_submodule(layer).weight.shape[0] + 2, seed=choice)
        elif not layer.endswith("conv2"):
            grown = deepen(grown, layer)
    assert function_distance(net.network, grown, net.inputs) < EXACT


def mlp(activation: nn.Module | None = None, hidden: int = 4) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, hidden), activation or nn.ReLU(), nn.Linear(hidden, 2)).double()


def test_the_weights_of_a_case_worked_by_hand():
    mapping = torch.tensor([0, 1, 0])
    incoming, outgoing = torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([[6.0, 5.0]])
    assert copy_incoming(incoming, mapping).tolist() == [[1, 2], [3, 4], [1, 2]]
    assert split_outgoing(outgoing, mapping).tolist() == [[3, 5, 3]]
    maps = torch.tensor([[6.0, 8.0, 5.0, 7.0]])  # two pixels of each unit
    assert split_outgoing(maps, mapping).tolist() == [[3, 4, 5, 7, 3, 4]]


def test_the_mapping_keeps_the_old_units_and_draws_the_new_ones_evenly():
    mapping = random_mapping(4, 4_004, torch.Generator().manual_seed(0))
    assert mapping[:4].tolist() == [0, 1, 2, 3]
    assert torch.allclose(mapping[4:].bincount() / 4_000, torch.full((4,), 0.25), atol=0.03)
    with pytest.raises(ValueError, match="4 units cannot grow to 3"):
        random_mapping(4, 3)


def test_copies_get_the_same_gradient_and_noise_breaks_that():
    def gradients(noise: float) -> torch.Tensor:
        grown = widen(mlp(nn.Tanh()), "0", 8, noise=noise)
        grown(torch.randn(16, 3).double()).square().sum().backward()
        return grown[0].weight.grad[[mapping[4], 4]]  # of a unit and its copy

    mapping = random_mapping(4, 8, torch.Generator().manual_seed(0)).tolist()
    original, copied = gradients(0.0)
    assert torch.allclose(original, copied, atol=EXACT) and original.abs().max() > 0
    original, copied = gradients(0.1)
    assert (original - copied).abs().max() > 1e-3


def test_noise_is_in_the_copies_only_and_of_the_size_asked_for():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(400, 50), nn.ReLU(), nn.Linear(50, 2))
    plain, noisy = (widen(network, "0", 100, noise=noise, seed=3) for noise in (0.0, 0.5))
    difference = (noisy[0].weight - plain[0].weight).detach()
    assert difference[:50].abs().max() == 0
    assert difference[50:].std() == pytest.approx(0.5 * network[0].weight.std().item(), rel=0.02)
    assert torch.equal(plain[2].weight, noisy[2].weight)
    alone = widen(nn.Sequential(nn.Linear(1, 1), nn.ReLU(), nn.Linear(1, 1)), "0", 2, noise=0.5)
    assert alone[0].weight.isfinite().all()


def test_a_seed_repeats_and_another_one_does_not():
    grown = [widen(mlp(hidden=9), "0", 18, seed=seed)[0].weight for seed in (1, 1, 2)]
    assert torch.equal(grown[0], grown[1]) and not torch.equal(grown[0], grown[2])


def test_random_numbers_of_the_user_are_left_alone():
    state = torch.get_rng_state()
    dropout = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Dropout(), nn.Linear(4, 2))
    torch.set_rng_state(state)
    deepen(widen(dropout, "0", 6, noise=1.0), "0", inputs=torch.ones(5, 3))
    assert torch.equal(torch.get_rng_state(), state)


def test_frozen_weights_stay_frozen_and_modes_stay():
    network = mlp()
    network[0].requires_grad_(False)
    grown = widen(network.eval(), "0", 6)
    assert not grown[0].weight.requires_grad and grown[2].weight.requires_grad
    assert not any(module.training for module in deepen(network, "0").modules())


def test_without_statistics_of_data_batch_norm_is_the_identity_in_evaluation_mode_only():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2)).double()
    inputs = torch.randn(50, 3).double()
    blind, measured = deepen(network, "0"), deepen(network, "0", inputs=inputs)
    assert function_distance(network, blind, inputs) < EXACT
    assert function_distance(network, blind, inputs, training=True) > 0.05
    assert function_distance(network, measured, inputs, training=True) < EXACT


def test_an_activation_that_is_not_idempotent_is_refused_rightly():
    network = mlp(nn.Tanh())
    with pytest.raises(ValueError, match="Tanh '1' behind layer '0' is not idempotent.*morph_depth"):
        deepen(network, "0")
    twice = nn.Sequential(network[0], nn.Tanh(), nn.Tanh(), network[2])  # what it would have become
    assert function_distance(network, twice, torch.randn(20, 3).double()) > 0.01


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: widen(mlp(), "0", 3), "layer '0' has 4 units and cannot grow to 3"),
        (lambda: widen(mlp(), "0", 6, noise=-1), "noise is -1"),
        (lambda: widen(mlp(), "0", 6, noise=float("nan")), "noise is nan"),
        (lambda: widen(mlp(), "2", 6), "layer '2' cannot change: they meet the network's output"),
        (lambda: deepen(mlp(), "2"), "layer '2' is followed by the network's output"),
        (lambda: deepen(nn.Sequential(nn.Conv1d(1, 2, 3), nn.ReLU()), "0", kernel_size=2), "kernel_size is 2"),
    ],
)
def test_what_cannot_grow_is_refused(call, told):
    with pytest.raises(ValueError, match=told):
        call()


def test_function_distance_leaves_the_networks_as_they_are():
    network = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    before = copy.deepcopy(network.state_dict())
    assert function_distance(network, network, torch.randn(4, 3), training=True) == 0
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
    other = copy.deepcopy(network)
    with torch.no_grad():
        other[1].bias += torch.tensor([0.0, 3.0])
    assert function_distance(network, other, torch.randn(4, 3)) == pytest.approx(3)
