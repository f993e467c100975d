import sys
import types

import numpy as np
import pytest
import torch
from torch import nn

from tlcourse.classroom import lesson
from tlcourse.classroom.exercises import Exercise, Mistake, Verdict, check, difference


def prototypes(support):
    return support.mean(1)


def changes_its_input(support):
    mean = support.mean(1)
    support -= 1
    return mean


def stops(support):
    wrong = support.mean(7)
    return wrong


PROTOTYPES = Exercise(
    prototypes,
    lambda generator: (torch.randn(4, 3, 5, generator=generator),),
    mistakes=[
        Mistake(lambda support: support.mean(0), ("Average over dim 1, the shots.", "Uśrednij po wymiarze 1.")),
        Mistake(lambda support: support.sum(1), ("A sum is no mean.", "Suma to nie średnia.")),
        Mistake(lambda support: support @ support, ("These cannot be multiplied.", "Tego nie da się pomnożyć.")),
    ],
)


@pytest.mark.parametrize(
    ("function", "status", "reason"),
    [
        (prototypes, "correct", "Correct."),
        (lambda support: support.double().mean(dim=1), "correct", "Correct."),
        (lambda support: ..., "unanswered", "Not answered yet"),
        (lambda support: None, "unanswered", "Not answered yet"),
        (lambda support: (..., ...), "unanswered", "Not answered yet"),
        (lambda support: support.mean(0), "wrong", "Average over dim 1, the shots."),
        (lambda support: support.sum(1), "wrong", "A sum is no mean."),
        (lambda support: support @ support, "wrong", "These cannot be multiplied."),
        (lambda support: support.mean(), "wrong", "expected shape (4, 5), got ()"),
        (lambda support: support.mean((1, 2)), "wrong", "expected shape (4, 5), got (4,)"),
        (lambda support: support.mean(1).numpy(), "wrong", "got a NumPy array of shape (4, 5)"),
        (lambda support: support.mean(1).long(), "wrong", "expected dtype `torch.float32`, got `torch.int64`"),
        (
            lambda support: support.mean(1) * 1.1,
            "wrong",
            "Input: a tensor of shape (4, 3, 5). Answer: at `[0, 0]`: expected",
        ),
        (lambda support: support.mean(1) * float("nan"), "wrong", "got `nan`"),
        (
            lambda: 3,
            "wrong",
            "could not be called: `TypeError: <lambda>() takes 0 positional arguments but 1 was given`",
        ),
        (changes_its_input, "wrong", "Your function changes its argument 1"),
        (stops, "wrong", "`wrong = support.mean(7)`: `IndexError: Dimension out of range"),
    ],
)
def test_every_answer_gets_its_reason(function, status, reason):
    verdict = PROTOTYPES.verdict(function)
    assert (verdict.status, bool(verdict)) == (status, status == "correct")
    assert reason in verdict.reason


def test_a_reason_names_the_line_of_the_student_and_no_file():
    line = stops.__code__.co_firstlineno + 1
    reason = PROTOTYPES.verdict(stops).reason
    assert f"stops in line {line} " in reason and __file__ not in reason


def test_reasons_in_polish(polish):
    assert PROTOTYPES.verdict(lambda support: ...).reason.startswith("Jeszcze bez odpowiedzi")
    assert PROTOTYPES.verdict(lambda support: support.mean(0)).reason == "Uśrednij po wymiarze 1."
    assert (
        "powinno być: kształt (4, 5), a jest: (4,)" in PROTOTYPES.verdict(lambda support: support.mean((1, 2))).reason
    )
    assert PROTOTYPES.verdict(stops).reason.startswith("Twoja funkcja przerywa działanie w wierszu ")
    assert PROTOTYPES.verdict(changes_its_input).reason.startswith("Twoja funkcja zmienia swój argument nr 1")


def test_inputs_are_fresh_but_a_seed_brings_them_back():
    seen = []

    def record(support):
        seen.append(support[0, 0, 0].item())
        return support.mean(1)

    PROTOTYPES.verdict(record)
    PROTOTYPES.verdict(record)
    assert len(set(seen)) == len(seen) == 6
    seen.clear()
    PROTOTYPES.verdict(record, seed=5)
    PROTOTYPES.verdict(record, seed=5)
    assert seen[:3] == seen[3:]


def test_a_check_leaves_the_lesson_s_random_numbers_alone():
    torch.manual_seed(0)
    untouched = torch.rand(2)
    torch.manual_seed(0)
    Exercise(lambda x: x, lambda generator: (torch.rand(2),)).verdict(lambda x: x + torch.rand(2))
    assert torch.equal(torch.rand(2), untouched)


def test_student_and_reference_draw_the_same_random_numbers():
    noisy = Exercise(lambda x: x + torch.randn(3), lambda generator: (torch.zeros(3),))
    assert noisy.verdict(lambda x: torch.randn(3) + x)


def freeze(model):
    for parameter in model[0].parameters():
        parameter.requires_grad = False


def freeze_all(model):
    model.requires_grad_(False)


def evaluate_only(model):
    model.eval()


def small_model(generator):
    return (nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 1)),)


FREEZE = Exercise(freeze, small_model, [Mistake(freeze_all, ("Leave the head free.", "Zostaw głowicę wolną."))])


def test_what_a_function_does_to_its_inputs_is_its_answer():
    assert FREEZE.verdict(freeze)
    assert FREEZE.verdict(freeze_all).reason == "Leave the head free."
    assert FREEZE.verdict(lambda model: None).status == "unanswered"
    assert FREEZE.verdict(lambda model: ...).status == "unanswered"
    reason = FREEZE.verdict(evaluate_only).reason
    assert "argument 1 is not right" in reason and "0.weight.requires_grad" in reason and "expected `False`" in reason


def test_returning_the_changed_model_counts_too():
    def freeze_and_return(model):
        freeze(model)
        return model

    exercise = Exercise(freeze_and_return, small_model)
    assert exercise.verdict(freeze_and_return)
    assert exercise.verdict(lambda model: model).status == "wrong"


def test_an_exercise_may_use_the_function_in_its_own_way():
    class Reverse(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.view_as(x)

        @staticmethod
        def backward(ctx, gradient):
            return -gradient

    exercise = Exercise(
        Reverse.apply,
        lambda generator: (torch.randn(3, generator=generator, requires_grad=True),),
        [
            Mistake(lambda x: -x + 2 * x.detach(), ("never", "nigdy")),
            Mistake(lambda x: x, ("Not reversed.", "Nie odwrócono.")),
        ],
        call=lambda function, x: torch.autograd.grad((function(x) ** 2).sum(), x),
    )
    assert exercise.verdict(Reverse.apply)
    assert exercise.verdict(lambda x: x).reason == "Not reversed."
    assert exercise.verdict(lambda x: ...).status == "unanswered"


def test_an_exercise_may_compare_in_its_own_way():
    exercise = Exercise(
        lambda n: set(range(n)),
        lambda generator: (3,),
        [Mistake(lambda n: set(range(n + 1)), ("One too many.", "O jeden za dużo."))],
        compare=lambda expected, got: (
            None if expected == got | set() else (f"{len(got)} elements", f"{len(got)} elementy")
        ),
    )
    assert exercise.verdict(lambda n: {2, 1, 0})
    assert exercise.verdict(lambda n: {1}).reason == "1 elements"
    assert exercise.verdict(lambda n: {0, 1, 2, 3, 4}).reason == "5 elements"
    assert exercise.verdict(lambda n: 3.5).reason == "Your function returns `float`; expected `set`."


def test_a_broken_reference_is_the_author_s_error():
    with pytest.raises(ZeroDivisionError):
        Exercise(lambda x: x / 0, lambda generator: (1,)).verdict(lambda x: x)
    with pytest.raises(TypeError, match="tuple of arguments"):
        Exercise(lambda x: x, lambda generator: torch.ones(1)).verdict(lambda x: x)


def test_a_result_in_place_of_the_function_is_refused():
    with pytest.raises(TypeError, match="your function itself, without brackets; got Tensor"):
        PROTOTYPES.verdict(torch.ones(2))


@pytest.mark.parametrize(
    ("expected", "got"),
    [
        (1.0, 1),
        (0.5, torch.tensor(0.5)),
        (torch.tensor(0.5), 0.5),
        (np.float64(0.5), 0.5),
        (float("nan"), float("nan")),
        (1e6, 1e6 + 10),
        (torch.ones(2), torch.ones(2, dtype=torch.float64)),
        (torch.ones(2), nn.Parameter(torch.ones(2))),
        (np.ones(2), np.ones(2)),
        ([1, (2, 3)], (1, [2, 3])),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ("text", "text"),
        (None, None),
        (float("inf"), float("inf")),
    ],
)
def test_what_agrees(expected, got):
    assert difference(expected, got) is None


@pytest.mark.parametrize(
    ("expected", "got", "reason"),
    [
        (1.0, 1.01, "expected `1.0`, got `1.01`"),
        (True, 1, "expected `True`, got `1`"),
        (1.0, float("nan"), "expected `1.0`, got `nan`"),
        (1.0, float("inf"), "expected `1.0`, got `inf`"),
        (1.0, "1", "expected `1.0`, got `'1'`"),
        (torch.tensor([1.0, 2.0]), torch.tensor([1.0, 3.0]), "expected `[1.0, 2.0]`, got `[1.0, 3.0]`"),
        (torch.zeros(3, 4), torch.eye(4)[:3], "at `[0, 0]`: expected `0.0`, got `1.0`"),
        (torch.ones(2), [1.0, 1.0], "expected a tensor of shape (2,), got a list of length 2"),
        (torch.ones(2).bool(), torch.ones(2), "expected dtype `torch.bool`, got `torch.float32`"),
        ([1, 2], [1, 2, 3], "expected a list of length 2, got a list of length 3"),
        ((1, {"a": [0, 5]}), (1, {"a": [0, 6]}), "at `[1]['a'][1]`: expected `5`, got `6`"),
        ({"a": 1}, {"b": 1}, "expected a dict with the keys `'a'`, got a dict with the keys `'b'`"),
        ("yes", "no", "expected `'yes'`, got `'no'`"),
        (nn.Linear(1, 1), 3, "expected `Linear`, got `int`"),
    ],
)
def test_what_differs_says_where_and_how(expected, got, reason):
    assert difference(expected, got) == reason


def test_optimizers_differ_by_their_settings():
    model = nn.Linear(1, 1)
    one, other = (torch.optim.SGD(model.parameters(), lr=rate) for rate in (0.1, 0.2))
    assert difference(one, one) is None
    assert difference(one, other) == "at `[0]['lr']`: expected `0.1`, got `0.2`"


def test_iterators_are_compared_by_what_they_yield():
    rates = Exercise(lambda n: (0.5**i for i in range(n)), lambda generator: (3,))
    assert rates.verdict(lambda n: [0.5**i for i in range(n)])
    assert rates.verdict(lambda n: (0.4**i for i in range(n))).status == "wrong"


@pytest.fixture
def _lesson(monkeypatch):
    module = types.ModuleType("tlcourse.classroom.checks.e98_demo")
    module.EXERCISES = {"prototypes": PROTOTYPES}
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(lesson, "_slug", "98_demo")


@pytest.mark.usefixtures("_lesson")
def test_check_shows_the_verdict_and_returns_it(shown):
    assert check("prototypes", prototypes)
    assert not check("prototypes", lambda support: support.mean(0))
    assert not check("prototypes", lambda support: ...)
    plain = [repr(bundle) for bundle in shown]
    assert plain[:2] == ["✓ Correct.", "✗ Average over dim 1, the shots."] and plain[2].startswith("… Not answered yet")
    colours = ["--jp-success-color1", "--jp-error-color1", "--jp-border-color0"]
    assert all(colour in bundle.data["text/html"] for colour, bundle in zip(colours, shown, strict=True))


@pytest.mark.usefixtures("_lesson")
def test_markup_in_a_student_s_error_is_shown_as_text(shown):
    def raises(support):
        raise ValueError("<b>loud</b>")

    check("prototypes", raises)
    assert "&lt;b&gt;loud" in shown[0].data["text/html"]


@pytest.mark.usefixtures("_lesson")
def test_an_unknown_exercise_names_those_there_are():
    with pytest.raises(LookupError, match="lesson 98_demo has no exercise 'prototype'; it has 'prototypes'"):
        check("prototype", prototypes)


def test_a_verdict_is_not_shown_twice():
    assert Verdict("correct", "")._ipython_display_() is None
