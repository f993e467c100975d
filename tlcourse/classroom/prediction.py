"""Predictions: before an experiment the reader commits to a guess, and afterwards compares."""

import math
import numbers
from collections.abc import Sequence

import ipywidgets as widgets

from .language import Text, t, text
from .quizzes import WIDTH, choice_buttons, heading, letter
from .rendering import GREEN, GREY, inline_html, panel, show_html, widget_bundle
from .tables import number

CLOSE = 0.05
"""A guess is called close within this share of the slider's range."""


class Prediction:
    """A question before an experiment: one of several choices, or a number on a slider.

    Show it at the end of a cell; after the experiment call `compare`.

    Args:
        question: Markdown in one paragraph, formulas in $…$.
        choices: two to six texts; or none, and
        low, high: the ends of the slider, with
        unit: of the number, "%" or ("points", "punktów").
        step: of the slider; a hundredth of its range by default.

    Raises:
        ValueError: neither choices nor both ends are given, or both are, or the ends are in the wrong order.
    """

    def __init__(
        self,
        question: Text,
        choices: Sequence[Text] | None = None,
        *,
        low: float | None = None,
        high: float | None = None,
        unit: Text = "",
        step: float | None = None,
    ):
        self.question, self.unit = text(question), text(unit)
        self.choices = None if choices is None else [text(choice) for choice in choices]
        self.low, self.high = low, high
        self.committed: float | int | None = None
        if (self.choices is None) == (low is None and high is None):
            raise ValueError("a prediction needs either choices, or low and high for a slider")
        if self.choices is not None and not 2 <= len(self.choices) <= 6:
            raise ValueError(f"{self.question!r} has {len(self.choices)} choices; give two to six")
        if self.choices is None and (low is None or high is None or not low < high):
            raise ValueError(f"a slider needs two ends, low < high; got low={low} and high={high}")
        self.buttons: list = []
        self.slider = None
        self.feedback = widgets.HTMLMath()
        self.widget = widgets.VBox(
            [heading(self.question), *self._controls(step), self.feedback],
            layout={"width": "100%", "max_width": WIDTH, "margin": "0 0 8px 0"},
        )

    def _controls(self, step: float | None) -> list:
        if self.choices is not None:
            self.buttons, rows = choice_buttons(self.choices, self.guess)
            return rows
        step = step or (self.high - self.low) / 100
        self.slider = widgets.FloatSlider(
            min=self.low,
            max=self.high,
            step=step,
            value=(self.low + self.high) / 2,
            readout=False,
            layout={"width": "22em"},
        )
        button = widgets.Button(description=t("I commit", "Zgaduję"), button_style="info")
        button.on_click(lambda _: self.guess(self.slider.value))
        self.buttons = [button]
        readout = widgets.Label(self._say(self.slider.value), layout={"min_width": "5em", "margin": "0 0 0 8px"})
        self.slider.observe(lambda change: setattr(readout, "value", self._say(change.new)), names="value")
        return [widgets.HBox([self.slider, readout, button])]

    def guess(self, value: float | int) -> None:
        """Commit to a guess, as a click does: a choice, counted from 0, or a number of the slider.

        Raises:
            ValueError: there is no such choice, or the number is off the slider.
        """
        if self.choices is not None:
            if value not in range(len(self.choices)):
                raise ValueError(f"choice {value} does not exist; there are {len(self.choices)}, counted from 0")
            for button in self.buttons:
                button.button_style = ""
            self.buttons[value].button_style = "info"
        elif not self.low <= value <= self.high:
            raise ValueError(f"a guess lies between {self.low} and {self.high}; got {value}")
        else:
            self.slider.value = value
        self.committed = value
        noted = t(
            "Your guess is noted: {}. Now run the experiment.",
            "Twoja odpowiedź jest zapisana: {}. Teraz uruchom eksperyment.",
        )
        self.feedback.value = panel(inline_html(noted.format(self._say(value))), GREY)

    def compare(self, measured: float | int) -> None:
        """Show the guess beside what was measured: a number, or which choice proved right, counted from 0."""
        told, hit = self.comparison(measured)
        show_html(panel(inline_html(told), GREEN if hit else GREY), told)

    def comparison(self, measured: float | int) -> tuple[str, bool]:
        """What `compare` shows, and whether the guess was right or close; it never raises."""
        if math.prod(getattr(measured, "shape", (2,))) == 1:  # a tensor or an array of one number
            measured = measured.item()
        said = self._say(measured)
        if self.committed is None:
            invitation = t(
                "You made no guess: make one before you look, it helps to remember.",
                "Tym razem bez zgadywania: następnym razem zgadnij, zanim spojrzysz; łatwiej zapamiętasz.",
            )
            return f"{t('Measured', 'Zmierzono')}: {said}. {invitation}", False
        guessed = self._say(self.committed)
        start = t("You guessed {}; measured: {}.", "Twoja odpowiedź: {}; zmierzono: {}.").format(guessed, said)
        end, hit = self._judge(measured)
        return f"{start} {end}".strip(), hit

    def _judge(self, measured) -> tuple[str, bool]:
        """A closing word, and whether the guess was right or close."""
        if self.choices is not None:
            if _is_finite(measured) and measured == self.committed:
                return t("Well guessed.", "Trafnie."), True
            return t("Before you read on: why?", "Zanim przeczytasz dalej: dlaczego?"), False
        if not _is_finite(measured):
            return "", False
        if abs(measured - self.committed) <= CLOSE * (self.high - self.low):
            return t("That is close.", "To blisko."), True
        if measured < self.committed:
            return t("Lower than you thought: why?", "Mniej niż w Twojej odpowiedzi: dlaczego?"), False
        return t("Higher than you thought: why?", "Więcej niż w Twojej odpowiedzi: dlaczego?"), False

    def _say(self, value) -> str:
        if self.choices is not None:
            if _is_finite(value) and value in range(len(self.choices)):
                choice = self.choices[int(value)]
                return f"{letter(int(value))}, {t(f'“{choice}”', f'„{choice}”')}"
            return str(value)
        shown = number(value) if _is_finite(value) else str(value)
        return f"{shown}\N{NO-BREAK SPACE}{self.unit}" if self.unit else shown

    def _repr_mimebundle_(self, include=None, exclude=None) -> tuple[dict, dict]:
        if self.choices is not None:
            lines = [f"- {letter(index)}. {choice}" for index, choice in enumerate(self.choices)]
        else:
            lines = [f"{self._say(self.low)} … {self._say(self.high)}"]
        invitation = t("Run this cell to make your guess.", "Uruchom tę komórkę, żeby zgadnąć.")
        static = "\n".join([f"**{self.question}**", "", *lines, "", f"*{invitation}*"])
        return widget_bundle(self.widget, {"text/markdown": static, "text/plain": static})


def _is_finite(value) -> bool:
    return isinstance(value, numbers.Real) and math.isfinite(value)
