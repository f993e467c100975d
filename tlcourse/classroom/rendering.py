"""How the toolkit's objects appear: in JupyterLab's light and dark theme, without a kernel, as plain text."""

import html
import math
import re
from collections.abc import Mapping

from IPython.display import display

# JupyterLab's own colours, so that both themes read well; the fallbacks serve pages without its style sheet.
TEXT = "var(--jp-ui-font-color1, #333)"
MUTED = "var(--jp-ui-font-color2, #666)"
LINE = "var(--jp-border-color2, #ddd)"
GREEN = "var(--jp-success-color1, #388e3c)"
RED = "var(--jp-error-color1, #d32f2f)"
GREY = "var(--jp-border-color0, #999)"
FONT = (
    "font-family: var(--jp-content-font-family, system-ui, sans-serif); "
    "font-size: var(--jp-content-font-size1, 14px); line-height: 1.5"
)


class Bundle:
    """Something to display: its representations by MIME type; outside a notebook it prints its plain text."""

    def __init__(self, data: Mapping[str, object], metadata: Mapping[str, object] | None = None):
        self.data = dict(data)
        self.metadata = dict(metadata or {})

    def _repr_mimebundle_(self, include=None, exclude=None) -> tuple[dict, dict]:
        return self.data, self.metadata

    def __repr__(self) -> str:
        return str(self.data["text/plain"])


def present(data: Mapping[str, object], metadata: Mapping[str, object] | None = None) -> None:
    """Display representations by MIME type, among them "text/plain"."""
    display(Bundle(data, metadata))


def show_html(markup: str, plain: str, metadata: Mapping[str, object] | None = None) -> None:
    """Display HTML with its twin in plain text."""
    present({"text/html": markup, "text/plain": plain}, metadata)


def panel(markup: str, colour: str) -> str:
    """A quiet box of HTML with a coloured edge."""
    return (
        f'<div style="border-left: 4px solid {colour}; padding: 2px 12px; margin: 4px 0; max-width: 50em; '
        f'color: {TEXT}; {FONT}">{markup}</div>'
    )


def inline_html(source: str) -> str:
    """The inline Markdown of short texts as HTML: `code`, **bold**, *italics*; formulas in $…$ stay."""
    parts = re.split(r"(\$\$.+?\$\$|\$.+?\$|`[^`]+`)", source, flags=re.DOTALL)
    return "".join(_code_or_formula(part) if index % 2 else _prose(part) for index, part in enumerate(parts))


def _code_or_formula(part: str) -> str:
    return f"<code>{html.escape(part[1:-1])}</code>" if part.startswith("`") else html.escape(part, quote=False)


def _prose(part: str) -> str:
    escaped = html.escape(part, quote=False)
    bold = re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", escaped)
    return re.sub(r"\*(.+?)\*", r"<i>\1</i>", bold)


def widget_bundle(widget, fallback: Mapping[str, object], metadata: Mapping[str, object] | None = None):
    """A widget's MIME bundle merged with what shows where no kernel runs: (data, metadata)."""
    return {**widget._repr_mimebundle_(), **fallback}, dict(metadata or {})


def readout_format(step: float) -> str:
    """The format that shows a slider's number with as many decimals as its step has."""
    decimals = next((digits for digits in range(6) if math.isclose(round(step, digits), step, rel_tol=1e-6)), 6)
    return f".{decimals}f"
