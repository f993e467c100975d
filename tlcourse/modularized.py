"""Modularized morphing: one convolution of a trained network becomes a graph of convolutions, and the function stays.

Wei, Wang & Chen 2017, arXiv 1701.03281. Vertices are maps of features, edges are convolutions.
"""

import copy
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .channel_graph import replace_module
from .network_morphism import Morph, ParametricActivation, centred, check_solved, compose, morphable, solve_second

Edge = tuple[str, str, int]  # from vertex, to vertex, kernel size


def is_simple(edges: Sequence[Edge]) -> bool:
    """Whether a module can be made from one layer by splitting its edges: a *simple* morphable module.

    TYPE-I splits an edge into two behind one another, TYPE-II into two side by side; here both are undone until nothing
    more can be. A module that is not simple is *complex*.

    Raises:
        ValueError: the edges are no module, see `MorphableModule`.
    """
    _order(edges)
    rest = {(start, end) for start, end, _ in edges}  # a set: edges side by side are one
    while True:
        for vertex in {end for _, end in rest} - {"out"}:
            before, after = [e for e in rest if e[1] == vertex], [e for e in rest if e[0] == vertex]
            if len(before) == len(after) == 1:
                rest = rest - {*before, *after} | {(before[0][0], after[0][1])}
                break
        else:
            return rest == {("in", "out")}


class MorphableModule(nn.Module):
    """A graph of convolutions in the place of one, (B, I, H, W) to (B, O, H', W').

        y_v = P-φ( Σ_{edges u → v} F_uv ⊛ y_u ),    y_in the input; the output y_out has a bias instead of P-φ

    The map of a vertex is larger than the output by a margin, as much as the kernels behind it need: padded with zeros
    at every vertex instead, the graph would differ from one layer along the border.

    Args:
        edges: (from, to, kernel size); the source is "in", the sink is "out"; sizes are odd.
        inputs, channels, outputs: numbers of channels of the source, of each inner vertex, and of the sink.
        stride: of the edges into the sink.
        padding: of the input, beyond what the largest composed kernel needs; below 0 it cuts off.
        activation: φ of the inner vertices.

    Raises:
        ValueError: a cycle, a vertex that is on no path from source to sink, or an even kernel size.
    """

    def __init__(
        self,
        edges: Sequence[Edge],
        inputs: int,
        channels: int,
        outputs: int,
        *,
        stride: int | tuple[int, int] = 1,
        padding: int = 0,
        activation: nn.Module | None = None,
    ):
        super().__init__()
        self.order, self.edges, self.inputs = _order(edges), list(edges), inputs
        width = dict.fromkeys(self.order, channels) | {"in": inputs, "out": outputs}
        first = [end for _, end, _ in edges].index("out")  # one bias is enough for all edges into the sink
        self.layers = nn.ModuleList(
            nn.Conv2d(width[start], width[end], size, stride if end == "out" else 1, bias=number == first)
            for number, (start, end, size) in enumerate(edges)
        )
        activation = nn.ReLU() if activation is None else activation
        self.activations = nn.ModuleList(ParametricActivation(activation) for _ in self.order[1:-1])
        self.margins = {"out": 0}
        for vertex in reversed(self.order[:-1]):
            self.margins[vertex] = max(self.margins[end] + size // 2 for start, end, size in edges if start == vertex)
        has = self.margins | {"in": -padding}
        self.frames = nn.ModuleList(_Frame(self.margins[end] + size // 2 - has[start]) for start, end, size in edges)

    def into(self, vertex: str) -> list[tuple[str, nn.Module, nn.Conv2d]]:
        """The edges that lead to a vertex: the vertex that each leaves, the frame it needs, its convolution."""
        edges = zip(self.edges, self.frames, self.layers, strict=True)
        return [(start, frame, layer) for (start, end, _), frame, layer in edges if end == vertex]

    def forward(self, x: Tensor) -> Tensor:
        maps = {"in": x}
        for number, vertex in enumerate(self.order[1:]):
            y = sum(layer(frame(maps[start])) for start, frame, layer in self.into(vertex))
            maps[vertex] = y if vertex == "out" else self.activations[number](y)
        return maps["out"]

    def composed(self, vertex: str) -> Tensor:
        """The kernel from the source to a vertex, (C, I, k, k), all paths summed, the activations being identities."""
        if vertex == "in":
            return torch.eye(self.inputs).to(self.layers[0].weight)[:, :, None, None]
        paths = [compose(self.composed(start), layer.weight) for start, _, layer in self.into(vertex)]
        size = max(path.shape[-1] for path in paths)
        return sum(centred(path, size) for path in paths)


class _Frame(nn.Module):
    """Zeros around each map, (B, C, H, W) to (B, C, H + 2 margin, W + 2 margin); below 0 the border is cut off."""

    elementwise = True  # to channel_graph: channels pass, each on its own

    def __init__(self, margin: int):
        super().__init__()
        self.margin = margin

    def forward(self, x: Tensor) -> Tensor:
        return F.pad(x, (self.margin,) * 4)


def morph_module(
    network: nn.Module,
    layer: str,
    edges: Sequence[Edge],
    *,
    channels: int,
    activation: nn.Module | None = None,
    seed: int = 0,
) -> Morph:
    """A convolution becomes a whole graph of them, simple or complex.

    The module's equation says that all paths together are the old layer:

        Σ_{edges u → out}  F_u,out ⊛ H_u  =  G̃,    H_u the composed kernel from the source to u

    The paper splits one edge after the other, and needs another algorithm for complex modules. Here all edges but those
    into the sink are drawn at random; in those the equation is linear, for both kinds, and is solved at once.

    Raises:
        ValueError: no such convolution, edges that are no module, or an equation without solution; see the message.
    """
    old = morphable(network, layer)
    if isinstance(old, nn.Linear) or old.kernel_size[0] % 2 == 0:
        raise ValueError(f"layer {layer!r} must be a convolution with an odd kernel to become a module")
    padding = old.padding[0] - old.kernel_size[0] // 2
    with torch.random.fork_rng([]):
        torch.default_generator.manual_seed(seed)
        options = {"stride": old.stride, "padding": padding, "activation": activation}
        module = MorphableModule(edges, old.in_channels, channels, old.out_channels, **options).double().cpu()
    size = 2 * module.margins["in"] + 1
    if size < old.kernel_size[0]:
        raise ValueError(
            f"the module's kernels compose to {size}, layer {layer!r} has {old.kernel_size[0]}; give larger ones"
        )
    with torch.no_grad():
        target = centred(old.weight.double().cpu(), size)
        starts, _, last = zip(*module.into("out"), strict=True)
        firsts, sizes = [module.composed(start) for start in starts], [edge.kernel_size[0] for edge in last]
        for edge, solution in zip(last, solve_second(target, firsts, sizes), strict=True):
            edge.weight.copy_(solution)
        last[0].bias.copy_(torch.zeros(old.out_channels) if old.bias is None else old.bias)
        residual = ((target - module.composed("out")).norm() / (target.norm() or 1.0)).item()
    check_solved(layer, residual, "channels, or larger kernels to the edges into 'out'")
    grown = copy.deepcopy(network)
    replace_module(grown, layer, module.to(old.weight).train(old.training))
    return Morph(grown, residual)


def _order(edges: Sequence[Edge]) -> list[str]:
    """The vertices from source to sink, each behind those it depends on."""
    vertices = {vertex for start, end, _ in edges for vertex in (start, end)}
    if not {"in", "out"} <= vertices:
        raise ValueError(f"the vertices are {sorted(vertices)}; edges must lead from 'in' to 'out'")
    if even := [edge for edge in edges if edge[2] < 1 or edge[2] % 2 == 0]:
        raise ValueError(f"edge {even[0]} has kernel size {even[0][2]}; give odd ones")
    order: list[str] = []
    while ready := sorted(v for v in vertices - {*order} if all(u in order for u, w, _ in edges if w == v)):
        order += ready
    ends = {start for start, _, _ in edges}, {end for _, end, _ in edges}
    if len(order) < len(vertices) or vertices - ends[0] != {"out"} or vertices - ends[1] != {"in"}:
        raise ValueError(
            f"the edges {list(edges)} are no module: every vertex must be on a path from 'in' to 'out', no cycle"
        )
    return ["in", *(vertex for vertex in order if vertex not in ("in", "out")), "out"]
