import base64
import io

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from PIL import Image

from tlcourse.classroom.plots import PALETTE, band, confusion, film, heat_map, image_grid, palette, show, style, to_png
from tlcourse.classroom.tables import mean_interval


@pytest.fixture(autouse=True)
def _style():
    with plt.rc_context():
        style()
        yield
    plt.close("all")


def test_show_displays_once_with_its_alt_text_and_closes(shown):
    fig, ax = plt.subplots(figsize=(5, 3))
    ax.plot([1, 2])
    show(fig, ("A line that rises.", "Rosnąca linia."))
    (bundle,) = shown
    assert bundle.metadata == {"image/png": {"alt": "A line that rises."}}
    assert bundle.data["text/plain"] == "A line that rises."
    image = Image.open(io.BytesIO(base64.b64decode(bundle.data["image/png"])))
    assert image.size == (500, 300)  # 100 dpi
    assert image.convert("RGB").getpixel((1, 1)) == (255, 255, 255)
    assert not plt.fignum_exists(fig.number)


def test_a_film_plays_all_its_frames_and_repeats(shown):
    frames = np.full((5, 20, 30, 3), 255, np.uint8)
    for i, frame in enumerate(frames):
        frame[:, 5 * i : 5 * i + 5] = (213, 94, 0)
    film(frames, ("A bar moves to the right.", "Pasek przesuwa się w prawo."), fps=20)
    (bundle,) = shown
    assert bundle.metadata == {"image/png": {"alt": "A bar moves to the right."}}
    image = Image.open(io.BytesIO(base64.b64decode(bundle.data["image/png"])))
    assert image.n_frames == 5 and image.info["loop"] == 0  # for ever
    for i, frame in enumerate(frames):
        image.seek(i)
        assert image.info["duration"] == (1000 if i == 4 else 50)
        assert np.abs(np.asarray(image.convert("RGB"), int) - frame).max() <= 8


@pytest.mark.parametrize(("shape", "dtype"), [((1, 4, 4, 3), "uint8"), ((3, 4, 4), "uint8"), ((3, 4, 4, 3), "float64")])
def test_what_is_no_film_is_refused(shown, shape, dtype):
    with pytest.raises(ValueError, match=r"uint8 of shape \(T, H, W, 3\)"):
        film(np.zeros(shape, dtype), "A film of nothing.")
    assert shown == []


@pytest.mark.parametrize("alt", ["", "   ", "accuracy", "Figure 1"])
def test_a_figure_without_a_sentence_is_refused(shown, alt):
    fig, _ = plt.subplots()
    with pytest.raises(ValueError, match="alt must be a sentence"):
        show(fig, alt)
    assert shown == []


def test_the_same_figure_makes_the_same_bytes():
    def draw():
        fig, ax = plt.subplots()
        ax.plot([3, 1, 2])
        return to_png(fig)

    assert draw() == draw()


def test_the_palette_knows_its_names():
    assert palette("blue") == PALETTE["blue"] == "#0072B2"
    with pytest.raises(LookupError, match="no colour 'pink'.*blue"):
        palette("pink")


def test_a_band_is_the_mean_and_its_interval():
    runs = np.random.default_rng(0).normal(size=(5, 4))
    _, ax = plt.subplots()
    band(ax, [1, 2, 3, 4], runs, ("probe", "sonda"), "orange")
    mean, half = mean_interval(runs)
    np.testing.assert_allclose(ax.lines[0].get_ydata(), mean)
    assert ax.lines[0].get_color() == PALETTE["orange"] and ax.lines[0].get_label() == "probe"
    edges = ax.collections[0].get_paths()[0].vertices
    assert edges[:, 1].min() == pytest.approx((mean - half).min())
    assert edges[:, 1].max() == pytest.approx((mean + half).max())


def test_a_band_refuses_what_does_not_fit():
    _, ax = plt.subplots()
    with pytest.raises(ValueError, match=r"shape \(seeds, 3\).*got \(3, 2\)"):
        band(ax, [1, 2, 3], np.zeros((3, 2)), "x")
    with pytest.raises(ValueError, match="at least two runs"):
        band(ax, [1, 2, 3], np.zeros((1, 3)), "x")


def test_an_image_grid_shows_every_image_in_its_place():
    images = torch.zeros(5, 3, 4, 6, dtype=torch.uint8)
    images[:, 0] = torch.arange(5).view(5, 1, 1) * 50
    fig = image_grid(images, [str(i) for i in range(5)], rows=2, row_names=[("source", "źródło"), "target"], title="T")
    drawn = [ax.images[0].get_array()[0, 0, 0] for ax in fig.axes if ax.images]
    assert drawn == [0, 50, 100, 150, 200]
    assert len(fig.axes) == 6
    assert [fig.axes[0].get_ylabel(), fig.axes[3].get_ylabel()] == ["source", "target"]
    assert fig.axes[4].get_title() == "4"


def test_grey_and_float_images_are_shown_as_they_are():
    fig = image_grid(np.full((1, 1, 2, 2), 0.25))
    np.testing.assert_allclose(fig.axes[0].images[0].get_array(), 0.25)
    assert fig.axes[0].images[0].get_array().shape == (2, 2, 3)


@pytest.mark.parametrize(
    ("images", "options", "reason"),
    [
        (torch.zeros(3, 4, 4), {}, "shape"),
        (torch.zeros(2, 4, 4, 3), {}, "shape"),
        (torch.full((1, 3, 4, 4), -1.5), {}, "undo the normalisation"),
        (torch.full((1, 3, 4, 4), float("nan")), {}, "between 0 and 1"),
        (torch.zeros(2, 3, 4, 4), {"labels": ["a"]}, "labels has 1 texts, but 2"),
        (torch.zeros(2, 3, 4, 4), {"rows": 2, "row_names": ["a"]}, "row_names has 1 texts, but 2"),
    ],
)
def test_an_image_grid_refuses_what_it_cannot_show(images, options, reason):
    with pytest.raises(ValueError, match=reason):
        image_grid(images, **options)


def test_a_confusion_matrix_shades_rows_by_share():
    _, ax = plt.subplots()
    confusion(ax, [[8, 2], [0, 100]], [("cat", "kot"), "dog"])
    np.testing.assert_allclose(ax.images[0].get_array(), [[0.8, 0.2], [0.0, 1.0]])
    assert [number.get_text() for number in ax.texts] == ["8", "2", "0", "100"]
    assert ax.get_ylabel() == "true class" and [label.get_text() for label in ax.get_yticklabels()] == ["cat", "dog"]
    with pytest.raises(ValueError, match=r"3 names need a matrix of shape \(3, 3\)"):
        confusion(ax, [[1, 2], [3, 4]], ["a", "b", "c"])


def test_photographs_are_shown_as_jpeg_which_is_smaller(shown):
    grain = np.random.default_rng(0).integers(256, size=(6, 3, 64, 64), dtype=np.uint8)
    fig = image_grid(grain)
    png = to_png(fig)
    show(fig, "Six images of noise.")
    data, metadata = shown[0].data, shown[0].metadata
    assert metadata == {"image/jpeg": {"alt": "Six images of noise."}}
    picture = base64.b64decode(data["image/jpeg"])
    assert Image.open(io.BytesIO(picture)).size == Image.open(io.BytesIO(png)).size
    assert len(picture) < len(png) / 2


def test_heat_map_writes_each_number_where_it_can_be_read():
    _, ax = plt.subplots()
    heat_map(ax, [[0.0, 1.0], [1.0, 0.0]], ["a", "b"], ["c", "d"], form="{:+.0f}", cmap="gray", vmin=0, vmax=1)
    written = {text.get_position(): (text.get_text(), text.get_color()) for text in ax.texts}
    assert written[0, 0] == written[1, 1] == ("+0", "white") and written[1, 0] == written[0, 1] == ("+1", "black")
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b"]


@pytest.mark.parametrize("limits", [{}, {"vmin": 0, "vmax": 1}])
@pytest.mark.parametrize("missing", [float("nan"), float("inf"), -float("inf")])
def test_heat_map_writes_black_on_white_where_there_is_no_number(missing, limits):
    fig, ax = plt.subplots()
    heat_map(ax, [[0.0, missing], [missing, 1.0]], ["a", "b"], ["c", "d"], cmap="gray", **limits)
    assert [text.get_color() for text in ax.texts] == ["white", "black", "black", "black"]
    fig.canvas.draw()
    column, row = ax.transData.transform((1.3, 0)).round().astype(int)  # beside the text
    assert np.asarray(fig.canvas.buffer_rgba())[::-1][row, column].tolist() == [255] * 4


def test_heat_map_takes_a_tensor_that_requires_grad():
    _, ax = plt.subplots()
    heat_map(ax, torch.eye(2, requires_grad=True), ["a", "b"], ["c", "d"])
    assert [text.get_text() for text in ax.texts] == ["1.00", "0.00", "0.00", "1.00"]


def test_heat_map_refuses_names_that_do_not_fit():
    _, ax = plt.subplots()
    with pytest.raises(ValueError, match=r"2 rows and 1 columns are named; the matrix is \(1, 2\)"):
        heat_map(ax, [[1.0, 2.0]], ["a", "b"], ["c"])
