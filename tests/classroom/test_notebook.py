"""The toolkit in a real kernel, without a browser: what a built lesson holds."""

import nbformat
import pytest
from nbclient import NotebookClient

WIDGET = "application/vnd.jupyter.widget-view+json"
CELLS = {
    "setup": """
from pathlib import Path
import matplotlib.pyplot as plt
from tlcourse.classroom import Prediction, Quiz, claim, explore, quiz, show, show_source, start_lesson, t, table
start_lesson("98_demo", lang="pl")
""",
    "show": """
fig, ax = plt.subplots()
ax.plot([1, 2])
show(fig, t("A line that rises.", "Rosnąca linia w górę."))
""",
    "quiz": """
question = Quiz(t("Why?", "Dlaczego?"), [("a", True), ("b", False, "x")])
quiz(question, question, question)
""",
    "prediction": "Prediction(('How much?', 'Ile?'), low=0, high=1)",
    "explore": """
def draw(epoch):
    fig, ax = plt.subplots()
    ax.plot([0, epoch])
    return fig, f"Linia do {epoch} epok."
explorer = explore(draw, epoch=(1, 5, 1))
explorer.controls["epoch"].value = 3
explorer
""",
    "claim": "claim(('It wins', 'Wygrywa'), 0.5, at_least=0.3)",
    "check": """
import sys, types
from tlcourse.classroom import Exercise, check
module = types.ModuleType("tlcourse.classroom.checks.e98_demo")
module.EXERCISES = {"twice": Exercise(lambda x: 2 * x, lambda generator: (3,))}
sys.modules[module.__name__] = module
def twice(x):
    oops = x.shape
    return oops
check("twice", twice)
""",
    "table": "table([['a', 0.5]], ['m', 'x'])",
    "source": "show_source(show)",
}


@pytest.fixture(scope="module")
def outputs():
    cells = [nbformat.v4.new_code_cell(source.strip()) for source in CELLS.values()]
    notebook = nbformat.v4.new_notebook(cells=cells)
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    return {name: cell.outputs for name, cell in zip(CELLS, notebook.cells, strict=True)}


def test_each_cell_shows_one_thing(outputs):
    assert outputs["setup"] == []
    assert {name: len(given) for name, given in outputs.items() if name != "setup"} == dict.fromkeys(list(CELLS)[1:], 1)
    assert all(
        output.output_type in ("display_data", "execute_result") for given in outputs.values() for output in given
    )


def test_figures_carry_their_alt_text(outputs):
    assert outputs["show"][0].metadata["image/png"]["alt"] == "Rosnąca linia w górę."
    explorer = outputs["explore"][0]
    assert explorer.metadata["image/png"]["alt"] == "Linia do 3 epok." == explorer.data["text/plain"]
    assert {"image/png", "text/plain", WIDGET} == set(explorer.data)


def test_widgets_carry_what_shows_without_them(outputs):
    for name in ("quiz", "prediction"):
        assert {"text/markdown", "text/plain", WIDGET} == set(outputs[name][0].data)
        assert "Uruchom tę komórkę" in outputs[name][0].data["text/markdown"]


def test_a_claim_carries_its_record(outputs):
    record = {"text": "Wygrywa", "value": 0.5, "sign": "≥", "bound": 0.3, "unit": "", "holds": True}
    assert outputs["claim"][0].metadata["tlcourse"]["claim"] == record


def test_a_check_names_the_line_in_the_student_s_cell(outputs):
    plain = outputs["check"][0].data["text/plain"]
    assert plain.startswith("✗ Twoja funkcja przerywa działanie w wierszu 7 `oops = x.shape`: `AttributeError")


def test_a_source_names_no_place_of_this_machine(outputs):
    markdown = outputs["source"][0].data["text/markdown"]
    assert markdown.startswith("<small>`tlcourse/classroom/plots.py`</small>")
