"""Continual learning: tasks come one after the other, and the old ones are to be remembered.

Elastic weight consolidation (EWC; Kirkpatrick et al. 2017, arXiv 1612.00796), learning without forgetting (LwF; Li &
Hoiem 2016, arXiv 1606.09282), experience replay (Rolnick et al. 2018, arXiv 1811.11682; Chaudhry et al. 2019, arXiv
1902.10486), and how the field measures what was kept.
"""

import copy
import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from tqdm.auto import tqdm

from .training import check_data, evaluation_mode, predict

Tensors = dict[str, Tensor]  # by the name of a parameter


def fisher_diagonal(
    model: nn.Module,
    inputs: Tensor,
    labels: Tensor | None = None,
    *,
    classes: Sequence[int] | None = None,
    seed: int = 0,
    batch_size: int = 100,
) -> Tensors:
    """The diagonal of the Fisher information of a classifier's parameters: how much each one matters for the answers.

        F_j = mean over x of  E_y [ (∂ log p(y | x, θ) / ∂θ_j)² ]

    The square is taken for each example, before the mean: the square of the mean gradient, which a batch's loss gives,
    is too small, where the mean gradient is zero by a factor of as many as the batch has examples.

    Without labels, y is drawn from the model's own p(y | x, θ), one for each x: a Monte Carlo estimate of the Fisher
    information. With the true labels it is the *empirical* Fisher, another quantity (Kunstner et al. 2019, arXiv
    1905.12558): of a model that fits its data, it is nearly zero.

    Args:
        model: inputs (B, …) to logits (B, C), each row by itself; it is evaluated in evaluation mode.
        inputs: (N, …).
        labels: class numbers (N,), or None.
        classes: the outputs that compete; None: all.
        seed: of the labels that are drawn.
        batch_size: examples at a time; their gradients are in memory at once.

    Returns:
        By the name of each trainable parameter, a tensor of its shape.

    Raises:
        ValueError: no inputs, not as many labels, or labels that are not among the classes.
    """
    if len(inputs) == 0 or (labels is not None and len(labels) != len(inputs)):
        told = "no labels" if labels is None else f"{len(labels)} labels"
        raise ValueError(f"there are {len(inputs)} inputs and {told}; give one input or more, and a label for each")
    if labels is not None and classes is not None and (others := set(labels.tolist()) - set(classes)):
        raise ValueError(f"the labels {sorted(others)} are none of the classes {tuple(classes)}; give labels that are")
    parameters = {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}
    fisher = {name: torch.zeros_like(p) for name, p in parameters.items()}

    def loss(parameters: Tensors, x: Tensor, y: Tensor) -> Tensor:
        logits = compete(functional_call(model, parameters, (x[None],)), classes)
        return F.cross_entropy(logits, y[None])

    with evaluation_mode(model):
        if labels is None:
            logits = compete(predict(model, inputs, device=inputs.device), classes)
            generator = torch.Generator().manual_seed(seed)
            labels = torch.multinomial(logits.softmax(1), 1, generator=generator)[:, 0].to(inputs.device)
        for x, y in zip(inputs.split(batch_size), labels.split(batch_size), strict=True):
            gradients = vmap(grad(loss), in_dims=(None, 0, 0))(parameters, x, y)
            for name, per_example in gradients.items():
                fisher[name] += per_example.square().sum(0) / len(inputs)
    return fisher


def compete(logits: Tensor, classes: Sequence[int] | None) -> Tensor:
    """Logits (B, C) in which only the given classes can win: the others are -∞. None: all can."""
    if classes is None:
        return logits
    others = torch.ones(logits.shape[1], dtype=torch.bool, device=logits.device)
    others[list(classes)] = False
    return logits.masked_fill(others, -torch.inf)


def ewc_penalty(model: nn.Module, anchor: Tensors, fisher: Tensors) -> Tensor:
    """½ Σ_j F_j (θ_j - θ*_j)², what it costs to leave the anchor θ* (Kirkpatrick et al., eq. 3, without λ): a scalar.

    Raises:
        ValueError: the model lacks a parameter of the anchor.
    """
    parameters, total = dict(model.named_parameters()), torch.zeros(())
    for name, there in anchor.items():
        if name not in parameters:
            raise ValueError(f"the model has no parameter {name!r}, which the anchor has; give the same model")
        total = total + (fisher[name] * (parameters[name] - there).square()).sum() / 2
    return total


class EWC:
    """Elastic weight consolidation: springs that hold each parameter where the old tasks need it.

        loss = L_new(θ) + λ · penalty(θ),    penalty(θ) = Σ_i ½ Σ_j F_ij (θ_j - θ*_ij)²,   i the old tasks

    Springs side by side are one spring: only their sum is kept, so memory and time do not grow with the tasks,

        ½ F₁ (θ - a₁)² + ½ F₂ (θ - a₂)²  =  ½ (F₁ + F₂) (θ - a)² + ½ F₁F₂ / (F₁ + F₂) (a₁ - a₂)²,
        a = (F₁ a₁ + F₂ a₂) / (F₁ + F₂)

    With `decay` γ it is online EWC (Schwarz et al. 2018, arXiv 1805.06370): F ← γ F + F_new, and the anchor is where
    the last task left the parameters. The paper's penalty has γ F in the place of F; here that factor is left to λ.
    """

    def __init__(self, decay: float | None = None):
        if decay is not None and not 0 <= decay <= 1:
            raise ValueError(f"decay is {decay}; give a number from 0 to 1, or None for EWC that keeps all tasks alike")
        self.decay = decay
        self.fisher: Tensors = {}
        self.anchor: Tensors = {}
        self.tension: Tensor | float = 0.0
        """What is left of the penalty at the anchor, where springs pull against each other."""

    def consolidate(self, model: nn.Module, inputs: Tensor, labels: Tensor | None = None, **options) -> None:
        """Remember the task just learned, by some of its inputs; see `fisher_diagonal`, which gets all arguments."""
        fisher = fisher_diagonal(model, inputs, labels, **options)
        anchor = {name: p.detach().clone() for name, p in model.named_parameters() if name in fisher}
        if self.fisher and self.fisher.keys() != fisher.keys():
            raise ValueError("the model's trainable parameters are not those of the tasks before; give the same model")
        for name, old in self.fisher.items():
            if self.decay is not None:
                fisher[name] += self.decay * old
                continue
            apart = anchor[name] - self.anchor[name]
            share = fisher[name] / (fisher[name] + old).clamp(min=torch.finfo(old.dtype).tiny)
            self.tension = self.tension + (share * old * apart.square()).sum() / 2
            anchor[name] = self.anchor[name] + share * apart
            fisher[name] += old
        self.fisher, self.anchor = fisher, anchor

    def penalty(self, model: nn.Module) -> Tensor:
        """A scalar; 0 before the first task is consolidated."""
        return self.tension + ewc_penalty(model, self.anchor, self.fisher)


def lwf_loss(logits: Tensor, old_logits: Tensor, temperature: float = 2.0) -> Tensor:
    """Learning without forgetting: the answers of the old network, softened, are targets for the new one (eq. 2 to 4).

        - Σ_c p'_c log q'_c,    p' = softmax(old_logits / T),  q' = softmax(logits / T)

    It is the paper's form: p^(1/T), made to sum to 1 again, is softmax(logits / T).

    Args:
        logits, old_logits: (B, C), of the old task's outputs, on inputs of the *new* task.

    Returns:
        A scalar, the mean over the batch.

    Raises:
        ValueError: the shapes differ, or the temperature is not above 0.
    """
    if logits.shape != old_logits.shape or logits.ndim != 2:
        raise ValueError(f"logits {tuple(logits.shape)} and old_logits {tuple(old_logits.shape)} must both be (B, C)")
    if not temperature > 0:
        raise ValueError(f"temperature is {temperature}; it must be above 0")
    return F.cross_entropy(logits / temperature, (old_logits / temperature).softmax(1))


class Reservoir:
    """A memory of fixed size in which every example seen so far is kept with the same chance (Vitter 1985).

    The n-th example takes a place with chance capacity / n, and then that of a random one.
    """

    def __init__(self, capacity: int, seed: int = 0):
        if capacity < 1:
            raise ValueError(f"capacity is {capacity}; one example or more must fit")
        self.capacity, self.seen = capacity, 0
        self.examples: list[tuple[Tensor, ...]] = []
        self._generator = torch.Generator().manual_seed(seed)

    def __len__(self) -> int:
        return len(self.examples)

    def add(self, *columns: Tensor) -> None:
        """Offer examples, one after the other: inputs (N, …), labels (N,), and whatever else belongs to them (N, …)."""
        if len({len(column) for column in columns}) != 1:
            lengths = [len(column) for column in columns]
            raise ValueError(f"there are columns of lengths {lengths}; give one or more, all of one length")
        for example in zip(*columns, strict=True):
            self.seen += 1
            # Copies: a view of a row would keep its whole batch in memory, and change when that does.
            if len(self.examples) < self.capacity:
                self.examples.append(tuple(map(torch.clone, example)))
            elif (place := int(torch.randint(self.seen, (), generator=self._generator))) < self.capacity:
                self.examples[place] = tuple(map(torch.clone, example))

    def sample(self, size: int) -> tuple[Tensor, ...]:
        """Examples drawn with replacement: a column (size, …) for each that was added."""
        if not self.examples:
            raise ValueError("the memory is empty; add examples first")
        drawn = torch.randint(len(self.examples), (size,), generator=self._generator).tolist()
        return tuple(torch.stack(column) for column in zip(*(self.examples[place] for place in drawn), strict=True))


def average_accuracy(accuracy: Tensor) -> float:
    """ACC = 1/T Σ_i R_Ti: the mean accuracy over all tasks after the last one (Lopez-Paz & Ranzato 2017, arXiv
    1706.08840).

    Args:
        accuracy: R, (T, T): R_ti is the accuracy on task i after task t has been learned.
    """
    return _matrix(accuracy)[-1].mean().item()


def backward_transfer(accuracy: Tensor) -> float:
    """BWT = 1/(T-1) Σ_{i<T} (R_Ti - R_ii): how later tasks changed the earlier ones; below 0 where they were forgotten.

    Lopez-Paz & Ranzato 2017, arXiv 1706.08840. For `accuracy` see `average_accuracy`; two tasks or more.
    """
    matrix = _matrix(accuracy, tasks=2)
    return (matrix[-1] - matrix.diagonal())[:-1].mean().item()


def forgetting(accuracy: Tensor) -> float:
    """F = 1/(T-1) Σ_{i<T} (max_{t<T} R_ti - R_Ti): how far below its best each earlier task has fallen.

    Chaudhry et al. 2018, arXiv 1801.10112. For `accuracy` see `average_accuracy`; two tasks or more. Where each task is
    at its best just when it has been learned, it is -BWT.
    """
    matrix = _matrix(accuracy, tasks=2)
    return (matrix[:-1, :-1].max(0).values - matrix[-1, :-1]).mean().item()


def forward_transfer(accuracy: Tensor, untrained: Tensor) -> float:
    """FWT = 1/(T-1) Σ_{i>1} (R_{i-1,i} - b_i): how well a task is solved before it is learned, above no training.

    Lopez-Paz & Ranzato 2017, arXiv 1706.08840. `untrained` is b, (T,), the accuracies of the network at its start.
    """
    matrix = _matrix(accuracy, tasks=2)
    if untrained.shape != matrix[0].shape:
        raise ValueError(
            f"untrained has shape {tuple(untrained.shape)}; give an accuracy for each of {len(matrix)} tasks"
        )
    return (matrix.diagonal(1) - untrained[1:]).mean().item()


def train_stream(
    model: nn.Module,
    tasks: Sequence,
    *,
    ewc: EWC | None = None,
    ewc_strength: float = 100.0,
    fisher_examples: int = 500,
    lwf_strength: float = 0.0,
    memory: Reservoir | None = None,
    epochs: int = 5,
    batch_size: int = 32,
    lr: float = 1e-3,
    seed: int = 0,
    progress: bool = True,
) -> Tensor:
    """Train a classifier on one task after the other, and measure it on all tasks after each.

    What is minimised on the batches of task t, by Adam, which starts anew with each task:

        cross-entropy on task t  +  λ · EWC's penalty  +  μ · LwF's loss of each old task  +  cross-entropy on memories

    Without ewc, lwf_strength and memory, it is *naive* training. An old task's LwF outputs are its `classes`, or, where
    it has none, the labels seen so far.

    Args:
        model: inputs (B, …) to logits (B, C), C being enough for all labels; trained in place, on the CPU, and left in
            training mode.
        tasks: `data.task_streams.Task`, or anything with `train` and `test`, pairs of inputs (N, …) and labels (N,),
            and `classes`, the outputs that compete, or None.
        ewc: an `EWC`; after each task it is given `fisher_examples` of its inputs, with labels drawn from the model.
        ewc_strength, lwf_strength: λ and μ.
        memory: a new `Reservoir`, to which each task's examples are added while it is learned; every batch is joined by
            as many memories.
        seed: of the order of the examples.

    Returns:
        R, (T, T): the accuracy on task i (column) after task t (row).

    Raises:
        ValueError: no tasks, unusable data or settings, a memory that has been used before, or labels that the task's
            classes or the model lack.
        FloatingPointError: the loss is not finite.
    """
    _check_stream(model, tasks, epochs, batch_size, fisher_examples, ewc_strength, lwf_strength)
    if memory is not None and memory.seen:  # it knows its tasks by their numbers
        raise ValueError(f"the memory has seen {memory.seen} examples of another stream; give a new Reservoir")
    generator, accuracy = torch.Generator().manual_seed(seed), torch.zeros(len(tasks), len(tasks))
    batches = sum(-(-len(task.train[0]) // batch_size) for task in tasks) * epochs
    model.train()
    with tqdm(total=batches, disable=not progress, leave=False, delay=2) as bar:
        for t, task in enumerate(tasks):
            old, groups = copy.deepcopy(model).eval(), _old_outputs(tasks[:t]) if lwf_strength else []
            optimizer = torch.optim.Adam(model.parameters(), lr)
            for epoch in range(epochs):
                for batch in torch.randperm(len(task.train[0]), generator=generator).split(batch_size):
                    x, y = task.train[0][batch], task.train[1][batch]
                    loss = _stream_loss(model, x, y, task, ewc, ewc_strength, old, groups, lwf_strength)
                    if memory is not None:
                        loss = loss + _replay_loss(model, memory, len(x), tasks)
                        if epoch == 0:
                            memory.add(x, y, torch.full_like(y, t))
                    _step(optimizer, loss, f"task {t + 1}")
                    bar.update()
            # Drawn for every method, so that all of them see the same batches.
            some = torch.randperm(len(task.train[0]), generator=generator)[:fisher_examples]
            if ewc is not None:
                ewc.consolidate(model, task.train[0][some], classes=task.classes, seed=seed + t)
            accuracy[t] = torch.tensor([task_accuracy(model, other) for other in tasks])
    return accuracy


def _stream_loss(model, x, y, task, ewc, ewc_strength, old, groups, lwf_strength) -> Tensor:
    """Cross-entropy, λ · EWC's penalty and μ · LwF's loss of each group of the old model's outputs."""
    logits = model(x)
    loss = F.cross_entropy(compete(logits, task.classes), y)
    if ewc is not None:
        loss = loss + ewc_strength * ewc.penalty(model)
    if groups:
        with torch.no_grad():
            old_logits = old(x)
        loss = loss + lwf_strength * sum(lwf_loss(logits[:, g], old_logits[:, g]) for g in groups)
    return loss


def _replay_loss(model: nn.Module, memory: Reservoir, size: int, tasks: Sequence) -> Tensor:
    """Cross-entropy on memories; 0 where there are none yet."""
    if not len(memory):
        return torch.zeros(())
    x, y, of = memory.sample(size)
    return _pooled_loss(model(x), y, of, tasks)


def _step(optimizer: torch.optim.Optimizer, loss: Tensor, where: str) -> None:
    if not loss.isfinite():
        raise FloatingPointError(f"the loss is {loss.item()} in {where}; give finite inputs, a lower lr or strength")
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def train_jointly(
    model: nn.Module,
    tasks: Sequence,
    *,
    epochs: int = 5,
    batch_size: int = 32,
    lr: float = 1e-3,
    seed: int = 0,
    progress: bool = True,
) -> Tensor:
    """Train on the examples of all tasks at once, as if they could all be kept: what continual learning aspires to.

    Arguments as in `train_stream`. Returns the accuracy on each task, (T,).

    Raises:
        ValueError: no tasks, unusable data or settings, or labels that the task's classes or the model lack.
        FloatingPointError: the loss is not finite.
    """
    _check_stream(model, tasks, epochs, batch_size)
    x, y = (torch.cat([task.train[part] for task in tasks]) for part in (0, 1))
    of = torch.cat([torch.full((len(task.train[0]),), t) for t, task in enumerate(tasks)])
    generator, optimizer = torch.Generator().manual_seed(seed), torch.optim.Adam(model.parameters(), lr)
    model.train()
    with tqdm(total=epochs, disable=not progress, leave=False, delay=2) as bar:
        for epoch in range(epochs):
            for batch in torch.randperm(len(x), generator=generator).split(batch_size):
                loss = _pooled_loss(model(x[batch]), y[batch], of[batch], tasks)
                _step(optimizer, loss, f"epoch {epoch + 1}")
            bar.update()
    return torch.tensor([task_accuracy(model, task) for task in tasks])


def task_accuracy(model: nn.Module, task) -> float:
    """The share of right answers on a task's test data, chosen among its classes."""
    inputs, labels = task.test
    answers = compete(predict(model, inputs, device=inputs.device), task.classes).argmax(1)
    return (answers == labels.cpu()).float().mean().item()


def _check_stream(model, tasks, epochs, batch_size, fisher_examples=1, ewc_strength=0.0, lwf_strength=0.0) -> None:
    counts = {"epochs": epochs, "batch_size": batch_size, "fisher_examples": fisher_examples}
    if not tasks or min(counts.values()) < 1:
        told = ", ".join(f"{name} is {count}" for name, count in counts.items())
        raise ValueError(f"there are {len(tasks)} tasks, {told}; give 1 or more of each")
    if not (0 <= ewc_strength < math.inf and 0 <= lwf_strength < math.inf):
        told = f"ewc_strength is {ewc_strength}, lwf_strength {lwf_strength}"
        raise ValueError(f"{told}; give finite strengths, not below 0")
    for number, task in enumerate(tasks, start=1):
        for part in ("train", "test"):
            check_data(f"task {number}'s {part}", getattr(task, part))
        outputs = predict(model, task.train[0][:1], device=task.train[0].device).shape[1]
        labels = sorted({int(label) for part in (task.train, task.test) for label in part[1].unique()})
        classes = range(outputs) if task.classes is None else task.classes
        if not (set(labels) <= set(classes) <= set(range(outputs))):
            among = "" if task.classes is None else f" its classes {tuple(task.classes)} and"
            raise ValueError(
                f"task {number} has the labels {labels}, which must be among{among} the model's {outputs} outputs"
            )


def _pooled_loss(logits: Tensor, y: Tensor, of: Tensor, tasks: Sequence) -> Tensor:
    """Cross-entropy of examples of several tasks, `of` (B,), each among the classes of its own."""
    masks = torch.cat([compete(torch.zeros_like(logits[:1]), task.classes) for task in tasks])
    return F.cross_entropy(logits + masks[of], y)


def _old_outputs(old: Sequence) -> list[list[int]]:
    """The groups of outputs that answered the old tasks; each group competed."""
    seen = sorted({int(label) for task in old for label in task.train[1].unique()})
    groups = [list(task.classes) if task.classes is not None else seen for task in old]
    return [group for number, group in enumerate(groups) if group not in groups[:number]]


def _matrix(accuracy: Tensor, tasks: int = 1) -> Tensor:
    if accuracy.ndim != 2 or len(accuracy) != accuracy.shape[1] or len(accuracy) < tasks:
        raise ValueError(
            f"accuracy has shape {tuple(accuracy.shape)}; a matrix (T, T), a row after each task, a column for each, "
            f"with T at least {tasks}, is needed"
        )
    return accuracy
