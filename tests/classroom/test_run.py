"""Executing a lesson: what is measured, what is told of a failure, and that no kernel stays behind."""

import os
import signal
import subprocess
import sys
import time

import nbformat
import psutil
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from tlcourse.classroom import run
from tlcourse.classroom.run import CellFailed, claims_of, execute, run_lessons

CLAIM = """\
from IPython.display import display
claim = {"text": "probe beats chance", "value": 0.78, "bound": 0.5, "holds": True}
display({"text/plain": "✓"}, raw=True, metadata={"tlcourse": {"claim": claim}})"""


def notebook(*sources):
    return new_notebook(cells=[new_markdown_cell("# A lesson"), *map(new_code_cell, sources)])


def test_a_notebook_is_executed_in_an_empty_folder_by_this_python():
    seen = []
    given = notebook(
        "import os, sys, tlcourse\nprint(os.listdir(), os.environ['TLCOURSE_DEVICE'], sys.executable)",
        "block = bytearray(300_000_000)\nimport time; time.sleep(0.4)",
        CLAIM,
    )
    done = execute(given, device="cpu", on_cell=lambda number, total, cell: seen.append((number, total)))
    assert done.notebook.cells[1].outputs[0].text == f"[] cpu {sys.executable}\n"
    assert [cell.execution_count for cell in done.notebook.cells[1:]] == [1, 2, 3]
    assert seen == [(1, 3), (2, 3), (3, 3)]
    assert 0.4 < done.seconds < 60
    assert 300 < done.peak_mb < 2000
    assert done.claims == [{"text": "probe beats chance", "value": 0.78, "bound": 0.5, "holds": True}]
    assert all("outputs" not in cell or not cell.outputs for cell in given.cells), "the given notebook is untouched"
    assert not psutil.Process().children(recursive=True)


def test_the_working_folder_can_be_given(tmp_path):
    done = execute(notebook("open('here.txt', 'w').close()"), cwd=tmp_path)
    assert (tmp_path / "here.txt").exists() and done.claims == []


@pytest.mark.parametrize(
    ("source", "timeout", "reason", "shown"),
    [
        ("a = 1\n1 / 0\nb = 2", 60, "ZeroDivisionError: division by zero", "\n    a = 1\n--> 1 / 0\n    b = 2\n"),
        ("def broken(:\n    pass", 60, "SyntaxError", "    def broken(:\n"),
        ("import time\ntime.sleep(30)", 1, "more than 1 s", "    time.sleep(30)"),
        ("import os\nos._exit(3)", 60, "DeadKernelError", "    os._exit(3)"),
    ],
)
def test_a_failing_cell_is_shown_with_its_reason(source, timeout, reason, shown):
    with pytest.raises(CellFailed) as caught:
        execute(notebook("fine = True", source, "never = True"), timeout=timeout)
    assert reason in caught.value.reason and reason in str(caught.value)
    assert shown in str(caught.value) and str(caught.value).startswith("[2/3]")
    assert "\x1b" not in str(caught.value)
    assert not psutil.Process().children(recursive=True)


def test_an_unknown_device_is_refused():
    with pytest.raises(ValueError, match="auto, cpu, cuda"):
        execute(notebook(), device="tpu")


def test_claims_are_read_in_order():
    cells = [
        new_code_cell(outputs=[nbformat.v4.new_output("display_data", metadata={"tlcourse": {"claim": claim}})])
        for claim in ({"value": 1}, {"value": 2})
    ]
    assert claims_of(new_notebook(cells=[new_markdown_cell("-"), *cells, new_code_cell("x")])) == [
        {"value": 1},
        {"value": 2},
    ]


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_ctrl_c_ends_the_kernel_at_once():
    program = (
        "from nbformat.v4 import *\nfrom tlcourse.classroom.run import execute\n"
        "tell = lambda *_: print('started', flush=True)\n"
        "execute(new_notebook(cells=[new_code_cell('import time; time.sleep(100)')]), on_cell=tell)"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program], cwd=run.ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert child.stdout.readline() == "started\n"
    kernels = psutil.Process(child.pid).children(recursive=True)
    time.sleep(0.3)
    child.send_signal(signal.SIGINT)
    _, errors = child.communicate(timeout=20)
    assert kernels and not any(kernel.is_running() for kernel in kernels)
    assert errors.rstrip().endswith("KeyboardInterrupt") and "never retrieved" not in errors


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "notebooks" / "pl"
    folder.mkdir(parents=True)
    nbformat.write(notebook("x = 1", CLAIM), folder / "00_good.ipynb")
    nbformat.write(notebook("raise RuntimeError('of course')"), folder / "01_bad.ipynb")
    return tmp_path


def test_run_tells_of_every_lesson_and_fails_when_one_does(root, capsys):
    before = {file: file.read_bytes() for file in root.rglob("*.ipynb")}
    assert run_lessons(root, ["all"], "pl", "cpu") == 1
    out = capsys.readouterr().out
    assert "✓ 00_good: " in out and "GB" in out and "✓ probe beats chance: 0.78" in out
    assert "✗ 01_bad" in out and "RuntimeError: of course" in out and "1 of 2 failed: 01_bad" in out
    assert {file: file.read_bytes() for file in root.rglob("*.ipynb")} == before, "nothing is written"
    assert run_lessons(root, ["good"], "pl", "auto") == 0


def test_run_needs_a_lesson_and_cuda_where_it_is_asked_for(root, monkeypatch):
    with pytest.raises(SystemExit, match="Which lesson"):
        run_lessons(root, [], "pl", "auto")
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit, match="no CUDA GPU"):
        run_lessons(root, ["00"], "pl", "cuda")
