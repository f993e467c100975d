"""Network morphism: a trained network changes its depth, width or kernel size, and its outputs stay.

Wei, Wang, Rui & Chen 2016, arXiv 1603.01670. Every function that takes a network returns a new one; the given one stays
as it is. Kernels are (outputs, inputs, size, size); a linear layer is a convolution of size 1. For a layer that becomes
a whole graph of layers see `modularized`.
"""

import copy
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import skip_init

from .channel_graph import channel_group, find_layer, passes_channels, replace_module
from .net2net import batch_norm_of, resize

SOLVED = 1e-12  # the residual at which a morphism equation counts as solved, in float64


class Morph(NamedTuple):
    """A grown network, and what the morphism equation was missed by, relative to the old kernel."""

    network: nn.Module
    residual: float


class ParametricActivation(nn.Module):
    """The identity at the start, and by training as much of an activation as helps: P-activation.

        φ_a(x) = a · x + (1 − a) · φ(x),    a = 1 at the start, learned

    So a layer can be put behind any activation, idempotent or not. With φ = ReLU it is PReLU. The activation is copied.
    """

    def __init__(self, activation: nn.Module, start: float = 1.0):
        super().__init__()
        self.elementwise = passes_channels(activation)
        self.activation = copy.deepcopy(activation)
        if getattr(activation, "inplace", False):
            self.activation.inplace = False  # x is still needed beside φ(x)
        self.a = nn.Parameter(torch.tensor(float(start)))

    def forward(self, inputs: Tensor) -> Tensor:
        return self.a * inputs + (1 - self.a) * self.activation(inputs)


def compose(first: Tensor, second: Tensor) -> Tensor:
    """The kernel of two convolutions after one another, F₂ ⊛ F₁: their full convolution, summed over what is between.

        (F₂ ⊛ F₁)[o, i, s] = Σ_m Σ_t F₂[o, m, t] · F₁[m, i, s − t]

    From (M, I, k₁, k₁) and (O, M, k₂, k₂) to (O, I, k₁ + k₂ − 1, k₁ + k₂ − 1).
    """
    return F.conv_transpose2d(second, first)


def solve_second(kernel: Tensor, firsts: Sequence[Tensor], sizes: Sequence[int]) -> list[Tensor]:
    """Kernels F_j of the given sizes with Σ_j F_j ⊛ (first_j) as close to `kernel` as can be, all at once.

    The composition is linear in the second kernel, so this is a problem of least squares ("deconvolution"). Each row of
    its matrix is a first kernel moved by one place; where several solutions exist, it is the shortest.

    Args:
        kernel: (O, I, K, K).
        firsts: the j-th is (M_j, I, k_j, k_j), with k_j + sizes[j] ≤ K + 1; smaller ones stand in the middle.

    Returns:
        the j-th is (O, M_j, sizes[j], sizes[j]).
    """
    rows = []
    for first, size in zip(firsts, sizes, strict=True):
        every = torch.eye(len(first) * size**2, dtype=first.dtype).view(-1, len(first), size, size)
        rows.append(centred(compose(first, every), kernel.shape[-1]).flatten(1))  # (M_j · size², I · K²)
    solution = torch.linalg.lstsq(torch.cat(rows).T, kernel.flatten(1).T, driver="gelsd").solution.T
    parts = solution.split([len(part) for part in rows], dim=1)
    return [part.reshape(len(kernel), -1, size, size) for part, size in zip(parts, sizes, strict=True)]


def solve_morphism(
    kernel: Tensor, channels: int, kernel_sizes: tuple[int, int], *, iterations: int = 20, seed: int = 0
) -> tuple[Tensor, Tensor, float]:
    """Two kernels in the place of one: solve the network morphism equation (algorithm 1).

        G̃ = F₂ ⊛ F₁,    G̃: the kernel, with zeros around it up to size k₁ + k₂ − 1

    By alternating least squares: a random F₁, the best F₂ for it, the best F₁ for that, and so on. One solution is
    enough where one of the kernels has as many weights as the zero-padded one, for generic weights:

        max(M · I · k₁², O · M · k₂²) ≥ O · I · (k₁ + k₂ − 1)²

    (With I = 1 or O = 1 the condition may fall a little short: Koszul relations, F₁[m] · F₁[n] − F₁[n] · F₁[m] = 0,
    make rows of the least squares problem dependent.) With fewer weights the residual may fall slowly, or stay.

    Args:
        kernel: G, (O, I, K, K).
        channels: M, the number of channels between the two.
        kernel_sizes: (k₁, k₂); together they reach as far as G, k₁ + k₂ − 1 ≥ K, or further by an even number.
        iterations: at most so many rounds.

    Returns:
        F₁ (M, I, k₁, k₁), F₂ (O, M, k₂, k₂), both float64 on the CPU, and ‖G̃ − F₂ ⊛ F₁‖ / ‖G‖.
    """
    first_size, second_size = kernel_sizes
    if min(channels, first_size, second_size, iterations) < 1:
        raise ValueError(
            f"{channels} channels, kernel sizes {kernel_sizes} and {iterations} iterations; each must be 1 or more"
        )
    target = centred(kernel.detach().double().cpu(), first_size + second_size - 1)  # G̃
    first = _random_kernel(channels, kernel.shape[1], first_size, torch.Generator().manual_seed(seed))
    norm = target.norm().item() or 1.0
    for _ in range(iterations):
        (second,) = solve_second(target, [first], [second_size])
        if (residual := (target - compose(first, second)).norm().item() / norm) <= SOLVED:
            break
        # Convolutions commute in space: with inputs and outputs swapped the first is the second.
        (swapped,) = solve_second(target.transpose(0, 1), [second.transpose(0, 1)], [first_size])
        first = swapped.transpose(0, 1).contiguous()
        if (residual := (target - compose(first, second)).norm().item() / norm) <= SOLVED:
            break
    # Neither of the two is to be much larger than the other; of a kernel of zeros one may be 0.
    balance = (second.norm() / first.norm()).sqrt() if first.any() and second.any() else 1.0
    return first * balance, second / balance, residual


def morph_depth(
    network: nn.Module,
    layer: str,
    *,
    channels: int | None = None,
    kernel_size: int = 3,
    activation: nn.Module | None = None,
    seed: int = 0,
) -> Morph:
    """A layer becomes two with a `ParametricActivation` between them: depth morphing.

    The first has kernels of `kernel_size`; the second has those of the old layer, its stride and its bias. All padding
    is given to the first: if each were padded on its own, they would differ from the old layer along the border.

    Args:
        network: a module with a linear layer, or a plain square 2-D convolution, of the dotted name `layer`.
        channels: between the two; by default just enough for a solution, see `solve_morphism`.
        kernel_size: of the first; odd. Linear layers have none.
        activation: φ; ReLU by default.
        seed: of the solution that is found, one of many.

    Raises:
        ValueError: no such layer, or no solution was found; the message names the layer.
    """
    old = morphable(network, layer)
    linear, (outputs, inputs) = isinstance(old, nn.Linear), old.weight.shape[:2]
    if not linear and (kernel_size < 1 or kernel_size % 2 == 0):
        raise ValueError(f"kernel_size is {kernel_size}; the first of the two kernels has a middle: give an odd number")
    k1, k2 = (1, 1) if linear else (kernel_size, old.kernel_size[0])
    if channels is None:
        weights = (k1 + k2 - 1) ** 2
        channels = min(-(-inputs * weights // k2**2), -(-outputs * weights // k1**2)) + (not linear)
    kernel = old.weight[:, :, None, None] if linear else old.weight
    first, second, residual = solve_morphism(kernel, channels, (k1, k2), seed=seed)
    check_solved(layer, residual, "channels, or another kernel_size")
    like = {"device": old.weight.device, "dtype": old.weight.dtype}
    if linear:
        front = skip_init(nn.Linear, inputs, channels, bias=False, **like)
        back = skip_init(nn.Linear, channels, outputs, **like)
    else:
        padding = old.padding[0] + k1 // 2
        front = skip_init(nn.Conv2d, inputs, channels, k1, padding=padding, bias=False, **like)
        back = skip_init(nn.Conv2d, channels, outputs, k2, stride=old.stride, **like)
    with torch.no_grad():
        front.weight.copy_(first.view_as(front.weight))
        back.weight.copy_(second.view_as(back.weight))
        back.bias.copy_(torch.zeros(outputs) if old.bias is None else old.bias)
    middle = ParametricActivation(nn.ReLU() if activation is None else activation).to(**like)
    grown = copy.deepcopy(network)
    replace_module(grown, layer, nn.Sequential(front, middle, back).train(old.training))
    return Morph(grown, residual)


def morph_width(network: nn.Module, layer: str, width: int, *, seed: int = 0) -> nn.Module:
    """A layer gets new units or channels that nothing listens to yet: width morphing.

    Their incoming weights are random, their outgoing ones zero; in the first step only the latter get a gradient.
    Batch normalisation, sums and Flatten behind the layer are taken care of as in `net2net.widen`.

    Raises:
        ValueError: the layer cannot have that width; the message names it.
    """
    grown, group = copy.deepcopy(network), channel_group(network, layer)
    if width < group.width:
        raise ValueError(f"layer {layer!r} has {group.width} units and cannot grow to {width}; give as many, or more")
    generator, more = torch.Generator().manual_seed(seed), width - group.width
    with torch.no_grad():
        for name in group.readers:
            reader = grown.get_submodule(name)
            heard = reader.weight.unflatten(1, (group.width, -1))  # (O, units, inputs of each, …)
            unheard = heard.new_zeros(len(heard), more, *heard.shape[2:])
            resize(reader, torch.cat([heard, unheard], 1).flatten(1, 2), reader.bias)
        for name in group.makers:
            maker = grown.get_submodule(name)
            drawn = torch.randn(more, *maker.weight.shape[1:], generator=generator).to(maker.weight)
            weight = torch.cat([maker.weight, drawn / maker.weight[0].numel() ** 0.5])
            resize(maker, weight, None if maker.bias is None else F.pad(maker.bias, (0, more)))
        for name in group.norms:
            norm = grown.get_submodule(name)
            old = norm.num_features
            new = batch_norm_of(norm, torch.arange(width * old // group.width) % old)
            for part, start in (("weight", 1), ("bias", 0), ("running_mean", 0), ("running_var", 1)):
                if getattr(new, part) is not None:
                    getattr(new, part)[old:] = start
            replace_module(grown, name, new)
    return grown


def morph_kernel(network: nn.Module, layer: str, kernel_size: int) -> nn.Module:
    """A convolution gets a larger kernel, with zeros around the old one: kernel size morphing.

    Raises:
        ValueError: the layer is no plain 2-D convolution, or its kernel cannot grow alike on all sides.
    """
    old, grown = morphable(network, layer), copy.deepcopy(network)
    if isinstance(old, nn.Linear):
        raise ValueError(f"layer {layer!r} is linear and has no kernel; name a convolution")
    new, margin = grown.get_submodule(layer), (kernel_size - old.kernel_size[0]) // 2
    if margin < 0 or old.kernel_size[0] + 2 * margin != kernel_size:
        raise ValueError(
            f"layer {layer!r} has kernels of {old.kernel_size[0]}, to grow by 2, 4, …; not to {kernel_size}"
        )
    resize(new, F.pad(old.weight, (margin,) * 4), old.bias)
    new.kernel_size, new.padding = (kernel_size,) * 2, (old.padding[0] + margin,) * 2
    return grown


def centred(kernel: Tensor, size: int) -> Tensor:
    """A kernel (…, k, k) in the middle of zeros (…, size, size). Raises ValueError where it has no middle there."""
    margin = (size - kernel.shape[-1]) // 2
    if margin < 0 or kernel.shape[-1] + 2 * margin != size:
        raise ValueError(f"a kernel of {kernel.shape[-1]} does not fit into the middle of {size}; change it by 2, 4, …")
    return F.pad(kernel, (margin,) * 4)


def morphable(network: nn.Module, layer: str) -> nn.Module:
    """The layer of that name. Raises ValueError where it is neither linear nor a plain square 2-D convolution."""
    old = find_layer(network, layer)
    if isinstance(old, nn.Linear):
        return old
    plain = isinstance(old, nn.Conv2d) and old.dilation == (1, 1) and old.padding_mode == "zeros"
    if not plain or isinstance(old.padding, str) or len({*old.kernel_size}) > 1 or len({*old.padding}) > 1:
        raise ValueError(
            f"layer {layer!r} is {old}; only linear layers and square 2-D convolutions without dilation, padded with "
            "zeros by a number, can be morphed"
        )
    return old


def check_solved(layer: str, residual: float, advice: str) -> None:
    """Raises ValueError where the morphism equation of a layer has not been solved."""
    if not residual <= SOLVED:
        raise ValueError(
            f"layer {layer!r} cannot be morphed so: the morphism equation leaves a residual of {residual:.2g}; "
            f"give more {advice}"
        )


def _random_kernel(outputs: int, inputs: int, size: int, generator: torch.Generator) -> Tensor:
    """Float64 (outputs, inputs, size, size), of a scale that keeps the size of the features."""
    kernel = torch.randn(outputs, inputs, size, size, generator=generator, dtype=torch.float64)
    return kernel / (inputs * size**2) ** 0.5
