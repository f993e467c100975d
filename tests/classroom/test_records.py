import dataclasses
import json
import os

import numpy as np
import pytest
import torch

from tlcourse.classroom import records
from tlcourse.classroom.records import recorded, save_record


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "recorded"


def save(folder, results, name="demo", **options):
    options = {"seeds": [0, 1, 2], "seconds": 12.3456789, **options}
    return save_record(name, "benchmarks/demo.py", results=results, folder=folder, **options)


def test_what_is_saved_is_read_back(folder):
    results = {
        "tensor": torch.tensor([[1.0, 2.0]]), "array": np.arange(2), "scalar": np.float32(0.5), "none": None,
        "flag": True, "text": "źródło", "tuple": (1, 2.5), 3: "integer key",
    }  # fmt: skip
    save(folder, results)
    record = recorded("demo", folder)
    assert record.results == {
        "tensor": [[1.0, 2.0]], "array": [0, 1], "scalar": 0.5, "none": None,
        "flag": True, "text": "źródło", "tuple": [1, 2.5], "3": "integer key",
    }  # fmt: skip
    assert (record.script, record.seeds, record.seconds) == ("benchmarks/demo.py", [0, 1, 2], 12.3457)
    assert record.versions["torch"] == torch.__version__.split("+")[0] or record.versions["torch"] in torch.__version__
    assert set(record.versions) == {"torch", "torchvision", "timm", "numpy"}
    assert len(record.made) == 10
    with pytest.raises(dataclasses.FrozenInstanceError):
        record.name = "other"


def test_the_file_reads_well_in_a_diff(folder):
    file = save(folder, {"b": 1 / 3, "a": [1e-9 / 3, 123456.789], "ł": 1})
    written = file.read_text(encoding="utf-8")
    assert "0.333333\n" in written.replace(",", "") and "3.33333e-10" in written and "123457.0" in written
    assert "ł" in written and written.endswith("}\n")
    keys = list(json.loads(written))
    assert keys == sorted(keys) and written.index('"a"') < written.index('"b"')
    assert file.read_bytes().count(b"\r") == 0


def test_a_failed_write_leaves_the_old_record_whole_and_nothing_beside_it(folder, monkeypatch):
    file = save(folder, {"a": 1})
    before = file.read_bytes()

    def full(*_):
        raise OSError("no space left")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="no space"):
        save(folder, {"a": 2})
    assert file.read_bytes() == before and list(folder.iterdir()) == [file]


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), torch.tensor([1.0, float("nan")])])
def test_what_is_not_finite_is_refused_where_it_stands(folder, bad):
    with pytest.raises(ValueError, match="results.curve"):
        save(folder, {"curve": bad})
    assert not folder.exists()


def test_what_json_cannot_hold_is_refused(folder):
    with pytest.raises(TypeError, match=r"results.runs\[1\] is a set"):
        save(folder, {"runs": [1, {2}]})


def test_a_script_is_named_from_the_repository_on(folder, tmp_path):
    file = save_record("demo", str(records.ROOT / "benchmarks" / "x.py"), [0], {}, 1.0, folder)
    assert json.loads(file.read_text(encoding="utf-8"))["script"] == "benchmarks/x.py"
    with pytest.raises(ValueError, match="outside the repository"):
        save_record("demo", str(tmp_path / "x.py"), [0], {}, 1.0, folder)


def test_an_unknown_record_names_those_there_are(folder):
    save(folder, {}, name="darla")
    save(folder, {}, name="boards")
    with pytest.raises(FileNotFoundError, match="no recorded run 'dalra'.*there are: boards, darla"):
        recorded("dalra", folder)


def test_without_the_repository_one_is_told_to_get_it(tmp_path):
    with pytest.raises(FileNotFoundError, match="work in a checkout"):
        recorded("demo", tmp_path / "none")


@pytest.mark.parametrize(("seeds", "said"), [([0, 1, 2], "seeds 0–2"), ([0, 3, 7], "seeds 0, 3, 7"), ([4], "seed 4")])
def test_the_note_says_where_the_numbers_come_from(folder, shown, seeds, said):
    save(folder, {}, seeds=seeds)
    record = recorded("demo", folder)
    record.note()
    assert repr(shown[0]).startswith(f"Recorded by `benchmarks/demo.py` on {record.made}, {said}: too long")


def test_the_note_in_polish(folder, shown, polish):
    save(folder, {})
    recorded("demo", folder).note()
    assert repr(shown[0]).startswith("Wyniki zapisane przez `benchmarks/demo.py`") and "ziarna 0–2" in repr(shown[0])


def test_every_record_of_the_course_can_be_read():
    for file in (records.ROOT / "data" / "recorded").glob("*.json"):
        record = recorded(file.stem)
        assert (records.ROOT / record.script).is_file() and record.seeds and record.seconds > 0
