"""Who may import whom in the package, and that `import tlcourse` stays light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "tlcourse"
GROUND = {"backbones", "channel_graph", "networks", "runtime", "training"}  # the shared ground
FOLDERS = {"classroom", "data", "rl", "robots"}
MAY_IMPORT = {
    "ground": {"ground"},
    "data": {"ground", "data"},
    "robots": {"ground", "robots"},
    "rl": {"ground", "rl"},  # it knows robots through Gymnasium only
    "technique": {"ground", "rl"},
    "classroom": {"ground", "data", "robots", "rl", "technique", "classroom", "package"},
    "package": {"ground", "data", "robots", "rl", "technique"},
    "command": {"classroom"},
}
# A technique knows another one only where its paper builds on it.
BUILDS_ON = {
    "actor_mimic": {"policy_distillation"},
    "darla": {"beta_vae"},
    "layer_surgery": {"fine_tuning"},
    "modularized": {"network_morphism"},
    "network_morphism": {"net2net"},
    "progressive_fine_tuning": {"feature_extraction", "fine_tuning"},
    "system_identification": {"sim_to_real"},
}
HEAVY = ("torchvision", "timm", "matplotlib", "sklearn")


def layer(module: str) -> str:
    """The layer of a module, given by its path below the package: `data.boards`, or "" for the package itself."""
    top = module.split(".")[0]
    if top in GROUND:
        return "ground"
    return top if top in FOLDERS else {"": "package", "__main__": "command"}.get(top, "technique")


def module_name(path: Path, package: Path) -> str:
    parts = path.relative_to(package).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(path: Path, package: Path) -> set[str]:
    """The modules of the package that a file imports, anywhere in it, as paths below the package."""
    here = ["tlcourse", *path.relative_to(package).parent.parts]
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            start = here[: len(here) + 1 - node.level] if node.level else []
            source = ".".join([*start, *([node.module] if node.module else [])])
            # What is imported from the package itself may be a module of it.
            found |= {f"{source}.{alias.name}" for alias in node.names} if source == "tlcourse" else {source}
    return {name.removeprefix("tlcourse").removeprefix(".") for name in found if name.split(".")[0] == "tlcourse"}


def violations(package: Path) -> list[str]:
    """The imports that break the rules."""
    found = []
    for path in sorted(package.rglob("*.py")):
        module = module_name(path, package)
        for other in sorted(imported(path, package)):
            mine, theirs = module.split(".")[0], other.split(".")[0]
            if mine == theirs or theirs in BUILDS_ON.get(mine, ()):
                continue
            if layer(other) not in MAY_IMPORT[layer(module)]:
                found.append(f"{module or '__init__'} imports {other or 'tlcourse'}")
    return found


def test_the_package_keeps_the_rules():
    assert violations(PACKAGE) == []


@pytest.mark.parametrize(
    ("file", "text", "told"),
    [
        ("data/boards.py", "from ..fine_tuning import freeze", "data.boards imports fine_tuning"),
        ("data/boards.py", "def f():\n    import tlcourse.classroom.plots", "imports classroom.plots"),
        ("runtime.py", "from . import maml", "runtime imports maml"),
        ("robots/arm.py", "from tlcourse import rl", "robots.arm imports rl"),
        ("rl/dqn.py", "from ..robots.arm import Arm", "rl.dqn imports robots.arm"),
        ("maml.py", "from .darla import see", "maml imports darla"),
        ("maml.py", "from .classroom import t", "maml imports classroom"),
        ("backbones.py", "from .data import boards", "backbones imports data"),
        ("__init__.py", "from .classroom.language import t", "__init__ imports classroom.language"),
    ],
)
def test_a_forbidden_import_is_found(tmp_path, file, text, told):
    path = tmp_path / file
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    assert len(found := violations(tmp_path)) == 1 and told in found[0]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("maml.py", "import torch\nfrom .training import fit\nfrom .rl import dqn"),
        ("actor_mimic.py", "from .policy_distillation import distil"),
        ("data/boards.py", "from . import glyphs\nfrom ..runtime import cache_dir"),
        ("classroom/lab.py", "from .. import __version__\nfrom ..maml import MAML\nfrom .language import t"),
        ("__main__.py", "from .classroom.cli import main"),
    ],
)
def test_an_allowed_import_is_allowed(tmp_path, file, text):
    path = tmp_path / file
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    assert violations(tmp_path) == []


def run_python(code: str) -> str:
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=PACKAGE.parent, check=True, capture_output=True, encoding="utf-8").stdout


def test_importing_the_package_imports_nothing_heavy():
    loaded = run_python("import sys, tlcourse\nprint(*{name.split('.')[0] for name in sys.modules})").split()
    assert "tlcourse" in loaded and not set(HEAVY) & set(loaded)


def test_importing_the_package_takes_no_time():
    """Under 0.3 s beyond `import torch`; the least of five, for the machine may be busy."""
    code = (
        "import sys, time\n{}\nstart = time.perf_counter()\nimport tlcourse\n"
        "print(time.perf_counter() - start, 'torch' in sys.modules)"
    )
    # Where the package does without torch, so can the measurement.
    first = "import torch" if run_python(code.format("")).split()[1] == "True" else ""
    assert min(float(run_python(code.format(first)).split()[0]) for _ in range(5)) < 0.3
