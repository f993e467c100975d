import random

import matplotlib as mpl
import numpy as np
import pytest
import torch

from tlcourse.classroom import lesson
from tlcourse.classroom.language import current_language


def draws():
    return random.random(), np.random.rand(), torch.rand(1).item()


def test_a_lesson_starts_in_its_language_with_its_look_and_its_seeds(monkeypatch, capsys):
    monkeypatch.setattr(lesson, "_slug", None)
    lesson.start_lesson("02_fine_tuning", lang="pl", seed=3)
    first = draws()
    lesson.start_lesson("02_fine_tuning", lang="pl", seed=3)
    assert draws() == first
    lesson.start_lesson("02_fine_tuning", lang="pl", seed=4)
    assert draws() != first
    assert current_language() == "pl"
    assert lesson.current_lesson() == "02_fine_tuning"
    assert mpl.rcParams["axes.spines.top"] is False
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("slug", ["fine_tuning", "2_fine_tuning", "02_fine_tuning.py", "02-fine-tuning", ""])
def test_a_wrong_slug_is_refused_and_changes_nothing(slug):
    with pytest.raises(ValueError, match="named like '02_fine_tuning'"):
        lesson.start_lesson(slug, lang="pl")
    assert current_language() == "en"


def test_without_a_lesson_one_is_told_to_start_it(monkeypatch):
    monkeypatch.setattr(lesson, "_slug", None)
    with pytest.raises(RuntimeError, match="run its first cell"):
        lesson.current_lesson()
