import copy

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from tlcourse.modularized import MorphableModule, is_simple, morph_module
from tlcourse.net2net import function_distance, widen
from tlcourse.network_morphism import SOLVED, ParametricActivation, morph_depth, morph_kernel, morph_width

many = settings(max_examples=20, deadline=None, derandomize=True)
EXACT = 1e-12  # in float64

CHAIN = [("in", "a", 3), ("a", "out", 3)]
PARALLEL = [("in", "out", 3), ("in", "out", 1)]
RESIDUAL = [("in", "a", 1), ("a", "b", 3), ("b", "out", 1), ("in", "out", 3)]
INCEPTION = [("in", "a", 1), ("a", "out", 5), ("in", "b", 3), ("b", "out", 1), ("in", "out", 3)]
NESTED = [("in", "a", 3), ("a", "b", 1), ("a", "c", 3), ("b", "d", 1), ("c", "d", 1), ("d", "out", 3), ("a", "d", 1)]
BRIDGE = [("in", "a", 3), ("in", "b", 1), ("a", "b", 3), ("a", "out", 3), ("b", "out", 3)]
DENSE = [("in", "a", 3), ("in", "b", 1), ("in", "out", 1), ("a", "b", 1), ("a", "out", 3), ("b", "out", 3)]
TWO_IN_TWO_OUT = [("in", "a", 1), ("in", "b", 3), ("a", "c", 1), ("a", "d", 1), ("b", "c", 3), ("b", "d", 1)] + [
    *(("c", "out", 3), ("d", "out", 3)),
]
TWINS = [("in", "out", 3)] * 2  # one and the same tuple, twice
SIMPLE, COMPLEX = [CHAIN, PARALLEL, TWINS, RESIDUAL, INCEPTION, NESTED], [BRIDGE, DENSE, TWO_IN_TWO_OUT]


@st.composite
def graphs(draw) -> list[tuple[str, str, int]]:
    """A random module: up to three inner vertices in a row, each on a way; no kernel into the sink below 3."""
    vertices = ["in", *"abc"[: draw(st.integers(0, 3))], "out"]
    pairs = list(zip(vertices, vertices[1:], strict=False))
    others = [(u, v) for i, u in enumerate(vertices) for v in vertices[i + 1 :]]
    pairs += draw(st.lists(st.sampled_from(others), max_size=3))
    edges = [(u, v, 3 if v == "out" else draw(st.sampled_from([1, 3]))) for u, v in pairs]
    return draw(st.permutations(edges))


@many
@given(graphs(), st.sampled_from([1, 3]), st.integers(1, 3), st.integers(0, 2), st.booleans())
def test_a_convolution_becomes_any_module(edges, size, stride, padding, biased):
    torch.manual_seed(padding)
    convolution = nn.Conv2d(2, 3, size, stride, padding, bias=biased)
    network = nn.Sequential(convolution, nn.BatchNorm2d(3), nn.Tanh()).double()
    inputs = torch.randn(4, 2, 8, 9).double()
    before = copy.deepcopy(network.state_dict())
    grown, residual = morph_module(network, "0", edges, channels=24, activation=nn.Sigmoid(), seed=size)
    assert residual <= SOLVED
    assert function_distance(network, grown, inputs) < EXACT
    assert function_distance(network, grown, inputs, training=True) < 10 * EXACT  # divided by a small deviation
    assert sum(type(module) is nn.Conv2d for module in grown[0].modules()) == len(edges)
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())


@pytest.mark.parametrize("edges", [*SIMPLE, *COMPLEX, [("in", "keys", 3), ("keys", "a.b", 1), ("a.b", "out", 3)]])
def test_the_named_modules_keep_the_function(edges):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(2, 3, 3, padding=1)).double()
    grown, residual = morph_module(network, "0", edges, channels=24)
    assert residual <= SOLVED
    assert function_distance(network, grown, torch.randn(2, 2, 6, 7).double()) < EXACT


@pytest.mark.parametrize("edges", SIMPLE)
def test_simple_modules(edges):
    assert is_simple(edges) and is_simple(edges[::-1])


@pytest.mark.parametrize("edges", COMPLEX)
def test_complex_modules(edges):
    assert not is_simple(edges) and not is_simple(edges[::-1])


@many
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 99)), max_size=6))
def test_what_the_two_operations_make_is_simple_and_one_bridge_in_it_is_not(splits):
    edges = [("in", "out", 3)]
    for number, (series, choice) in enumerate(splits):
        start, end, size = edge = edges[choice % len(edges)]
        if series:
            edges.remove(edge)
            edges += [(start, f"v{number}", size), (f"v{number}", end, size)]
        else:
            edges.append(edge)
    assert is_simple(edges)
    start, end, size = edges.pop()
    bridge = [(start, "x", 1), (start, "y", 1), ("x", "y", 1), ("x", end, size), ("y", end, size)]
    assert not is_simple(edges + bridge)


@pytest.mark.parametrize("edges", SIMPLE + COMPLEX)
@pytest.mark.parametrize("padding", [0, 1, 3])
def test_the_module_is_its_composed_kernel_along_the_border_too(edges, padding):
    torch.manual_seed(0)
    module = MorphableModule(edges, 2, 3, 4, stride=2, padding=padding).double()
    kernel, inputs = module.composed("out"), torch.randn(3, 2, 12, 15).double()
    assert kernel.shape == (4, 2, *(2 * module.margins["in"] + 1,) * 2)
    bias = next(layer.bias for layer in module.layers if layer.bias is not None)
    # `padding` counts from the middle of the kernel.
    expected = F.conv2d(inputs, kernel, bias, stride=2, padding=padding + module.margins["in"])
    assert torch.allclose(module(inputs), expected, atol=EXACT)


def test_the_margins_of_a_module_worked_by_hand():
    # From a: 1 into out, or 1 to b and 1 on. From in: 1 to a, then 2; or 0 to b, then 1.
    assert MorphableModule(BRIDGE, 1, 2, 1).margins == {"out": 0, "b": 1, "a": 2, "in": 3}


def test_when_the_activations_have_been_learned_the_module_is_no_convolution_any_more():
    torch.manual_seed(0)
    module = MorphableModule(BRIDGE, 2, 3, 4, activation=nn.Tanh()).double()
    x, y = torch.randn(2, 1, 2, 9, 9).double()
    zero = module(torch.zeros_like(x))
    assert (module(x + y) - module(x) - module(y) + zero).abs().max() < EXACT
    for activation in module.activations:
        activation.a.data.fill_(0.5)
    assert (module(x + y) - module(x) - module(y) + zero).abs().max() > 0.01


def network() -> nn.Sequential:
    torch.manual_seed(0)
    layers = nn.Conv2d(1, 3, 3, 2), nn.ReLU(), nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 2, 1)
    return nn.Sequential(*layers).double()


@pytest.mark.parametrize("edges", [RESIDUAL, INCEPTION, BRIDGE, DENSE])
def test_everything_new_learns(edges):
    torch.manual_seed(1)
    grown = morph_module(network(), "2", edges, channels=24, activation=nn.Tanh()).network
    grown(torch.randn(5, 1, 15, 15).double()).square().sum().backward()
    assert all(parameter.grad.abs().max() > 0 for parameter in grown[2].parameters())


def test_a_network_with_a_module_grows_on_in_the_module_before_it_and_behind_it():
    inputs, old = torch.randn(5, 1, 15, 15).double(), network()
    grown = morph_module(old, "2", BRIDGE, channels=24, activation=nn.Tanh()).network
    conv = [name for name, module in grown.named_modules() if type(module) is nn.Conv2d]
    assert conv == ["0", "2.layers.0", "2.layers.1", "2.layers.2", "2.layers.3", "2.layers.4", "4"]
    for name in conv[:-1]:
        width = grown.get_submodule(name).out_channels + 2
        for again in (widen(grown, name, width), morph_width(grown, name, width)):
            assert function_distance(old, again, inputs) < EXACT
    for name in ("0", "4"):
        assert function_distance(old, morph_depth(grown, name).network, inputs) < EXACT
        assert function_distance(old, morph_module(grown, name, CHAIN, channels=12).network, inputs) < EXACT
        assert function_distance(old, morph_kernel(grown, name, 5), inputs) < EXACT


def test_a_layer_deep_in_a_residual_network():
    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.relu = nn.Conv2d(3, 3, 3, padding=1), nn.ReLU()

        def forward(self, x):
            return x + self.relu(self.conv(x))

    torch.manual_seed(0)
    old, inputs = nn.Sequential(nn.Conv2d(2, 3, 1), Block(), Block()).double(), torch.randn(4, 2, 7, 7).double()
    grown = morph_module(old, "1.conv", RESIDUAL, channels=9).network
    assert isinstance(grown[1].conv, MorphableModule) and isinstance(old[1].conv, nn.Conv2d)
    assert function_distance(old, grown, inputs) < EXACT
    with pytest.raises(ValueError, match="layer '0' cannot change: they meet the network's output"):
        morph_width(grown, "0", 5)
    longer = nn.Sequential(*grown, nn.Conv2d(3, 2, 3)).double()
    assert function_distance(longer, morph_width(longer, "0", 5), inputs) < EXACT


def test_seeds_repeat_modes_and_precision_stay_and_random_numbers_are_left_alone():
    old = network().float().eval()
    state = torch.get_rng_state()
    grown = [morph_module(old, "2", BRIDGE, channels=24, seed=seed).network for seed in (1, 1, 2)]
    assert torch.equal(torch.get_rng_state(), state)
    weights = [module[2].layers[0].weight for module in grown]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])
    assert all(parameter.dtype == torch.float32 for parameter in grown[0].parameters())
    assert not any(module.training for module in grown[0].modules())
    assert function_distance(old, grown[0], torch.randn(8, 1, 15, 15)) < 1e-5
    grown[2].load_state_dict(grown[0].state_dict())
    assert function_distance(grown[0], copy.deepcopy(grown[2]), torch.randn(8, 1, 15, 15)) == 0


def test_inner_vertices_have_parametric_activations_and_the_sink_has_none():
    module = morph_module(network(), "2", BRIDGE, channels=24).network[2]
    assert len(module.activations) == 2
    assert all(isinstance(activation, ParametricActivation) for activation in module.activations)
    assert sum(layer.bias is not None for layer in module.layers) == 1


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: morph_module(network(), "2", CHAIN, channels=4), r"layer '2' .*residual of 0\.\d.*more channels, or"),
        (lambda: morph_module(network(), "2", [("in", "out", 1)], channels=4), "compose to 1, layer '2' has 3"),
        (lambda: morph_module(network(), "1", CHAIN, channels=4), "no linear layer or convolution '1'"),
        (lambda: morph_module(nn.Sequential(nn.Linear(2, 2)), "0", CHAIN, channels=4), "layer '0' must be a conv"),
        (lambda: morph_module(nn.Sequential(nn.Conv2d(1, 1, 2)), "0", CHAIN, channels=4), "layer '0'.*odd kernel"),
        (lambda: morph_module(nn.Sequential(nn.Conv2d(2, 2, 3, groups=2)), "0", CHAIN, channels=4), "'0' has 2 groups"),
        (lambda: is_simple([("in", "a", 3), ("a", "out", 2)]), "has kernel size 2; give odd ones"),
        (lambda: is_simple([("in", "a", 3)]), "from 'in' to 'out'"),
        (lambda: is_simple([*CHAIN, ("b", "out", 1)]), "every vertex must be on a path"),
        (lambda: is_simple([*CHAIN, ("in", "b", 1)]), "every vertex must be on a path"),
        (lambda: is_simple([*CHAIN, ("a", "in", 1)]), "every vertex must be on a path"),
        (lambda: is_simple([*CHAIN, ("a", "b", 1), ("b", "a", 1)]), "no cycle"),
        (lambda: is_simple([*CHAIN, ("a", "a", 1)]), "no cycle"),
    ],
)
def test_what_is_no_module_is_refused(call, told):
    with pytest.raises(ValueError, match=told):
        call()
