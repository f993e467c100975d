"""Devices, seeds, folders."""

import hashlib
import random

import numpy as np
import pytest
import torch

from tlcourse.runtime import cache_dir, pick_device, seed_everything, sha256


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
