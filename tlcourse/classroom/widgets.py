"""A widget that answers at once: controls, and below them a figure that is drawn anew when one changes."""

import base64
import html
import numbers
from collections.abc import Callable, Mapping

import ipywidgets as widgets
import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from .language import Text, t, text
from .plots import checked_alt, to_png
from .rendering import readout_format, widget_bundle


class Explorer:
    """A figure with controls; `explore` makes it.

    Attributes:
        controls: the ipywidgets by name; `explorer.controls["epoch"].value = 3` moves one and redraws.
        figure: the figure shown now.
        png: its bytes.
        alt: its sentence.
    """

    def __init__(self, draw: Callable, controls: Mapping[str, widgets.Widget], alt: Callable[..., Text] | None):
        self.draw, self.controls, self._alt = draw, dict(controls), alt
        self.image = widgets.Image(format="png", layout={"max_width": "100%", "align_self": "flex-start"})
        # ipywidgets' Image has no alt text (and JupyterLab fails to draw one with a tooltip): the sentence
        # stands beside it, unseen, where screen readers read it out whenever it changes.
        self.spoken = widgets.HTML(layout={"height": "1px", "margin": "0", "overflow": "hidden"})
        self._redraw()
        for control in self.controls.values():
            control.observe(self._redraw, names="value")
        self.widget = widgets.VBox([*self.controls.values(), self.image, self.spoken], layout={"width": "100%"})

    @property
    def values(self) -> dict:
        """The controls' values by name."""
        return {name: control.value for name, control in self.controls.items()}

    def _redraw(self, change=None) -> None:
        drawn = self.draw(**self.values)
        self.figure, alt = drawn if isinstance(drawn, tuple) else (drawn, self._alt(**self.values) if self._alt else "")
        if not isinstance(self.figure, Figure):
            raise TypeError(
                f"draw must return a Figure, or a Figure and its alt text; got {type(self.figure).__name__}"
            )
        self.alt = checked_alt(alt)
        self.png = to_png(self.figure)
        plt.close(self.figure)
        self.image.value = self.png
        self.spoken.value = f'<span role="status">{html.escape(self.alt)}</span>'

    def _repr_mimebundle_(self, include=None, exclude=None) -> tuple[dict, dict]:
        static = {"image/png": base64.b64encode(self.png).decode("ascii"), "text/plain": self.alt}
        return widget_bundle(self.widget, static, {"image/png": {"alt": self.alt}})


def explore(
    draw: Callable,
    *,
    alt: Callable[..., Text] | None = None,
    labels: Mapping[str, Text] | None = None,
    **controls,
) -> Explorer:
    """Let the reader move what `draw` depends on; the value shows itself at the end of a cell.

    `draw` should answer in under 0.3 s: let it draw from results computed before, figures of one size.

    Args:
        draw: called as `draw(**values)`; returns a Figure, or a Figure and its alt text.
        alt: called as `alt(**values)`; needed where `draw` returns no alt text.
        labels: a control's text by its name; by default its name (underscores as spaces) from the catalogue.
        controls: by name, in the order shown:
            a list of options: a slider where they are increasing numbers, a menu otherwise;
            three numbers `(low, high, step)`, or a `range`: a slider;
            any ipywidget.

    Raises:
        ValueError: no control, or there is a label without a control, or a figure without alt text.
        LookupError: a control has no label, and its name is not in the catalogue.
    """
    if not controls:
        raise ValueError("explore needs at least one control, for example epoch=(0, 9, 1)")
    labels = dict(labels or {})
    if unknown := set(labels) - set(controls):
        raise ValueError(
            f"labels name no control: {', '.join(sorted(unknown))}; the controls are {', '.join(controls)}"
        )
    made = {
        name: _control(name, given, text(labels[name]) if name in labels else t(name.replace("_", " ")))
        for name, given in controls.items()
    }
    return Explorer(draw, made, alt)


def _control(name: str, given, label: str) -> widgets.Widget:
    look = {
        "description": label,
        "style": {"description_width": "12em"},
        "layout": {"width": "34em", "max_width": "100%"},
    }
    if isinstance(given, widgets.Widget):
        given.description = given.description or label
        return given
    if isinstance(given, range) and len(given) > 1:
        given = (given[0], given[-1], given.step)
    if isinstance(given, tuple) and len(given) == 3 and all(_is_number(value) for value in given):
        low, high, step = given
        if not (low < high and step > 0):
            raise ValueError(f"{name}: a range is (low, high, step) with low < high and step > 0; got {given}")
        look |= {"min": low, "max": high, "step": step, "value": low, "continuous_update": False}
        if all(isinstance(value, int) for value in given):
            return widgets.IntSlider(**look)
        return widgets.FloatSlider(readout_format=readout_format(step), **look)
    if not isinstance(given, list | tuple) or len(given) < 2:
        raise ValueError(
            f"{name}: give a list of two or more options, three numbers (low, high, step), "
            f"or an ipywidget; got {given!r}"
        )
    increasing = all(map(_is_number, given)) and all(a < b for a, b in zip(given, given[1:], strict=False))
    if increasing:
        return widgets.SelectionSlider(options=list(given), value=given[0], continuous_update=False, **look)
    return widgets.Dropdown(options=list(given), **look)


def _is_number(value) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)
