"""Quizzes: questions whose every wrong choice explains why it is wrong."""

from collections.abc import Callable, Sequence

import ipywidgets as widgets

from .language import Text, t, text
from .rendering import FONT, GREEN, RED, inline_html, panel, widget_bundle

WIDTH = "52em"


def choice_buttons(choices: Sequence[str], choose: Callable[[int], object]) -> tuple[list, list]:
    """Lettered buttons beside texts that may hold formulas and wrap: (buttons, rows to show).

    ipywidgets' own radio buttons neither wrap nor show formulas.
    """
    buttons, rows = [], []
    for index, choice in enumerate(choices):
        button = widgets.Button(description=letter(index), tooltip=choice, layout={"width": "34px", "flex": "0 0 34px"})
        button.on_click(lambda _, index=index: choose(index))
        label = paragraph(inline_html(choice), layout={"flex": "1 1 auto", "min_width": "0"})
        buttons.append(button)
        rows.append(widgets.HBox([button, label], layout={"width": "100%", "align_items": "flex-start"}))
    return buttons, rows


def paragraph(markup: str, **options) -> widgets.HTMLMath:
    """Text in the page's own size, level with the buttons beside it."""
    return widgets.HTMLMath(f'<div style="padding: 4px 0 0 6px; {FONT}">{markup}</div>', **options)


def heading(question: str) -> widgets.HTMLMath:
    """A question above its choices."""
    return widgets.HTMLMath(f'<div style="font-weight: bold; {FONT}">{inline_html(question)}</div>')


def letter(index: int) -> str:
    """0 to A, 1 to B, …"""
    return chr(ord("A") + index)


class Quiz:
    """One question. A click on a choice answers it and shows why it is right or wrong.

    Args:
        question: Markdown in one paragraph, formulas in $…$.
        choices: two to six of (text, is it correct?, explanation); exactly one is correct, and every
            wrong one has an explanation.

    Raises:
        ValueError: the choices are not so.
    """

    def __init__(self, question: Text, choices: Sequence[tuple[Text, bool, Text]]):
        self.question = text(question)
        self.choices = [(text(choice), bool(correct), text(why)) for choice, correct, why in map(_with_reason, choices)]
        if not 2 <= len(self.choices) <= 6:
            raise ValueError(f"{self.question!r} has {len(self.choices)} choices; give two to six")
        if (right := sum(correct for _, correct, _ in self.choices)) != 1:
            raise ValueError(f"{self.question!r} has {right} correct choices; exactly one is needed")
        for choice, correct, why in self.choices:
            if not correct and not why.strip():
                raise ValueError(
                    f"{self.question!r}: the wrong choice {choice!r} has no explanation; say why it is wrong"
                )
        self.buttons, rows = choice_buttons([choice for choice, _, _ in self.choices], self.answer)
        self.feedback = widgets.HTMLMath()
        self.widget = widgets.VBox(
            [heading(self.question), *rows, self.feedback],
            layout={"width": "100%", "max_width": WIDTH, "margin": "0 0 14px 0"},
        )

    def answer(self, index: int) -> tuple[bool, str]:
        """Choose a choice, counted from 0, as a click does: (is it correct?, what the reader is told).

        Raises:
            IndexError: there is no such choice.
        """
        if not 0 <= index < len(self.choices):
            raise IndexError(f"choice {index} does not exist; there are {len(self.choices)}, counted from 0")
        _, correct, why = self.choices[index]
        told = f"{t('Correct.', 'Dobrze.') if correct else t('Not quite.', 'Niezupełnie.')} {why}".strip()
        for button in self.buttons:
            button.button_style = ""
        self.buttons[index].button_style = "success" if correct else "danger"
        mark, colour = ("✓", GREEN) if correct else ("✗", RED)
        self.feedback.value = panel(f'<b style="color: {colour}">{mark}</b> {inline_html(told)}', colour)
        return correct, told

    def markdown(self) -> str:
        """The question and its choices, without the answer, for pages where nothing runs."""
        lines = [f"- {letter(index)}. {choice}" for index, (choice, _, _) in enumerate(self.choices)]
        return "\n".join([f"**{self.question}**", "", *lines])

    def _repr_mimebundle_(self, include=None, exclude=None) -> tuple[dict, dict]:
        return _bundle(self.widget, self.markdown())


class QuestionSheet:
    """Several questions, shown one below the other."""

    def __init__(self, questions: Sequence[Quiz]):
        self.questions = list(questions)
        self.widget = widgets.VBox([question.widget for question in self.questions])

    def _repr_mimebundle_(self, include=None, exclude=None) -> tuple[dict, dict]:
        return _bundle(self.widget, "\n\n".join(question.markdown() for question in self.questions))


def quiz(*questions: Quiz) -> QuestionSheet:
    """Three to five questions together; the value shows itself at the end of a cell.

    Raises:
        ValueError: fewer or more.
    """
    if not 3 <= len(questions) <= 5:
        raise ValueError(f"a quiz has three to five questions, not {len(questions)}")
    return QuestionSheet(questions)


def _with_reason(choice) -> tuple:
    if not isinstance(choice, tuple) or len(choice) not in (2, 3):
        raise ValueError(f"a choice is (text, is it correct?, explanation), not {choice!r}")
    return (*choice, "")[:3]


def _bundle(widget, markdown: str) -> tuple[dict, dict]:
    invitation = t("Run this cell to answer.", "Uruchom tę komórkę, żeby odpowiedzieć.")
    static = f"{markdown}\n\n*{invitation}*"
    return widget_bundle(widget, {"text/markdown": static, "text/plain": static})
