"""Claims over seeds: benchmarks/claims.py records them honestly, and the lessons claim no more than was recorded."""

import importlib.util
import json
import re
from types import SimpleNamespace

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from tlcourse.classroom import run
from tlcourse.classroom.build import LessonError, code_cells, notebook_path, read_lesson, to_notebook
from tlcourse.classroom.records import recorded

LESSONS = sorted(run.ROOT.glob("lessons/*.py"))
RECORDS = sorted(run.ROOT.glob("data/recorded/claims_*.json"))
FEWEST_SEEDS = 10
NO_RECORD_YET = ("00", "01", "02")  # written before claims were recorded


@pytest.fixture(scope="module")
def script():
    """benchmarks/claims.py as a module."""
    spec = importlib.util.spec_from_file_location("record_claims", run.ROOT / "benchmarks" / "claims.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def unproven(script, claims: list[dict], rows: list[dict]) -> list[str]:
    """What the rows of a record do not show: claims of a lesson that they lack, and values that fail their bound."""
    known = [script.identity(row) for row in rows]
    problems = [f"not recorded: {claim}" for claim in map(script.identity, claims) if claim not in known]
    for row in rows:
        values, bound = row["values"], row["bound"]
        failed = [v for v in values if v is None or not (v >= bound if row["sign"] == "≥" else v <= bound)]
        if failed or row["kept"] < len(values):
            problems.append(f"fails with {len(values) - row['kept']} of {len(values)} seeds: {row['text']}: {failed}")
        if len(values) < FEWEST_SEEDS:
            problems.append(f"{len(values)} seeds, {FEWEST_SEEDS} are needed: {row['text']}")
    return problems


# the lessons and their records
# -----------------------------


@pytest.mark.parametrize("path", LESSONS, ids=[path.stem[:2] for path in LESSONS])
def test_a_lesson_with_a_seed_has_its_claims_recorded(script, path):
    number = path.stem[:2]
    if number in NO_RECORD_YET:
        pytest.skip("none of lessons 00 to 02")
    cells = code_cells(to_notebook(read_lesson(path), "en"))
    has_seed = any(script.SEED_LINE.search(cell.source) for cell in cells)
    has_record = (run.ROOT / "data" / "recorded" / f"claims_{number}.json").exists()
    assert has_record or not has_seed, f"run `python benchmarks/claims.py {number}` on an idle machine"


@pytest.mark.parametrize("file", RECORDS, ids=[file.stem[-2:] for file in RECORDS])
def test_a_lesson_claims_what_holds_over_seeds(script, file):
    results = recorded(file.stem).results
    notebook = nbformat.read(notebook_path(run.ROOT, results["lesson"], "en"), as_version=4)
    problems = unproven(script, run.claims_of(notebook), results["claims"])
    number = file.stem[-2:]
    told = f"mend lesson {number}, or run `python benchmarks/claims.py {number}` where its claims were reworded:\n"
    assert not problems, told + "\n".join(problems)


# the script
# ----------


def claim(value=0.5, **changed) -> dict:
    """What a claim displays."""
    holds = value is not None and value >= 0.3
    return {"text": "It wins", "sign": "≥", "bound": 0.3, "unit": "", "value": value, "holds": holds, **changed}


def lesson(*sources) -> nbformat.NotebookNode:
    cells = [new_markdown_cell("# A lesson\nSEED = 0"), *map(new_code_cell, sources)]
    return new_notebook(cells=cells, metadata={"tlcourse": {"lesson": "97_demo"}})


def test_the_seed_is_all_that_is_replaced(script):
    given = lesson("import torch", "SEED = 0\nbase = SEED == 0\ndef f():\n    SEED = 0", "print(SEED)")
    before = nbformat.writes(given)
    replaced = script.seeded(given, 7)
    assert replaced.cells[2].source == "SEED = 7\nbase = SEED == 0\ndef f():\n    SEED = 0"
    replaced.cells[2].source = given.cells[2].source
    assert nbformat.writes(replaced) == nbformat.writes(given) == before
    assert script.seeded(given, 0) == given


@pytest.mark.parametrize(
    ("sources", "found"),
    [
        (("x = 1",), 0),
        (("    SEED = 0", "SEED = 1", "MY_SEED = 0", "SEED = 0.5"), 0),
        (("SEED = 0", "SEED = 0"), 2),
        (("SEED = 0\nSEED = 0",), 2),
    ],
)
def test_a_lesson_without_its_one_seed_is_named(script, sources, found):
    with pytest.raises(LessonError, match=f"97_demo has {found} lines `SEED = 0`"):
        script.seeded(lesson(*sources), 1)


def test_rows_collect_the_values_and_count_what_is_kept(script):
    rows = script.with_run([], [claim(0.4), claim(0.1, text="It is close", sign="≤", holds=True)])
    rows = script.with_run(rows, [claim(0.2), claim(None, text="It is close", sign="≤", holds=False)])
    assert [(row["values"], row["kept"]) for row in rows] == [([0.4, 0.2], 1), ([0.1, None], 1)]
    assert rows[0] == {"text": "It wins", "sign": "≥", "bound": 0.3, "unit": "", "values": [0.4, 0.2], "kept": 1}


def test_a_bound_is_the_same_before_and_after_it_was_saved(script):
    rows = script.with_run([], [claim(bound=1 / 3)])
    assert rows[0]["bound"] == 0.333333 and len(script.with_run(rows, [claim(bound=1 / 3)])[0]["values"]) == 2


@pytest.mark.parametrize("changed", [{"bound": 0.31}, {"text": "It loses"}, {"sign": "≤"}, {"unit": "s"}])
def test_a_claim_that_changes_with_the_seed_is_refused(script, changed):
    rows = script.with_run([], [claim(), claim(text="Another")])
    with pytest.raises(LessonError, match="a seed must not change") as caught:
        script.with_run(rows, [claim(**changed), claim(text="Another")])
    assert str(next(iter(changed.values()))) in str(caught.value) and "Another" not in str(caught.value)
    with pytest.raises(LessonError, match="Another"):
        script.with_run(rows, [claim()])


def test_the_summary_shows_the_worst_by_the_bound_s_direction(script):
    rows = [
        {"text": "It wins", "sign": "≥", "bound": 0.3, "unit": "", "values": [0.2, 0.4, 0.9], "kept": 2},
        {"text": "It is fast", "sign": "≤", "bound": 12.0, "unit": "s", "values": [2.0, 4.0, 9.0], "kept": 3},
        {"text": "It is a number", "sign": "≥", "bound": 0.0, "unit": "", "values": [1.0, None, 1.0], "kept": 2},
    ]
    head, *lines = [re.split("  +", line.strip()) for line in script.summary(rows).splitlines()]
    assert head == ["claim", "bound", "worst", "mean", "best", "kept"]
    assert lines[0] == ["✗ It wins", "≥ 0.3", "0.2", "0.5", "0.9", "2 of 3"]
    assert lines[1] == ["✓ It is fast", "≤ 12 s", "9", "5", "2", "3 of 3"]
    assert lines[2] == ["✗ It is a number", "≥ 0", "–", "–", "–", "2 of 3"]


def test_a_failing_claim_stops_neither_the_claims_after_it_nor_the_run(script, monkeypatch, tmp_path, capsys):
    """In a kernel, with claims in a loop, one after another in a cell, and in the next cell."""
    monkeypatch.setattr(script, "FOLDER", tmp_path)
    claims = "for name in 'ab':\n    claim(name, SEED, at_least=1)\nclaim('c', SEED, at_most=0, unit='s')"
    demo = lesson("from tlcourse.classroom import claim\nSEED = 0", claims, "claim('d', SEED, at_least=1)")
    rows = script.record_claims([script.seeded(demo, seed) for seed in range(2)])
    assert [(row["text"], row["values"], row["kept"]) for row in rows] == [
        ("a", [0, 1], 1), ("b", [0, 1], 1), ("c", [0, 1], 1), ("d", [0, 1], 1)
    ]  # fmt: skip
    record = recorded("claims_97", tmp_path)
    assert record.results["claims"] == rows and record.seeds == [0, 1] and record.script == "benchmarks/claims.py"
    assert "97_demo\n" in (printed := capsys.readouterr().out) and "✗ c" in printed


def test_another_failure_ends_the_run_and_says_with_which_seed(script, monkeypatch, tmp_path):
    monkeypatch.setattr(script, "FOLDER", tmp_path)
    with pytest.raises(SystemExit, match="(?s)97_demo with SEED = 0: .*ZeroDivisionError") as caught:
        script.record_claims([lesson("SEED = 0\n1 / SEED")])
    assert "--> 1 / SEED" in str(caught.value) and not list(tmp_path.iterdir())


@pytest.fixture
def runs(script, monkeypatch, tmp_path):
    """Stands in for execution, 2 s each: `seeds` are those executed, `stop` is one at which it is interrupted."""
    runs = SimpleNamespace(seeds=[], stop=None)

    def execute(program, on_cell):
        seed = int(re.search(r"SEED = (\d+)", program.cells[2].source)[1])
        if seed == runs.stop:
            raise KeyboardInterrupt
        runs.seeds.append(seed)
        return SimpleNamespace(claims=[claim(0.5 + seed / 3)], seconds=2.0)

    monkeypatch.setattr(script, "FOLDER", tmp_path)
    monkeypatch.setattr(script, "execute", execute)
    return runs


def record(script, seeds, source="SEED = 0", **options):
    return script.record_claims([script.seeded(lesson(source), seed) for seed in range(seeds)], **options)


def test_a_stopped_run_loses_nothing_and_continues(script, runs, tmp_path):
    runs.stop = 2
    with pytest.raises(KeyboardInterrupt):
        record(script, 4)
    assert recorded("claims_97", tmp_path).seeds == [0, 1]
    runs.stop = None
    rows = record(script, 4, "SEED = 0\n# a comment changes nothing")
    assert runs.seeds == [0, 1, 2, 3]
    assert rows[0]["values"] == pytest.approx([0.5 + seed / 3 for seed in range(4)], rel=1e-5) and rows[0]["kept"] == 4
    assert recorded("claims_97", tmp_path).seconds == 8.0
    record(script, 3, "SEED = 0\nx = 1")  # what has changed is recorded anew
    assert runs.seeds[4:] == recorded("claims_97", tmp_path).seeds == [0, 1, 2]


@pytest.mark.parametrize("seeds", [1, 3, 4])
def test_a_record_that_has_the_seeds_is_shown_and_left_alone(script, runs, tmp_path, capsys, seeds):
    record(script, 4)
    before = (tmp_path / "claims_97.json").read_bytes()
    shown = capsys.readouterr().out
    rows = record(script, seeds)
    assert runs.seeds == [0, 1, 2, 3] and (tmp_path / "claims_97.json").read_bytes() == before
    assert len(rows[0]["values"]) == 4 and capsys.readouterr().out == shown and "4 of 4" in shown


def test_again_replaces_a_record_once_it_is_complete(script, runs, tmp_path):
    record(script, 4)
    before = (tmp_path / "claims_97.json").read_bytes()
    runs.stop = 2
    with pytest.raises(KeyboardInterrupt):
        record(script, 3, again=True)
    assert (tmp_path / "claims_97.json").read_bytes() == before
    runs.stop = None
    record(script, 3, again=True)
    assert runs.seeds == [0, 1, 2, 3, 0, 1, 0, 1, 2]
    assert recorded("claims_97", tmp_path).seeds == [0, 1, 2] and recorded("claims_97", tmp_path).seconds == 6.0


@pytest.mark.parametrize(("kept", "status"), [(4, 0), (3, 1)])
def test_the_status_says_whether_every_recorded_claim_holds(script, monkeypatch, kept, status):
    """Also where more seeds are recorded than were asked for."""
    asked = []
    monkeypatch.setattr(script, "to_notebook", lambda *_: lesson("SEED = 0"))
    monkeypatch.setattr(
        script, "record_claims", lambda programs, again: asked.append(again) or [{"values": [0.5] * 4, "kept": kept}]
    )
    monkeypatch.setattr("sys.argv", ["claims.py", "01", "--seeds", "3", "--again"])
    assert script.main() == status and asked == [True]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["01"], "01_feature_extraction has 0 lines `SEED = 0`"),
        (["99"], "invalid choice: '99'"),
        (["01", "--seeds", "0"], "--seeds 0: give 1 at least"),
    ],
)
def test_the_command_line_refuses_before_it_executes(script, monkeypatch, capsys, arguments, told):
    monkeypatch.setattr(script, "execute", None)
    monkeypatch.setattr("sys.argv", ["claims.py", *arguments])
    with pytest.raises(SystemExit) as stopped:
        script.main()
    assert told in f"{stopped.value}{capsys.readouterr().err}"


# the check of the lessons
# ------------------------


def row(values=(0.5,) * 10, **changed) -> dict:
    """A row of a record."""
    kept = sum(value is not None and value >= 0.3 for value in values)
    return {"text": "It wins", "sign": "≥", "bound": 0.3, "unit": "", "values": list(values), "kept": kept, **changed}


def test_what_was_recorded_is_proven(script):
    assert unproven(script, [claim()], [row(), row(text="No longer claimed")]) == []
    assert unproven(script, [], [row(text="≤", sign="≤", values=[0.1] * 10, kept=10)]) == []


@pytest.mark.parametrize(
    ("claims", "rows", "told"),
    [
        ([claim(text="It wins clearly")], [row()], "not recorded: .*It wins clearly"),
        ([claim(bound=0.4)], [row()], "not recorded: .*0.4"),
        ([claim()], [row([0.5] * 9)], "9 seeds, 10 are needed: It wins"),
        ([claim()], [row([0.5] * 9 + [0.2])], r"fails with 1 of 10 seeds: It wins: \[0.2\]"),
        ([claim()], [row([0.5] * 9 + [None])], r"fails with 1 of 10 seeds: It wins: \[None\]"),
        ([claim()], [row([0.5] * 9 + [0.3], kept=9)], "fails with 1 of 10 seeds: It wins"),
    ],
)
def test_what_was_not_recorded_is_told(script, claims, rows, told):
    (problem,) = unproven(script, json.loads(json.dumps(claims)), json.loads(json.dumps(rows)))
    assert re.match(told, problem)
