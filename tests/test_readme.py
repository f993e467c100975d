"""The READMEs: one content in two languages, links that lead somewhere, an example that runs, figures of the record."""

import importlib.util
import json
import re
from pathlib import Path

import pytest
import torch

from tlcourse.classroom.language import LANGUAGES, current_language, use_language
from tlcourse.classroom.records import Record
from tlcourse.data import boards

ROOT = Path(__file__).resolve().parents[1]
READMES = {"en": "README.md", "pl": "README.pl.md"}
DOCUMENTS = [*READMES.values(), "CONTRIBUTING.md", "data/README.md"]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^]]*\]\(([^)\s]+)\)")
RECORDS = ROOT / "data" / "recorded"
PLANNED = re.compile(r"^\| [IV]+ (.*) \| (.*) \|$", re.MULTILINE)


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of a language; "" for those that name none."""
    return [code for kind, code in FENCE.findall(text) if kind == language]


def without_comments(code: str) -> list[str]:
    return [line.split("#")[0].rstrip() for line in code.splitlines()]


def links(text: str) -> list[str]:
    """Links and images outside fenced blocks and code."""
    return LINK.findall(re.sub(r"`[^`\n]*`", "", FENCE.sub("", text)))


def anchors(text: str) -> set[str]:
    """The anchors that a Markdown page gives its headings."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


@pytest.fixture(scope="module")
def figures():
    """benchmarks/figures.py as a module."""
    spec = importlib.util.spec_from_file_location("figures", ROOT / "benchmarks" / "figures.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def record():
    """A made-up record of the shape that benchmarks/data_efficiency.py writes."""
    points = {"last blocks": 3, "all layers": 2, "linear probe": 3, "small network": 3, "from scratch": 2, "longer": 1}
    runs = [[0.5, 0.6, 0.7], [0.6, 0.7, 0.8]]
    methods = {
        name: {"sizes": [25, 100, 800][-n:], "accuracy": [run[-n:] for run in runs]} for name, n in points.items()
    }
    return Record("data_efficiency", "benchmarks/data_efficiency.py", "", {}, [0, 1], 1.0, {"methods": methods})


# one content, two languages
# --------------------------


def test_each_readme_links_to_the_other_in_its_first_line():
    assert links(read("README.md").splitlines()[0]) == ["README.pl.md"]
    assert links(read("README.pl.md").splitlines()[0]) == ["README.md"]


@pytest.mark.parametrize("kind", ["", "python"])
def test_both_readmes_have_the_same_commands_and_code(kind):
    english, polish = ([without_comments(code) for code in blocks(read(file), kind)] for file in READMES.values())
    assert english == polish != []


def test_both_readmes_have_the_same_links_but_for_their_language():
    english, polish = (
        [re.sub(r"_(en|pl)\.png$", ".png", link) for link in links(read(file))] for file in READMES.values()
    )
    assert english[1:] == polish[1:]  # the first leads to the other README


def test_both_readmes_have_the_same_sections_and_lists():
    shapes = [re.findall(r"^(#+|-|\|)(?: |$)", read(file), re.MULTILINE) for file in READMES.values()]
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize("file", READMES.values())
def test_the_table_of_lessons_has_its_place(file):
    text = read(file)
    assert text.count("<!-- lessons -->\n") == text.count("<!-- /lessons -->\n") == 1
    assert text.index("<!-- lessons -->") < text.index("<!-- /lessons -->")


@pytest.mark.parametrize("lang", READMES)
def test_the_planned_lessons_are_those_of_the_map_that_are_not_here(lang):
    from tlcourse.classroom.course_map import LESSONS, PARTS

    use, here = LANGUAGES.index(lang), {int(path.stem[:2]) for path in ROOT.glob("lessons/[0-9][0-9]_*.py")}
    expected = {}
    for name, _, numbers in PARTS:
        lessons = [f"{number:02} {LESSONS[number][1][use]}" for number in numbers if number not in here]
        expected |= {name[use]: " · ".join(lessons)} if lessons else {}
    assert dict(PLANNED.findall(read(READMES[lang]))) == expected, "mend the planned lessons in both READMEs"


# what they say is so
# -------------------


@pytest.mark.parametrize("file", DOCUMENTS)
def test_relative_links_resolve(file):
    figures_made = (RECORDS / "data_efficiency.json").exists()
    for link in links(read(file)):
        path, _, anchor = link.partition("#")
        if re.match(r"https?:", link) or (path.startswith("docs/") and not figures_made):
            continue
        target = (ROOT / file).parent / path if path else ROOT / file
        assert target.exists(), f"{file} links to {link}"
        assert not anchor or anchor in anchors(target.read_text(encoding="utf-8")), f"{file} links to {link}"


@pytest.mark.parametrize("file", DOCUMENTS)
def test_the_commands_are_the_command_lines(file):
    """Every `python course.py COMMAND` is one that the command line knows, its options included."""
    known = read("tlcourse/classroom/cli.py") + read("course.py")
    given = re.findall(r"python course\.py((?: +[\w-]+)*)", read(file))
    assert given
    for command in given:
        name, *options = command.split() or ["lab"]
        assert f'"{name}"' in known or name.startswith("-")
        assert all(f'"{option}"' in known for option in options if option.startswith("--")), command


@pytest.mark.parametrize("file", READMES.values())
def test_what_is_needed_is_what_the_installer_asks_for(file):
    linux, elsewhere = re.search(r"^DISK_GB = (\d+) if .* else (\d+)$", read("course.py"), re.MULTILINE).groups()
    oldest = re.search(r'requires-python = ">=([\d.]+)"', read("pyproject.toml")).group(1)
    need = next(line for line in read(file).splitlines() if f"Python {oldest}" in line or f"Pythona {oldest}" in line)
    assert re.findall(r"(\d+) GB", need) == [linux, elsewhere]


@pytest.mark.parametrize("file", READMES.values())
def test_the_example_learns(file, monkeypatch, capsys):
    """As it stands, on fewer images: the head and the last groups learn them, the frozen ones stay as they were."""
    images, labels = boards.make_boards(36)
    monkeypatch.setattr(boards, "load_boards", lambda: (images, labels, images, labels))
    (code,) = blocks(read(file), "python")
    assert len(code.strip().splitlines()) <= 12
    torch.manual_seed(0)
    names = {}
    exec(compile(code, file, "exec"), names)
    assert names["evaluate"](names["model"], (images, labels))["accuracy"] > 0.7
    assert "'accuracy'" in capsys.readouterr().out
    trained = {name for name, weights in names["model"].named_parameters() if weights.requires_grad}
    fresh = names["TransferLearningModel"](num_classes=6).state_dict()
    assert all(torch.equal(w, fresh[name]) for name, w in names["model"].named_parameters() if name not in trained)


# recorded runs and their figures
# -------------------------------


@pytest.mark.parametrize("file", sorted(RECORDS.glob("*.json")), ids=lambda file: file.stem)
def test_every_record_is_described_with_its_script(file):
    script = json.loads(file.read_text(encoding="utf-8"))["script"]
    assert (ROOT / script).exists()
    name = re.sub(r"^claims_\d\d", "claims_NN", file.name)  # one row for all lessons
    assert re.search(rf"^\| `recorded/{name}` \| `{re.escape(script)}` \|", read("data/README.md"), re.MULTILINE)


def test_the_figures_of_the_record_are_there():
    if not (RECORDS / "data_efficiency.json").exists():
        pytest.skip("no recorded run yet")
    for lang, readme in READMES.items():
        picture = ROOT / "docs" / f"data_efficiency_{lang}.png"
        assert picture.read_bytes().startswith(b"\x89PNG"), "run benchmarks/figures.py"
        assert picture.stat().st_size < 60_000
        assert f"(docs/{picture.name})" in read(readme)


def test_what_the_figures_description_says_holds():
    """Networks that start from pretrained weights and are fine-tuned need the fewest labels."""
    if not (RECORDS / "data_efficiency.json").exists():
        pytest.skip("no recorded run yet")
    methods = json.loads(read("data/recorded/data_efficiency.json"))["results"]["methods"]
    means = {
        name: {size: sum(column) / len(column) for size, *column in zip(run["sizes"], *run["accuracy"], strict=True)}
        for name, run in methods.items()
    }
    for name in ("linear probe", "small network", "from scratch"):
        for size, mean in means[name].items():
            assert means["last blocks"][size] > mean, f"{name} at {size} images: reword the READMEs"


def test_the_figure_shows_the_record(figures, record):
    fig = figures.data_efficiency(record)
    (ax,) = fig.axes
    drawn = {line.get_label(): line for line in ax.get_lines()}
    for name, (label, _) in figures.METHODS.items():
        run, line = record.results["methods"][name], drawn[label[0]]
        assert list(line.get_xdata()) == run["sizes"]
        assert line.get_ydata() == pytest.approx([sum(column) / 2 for column in zip(*run["accuracy"], strict=True)])
    assert len(ax.collections) == len(figures.METHODS)  # a band each
    figures.plt.close(fig)


def test_the_figure_is_saved_in_both_languages(figures, record, tmp_path):
    before = current_language()
    try:
        files = figures.save_figures(record, tmp_path / "docs")
        assert current_language() == "en"
    finally:
        use_language(before)
    assert sorted(file.name for file in files) == ["data_efficiency_en.png", "data_efficiency_pl.png"]
    assert sorted((tmp_path / "docs").iterdir()) == sorted(files)  # nothing unfinished is left
    assert all(0 < file.stat().st_size < 60_000 for file in files)
    assert files[0].read_bytes() != files[1].read_bytes()
    again = figures.save_figures(record, tmp_path / "again")
    assert [file.read_bytes() for file in again] == [file.read_bytes() for file in files]
