"""Claims: what a lesson says of its numbers, asserted on the numbers of this very run."""

import html
import math

from . import language
from .language import Text, t
from .rendering import FONT, GREEN, MUTED, RED, TEXT, inline_html, show_html
from .tables import number


class ClaimFailed(AssertionError):
    """A lesson's claim does not hold on this run's numbers."""


def claim(
    text: Text,
    value: float,
    at_least: float | None = None,
    at_most: float | None = None,
    unit: Text = "",
) -> None:
    """Show a claim with its number, and fail when it does not hold.

    Args:
        text: what is claimed, a sentence without its full stop.
        value: what this run measured.
        at_least, at_most: the bound that `value` must keep; exactly one of the two.
        unit: of the value and the bound.

    Raises:
        ClaimFailed: the bound is not kept, or `value` is not a number (NaN).
        ValueError: no bound is given, or both are.
    """
    if (at_least is None) == (at_most is None):
        raise ValueError(f"a claim has one bound: give at_least or at_most, got at_least={at_least}, at_most={at_most}")
    value, bound = float(value), float(at_most if at_least is None else at_least)
    holds = value <= bound if at_least is None else value >= bound  # false for NaN
    sign, said, unit = "≤" if at_least is None else "≥", language.text(text), language.text(unit)
    # Where a claim fails by a hair, three digits would show the bound as kept.
    digits = number if holds else "{:.6g}".format
    suffix = f"\N{NO-BREAK SPACE}{unit}" if unit else ""
    shown, limit = f"{digits(value)}{suffix}", f"{sign} {digits(bound)}{suffix}"
    mark, colour = ("✓", GREEN) if holds else ("✗", RED)
    markup = (
        f'<div style="color: {TEXT}; {FONT}"><b style="color: {colour}">{mark}</b> {inline_html(said)}: '
        f'<b>{html.escape(shown)}</b> <span style="color: {MUTED}">({html.escape(limit)})</span></div>'
    )
    # JSON knows neither NaN nor infinity.
    finite = value if math.isfinite(value) else None
    record = {"text": said, "value": finite, "sign": sign, "bound": bound, "unit": unit, "holds": holds}
    show_html(markup, f"{mark} {said}: {shown} ({limit})", {"tlcourse": {"claim": record}})
    if not holds:
        raise ClaimFailed(
            t(
                f"This run does not show it: {said}: {shown}, needed {limit}",
                f"To uruchomienie tego nie potwierdza: {said}: {shown}, trzeba {limit}",
            )
        )
