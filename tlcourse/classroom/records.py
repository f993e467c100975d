"""Recorded runs: results that take too long for a lesson, each made by a script in `benchmarks/`."""

import datetime
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from ..runtime import replacing
from .language import t
from .rendering import FONT, MUTED, inline_html, show_html

ROOT = Path(__file__).resolve().parents[2]
VERSIONED = ("torch", "torchvision", "timm", "numpy")


@dataclass(frozen=True)
class Record:
    """A recorded run: which script made it, when, with what, and what came out."""

    name: str
    script: str
    made: str
    versions: dict[str, str]
    seeds: list[int]
    seconds: float
    results: dict

    def note(self) -> None:
        """Show in one line where the numbers come from."""
        said = t(
            "Recorded by `{}` on {}, {}: too long for a lesson; the script makes it again.",
            "Wyniki zapisane przez `{}` dnia {}, {}: za długie obliczenia jak na lekcję; skrypt je powtórzy.",
        ).format(self.script, self.made, _seeds(self.seeds))
        show_html(f'<div style="color: {MUTED}; {FONT}">{inline_html(said)}</div>', said)


def recorded(name: str, folder: Path | None = None) -> Record:
    """Read a recorded run, `data/recorded/<name>.json`.

    Raises:
        FileNotFoundError: there is no such record; the message names those there are.
    """
    folder = folder or ROOT / "data" / "recorded"
    if not folder.is_dir():
        raise FileNotFoundError(
            "the course's folder data/recorded is not beside the package; recorded runs come with the "
            "repository: work in a checkout of it, installed with `pip install -e .`"
        )
    file = folder / f"{name}.json"
    if not file.is_file():
        there = ", ".join(sorted(path.stem for path in folder.glob("*.json"))) or "none"
        raise FileNotFoundError(f"no recorded run {name!r} in data/recorded; there are: {there}")
    return Record(name=name, **json.loads(file.read_text(encoding="utf-8")))


def save_record(
    name: str, script: str, seeds: Sequence[int], results: Mapping, seconds: float, folder: Path | None = None
) -> Path:
    """Write a recorded run atomically, in a form whose differences read well; returns the file.

    Args:
        name: the file's stem.
        script: the script that made it; its path in the repository, or `__file__`.
        seeds: all seeds of the run.
        results: numbers, texts, lists and dicts of them; tensors and arrays become lists; floats are rounded
            to six significant digits.
        seconds: how long the run took.

    Raises:
        ValueError: a number is NaN or infinite, or the script lies outside the repository.
        TypeError: the results hold something else.
    """
    folder = folder or ROOT / "data" / "recorded"
    path = (ROOT / script).resolve()
    if not path.is_relative_to(ROOT):
        raise ValueError(f"the script {script} lies outside the repository; keep it in benchmarks/")
    record = {
        "script": path.relative_to(ROOT).as_posix(),
        "made": datetime.date.today().isoformat(),
        "versions": {package: version(package) for package in VERSIONED},
        "seeds": [int(seed) for seed in seeds],
        "seconds": _plain(float(seconds), "seconds"),
        "results": _plain(results, "results"),
    }
    written = json.dumps(record, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"
    file = folder / f"{name}.json"
    with replacing(file) as unfinished:
        unfinished.write_text(written, encoding="utf-8", newline="\n")
    return file


def _plain(value, where: str):
    """Tensors, arrays and their scalars as Python's own, floats rounded."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): _plain(part, f"{where}.{key}") for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part, f"{where}[{index}]") for index, part in enumerate(value)]
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{where} is {value}; a record holds finite numbers, None where there is none")
        return float(f"{value:.6g}")
    if value is None or isinstance(value, bool | int | str):
        return value
    raise TypeError(f"{where} is a {type(value).__name__}; a record holds numbers, texts, lists and dicts of them")


def _seeds(seeds: Sequence[int]) -> str:
    if len(seeds) == 1:
        return t(f"seed {seeds[0]}", f"ziarno {seeds[0]}")
    whole = list(seeds) == list(range(seeds[0], seeds[0] + len(seeds))) if seeds else False
    listed = f"{seeds[0]}–{seeds[-1]}" if whole else ", ".join(map(str, seeds))
    return t(f"seeds {listed}", f"ziarna {listed}")
