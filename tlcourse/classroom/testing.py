"""Test the course: unit tests, the checks of the lessons, and every notebook of both languages by nbval."""

import os
import subprocess
import sys
import time
from pathlib import Path

from .language import LANGUAGES, t

NOTHING_COLLECTED = 5  # pytest's exit status when there was no test to run


def run_tests(root: Path, *, fast: bool = False, options: list[str] | None = None) -> int:
    """Run the unit tests and, unless `fast`, the lessons' checks and nbval on every notebook.

    `options` go to pytest both times. Ends with a line that sums up; returns 1 when anything failed.
    The browser's tests are left out: `pytest -m browser` runs them.
    """
    options = options or []
    parts = {t("unit tests", "testy jednostkowe"): lambda: run_pytest(root, "-m", "not browser", "tests", *options)}
    if not fast:
        # Lax: outputs differ from machine to machine; what must hold is asserted by the lessons' claims.
        nbval = ("--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout=600")
        folders = [f"notebooks/{lang}" for lang in LANGUAGES if (root / "notebooks" / lang).is_dir()]
        parts[t("lessons' checks", "kontrola lekcji")] = lambda: inspect(root)
        if folders:
            parts[t("notebooks", "notatniki")] = lambda: run_pytest(root, *nbval, *folders, *options)
    summary, all_passed = [], True
    for name, part in parts.items():
        start = time.perf_counter()
        passed = part()
        all_passed &= passed
        summary.append(f"{'✓' if passed else '✗'} {name} ({time.perf_counter() - start:.0f} s)")
    print("\n" + "   ".join(summary), flush=True)
    return 0 if all_passed else 1


def run_pytest(root: Path, *arguments: str) -> bool:
    """Run pytest from the root of the checkout; whether all that it found passed."""
    # PYTHONPATH: the kernels that nbval starts must find this checkout's package, installed or not.
    paths = os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH")]))
    command = [sys.executable, "-m", "pytest", *arguments]
    status = subprocess.run(command, cwd=root, env={**os.environ, "PYTHONPATH": paths}).returncode
    return status in (0, NOTHING_COLLECTED)


def inspect(root: Path) -> bool:
    """Run the checks of the lessons' sources and notebooks and print the problems; whether there is none."""
    from .inspection import inspect_lessons

    problems = inspect_lessons(root)
    for problem in problems:
        print(f"✗ {problem}", flush=True)
    return not problems
