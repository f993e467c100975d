"""Progressive fine-tuning: unfreeze a pretrained network in stages, and keep what it knows from being thrown away.

Gradual unfreezing and slanted triangular rates: Howard and Ruder 2018, arXiv 1801.06146. Staying near the start
(L2-SP): Li, Grandvalet and Davoine 2018, arXiv 1802.01483. Probe first, then fine-tune (LP-FT): Kumar et al. 2022,
arXiv 2202.10054.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR

from .feature_extraction import linear_probe
from .fine_tuning import TransferLearningModel, discriminative_rates, freeze, random_view, unfreeze
from .runtime import pick_device
from .training import Data, History, check_data, fit, predict


def l2_sp(weights: Mapping[str, Tensor], start: Mapping[str, Tensor], alpha: float, beta: float) -> Tensor:
    """The penalty that pulls weights to their starting point (SP) instead of to zero; add it to the loss.

        Omega(w) = alpha / 2 * ||w_S - w_S^0||^2  +  beta / 2 * ||w_new||^2

    Args:
        weights: w by name, for example `dict(model.layers.named_parameters())`.
        start: w_S^0, the pretrained values of the shared weights, by the same names; weights that are not in it are
            the new ones (the head).
        alpha, beta: strengths, not negative.

    Returns:
        A scalar. As part of the loss it is part of the validation loss, too.

    Raises:
        ValueError: a negative strength, or a start without its weight or of another shape.

    Paper: Li, Grandvalet and Davoine 2018, arXiv 1802.01483, section 3.
    """
    if alpha < 0 or beta < 0:
        raise ValueError(f"alpha is {alpha} and beta {beta}; neither may be negative")
    if missing := set(start) - set(weights):
        raise ValueError(f"start holds {', '.join(sorted(missing))}, which the weights do not; use the same names")
    for name, value in start.items():
        if weights[name].shape != value.shape:
            raise ValueError(f"{name} has shape {tuple(weights[name].shape)}, its start {tuple(value.shape)}")
    shared = sum((weights[name] - value.to(weights[name].device)).square().sum() for name, value in start.items())
    new = sum(weight.square().sum() for name, weight in weights.items() if name not in start)
    return torch.as_tensor(alpha / 2 * shared + beta / 2 * new)


def one_cycle(optimizer: Optimizer, steps: int) -> LRScheduler:
    """Each group's rate rises from a 25th to its full value in 30 % of the steps, then falls to almost nothing.

    Torch's schedule; the momentum (of Adam, beta_1) goes the other way, from 0.95 to 0.85 and back.

    Raises:
        ValueError: fewer than 4 steps.
    """
    _check_steps(steps)
    return OneCycleLR(optimizer, [group["lr"] for group in optimizer.param_groups], total_steps=steps)


def slanted_triangular(optimizer: Optimizer, steps: int, cut_frac: float = 0.1, ratio: float = 32) -> LRScheduler:
    """A short straight rise to the full rate, in a share `cut_frac` of the steps, then a long straight fall.

        alpha_t = alpha (1 + p (ratio - 1)) / ratio
        p = t / c  for t < c,   1 - (t - c) / (T - c)  after;   c = floor(cut_frac T), T = steps

    Raises:
        ValueError: fewer than 4 steps, or a share that is not between 0 and 1.

    Paper: Howard and Ruder 2018, arXiv 1801.06146, equation (3). They run it once over all stages.
    """
    _check_steps(steps)
    if not 0 < cut_frac < 1 or ratio < 1:
        raise ValueError(f"cut_frac is {cut_frac} and ratio {ratio}; give a share between 0 and 1, and 1 or more")
    cut = max(1, math.floor(cut_frac * steps))

    def share(step: int) -> float:
        p = step / cut if step < cut else 1 - (step - cut) / (steps - cut)
        return (1 + p * (ratio - 1)) / ratio

    return LambdaLR(optimizer, share)


def _check_steps(steps: int) -> None:
    if steps < 4:
        raise ValueError(f"in {steps} steps no rate can rise and fall; 4 are needed: more epochs or smaller batches")


def start_from_probe(
    model: TransferLearningModel,
    images: Tensor,
    labels: Tensor,
    penalty: float = 100.0,
    device: str | torch.device = "auto",
) -> None:
    """Put a linear probe, fitted to the model's features, in the place of its random head: the LP of LP-FT.

    Args:
        model: changed in place, moved to `device`.
        images, labels: (N, 3, H, W) and (N,), every class at least once.
        penalty: as in `linear_probe`.

    Raises:
        ValueError: the labels have another number of classes than the head, or as `linear_probe`.

    Paper: Kumar et al. 2022, arXiv 2202.10054.
    """
    head, classes = model.layers.head[-1], int(labels.max()) + 1
    if classes != head.out_features:
        raise ValueError(f"the labels have {classes} classes, the model's head {head.out_features}; give it as many")
    model.to(pick_device(device))
    probe = linear_probe(predict(model.layers[:-1], images, device=device), labels, penalty)
    head.load_state_dict(probe.state_dict())


class ProgressiveFineTuner:
    """Trains a model in stages, each of which lets more of its layer groups change.

    Args:
        model: trained in place. The backbone's present weights are the starting point.
        num_stages: how many parts the layer groups are split into; each stage adds one.
        order: `"head first"` begins with the part at the head (gradual unfreezing), `"input first"` with the part at
            the input. The head itself, which is new, is trained in every stage.
        lr: the learning rate of the part at the head in the first stage; see `rates`.
        decay: how many times lower it is in each part before. Howard and Ruder found 2.6 for the three layers of
            their text model; 1 gives all parts the same rate.
        schedule: makes the scheduler of a stage from its optimizer and number of steps: `one_cycle`,
            `slanted_triangular`, or your own.
        freeze_batch_norm: keep batch normalisation as pretraining left it in the trained layers, too: the statistics
            of a few small batches are worse than those of ImageNet.

    Attributes:
        start: the backbone's weights by name, as they were at the beginning.
        movement: after each epoch, how far each layer group is from there (see `moved`).

    Raises:
        ValueError: fewer than one stage, more than there are layer groups, an unknown order, or as
            `discriminative_rates`.

    Paper: Howard and Ruder 2018, arXiv 1801.06146, section 3.3.
    """

    def __init__(
        self,
        model: TransferLearningModel,
        num_stages: int = 3,
        *,
        order: str = "head first",
        lr: float = 2e-3,
        decay: float = 2.6,
        schedule: Callable[[Optimizer, int], LRScheduler] = one_cycle,
        freeze_batch_norm: bool = True,
    ):
        if not 1 <= num_stages <= len(model.layers):
            raise ValueError(f"num_stages is {num_stages}; give 1 to {len(model.layers)}, the number of layer groups")
        if order not in ("head first", "input first"):
            raise ValueError(f"order is {order!r}; give 'head first' or 'input first'")
        discriminative_rates(lr, num_stages, decay)  # refuses what cannot be a rate before anything is trained
        self.model, self.num_stages, self.order = model, num_stages, order
        self.lr, self.decay, self.schedule, self.freeze_batch_norm = lr, decay, schedule, freeze_batch_norm
        self.start = {name: weight.detach().clone() for name, weight in self._backbone_weights()}
        self.movement: list[dict[str, float]] = []

    def split_layers(self) -> list[list[str]]:
        """The names of the layer groups in `num_stages` parts, from the input to the head, as even as they can be."""
        names = list(self._groups())
        cuts = [round(len(names) * stage / self.num_stages) for stage in range(self.num_stages + 1)]
        return [names[a:b] for a, b in pairwise(cuts)]

    def trainable_layers(self, stage: int) -> list[str]:
        """The layer groups that change in a stage, 0 to `num_stages` - 1, in order; the last stage trains all.

        Raises:
            ValueError: there is no such stage.
        """
        self._check_stage(stage)
        parts = self.split_layers()
        chosen = sum(parts[-stage - 1 :] if self.order == "head first" else parts[: stage + 1], [])
        return [name for name in self._groups() if name in chosen or name == "head"]

    def rates(self, stage: int) -> list[float]:
        """The learning rate of each part in a stage: discriminative, and lower from stage to stage.

            alpha_(s, l) = lr / (decay^(L - l) (s + 1)),   l = 1 … L, stages s = 0 … L - 1

        The divisor s + 1 is not in the paper: later stages must not undo what earlier ones have settled.

        Raises:
            ValueError: there is no such stage.
        """
        self._check_stage(stage)
        return [rate / (stage + 1) for rate in discriminative_rates(self.lr, self.num_stages, self.decay)]

    def train_stage(
        self,
        stage: int,
        train: Data,
        validation: Data | None = None,
        *,
        epochs: int = 10,
        batch_size: int = 32,
        loss: Callable[[Tensor, Tensor], Tensor] = F.cross_entropy,
        weight_decay: float = 0.01,
        seed: int = 0,
        device: str | torch.device = "auto",
        progress: bool = True,
    ) -> History:
        """Unfreeze the layers of a stage, freeze the others, batch statistics included, and train with AdamW.

        What frozen layers at the input make of the images is computed once and kept: (N, …) or (N, V, …) floats.

        Args:
            stage: 0 to `num_stages` - 1.
            train: images (N, 3, H, W), or V views of each (N, V, 3, H, W), of which each batch draws one; labels (N,).
            validation: images (M, 3, H, W) and labels (M,).
            epochs, batch_size, loss, seed, device, progress: as in `training.fit`.

        Raises:
            ValueError: there is no such stage, too few steps for the schedule, or as `training.fit`.
        """
        trained, groups = self.trainable_layers(stage), self._groups()
        if epochs < 1 or batch_size < 1:
            raise ValueError(f"epochs is {epochs} and batch_size {batch_size}; both must be 1 or more")
        check_data("train", train)
        for name, group in groups.items():
            (unfreeze if name in trained else freeze)(group)
            for module in group.modules():
                if self.freeze_batch_norm and isinstance(module, _BatchNorm):
                    freeze(module)
        optimizer = torch.optim.AdamW(
            [
                {"params": [p for name in part for p in groups[name].parameters() if p.requires_grad], "lr": rate}
                for part, rate in zip(self.split_layers(), self.rates(stage), strict=True)
            ],
            weight_decay=weight_decay,
        )
        scheduler = self.schedule(optimizer, epochs * math.ceil(len(train[1]) / batch_size))
        device = pick_device(device)
        self.model.to(device)
        self.start = {name: weight.to(device) for name, weight in self.start.items()}
        frozen, rest = self.model.split()
        return fit(
            rest,
            (_encode(frozen, train[0], device), train[1]),
            validation and (_encode(frozen, validation[0], device), validation[1]),
            optimizer=optimizer,
            scheduler=scheduler,
            epochs=epochs,
            batch_size=batch_size,
            loss=loss,
            augment=random_view if train[0].ndim == 5 else None,
            seed=seed,
            device=device,
            on_epoch=lambda history: self.movement.append(self.moved()),
            progress=progress,
        )

    def moved(self) -> dict[str, float]:
        """How far the parameters of each layer group are from their start, by its name: ||w - w^0|| / ||w^0||.

        Where the start is all zero, the distance itself.
        """
        distance, norm = defaultdict(float), defaultdict(float)
        for name, weight in self._backbone_weights():
            group, before = name.split(".")[0], self.start[name].to(weight.device)
            distance[group] += (weight.detach() - before).square().sum()
            norm[group] += before.square().sum()
        return {group: math.sqrt(distance[group] / (norm[group] or 1)) for group in norm}

    def _groups(self) -> dict[str, nn.Module]:
        return dict(self.model.layers.named_children())

    def _backbone_weights(self) -> Iterator[tuple[str, nn.Parameter]]:
        return self.model.layers[:-1].named_parameters()

    def _check_stage(self, stage: int) -> None:
        if not 0 <= stage < self.num_stages:
            raise ValueError(f"stage is {stage}; there are stages 0 to {self.num_stages - 1}")


def _encode(frozen: nn.Module, images: Tensor, device: torch.device) -> Tensor:
    if len(frozen) == 0:
        return images
    if images.ndim < 5:
        return predict(frozen, images, device=device)
    return predict(frozen, images.flatten(0, 1), device=device).unflatten(0, images.shape[:2])
