"""Devices, seeds, folders."""

import hashlib
import random

import numpy as np
import pytest
import torch

from tlcourse.runtime import cache_dir, pick_device, replacing, seed_everything, sha256


def test_seeds_repeat():
    def numbers():
        seed_everything(7)
        return random.random(), np.random.rand(), torch.rand(1).item()

    assert numbers() == numbers()


def test_the_cache_can_be_moved(monkeypatch, tmp_path):
    monkeypatch.setenv("TLCOURSE_CACHE", str(tmp_path / "a" / "b"))
    assert cache_dir() == tmp_path / "a" / "b" and cache_dir().is_dir()


def test_the_environment_decides_what_auto_means(monkeypatch):
    monkeypatch.setenv("TLCOURSE_DEVICE", "cpu")
    assert pick_device().type == "cpu"
    monkeypatch.setenv("TLCOURSE_DEVICE", "tpu9")
    with pytest.raises(ValueError, match="'auto', 'cpu'"):
        pick_device()
    assert pick_device("cpu").type == "cpu"


def test_digest(tmp_path):
    file = tmp_path / "file"
    file.write_bytes(b"x" * 3_000_000)
    assert sha256(file) == hashlib.sha256(b"x" * 3_000_000).hexdigest()


def test_devices_that_are_not_there_are_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(RuntimeError, match="no CUDA GPU"):
        pick_device("cuda")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert pick_device("cuda:1").index == 1
    with pytest.raises(RuntimeError, match="2 CUDA GPUs"):
        pick_device("cuda:7")
    with pytest.raises(ValueError, match="'cpu' and 'cuda'"):
        pick_device("meta")


def test_the_cache_follows_the_system_and_an_empty_variable_counts_as_none(monkeypatch, tmp_path):
    monkeypatch.delenv("TLCOURSE_CACHE", raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert cache_dir() == tmp_path / "cache" / "tlcourse"
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_dir() == tmp_path / ".cache" / "tlcourse"


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    file = tmp_path / "folder" / "file"
    with replacing(file) as name:
        name.write_text("old")
    with pytest.raises(KeyboardInterrupt), replacing(file) as name:
        name.write_text("half of the n")
        raise KeyboardInterrupt
    assert file.read_text() == "old" and [*file.parent.iterdir()] == [file]
