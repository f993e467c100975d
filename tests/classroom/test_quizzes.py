import pytest

from tlcourse.classroom.quizzes import Quiz, quiz

WIDGET = "application/vnd.jupyter.widget-view+json"


def question(**changes):
    return Quiz(
        ("What does $\\eta < 1$ do?", "Co robi $\\eta < 1$?"),
        [
            (("It **slows** learning", "**Spowalnia** uczenie"), True, ("Steps are short.", "Kroki są krótkie.")),
            (("Nothing", "Nic"), False, ("It scales the step.", "Skaluje krok.")),
            ("`nan`", False, ("Too large a rate does.", "To robi za duży współczynnik.")),
        ],
    )


def test_every_answer_explains_itself():
    asked = question()
    assert asked.answer(0) == (True, "Correct. Steps are short.")
    assert asked.answer(1) == (False, "Not quite. It scales the step.")
    with pytest.raises(IndexError, match="choice 3 does not exist"):
        asked.answer(3)
    with pytest.raises(IndexError):
        asked.answer(-1)


def test_a_click_answers_and_marks_only_its_choice():
    asked = question()
    asked.buttons[1].click()
    asked.buttons[2].click()
    assert [button.button_style for button in asked.buttons] == ["", "", "danger"]
    assert "Too large a rate does." in asked.feedback.value
    asked.buttons[0].click()
    assert [button.button_style for button in asked.buttons] == ["success", "", ""]


def test_texts_are_html_with_their_formulas():
    head, *rows, _ = question().widget.children
    assert "$\\eta &lt; 1$" in head.value
    assert "<b>slows</b>" in rows[0].children[1].value and "<code>nan</code>" in rows[2].children[1].value


def test_a_quiz_speaks_polish(polish):
    asked = question()
    assert asked.answer(1) == (False, "Niezupełnie. Skaluje krok.")
    static = asked._repr_mimebundle_()[0]["text/markdown"]
    assert "**Co robi $\\eta < 1$?**" in static and static.endswith("*Uruchom tę komórkę, żeby odpowiedzieć.*")


def test_a_page_without_a_kernel_shows_the_questions_without_the_answers():
    data, _ = quiz(question(), question(), question())._repr_mimebundle_()
    assert WIDGET in data
    static = data["text/markdown"]
    assert static.count("What does") == 3 and static.count("- A. It **slows** learning") == 3
    assert static.count("Run this cell to answer.") == 1
    assert "Steps are short" not in static and "Correct" not in static


@pytest.mark.parametrize(
    ("choices", "reason"),
    [
        ([("a", True, "")], "two to six"),
        ([("a", False, "no"), ("b", False, "no")], "has 0 correct choices"),
        ([("a", True, ""), ("b", True, "")], "has 2 correct choices"),
        ([("a", True, "yes"), ("b", False, " ")], "wrong choice 'b' has no explanation"),
        ([("a", True), ("b", False)], "wrong choice 'b' has no explanation"),
        ([("a", True), "b"], "a choice is"),
    ],
)
def test_a_question_that_teaches_nothing_is_refused(choices, reason):
    with pytest.raises(ValueError, match=reason):
        Quiz("Why?", choices)


@pytest.mark.parametrize("count", [0, 2, 6])
def test_a_quiz_has_three_to_five_questions(count):
    with pytest.raises(ValueError, match=f"three to five questions, not {count}"):
        quiz(*[question() for _ in range(count)])
