"""Feature extraction: a frozen pretrained network turns images into vectors, z = f(x).

What is learned afterwards is small: a linear probe, or nothing at all (k nearest neighbours). Donahue et al. 2014,
DeCAF, arXiv 1310.1531; Sharif Razavian et al. 2014, CNN features off-the-shelf, arXiv 1403.6382.
"""

import hashlib
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from .backbones import BUNDLED, Backbone, Lambda, check_images, fingerprint, load_backbone
from .runtime import pick_device, replacing
from .training import predict


def linear_probe(features: Tensor, labels: Tensor, penalty: float = 100.0) -> nn.Linear:
    """Fit a linear classifier to frozen features: multinomial logistic regression.

    With z the features, standardised to mean 0 and variance 1 in each dimension, it minimises

        sum_i -log softmax(W z_i + b)[y_i]  +  penalty / 2 * ||W||^2

    a convex function, by L-BFGS. The standardisation is folded into the layer that is returned, which
    therefore takes the features as they are.

    Args:
        features: (N, D).
        labels: class numbers (N,), 0 to C - 1, each class at least once.
        penalty: the weight of the squared norm of W, not below 0.

    Returns:
        A layer from (…, D) to (…, C).

    Raises:
        ValueError: shapes or labels that do not fit.

    Paper: Alain and Bengio 2016, linear classifier probes, arXiv 1610.01644.
    """
    _check_probe(features, labels, penalty)
    x, labels, classes = features.detach().double(), labels.long(), int(labels.max()) + 1
    mean, std = x.mean(0), x.std(0, correction=0)
    std = torch.where(std > 0, std, 1)  # a constant feature tells nothing; leave it at 0
    z = (x - mean) / std
    weight = z.new_zeros(classes, z.shape[1], requires_grad=True)
    bias = z.new_zeros(classes, requires_grad=True)
    solver = torch.optim.LBFGS([weight, bias], max_iter=500, tolerance_grad=1e-5, line_search_fn="strong_wolfe")

    def objective() -> Tensor:
        solver.zero_grad()
        loss = F.cross_entropy(z @ weight.T + bias, labels) + penalty / (2 * len(z)) * weight.square().sum()
        loss.backward()
        return loss  # of the mean over the examples, so that one tolerance suits every number of them

    solver.step(objective)
    with torch.no_grad():
        probe = nn.Linear(z.shape[1], classes, dtype=features.dtype, device=features.device)
        probe.weight.copy_(weight / std)
        probe.bias.copy_(bias - weight / std @ mean)
    return probe


def knn_predict(train_features: Tensor, train_labels: Tensor, features: Tensor, k: int = 5) -> Tensor:
    """The majority class among the k nearest training examples by cosine similarity.

        s(z, z_i) = <z, z_i> / (||z|| ||z_i||)

    A tie goes to the class whose neighbours are more similar in sum. Nothing is trained.

    Args:
        train_features: (N, D).
        train_labels: class numbers (N,).
        features: (M, D), to be classified.
        k: how many neighbours vote, 1 to N.

    Returns:
        Class numbers (M,).

    Raises:
        ValueError: shapes, labels or k that do not fit.
    """
    _check_neighbours(train_features, train_labels, features, k)
    similarity = F.normalize(features, dim=1) @ F.normalize(train_features, dim=1).T
    nearest, index = similarity.topk(k, dim=1)
    votes = features.new_zeros(len(features), int(train_labels.max()) + 1)
    # All similarities together weigh less than one vote, so they decide between equal numbers of votes only.
    return votes.scatter_add(1, train_labels.long()[index], 1 + nearest / (2 * k + 1)).argmax(1)


def group_features(
    backbone: Backbone,
    images: Tensor,
    *,
    batch_size: int = 100,
    device: str | torch.device = "auto",
    progress: bool = True,
) -> dict[str, Tensor]:
    """The features after each layer group, averaged over positions.

    Args:
        backbone: whose groups give (B, D, H, W), (B, tokens, D) or, the last, (B, D).
        images: (N, 3, H, W), uint8 or floats in [0, 1].

    Returns:
        A tensor (N, D) by the name of each group, from the stem to the last.

    Raises:
        TypeError, ValueError: see `backbones.check_images`.
    """
    check_images(images)
    features: dict[str, list[Tensor]] = {name: [] for name, _ in backbone.groups.named_children()}

    def keep(name: str):
        def hook(group: nn.Module, inputs: tuple, output: Tensor) -> None:
            positions = [dim for dim in range(1, output.ndim) if dim != backbone.channel_dim % output.ndim]
            features[name].append((output.mean(positions) if positions else output).cpu())

        return hook

    hooks = [group.register_forward_hook(keep(name)) for name, group in backbone.groups.named_children()]
    try:
        predict(backbone, images, batch_size=batch_size, device=device, progress=progress)
    finally:
        for hook in hooks:
            hook.remove()
    return {name: torch.cat(batches) for name, batches in features.items()}


class FeatureExtractor:
    """A frozen pretrained network that turns images into feature vectors.

    Args:
        model_name: a name that `load_backbone` knows, or a `Backbone`.
        weights: as in `load_backbone`; a given `Backbone` keeps its own.
        resize: first resize and crop the images to the size on which the network was trained; otherwise they keep
            their own, which is faster if they are smaller.
        batch_size: how many images are encoded at once.
        device: `"auto"`, `"cpu"`, `"cuda"`.
        cache_dir: a folder in which features are kept. What has been encoded once, by the same weights from the
            same images, is read from there the next time.

    Example:
        >>> FeatureExtractor("resnet50").extract_features(images).shape  # images (10, 3, 224, 224)
        torch.Size([10, 2048])
    """

    def __init__(
        self,
        model_name: str | Backbone = BUNDLED,
        weights: str | None = "DEFAULT",
        *,
        resize: bool = False,
        batch_size: int = 100,
        device: str | torch.device = "auto",
        cache_dir: str | Path | None = None,
    ):
        self.backbone = load_backbone(model_name, weights) if isinstance(model_name, str) else model_name
        self.resize, self.batch_size = resize, batch_size
        self.device = pick_device(device)
        self.cache_dir = Path(cache_dir) if cache_dir else None

    @property
    def feature_dim(self) -> int:
        """The length of a feature vector."""
        return self.backbone.feature_dim

    def extract_features(self, images: Tensor, progress: bool = True) -> Tensor:
        """Images (B, 3, H, W), uint8 or floats in [0, 1], to features (B, D), in the same order, on the CPU.

        Raises:
            TypeError, ValueError: see `backbones.check_images`.
        """
        check_images(images)
        file = self._cache_file(images)
        if file and file.exists():
            try:
                return load_file(file)["features"]
            except (SafetensorError, KeyError) as error:
                raise RuntimeError(f"{file} is damaged; delete it, and the features are computed again") from error
        network = self.backbone
        if self.resize:
            network = nn.Sequential(Lambda(self.backbone.preprocess), network)
        features = predict(network, images, batch_size=self.batch_size, device=self.device, progress=progress)
        if file:
            with replacing(file) as unfinished:
                save_file({"features": features.contiguous()}, unfinished)
        return features

    def _cache_file(self, images: Tensor) -> Path | None:
        if self.cache_dir is None:
            return None
        key = hashlib.sha256(f"{tuple(images.shape)} {images.dtype} {self.resize}".encode())
        key.update(fingerprint(self.backbone).encode())
        key.update(images.cpu().contiguous().flatten().view(torch.uint8).numpy())
        return self.cache_dir / f"{key.hexdigest()[:32]}.safetensors"


def _check_labelled(features: Tensor, labels: Tensor) -> None:
    if features.ndim != 2 or labels.shape != features.shape[:1] or len(labels) == 0:
        raise ValueError(
            f"features have shape {tuple(features.shape)} and labels {tuple(labels.shape)}; (N, D) and (N,) are needed"
        )
    if labels.is_floating_point() or labels.min() < 0:
        raise ValueError(f"labels must be class numbers from 0 on (integers), not {labels.dtype} from {labels.min()}")
    if not features.isfinite().all():
        raise ValueError("features hold NaN or infinite numbers; look at the images that they come from")


def _check_neighbours(train_features: Tensor, train_labels: Tensor, features: Tensor, k: int) -> None:
    _check_labelled(train_features, train_labels)
    if features.ndim != 2 or features.shape[1] != train_features.shape[1]:
        raise ValueError(f"features have shape {tuple(features.shape)}; (M, {train_features.shape[1]}) is needed")
    if not 1 <= k <= len(train_features):
        raise ValueError(f"k is {k}; it must lie between 1 and the number of training examples, {len(train_features)}")


def _check_probe(features: Tensor, labels: Tensor, penalty: float) -> None:
    _check_labelled(features, labels)
    if not penalty >= 0:  # also true of NaN
        raise ValueError(f"penalty is {penalty}; it must not be negative")
    last = int(labels.max())
    if last == 0:
        raise ValueError("all labels are of class 0; a classifier needs two classes or more")
    if missing := sorted(set(range(last)) - set(labels.tolist())):
        raise ValueError(f"no example of class {missing[0]}; number the classes from 0 to {last} without a gap")
