"""Record how the claims of lessons hold over seeds.

    python benchmarks/claims.py 03 04 --seeds 10 [--again]

Each seed takes the place of the 0 in the line `SEED = 0` of the lesson's English notebook, which is then executed; a
claim that fails is recorded like one that holds. Written to data/recorded/claims_NN.json after each seed: a stopped run
continues there, unless the code of the lesson or of the package has changed since. A record of that code that has the
seeds already, or more, is shown and left alone. `--again` runs them anew; then the old record stands until the last
seed is done, and a stopped run is lost. Exits with 1 when a claim failed.
"""

import argparse
import re
import statistics
import sys
from copy import deepcopy

from nbformat import NotebookNode, v4
from tqdm.auto import tqdm

from tlcourse.classroom import recorded, save_record
from tlcourse.classroom.build import LessonError, code_cells, digest, read_lesson, to_notebook
from tlcourse.classroom.run import ROOT, CellFailed, execute

FOLDER = ROOT / "data" / "recorded"
MODULES = [".".join(file.relative_to(ROOT).with_suffix("").parts) for file in ROOT.glob("tlcourse/**/*.py")]
SEED_LINE = re.compile(r"^SEED = 0$", re.MULTILINE)
# Executed before the lesson, where a claim that fails would end the run: it has shown its number, others are to follow.
KEEP_GOING = """\
from contextlib import suppress
from tlcourse.classroom import claims
def claim(*given, asserting=claims.claim, **options):
    with suppress(claims.ClaimFailed):
        asserting(*given, **options)
claims.claim = claim"""


def seeded(notebook: NotebookNode, seed: int) -> NotebookNode:
    """A copy with `SEED = seed`. Raises LessonError when the code has not exactly one line `SEED = 0`."""
    if (found := sum(len(SEED_LINE.findall(cell.source)) for cell in code_cells(notebook))) != 1:
        raise LessonError(
            f"{notebook.metadata.tlcourse.lesson} has {found} lines `SEED = 0`; to run it with other seeds, write one,"
            " not indented, in one of its first code cells, and let all chance follow from it"
        )
    notebook = deepcopy(notebook)
    for cell in code_cells(notebook):
        cell.source = SEED_LINE.sub(f"SEED = {seed}", cell.source)
    return notebook


def identity(claim: dict) -> dict:
    """What makes a claim the same one: text, sign, unit, and bound (to six digits, as a record holds it)."""
    return {key: claim[key] for key in ("text", "sign", "unit")} | {"bound": float(f"{claim['bound']:.6g}")}


def with_run(rows: list[dict], claims: list[dict]) -> list[dict]:
    """The rows, one a claim, with the values of one more run; [] before the first. LessonError: other claims."""
    rows = rows or [{**identity(claim), "values": [], "kept": 0} for claim in claims]
    before, now = [identity(row) for row in rows], [identity(claim) for claim in claims]
    if before != now:
        differ = [claim for claim in before + now if (claim in before) != (claim in now)]
        raise LessonError(f"a seed must not change which claims there are, their texts, bounds or units: {differ}")
    return [  # kept is counted here: saved, a value that fails by a hair is rounded to its bound
        {**row, "values": [*row["values"], claim["value"]], "kept": row["kept"] + claim["holds"]}
        for row, claim in zip(rows, claims, strict=True)
    ]


def summary(rows: list[dict]) -> str:
    """The claims as a table in plain text; "–" where a value is not finite."""
    lines = [("  claim", "bound", "worst", "mean", "best", "kept")]
    for row in rows:
        values, (worst, best) = row["values"], (min, max) if row["sign"] == "≥" else (max, min)
        spread = ["–"] * 3 if None in values else [f"{of(values):.4g}" for of in (worst, statistics.fmean, best)]
        mark, bound = "✓" if row["kept"] == len(values) else "✗", f"{row['sign']} {row['bound']:g} {row['unit']}"
        lines.append((f"{mark} {row['text']}", bound, *spread, f"{row['kept']} of {len(values)}"))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)


def record_claims(programs: list[NotebookNode], again: bool = False) -> list[dict]:
    """Execute a lesson's programs, one for each seed from 0 on; record and print the claims, and return their rows.

    What a record of the same code holds is not executed, unless `again`: then all is, and saved when it is complete.
    """
    slug, code = programs[0].metadata.tlcourse.lesson, digest(programs[0], MODULES, (), ROOT)
    name, done, rows, seconds = f"claims_{slug[:2]}", 0, [], 0.0
    if not again and (FOLDER / f"{name}.json").exists():
        before = recorded(name, FOLDER)
        if before.results["digest"] == code:
            done, rows, seconds = len(before.seeds), before.results["claims"], before.seconds
    bar = tqdm(range(done, len(programs)), initial=done, total=len(programs), desc=slug, unit="seed")
    for seed in bar:
        programs[seed].cells.insert(0, v4.new_code_cell(KEEP_GOING, id="keep-going"))
        try:
            run = execute(programs[seed], on_cell=lambda n, total, _: bar.set_postfix_str(f"cell {n}/{total}"))
            rows, seconds = with_run(rows, run.claims), seconds + run.seconds
        except (CellFailed, LessonError) as error:
            raise SystemExit(f"✗ {slug} with SEED = {seed}: {error}") from None
        if not again or seed + 1 == len(programs):
            results = {"lesson": slug, "digest": code, "claims": rows}
            save_record(name, __file__, range(seed + 1), results, seconds, FOLDER)
    print(f"{slug}\n{summary(rows)}\n", flush=True)
    return rows


def main() -> int:
    sys.stdout.reconfigure(errors="replace")  # a Windows pipe may know no ✓
    paths = {path.stem[:2]: path for path in sorted(ROOT.glob("lessons/*.py"))}
    parser = argparse.ArgumentParser(description="Record how the claims of lessons hold over seeds.")
    parser.add_argument("lessons", nargs="+", metavar="NN", choices=paths, help=f"of {', '.join(paths)}")
    parser.add_argument("--seeds", type=int, default=10, metavar="N", help="0 … N - 1; by default N is 10")
    parser.add_argument("--again", action="store_true", help="run also the seeds that are recorded")
    given = parser.parse_args()
    if given.seeds < 1:
        parser.error(f"--seeds {given.seeds}: give 1 at least")
    try:  # all of them, before the first one runs for minutes
        notebooks = [to_notebook(read_lesson(paths[number]), "en") for number in given.lessons]
        lessons = [[seeded(notebook, seed) for seed in range(given.seeds)] for notebook in notebooks]
    except LessonError as error:
        raise SystemExit(f"✗ {error}") from None
    rows = [row for programs in lessons for row in record_claims(programs, given.again)]
    return int(any(row["kept"] < len(row["values"]) for row in rows))


if __name__ == "__main__":
    raise SystemExit(main())
