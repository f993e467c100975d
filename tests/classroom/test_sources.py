import math

import pytest

from tlcourse.classroom import plots, sources, tables
from tlcourse.classroom.quizzes import Quiz
from tlcourse.classroom.sources import file_of, show_source, source_of


def test_a_function_is_shown_without_its_docstring_and_with_its_comments():
    code = source_of(plots.confusion)
    assert code.startswith("def confusion(ax: Axes, matrix, names: Sequence[Text]) -> None:\n    matrix = ")
    assert '"""' not in code
    assert "    # Shades compare the rows as shares" in code
    assert '"""Draw a confusion matrix' in source_of(plots.confusion, docstring=True)


def test_a_class_loses_all_its_docstrings_and_a_method_its_indentation():
    whole = source_of(Quiz)
    assert '"""' not in whole and "def answer(self" in whole
    compile(whole, "quiz", "exec")
    assert source_of(Quiz.answer).startswith("def answer(self, index")


def test_what_has_only_a_docstring_keeps_it():
    class Empty:
        """Nothing but words."""

    assert source_of(Empty) == 'class Empty:\n    """Nothing but words."""'


def test_decorators_are_kept():
    @pytest.mark.filterwarnings("ignore")
    def decorated():
        """Words."""

        return 1  # a comment

    assert source_of(decorated).splitlines() == [
        '@pytest.mark.filterwarnings("ignore")',
        "def decorated():",
        "    return 1  # a comment",
    ]


def test_the_file_is_named_from_the_package_on():
    assert file_of(tables.mean_pm) == "tlcourse/classroom/tables.py"
    assert file_of(Quiz.answer) == "tlcourse/classroom/quizzes.py"


def test_sources_are_shown_under_their_files(shown):
    show_source(tables.mean_pm, tables.number, sources.file_of)
    (bundle,) = shown
    markdown = bundle.data["text/markdown"]
    assert markdown.count("```python\n") == 2 and markdown.count("```") == 4
    assert (
        markdown.index("`tlcourse/classroom/tables.py`") < markdown.index("def mean_pm") < markdown.index("def number")
    )
    assert (
        markdown.index("def number") < markdown.index("`tlcourse/classroom/sources.py`") < markdown.index("def file_of")
    )
    assert "def mean_pm" in repr(bundle)


@pytest.mark.parametrize("thing", [math.sqrt, 3, "mean_pm"])
def test_what_has_no_source_is_refused(shown, thing):
    with pytest.raises(TypeError):
        show_source(thing)
    assert shown == []


def test_nothing_cannot_be_shown():
    with pytest.raises(ValueError, match="needs a function"):
        show_source()
