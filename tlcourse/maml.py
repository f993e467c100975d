"""MAML: learn a start from which a few gradient steps on a few examples learn a new task.

Finn et al. 2017, arXiv 1703.03400. Task i has a train set S_i and a query set Q_i. The inner loop adapts to S_i,

    theta_i' = U(theta) = theta - alpha grad L_{S_i}(theta),   or k such steps,

and the outer loop moves the start, so that the adapted parameters do well on Q_i (equation 1 of the paper):

    theta <- theta - beta grad_theta mean_i L_{Q_i}(theta_i'),   here by Adam, with learning rate beta.

`adapt` is the inner loop, `meta_gradient` the gradient of the outer one in four variants; `MAML` trains a model so.
"""

import math
from collections.abc import Callable, Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, vmap

Params = dict[str, Tensor]
Data = tuple[Tensor, Tensor]
"""Inputs (n, …) and targets (n, …)."""
Tasks = Mapping[str, Data] | Sequence[Mapping[str, Data]]
"""{"train": (inputs (T, n, …), targets (T, n, …)), "query": (…)}, or a list of T tasks without the first dimension."""

PARTS = ("train", "query")
VARIANTS = ("second order", "first order", "ANIL", "Reptile")


def adapt(
    loss: Callable[[Params, Data], Tensor],
    params: Params,
    train: Data,
    lr: float,
    steps: int = 1,
    *,
    only: Sequence[str] | None = None,
    differentiate: Callable = grad_and_value,
) -> Params:
    """The inner loop U: steps of gradient descent, which can be differentiated in their turn.

        theta_0 = theta,   theta_{j+1} = theta_j - lr grad L_S(theta_j),   U(theta) = theta_steps

    Args:
        loss: of parameters and data, to a scalar.
        params: theta, by name; it stays as it is.
        train: S, the task's train set.
        lr: alpha, the inner learning rate.
        steps: k; after 0 steps the parameters are those of the start.
        only: names of the parameters that move; all of them by default.
        differentiate: `torch.func.grad_and_value`, which `vmap` can batch, or `autograd_grad_and_value`.

    Raises:
        ValueError: a negative number of steps.
    """
    for _ in range(_checked(steps, "steps")):
        moving = {name: params[name] for name in (params if only is None else only)}
        gradient, _ = differentiate(lambda some, at=params: loss({**at, **some}, train))(moving)
        params = {**params, **{name: moving[name] - lr * gradient[name] for name in moving}}
    return params


def meta_gradient(
    loss: Callable[[Params, Data], Tensor],
    params: Params,
    train: Data,
    query: Data,
    lr: float,
    steps: int = 1,
    variant: str = "second order",
    *,
    head: Sequence[str] | None = None,
    differentiate: Callable = grad_and_value,
) -> tuple[Params, Tensor]:
    """One task's gradient for the start theta, and its query loss after adaptation.

    With theta_k = U(theta) and H_j the Hessian of L_S at theta_j:

        second order   grad L_Q(U(theta)) = (I - lr H_0) … (I - lr H_{k-1}) grad L_Q(theta_k)
        first order    grad L_Q(theta_k): as if each H were 0
        ANIL           as second order, but the inner loop moves the head only
        Reptile        (theta - U(theta)) / lr, the sum of the inner gradients

    Reptile: its gradient uses no query set; the query loss is only reported. All inner steps are on the same examples,
    where Nichol et al. draw new ones for each step.

    Args:
        loss, params, train, lr, steps, differentiate: as for `adapt`.
        query: Q, the task's query set.
        head: names of the head's parameters, for ANIL.

    Raises:
        ValueError: an unknown variant, ANIL without a head, or a negative number of steps.

    Papers: Finn et al. 2017, equation 1, and section 5.2 for first order; Raghu et al. 2020, arXiv 1909.09157 (ANIL);
    Nichol et al. 2018, arXiv 1803.02999 (Reptile).
    """
    if variant not in VARIANTS:
        raise ValueError(f"variant is {variant!r}; give one of {', '.join(map(repr, VARIANTS))}")
    if variant == "ANIL" and not head:
        raise ValueError("ANIL adapts the head only; give the names of the head's parameters")
    _checked(steps, "steps")

    def query_loss(start: Params) -> Tensor:
        only = head if variant == "ANIL" else None
        return loss(adapt(loss, start, train, lr, steps, only=only, differentiate=differentiate), query)

    if variant in ("second order", "ANIL"):
        return differentiate(query_loss)(params)
    adapted = adapt(loss, params, train, lr, steps, differentiate=differentiate)
    if variant == "first order":
        return differentiate(lambda end: loss(end, query))(adapted)
    return {name: (params[name] - adapted[name]) / lr for name in params}, loss(adapted, query)


def autograd_grad_and_value(function: Callable[[Params], Tensor]) -> Callable[[Params], tuple[Params, Tensor]]:
    """`torch.func.grad_and_value` by `torch.autograd.grad`: `vmap` cannot batch it, but it spares what nobody asks for.

    A graph of the gradient is kept only where some of the parameters themselves are part of one, that is, where a
    gradient of this gradient is to be taken.
    """

    def of(params: Params) -> tuple[Params, Tensor]:
        nested = any(tensor.requires_grad for tensor in params.values())
        with torch.enable_grad():
            at = {name: p if p.requires_grad else p.detach().requires_grad_() for name, p in params.items()}
            value = function(at)
            wanted = list(at.values())  # torch.autograd.grad refuses an empty list
            gradient = torch.autograd.grad(value, wanted, create_graph=nested, materialize_grads=True) if at else ()
        return dict(zip(at, gradient, strict=True)), value if nested else value.detach()

    return of


class MAML:
    """Meta-learning of a model's parameters, for tasks of equal size.

    The model is used in the mode that it is in, through `torch.func.functional_call`: only `outer_loop` changes it.
    Parameters that do not require gradients stay fixed in both loops.

    Args:
        model: inputs (n, …) to outputs (n, …). Its normalisation must not keep running statistics: which task would
            they belong to? Frozen ones, in evaluation mode, are refused too: they belong to the data before, and the
            next call of `model.train()` would mix the tasks in. Take `nn.GroupNorm`, or layers as
            `nn.BatchNorm2d(width, track_running_stats=False)`, which normalise by the batch at hand.
        inner_lr, outer_lr: alpha and beta.
        loss: outputs and targets to a scalar, the mean over the examples. `F.mse_loss` needs both of one shape.
        inner_steps: k, in training.
        variant: `"second order"`, `"first order"`, `"ANIL"` or `"Reptile"`; see `meta_gradient`. For Reptile, Adam
            takes (theta - U(theta)) / inner_lr as its gradient.
        head: name of the module that ANIL adapts; by default the one that holds the model's last parameter, frozen or
            not. The other variants have no use for it.
        vectorized: all tasks at once by `vmap`; else one after the other, which gives the same numbers but for
            rounding. On a CPU vectorizing pays where a task is small, because its operations then cost little more than
            their calls: several times for a perceptron. For feature maps of 28 × 28 the loop is faster. Dropout draws
            other numbers for each task either way.

    Raises:
        ValueError: settings that make no sense, no trainable parameters (for ANIL, in the head), or running
            statistics.

    Paper: Finn et al. 2017, arXiv 1703.03400, algorithms 1 and 2.
    """

    def __init__(
        self,
        model: nn.Module,
        inner_lr: float = 0.01,
        outer_lr: float = 0.001,
        *,
        loss: Callable[[Tensor, Tensor], Tensor] = F.cross_entropy,
        inner_steps: int = 1,
        variant: str = "second order",
        head: str | None = None,
        vectorized: bool = True,
    ):
        if not all(math.isfinite(rate) and rate > 0 for rate in (inner_lr, outer_lr)):
            raise ValueError(f"inner_lr is {inner_lr} and outer_lr {outer_lr}; both must be finite and above 0")
        if inner_steps < 1:
            raise ValueError(f"inner_steps is {inner_steps}; give 1 or more")
        if variant not in VARIANTS:
            raise ValueError(f"variant is {variant!r}; give one of {', '.join(map(repr, VARIANTS))}")
        _refuse_running_statistics(model)
        self.model, self.inner_lr, self.loss, self.inner_steps = model, inner_lr, loss, inner_steps
        self.variant, self.vectorized = variant, vectorized
        self.trainable = {name: p for name, p in model.named_parameters() if p.requires_grad}
        if not self.trainable:
            raise ValueError("every parameter of the model is frozen: there is nothing to learn; unfreeze a part of it")
        self.head = self._parameters_of(head) if variant == "ANIL" else None
        self.optimizer = torch.optim.Adam(self.trainable.values(), outer_lr)
        self._differentiate = grad_and_value if vectorized else autograd_grad_and_value

    @property
    def start(self) -> Params:
        """theta, the parameters that every inner loop starts from, detached; they share the model's memory."""
        return {name: parameter.detach() for name, parameter in self.trainable.items()}

    def predict(self, params: Params, inputs: Tensor) -> Tensor:
        """The model's outputs with other parameters."""
        return functional_call(self.model, params, (inputs,))

    def inner_loop(self, task_data: Data, num_steps: int = 5) -> Params:
        """Parameters adapted to one task's (inputs, targets), new tensors; the model stays as it is.

        Raises:
            ValueError: unusable data, or a negative number of steps.
        """
        if not _is_pair(task_data):
            raise ValueError(
                f"task_data is of type {type(task_data).__name__}; give a pair of tensors, "
                "(inputs (n, …), targets (n, …)), the examples of one task"
            )
        inputs, targets = task_data
        if 0 in (inputs.ndim, targets.ndim) or not len(inputs) == len(targets) > 0:
            raise ValueError(
                f"the inputs have shape {tuple(inputs.shape)} and the targets {tuple(targets.shape)}; "
                "give (inputs (n, …), targets (n, …)), the n examples of one task, 1 or more"
            )
        data = (inputs.to(self._device), targets.to(self._device))
        start = {name: tensor.clone() for name, tensor in self.start.items()}
        return self._adapt(start, data, _checked(num_steps))

    def outer_loop(self, tasks: Tasks) -> float:
        """One step of the optimizer on the mean gradient of these tasks; returns their mean query loss before it.

        Args:
            tasks: `{"train": (inputs, targets), "query": (inputs, targets)}`, each tensor stacked over the tasks:
                (T, n, …); or a list of T such dicts with tensors (n, …).

        Raises:
            ValueError: unusable tasks, or a loss that is not a scalar.
            FloatingPointError: the loss or its gradient is no longer finite; the model stays as it was.
        """
        gradient, loss = self.meta_gradient(tasks)
        if not (math.isfinite(loss) and all(tensor.isfinite().all() for tensor in gradient.values())):
            raise FloatingPointError(
                f"the loss after the inner loop is {loss}, or its gradient is not finite; lower inner_lr or outer_lr"
            )
        for name, parameter in self.trainable.items():
            parameter.grad = gradient[name]
        self.optimizer.step()
        self.optimizer.zero_grad()
        return loss

    def meta_gradient(self, tasks: Tasks) -> tuple[Params, float]:
        """The mean over tasks of their gradients for the start, and of their query losses after adaptation."""
        train, query = self._stacked(tasks)
        start = self.start

        def of_one(train: Data, query: Data) -> tuple[Params, Tensor]:
            return meta_gradient(
                self._loss,
                start,
                train,
                query,
                self.inner_lr,
                self.inner_steps,
                self.variant,
                head=self.head,
                differentiate=self._differentiate,
            )

        # The gradient inside of vmap: to call backward() on a loss that vmap has computed is silently wrong for
        # batch normalisation.
        if self.vectorized:
            gradients, losses = vmap(of_one, randomness="different")(train, query)
            return {name: gradient.mean(0) for name, gradient in gradients.items()}, losses.mean().item()
        mean, total, count = {name: torch.zeros_like(p) for name, p in start.items()}, 0.0, len(train[0])
        for i in range(count):
            gradient, loss = of_one((train[0][i], train[1][i]), (query[0][i], query[1][i]))
            for name in mean:
                mean[name].add_(gradient[name], alpha=1 / count)
            total += loss.item()
        return mean, total / count

    def outputs(self, tasks: Tasks, num_steps: int = 5) -> Tensor:
        """What the model says of the query sets after 0, 1, …, num_steps inner steps, (T, num_steps + 1, m, …).

        Raises:
            ValueError: unusable tasks, or a negative number of steps.
        """
        train, query = self._stacked(tasks)
        _checked(num_steps)

        def of_one(train: Data, query: Data) -> Tensor:
            params = self.start
            outputs = [self.predict(params, query[0])]
            for _ in range(num_steps):
                params = self._adapt(params, train, 1)
                outputs.append(self.predict(params, query[0]))
            return torch.stack(outputs)

        with torch.no_grad():
            if self.vectorized:
                return vmap(of_one, randomness="different", chunk_size=32)(train, query)
            pairs = zip(zip(*train, strict=True), zip(*query, strict=True), strict=True)
            return torch.stack([of_one(*task) for task in pairs])

    @property
    def _device(self) -> torch.device:
        return next(iter(self.trainable.values())).device

    def _parameters_of(self, module: str | None) -> list[str]:
        """The names of a module's trainable parameters, by default of the module that holds the model's last one."""
        names = [name for name, _ in self.model.named_parameters()]
        prefix = names[-1].rpartition(".")[0] if module is None else module
        if found := [name for name in self.trainable if name.startswith(f"{prefix}." if prefix else "")]:
            return found
        raise ValueError(
            f"head is {prefix!r}, which has no trainable parameters; the model's are {', '.join(self.trainable)}: "
            "name the module of some of these, or unfreeze the head"
        )

    def _loss(self, params: Params, data: Data) -> Tensor:
        outputs, targets = self.predict(params, data[0]), data[1]
        if self.loss is F.mse_loss and outputs.shape != targets.shape:  # it would broadcast them
            raise ValueError(
                f"a task's outputs have shape {tuple(outputs.shape)} and its targets {tuple(targets.shape)}; "
                "F.mse_loss needs equal shapes: reshape the targets"
            )
        loss = self.loss(outputs, targets)
        if loss.shape != ():
            raise ValueError(f"the loss has shape {tuple(loss.shape)}; a scalar is needed, the mean over the examples")
        return loss

    def _adapt(self, params: Params, train: Data, steps: int) -> Params:
        only = self.head if self.variant == "ANIL" else None
        return adapt(self._loss, params, train, self.inner_lr, steps, only=only, differentiate=self._differentiate)

    def _stacked(self, tasks: Tasks) -> list[Data]:
        """The train and the query sets, each stacked over the tasks, on the model's device."""
        if not isinstance(tasks, Mapping):
            tasks = _stack(list(tasks))
        sets = []
        for part in PARTS:
            inputs, targets = _pair(tasks, part)
            if min(inputs.ndim, targets.ndim) < 2 or inputs.shape[:2] != targets.shape[:2] or 0 in inputs.shape[:2]:
                raise ValueError(
                    f"the {part} inputs of the tasks have shape {tuple(inputs.shape)} and their targets "
                    f"{tuple(targets.shape)}; (T, n, …) of both are needed: n examples of T tasks, 1 or more"
                )
            sets.append((inputs.to(self._device), targets.to(self._device)))
        if len(sets[0][0]) != len(sets[1][0]):
            raise ValueError(
                f"there are {len(sets[0][0])} train sets and {len(sets[1][0])} query sets; each task needs one of both"
            )
        return sets


def _stack(tasks: list[Mapping[str, Data]]) -> dict[str, Data]:
    if not tasks:
        raise ValueError("there are no tasks; give one or more")
    stacked = {}
    for part in PARTS:
        pairs = [_pair(task, part) for task in tasks]
        for i, pair in enumerate(pairs):
            if (shapes := _shapes(pair)) != _shapes(pairs[0]):
                raise ValueError(
                    f"the {part} set of task {i} has shapes {shapes}, that of task 0 {_shapes(pairs[0])}; "
                    "tasks of one call must be of equal size: give them equally many examples, or call for each size"
                )
        stacked[part] = tuple(map(torch.stack, zip(*pairs, strict=True)))
    return stacked


def _pair(task: Mapping[str, Data], part: str) -> Data:
    pair = task.get(part) if isinstance(task, Mapping) else None
    if not _is_pair(pair):
        raise ValueError(
            f"a {part} set is needed, a pair of tensors (inputs, targets): give tasks as "
            "{'train': (inputs, targets), 'query': (inputs, targets)}"
        )
    return tuple(pair)


def _is_pair(given) -> bool:
    return isinstance(given, tuple | list) and len(given) == 2 and all(isinstance(part, Tensor) for part in given)


def _shapes(pair: Data) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(tensor.shape) for tensor in pair)


def _checked(steps: int, name: str = "num_steps") -> int:
    if steps < 0:
        raise ValueError(f"{name} is {steps}; give 0 or more")
    return steps


def _refuse_running_statistics(model: nn.Module) -> None:
    for name, module in model.named_modules():
        if getattr(module, "running_mean", None) is not None:
            raise ValueError(
                f"layer {name!r} ({type(module).__name__}) keeps running statistics, which would mix the tasks, "
                "and which are refused in evaluation mode too; make it with track_running_stats=False, so that it "
                "normalises by the batch at hand, or take nn.GroupNorm"
            )
