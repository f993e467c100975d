"""Small tables, and means with their uncertainty."""

import html
import numbers
import re
from collections.abc import Sequence

import numpy as np

from .language import Text, text
from .rendering import FONT, LINE, MUTED, TEXT, inline_html, show_html


def mean_interval(values) -> tuple[np.ndarray, np.ndarray]:
    """Mean over the first axis (the seeds) and half the width of its 95 % t-interval.

    Args:
        values: (seeds, …), at least two seeds.

    Returns:
        Two arrays of shape (…).

    Raises:
        ValueError: fewer than two seeds: one run says nothing about its uncertainty.
    """
    from scipy.stats import t as student

    values = np.asarray(values, dtype=float)
    if values.ndim == 0 or len(values) < 2:
        raise ValueError(f"an interval needs at least two runs, one per seed; got values of shape {values.shape}")
    error = values.std(axis=0, ddof=1) / np.sqrt(len(values))
    return values.mean(axis=0), student.ppf(0.975, len(values) - 1) * error


def mean_pm(values, digits: int = 3) -> str:
    """`"0.957 ± 0.002"`: the mean of the runs (seeds,) and half the width of its 95 % t-interval."""
    mean, half = mean_interval(values)
    return f"{mean:.{digits}f} ± {half:.{digits}f}"


def number(value: float) -> str:
    """Three significant digits, with a decimal point."""
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def table(rows: Sequence[Sequence], columns: Sequence[Text], caption: Text | None = None) -> None:
    """Display a small table; numbers stand to the right.

    Args:
        rows: each as long as `columns`; texts (strings or pairs), numbers, yes or no, None for nothing. A float
            is shown with three decimals: give a string, by `mean_pm` say, where you want it otherwise.
        columns: the headings.
        caption: stands above the table.

    Raises:
        ValueError: there is no row, or a row is not as long as `columns`.
    """
    header = [text(column) for column in columns]
    cells = [[_cell(value) for value in row] for row in rows]
    if not cells:
        raise ValueError("the table has no rows; give at least one")
    for index, row in enumerate(cells):
        if len(row) != len(header):
            raise ValueError(f"row {index} has {len(row)} cells, but there are {len(header)} columns: {header}")
    title = text(caption) if caption is not None else ""
    show_html(_as_html(header, cells, title), _as_text(header, cells, title))


def _cell(value) -> str:
    if value is None:
        return "–"
    if isinstance(value, str | tuple):
        return text(value)
    if isinstance(value, bool | np.bool_):
        return "✓" if value else "✗"
    if isinstance(value, numbers.Integral):
        return str(value)
    value = float(value)
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}" if abs(value) < 1000 else f"{value:.0f}"


def _is_number(cell: str) -> bool:
    signed = r"[-+−]?\d[\d.,e+-]*"
    return cell in ("–", "nan", "inf") or bool(re.fullmatch(rf"{signed}(\s*±\s*{signed})?(\s*[%×s])?", cell))


def _numeric_columns(header: list[str], rows: list[list[str]]) -> list[bool]:
    return [all(_is_number(row[index]) for row in rows) for index in range(len(header))]


def _as_html(header: list[str], rows: list[list[str]], caption: str) -> str:
    sides = ["right" if numeric else "left" for numeric in _numeric_columns(header, rows)]
    pad = "padding: 3px 14px 3px 4px; background: none; white-space: nowrap"

    def line(tag: str, cells: list[str], rule: str) -> str:
        inner = "".join(
            f'<{tag} style="text-align: {side}; {pad}; border-bottom: {rule}">{inline_html(cell)}</{tag}>'
            for cell, side in zip(cells, sides, strict=True)
        )
        return f'<tr style="background: none">{inner}</tr>'

    head = line("th", header, f"2px solid {LINE}")
    body = "".join(line("td", row, f"1px solid {LINE}") for row in rows)
    above = f"caption-side: top; text-align: left; padding: 4px; color: {MUTED}"
    title = f'<caption style="{above}">{inline_html(caption)}</caption>' if caption else ""
    whole = f"border-collapse: collapse; margin: 4px 0; font-variant-numeric: tabular-nums; color: {TEXT}; {FONT}"
    return f'<table style="{whole}">{title}<thead>{head}</thead><tbody>{body}</tbody></table>'


def _as_text(header: list[str], rows: list[list[str]], caption: str) -> str:
    numeric = _numeric_columns(header, rows)
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = [
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, numeric, strict=True)
        ).rstrip()
        for row in [header, ["-" * width for width in widths], *rows]
    ]
    return html.unescape("\n".join([caption, *lines] if caption else lines))
