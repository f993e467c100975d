"""Exercises that check themselves: the student's function against a reference, on fresh random inputs."""

import copy
import importlib
import linecache
import math
import numbers
import random
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from .language import Text, t, text
from .lesson import current_lesson
from .rendering import GREEN, GREY, RED, inline_html, panel, show_html

TRIALS = 3
"""Fresh inputs per check: a wrong answer that is right by chance on one is seldom right on three."""


@dataclass(frozen=True)
class Verdict:
    """What a check found: `status` is "correct", "wrong" or "unanswered"; true when correct."""

    status: str
    reason: str

    def __bool__(self) -> bool:
        return self.status == "correct"

    def _ipython_display_(self) -> None:
        """Nothing: `check` has shown it, and Jupyter would show the value of a cell's last line again."""


@dataclass(frozen=True)
class Mistake:
    """A common wrong answer, and the reason to tell the student who gives it."""

    function: Callable
    reason: Text


@dataclass(frozen=True)
class Exercise:
    """An exercise, checked against a reference.

    What a function does to its inputs belongs to its answer: where the reference freezes the model that it is given,
    the student's function must do the same; where it leaves its inputs alone, so must the student's.

    Attributes:
        reference: the right answer.
        inputs: makes a tuple of arguments from a `torch.Generator`.
        mistakes: common wrong answers.
        tolerance: numbers agree within this, absolutely and relative to the reference.
        compare: called as `compare(expected, got)` on the returned values instead of the usual comparison; returns
            None where they agree, else the reason.
    """

    reference: Callable
    inputs: Callable[[torch.Generator], tuple]
    mistakes: Sequence[Mistake] = ()
    tolerance: float = 1e-4
    compare: Callable[[Any, Any], Text | None] | None = None

    def verdict(self, function: Callable, seed: int | None = None) -> Verdict:
        """Judge a student's function on `TRIALS` fresh inputs; `seed` makes them the same again.

        It never raises on the student's account: an exception in their function is a wrong answer.
        """
        if not callable(function):
            raise TypeError(
                f"check needs your function itself, without brackets; got {type(function).__name__}"
            )
        first = random.SystemRandom().randrange(2**31) if seed is None else seed
        trials = []
        for seed in range(first, first + TRIALS):
            inputs = _make_inputs(self.inputs, seed)
            expected, got = _outcome(self.reference, inputs, seed), _outcome(function, inputs, seed)
            if expected.error is not None:
                raise expected.error
            trials.append((seed, inputs, expected, got))
        if all(_unanswered(inputs, expected, got) for _, inputs, expected, got in trials):
            return Verdict(
                "unanswered",
                t(
                    "Not answered yet: replace the `...` and run the cell again.",
                    "Jeszcze bez odpowiedzi: wpisz rozwiązanie w miejsce `...` i uruchom komórkę ponownie.",
                ),
            )
        problems = [self._problem(inputs, expected, got) for _, inputs, expected, got in trials]
        problem = next((found for found in problems if found is not None), None)
        if problem is None:
            return Verdict("correct", t("Correct.", "Dobrze."))
        for mistake in self.mistakes:
            if all(
                self._same(got, _outcome(mistake.function, inputs, seed)) for seed, inputs, _, got in trials
            ):
                return Verdict("wrong", text(mistake.reason))
        return Verdict("wrong", problem)

    def _problem(self, inputs: tuple, expected: "Outcome", got: "Outcome") -> str | None:
        """What is wrong with the answer, or None."""
        if got.error is not None:
            return _exception_reason(got.error, got.file)
        if self.compare is not None:
            reason = self.compare(expected.value, got.value)
            if reason is not None:
                return text(reason)
        elif reason := difference(expected.value, got.value, self.tolerance):
            return t(f"For {_inputs(inputs)}: {reason}.", f"Dla {_inputs(inputs)}: {reason}.")
        for index, (original, wanted, left) in enumerate(
            zip(inputs, expected.inputs, got.inputs, strict=True), 1
        ):
            if reason := difference(wanted, left, self.tolerance):
                if difference(original, wanted, self.tolerance) is None:
                    return t(
                        f"Your function changes its argument {index}; it must leave what it is given as it was "
                        f"(work on a copy, avoid operations in place).",
                        f"Twoja funkcja zmienia swój argument nr {index}; ma zostawić go bez zmian "
                        f"(pracuj na kopii, unikaj operacji w miejscu).",
                    )
                return t(
                    f"What your function makes of its argument {index} is not right: {reason}.",
                    f"Twoja funkcja źle zmienia swój argument nr {index}: {reason}.",
                )
        return None

    def _same(self, one: "Outcome", other: "Outcome") -> bool:
        if one.error is not None or other.error is not None:
            return type(one.error) is type(other.error) and str(one.error) == str(other.error)
        return (
            difference(other.value, one.value, self.tolerance) is None
            and difference(other.inputs, one.inputs, self.tolerance) is None
        )


@dataclass(frozen=True)
class Outcome:
    """What a function did: what it returned, what became of its inputs, or how it failed."""

    value: Any
    inputs: tuple
    error: Exception | None = None
    file: str = ""


def check(name: str, function: Callable) -> Verdict:
    """Check the student's `function` against the exercise `name` of this lesson, show the verdict and return it.

    The verdict is true when the answer is correct.

    Raises:
        LookupError: the lesson has no such exercise.
    """
    lesson = current_lesson()
    exercises = importlib.import_module(f"{__package__}.checks.e{lesson}").EXERCISES
    if name not in exercises:
        raise LookupError(
            f"lesson {lesson} has no exercise {name!r}; it has {', '.join(map(repr, exercises))}"
        )
    verdict = exercises[name].verdict(function)
    mark, colour = {"correct": ("✓", GREEN), "wrong": ("✗", RED), "unanswered": ("…", GREY)}[verdict.status]
    show_html(
        panel(f'<b style="color: {colour}">{mark}</b> {inline_html(verdict.reason)}', colour),
        f"{mark} {verdict.reason}",
    )
    return verdict


def difference(expected, got, tolerance: float = 1e-4) -> str | None:
    """The first difference between two values, in the reader's language; None when they agree.

    Tensors and arrays are compared by shape, kind of number and value; numbers by value; modules by their parameters,
    buffers, what is frozen and what is in training mode; lists, tuples, dicts and iterators part by part.
    """
    if isinstance(expected, torch.nn.Module):
        if not isinstance(got, torch.nn.Module):
            return _expected_got(_kind(expected), _kind(got))
        return difference(_state(expected), _state(got), tolerance)
    if isinstance(expected, torch.optim.Optimizer) and isinstance(got, torch.optim.Optimizer):
        return difference(expected.param_groups, got.param_groups, tolerance)
    if _is_number(expected) and (_is_number(got) or _is_scalar(got)):
        return _number_difference(expected, got.item() if _is_scalar(got) else got, tolerance)
    if isinstance(expected, torch.Tensor | np.ndarray):
        if _is_scalar(expected) and _is_number(got):
            return _number_difference(expected.item(), got, tolerance)
        if not isinstance(got, torch.Tensor if isinstance(expected, torch.Tensor) else np.ndarray):
            return _expected_got(_kind(expected), _kind(got))
        return _tensor_difference(expected, got, tolerance)
    if isinstance(expected, Mapping):
        if (
            not isinstance(got, Mapping)
            or list(map(str, expected)) != list(map(str, got))
            and set(expected) != set(got)
        ):
            keys = ", ".join(map(repr, expected))
            return _expected_got(
                t(f"a dict with keys {keys}", f"słownik o kluczach {keys}"), _kind(got, keys=True)
            )
        pairs = ((f"[{key!r}]", expected[key], got[key]) for key in expected)
    elif isinstance(expected, list | tuple):
        if not isinstance(got, list | tuple) or len(got) != len(expected):
            return _expected_got(_kind(expected), _kind(got))
        pairs = ((f"[{index}]", *pair) for index, pair in enumerate(zip(expected, got, strict=True)))
    else:
        return (
            None
            if type(expected) is type(got) and expected == got
            else _expected_got(_short(expected), _short(got))
        )
    for place, part, other in pairs:
        if reason := difference(part, other, tolerance):
            return f"{place}: {reason}"
    return None


def _tensor_difference(expected, got, tolerance: float) -> str | None:
    expected, got = (torch.as_tensor(value).detach().cpu() for value in (expected, got))
    if expected.shape != got.shape:
        return _expected_got(
            t(f"shape {tuple(expected.shape)}", f"kształt {tuple(expected.shape)}"), str(tuple(got.shape))
        )
    if _dtype_kind(expected) != _dtype_kind(got):
        return _expected_got(f"dtype {expected.dtype}", str(got.dtype))
    wide = torch.complex128 if expected.is_complex() else torch.float64
    one, other = expected.to(wide), got.to(wide)
    wrong = ~torch.isclose(other, one, rtol=tolerance, atol=tolerance, equal_nan=True)
    if not wrong.any():
        return None
    if expected.numel() <= 6:
        return _expected_got(_short(expected), _short(got))
    place = tuple(wrong.nonzero()[0].tolist())
    where = f"[{', '.join(map(str, place))}]"
    return f"{where}: {_expected_got(_short(expected[place].item()), _short(got[place].item()))}"


def _number_difference(expected, got, tolerance: float) -> str | None:
    if isinstance(expected, bool) != isinstance(got, bool):
        return _expected_got(_short(expected), _short(got))
    if expected == got or expected != expected and got != got:
        return None
    if abs(expected - got) <= tolerance * (1 + abs(expected)) and math.isfinite(abs(got)):
        return None
    return _expected_got(_short(expected), _short(got))


def _make_inputs(inputs: Callable[[torch.Generator], tuple], seed: int) -> tuple:
    with torch.random.fork_rng(
        devices=[]
    ):  # a check must not change the random numbers of the lesson after it
        torch.manual_seed(seed)
        made = inputs(torch.Generator().manual_seed(seed))
    if not isinstance(made, tuple):
        raise TypeError(f"an exercise's inputs must be a tuple of arguments, not a {type(made).__name__}")
    return made


def _outcome(function: Callable, inputs: tuple, seed: int) -> Outcome:
    given = copy.deepcopy(inputs)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            return Outcome(_listed(function(*given)), given)
        except Exception as error:  # whatever a student's code raises is an answer, to be explained
            code = getattr(function, "__code__", None)
            return Outcome(None, given, error, code.co_filename if code else "")


def _listed(value):
    """The value with its iterators as lists, so that it can be compared more than once."""
    if isinstance(value, Iterator | list):
        return [_listed(part) for part in value]
    if type(value) in (tuple, dict):
        return (
            tuple(map(_listed, value))
            if type(value) is tuple
            else {key: _listed(value[key]) for key in value}
        )
    return value


def _unanswered(inputs: tuple, expected: Outcome, got: Outcome) -> bool:
    if got.error is not None:
        return False
    if isinstance(got.value, list | tuple) and got.value and all(part is ... for part in got.value):
        return True
    if got.value is ... or got.value is None and expected.value is not None:
        return True
    # An exercise that only changes its inputs returns None: untouched inputs are no answer yet.
    return (
        got.value is None
        and difference(inputs, expected.inputs) is not None
        and not difference(inputs, got.inputs)
    )


def _exception_reason(error: Exception, file: str) -> str:
    reason = f"`{type(error).__name__}: {error}`" if str(error) else f"`{type(error).__name__}`"
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    if not own:
        return t(
            f"Your function could not be called: {reason}.",
            f"Nie udało się wywołać Twojej funkcji: {reason}.",
        )
    line = own[-1].lineno
    source = linecache.getline(file, line).strip()
    quoted = f" `{source}`" if source else ""
    return t(
        f"Your function stops in line {line}{quoted}: {reason}.",
        f"Twoja funkcja przerywa działanie w wierszu {line}{quoted}: {reason}.",
    )


def _state(module: torch.nn.Module) -> dict:
    """All that makes two modules of one architecture behave alike."""
    parameters = dict(module.named_parameters())
    return {
        **parameters,
        **dict(module.named_buffers()),
        **{f"{name}.requires_grad": parameter.requires_grad for name, parameter in parameters.items()},
        **{f"{name}.training".lstrip("."): part.training for name, part in module.named_modules()},
    }


def _is_number(value) -> bool:
    return isinstance(value, numbers.Number | np.bool_)


def _is_scalar(value) -> bool:
    return isinstance(value, torch.Tensor | np.ndarray) and value.ndim == 0


def _dtype_kind(tensor: torch.Tensor) -> str:
    if tensor.is_complex() or tensor.is_floating_point():
        return "complex" if tensor.is_complex() else "float"
    return "bool" if tensor.dtype == torch.bool else "int"


def _expected_got(expected: str, got: str) -> str:
    return t(f"expected {expected}, got {got}", f"powinno być: {expected}, a jest: {got}")


def _inputs(inputs: tuple) -> str:
    listed = ", ".join(map(_short, inputs))
    return (
        t(f"input {listed}", f"wejścia {listed}")
        if len(inputs) == 1
        else t(f"inputs {listed}", f"wejść {listed}")
    )


def _short(value) -> str:
    """A value in few characters."""
    if isinstance(value, torch.Tensor | np.ndarray):
        return f"`{_rounded(value.tolist())}`" if math.prod(value.shape) <= 6 else _kind(value)
    if isinstance(value, torch.nn.Module | list | tuple | Mapping) and len(repr(value)) > 40:
        return _kind(value)
    shown = str(_rounded(value)) if isinstance(value, float | list | tuple) else repr(value)
    return f"`{shown if len(shown) <= 40 else shown[:39] + '…'}`"


def _rounded(value):
    if isinstance(value, list | tuple):
        return type(value)(map(_rounded, value)) if type(value) in (list, tuple) else value
    return float(f"{value:.4g}") if isinstance(value, float) else value


def _kind(value, keys: bool = False) -> str:
    """What sort of thing it is."""
    if isinstance(value, torch.Tensor | np.ndarray):
        name = "tensor" if isinstance(value, torch.Tensor) else t("NumPy array", "tablica NumPy")
        return t(f"a {name} of shape {tuple(value.shape)}", f"{name} o kształcie {tuple(value.shape)}")
    if isinstance(value, Mapping) and keys:
        listed = ", ".join(map(repr, value))
        return t(f"keys {listed}", f"klucze {listed}")
    if isinstance(value, list | tuple):
        word = {list: ("a list", "lista"), tuple: ("a tuple", "krotka")}.get(
            type(value), (type(value).__name__,) * 2
        )
        return t(f"{word[0]} of length {len(value)}", f"{word[1]} o długości {len(value)}")
    return f"`{type(value).__name__}`"
