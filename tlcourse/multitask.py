"""Multi-task learning: one trunk that all tasks share, a head for each, and what to do with several losses.

With shared parameters θ and the losses L_i(θ) of T tasks, g_i = ∇_θ L_i. The plain sum follows g_1 + … + g_T. Its
two troubles are losses of different scale, and gradients that conflict, g_i · g_j < 0:

    uncertainty weighting   Kendall et al. 2018, arXiv 1705.07115: a learned noise for each task weighs its loss
    GradNorm                Chen et al. 2018, arXiv 1711.02257: weights that make the gradients similarly long
    PCGrad                  Yu et al. 2020, arXiv 2001.06782: what conflicts with another gradient is projected out

Losses come as a dict from the task's name to a scalar. Everywhere, tasks are in the order of that dict.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm.auto import trange

Losses = Mapping[str, Tensor]
"""The loss of each task by its name, a scalar."""
Data = tuple[Tensor, Tensor]
"""Inputs (N, …) and targets (N, …)."""

KINDS = ("regression", "classification")
METHODS = ("sum", "uncertainty", "gradnorm", "pcgrad")
LOWEST_LOG_VARIANCE = -12.0
"""A task learned down to rounding would get a weight that overflows; exp(12) is more than a label is ever worth."""


class HardSharing(nn.Module):
    """One trunk for all tasks and a head for each (hard parameter sharing; Caruana 1997, Machine Learning 28, 41-75).

        y_i = head_i(trunk(x_i))

    Args:
        trunk: inputs (B, …) to features (B, d).
        heads: by the task's name, features to that task's outputs.

    Raises:
        ValueError: no head, one with a name that torch keeps for itself, or a trunk without parameters to learn.
    """

    def __init__(self, trunk: nn.Module, heads: Mapping[str, nn.Module]):
        super().__init__()
        if not heads:
            raise ValueError("there is no head; give a head for each task, by the task's name")
        for name in heads:
            if not name or "." in name or hasattr(nn.ModuleDict, name):
                raise ValueError(f"a head is named {name!r}, which torch's ModuleDict cannot hold; rename the task")
        _check_parameters(list(trunk.parameters()))
        self.trunk = trunk
        self.heads = nn.ModuleDict(heads)

    def forward(self, inputs: Tensor | Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The outputs of all tasks for the same inputs (B, …), or of the tasks named for each one's own inputs.

        Inputs of several tasks pass through the trunk as one batch: where it has batch normalisation, they share its
        statistics.

        Raises:
            KeyError: there is no head of that name.
        """
        if isinstance(inputs, Tensor):
            features = self.trunk(inputs)
            return {name: head(features) for name, head in self.heads.items()}
        _check_heads(self, inputs)
        features = self.trunk(torch.cat(list(inputs.values()))).split([len(x) for x in inputs.values()])
        return {name: self.heads[name](part) for name, part in zip(inputs, features, strict=True)}


def task_gradients(losses: Losses, parameters: Iterable[Tensor]) -> Tensor:
    """The gradient of each loss for the parameters that the tasks share, (T, P): row i is g_i, flat.

    The graph is kept, so that `backward` may follow.

    Raises:
        ValueError: fewer than two tasks, no parameters that learn, a loss that is no finite scalar or depends on none
            of the parameters.
    """
    return torch.stack([flat for flat, _ in _gradients(losses, list(parameters), {name: [] for name in losses})])


def gradient_cosines(gradients: Tensor) -> Tensor:
    """The cosine of the angle between each two of T gradients (T, P): (T, T). Below 0 they conflict.

    A gradient of 0 has no direction: its cosines are NaN.

    Raises:
        ValueError: fewer than two gradients, or one that is not finite.
    """
    _check_gradients(gradients)
    units = _units(gradients)
    units[~gradients.any(1)] = torch.nan
    return (units @ units.T).clamp(-1, 1)


def conflict_share(cosines: Tensor) -> float:
    """The share of the pairs of tasks whose gradients conflict, 0 to 1; of one (T, T) or of many (…, T, T) cosines.

    Pairs whose cosine is NaN do not count.
    """
    i, j = torch.triu_indices(*cosines.shape[-2:], offset=1)
    pairs = cosines[..., i, j]
    return (pairs[~pairs.isnan()] < 0).float().mean().item()


def pcgrad(gradients: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Project conflicting gradients: (T, P) to their combination (P,) (Yu et al. 2020, arXiv 2001.06782, algorithm 1).

    Each g_i, a copy of it, meets the others in random order, and loses its part along each one it conflicts with:

        g_i ← g_i - (g_i · g_j) / ‖g_j‖² g_j   where g_i · g_j < 0;   then the sum over i

    The g_j are the original gradients. What comes out depends on the order where T > 2. The paper sums; so a gradient
    without conflict is that of the plain sum of losses.

    Args:
        gradients: (T, P), one row for each task.
        generator: of the orders; torch's own by default.

    Raises:
        ValueError: fewer than two gradients, or one that is not finite.
    """
    _check_gradients(gradients)
    projected, units = gradients.clone(), _units(gradients)
    for i, own in enumerate(projected):
        for j in torch.randperm(len(gradients), generator=generator).tolist():
            along = own @ units[j]
            if j != i and along < 0:
                own -= along * units[j]  # in place: a row of `projected`
    return projected.sum(0)


def combined_backward(losses: Losses, model: HardSharing, combine: Callable[[Tensor], Tensor]) -> Tensor:
    """In place of `backward`: the trunk's gradient is `combine(gradients)`, each head's that of its own loss.

    What was in `.grad` is replaced, not added to. The heads of other tasks keep what they have.

    Args:
        losses: of tasks that have a head in the model.
        combine: the tasks' gradients for the trunk's parameters (T, P) to one (P,), as `pcgrad` does.

    Returns:
        The tasks' gradients (T, P).

    Raises:
        ValueError: as `task_gradients`.
        KeyError: a task has no head.
    """
    _check_heads(model, losses)
    shared = [parameter for parameter in model.trunk.parameters() if parameter.requires_grad]
    own = {name: [p for p in model.heads[name].parameters() if p.requires_grad] for name in losses}
    rows, of_heads = zip(*_gradients(losses, shared, own), strict=True)
    for name, gradients in zip(losses, of_heads, strict=True):
        for parameter, gradient in zip(own[name], gradients, strict=True):
            parameter.grad = gradient
    gradients = torch.stack(rows)
    parts = combine(gradients).split([parameter.numel() for parameter in shared])
    for parameter, part in zip(shared, parts, strict=True):
        parameter.grad = part.view_as(parameter).clone()
    return gradients


class UncertaintyWeighting(nn.Module):
    """One loss of several, each weighed by a noise that is learned with the network. With s_i = log σ_i²:

        regression       exp(-s_i) / 2  L_i + s_i / 2,   L_i a mean squared error; best at exp(s_i) = L_i
        classification   exp(-s_i)      L_i + s_i / 2,   L_i a cross-entropy;      best at exp(s_i) = 2 L_i

    Kendall et al. 2018, arXiv 1705.07115, equations 7 and 10.

    Args:
        kinds: for each task's name `"regression"` or `"classification"`.

    `log_variances`, (T,), are the s_i, at first 0: give them to the optimizer beside the network's parameters. They
    are kept above `LOWEST_LOG_VARIANCE`.

    Raises:
        ValueError: fewer than two tasks, or another kind.
    """

    def __init__(self, kinds: Mapping[str, str]):
        super().__init__()
        for name, kind in kinds.items():
            if kind not in KINDS:
                raise ValueError(f"task {name!r} is of the kind {kind!r}; give {' or '.join(KINDS)}")
        _check_count(len(kinds))
        self.names = tuple(kinds)
        factors = [0.5 if kind == "regression" else 1.0 for kind in kinds.values()]
        self.register_buffer("factors", torch.tensor(factors))
        self.log_variances = nn.Parameter(torch.zeros(len(kinds)))

    def forward(self, losses: Losses) -> Tensor:
        """The weighted loss, a scalar.

        Raises:
            ValueError: other tasks than at the start, or a loss that is no finite scalar.
        """
        if tuple(losses) != self.names:
            raise ValueError(f"the losses are of {', '.join(losses)}; the weights are of {', '.join(self.names)}")
        s = self.log_variances
        with torch.no_grad():
            s.clamp_(min=LOWEST_LOG_VARIANCE)
        return (self.weights() * _stacked(losses) + s / 2).sum()

    def weights(self) -> Tensor:
        """What each loss is multiplied by, (T,)."""
        return self.factors * torch.exp(-self.log_variances)


class GradNorm:
    """Weights w_i of the losses, with sum T, that bring the lengths of the gradients, G_i = w_i ‖g_i‖, together.

        r_i = (L_i / L_i(0)) / mean_j (L_j / L_j(0)),   L_grad(w) = Σ_i |G_i - mean_j G_j · r_i^α|

    r_i says how far task i is behind the others, L_i(0) is its loss in the first step. The target, mean G · r_i^α, is
    held constant, so that ∂L_grad / ∂w_i = sign(G_i - target) ‖g_i‖. Adam steps on log w_i instead of the paper's
    w_i, so that the weights stay positive and can span orders of magnitude; then they are scaled to the sum T.

    Chen et al. 2018, arXiv 1711.02257, equations 1 and 2, algorithm 1; it takes the gradients for the last shared layer
    alone, to save time.

    Args:
        tasks: T.
        alpha: α; 0 makes all gradients equally long; the larger, the more a task that is behind gets.
        lr: of the weights' logarithms.

    Raises:
        ValueError: fewer than two tasks, alpha below 0, or lr not above 0.
    """

    def __init__(self, tasks: int, alpha: float = 0.5, lr: float = 0.025):
        _check_count(tasks)
        if not (alpha >= 0 and lr > 0):
            raise ValueError(f"alpha is {alpha} and lr is {lr}; alpha must be 0 or more, lr above 0")
        self.alpha, self.first_losses = alpha, None
        self._log_weights = torch.zeros(tasks)
        self._optimizer = torch.optim.Adam([self._log_weights], lr)

    @property
    def weights(self) -> Tensor:
        """The weights now, (T,): 1 at first, with the sum T."""
        return len(self._log_weights) * torch.softmax(self._log_weights, 0)

    def step(self, losses: Losses, gradients: Tensor) -> Tensor:
        """New weights (T,), from the losses and their gradients (T, P) for the shared parameters, before weighting.

        Raises:
            ValueError: another number of tasks, a loss that is no finite scalar or below 0, or 0 in the first step.
        """
        _check_gradients(gradients, len(self._log_weights))
        now = _stacked(losses).detach()
        if len(now) != len(self._log_weights) or not (now >= 0).all():
            raise ValueError(f"the losses are {now.tolist()}; give {len(self._log_weights)}, none of them below 0")
        if self.first_losses is None:
            if not now.all():
                raise ValueError(f"the first losses are {now.tolist()}; GradNorm divides by them: none may be 0")
            self.first_losses = now
        ratio = now / self.first_losses
        lengths = self.weights * gradients.norm(dim=1)
        target = lengths.mean() * (ratio / ratio.mean().clamp(min=torch.finfo(ratio.dtype).tiny)) ** self.alpha
        # ∂L/∂(log w_i) = w_i ∂L/∂w_i
        self._log_weights.grad = (torch.sign(lengths - target) * lengths).to(self._log_weights)
        self._optimizer.step()
        return self.weights


def train_multitask(
    model: HardSharing,
    data: Mapping[str, Data],
    *,
    method: str = "sum",
    weights: Mapping[str, float] | None = None,
    loss: Callable[[Tensor, Tensor], Tensor] = F.mse_loss,
    kinds: Mapping[str, str] | None = None,
    steps: int = 600,
    batch_size: int = 64,
    lr: float = 2e-2,
    alpha: float = 0.5,
    measure_every: int = 0,
    seed: int = 0,
    progress: bool = True,
) -> dict[str, Tensor]:
    """Train in place by Adam, at a rate that falls to 0 along a cosine; in every step a batch of every task.

    A batch is drawn anew from all of the task's examples, with replacement. Adam has beta2 = 0.99: with its usual
    0.999 the large gradients of the start slow a short training down, unless weights that grow make up for it, and
    the methods would differ for that reason alone.

    Args:
        model: with a head for each task of `data`; it is set to training mode.
        data: by the task's name. One task alone is trained, too; there is then nothing to balance.
        method: `"sum"`, `"uncertainty"`, `"gradnorm"` or `"pcgrad"`.
        weights: factors of the losses, by name, for `"sum"`; 1 where none is given.
        loss: outputs and targets of a task to a scalar.
        kinds: for `"uncertainty"`, what the losses are, by name; regression where none is given.
        steps, batch_size, lr: so many steps, on so many examples of each task, at that rate to begin with, and at five
            times that rate for the log-variances of uncertainty weighting.
        alpha: of `GradNorm`, with the gradients of the whole trunk.
        measure_every: every so many steps the gradients' cosines are measured, on the batch of that step; 0: never.
        seed: of the batches and of PCGrad's orders.

    Returns:
        `"losses"` (steps, T), without weights; `"weights"` (steps, T), for PCGrad all 1; `"steps"` (M,) and
        `"cosines"` (M, T, T), where they were measured, as `gradient_cosines` gives them.

    Raises:
        ValueError: unusable settings, a task without data, a loss that is not finite.
        KeyError: a task has no head.
    """
    _check_training(model, data, method, weights, kinds, steps, batch_size, measure_every)
    model.train()
    generator = torch.Generator().manual_seed(seed)
    trunk, names = list(model.trunk.parameters()), list(data)
    groups = [{"params": [*trunk, *(p for name in names for p in model.heads[name].parameters())]}]
    fixed = torch.tensor([(weights or {}).get(name, 1.0) for name in names])
    if method == "uncertainty":
        uncertainty = UncertaintyWeighting(dict.fromkeys(names, "regression") | (kinds or {}))
        groups.append({"params": [uncertainty.log_variances], "lr": 5 * lr})
    if method == "gradnorm":
        gradnorm = GradNorm(len(names), alpha)
    optimizer = torch.optim.Adam(groups, lr, betas=(0.9, 0.99))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    seen: dict[str, list] = {"losses": [], "weights": [], "steps": [], "cosines": []}
    for step in trange(steps, disable=not progress, delay=2, leave=False):
        chosen = {name: torch.randint(len(x), (batch_size,), generator=generator) for name, (x, _) in data.items()}
        outputs = model({name: data[name][0][rows] for name, rows in chosen.items()})
        losses = {name: loss(outputs[name], data[name][1][rows]) for name, rows in chosen.items()}
        measured = bool(measure_every) and step % measure_every == 0
        if method == "gradnorm" or (measured and method != "pcgrad"):
            gradients = task_gradients(losses, trunk)
        optimizer.zero_grad()
        applied = fixed
        if method == "pcgrad":
            gradients = combined_backward(losses, model, lambda rows: pcgrad(rows, generator))
        elif method == "uncertainty":
            applied = uncertainty.weights().detach()
            uncertainty(losses).backward()
        else:
            if method == "gradnorm":
                applied = gradnorm.weights  # those before the step, as in the paper's algorithm 1
                gradnorm.step(losses, gradients)
            (applied * _stacked(losses)).sum().backward()
        optimizer.step()
        schedule.step()
        seen["losses"].append(torch.stack([value.detach() for value in losses.values()]))
        seen["weights"].append(applied)
        if measured:
            seen["steps"].append(torch.tensor(step))
            seen["cosines"].append(gradient_cosines(gradients))
    return {name: torch.stack(values) if values else torch.empty(0) for name, values in seen.items()}


def _gradients(
    losses: Losses, shared: list[Tensor], own: Mapping[str, list[Tensor]]
) -> list[tuple[Tensor, tuple[Tensor, ...]]]:
    """For each task the flat gradient (P,) of the shared parameters, and those of its own."""
    _check_count(len(losses))
    shared = _check_parameters(shared)
    _stacked(losses)
    found = []
    for name, loss in losses.items():
        wanted = [*shared, *own[name]]
        gradients: tuple = ()
        if loss.requires_grad:
            gradients = torch.autograd.grad(loss, wanted, retain_graph=True, allow_unused=True)
        if all(gradient is None for gradient in gradients[: len(shared)]):
            raise ValueError(
                f"the loss of {name!r} depends on no shared parameter; compute it from what the trunk gives"
            )
        filled = [torch.zeros_like(p) if g is None else g for p, g in zip(wanted, gradients, strict=True)]
        found.append((torch.cat([g.flatten() for g in filled[: len(shared)]]), tuple(filled[len(shared) :])))
    return found


def _units(gradients: Tensor) -> Tensor:
    """Each row of (T, P) at length 1; a row of 0 stays."""
    # By the largest entry first: in float32 the square of 1e-23 is 0, and that of 1e20 infinite.
    scaled = gradients / gradients.abs().amax(1, keepdim=True).clamp(min=torch.finfo(gradients.dtype).tiny)
    return F.normalize(scaled, dim=1)


def _stacked(losses: Losses) -> Tensor:
    """The losses as one tensor (T,), once each is known to be a finite scalar."""
    for name, loss in losses.items():
        if not isinstance(loss, Tensor) or loss.dim() > 0:
            given = f"has shape {tuple(loss.shape)}" if isinstance(loss, Tensor) else f"is {loss!r}"
            raise ValueError(f"the loss of {name!r} {given}; give a scalar tensor, such as the batch's mean")
        if not math.isfinite(loss.item()):
            raise ValueError(f"the loss of {name!r} is {loss.item()}; look at its data, or lower the learning rate")
    return torch.stack(list(losses.values()))


def _check_count(tasks: int) -> None:
    if tasks < 2:
        raise ValueError(f"the number of tasks is {tasks}; two or more are needed, one alone has nothing to balance")


def _check_parameters(parameters: Sequence[Tensor]) -> list[Tensor]:
    learning = [parameter for parameter in parameters if parameter.requires_grad]
    if not learning:
        raise ValueError("no shared parameter learns; give a trunk that has parameters, not all of them frozen")
    return learning


def _check_gradients(gradients: Tensor, tasks: int | None = None) -> None:
    if gradients.dim() != 2 or (len(gradients) < 2 if tasks is None else len(gradients) != tasks):
        raise ValueError(
            f"the gradients have shape {tuple(gradients.shape)}; give (T, P), one row for each of "
            f"{tasks or 'two or more'} tasks"
        )
    if not gradients.isfinite().all():
        row = int((~gradients.isfinite()).any(1).int().argmax())
        raise ValueError(f"gradient {row} is not finite; lower the learning rate, or look at that task's data")


def _check_heads(model: HardSharing, tasks: Iterable[str]) -> None:
    for name in tasks:
        if name not in model.heads:
            raise KeyError(f"there is no head for {name!r}; there are heads for {', '.join(model.heads)}")


def _check_training(model, data, method, weights, kinds, steps, batch_size, measure_every) -> None:
    if method not in METHODS:
        raise ValueError(f"method is {method!r}; give one of {', '.join(METHODS)}")
    if not data:
        raise ValueError("there is no task; give data by the task's name")
    _check_heads(model, data)
    if method != "sum" or measure_every:
        _check_count(len(data))
    if weights and (method != "sum" or not set(weights) <= set(data) or min(weights.values()) < 0):
        raise ValueError(
            f"weights are {dict(weights)}, the method is {method!r}; only 'sum' takes weights, 0 or more, by task"
        )
    if kinds and (method != "uncertainty" or not set(kinds) <= set(data)):
        raise ValueError(f"kinds are {dict(kinds)}, the method is {method!r}; only 'uncertainty' takes kinds, by task")
    if min(steps, batch_size) < 1 or measure_every < 0:
        raise ValueError(
            f"steps is {steps}, batch_size {batch_size} and measure_every {measure_every}; give 1 or more of the first "
            "two, and 0 or more of the last"
        )
    for name, (inputs, targets) in data.items():
        if len(inputs) != len(targets) or len(inputs) == 0:
            given = f"{len(inputs)} inputs and {len(targets)} targets"
            raise ValueError(f"task {name!r} has {given}; give one target for each input, one or more of them")
