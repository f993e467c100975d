"""Everything about teaching: languages, figures, quizzes, exercises, claims, widgets, sources, recorded runs.

A lesson imports what it uses from here:

    from tlcourse.classroom import start_lesson, t
    start_lesson("02_fine_tuning", lang="en")

The names below are loaded when they are first used.
"""

import importlib

_HOME = {
    "start_lesson": "lesson",
    "Text": "language",
    "current_language": "language",
    "t": "language",
    "text": "language",
    "PALETTE": "plots",
    "band": "plots",
    "confusion": "plots",
    "film": "plots",
    "heat_map": "plots",
    "image_grid": "plots",
    "palette": "plots",
    "show": "plots",
    "style": "plots",
    "Prediction": "prediction",
    "Quiz": "quizzes",
    "quiz": "quizzes",
    "Exercise": "exercises",
    "Mistake": "exercises",
    "Verdict": "exercises",
    "check": "exercises",
    "ClaimFailed": "claims",
    "claim": "claims",
    "Explorer": "widgets",
    "explore": "widgets",
    "show_source": "sources",
    "Record": "records",
    "recorded": "records",
    "save_record": "records",
    "mean_interval": "tables",
    "mean_pm": "tables",
    "table": "tables",
}

__all__ = sorted(_HOME)


def __getattr__(name: str):
    if name in _HOME:
        return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted([*globals(), *__all__])
