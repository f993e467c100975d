"""course.py: it installs once, can be interrupted and repeated, says what is wrong, and hands over.

A stub stands for Python, pip and tlcourse: it writes down how it was called, and answers as it is told to.
"""

import ast
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tlcourse.classroom.cli import system_language

ROOT = Path(__file__).resolve().parents[2]
PROJECT = '[project]\ndependencies = [\n  "pytest>=8",\n  "no-such-package",\n]\n'
INSTALLS = ["pip install", "pip install", "pip install"]  # pip itself, the course, learn2learn

STUB = """#!{python}
import os, pathlib, shutil, sys, time
arguments = " ".join(sys.argv[1:])
with open({calls!r}, "a") as file:
    file.write(arguments + "\\n")
if arguments.startswith("-m venv"):
    target = pathlib.Path(sys.argv[-1])
    shutil.rmtree(target, ignore_errors=True)
    (target / "bin").mkdir(parents=True)
    shutil.copy(__file__, target / "bin" / "python")
    (target / "pyvenv.cfg").write_text("version = 3.12.1")
    package = target / "lib" / "python3.12" / "site-packages" / "pip-26.dist-info"
    package.mkdir(parents=True)
    (package / "INSTALLER").write_text("pip")
if arguments.startswith("-m pip install") and os.environ.get("FAIL", "never") in arguments:
    print(os.environ["SAY"])
    sys.exit(1)
if os.environ.get("SLEEP", "never") in arguments:
    print("sleeping", flush=True)
    time.sleep(60)
if arguments.startswith("-m tlcourse"):
    sys.exit(5)
"""


@pytest.fixture
def project(tmp_path):
    """A checkout with nothing but course.py and what it reads, and the stub beside it."""
    shutil.copy(ROOT / "course.py", tmp_path)
    (tmp_path / "pyproject.toml").write_text(PROJECT, encoding="utf-8")
    (tmp_path / "constraints.txt").write_text("pytest==9\n", encoding="utf-8")
    stub = tmp_path / "stub"
    stub.write_text(STUB.format(python=sys.executable, calls=str(tmp_path / "calls")), encoding="utf-8")
    stub.chmod(0o755)
    return tmp_path


def command(project, *arguments):
    """course.py, run by the Python that this one's environment was made from, which calls the stub."""
    program = (
        "import runpy, shutil, sys; from types import SimpleNamespace as N; sys.executable = sys.argv.pop(1);"
        "shutil.disk_usage = lambda path: N(free=100e9);"
        "sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    python = getattr(sys, "_base_executable", sys.executable)
    return [python, "-c", program, str(project / "stub"), str(project / "course.py"), *arguments]


def environment(**variables):
    kept = {k: v for k, v in os.environ.items() if k not in ("CONDA_PREFIX", "LC_ALL", "LC_MESSAGES", "VIRTUAL_ENV")}
    return {**kept, "LANG": "en_US.UTF-8", "PYTHONUTF8": "1", **variables}


def course(project, *arguments, **variables):
    return subprocess.run(
        command(project, *arguments), env=environment(**variables), capture_output=True, text=True, encoding="utf-8"
    )


def calls(project):
    """How the stub was called since the last time, shortened to module and verb."""
    file = project / "calls"
    lines = file.read_text().splitlines() if file.exists() else []
    file.unlink(missing_ok=True)
    return [re.sub(r"^-m (\w+) ?(install|--version|--clear)?.*", r"\1 \2", line).strip() for line in lines]


posix = pytest.mark.skipif(os.name == "nt", reason="the stub is a POSIX script")


@posix
def test_the_first_start_installs_and_hands_over(project):
    done = course(project, "lab", "02", "--lang", "en")
    assert done.returncode == 5, "the exit status is that of tlcourse"
    lines = (project / "calls").read_text().splitlines()
    assert lines[-1] == "-m tlcourse lab 02 --lang en"
    assert f"--editable {project}" in lines[2] and f"--constraint {project / 'constraints.txt'}" in lines[2]
    assert "--no-deps" in lines[3] and "--use-pep517" in lines[3]
    assert calls(project) == ["venv --clear", *INSTALLS, "tlcourse"]
    steps = [line for line in done.stdout.splitlines() if line.startswith("[")]
    assert [step[:5] for step in steps[::2]] == ["[1/4]", "[2/4]", "[3/4]", "[4/4]"]
    assert all(step.endswith("…") for step in steps[::2]) and all(": ok (" in step for step in steps[1::2])
    assert "learn2learn: built" in (project / ".venv" / ".tlcourse-complete").read_text()
    assert "-m pip install" in (project / ".venv" / "install.log").read_text()


@posix
def test_the_second_start_hands_over_at_once(project):
    course(project)
    calls(project)
    start = time.perf_counter()
    done = course(project, "doctor")
    assert time.perf_counter() - start < 3
    assert calls(project) == ["tlcourse"] and done.stdout == ""


@posix
@pytest.mark.parametrize("file", ["pyproject.toml", "constraints.txt", ".venv/pyvenv.cfg"])
def test_changed_requirements_are_installed(project, file):
    course(project)
    calls(project)
    with open(project / file, "a") as changed:
        changed.write("\n# changed")
    course(project)
    assert calls(project) == ["pip --version", *INSTALLS, "tlcourse"]


@posix
@pytest.mark.parametrize(
    ("said", "english", "polish"),
    [
        ("ERROR: [Errno 28] No space left on device", "The disk is full", "Dysk jest pełny"),
        ("NewConnectionError(…): name resolution\nERROR: No matching distribution found", "HTTPS_PROXY", "HTTPS_PROXY"),
        ("pip._vendor.urllib3.exceptions.ReadTimeoutError: Read timed out.", "A download failed", "Pobieranie"),
        ("ERROR: No matching distribution found for torch", "no version for Python", "nie ma wersji dla Pythona"),
        ("something nobody has seen", "something nobody has seen", "something nobody has seen"),
    ],
)
def test_a_failed_installation_says_why_and_the_next_start_goes_on(project, said, english, polish):
    trouble = {"FAIL": "--editable", "SAY": said}
    for words, language in ((english, "en_US.UTF-8"), (polish, "pl_PL.UTF-8")):
        done = course(project, LANG=language, **trouble)
        assert done.returncode == 1
        assert words in done.stderr and "install.log" in done.stderr and "Traceback" not in done.stderr
        assert not (project / ".venv" / ".tlcourse-complete").exists()
    assert said.splitlines()[0] in (project / ".venv" / "install.log").read_text(encoding="utf-8")
    calls(project)
    assert course(project).returncode == 5
    assert calls(project) == ["pip --version", *INSTALLS, "tlcourse"], "without making the environment anew"


@posix
def test_an_environment_cut_short_is_made_anew(project):
    course(project)
    (project / ".venv" / ".tlcourse-complete").unlink()
    (project / ".venv/lib/python3.12/site-packages/torch-2.dist-info").mkdir()  # no INSTALLER: not whole
    calls(project)
    assert course(project).returncode == 5
    assert calls(project) == ["venv --clear", *INSTALLS, "tlcourse"]
    (project / ".venv/bin/python").unlink()
    calls(project)
    assert course(project).returncode == 5
    assert calls(project) == ["venv --clear", *INSTALLS, "tlcourse"]


@posix
def test_without_learn2learn_the_course_opens(project):
    done = course(project, FAIL="learn2learn.txt", SAY="error: command 'gcc' failed: No such file or directory")
    assert done.returncode == 5
    assert "lesson 09" in done.stdout and "build-essential" in done.stdout
    assert "learn2learn: missing" in (project / ".venv" / ".tlcourse-complete").read_text()
    calls(project)
    assert course(project, "learn2learn").returncode == 0
    assert calls(project) == ["pip install"]
    failing = course(project, "learn2learn", FAIL="learn2learn.txt", SAY="error: command 'gcc' failed")
    assert failing.returncode == 1


@posix
def test_only_the_build_of_learn2learn_may_fail(project):
    """A download that fails there ends the installation, as it does elsewhere: the next start gets it."""
    done = course(project, FAIL="learn2learn.txt", SAY="Max retries exceeded with url")
    assert done.returncode == 1 and "A download failed" in done.stderr
    assert not (project / ".venv" / ".tlcourse-complete").exists()


@posix
@pytest.mark.parametrize("step", ["venv", "--editable", "learn2learn.txt"])
def test_ctrl_c_stops_safely(project, step):
    child = subprocess.Popen(
        command(project, "--verbose"), env=environment(SLEEP=step), text=True, encoding="utf-8",
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    for line in child.stdout:
        if "sleeping" in line:
            break
    os.killpg(child.pid, signal.SIGINT)  # as a terminal does
    out, errors = child.communicate(timeout=20)
    assert child.returncode == 130
    assert "it goes on from here" in out and 'course.py", line' not in errors
    assert not (project / ".venv" / ".tlcourse-complete").exists()
    calls(project)
    assert course(project).returncode == 5
    assert calls(project)[-4:] == [*INSTALLS, "tlcourse"]


@posix
def test_asking_for_help_installs_nothing(project):
    done = course(project, "--help")
    assert done.returncode == 0 and calls(project) == []
    assert "Start the course" in done.stdout and "Uruchom kurs" in done.stdout


@posix
def test_an_environment_of_the_reader_s_own_is_used_if_it_is_complete(project):
    lacking = course(project, TLCOURSE_USE_THIS_PYTHON="1")
    assert lacking.returncode == 1 and "no-such-package" in lacking.stderr and calls(project) == []
    (project / "pyproject.toml").write_text("[project]\ndependencies = [\n]\n")
    folder = project / "packages" / "tlcourse-0.1.0.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: tlcourse\nVersion: 0.1.0\n")
    for variable in ("TLCOURSE_USE_THIS_PYTHON", "CONDA_PREFIX"):
        done = course(project, "doctor", PYTHONPATH=str(folder.parent), **{variable: "1"})
        assert done.returncode == 5 and calls(project) == ["tlcourse"]
        assert not (project / ".venv").exists()
    assert course(project, PYTHONPATH=str(folder.parent)).returncode == 5
    assert (project / ".venv").exists(), "a system's Python is not relied on"


@pytest.fixture
def module(project, set_locale):
    """The module course, of the project that has no environment yet."""
    spec = importlib.util.spec_from_file_location("course", project / "course.py")
    loaded = importlib.util.module_from_spec(spec)
    set_locale(LANG="en_US.UTF-8")
    spec.loader.exec_module(loaded)
    return loaded


def test_a_small_disk_is_told_before_anything_is_made(module, project, monkeypatch):
    usage = shutil.disk_usage(project)._replace(free=1_500_000_000)
    monkeypatch.setattr(module.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(SystemExit, match=r"needs \d+ GB, and .* has only 1\.5 GB free"):
        module.make_environment(verbose=False)
    assert not (project / ".venv").exists()


def test_an_old_python_is_told_what_to_do(module, monkeypatch):
    monkeypatch.setattr(module.sys, "version_info", (3, 9, 18))
    for polish, words in ((False, "needs Python 3.10 or later"), (True, "wymaga Pythona 3.10")):
        monkeypatch.setattr(module, "POLISH", polish)
        with pytest.raises(SystemExit, match=words):
            module.main([])


@pytest.mark.parametrize("name", ["python2.7", "python3.6", "python3.8"])
def test_a_real_old_python_can_read_the_file(name):
    found = [shutil.which(name)]
    if pyenv := shutil.which("pyenv"):  # what it has installed need not be on the path
        listed = subprocess.run([pyenv, "whence", "--path", name], capture_output=True, text=True)
        found = [*listed.stdout.splitlines(), *found]
    works = [path for path in found if path and subprocess.run([path, "-V"], capture_output=True).returncode == 0]
    if not works:
        pytest.skip(f"no {name} here")
    done = subprocess.run([works[0], str(ROOT / "course.py")], capture_output=True, env=environment())
    assert done.returncode == 1
    assert b"needs Python 3.10 or later" in done.stderr and b"SyntaxError" not in done.stderr


def test_the_syntax_is_that_of_old_pythons():
    """What Python 2.7 cannot read, as far as a syntax tree shows it."""
    for node in ast.walk(ast.parse((ROOT / "course.py").read_text(encoding="utf-8"))):
        assert not isinstance(
            node,
            ast.JoinedStr
            | ast.NamedExpr
            | ast.AnnAssign
            | ast.AsyncFunctionDef
            | ast.Nonlocal
            | ast.YieldFrom
            | ast.Starred
            | ast.Match,
        ) or (isinstance(node, ast.Starred) and isinstance(node.value, ast.Name | ast.Attribute)), ast.dump(node)
        if isinstance(node, ast.FunctionDef):
            assert not node.args.kwonlyargs and not node.args.posonlyargs and node.returns is None
            assert all(argument.annotation is None for argument in node.args.args)
        if isinstance(node, ast.Raise):
            assert node.cause is None
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
            assert not node.keywords and len(node.args) == 1


@pytest.mark.parametrize(
    "variables",
    [
        {"LANG": "pl_PL.UTF-8"},
        {"LANG": "C.UTF-8"},
        {"LANG": "pl_PL.UTF-8", "LC_ALL": "de_DE.UTF-8"},
        {"LANG": "en_US.UTF-8", "LC_MESSAGES": "pl_PL"},
        {"LANG": "pl_PL.UTF-8", "LC_ALL": ""},
    ],
)
def test_language_is_decided_as_by_the_command_line(module, set_locale, variables):
    set_locale(**variables)
    assert module.polish([]) == (system_language() == "pl")
    assert module.polish(["lab", "--lang", "pl"]) and module.polish(["--lang=pl"])
    assert not module.polish(["lab", "--lang", "en"])


def test_missing_packages_reads_the_project_s_own_list(module, monkeypatch):
    """Against a real parser, with nothing installed."""
    tomllib = pytest.importorskip("tomllib", reason="Python 3.11 has a parser of TOML")
    from importlib import metadata

    def not_found(name):
        raise metadata.PackageNotFoundError

    monkeypatch.setattr(module, "ROOT", str(ROOT))
    monkeypatch.setattr(metadata, "version", not_found)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert module.missing_packages() == ["tlcourse", *(Requirement(line).name for line in project["dependencies"])]


def test_progress_names_the_package_and_the_share(module):
    item = ""
    shown = []
    for line in (
        "Collecting torch>=2.6 (from tlcourse==0.1.0)\n",
        "  Downloading torch-2.15.0-cp311-cp311-linux_x86_64.whl (526.0 MB)\n",
        "Progress 131 of 526\n",
        "Progress 526 of 526\n",
        "Installing collected packages: a, b, c\n",
    ):
        item = module.progress(line, item)
        shown.append(item)
    wheel = "torch-2.15.0-cp311-cp311-linux_x86_64.whl"
    assert shown == ["torch", wheel, f"{wheel} 25%", f"{wheel} 100%", "unpacking 3 packages"]
