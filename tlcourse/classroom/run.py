"""Execute lessons without a browser: `execute` does it for `tlcourse run` and for the build alike."""

import logging
import os
import re
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import nbformat
import psutil
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_core.utils import ensure_event_loop, run_sync
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from tqdm import tqdm

from .lab import find_lesson, notebooks_of
from .language import t

ROOT = Path(__file__).resolve().parents[2]  # the checkout, or where the package is installed
DEVICES = ("auto", "cpu", "cuda")
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Execution:
    """What executing a notebook gave.

    seconds: of the cells, the kernel's start left out; peak_mb: the largest resident memory of the kernel
    and its children, in MB of 10^6 bytes; claims: what `claim` cells displayed, each with the keys text,
    value, sign ("≥" or "≤"), bound, unit, holds.
    """

    notebook: NotebookNode
    seconds: float
    peak_mb: float
    claims: list[dict]


class CellFailed(RuntimeError):
    """A cell raised, ran out of time or took its kernel down; the message shows the cell and the reason."""

    def __init__(self, cell: NotebookNode, number: int, total: int, reason: str, line: int | None = None):
        lines = enumerate(cell.source.splitlines(), 1)
        code = "\n".join(("--> " if i == line else "    ") + text for i, text in lines)
        super().__init__(f"[{number}/{total}] {cell.get('id', '')}\n\n{code}\n\n{reason}")
        self.cell, self.number, self.total, self.reason = cell, number, total, reason


def execute(
    notebook: NotebookNode,
    *,
    cwd: Path | None = None,
    device: str = "auto",
    on_cell: Callable[[int, int, NotebookNode], None] | None = None,
    timeout: int = 600,
) -> Execution:
    """Execute a copy of a notebook, cell by cell, in a fresh kernel of the running Python.

    cwd is the kernel's working folder (default: an empty temporary one); device reaches the lesson as the
    environment variable TLCOURSE_DEVICE; on_cell(number, total, cell) is called before each of the `total`
    code cells, counted from 1; timeout is in seconds a cell. The kernel is ended whatever happens.

    Raises CellFailed for the first cell that fails and ValueError for an unknown device.
    """
    if device not in DEVICES:
        raise ValueError(f"device is {device!r}: choose one of {', '.join(DEVICES)}")
    notebook = deepcopy(notebook)
    code_cells = [(i, cell) for i, cell in enumerate(notebook.cells) if cell.cell_type == "code"]
    for _, cell in code_cells:
        cell.outputs, cell.execution_count = [], None

    with tempfile.TemporaryDirectory(prefix="tlcourse-", ignore_cleanup_errors=True) as scratch:
        workplace = Path(scratch, "lesson") if cwd is None else Path(cwd)
        workplace.mkdir(exist_ok=True)
        # The reader's own IPython start-up files must not change what a lesson does: a profile of its own.
        environment = {
            **os.environ,
            "TLCOURSE_DEVICE": device,
            "IPYTHONDIR": str(Path(scratch, "ipython")),
            "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
        }
        # No kernel folders: a kernel that somebody registered as "python3" may run another Python than this.
        specs = KernelSpecManager(kernel_dirs=[])
        manager = AsyncKernelManager(kernel_name="python3", kernel_spec_manager=specs)
        client = NotebookClient(
            notebook,
            km=manager,
            timeout=timeout,
            record_timing=False,
            log=quiet_logger(),
            extra_arguments=["--log-level=ERROR"],  # else it warns of unencrypted loopback at every start
        )
        with kernel_of(client, cwd=str(workplace), env=environment) as pid, memory_of(pid) as peak:
            start = time.perf_counter()
            for number, (index, cell) in enumerate(code_cells, 1):
                if on_cell is not None:
                    on_cell(number, len(code_cells), cell)
                try:
                    client.execute_cell(cell, index, execution_count=number)
                except CellExecutionError as error:
                    reason = COLOURS.sub("", f"{error.ename}: {error.evalue}")
                    line = failing_line(error.traceback)
                    raise CellFailed(cell, number, len(code_cells), reason, line) from None
                except CellTimeoutError:
                    reason = f"CellTimeoutError: more than {timeout} s"
                    raise CellFailed(cell, number, len(code_cells), reason) from None
                except DeadKernelError:
                    reason = "DeadKernelError: the kernel died (out of memory?)"
                    raise CellFailed(cell, number, len(code_cells), reason) from None
            seconds = time.perf_counter() - start
    return Execution(notebook, seconds, max(peak), claims_of(notebook))


@contextmanager
def kernel_of(client: NotebookClient, **options: object) -> Iterator[int]:
    """Start the client's kernel, yield its process id, end it: gently after success, at once otherwise."""
    failed = True
    try:
        with client.setup_kernel(**options):
            yield client.km.provisioner.pid
        failed = False
    finally:
        if failed:  # nobody asks any more what became of an interrupted cell: asyncio need not report it
            ensure_event_loop().set_exception_handler(lambda *_: None)
        if client.kc is not None:
            client.kc.stop_channels()
        if client.km.has_kernel:
            run_sync(client.km.shutdown_kernel)(now=failed)


@contextmanager
def memory_of(pid: int, every: float = 0.1) -> Iterator[list[float]]:
    """Sample the resident memory (MB) of a process and its children in a thread; the list grows meanwhile."""
    process, samples, done = psutil.Process(pid), [], threading.Event()

    def sample() -> None:
        while True:
            samples.append(resident_mb(process))
            if done.wait(every):
                return

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield samples
    finally:
        done.set()
        thread.join()


def resident_mb(process: psutil.Process) -> float:
    """Resident memory of a process and its children in MB; what has ended counts 0."""
    total = 0
    try:
        for member in (process, *process.children(recursive=True)):
            total += member.memory_info().rss
    except psutil.NoSuchProcess:  # it ended between being listed and being asked
        pass
    return total / 1e6


def claims_of(notebook: NotebookNode) -> list[dict]:
    """What the executed notebook's claims displayed, in order: claims.py puts it into the metadata."""
    outputs = (output for cell in notebook.cells for output in cell.get("outputs", []))
    found = (output.get("metadata", {}).get("tlcourse", {}).get("claim") for output in outputs)
    return [dict(claim) for claim in found if claim]


def failing_line(traceback: str) -> int | None:
    """The line of the cell at which an IPython traceback's arrow points, None when there is no arrow."""
    arrow = re.search(r"^-+> *(\d+)", COLOURS.sub("", traceback), re.MULTILINE)
    return int(arrow[1]) if arrow else None


def quiet_logger() -> logging.Logger:
    """A logger that says nothing: what goes wrong is raised, and need not be printed as well."""
    logger = logging.getLogger("tlcourse.run")
    logger.setLevel(logging.CRITICAL + 1)
    return logger


def run_lessons(root: Path, lessons: list[str], lang: str, device: str) -> int:
    """Execute lessons ("02", "fine_tuning", …, or "all") and tell seconds, memory and claims of each.

    Nothing is written: the notebooks stay as they are. Returns 1 when a lesson failed, after the others ran.
    """
    if not lessons:
        raise SystemExit(
            t(
                "Which lesson? tlcourse run NN, or: tlcourse run all",
                "Którą lekcję? tlcourse run NN albo: tlcourse run all",
            )
        )
    if lessons == ["all"]:
        notebooks = notebooks_of(root, lang)
    else:
        notebooks = [find_lesson(root, lesson, lang) for lesson in lessons]
    if device == "cuda":
        refuse_without_cuda()
    failed = [notebook.stem for notebook in notebooks if not run_lesson(notebook, device)]
    if failed:
        print(
            t(
                f"{len(failed)} of {len(notebooks)} failed: ",
                f"Nie udało się {len(failed)} z {len(notebooks)}: ",
            )
            + ", ".join(failed)
        )
    return 1 if failed else 0


def run_lesson(notebook: Path, device: str) -> bool:
    """Execute one lesson with a line of progress and print what came of it; whether it went through."""
    with tqdm(desc=notebook.stem, unit="", leave=False, bar_format="{desc} {bar:20} {n}/{total} {elapsed}") as bar:

        def show_cell(number: int, total: int, cell: NotebookNode) -> None:
            bar.total, bar.n = total, number
            bar.refresh()

        try:
            done = execute(nbformat.read(notebook, as_version=4), device=device, on_cell=show_cell)
        except CellFailed as failure:
            bar.clear()
            print(f"✗ {notebook.stem} {failure}\n", flush=True)
            return False
    memory = t("memory at most", "pamięć co najwyżej")
    print(f"✓ {notebook.stem}: {done.seconds:.1f} s, {memory} {done.peak_mb / 1000:.2f} GB")
    for claim in done.claims:
        value = "–" if claim["value"] is None else f"{claim['value']:.4g}"  # infinite, which JSON does not know
        print(f"    {'✓' if claim['holds'] else '✗'} {claim['text']}: {value}")
    sys.stdout.flush()
    return all(claim["holds"] for claim in done.claims)


def refuse_without_cuda() -> None:
    """Raise SystemExit when torch sees no CUDA GPU, before a lesson is begun in vain."""
    import torch

    if not torch.cuda.is_available():
        raise SystemExit(
            t(
                "--device cuda: torch sees no CUDA GPU here. Use --device auto or cpu; `tlcourse doctor` tells more.",
                "--device cuda: torch nie widzi tu karty z CUDA. Użyj --device auto albo cpu; "
                "więcej powie `tlcourse doctor`.",
            )
        )
