"""The doctor: a healthy part has no advice, a sick one says what it is and what to do."""

import subprocess
import sys
from importlib import metadata
from types import SimpleNamespace

from tlcourse.classroom import doctor

ROOT = doctor.Path(__file__).resolve().parents[2]


def test_findings_are_printed_and_counted(monkeypatch, capsys):
    def sick(root):
        yield doctor.Finding("a limp", "rest")

    for name in ("python", "packages", "torch_and_device", "learn2learn", "weights", "resources", "readers_work"):
        monkeypatch.setattr(doctor, name, lambda root: [doctor.Finding("sound")])
    assert doctor.examine(ROOT) == 0
    assert "✓ sound\n" in capsys.readouterr().out
    monkeypatch.setattr(doctor, "weights", sick)
    assert doctor.examine(ROOT) == 1
    out = capsys.readouterr().out
    assert "✗ a limp\n    → rest\n" in out and "1 to mend" in out


def test_the_weights_are_checked_byte_for_byte(monkeypatch):
    healthy = list(doctor.weights(ROOT))
    assert len(healthy) == 2 and not any(finding.advice for finding in healthy)
    monkeypatch.setattr("tlcourse.backbones.BUNDLED_SHA256", "0" * 64)
    monkeypatch.setattr(doctor, "MINILM_SHA256", "1" * 64)
    for finding, expected in zip(doctor.weights(ROOT), ("0" * 64, "1" * 64), strict=True):
        assert "damaged" in finding.what and expected in finding.advice


def test_packages_that_lack_or_are_too_old(monkeypatch):
    monkeypatch.setattr(metadata, "requires", lambda name: ["torch>=99", "no-such-package>=1", "x; extra == 'dev'"])
    old, missing, _ = doctor.packages(ROOT)
    assert old.what == f"torch {metadata.version('torch')}"
    assert "torch>=99" in old.advice and doctor.reinstall(ROOT) in old.advice
    assert missing.what == "no-such-package is missing" and missing.advice


def test_a_version_that_was_not_tested_is_no_problem(monkeypatch, tmp_path):
    monkeypatch.setattr(metadata, "requires", lambda name: ["numpy>=1", "torch>=2"])
    (tmp_path / "constraints.txt").write_text(
        '# tested\nnumpy==0.1 ; python_version >= "3.10"\nnumpy==0.2 ; python_version < "3.10"\n', encoding="utf-8"
    )
    (finding,) = doctor.packages(tmp_path)
    assert f"numpy {metadata.version('numpy')} (tested: 0.1), torch " in finding.what and not finding.advice


def test_in_the_course_s_own_environment_the_advice_is_to_make_it_anew(monkeypatch, tmp_path):
    assert "pip install" in doctor.reinstall(tmp_path)
    monkeypatch.setattr(sys, "prefix", str(tmp_path / ".venv"))
    assert "delete the folder .venv" in doctor.reinstall(tmp_path)


def test_a_torchvision_beside_another_s_torch_is_recognised(monkeypatch, tmp_path):
    (tmp_path / "torchvision.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "torchvision", raising=False)
    (finding,) = doctor.torch_and_device(ROOT)
    assert "torchvision::nms" in finding.what and "from two places" in finding.advice


def test_a_card_that_torch_does_not_see_is_a_problem(monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(doctor.shutil, "which", lambda name: None)
    (finding,) = doctor.torch_and_device(ROOT)
    assert finding.what.startswith("CPU") and not finding.advice
    monkeypatch.setattr(doctor.shutil, "which", lambda name: name)
    monkeypatch.setattr(subprocess, "run", lambda *a, **k: SimpleNamespace(stdout=b"GPU 0: one\n"))
    (finding,) = doctor.torch_and_device(ROOT)
    assert "driver" in finding.advice


def test_learn2learn_missing_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(doctor.importlib.util, "find_spec", lambda name: None)
    (finding,) = doctor.learn2learn(ROOT)
    assert "lesson 09" in finding.what and "course.py learn2learn" in finding.advice


def test_little_disk_and_memory_are_problems(monkeypatch):
    assert not any(finding.advice for finding in list(doctor.resources(ROOT))[2:]), "JupyterLab's Polish is there"
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda root: SimpleNamespace(free=2e8))
    monkeypatch.setattr(doctor.psutil, "virtual_memory", lambda: SimpleNamespace(available=1e9, total=4e9))
    disk, memory, _ = doctor.resources(ROOT)
    assert "at least 1 GB" in disk.advice and "2 GB" in memory.advice


def test_changed_notebooks_are_told(tmp_path):
    def git(*arguments):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
        subprocess.run(["git", *identity, *arguments], cwd=tmp_path, check=True, capture_output=True)

    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "a.ipynb").write_text("one")
    (tmp_path / "work" / "pl").mkdir(parents=True)
    (tmp_path / "work" / "pl" / "00_start.ipynb").write_text("copy")
    git("init", "-q")
    git("add", "notebooks")
    git("commit", "-qm", "one")
    copies, notebooks = doctor.readers_work(tmp_path)
    assert "1 copies" in copies.what and not notebooks.advice
    (tmp_path / "notebooks" / "a.ipynb").write_text("two")
    _, notebooks = doctor.readers_work(tmp_path)
    assert "1 changed" in notebooks.what and "git restore" in notebooks.advice
