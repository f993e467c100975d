import pkgutil
import subprocess
import sys

import pytest

import tlcourse.classroom
from tlcourse.classroom.language import current_language, t, text, use_language


def test_a_pair_is_picked_in_the_language_in_use(monkeypatch):
    assert (current_language(), text(("dog", "pies")), t("dog", "pies")) == ("en", "dog", "dog")
    use_language("pl")
    assert (current_language(), text(("dog", "pies")), t("dog", "pies")) == ("pl", "pies", "pies")
    assert text("Actor-Mimic") == "Actor-Mimic"


def test_a_language_that_the_course_does_not_speak_is_refused():
    with pytest.raises(ValueError, match="speaks en and pl, not 'de'"):
        use_language("de")
    assert current_language() == "en"


@pytest.mark.parametrize("wrong", [("one",), ("a", "b", "c"), ["a", "b"], ("a", None), 3])
def test_what_is_no_text_is_refused(wrong):
    with pytest.raises(TypeError, match="pair"):
        text(wrong)


def test_a_shared_word_comes_from_the_catalogue(polish):
    assert t("epoch") == "epoka"


def test_an_unknown_word_names_the_nearest():
    with pytest.raises(LookupError, match="'epochs' is not in the course's catalogue.*nearest: 'epoch'"):
        t("epochs")


def test_every_exported_name_is_there_and_none_hides_a_module():
    names = tlcourse.classroom.__all__
    assert all(getattr(tlcourse.classroom, name) is not None for name in names)
    modules = {module.name for module in pkgutil.iter_modules(tlcourse.classroom.__path__)}
    assert not modules & set(names)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = tlcourse.classroom.nonsense


def test_importing_the_toolkit_costs_nothing():
    code = (
        "import sys, tlcourse.classroom; print([n for n in ('torch', 'matplotlib', 'ipywidgets') if n in sys.modules])"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )
