"""Which layers of a network make, pass on and read the channels of a layer: what must change when it grows.

The network is traced by torch.fx. It may be a row of layers, nested or not, or a module with residual connections: what
is added must have the same channels, so the layers on both sides of a sum belong together.
"""

import operator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import fx, nn

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
LAYERS = (*CONVOLUTIONS, nn.Linear)
BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
ACTIVATIONS = (
    *(nn.ReLU, nn.ReLU6, nn.Hardtanh, nn.LeakyReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU, nn.Mish, nn.Softplus),
    *(nn.Tanh, nn.Sigmoid, nn.Hardsigmoid, nn.Hardswish, nn.Softsign, nn.LogSigmoid, nn.Tanhshrink),
)
# These treat every channel alike and on its own, so copies of a channel stay copies.
POOLS = (
    *(nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d, nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d),
    *(nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d),
    *(nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d),
)
PASSING = (*ACTIVATIONS, *POOLS, nn.Identity, nn.Dropout)
POOL_FUNCTIONS = {F.max_pool2d, F.avg_pool2d, F.adaptive_avg_pool2d}
PASSING_FUNCTIONS = {
    *(operator.add, operator.iadd, torch.add),
    *(F.relu, torch.relu, torch.tanh, torch.sigmoid, F.gelu, F.silu, *POOL_FUNCTIONS),
}
PASSING_METHODS = {"relu", "tanh", "sigmoid"}


@dataclass(frozen=True)
class ChannelGroup:
    """Layers that share their channels, by name: to change the number of one's channels is to change all."""

    width: int
    makers: tuple[str, ...]
    """Linear layers and convolutions whose outputs these channels are; several where their outputs are added."""
    norms: tuple[str, ...]
    """Batch normalisations of these channels."""
    readers: tuple[str, ...]
    """Linear layers and convolutions whose inputs these channels are; each of a linear layer's may be a map of many."""


def channel_group(network: nn.Module, layer: str) -> ChannelGroup:
    """Follow the channels that a layer makes to all that share or read them.

    Args:
        network: a module that torch.fx can trace: its path must not depend on values. Modules without children are
            taken as they are; one of your own passes channels on where its class has `elementwise = True`.
        layer: the dotted name of a linear layer or a convolution, as in `network.named_modules()`.

    Raises:
        ValueError: there is no such layer, or its channels cannot be followed; the message names the place.
    """
    width = find_layer(network, layer).weight.shape[0]
    graph, modules = trace(network, layer), dict(network.named_modules())
    group, readers = {}, {}  # nodes whose outputs are these channels, and names, in the order found
    pending = [call_of(graph, layer)]
    while pending:
        node = pending.pop()
        if node in group:
            continue
        group[node] = None
        if _is_layer(node, modules):
            find_layer(network, node.target)
        elif _passes(node, modules):
            _check_pool(layer, node, modules)
            pending += node.all_input_nodes
        else:
            raise ValueError(
                f"the channels of layer {layer!r} cannot change: they meet {_told(node, modules)}; only "
                "activations, batch normalisation, pooling, dropout, Flatten and sums pass channels on"
            )
        for user in node.users:
            if _is_layer(user, modules):
                find_layer(network, user.target)
                _check_reader(layer, user, width, modules)
                readers[user.target] = None
            else:
                pending.append(user)
    names = [node.target for node in group if node.op == "call_module"]
    makers = tuple(name for name in names if isinstance(modules[name], LAYERS))
    norms = tuple(name for name in names if isinstance(modules[name], BATCH_NORMS))
    for name in (*makers, *norms, *readers):
        call_of(graph, name)
    _check_sizes(layer, width, {name: modules[name] for name in (*makers, *norms)})
    return ChannelGroup(width, makers, norms, tuple(readers))


def find_layer(network: nn.Module, layer: str) -> nn.Module:
    """The linear layer or ungrouped convolution of that name.

    Raises:
        ValueError: there is none; the message names those there are.
    """
    layers = {name: module for name, module in network.named_modules() if isinstance(module, LAYERS)}
    if layer not in layers or layer == "":
        known = ", ".join(name for name in layers if name) or "none"
        raise ValueError(f"the network has no linear layer or convolution {layer!r} inside; there are: {known}")
    if getattr(layers[layer], "groups", 1) != 1:
        raise ValueError(f"convolution {layer!r} has {layers[layer].groups} groups; only groups=1 can be changed")
    if "weight" not in layers[layer]._parameters:
        raise ValueError(f"the weights of layer {layer!r} are computed from others; remove its parametrization first")
    return layers[layer]


def activation_after(network: nn.Module, layer: str) -> tuple[str, str | None]:
    """The names of the activation that a layer's outputs go to, and of the batch normalisation between, or None.

    Raises:
        ValueError: something else comes before an activation, or the activation is not a module of its own.
    """
    find_layer(network, layer)
    graph, modules = trace(network, layer), dict(network.named_modules())
    node, norm = call_of(graph, layer), None
    while True:
        users = list(node.users)
        node = users[0] if len(users) == 1 else None
        module = modules[node.target] if node is not None and node.op == "call_module" else None
        if not passes_channels(module) or isinstance(module, nn.Flatten):
            followers = " and ".join(_told(user, modules) for user in users) or "nothing"
            raise ValueError(
                f"layer {layer!r} is followed by {followers}; an activation that is a module, such as nn.ReLU(), must "
                "follow, with batch normalisation or pooling between at most"
            )
        if isinstance(module, BATCH_NORMS):
            norm = node.target
        elif not isinstance(module, (*POOLS, nn.Identity, nn.Dropout)):
            return call_of(graph, node.target).target, norm


def passes_channels(module: nn.Module | None) -> bool:
    """Whether each channel of a module's output is made of the same one of its input alone, and all of them alike."""
    if isinstance(module, nn.PReLU):
        return module.num_parameters == 1
    if isinstance(module, nn.Flatten):
        return (module.start_dim, module.end_dim) == (1, -1)
    return isinstance(module, (*PASSING, *BATCH_NORMS)) or getattr(module, "elementwise", False)


def replace_module(network: nn.Module, name: str, module: nn.Module) -> None:
    """Put a module in the place of the one with that dotted name."""
    parent, _, child = name.rpartition(".")
    setattr(network.get_submodule(parent), child, module)


def trace(network: nn.Module, layer: str) -> fx.Graph:
    """The graph of the network's calls. Raises ValueError, naming the layer to be changed, where fx cannot follow."""
    try:
        return _Tracer().trace(network)
    except (fx.proxy.TraceError, TypeError, RuntimeError, AttributeError) as error:
        raise ValueError(
            f"layer {layer!r} cannot be changed: the network's path cannot be traced ({error}); move what depends on "
            "values into a module without children"
        ) from error


def call_of(graph: fx.Graph, name: str) -> fx.Node:
    """The one call of a module. Raises ValueError where it is never called, or several times."""
    calls = [node for node in graph.nodes if node.op == "call_module" and node.target == name]
    if len(calls) != 1:
        raise ValueError(
            f"module {name!r} is called {len(calls)} times in the network; to grow, it must have one place of its own"
        )
    return calls[0]


class _Tracer(fx.Tracer):
    def is_leaf_module(self, module: nn.Module, name: str) -> bool:
        whole = not any(module.children()) or getattr(module, "elementwise", False)
        return whole or super().is_leaf_module(module, name)


def _is_layer(node: fx.Node, modules: dict[str, nn.Module]) -> bool:
    return node.op == "call_module" and isinstance(modules[node.target], LAYERS)


def _passes(node: fx.Node, modules: dict[str, nn.Module]) -> bool:
    """Whether the node's output has the channels of its inputs, each made of that channel alone."""
    if node.op == "call_module":
        return passes_channels(modules[node.target])
    if node.op == "call_method":
        return node.target in PASSING_METHODS or _is_flatten(node, modules)
    return node.op == "call_function" and (node.target in PASSING_FUNCTIONS or _is_flatten(node, modules))


def _is_flatten(node: fx.Node, modules: dict[str, nn.Module]) -> bool:
    """Whether the node makes (B, C, …) to (B, C · …), channel by channel."""
    if node.op == "call_module":
        return isinstance(modules[node.target], nn.Flatten)
    return node.target in (torch.flatten, "flatten") and (node.args[1:] == (1,) or node.kwargs == {"start_dim": 1})


def _is_flat(node: fx.Node, modules: dict[str, nn.Module]) -> bool:
    """Whether the node's output is a batch of features (B, F), not of maps."""
    if _is_layer(node, modules):
        return isinstance(modules[node.target], nn.Linear)
    return _is_flatten(node, modules) or any(_is_flat(source, modules) for source in node.all_input_nodes)


def _check_pool(layer: str, node: fx.Node, modules: dict[str, nn.Module]) -> None:
    pools = isinstance(modules[node.target], POOLS) if node.op == "call_module" else node.target in POOL_FUNCTIONS
    if pools and _is_flat(node.all_input_nodes[0], modules):
        raise ValueError(
            f"{_told(node, modules)} pools over the units of layer {layer!r} and mixes them; only maps can be pooled"
        )


def _check_sizes(layer: str, width: int, sharing: dict[str, nn.Module]) -> None:
    """What is added has as many channels as the layer; a batch normalisation behind a Flatten has a multiple."""
    for name, module in sharing.items():
        if isinstance(module, LAYERS) and len(module.weight) != width:
            raise ValueError(
                f"layer {name!r} has {len(module.weight)} outputs and is added to the {width} of {layer!r}; only equal "
                "numbers can grow together"
            )
        if isinstance(module, BATCH_NORMS) and module.num_features % width:
            raise ValueError(
                f"batch normalisation {name!r} has {module.num_features} features, not the {width} channels of "
                f"{layer!r}; it must normalise what the layer makes"
            )


def _check_reader(layer: str, reader: fx.Node, width: int, modules: dict[str, nn.Module]) -> None:
    """The reader's inputs are the channels, or, in a linear layer behind a Flatten, maps of them."""
    made, read = (isinstance(modules[name], nn.Linear) for name in (layer, reader.target))
    size, flat = modules[reader.target].weight.shape[1], _is_flat(reader.all_input_nodes[0], modules)
    if flat != read or size % width or (made and size != width):
        raise ValueError(
            f"layer {reader.target!r} has {size} inputs, which are not the {width} channels of {layer!r}, one by one; "
            "put nn.Flatten() between maps and a linear layer"
        )


def _told(node: fx.Node, modules: dict[str, nn.Module]) -> str:
    if node.op == "call_module":
        return f"{type(modules[node.target]).__name__} {node.target!r}"
    if node.op in ("output", "placeholder"):
        return f"the network's {'output' if node.op == 'output' else 'input'}"
    return f"{node.op.removeprefix('call_')} {getattr(node.target, '__name__', node.target)!r}"
