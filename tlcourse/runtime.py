"""Where and how things run: the device, the seeds, the folder for what is computed once."""

import contextlib
import hashlib
import os
import random
import sys
from collections.abc import Iterator
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
    said = "device"
    if str(device) == "auto" and os.environ.get("TLCOURSE_DEVICE"):
        said, device = "the environment variable TLCOURSE_DEVICE", os.environ["TLCOURSE_DEVICE"]
    if str(device) == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
    except RuntimeError as error:
        raise ValueError(f"{said} is {device!r}; give 'auto', 'cpu', 'cuda' or 'cuda:0'") from error
    if chosen.type not in ("cpu", "cuda"):
        raise ValueError(f"{said} is {device!r}; the course runs on 'cpu' and 'cuda'")
    if chosen.type == "cuda" and (chosen.index or 0) >= torch.cuda.device_count():
        found = torch.cuda.device_count()
        raise RuntimeError(
            f"{said} is {device!r}, but torch sees {found or 'no'} CUDA GPU{'s' * (found > 1)}; use 'auto'"
        )
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
        folder = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "tlcourse"
    else:
        folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tlcourse"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextlib.contextmanager
def replacing(file: str | Path) -> Iterator[Path]:
    """A name to write to, which replaces the file when the block ends well; so the file is whole or not there.

    The folder is made if need be; a block that fails leaves the old file as it was, and nothing beside it.
    """
    file = Path(file)
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(f"{file.name}.{os.getpid()}.part")
    try:
        yield unfinished
        os.replace(unfinished, file)
    finally:
        unfinished.unlink(missing_ok=True)


def sha256(file: str | Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    digest = hashlib.sha256()
    with open(file, "rb") as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
