"""Where and how things run: the device, the seeds, the folder for what is computed once."""

import hashlib
import os
import random
import sys
from pathlib import Path

import numpy as np
import torch


def pick_device(device: str | torch.device = "auto") -> torch.device:
    """The device to compute on: `"auto"` takes a CUDA GPU where there is one, else the CPU.

    `"auto"` can be overruled from outside by the environment variable `TLCOURSE_DEVICE`, so that
    a whole lesson is moved to another device without a change.

    Raises:
        ValueError: the name is no device.
        RuntimeError: CUDA is asked for and not available.
    """
    if str(device) == "auto":
        device = os.environ.get("TLCOURSE_DEVICE") or "auto"
    if str(device) == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
    except RuntimeError as error:
        raise ValueError(f"{device!r} is no device; give 'auto', 'cpu', 'cuda' or 'cuda:0'") from error
    if chosen.type == "cuda" and not torch.cuda.is_available():
        raise RuntimeError(f"device {device!r} was asked for, but torch sees no CUDA GPU; use 'auto' or 'cpu'")
    return chosen


def seed_everything(seed: int) -> None:
    """Seed Python's, NumPy's and torch's random numbers, on every device."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def cache_dir() -> Path:
    """The folder for what is computed once and kept; `TLCOURSE_CACHE` moves it. It is made if need be."""
    if chosen := os.environ.get("TLCOURSE_CACHE"):
        folder = Path(chosen).expanduser()
    elif sys.platform == "win32":
        folder = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "tlcourse"
    else:
        folder = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "tlcourse"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def sha256(file: str | Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    digest = hashlib.sha256()
    with open(file, "rb") as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
