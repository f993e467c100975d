import copy
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from tlcourse.net2net import deepen, function_distance, widen
from tlcourse.network_morphism import (
    SOLVED,
    ParametricActivation,
    centred,
    compose,
    morph_depth,
    morph_kernel,
    morph_width,
    solve_morphism,
    solve_second,
)

many = settings(max_examples=20, deadline=None, derandomize=True)
EXACT = 1e-12  # in float64


class Residual(nn.Module):
    """x + conv(tanh(conv(x)))."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm1 = nn.BatchNorm2d(channels)
        self.tanh = nn.Tanh()
        self.conv2 = nn.Conv2d(channels, channels, 1, bias=False)

    def forward(self, x):
        return x + self.conv2(self.tanh(self.norm1(self.conv1(x))))


@st.composite
def networks(draw) -> SimpleNamespace:
    """A random network in float64 that has seen two batches, inputs, and the names of its layers."""
    torch.manual_seed(draw(st.integers(0, 10_000)))
    layers, channels, size = [], draw(st.integers(1, 3)), 9
    inputs = torch.randn(6, channels, size, size).double()
    for _ in range(draw(st.integers(0, 2))):
        new, kernel, stride = draw(st.integers(1, 4)), draw(st.sampled_from([1, 2, 3, 5])), draw(st.integers(1, 2))
        padding, norm = draw(st.integers(0, 2)), draw(st.booleans())
        kernel = min(kernel, size)
        layers.append(nn.Conv2d(channels, new, kernel, stride, padding, bias=draw(st.booleans())))
        layers += [nn.BatchNorm2d(new)] * norm + [draw(st.sampled_from([nn.ReLU, nn.Tanh, nn.Sigmoid, nn.GELU]))()]
        channels, size = new, (size + 2 * padding - kernel) // stride + 1
        layers += [Residual(channels)] * draw(st.booleans())
        if size > 3 and draw(st.booleans()):
            layers.append(nn.AvgPool2d(2))
            size //= 2
    hidden = draw(st.integers(1, 5))
    layers += [nn.Flatten(), nn.Linear(channels * size**2, hidden), *[nn.BatchNorm1d(hidden)] * draw(st.booleans())]
    network = nn.Sequential(*layers, nn.Tanh(), nn.Linear(hidden, 3)).double()
    for _ in range(2):
        network(torch.randn_like(inputs))
    named = dict(network.named_modules())
    return SimpleNamespace(
        network=network.eval(),
        inputs=inputs,
        layers=[name for name, module in named.items() if isinstance(module, nn.Conv2d | nn.Linear)],
        convolutions=[name for name, module in named.items() if isinstance(module, nn.Conv2d)],
        before=copy.deepcopy(network.state_dict()),
    )


def assert_grown(net: SimpleNamespace, grown: nn.Module) -> None:
    """The same function in both modes; more parameters; the given network as it was."""
    scale = max(1.0, net.network(net.inputs).abs().max().item())
    assert function_distance(net.network, grown, net.inputs) < EXACT * scale
    assert function_distance(net.network, grown, net.inputs, training=True) < EXACT * scale
    assert sum(p.numel() for p in grown.parameters()) > sum(p.numel() for p in net.network.parameters())
    assert net.before.keys() == net.network.state_dict().keys()
    assert all(torch.equal(net.before[name], tensor) for name, tensor in net.network.state_dict().items())


def activations():
    return st.sampled_from([nn.ReLU(), nn.Tanh(), nn.Sigmoid(), nn.GELU()])


@many
@given(networks(), activations(), st.sampled_from([1, 3]), st.integers(0, 9))
def test_any_layer_becomes_two_with_any_activation_between_them(net, activation, size, choice):
    layer = net.layers[choice % len(net.layers)]
    grown, residual = morph_depth(net.network, layer, kernel_size=size, activation=activation, seed=choice)
    assert residual <= SOLVED
    assert_grown(net, grown)
    first, between, second = grown.get_submodule(layer)
    assert isinstance(between, ParametricActivation) and type(between.activation) is type(activation)
    if isinstance(first, nn.Conv2d):
        old = net.network.get_submodule(layer)
        assert (first.kernel_size, first.stride) == ((size, size), (1, 1))
        assert (second.kernel_size, second.stride) == (old.kernel_size, old.stride)


@many
@given(networks(), st.integers(1, 6), st.integers(0, 9))
def test_any_inner_layer_becomes_wider(net, more, choice):
    layer = net.layers[choice % (len(net.layers) - 1)]
    width = net.network.get_submodule(layer).weight.shape[0]
    grown = morph_width(net.network, layer, width + more, seed=more)
    assert grown.get_submodule(layer).weight.shape[0] == width + more
    assert_grown(net, grown)


@many
@given(networks(), st.sampled_from([2, 4]))
def test_any_kernel_becomes_larger(net, more):
    for layer in net.convolutions[:2]:
        size = net.network.get_submodule(layer).kernel_size[0] + more
        grown = morph_kernel(net.network, layer, size)
        assert grown.get_submodule(layer).weight.shape[-2:] == (size, size)
        assert_grown(net, grown)


@many
@given(networks(), st.lists(st.tuples(st.sampled_from(["depth", "width", "kernel"]), st.integers(0, 9)), min_size=2))
def test_a_morphed_network_can_be_morphed_again(net, steps):
    grown = net.network
    for kind, choice in steps[:4]:
        layers = [name for name, module in grown.named_modules() if isinstance(module, nn.Conv2d | nn.Linear)]
        layer = layers[choice % (len(layers) - 1)]
        old = grown.get_submodule(layer)
        if kind == "depth":
            grown = morph_depth(grown, layer, activation=nn.Tanh(), seed=choice).network
        elif kind == "width":
            grown = morph_width(grown, layer, old.weight.shape[0] + 1, seed=choice)
        elif isinstance(old, nn.Conv2d):
            grown = morph_kernel(grown, layer, old.kernel_size[0] + 2)
    # Each step adds a little rounding.
    assert function_distance(net.network, grown, net.inputs) < 10 * EXACT


def test_net2net_widens_what_has_been_deepened_here():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(2, 4, 3), nn.Tanh(), nn.Conv2d(4, 3, 3), nn.ReLU(), nn.Conv2d(3, 2, 1)).double()
    inputs = torch.randn(5, 2, 9, 9).double()
    grown = morph_depth(network, "2", activation=nn.Tanh()).network
    assert function_distance(network, widen(grown, "2.0", 30), inputs) < EXACT
    assert function_distance(network, deepen(widen(grown, "0", 9), "2.2"), inputs) < EXACT


def test_padding_both_convolutions_would_change_the_border_and_the_border_only():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(2, 4, 3, padding=1)).double()
    inputs = torch.randn(5, 2, 9, 9).double()
    morphed = morph_depth(network, "0").network
    assert (morphed[0][0].padding, morphed[0][2].padding) == ((2, 2), (0, 0))
    popular = copy.deepcopy(morphed)
    popular[0][0].padding, popular[0][2].padding = (1, 1), (1, 1)
    difference = (popular(inputs) - network(inputs)).abs().detach()
    assert difference[..., 1:-1, 1:-1].max() < EXACT
    assert difference[..., 0, :].max() > 0.1 and difference[..., -1].max() > 0.1
    assert function_distance(network, morphed, inputs) < EXACT


@many
@given(*[st.integers(1, 3)] * 3, st.sampled_from([1, 2, 3]), st.sampled_from([1, 3, 5]))
def test_the_composed_kernel_does_what_both_do(inputs, between, outputs, first_size, second_size):
    torch.manual_seed(0)
    first = torch.randn(between, inputs, first_size, first_size).double()
    second = torch.randn(outputs, between, second_size, second_size).double()
    maps = torch.randn(2, inputs, 9, 9).double()
    assert torch.allclose(F.conv2d(maps, compose(first, second)), F.conv2d(F.conv2d(maps, first), second), atol=EXACT)


def test_compose_of_two_kernels_worked_by_hand():
    first = torch.tensor([[[[1.0, 2.0], [0.0, 0.0]]]])  # 1 + 2x
    second = torch.tensor([[[[3.0, 0.0], [4.0, 0.0]]]])  # 3 + 4y
    assert compose(first, second).tolist() == [[[[3, 6, 0], [4, 8, 0], [0, 0, 0]]]]


@many
@given(st.integers(0, 999), *[st.integers(1, 3)] * 2, st.sampled_from([1, 3]), st.sampled_from([1, 3]))
def test_an_equation_with_more_unknowns_than_entries_is_solved_at_once(seed, inputs, outputs, first_size, second_size):
    torch.manual_seed(seed)
    size = first_size + second_size - 1
    kernel = torch.randn(outputs, inputs, size, size).double()
    channels = -(-inputs * size**2 // second_size**2) + (inputs == 1)  # see the docstring for inputs = 1
    first, second, residual = solve_morphism(kernel, channels, (first_size, second_size), iterations=1, seed=seed)
    assert first.shape == (channels, inputs, first_size, first_size)
    assert second.shape == (outputs, channels, second_size, second_size)
    assert residual <= SOLVED
    assert torch.allclose(compose(first, second), kernel, atol=1e-11)


def test_a_factorised_kernel_is_factorised_again_with_fewer_weights():
    torch.manual_seed(0)
    first, second = torch.randn(2, 6, 3, 3).double(), torch.randn(8, 2, 1, 1).double()
    found = solve_morphism(compose(first, second), 2, (3, 1))
    assert found[2] <= SOLVED
    assert torch.allclose(compose(found[0], found[1]), compose(first, second), atol=EXACT)
    assert solve_morphism(torch.randn(8, 6, 3, 3), 2, (3, 1))[2] > 0.5


def test_the_residual_is_that_of_the_best_low_rank_kernel():
    # Kernels of size 1 are matrices, and the best product through M channels is known (Eckart and Young 1936).
    torch.manual_seed(0)
    matrix = torch.randn(6, 5).double()
    singular = torch.linalg.svdvals(matrix)
    for channels in range(1, 5):
        best = (singular[channels:].norm() / singular.norm()).item()
        residual = solve_morphism(matrix[:, :, None, None], channels, (1, 1), iterations=60)[2]
        assert residual == pytest.approx(best, rel=1e-3)


def test_with_too_few_weights_more_rounds_make_the_residual_smaller():
    torch.manual_seed(0)
    kernel = torch.randn(8, 4, 3, 3)
    residuals = [solve_morphism(kernel, 8, (3, 3), iterations=rounds)[2] for rounds in (1, 5, 20)]
    assert residuals[0] > 2 * residuals[1] > 2 * residuals[2] > 1e-3


def test_with_one_input_channel_as_many_weights_as_entries_are_not_enough():
    # 3 first kernels of 3 × 3: 27 weights for 25 entries, but three Koszul relations leave a rank of 24.
    torch.manual_seed(0)
    kernel = torch.randn(4, 1, 5, 5).double()
    assert solve_morphism(kernel, 3, (3, 3), iterations=1)[2] > 1e-3
    assert solve_morphism(kernel, 4, (3, 3), iterations=1)[2] <= SOLVED
    rows = [compose(torch.randn(3, 1, 3, 3).double(), torch.eye(27).view(27, 3, 3, 3).double()).flatten(1)]
    assert torch.linalg.matrix_rank(torch.cat(rows)) == 24


def test_several_second_kernels_are_solved_together():
    torch.manual_seed(0)
    firsts = [torch.randn(2, 3, 3, 3).double(), torch.randn(4, 3, 1, 1).double()]
    seconds = [torch.randn(5, 2, 3, 3).double(), torch.randn(5, 4, 3, 3).double()]
    kernel = sum(centred(compose(first, second), 5) for first, second in zip(firsts, seconds, strict=True))
    found = solve_second(kernel, firsts, [3, 3])
    assert [part.shape for part in found] == [part.shape for part in seconds]
    again = sum(centred(compose(first, second), 5) for first, second in zip(firsts, found, strict=True))
    assert torch.allclose(again, kernel, atol=EXACT)


@pytest.mark.parametrize("activation", [nn.ReLU(), nn.Tanh(), nn.Sigmoid(), nn.GELU()])
def test_a_parametric_activation_goes_from_the_identity_to_the_activation(activation):
    x = torch.linspace(-3, 3, 25).double()
    parametric = ParametricActivation(activation).double()
    assert torch.equal(parametric(x), x)
    parametric.a.data.fill_(0.0)
    assert torch.equal(parametric(x), activation(x))
    parametric.a.data.fill_(0.25)
    assert torch.allclose(parametric(x), 0.25 * x + 0.75 * activation(x))


def test_with_relu_it_is_prelu():
    x = torch.linspace(-3, 3, 25)
    assert torch.allclose(ParametricActivation(nn.ReLU(), 0.3)(x), F.prelu(x, torch.tensor(0.3)))


def convolutional() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        *(nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(100, 3))
    ).double()


def gradients(network: nn.Module) -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    network(torch.randn(7, 2, 5, 5).double()).square().sum().backward()
    return {name: parameter.grad for name, parameter in network.named_parameters()}


def test_all_new_parameters_learn_from_the_first_step_when_a_layer_becomes_two():
    grown = morph_depth(convolutional(), "0", activation=nn.Tanh()).network
    found = gradients(grown)
    # A shift before batch normalisation is of no effect: the old layer's bias has no gradient either.
    assert {name for name, gradient in found.items() if gradient.abs().max() < 1e-9} == {"0.2.bias"}
    assert found["0.1.a"] != 0 and (found["0.0.weight"].flatten(1).norm(dim=1) > 0).all()


def test_a_wider_layer_learns_its_outgoing_weights_first_and_no_two_channels_are_alike():
    grown = morph_width(convolutional(), "0", 7)
    found = gradients(grown)
    assert found["0.weight"][4:].abs().max() == 0 and found["0.weight"][:4].abs().max() > 0
    assert (found["4.weight"][:, 100:].unflatten(1, (3, 25)).norm(dim=(0, 2)) > 1e-3).all()
    assert torch.pdist(grown[0].weight[4:].flatten(1)).min() > 0.1
    for parameter in grown.parameters():
        parameter.data -= 0.01 * parameter.grad
        parameter.grad = None
    assert (gradients(grown)["0.weight"][4:].flatten(1).norm(dim=1) > 0).all()


def test_new_weights_of_a_larger_kernel_learn_from_the_first_step():
    found = gradients(morph_kernel(convolutional(), "0", 5))
    assert (found["0.weight"][:, :, 0].abs().amax(-1) > 0).all()


def test_the_new_network_can_be_saved_and_loaded_and_copied():
    grown = morph_width(morph_depth(convolutional(), "0").network, "0.0", 20)
    inputs = torch.randn(4, 2, 5, 5).double()
    other = morph_width(morph_depth(convolutional(), "0", seed=5).network, "0.0", 20, seed=6)
    assert not torch.equal(other[0][0].weight, grown[0][0].weight)
    other.load_state_dict(grown.state_dict())
    assert function_distance(grown, other, inputs) == 0 == function_distance(grown, copy.deepcopy(grown), inputs)


def test_seeds_repeat_modes_and_precision_stay_and_random_numbers_are_left_alone():
    network = convolutional().float().eval()
    state = torch.get_rng_state()
    grown = [morph_width(morph_depth(network, "0", seed=s).network, "0.0", 30, seed=s) for s in (1, 1, 2)]
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(grown[0][0][0].weight, grown[1][0][0].weight)
    assert not torch.equal(grown[0][0][0].weight, grown[2][0][0].weight)
    assert all(parameter.dtype == torch.float32 for parameter in grown[0].parameters())
    assert not any(module.training for module in grown[0].modules())
    assert function_distance(network, grown[0], torch.randn(8, 2, 5, 5)) < 1e-4


def test_a_kernel_of_zeros_is_solved():
    network = nn.Sequential(nn.Conv2d(2, 3, 3)).double()
    network[0].weight.data.zero_()
    grown, residual = morph_depth(network, "0")
    assert residual == 0
    assert function_distance(network, grown, torch.randn(2, 2, 5, 5).double()) == 0


def test_a_parametric_activation_takes_activations_that_work_in_place():
    inputs = torch.randn(5, 3, requires_grad=True)
    outputs = [ParametricActivation(nn.ReLU(inplace=inplace), start=0.5)(inputs * 1) for inplace in (False, True)]
    gradients = [torch.autograd.grad(output.sum(), inputs)[0] for output in outputs]
    assert torch.equal(*outputs) and torch.equal(*gradients)


def test_channels_do_not_pass_an_activation_that_mixes_them():
    network = nn.Sequential(nn.Linear(3, 4), ParametricActivation(nn.Softmax(1), start=0.5), nn.Linear(4, 2))
    with pytest.raises(ValueError, match="the channels of layer '0' cannot change"):
        morph_width(network, "0", 6)


def of(layer: nn.Module) -> nn.Sequential:
    return nn.Sequential(layer, nn.ReLU(), nn.Flatten(), nn.Linear(4, 2))


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: morph_depth(of(nn.Conv2d(2, 4, 3)), "0", channels=2), r"layer '0' .*residual of 0\.\d.*more channels"),
        (lambda: morph_depth(of(nn.Linear(5, 4)), "0", channels=3), r"layer '0' .*residual of 0\.\d"),
        (lambda: morph_depth(of(nn.Linear(5, 4)), "first"), "no linear layer or convolution 'first'"),
        (lambda: morph_depth(of(nn.Conv2d(2, 4, 3)), "0", kernel_size=2), "kernel_size is 2.*odd"),
        (lambda: morph_depth(of(nn.Conv2d(4, 4, 3, groups=2)), "0"), "convolution '0' has 2 groups"),
        (lambda: morph_depth(of(nn.Conv2d(2, 4, 3, dilation=2)), "0"), "layer '0' is Conv2d.*dilation"),
        (lambda: morph_depth(of(nn.Conv2d(2, 4, (3, 1))), "0"), "layer '0' is Conv2d.*square"),
        (lambda: morph_depth(of(nn.Conv2d(2, 4, 3, padding="same")), "0"), "layer '0' is Conv2d.*a number"),
        (lambda: morph_depth(of(nn.Conv2d(2, 4, 3, padding_mode="circular")), "0"), "layer '0'.*zeros"),
        (lambda: morph_depth(of(nn.Conv1d(2, 4, 3)), "0"), "layer '0' is Conv1d"),
        (lambda: morph_width(of(nn.Conv2d(2, 4, 3)), "0", 3), "layer '0' has 4 units and cannot grow to 3"),
        (lambda: morph_width(of(nn.Conv2d(2, 4, 3)), "3", 6), "layer '3' cannot change.*the network's output"),
        (lambda: morph_kernel(of(nn.Linear(5, 4)), "0", 3), "layer '0' is linear"),
        (lambda: morph_kernel(of(nn.Conv2d(2, 4, 3)), "0", 4), "layer '0' has kernels of 3.*not to 4"),
        (lambda: morph_kernel(of(nn.Conv2d(2, 4, 3)), "0", 1), "layer '0' has kernels of 3.*not to 1"),
        (lambda: solve_morphism(torch.ones(2, 2, 5, 5), 4, (1, 3)), "a kernel of 5 does not fit into the middle of 3"),
        (lambda: solve_morphism(torch.ones(2, 2, 3, 3), 4, (2, 3)), "a kernel of 3 does not fit into the middle of 4"),
        (lambda: solve_morphism(torch.ones(2, 2, 3, 3), 0, (3, 3)), "0 channels"),
        (lambda: solve_morphism(torch.ones(2, 2, 3, 3), 4, (3, 3), iterations=0), "0 iterations"),
    ],
)
def test_what_cannot_be_morphed_is_refused(call, told):
    with pytest.raises(ValueError, match=told):
        call()
