"""`tlcourse test`: every part runs, a failure of any shows in the exit status and in the last line."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from tlcourse.classroom import inspection, testing
from tlcourse.classroom.testing import run_tests


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A checkout with one unit test, one browser test that would fail, and one notebook in each language."""
    monkeypatch.setattr(inspection, "inspect_lessons", lambda root: [])
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = browser\n", encoding="utf-8")
    (tmp_path / "tests").mkdir()
    write_test(tmp_path, "assert True")
    for lang in ("en", "pl"):
        write_notebook(tmp_path, lang, "print(1 + 1)")
    return tmp_path


def write_test(root, body):
    text = f"import pytest\n\ndef test_one(): {body}\n\n@pytest.mark.browser\ndef test_browser(): assert False\n"
    (root / "tests" / "test_one.py").write_text(text, encoding="utf-8")


def write_notebook(root, lang, source):
    file = root / "notebooks" / lang / "00_start.ipynb"
    file.parent.mkdir(parents=True, exist_ok=True)
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(new_notebook(cells=[new_code_cell(source)], metadata=kernel), file)


def test_all_parts_pass(root, capfd):
    assert run_tests(root) == 0
    out = capfd.readouterr().out
    assert out.count("1 passed") == 1 and out.count("2 passed") == 1
    assert all(f"✓ {part} (" in out.splitlines()[-1] for part in ("unit tests", "lessons' checks", "notebooks"))


def test_a_failing_notebook_of_either_language_fails(root, capfd):
    write_notebook(root, "pl", "assert 1 + 1 == 3")
    assert run_tests(root) == 1
    last = capfd.readouterr().out.splitlines()[-1]
    assert "✓ unit tests" in last and "✗ notebooks" in last


def test_fast_runs_unit_tests_only_and_hands_options_on(root, capfd):
    write_notebook(root, "pl", "assert False")
    write_test(root, "assert False")
    assert run_tests(root, fast=True) == 1
    assert run_tests(root, fast=True, options=["-k", "nothing_of_that_name"]) == 0, "no test is no failure"
    assert "notebooks" not in capfd.readouterr().out


def test_problems_of_the_lessons_are_printed_and_fail(root, capfd, monkeypatch):
    monkeypatch.setattr(testing, "run_pytest", lambda root, *arguments: True)
    monkeypatch.setattr(inspection, "inspect_lessons", lambda root: ["02: a term is wrong"])
    assert run_tests(root) == 1
    out = capfd.readouterr().out
    assert "✗ 02: a term is wrong" in out and "✗ lessons' checks" in out.splitlines()[-1]
