"""The ways to install say one thing: pyproject.toml, constraints.txt, environment.yml, course.py and the code."""

import ast
import re
import sys
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
OPTIONAL = {"learn2learn"}  # course.py builds it; only a comparison imports it


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def name_of(text):
    """A distribution's name as registries compare it."""
    return re.sub(r"[-_.]+", "-", text).lower()


@pytest.fixture(scope="module")
def project():
    tomllib = pytest.importorskip("tomllib", reason="Python 3.11 has a parser of TOML")
    return tomllib.loads(read("pyproject.toml"))["project"]


@pytest.fixture(scope="module")
def pins():
    """Each line of constraints.txt as a requirement."""
    return [Requirement(line) for line in read("constraints.txt").splitlines() if not line.startswith("#")]


def test_conda_installs_the_project_itself(project):
    """No list of its own that could drift: Python, pip, and the rest from pyproject.toml and constraints.txt."""
    environment = yaml.safe_load(read("environment.yml"))
    conda, pip = environment["dependencies"][:-1], environment["dependencies"][-1]["pip"]
    assert pip == ["-c constraints.txt", "-e ."]
    names = {re.split(r"[=<>]", package)[0]: package for package in conda}
    assert set(names) == {"python", "pip"}
    python = names["python"].partition("=")[2].strip("=") + ".0"
    assert python in Requirement("python" + project["requires-python"]).specifier


def test_every_dependency_has_a_tested_version_in_its_range(project, pins):
    """For the oldest Python and for newer ones."""
    groups = project["optional-dependencies"].values()
    required = [Requirement(line) for line in [*project["dependencies"], *(line for group in groups for line in group)]]
    for version in ("3.10", "3.11", "3.12", "3.13"):
        environment = {"python_version": version, "python_full_version": version + ".0"}
        here = [pin for pin in pins if pin.marker is None or pin.marker.evaluate(environment)]
        tested = {name_of(pin.name): str(pin.specifier).removeprefix("==") for pin in here}
        assert len(tested) == len(here), "one version of each package"
        for requirement in required:
            assert requirement.specifier.contains(tested[name_of(requirement.name)]), (version, str(requirement))


def test_constraints_are_exact_and_name_no_place(pins):
    assert all(re.fullmatch(r"==[\w.]+", str(pin.specifier)) and pin.url is None for pin in pins)
    assert not [pin.name for pin in pins if pin.name.startswith(("nvidia-", "cuda-", "triton"))]


def test_what_the_package_imports_is_declared(project):
    declared = {name_of(Requirement(line).name) for line in project["dependencies"]} | OPTIONAL
    homes = metadata.packages_distributions()
    for file in sorted((ROOT / "tlcourse").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                modules = [node.module]
            for module in {name.partition(".")[0] for name in modules} - set(sys.stdlib_module_names) - {"tlcourse"}:
                owners = {name_of(name) for name in homes.get(module, [module])}
                assert owners & declared, f"{file.relative_to(ROOT)} imports {module}: declare it in pyproject.toml"


def test_git_ignores_what_a_reader_makes():
    ignored = read(".gitignore").splitlines()
    assert {".venv/", "work/", ".cache/", "__pycache__/"} <= set(ignored)
    assert not any("notebooks" in line or "data" in line for line in ignored)
