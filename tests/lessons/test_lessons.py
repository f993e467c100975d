"""The lessons themselves: what the checks say of them, that solutions are right, stubs harmless, mistakes told."""

import importlib
import pkgutil

import pytest

from tlcourse import classroom
from tlcourse.classroom import checks, language, run
from tlcourse.classroom.build import Lesson, read_lesson
from tlcourse.classroom.inspection import inspect_lessons

LESSONS = sorted(run.ROOT.glob("lessons/*.py"))
EXERCISES = [
    (module.name, name)
    for module in pkgutil.iter_modules(checks.__path__)
    for name in importlib.import_module(f"{checks.__name__}.{module.name}").EXERCISES
]
LESSON_IDS = [path.stem for path in LESSONS]
EXERCISE_IDS = [f"{module}-{name}" for module, name in EXERCISES]


def exercise(module: str, name: str) -> classroom.Exercise:
    return importlib.import_module(f"{checks.__name__}.{module}").EXERCISES[name]


@pytest.fixture(autouse=True)
def english_and_headless(monkeypatch):
    """Figures without a screen; the language as it was afterwards."""
    monkeypatch.setenv("MPLBACKEND", "Agg")
    before = language.current_language()
    language.use_language("en")
    yield
    language.use_language(before)


@pytest.fixture
def verdicts(monkeypatch):
    """What each `check` of the lesson under test said: pairs (name, verdict)."""
    said, check = [], importlib.import_module("tlcourse.classroom.exercises").check

    def recording(name, function):
        said.append((name, check(name, function)))
        return said[-1][1]

    monkeypatch.setattr(classroom, "check", recording, raising=False)
    return said


def run_cells(lesson: Lesson, *tags: str) -> None:
    """Execute the lesson's code cells with any of the tags, in order, in one namespace."""
    namespace = {"__name__": "lesson"}
    for cell in lesson.cells:
        if cell.kind == "code" and set(tags) & set(cell.tags):
            exec(compile(cell.source, f"{lesson.slug}:{cell.line}", "exec"), namespace)


def test_the_checks_find_nothing():
    if not LESSONS:
        pytest.skip("there are no lessons yet")
    problems = inspect_lessons(run.ROOT)
    assert not problems, "\n" + "\n".join(problems)


@pytest.mark.parametrize("path", LESSONS, ids=LESSON_IDS)
def test_solutions_are_correct(path, verdicts):
    lesson = read_lesson(path)
    # In the source the check stands before the solution: here the solutions come first.
    cells = sorted(lesson.cells, key=lambda cell: "check" in cell.tags)
    run_cells(Lesson(**{**vars(lesson), "cells": cells}), "setup", "imports", "solution", "check")
    assert len(verdicts) == sum("solution" in cell.tags for cell in lesson.cells) > 0
    assert all(verdict for _, verdict in verdicts), verdicts


@pytest.mark.parametrize("path", LESSONS, ids=LESSON_IDS)
def test_unanswered_stubs_are_told_so(path, verdicts):
    run_cells(read_lesson(path), "setup", "imports", "exercise", "check")
    assert verdicts and {verdict.status for _, verdict in verdicts} == {"unanswered"}, verdicts


@pytest.mark.parametrize("path", LESSONS, ids=LESSON_IDS)
def test_every_exercise_is_used(path, verdicts):
    run_cells(read_lesson(path), "setup", "imports", "exercise", "check")
    assert {name for name, _ in verdicts} == {name for module, name in EXERCISES if module == f"e{path.stem}"}


@pytest.mark.parametrize(("module", "name"), EXERCISES, ids=EXERCISE_IDS)
def test_the_reference_is_correct_on_any_inputs(module, name):
    item = exercise(module, name)
    assert all(item.verdict(item.reference, seed).status == "correct" for seed in range(5))


@pytest.mark.parametrize(("module", "name"), EXERCISES, ids=EXERCISE_IDS)
@pytest.mark.parametrize("lang", ["en", "pl"])
def test_common_mistakes_are_rejected_each_with_its_reason(module, name, lang):
    language.use_language(lang)
    item = exercise(module, name)
    assert item.mistakes, f"{name} lists no common mistakes"
    for mistake in item.mistakes:
        for seed in range(3):
            verdict = item.verdict(mistake.function, seed)
            assert (verdict.status, verdict.reason) == ("wrong", language.text(mistake.reason))
