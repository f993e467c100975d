"""The lab: a reader's work is never lost, an untouched copy follows the course, JupyterLab speaks Polish."""

import json
import sys
from types import SimpleNamespace

import pytest

from tlcourse.classroom.lab import copy_lessons, find_lesson, open_lab


@pytest.fixture
def root(tmp_path):
    for lang in ("en", "pl"):
        for name in ("00_start", "02_fine_tuning"):
            write(tmp_path / "notebooks" / lang / f"{name}.ipynb", f"{name} {lang} v1")
    return tmp_path


@pytest.fixture
def launched(monkeypatch):
    """The argument lists that JupyterLab was launched with."""
    calls = []
    app = SimpleNamespace(launch_instance=calls.append)
    monkeypatch.setitem(sys.modules, "jupyterlab.labapp", SimpleNamespace(LabApp=app))
    return calls


def write(file, content):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content, encoding="utf-8")


def contents(root):
    return {str(f.relative_to(root / "work").as_posix()): f.read_text("utf-8") for f in root.glob("work/??/*")}


def test_all_lessons_of_both_languages_are_copied(root):
    assert copy_lessons(root) == []
    assert contents(root) == {
        f"{lang}/{name}.ipynb": f"{name} {lang} v1" for lang in ("en", "pl") for name in ("00_start", "02_fine_tuning")
    }


def test_an_untouched_copy_follows_the_course_and_an_edited_one_stays(root):
    copy_lessons(root)
    write(root / "work/pl/00_start.ipynb", "mine")
    for name in ("00_start", "02_fine_tuning"):
        write(root / f"notebooks/pl/{name}.ipynb", "v2")
    assert copy_lessons(root) == ["pl/00_start.ipynb"]
    assert contents(root)["pl/00_start.ipynb"] == "mine"
    assert contents(root)["pl/02_fine_tuning.ipynb"] == "v2"
    assert copy_lessons(root) == ["pl/00_start.ipynb"], "still the reader's at the next start"


def test_a_file_that_was_there_before_is_the_reader_s(root):
    write(root / "work/en/00_start.ipynb", "from elsewhere")
    assert copy_lessons(root) == ["en/00_start.ipynb"]
    assert contents(root)["en/00_start.ipynb"] == "from elsewhere"


def test_a_deleted_copy_comes_back(root):
    copy_lessons(root)
    (root / "work/en/00_start.ipynb").unlink()
    assert copy_lessons(root) == []
    assert contents(root)["en/00_start.ipynb"] == "00_start en v1"


def test_fresh_renews_one_copy_and_keeps_the_old_one_beside_it(root):
    copy_lessons(root)
    for name in ("00_start", "02_fine_tuning"):
        write(root / f"work/pl/{name}.ipynb", f"mine {name}")
    assert copy_lessons(root, fresh="pl/00_start.ipynb") == ["pl/02_fine_tuning.ipynb"]
    there = contents(root)
    assert there["pl/00_start.ipynb"] == "00_start pl v1"
    assert there["pl/02_fine_tuning.ipynb"] == "mine 02_fine_tuning"
    (kept,) = [name for name in there if name.startswith("pl/00_start.2")]
    assert there[kept] == "mine 00_start"


def test_a_copy_cut_short_before_its_record_is_not_taken_for_an_edited_one(root):
    copy_lessons(root)
    (root / "work/.copies.json").unlink()
    assert copy_lessons(root) == []
    write(root / "notebooks/pl/00_start.ipynb", "v2")
    assert copy_lessons(root) == []
    assert contents(root)["pl/00_start.ipynb"] == "v2"


def test_a_damaged_record_is_told_and_costs_no_copy(root):
    copy_lessons(root)
    write(root / "work/pl/00_start.ipynb", "mine")
    write(root / "work/.copies.json", "{")
    with pytest.raises(SystemExit, match="Delete it: your copies stay"):
        copy_lessons(root)
    (root / "work/.copies.json").unlink()
    assert copy_lessons(root) == ["pl/00_start.ipynb"]
    assert contents(root)["pl/00_start.ipynb"] == "mine"


@pytest.mark.parametrize("given", ["2", "02", "fine_tuning", "02_fine_tuning", "02_fine_tuning.ipynb"])
def test_a_lesson_is_found_by_number_or_name(root, given):
    assert find_lesson(root, given, "pl") == root / "notebooks/pl/02_fine_tuning.ipynb"


def test_an_unknown_lesson_is_answered_with_those_there_are(root, tmp_path):
    with pytest.raises(SystemExit, match="no lesson '7'(.|\n)*00_start(.|\n)*02_fine_tuning"):
        find_lesson(root, "7", "pl")
    with pytest.raises(SystemExit, match="course.py build"):
        find_lesson(tmp_path / "elsewhere", "7", "pl")


def test_jupyterlab_opens_the_lesson_on_the_copies(root, launched, capsys):
    assert open_lab(root, "2", "pl", options=["--no-browser"]) == 0
    (arguments,) = launched
    assert f"--ServerApp.root_dir={root / 'work'}" in arguments
    assert "--LabApp.default_url=/lab/tree/pl/02_fine_tuning.ipynb" in arguments
    assert arguments[-1] == "--no-browser"
    assert not any("token" in word or "ip=" in word for word in arguments), "as JupyterLab has them by default"
    assert capsys.readouterr().out == ""


def test_going_on_with_an_edited_copy_is_said(root, launched, capsys):
    copy_lessons(root)
    write(root / "work/en/02_fine_tuning.ipynb", "mine")
    open_lab(root, "2", "en")
    assert "tlcourse lab 02 --fresh" in capsys.readouterr().out
    open_lab(root, "2", "en", fresh=True)
    assert "mine" in "".join(contents(root).values())
    assert contents(root)["en/02_fine_tuning.ipynb"] == "02_fine_tuning en v1"


def test_jupyterlab_speaks_the_lesson_s_language_and_asks_for_no_news(root, launched):
    for lang, locale in (("pl", {"locale": "pl_PL"}), ("en", None)):
        open_lab(root, "0", lang)
        (folder,) = [w.partition("=")[2] for w in launched[-1] if w.startswith("--LabApp.app_settings_dir=")]
        with open(f"{folder}/overrides.json", encoding="utf-8") as file:
            overrides = json.load(file)
        assert overrides.get("@jupyterlab/translation-extension:plugin") == locale
        assert overrides["@jupyterlab/apputils-extension:notification"]["fetchNews"] == "false"
