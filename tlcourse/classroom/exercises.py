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

SMALL = 6
"""Tensors of up to so many numbers are shown number by number."""


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


class Unanswered(Exception):
    """The student's function still returns the `...` of its stub."""


def plain_call(function: Callable, *inputs):
    """How most exercises use the student's function."""
    return function(*inputs)


@dataclass(frozen=True)
class Exercise:
    """An exercise, checked against a reference.

    What a function does to its inputs belongs to its answer: where the reference freezes the model that it is
    given, the student's function must do the same; where it leaves its inputs alone, so must the student's.

    Attributes:
        reference: the right answer.
        inputs: makes a tuple of arguments from a `torch.Generator`.
        mistakes: common wrong answers.
        tolerance: numbers agree within this, absolutely and relative to the reference.
        compare: called as `compare(expected, got)` on the returned values instead of the usual comparison;
            returns None where they agree, else the reason.
        call: how the function is used, `call(function, *inputs)`, where more counts than what it returns: its
            gradient, say, by `lambda function, x: torch.autograd.grad(function(x).sum(), x)`.
    """

    reference: Callable
    inputs: Callable[[torch.Generator], tuple]
    mistakes: Sequence[Mistake] = ()
    tolerance: float = 1e-4
    compare: Callable[[Any, Any], Text | None] | None = None
    call: Callable = plain_call

    def verdict(self, function: Callable, seed: int | None = None) -> Verdict:
        """Judge a student's function on `TRIALS` fresh inputs; `seed` makes them the same again.

        It never raises on the student's account: an exception in their function is a wrong answer.
        """
        if not callable(function):
            raise TypeError(f"check needs your function itself, without brackets; got {type(function).__name__}")
        first = random.SystemRandom().randrange(2**31) if seed is None else seed
        trials = []
        for seed in range(first, first + TRIALS):
            inputs = _make_inputs(self.inputs, seed)
            expected, got = self._outcome(self.reference, inputs, seed), self._outcome(function, inputs, seed)
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
            if all(self._same(got, self._outcome(mistake.function, inputs, seed)) for seed, inputs, _, got in trials):
                return Verdict("wrong", text(mistake.reason))
        return Verdict("wrong", problem)

    def _outcome(self, function: Callable, inputs: tuple, seed: int) -> "Outcome":
        """What the function makes of a copy of the inputs."""

        def asked(*arguments, **options):
            answer = function(*arguments, **options)
            if answer is ...:
                raise Unanswered
            return answer

        given = copy.deepcopy(inputs)
        with torch.random.fork_rng(range(torch.cuda.device_count())):
            torch.manual_seed(seed)
            try:
                return Outcome(_listed(self.call(asked, *given)), given)
            except Exception as error:  # whatever a student's code raises is an answer, to be explained
                return Outcome(None, given, error, getattr(getattr(function, "__code__", None), "co_filename", ""))

    def _problem(self, inputs: tuple, expected: "Outcome", got: "Outcome") -> str | None:
        """What is wrong with the answer, or None."""
        if got.error is not None:
            return _exception_reason(got.error, got.file)
        if reason := self._compare(expected.value, got.value):
            return reason if self.compare else f"{_inputs(inputs)}. {t('Answer', 'Wynik')}: {reason}."
        for index, (original, wanted, left) in enumerate(zip(inputs, expected.inputs, got.inputs, strict=True), 1):
            if reason := difference(wanted, left, self.tolerance):
                if difference(original, wanted, self.tolerance) is None:
                    return t(
                        f"Your function changes its argument {index}; it must leave it as it was "
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
        return not self._compare(other.value, one.value) and not difference(other.inputs, one.inputs, self.tolerance)

    def _compare(self, expected, got) -> str | None:
        """The reason why the values differ, or None."""
        if self.compare is None:
            return difference(expected, got, self.tolerance)
        try:
            reason = self.compare(expected, got)
        except Exception:  # the exercise's own comparison need not know all that a student may return
            return t("Your function returns {}; expected {}.", "Twoja funkcja zwraca: {}; powinno być: {}.").format(
                _kind(got), _kind(expected)
            )
        return None if reason is None else text(reason)


@dataclass(frozen=True)
class Outcome:
    """What a function did: what it returned, what became of its inputs, or how it failed."""

    value: Any
    inputs: tuple
    error: Exception | None = None
    file: str = ""


def check(name: str, function: Callable) -> Verdict:
    """Check the student's `function` against this lesson's exercise `name`, and show the verdict.

    Returns:
        The verdict: true when the answer is correct.

    Raises:
        LookupError: the lesson has no such exercise.
    """
    lesson = current_lesson()
    exercises = importlib.import_module(f"{__package__}.checks.e{lesson}").EXERCISES
    if name not in exercises:
        raise LookupError(f"lesson {lesson} has no exercise {name!r}; it has {', '.join(map(repr, exercises))}")
    verdict = exercises[name].verdict(function)
    mark, colour = {"correct": ("✓", GREEN), "wrong": ("✗", RED), "unanswered": ("…", GREY)}[verdict.status]
    show_html(
        panel(f'<b style="color: {colour}">{mark}</b> {inline_html(verdict.reason)}', colour),
        f"{mark} {verdict.reason}",
    )
    return verdict


def difference(expected, got, tolerance: float = 1e-4) -> str | None:
    """The first difference between two values, in the reader's language; None when they agree.

    Tensors and arrays are compared by shape, kind of number and value; numbers by value; modules by their
    parameters and buffers, what is frozen and what is in training mode; lists, tuples and dicts part by part.
    """
    found = _first_difference(expected, got, tolerance)
    if found is None:
        return None
    place, wanted, there = found
    at = t(f"at `{place}`: ", f"w miejscu `{place}`: ") if place else ""
    return at + t(f"expected {wanted}, got {there}", f"powinno być: {wanted}, a jest: {there}")


Difference = tuple[str, str, str]
"""Where ("" for the whole value), what is expected there, what is there."""


def _first_difference(expected, got, tolerance: float) -> Difference | None:
    if isinstance(expected, torch.nn.Module) and isinstance(got, torch.nn.Module):
        expected, got = _state(expected), _state(got)
    elif isinstance(expected, torch.optim.Optimizer) and isinstance(got, torch.optim.Optimizer):
        expected, got = expected.param_groups, got.param_groups
    # A number and a tensor of no dimension say the same.
    if _is_number(expected) and _is_scalar(got):
        got = got.item()
    elif _is_scalar(expected) and _is_number(got):
        expected = expected.item()

    if _is_number(expected) and _is_number(got):
        return None if _close(expected, got, tolerance) else ("", _short(expected), _short(got))
    for kind in (torch.Tensor, np.ndarray):
        if isinstance(expected, kind) and isinstance(got, kind):
            return _tensor_difference(torch.as_tensor(expected), torch.as_tensor(got), tolerance)
    if isinstance(expected, Mapping) and isinstance(got, Mapping):
        if set(expected) != set(got):
            return "", _keys(expected), _keys(got)
        parts = [(f"[{key!r}]", expected[key], got[key]) for key in expected]
    elif isinstance(expected, list | tuple) and isinstance(got, list | tuple) and len(expected) == len(got):
        parts = [(f"[{index}]", *pair) for index, pair in enumerate(zip(expected, got, strict=True))]
    elif isinstance(expected, torch.Tensor | np.ndarray | Mapping | list | tuple | torch.nn.Module):
        return "", _kind(expected), _kind(got)
    else:
        return None if type(expected) is type(got) and expected == got else ("", _short(expected), _short(got))
    for place, part, other in parts:
        if found := _first_difference(part, other, tolerance):
            return (place + found[0], *found[1:])
    return None


def _close(expected: complex, got: complex, tolerance: float) -> bool:
    if isinstance(expected, bool | np.bool_) != isinstance(got, bool | np.bool_):
        return False
    both_nan = expected != expected and got != got
    return bool(both_nan or expected == got or abs(expected - got) <= tolerance * (1 + abs(expected)) < math.inf)


def _tensor_difference(expected: torch.Tensor, got: torch.Tensor, tolerance: float) -> Difference | None:
    if expected.shape != got.shape:
        return "", t("shape", "kształt") + f" {tuple(expected.shape)}", str(tuple(got.shape))
    if _dtype_kind(expected) != _dtype_kind(got):
        return "", f"dtype `{expected.dtype}`", f"`{got.dtype}`"
    wide = torch.complex128 if expected.is_complex() else torch.float64
    one, other = (tensor.detach().cpu().to(wide) for tensor in (expected, got))
    wrong = ~torch.isclose(other, one, rtol=tolerance, atol=tolerance, equal_nan=True)
    if not wrong.any():
        return None
    if expected.numel() <= SMALL:
        return "", _short(expected), _short(got)
    place = tuple(wrong.nonzero()[0].tolist())
    return f"[{', '.join(map(str, place))}]", _short(expected[place].item()), _short(got[place].item())


def _make_inputs(inputs: Callable[[torch.Generator], tuple], seed: int) -> tuple:
    with torch.random.fork_rng(
        range(torch.cuda.device_count())
    ):  # a check must not change the random numbers of the lesson after it
        torch.manual_seed(seed)
        made = inputs(torch.Generator().manual_seed(seed))
    if not isinstance(made, tuple):
        raise TypeError(f"an exercise's inputs must be a tuple of arguments, not a {type(made).__name__}")
    return made


def _listed(value):
    """The value with its iterators as lists, so that it can be compared more than once."""
    if isinstance(value, Iterator | list):
        return [_listed(part) for part in value]
    if type(value) in (tuple, dict):
        return tuple(map(_listed, value)) if type(value) is tuple else {key: _listed(value[key]) for key in value}
    return value


def _unanswered(inputs: tuple, expected: Outcome, got: Outcome) -> bool:
    if got.error is not None:
        return isinstance(got.error, Unanswered)
    if got.value is not None:
        return isinstance(got.value, list | tuple) and bool(got.value) and all(part is ... for part in got.value)
    if expected.value is not None:
        return True
    # An exercise that only changes its inputs returns None: untouched inputs are no answer yet.
    return difference(inputs, expected.inputs) is not None and difference(inputs, got.inputs) is None


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


def _inputs(inputs: tuple) -> str:
    listed = ", ".join(map(_short, inputs))
    return t(f"Input: {listed}", f"Wejście: {listed}")


def _short(value) -> str:
    """A value in few characters."""
    if isinstance(value, torch.Tensor | np.ndarray):
        return f"`{_rounded(value.tolist())}`" if math.prod(value.shape) <= SMALL else _kind(value)
    if isinstance(value, torch.nn.Module):
        return _kind(value)
    shown = getattr(value, "__name__", None) or repr(_rounded(value))
    if len(shown) <= 40:
        return f"`{shown}`"
    return _kind(value) if isinstance(value, list | tuple | Mapping) else f"`{shown[:39]}…`"


def _rounded(value):
    if type(value) in (list, tuple):
        return type(value)(map(_rounded, value))
    return float(f"{value:.4g}") if isinstance(value, float) else value


def _kind(value) -> str:
    """What sort of thing it is."""
    if isinstance(value, torch.Tensor | np.ndarray):
        name = "tensor" if isinstance(value, torch.Tensor) else t("NumPy array", "tablica NumPy")
        return t(f"a {name} of shape {tuple(value.shape)}", f"{name} o kształcie {tuple(value.shape)}")
    if isinstance(value, Mapping):
        return _keys(value)
    if isinstance(value, list | tuple):
        name = t("a tuple", "krotka") if isinstance(value, tuple) else t("a list", "lista")
        return t(f"{name} of length {len(value)}", f"{name} o długości {len(value)}")
    return f"`{type(value).__name__}`"


def _keys(value: Mapping) -> str:
    listed = ", ".join(f"`{key!r}`" for key in value)
    return t(f"a dict with the keys {listed}", f"słownik o kluczach {listed}")
