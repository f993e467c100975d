"""Fine-tuning: start from pretrained weights and go on training, theta' = theta - alpha * grad J(theta).

Replace the head, decide which layer groups may move and how fast, and train on the new task. Yosinski et al. 2014,
arXiv 1411.1792; Howard and Ruder 2018 (discriminative rates), arXiv 1801.06146.
"""

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .backbones import BUNDLED, Backbone, load_backbone


def freeze(module: nn.Module) -> None:
    """Take a module out of training: no gradients, and evaluation mode, so that batch statistics stay, too."""
    module.requires_grad_(False)
    module.eval()


def unfreeze(module: nn.Module) -> None:
    """Put a module back into training."""
    module.requires_grad_(True)
    module.train()


def is_frozen(module: nn.Module) -> bool:
    """Whether the module has parameters and none of them is trained."""
    trained = [parameter.requires_grad for parameter in module.parameters()]
    return bool(trained) and not any(trained)


def discriminative_rates(lr: float, groups: int, decay: float = 2.6) -> list[float]:
    """One learning rate for each layer group, in order from the stem to the head: the earlier, the lower.

        alpha_l = alpha_L / decay^(L - l),   l = 1 … L

    Args:
        lr: the rate of the last group, alpha_L.
        groups: how many, L.
        decay: the factor from a group to the one before it; 1 gives all the same rate.

    Raises:
        ValueError: a rate or factor that is not positive, or no groups.

    Paper: Howard and Ruder 2018, arXiv 1801.06146, section 3.2, with their decay of 2.6.
    """
    if lr <= 0 or decay <= 0 or groups < 1:
        raise ValueError(f"lr={lr}, decay={decay} and groups={groups} must all be positive")
    return [lr / decay ** (groups - 1 - group) for group in range(groups)]


class LayerGroups(nn.Sequential):
    """Layer groups in a row. A frozen group stays in evaluation mode when the whole is put into training mode.

    Without that, a frozen BatchNorm would go on replacing its running statistics by those of each batch: its weights
    would stay while its function drifts.
    """

    def train(self, mode: bool = True) -> "LayerGroups":
        super().train(mode)
        for module in self.modules():
            if module is not self and is_frozen(module):
                module.eval()
        return self


class TransferLearningModel(nn.Module):
    """A pretrained backbone with a new head.

    Args:
        num_classes: of the new task.
        freeze_layers: begin with the whole backbone frozen, so that only the head is trained.
        backbone: a name that `load_backbone` knows, or a `Backbone`, which becomes part of the model (no copy).
        dropout: share of the features that are dropped before the head in training.

    Example, with the last three groups and the head trained, each earlier group more slowly:

        >>> model = TransferLearningModel(num_classes=6)
        >>> model.unfreeze_layers(3)
        >>> optimizer = torch.optim.AdamW(model.parameter_groups(lr=1e-3))
    """

    def __init__(
        self,
        num_classes: int,
        freeze_layers: bool = True,
        *,
        backbone: str | Backbone = BUNDLED,
        dropout: float = 0.2,
    ):
        super().__init__()
        if isinstance(backbone, str):
            backbone = load_backbone(backbone)
        self.feature_dim, self.dropout = backbone.feature_dim, dropout
        groups = dict(backbone.groups.named_children())
        self.layers = LayerGroups(OrderedDict(groups, head=self._new_head(num_classes)))
        self.unfreeze_layers(0 if freeze_layers else len(self.layers) - 1)

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W), uint8 or floats in [0, 1], to logits (B, num_classes)."""
        return self.layers(images)

    def freeze_layers(self) -> None:
        """Freeze the whole backbone; the head stays trainable."""
        self.unfreeze_layers(0)

    def unfreeze_layers(self, num_layers: int) -> None:
        """Train the head and the last `num_layers` layer groups of the backbone; freeze all before them.

        Raises:
            ValueError: fewer than none, or more than the backbone has.
        """
        most = len(self.layers) - 1
        if not 0 <= num_layers <= most:
            names = ", ".join(name for name, _ in self.layers.named_children())
            raise ValueError(f"num_layers is {num_layers}; the backbone has 0 to {most} groups to unfreeze: {names}")
        for group in self.layers[: most - num_layers]:
            freeze(group)
        for group in self.layers[most - num_layers :]:
            unfreeze(group)
        self.layers.train(self.training)

    def replace_head(self, num_classes: int) -> None:
        """Put a new, untrained head on the backbone, for another task."""
        head = self._new_head(num_classes).to(next(self.parameters()).device)
        self.layers.head = head.train(self.training)

    def parameter_groups(self, lr: float, decay: float = 2.6) -> list[dict]:
        """The trainable parameters for an optimizer, each layer group at its rate (see `discriminative_rates`).

        Frozen groups are left out; they count in the exponent, so a group's rate does not depend on what is frozen
        before it.

        Raises:
            ValueError: as `discriminative_rates`.
        """
        rates = discriminative_rates(lr, len(self.layers), decay)
        return [
            {"name": name, "params": [p for p in group.parameters() if p.requires_grad], "lr": rate}
            for (name, group), rate in zip(self.layers.named_children(), rates, strict=True)
            if not is_frozen(group)
        ]

    def split(self) -> tuple[LayerGroups, LayerGroups]:
        """The frozen groups before the first trainable one, and the rest: model(x) = rest(frozen(x)).

        What the frozen part makes of an image never changes, so compute it once and train the rest on it. Both parts
        share their weights with the model.
        """
        first = next((i for i, group in enumerate(self.layers) if not is_frozen(group)), len(self.layers))
        return self.layers[:first], self.layers[first:]

    def _new_head(self, num_classes: int) -> nn.Module:
        if num_classes < 2:
            raise ValueError(f"num_classes is {num_classes}; a classifier needs 2 or more")
        return nn.Sequential(nn.Dropout(self.dropout), nn.Linear(self.feature_dim, num_classes))


def dihedral(images: Tensor, views: Sequence[int] = range(8)) -> Tensor:
    """The turns by 90° and the reflections of images, as views: (B, C, H, W) to (B, len(views), C, H, W).

    View v < 4 is turned v times to the left; view v >= 4 is reflected first, then turned v - 4 times. View 0 is the
    image itself.

    Raises:
        ValueError: the images are not square, or a view is not one of 0 to 7.
    """
    if images.shape[-1] != images.shape[-2]:
        raise ValueError(f"images have shape {tuple(images.shape)}; only square ones can be turned by 90°")
    if not set(views) <= set(range(8)):
        raise ValueError(f"views are {list(views)}; there are 0 to 7")
    flipped = images.flip(-1)
    return torch.stack([torch.rot90(flipped if v >= 4 else images, v % 4, (-2, -1)) for v in views], dim=1)


def random_view(views: Tensor) -> Tensor:
    """One view of each example, by chance: (B, V, …) to (B, …). An `augment` for `training.fit`."""
    chosen = torch.randint(views.shape[1], (len(views),)).to(views.device)
    return views[torch.arange(len(views), device=views.device), chosen]
