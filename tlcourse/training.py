"""One plain training loop, and its two companions: `predict` and `evaluate`."""

import contextlib
import math
import pickle
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm.auto import tqdm

from .runtime import pick_device, replacing

Data = tuple[Tensor, Tensor]  # inputs (N, …), labels (N,)


@dataclass
class History:
    """What happened in each epoch; the validation lists stay empty where there was no validation data."""

    train_loss: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)
    validation_accuracy: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    @property
    def best_epoch(self) -> int:
        """The epoch, from 0, of the lowest validation loss.

        Raises:
            ValueError: there was no validation data.
        """
        if not self.validation_loss:
            raise ValueError("there was no validation data, so there is no best epoch")
        return min(range(len(self.validation_loss)), key=self.validation_loss.__getitem__)


def fit(
    model: nn.Module,
    train: Data,
    validation: Data | None = None,
    *,
    optimizer: torch.optim.Optimizer,
    epochs: int,
    batch_size: int = 32,
    scheduler: torch.optim.lr_scheduler.LRScheduler | None = None,
    loss: Callable[[Tensor, Tensor], Tensor] = F.cross_entropy,
    augment: Callable[[Tensor], Tensor] | None = None,
    patience: int | None = None,
    seed: int = 0,
    device: str | torch.device = "auto",
    checkpoint: str | Path | None = None,
    on_epoch: Callable[[History], None] | None = None,
    progress: bool = True,
) -> History:
    """Train a classifier by mini-batches.

    Args:
        model: inputs (B, …) to logits (B, classes). It is trained in place, on `device`, and stays there, in training
            mode.
        train, validation: inputs (N, …) and integer labels (N,).
        optimizer: over the model's trainable parameters.
        epochs: how often to go through the training data, at most.
        scheduler: of the learning rate; stepped after every mini-batch.
        loss: logits (B, classes) and labels (B,) to a scalar, the mean over the batch.
        augment: changes the inputs of each training batch; its random numbers come from torch.
        patience: stop early once the validation loss has not improved for so many epochs, and give the model
            the weights of its best epoch back.
        seed: of the order of the images, the augmentation and dropout.
        device: `"auto"`, `"cpu"`, `"cuda"`. On a GPU the forward pass runs in mixed precision.
        checkpoint: a file that is written after every epoch. If it is there at the start, the training goes on
            where the file ends, with the same numbers as if it had never stopped.
        on_epoch: called after each epoch that is trained here, with what has happened so far; to measure the model
            while it learns (on this `device`).

    Raises:
        ValueError: unusable data or settings, or a checkpoint of another run.
        FloatingPointError: the loss is no longer finite.
    """
    check_data("train", train)
    if validation is not None:
        check_data("validation", validation)
    _check_settings(model, validation, optimizer, epochs, batch_size, patience)
    device = pick_device(device)
    model.to(device)
    # The default scale of 2^16 overflows in the first steps, which are then skipped.
    scaler = torch.amp.GradScaler(init_scale=2.0**10, enabled=device.type == "cuda")
    inputs, labels = train
    history, best = History(), None
    run = {
        "seed": seed,
        "epochs": epochs,
        "batch_size": batch_size,
        "patience": patience,
        "device": device.type,
        "optimizer": type(optimizer).__name__,
        "scheduler": type(scheduler).__name__,
        "training images": len(inputs),
        "validation images": len(validation[0]) if validation else 0,
        "model": {name: list(tensor.shape) for name, tensor in model.state_dict().items()},
    }
    if checkpoint and Path(checkpoint).exists():
        history, best = _resume(checkpoint, run, model, optimizer, scheduler, scaler, device)

    batches = -(-len(inputs) // batch_size)
    bar = tqdm(total=epochs * batches, initial=len(history.seconds) * batches, disable=not progress, leave=False)
    with bar, torch.random.fork_rng(range(torch.cuda.device_count())):
        for epoch in range(len(history.seconds), epochs):
            if _stalled(history, patience):
                break
            start, total = time.perf_counter(), 0.0
            torch.manual_seed(1_000_003 * seed + epoch)  # by the epoch, so that a resumed run sees the same numbers
            model.train()
            for batch in torch.randperm(len(inputs)).split(batch_size):
                x, y = inputs[batch].to(device), labels[batch].to(device)
                if augment:
                    x = augment(x)
                with torch.autocast(device.type, enabled=scaler.is_enabled()):
                    batch_loss = loss(model(x), y)
                optimizer.zero_grad()
                scaler.scale(batch_loss).backward()
                scaler.step(optimizer)
                scaler.update()
                if scheduler:
                    scheduler.step()
                total += batch_loss.item() * len(batch)
                bar.update()
            _check_finite(total, epoch)
            history.train_loss.append(total / len(inputs))
            if validation:
                scores = evaluate(model, validation, loss=loss, device=device)
                _check_finite(scores["loss"], epoch)
                history.validation_loss.append(scores["loss"])
                history.validation_accuracy.append(scores["accuracy"])
                bar.set_postfix(accuracy=f"{scores['accuracy']:.3f}")
                if patience is not None and history.best_epoch == epoch:
                    best = {name: tensor.clone() for name, tensor in model.state_dict().items()}
            history.seconds.append(time.perf_counter() - start)
            if checkpoint:
                _save(checkpoint, run, history, best, model, optimizer, scheduler, scaler)
            if on_epoch:
                on_epoch(history)
    if best:
        model.load_state_dict(best)
    return history


def predict(
    model: nn.Module,
    inputs: Tensor,
    *,
    batch_size: int = 100,
    device: str | torch.device = "auto",
    progress: bool = False,
) -> Tensor:
    """The model's outputs for all inputs, in order, on the CPU: (N, …) to (N, …).

    The model is moved to `device` and stays there. It computes in evaluation mode and without gradients; afterwards
    its mode is what it was before.
    """
    device = pick_device(device)
    model.to(device)
    with torch.no_grad(), evaluation_mode(model):
        batches = tqdm(inputs.split(batch_size), disable=not progress, leave=False)
        return torch.cat([model(batch.to(device)).cpu() for batch in batches])


def evaluate(
    model: nn.Module,
    data: Data,
    *,
    loss: Callable[[Tensor, Tensor], Tensor] = F.cross_entropy,
    batch_size: int = 100,
    device: str | torch.device = "auto",
) -> dict[str, float]:
    """Loss and accuracy (the share of right answers, 0 to 1) on inputs (N, …) and labels (N,).

    The model is moved to `device` and stays there; its mode is left as it was.

    Raises:
        ValueError: unusable data.
    """
    check_data("data", data)
    device = pick_device(device)
    inputs, labels = data
    logits, labels = predict(model, inputs, batch_size=batch_size, device=device).to(device), labels.to(device)
    return {
        "loss": loss(logits, labels).item(),
        "accuracy": (logits.argmax(1) == labels).float().mean().item(),
    }


@contextlib.contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Evaluation mode inside the block; outside, each part of the model is in the mode it was in."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


def _stalled(history: History, patience: int | None) -> bool:
    return bool(patience and history.seconds) and len(history.seconds) - 1 - history.best_epoch >= patience


def check_data(name: str, data: Data) -> None:
    """Refuse what cannot be trained on or evaluated, saying what was given as `name`.

    Raises:
        ValueError: not a pair of tensors, of unequal length or empty, or labels that are no class numbers.
    """
    if not (isinstance(data, tuple | list) and len(data) == 2 and all(isinstance(part, Tensor) for part in data)):
        raise ValueError(f"{name} is a {type(data).__name__}; a pair of tensors (inputs, labels) is needed")
    inputs, labels = data
    if len(inputs) != len(labels) or len(inputs) == 0:
        raise ValueError(f"{name} has {len(inputs)} inputs and {len(labels)} labels; give as many of each, one or more")
    if labels.dtype != torch.int64 or labels.min() < 0:
        raise ValueError(
            f"{name}'s labels are of type {labels.dtype}, from {labels.min()}; class numbers from 0 on "
            "(torch.int64) are needed"
        )


def _check_settings(model, validation, optimizer, epochs, batch_size, patience) -> None:
    if epochs < 1 or batch_size < 1:
        raise ValueError(f"epochs is {epochs} and batch_size {batch_size}; both must be 1 or more")
    if patience is not None and (validation is None or patience < 1):
        raise ValueError(f"early stopping with patience={patience} needs validation data and a patience of 1 or more")
    trainable = {id(p) for p in model.parameters() if p.requires_grad}
    if not trainable:
        raise ValueError("every parameter of the model is frozen: there is nothing to train; unfreeze a part of it")
    if missing := trainable - {id(p) for group in optimizer.param_groups for p in group["params"]}:
        raise ValueError(
            f"the optimizer lacks {len(missing)} of the model's {len(trainable)} trainable parameters; make it after "
            "you unfreeze or replace layers"
        )


def _check_finite(loss: float, epoch: int) -> None:
    if not math.isfinite(loss):
        raise FloatingPointError(f"the loss is {loss} in epoch {epoch + 1}; try a lower learning rate")


def _parts(model, optimizer, scheduler, scaler) -> dict:
    return {"model": model, "optimizer": optimizer, "scaler": scaler} | ({"scheduler": scheduler} if scheduler else {})


def _save(file, run, history, best, *parts) -> None:
    states = {name: part.state_dict() for name, part in _parts(*parts).items()}
    with replacing(file) as unfinished:
        torch.save({"run": run, "history": asdict(history), "best": best, "states": states}, unfinished)


def _resume(file, run, model, optimizer, scheduler, scaler, device) -> tuple[History, dict | None]:
    try:
        saved = torch.load(file, weights_only=True, map_location=device)
        before = saved["run"]
    except (pickle.UnpicklingError, RuntimeError, KeyError, TypeError) as error:
        raise ValueError(f"{file} is not a checkpoint of fit; give another file") from error
    if differing := [name for name in run if before.get(name) != run[name]]:
        shown = ", ".join(
            name if name == "model" else f"{name} {before.get(name)} there, {run[name]} here" for name in differing
        )
        raise ValueError(f"{file} belongs to another run ({shown}); give another file or delete it")
    parts = _parts(model, optimizer, scheduler, scaler)
    for name, part in parts.items():
        part.load_state_dict(saved["states"][name])
    return History(**saved["history"]), saved["best"]
