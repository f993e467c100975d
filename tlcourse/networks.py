"""Small networks that several lessons train in seconds."""

from collections import OrderedDict
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from .backbones import Lambda, _unit_range
from .training import predict


def digit_network(num_classes: int, width: int = 16) -> nn.Sequential:
    """A convolutional network for small grey images, (B, 1, 28, 28), uint8 or floats in [0, 1], to logits.

    It refuses other images by ValueError, and other types by TypeError.

    Its layer groups, in order, with width w:

        conv1    5 × 5, stride 2, w channels        (B, w, 14, 14)
        conv2    3 × 3, stride 2, 2 w channels      (B, 2 w, 7, 7)
        conv3    3 × 3, stride 2, 4 w channels      (B, 4 w, 4, 4)
        dense1   to 128 numbers                     (B, 128)
        dense2   to 64 numbers                      (B, 64)
        head     to logits                          (B, num_classes)

    Each convolution is followed by batch normalisation and ReLU, dense1 and dense2 by ReLU. Weights are random, by
    torch's defaults. The running averages have momentum 0.3: with torch's 0.1 they lag behind the weights when a
    training has a few tens of steps only, and the network, good in training mode, is poor in evaluation mode.

    Raises:
        ValueError: fewer than two classes, or no channels.
    """
    if num_classes < 2 or width < 1:
        raise ValueError(f"num_classes is {num_classes} and width {width}; 2 or more classes and 1 or more are needed")
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Sequential(Lambda(_digits), *_convolution(1, width, 5)),
            conv2=nn.Sequential(*_convolution(width, 2 * width, 3)),
            conv3=nn.Sequential(*_convolution(2 * width, 4 * width, 3)),
            dense1=nn.Sequential(nn.Flatten(), nn.Linear(4 * width * 4 * 4, 128), nn.ReLU()),
            dense2=nn.Sequential(nn.Linear(128, 64), nn.ReLU()),
            head=nn.Linear(64, num_classes),
        )
    )


def digit_encoder(channels: int = 3, width: int = 16) -> nn.Sequential:
    """A convolutional network that turns images (B, channels, 28, 28), uint8 or floats in [0, 1], into 100 features.

    It refuses other images by ValueError, and other types by TypeError. With width w:

        conv1    5 × 5, w channels, the largest of each 2 × 2      (B, w, 12, 12)
        conv2    5 × 5, 2 w channels, the largest of each 2 × 2    (B, 2 w, 4, 4)
        dense    to 100 numbers, none negative                     (B, 100)

    each with batch normalisation and ReLU. The convolutions are those of Ganin et al. 2016, arXiv 1505.07818, for
    digits, narrower. Weights are random, by torch's defaults, and lie in memory with the channels last, which is faster
    on a CPU.

    Raises:
        ValueError: no channels.
    """
    if channels < 1 or width < 1:
        raise ValueError(f"channels is {channels} and width {width}; 1 or more of both are needed")
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Sequential(Lambda(partial(_digits, channels=channels)), *_pooled(channels, width)),
            conv2=nn.Sequential(*_pooled(width, 2 * width)),
            dense=nn.Sequential(
                nn.Flatten(), nn.Linear(2 * width * 4 * 4, 100, bias=False), nn.BatchNorm1d(100), nn.ReLU()
            ),
        )
    ).to(memory_format=torch.channels_last)


def conv4(
    width: int = 64,
    channels: int = 1,
    *,
    pooling: bool = True,
    normalization: Callable[[int], nn.Module] = nn.BatchNorm2d,
) -> nn.Sequential:
    """The four-block convolutional encoder of few-shot learning: images (B, channels, 28, 28) to features.

    Each block is a 3 × 3 convolution to `width` channels, `normalization(width)` and ReLU, and makes the maps half as
    large: by taking the largest of each 2 × 2 (Vinyals et al. 2016, arXiv 1606.04080; Snell et al. 2017, arXiv
    1703.05175), or, without pooling, by the convolution's stride (Finn et al. 2017, arXiv 1703.03400).

        28 → 14 → 7 → 3 → 1    pooling:   (B, width)
        28 → 14 → 7 → 4 → 2    strides:   (B, 4 width)

    Images are uint8, or floats in [0, 1]; their values are not looked at, so that `torch.func.vmap` can pass through.
    Weights are random, by torch's defaults, and lie in memory with the channels last, which is faster on a CPU.

    Raises:
        ValueError: no channels; or, when it is called, images of another shape.
        TypeError: when it is called, images of another type.
    """
    if channels < 1 or width < 1:
        raise ValueError(f"channels is {channels} and width {width}; 1 or more of both are needed")
    blocks = OrderedDict(images=Lambda(partial(_scaled, channels=channels)))
    for number in range(1, 5):
        convolution = nn.Conv2d(channels, width, 3, stride=1 if pooling else 2, padding=1)
        halving = [nn.MaxPool2d(2)] if pooling else []
        blocks[f"block{number}"] = nn.Sequential(convolution, normalization(width), nn.ReLU(), *halving)
        channels = width
    blocks["flatten"] = nn.Flatten()
    return nn.Sequential(blocks).to(memory_format=torch.channels_last)


def group_outputs(network: nn.Sequential, inputs: Tensor, batch_size: int = 500) -> list[Tensor]:
    """What each layer group in turn makes of the inputs (N, …): tensors (N, …) on the CPU, in order.

    Evaluation mode, no gradients; see `training.predict`.
    """
    outputs = []
    for group in network:
        inputs = predict(group, inputs, batch_size=batch_size)
        outputs.append(inputs)
    return outputs


def _convolution(inputs: int, outputs: int, kernel: int) -> tuple[nn.Module, ...]:
    convolution = nn.Conv2d(inputs, outputs, kernel, stride=2, padding=kernel // 2, bias=False)
    return convolution, nn.BatchNorm2d(outputs, momentum=0.3), nn.ReLU()


def _pooled(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    # Pooled before they are normalised, the maps are a quarter as large.
    return nn.Conv2d(inputs, outputs, 5, bias=False), nn.MaxPool2d(2), nn.BatchNorm2d(outputs), nn.ReLU()


def _scaled(images: Tensor, channels: int) -> Tensor:
    """Bytes to floats in [0, 1], floats as they are."""
    if images.ndim != 4 or images.shape[1:] != (channels, 28, 28):
        raise ValueError(f"images have shape {tuple(images.shape)}; a batch (B, {channels}, 28, 28) is needed")
    if images.dtype == torch.uint8:
        return _unit_range(images, torch.float32)
    if not images.is_floating_point():
        raise TypeError(f"images are of type {images.dtype}; give uint8 (0 to 255), or images.float() from 0 to 1")
    return images


def _digits(images: Tensor, channels: int = 1) -> Tensor:
    """Bytes to floats in [0, 1], such floats as they are, and nothing else."""
    if images.ndim != 4 or images.shape[1:] != (channels, 28, 28) or len(images) == 0:
        raise ValueError(f"images have shape {tuple(images.shape)}; a batch (B, {channels}, 28, 28) is needed")
    if images.dtype == torch.uint8:
        return _unit_range(images, torch.float32)
    if images.dtype not in (torch.float32, torch.float64):
        raise TypeError(f"images are of type {images.dtype}; give uint8 (0 to 255), or images.float() from 0 to 1")
    low, high = (bound.item() for bound in images.detach().aminmax())
    if not (0 <= low and high <= 1):  # also true of NaN
        raise ValueError(
            f"images have values from {low:.3g} to {high:.3g}; floats must lie in [0, 1]: "
            "divide by 255 or give uint8, and do not normalise"
        )
    return images
