import base64
import time

import ipywidgets
import matplotlib.pyplot as plt
import pytest

from tlcourse.classroom.widgets import explore

WIDGET = "application/vnd.jupyter.widget-view+json"


def draw(epoch, method="probe"):
    fig, ax = plt.subplots(figsize=(4, 2))
    ax.plot([0, epoch])
    ax.set_title(method)
    return fig, f"A line that rises to {epoch}."


def test_moving_a_control_redraws_the_figure():
    explorer = explore(draw, epoch=(0, 9, 1), method=["probe", "full"])
    before = explorer.png
    assert explorer.values == {"epoch": 0, "method": "probe"}
    explorer.controls["epoch"].value = 3
    assert list(explorer.figure.axes[0].lines[0].get_ydata()) == [0, 3]
    assert explorer.png != before and explorer.image.value == explorer.png
    assert explorer.alt == "A line that rises to 3." and explorer.alt in explorer.spoken.value
    explorer.controls["method"].value = "full"
    assert explorer.values == {"epoch": 3, "method": "full"}
    assert explorer.figure.axes[0].get_title() == "full"


def test_it_answers_in_time_and_leaves_no_figure_open():
    explorer = explore(draw, epoch=(0, 9, 1))
    taken = []
    for epoch in range(1, 6):
        started = time.perf_counter()
        explorer.controls["epoch"].value = epoch
        taken.append(time.perf_counter() - started)
    assert min(taken) < 0.3  # the others may have waited for a busy machine
    assert plt.get_fignums() == []


def test_a_page_without_a_kernel_shows_the_first_figure():
    explorer = explore(draw, epoch=(0, 9, 1))
    data, metadata = explorer._repr_mimebundle_()
    assert WIDGET in data
    assert base64.b64decode(data["image/png"]) == explorer.png
    assert metadata == {"image/png": {"alt": "A line that rises to 0."}}
    assert data["text/plain"] == "A line that rises to 0."


@pytest.mark.parametrize(
    ("given", "kind", "first"),
    [
        ((0, 9, 1), ipywidgets.IntSlider, 0),
        (range(2, 10, 2), ipywidgets.IntSlider, 2),
        ((0.0, 1.0, 0.1), ipywidgets.FloatSlider, 0.0),
        ([1e-4, 1e-3, 1e-2], ipywidgets.SelectionSlider, 1e-4),
        ([3, 1, 2], ipywidgets.Dropdown, 3),
        (["a", "b"], ipywidgets.Dropdown, "a"),
        (("a", "b", "c"), ipywidgets.Dropdown, "a"),
        ([("rate 0.1", 0.1), ("rate 1", 1.0)], ipywidgets.Dropdown, 0.1),
    ],
)
def test_the_control_fits_what_is_given(given, kind, first):
    control = explore(lambda epoch: draw(1), epoch=given).controls["epoch"]
    assert type(control) is kind and control.value == first


def test_a_range_reaches_its_last_number_and_no_further():
    control = explore(draw, epoch=range(2, 11, 3)).controls["epoch"]
    assert (control.min, control.max, control.step) == (2, 8, 3)


def test_any_ipywidget_serves():
    box = ipywidgets.Checkbox(value=False)
    explorer = explore(lambda seed: draw(int(seed)), seed=box)
    box.value = True
    assert explorer.alt == "A line that rises to 1." and box.description == "seed"


def test_labels_come_from_the_lesson_or_the_catalogue(polish):
    explorer = explore(
        lambda **values: draw(1),
        labels={"noise_scale": ("noise", "siła szumu"), "seed": "λ"},
        learning_rate=(0.0, 1.0, 0.1), noise_scale=(0, 3, 1), seed=(0, 3, 1),
    )  # fmt: skip
    assert [control.description for control in explorer.controls.values()] == [
        "współczynnik uczenia",
        "siła szumu",
        "λ",
    ]
    with pytest.raises(LookupError, match="not in the course's catalogue"):
        explore(draw, nonsense=(0, 3, 1))


def test_the_alt_text_may_be_a_function_of_its_own(polish):
    explorer = explore(
        lambda epoch: draw(epoch)[0], alt=lambda epoch: (f"Up to {epoch} now.", f"Linia do {epoch}."), epoch=(1, 3, 1)
    )
    assert explorer.alt == "Linia do 1."


@pytest.mark.parametrize(
    ("function", "options", "error"),
    [
        (draw, {}, "at least one control"),
        (draw, {"epoch": (0, 0, 1)}, "low < high"),
        (draw, {"epoch": (0, 3, 0)}, "step > 0"),
        (draw, {"epoch": [1]}, "two or more options"),
        (draw, {"epoch": 3}, "two or more options"),
        (draw, {"epoch": (0, 3, 1), "labels": {"epocj": "x"}}, "labels name no control: epocj"),
        (lambda epoch: draw(epoch)[0], {"epoch": (0, 3, 1)}, "alt must be a sentence"),
    ],
)
def test_what_cannot_be_explored_is_refused(function, options, error):
    with pytest.raises(ValueError, match=error):
        explore(function, **options)


def test_draw_must_return_a_figure():
    with pytest.raises(TypeError, match="must return a Figure"):
        explore(lambda epoch: None, epoch=(0, 3, 1))
