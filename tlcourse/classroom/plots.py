"""Figures: one look for the whole course, and the few kinds of figure that several lessons draw."""

import base64
import io
import math
from collections.abc import Sequence

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from .language import Text, t, text
from .rendering import present
from .tables import mean_interval

PALETTE = {
    "blue": "#0072B2",
    "orange": "#E69F00",
    "green": "#009E73",
    "red": "#D55E00",
    "purple": "#CC79A7",
    "sky": "#56B4E9",
    "grey": "#7F7F7F",
    "yellow": "#F0E442",
    "black": "#000000",
}
"""Okabe and Ito's colours, which colour-blind readers tell apart, and a grey for what stands behind."""


def palette(name: str) -> str:
    """A colour of the course by its name.

    Raises:
        LookupError: no such colour.
    """
    if name not in PALETTE:
        raise LookupError(f"no colour {name!r} in the course's palette; there are {', '.join(PALETTE)}")
    return PALETTE[name]


def style() -> None:
    """Set matplotlib's defaults for the course; `start_lesson` does it."""
    mpl.rcParams.update(
        {
            "axes.prop_cycle": mpl.cycler(color=[PALETTE[name] for name in PALETTE if name not in ("yellow", "grey")]),
            "figure.figsize": (7.0, 3.6),
            "figure.dpi": 100,
            "savefig.dpi": 100,
            "figure.constrained_layout.use": True,
            "figure.constrained_layout.h_pad": 0.08,
            "figure.constrained_layout.w_pad": 0.08,
            # White also in JupyterLab's dark theme, where black letters on nothing could not be read.
            "figure.facecolor": "white",
            "savefig.facecolor": "white",
            "font.size": 11,
            "axes.titlesize": 12,
            "axes.labelsize": 11,
            "xtick.labelsize": 10,
            "ytick.labelsize": 10,
            "legend.fontsize": 10,
            "legend.frameon": False,
            "lines.linewidth": 2.0,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "axes.axisbelow": True,
            "grid.color": "#E5E5E5",
            "grid.linewidth": 0.8,
            "image.cmap": "viridis",
            "image.interpolation": "nearest",
            "axes.formatter.use_locale": False,
        }
    )


def show(fig: Figure, alt: Text) -> None:
    """Display a figure once, with a text for those who cannot see it, and close it.

    Args:
        alt: a sentence that says what the figure shows.

    Raises:
        ValueError: `alt` is no sentence.
    """
    alt = checked_alt(alt)
    # Photographs, with their grain, are five times larger as PNG, and a notebook has a budget.
    mime, encode = ("image/jpeg", to_jpeg) if _has_photographs(fig) else ("image/png", _to_small_png)
    data = {mime: base64.b64encode(encode(fig)).decode("ascii"), "text/plain": alt}
    plt.close(fig)
    present(data, {mime: {"alt": alt}})


def film(frames, alt: Text, *, fps: float = 25.0) -> None:
    """Display frames as a short film that repeats; the last one stays for a second.

    It is an animated PNG: browsers play it without a player, and what cannot play it shows the first frame.

    Args:
        frames: (T, H, W, 3), uint8, at least two; drawings of few colours: they all share the 64 that suit the middle
            frame best.
        alt: a sentence that says what the film shows.
        fps: frames per second.

    Raises:
        ValueError: the frames are of another shape or type, or `alt` is no sentence.
    """
    alt, frames = checked_alt(alt), np.asarray(frames)
    if frames.ndim != 4 or frames.shape[-1] != 3 or len(frames) < 2 or frames.dtype != np.uint8:
        raise ValueError(f"frames must be uint8 of shape (T, H, W, 3), T ≥ 2; got {frames.dtype} of {frames.shape}")
    colours = Image.fromarray(frames[len(frames) // 2]).quantize(64)
    first, *rest = [Image.fromarray(frame).quantize(palette=colours, dither=Image.Dither.NONE) for frame in frames]
    durations, buffer = [round(1000 / fps)] * len(rest) + [1000], io.BytesIO()
    first.save(buffer, format="png", save_all=True, append_images=rest, duration=durations, loop=0)
    data = {"image/png": base64.b64encode(buffer.getvalue()).decode("ascii"), "text/plain": alt}
    present(data, {"image/png": {"alt": alt}})


def _has_photographs(fig: Figure) -> bool:
    return any(image.get_array().ndim == 3 for ax in fig.axes for image in ax.images)


def to_jpeg(fig: Figure) -> bytes:
    """The figure as JPEG, in its own size."""
    buffer = io.BytesIO()
    fig.savefig(buffer, format="jpeg", pil_kwargs={"quality": 82})
    return buffer.getvalue()


def to_png(fig: Figure) -> bytes:
    """The figure as PNG, in its own size: two figures of one size make images of one size."""
    buffer = io.BytesIO()
    # Without the software's name in the file, the same figure makes the same bytes.
    fig.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def _to_small_png(fig: Figure) -> bytes:
    """As `to_png`, with the 256 colours that suit the figure best: a third of the size, and no difference to see.

    It takes a tenth of a second, too long for what a slider redraws.
    """
    colours = Image.open(io.BytesIO(to_png(fig))).convert("RGB").quantize(256, Image.Quantize.MEDIANCUT)
    buffer = io.BytesIO()
    colours.save(buffer, format="png", optimize=True)
    return buffer.getvalue()


def checked_alt(alt: Text) -> str:
    """`alt` in the reader's language.

    Raises:
        ValueError: it has fewer than three words.
    """
    sentence = text(alt).strip()
    if len(sentence.split()) < 3:
        raise ValueError(f"alt must be a sentence that says what the figure shows, not {sentence!r}")
    return sentence


def band(ax: Axes, x: Sequence[float], runs, label: Text, colour: str | None = None, **line) -> None:
    """Draw the mean over seeds as a line, and its 95 % t-interval as a band around it.

    Args:
        x: (points,).
        runs: (seeds, points), at least two seeds.
        label: for the legend.
        colour: a name of the palette or any colour of matplotlib; the next of the cycle by default.
        line: further options of `Axes.plot`.

    Raises:
        ValueError: the shapes do not fit, or there are fewer than two seeds.
    """
    x, runs = np.asarray(x), np.asarray(runs, dtype=float)
    if runs.ndim != 2 or runs.shape[1] != len(x):
        raise ValueError(f"runs must be of shape (seeds, {len(x)}), one column for each x; got {runs.shape}")
    mean, half = mean_interval(runs)
    (drawn,) = ax.plot(x, mean, label=text(label), color=PALETTE.get(colour, colour), **line)
    ax.fill_between(x, mean - half, mean + half, color=drawn.get_color(), alpha=0.2, linewidth=0)


def image_grid(
    images,
    labels: Sequence[Text] | None = None,
    *,
    rows: int = 1,
    row_names: Sequence[Text] | None = None,
    title: Text | None = None,
    size: float = 1.1,
) -> Figure:
    """A grid of images, row by row.

    Args:
        images: (N, 3, H, W) or (N, 1, H, W), uint8 or floats from 0 to 1; a tensor or an array.
        labels: N texts, one above each image.
        rows: number of rows.
        row_names: one text to the left of each row.
        title: above the grid.
        size: width of one image in inches.

    Raises:
        ValueError: the images are of another shape or range, or the number of texts does not fit.
    """
    pixels = _pixels(images)
    columns = math.ceil(len(pixels) / rows)
    for name, texts, wanted in (("labels", labels, len(pixels)), ("row_names", row_names, rows)):
        if texts is not None and len(texts) != wanted:
            raise ValueError(f"{name} has {len(texts)} texts, but {wanted} are needed")
    height = size * pixels.shape[1] / pixels.shape[2] + (0.25 if labels is not None else 0.0)
    margin = max(len(text(name)) for name in row_names) * 0.085 + 0.1 if row_names is not None else 0.0
    fig, axes = plt.subplots(
        rows,
        columns,
        figsize=(columns * size + margin, rows * height + (0.35 if title is not None else 0.0)),
        squeeze=False,
    )
    for index, ax in enumerate(axes.flat):
        ax.set(xticks=[], yticks=[])
        ax.grid(False)
        ax.spines[:].set_visible(False)
        if index >= len(pixels):
            continue
        ax.imshow(pixels[index])
        if labels is not None:
            ax.set_title(text(labels[index]), fontsize=9, pad=3)
    if row_names is not None:
        for ax, name in zip(axes[:, 0], row_names, strict=True):
            ax.set_ylabel(text(name), rotation=0, ha="right", va="center")
    if title is not None:
        fig.suptitle(text(title), fontsize=12)
    return fig


def _array(values) -> np.ndarray:
    """A tensor, also one with a gradient or on another device, or what NumPy takes, as an array."""
    return np.asarray(values.detach().cpu() if hasattr(values, "detach") else values)


def _pixels(images) -> np.ndarray:
    """(N, C, H, W) to (N, H, W, 3), checked."""
    pixels = _array(images)
    if pixels.ndim != 4 or pixels.shape[1] not in (1, 3) or len(pixels) == 0:
        raise ValueError(f"images must be of shape (N, 3, H, W) or (N, 1, H, W); got {pixels.shape}")
    if pixels.dtype != np.uint8:
        pixels = pixels.astype(float)
        low, high = pixels.min(), pixels.max()
        if not (low >= -1e-6 and high <= 1 + 1e-6):
            raise ValueError(
                f"float images must lie between 0 and 1; these go from {low:.3g} to {high:.3g}: "
                "undo the normalisation first"
            )
        pixels = pixels.clip(0, 1)
    return np.repeat(pixels.transpose(0, 2, 3, 1), 3 // pixels.shape[1], axis=-1)


def heat_map(ax: Axes, values, rows: Sequence[Text], columns: Sequence[Text], *, form: str = "{:.2f}", **image) -> None:
    """Draw a matrix as colours with its numbers written on them.

    Args:
        values: (rows, columns); a tensor or an array. A cell that is NaN or infinite is left white.
        rows, columns: their names.
        form: how a number is written, `"{:+.0f}"` say.
        image: further options of `Axes.imshow`: `vmin`, `vmax`, `cmap`.

    Raises:
        ValueError: the names do not fit the matrix.
    """
    values = _array(values).astype(float)
    if values.shape != (len(rows), len(columns)):
        raise ValueError(f"{len(rows)} rows and {len(columns)} columns are named; the matrix is {values.shape}")
    drawn = ax.imshow(values, aspect="auto", **image)
    for (row, column), value in np.ndenumerate(values):
        light = True
        if np.isfinite(value):
            red, green, blue, _ = drawn.cmap(drawn.norm(value))
            light = 0.299 * red + 0.587 * green + 0.114 * blue > 0.5
        ax.text(column, row, form.format(value), ha="center", va="center", color="black" if light else "white", size=9)
    ax.set_xticks(range(len(columns)), [text(name) for name in columns], rotation=30, ha="right")
    ax.set_yticks(range(len(rows)), [text(name) for name in rows])
    ax.grid(False)


def confusion(ax: Axes, matrix, names: Sequence[Text]) -> None:
    """Draw a confusion matrix: how many of each true class (row) were taken for which class (column).

    Args:
        matrix: (classes, classes), counts.
        names: of the classes.

    Raises:
        ValueError: the matrix is not square, or the names do not fit it.
    """
    matrix = np.asarray(matrix)
    if matrix.shape != (len(names), len(names)):
        raise ValueError(f"{len(names)} names need a matrix of shape {(len(names), len(names))}; got {matrix.shape}")
    # Shades compare the rows as shares: classes need not be of one size.
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    ax.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(matrix):
        ax.text(
            column,
            row,
            count,
            ha="center",
            va="center",
            color="white" if shares[row, column] > 0.5 else "black",
        )
    ticks, words = range(len(names)), [text(name) for name in names]
    ax.set_xticks(ticks, words, rotation=30, ha="right")
    ax.set_yticks(ticks, words)
    ax.set(xlabel=t("predicted class"), ylabel=t("true class"))
    ax.grid(False)
