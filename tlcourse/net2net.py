"""Net2Net: a trained network becomes wider or deeper and computes the same function.

Chen, Goodfellow & Shlens 2016, arXiv 1511.05641. Every function returns a new network; the given one stays as it is.
"""

import copy

import torch
from torch import Tensor, nn
from torch.nn.utils import skip_init

from .channel_graph import activation_after, channel_group, find_layer, replace_module

# φ(φ(x)) = φ(x): a layer that does nothing, and φ once more, change nothing.
IDEMPOTENT = (nn.ReLU, nn.ReLU6, nn.Hardtanh)


def random_mapping(old: int, new: int, generator: torch.Generator | None = None) -> Tensor:
    """Which old unit each new unit copies, (new,): g(j) = j for the first `old`, then units drawn at random (eq. 1).

    Raises:
        ValueError: `new` is smaller than `old`, or there is no unit.
    """
    if not 1 <= old <= new:
        raise ValueError(f"a layer of {old} units cannot grow to {new}; give {old} or more")
    return torch.cat([torch.arange(old), torch.randint(old, (new - old,), generator=generator)])


def copy_incoming(weight: Tensor, mapping: Tensor) -> Tensor:
    """Net2WiderNet's new incoming weights or biases: each new unit hears what the unit it copies hears (eq. 2).

        U[j, …] = W[g(j), …]

    From (old, …), a row for each unit, to (new, …).
    """
    return weight[mapping]


def split_outgoing(weight: Tensor, mapping: Tensor) -> Tensor:
    """Net2WiderNet's new outgoing weights: all copies of a unit together say what it said (eq. 3).

        U[…, j] = W[…, g(j)] / #{k: g(k) = g(j)}

    From (O, old · m, …) to (O, new · m, …), with m inputs for each unit side by side: one, or, in a linear layer behind
    a Flatten, the pixels of its map. Each of the old units must occur in the mapping.
    """
    old = int(mapping.max()) + 1
    copies = mapping.bincount()[mapping].to(weight.dtype)
    by_unit = weight.unflatten(1, (old, -1))[:, mapping]  # (O, new, m, …)
    return (by_unit / copies.view(-1, *[1] * (by_unit.ndim - 2))).flatten(1, 2)


def widen(network: nn.Module, layer: str, width: int, *, noise: float = 0.0, seed: int = 0) -> nn.Module:
    """Net2WiderNet: a copy of the network in which a layer has `width` units or channels, made of copies of its own.

    Batch normalisation behind the layer is copied along, its running averages too. Where the layer's outputs are added
    to another's, as in a residual network, both grow by the same mapping. Outputs stay the same up to rounding, in
    training mode, too; dropout between the layers is the exception.

    Two copies with the same weights get the same gradient, and would stay the same for ever: `noise` breaks that.

    Args:
        network: see `channel_graph.channel_group`.
        layer: the dotted name of a linear layer or a convolution, as in `network.named_modules()`.
        noise: standard deviation of what is added to the incoming weights of the copies, in standard deviations of the
            layer's weights; 0 preserves the function exactly.
        seed: of the mapping and the noise.

    Raises:
        ValueError: the layer cannot grow so; the message names it.
    """
    if not noise >= 0:
        raise ValueError(f"noise is {noise}; it must be 0 or more")
    grown, group = copy.deepcopy(network), channel_group(network, layer)
    if width < group.width:
        raise ValueError(f"layer {layer!r} has {group.width} units and cannot grow to {width}; give as many, or more")
    generator = torch.Generator().manual_seed(seed)
    mapping = random_mapping(group.width, width, generator)
    with torch.no_grad():
        for name in group.readers:
            module = grown.get_submodule(name)
            resize(module, split_outgoing(module.weight, mapping.to(module.weight.device)), module.bias)
        for name in group.makers:
            module = grown.get_submodule(name)
            copies = mapping.to(module.weight.device)
            weight = copy_incoming(module.weight, copies)
            if noise:
                drawn = torch.randn(weight[group.width :].shape, generator=generator).to(weight)
                weight[group.width :] += noise * module.weight.std(correction=0) * drawn
            resize(module, weight, None if module.bias is None else copy_incoming(module.bias, copies))
        for name in group.norms:
            module = grown.get_submodule(name)
            repeats = module.num_features // group.width  # behind a Flatten
            features = torch.arange(module.num_features).view(group.width, repeats)[mapping].flatten()
            replace_module(grown, name, batch_norm_of(module, features))
    return grown


def deepen(network: nn.Module, layer: str, *, inputs: Tensor | None = None, kernel_size: int = 3) -> nn.Module:
    """Net2DeeperNet: a copy of the network with one more layer, which starts as the identity, and its activation.

        φ(I · φ(W x)) = φ(φ(W x)) = φ(W x)        for an idempotent φ, such as ReLU

    It stands behind the activation of `layer`: a ReLU becomes nn.Sequential(ReLU, new layer, ReLU), so the new layer is
    found one level below it, as "relu.1". Where `layer` has batch normalisation the new one has it, too, set to undo
    itself: with mean m and variance v of what comes in, scale √(v + ε) and shift m.

    Args:
        network: see `channel_graph.channel_group`.
        layer: the dotted name of a linear layer or a convolution.
        inputs: a batch (B, …) of the network's inputs, on which m and v are measured, in training mode. In evaluation
            mode any m and v undo themselves, and without inputs they are 0 and 1; but in training mode a batch is
            normalised by its own mean and variance, and the function is the same on this batch only, nearly the same
            on others like it.
        kernel_size: of the new convolution; odd.

    Raises:
        ValueError: no activation follows the layer, or one that is not idempotent (then see `network_morphism`).
    """
    old = find_layer(network, layer)
    name, norm = activation_after(network, layer)
    activation = network.get_submodule(name)
    if not isinstance(activation, IDEMPOTENT):
        raise ValueError(
            f"{type(activation).__name__} {name!r} behind layer {layer!r} is not idempotent: applied twice it gives "
            "something else; insert a layer by network_morphism.morph_depth"
        )
    if kernel_size < 1 or kernel_size % 2 == 0:
        raise ValueError(f"kernel_size is {kernel_size}; an identity kernel has a middle: give an odd number")
    new = [_identity(old, kernel_size)]
    if norm is not None:
        moments = None if inputs is None else _moments(network, name, inputs)
        new.append(_undoing_norm(network.get_submodule(norm), old, moments))
    grown = copy.deepcopy(network)
    same = grown.get_submodule(name)
    replace_module(grown, name, nn.Sequential(same, *new, copy.deepcopy(same)).train(same.training))
    return grown


def function_distance(first: nn.Module, second: nn.Module, inputs: Tensor, *, training: bool = False) -> float:
    """The largest difference of two networks' outputs on a batch (B, …); 0 means the same function, there.

    In evaluation mode, or in training mode. The networks stay as they are, running averages included.
    """
    with torch.no_grad():
        outputs = [copy.deepcopy(network).train(training)(inputs) for network in (first, second)]
    return (outputs[0] - outputs[1]).abs().max().item()


def resize(layer: nn.Module, weight: Tensor, bias: Tensor | None) -> None:
    """Give a linear layer or a convolution weights (out, in, …) of another shape, in place."""
    layer.weight = nn.Parameter(weight.detach().clone(), layer.weight.requires_grad)
    if bias is not None:
        layer.bias = nn.Parameter(bias.detach().clone(), layer.bias.requires_grad)
    names = ("out_features", "in_features") if isinstance(layer, nn.Linear) else ("out_channels", "in_channels")
    for name, size in zip(names, weight.shape, strict=False):
        setattr(layer, name, size)


def batch_norm_of(norm: nn.Module, features: Tensor) -> nn.Module:
    """A copy of a batch normalisation for the given ones of its features, (F,); one may be taken several times."""
    new = copy.deepcopy(norm)
    new.num_features = len(features)
    for store in (new._parameters, new._buffers):
        for name, tensor in store.items():
            if tensor is not None and tensor.ndim == 1:
                taken = tensor.detach()[features.to(tensor.device)].clone()
                store[name] = nn.Parameter(taken, tensor.requires_grad) if store is new._parameters else taken
    return new


def _identity(old: nn.Module, kernel_size: int) -> nn.Module:
    """A layer of the old one's kind, from its outputs to the same."""
    width, settings = old.weight.shape[0], {"device": old.weight.device, "dtype": old.weight.dtype}
    settings["bias"] = old.bias is not None
    if isinstance(old, nn.Linear):
        new = skip_init(nn.Linear, width, width, **settings)
        nn.init.eye_(new.weight)
    else:
        new = skip_init(type(old), width, width, kernel_size, padding=kernel_size // 2, **settings)
        nn.init.dirac_(new.weight)
    if new.bias is not None:
        nn.init.zeros_(new.bias)
    return new


def _undoing_norm(norm: nn.Module, old: nn.Module, moments: tuple[Tensor, Tensor] | None) -> nn.Module:
    """A batch normalisation of the same kind that gives back what it is given, where that has these moments."""
    settings = {"device": old.weight.device, "dtype": old.weight.dtype}
    new = type(norm)(old.weight.shape[0], eps=norm.eps, momentum=norm.momentum, **settings)
    with torch.no_grad():
        if moments is not None:
            new.running_mean.copy_(moments[0])
            new.running_var.copy_(moments[1])
        new.weight.copy_((new.running_var + new.eps).sqrt())
        new.bias.copy_(new.running_mean)
    return new


def _moments(network: nn.Module, activation: str, inputs: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of each channel (C,) of an activation's outputs, over the batch and all places."""
    seen, network = [], copy.deepcopy(network).train()
    network.get_submodule(activation).register_forward_hook(lambda module, given, output: seen.append(output))
    with torch.no_grad(), torch.random.fork_rng([]):
        network(inputs)
    by_channel = seen[0].transpose(0, 1).flatten(1)
    return by_channel.mean(1), by_channel.var(1, unbiased=False)
