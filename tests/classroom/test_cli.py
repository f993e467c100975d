"""The command line: which command gets what, in which language, and how quickly it answers."""

import subprocess
import sys
import time

import pytest

from tlcourse.classroom import cli, doctor, lab, language, run, testing

LOCALES = [
    ({"LANG": "pl_PL.UTF-8"}, "pl"),
    ({"LANG": "en_GB.UTF-8"}, "en"),
    ({"LANG": "C.UTF-8"}, "en"),
    ({"LANG": "pl_PL.UTF-8", "LC_ALL": "de_DE.UTF-8"}, "en"),
    ({"LANG": "en_US.UTF-8", "LC_MESSAGES": "pl_PL"}, "pl"),
    ({"LANG": "pl_PL.UTF-8", "LC_ALL": ""}, "pl"),
]


@pytest.fixture(autouse=True)
def english(set_locale):
    set_locale(LANG="en_US.UTF-8")
    yield
    language.use_language("en")


@pytest.fixture
def calls(monkeypatch):
    """What each command was called with."""
    made = []

    def recorder(name):
        def call(*args, **options):
            made.append((name, args[1:], options, language.t("en", "pl")))
            return 7

        return call

    for module, name in ((lab, "open_lab"), (run, "run_lessons"), (testing, "run_tests"), (doctor, "examine")):
        monkeypatch.setattr(module, name, recorder(name))
    return made


@pytest.mark.parametrize(("variables", "expected"), LOCALES)
def test_language_is_the_system_s(set_locale, variables, expected):
    set_locale(**variables)
    assert cli.system_language() == expected


@pytest.mark.parametrize(
    ("name", "expected"), [("Polish_Poland", "pl"), ("pl_PL", "pl"), ("en_US", "en"), (None, "en")]
)
def test_language_without_variables_is_that_of_the_locale(monkeypatch, set_locale, name, expected):
    set_locale()
    monkeypatch.setattr(cli.locale, "getlocale", lambda: (name, "UTF-8"))
    assert cli.system_language() == expected


def test_commands_get_their_options(calls):
    assert cli.main(["lab", "02", "--lang", "pl", "--fresh", "--no-browser", "--port", "8899"]) == 7
    assert cli.main(["run", "02", "03", "--device=cpu", "--lang=pl"]) == 7
    assert cli.main(["test", "--fast", "-k", "boards"]) == 7
    assert cli.main(["doctor", "--lang", "pl"]) == 7
    assert calls == [
        ("open_lab", ("02", "pl"), {"fresh": True, "options": ["--no-browser", "--port", "8899"]}, "pl"),
        ("run_lessons", (["02", "03"], "pl", "cpu"), {}, "pl"),
        ("run_tests", (), {"fast": True, "options": ["-k", "boards"]}, "en"),
        ("examine", (), {}, "pl"),
    ]


def test_without_a_command_the_lab_opens_on_the_first_lesson(calls):
    cli.main([])
    cli.main(["--lang", "pl", "--no-browser"])
    assert [call[0:2] for call in calls] == [("open_lab", ("00", "en")), ("open_lab", ("00", "pl"))]
    assert calls[1][2]["options"] == ["--no-browser"]


def test_build_gets_all_its_arguments(monkeypatch):
    from tlcourse.classroom import build

    monkeypatch.setattr(build, "main", lambda arguments: arguments)
    assert cli.main(["build", "02", "--lang", "pl", "--check"]) == ["02", "--lang", "pl", "--check"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["lab", "--lang", "de"], "--lang de: give one of en, pl"),
        (["lab", "--lang"], "give one of en, pl"),
        (["run", "02", "--device", "tpu"], "--device tpu: give one of auto, cpu, cuda"),
        (["fly"], "There is no command 'fly'"),
    ],
)
def test_wrong_arguments_are_explained(calls, arguments, said):
    with pytest.raises(SystemExit, match=said):
        cli.main(arguments)
    assert not calls


def test_help_is_in_the_reader_s_language(capsys):
    assert cli.main(["--help"]) == 0
    assert cli.main(["lab", "-h", "--lang", "pl"]) == 0
    out = capsys.readouterr().out
    assert "open JupyterLab" in out and "otwórz lekcję" in out


def test_help_takes_under_half_a_second():
    """The least of three: others may be busy on the machine."""
    taken = []
    for _ in range(3):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "tlcourse", "--help"], cwd=cli.ROOT, check=True, capture_output=True)
        taken.append(time.perf_counter() - start)
    assert min(taken) < 0.5


def test_starting_imports_nothing_heavy():
    probe = "import sys, tlcourse.classroom.cli as c; print([m for m in c.HEAVY if m in sys.modules])"
    probe = probe.replace("c.HEAVY", "('torch', 'numpy', 'jupyterlab', 'nbclient', 'matplotlib', 'IPython')")
    done = subprocess.run([sys.executable, "-c", probe], cwd=cli.ROOT, check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
