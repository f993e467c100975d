#!/usr/bin/env python3
# -*- coding: utf-8 -*-
"""Start the course:  python course.py [command …]     without a command it opens JupyterLab
Uruchom kurs:      python course.py [polecenie …]   bez polecenia otwiera JupyterLab

The first start installs the course into .venv (--verbose shows all of it); then it hands over, like every
later one, to the command line `tlcourse`. `python course.py learn2learn` builds learn2learn once more.
Pierwsze uruchomienie instaluje kurs w .venv (--verbose pokazuje wszystko), a potem, tak jak każde następne,
oddaje głos poleceniu `tlcourse`. `python course.py learn2learn` jeszcze raz buduje learn2learn.
"""
# Nothing but the standard library; Python 2.7 too can parse this file, and is told that it is too old.

import glob
import hashlib
import locale
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.abspath(__file__))
VENV = os.path.join(ROOT, ".venv")
WINDOWS = os.name == "nt"
VENV_PYTHON = os.path.join(VENV, "Scripts", "python.exe") if WINDOWS else os.path.join(VENV, "bin", "python")
STAMP = os.path.join(VENV, ".tlcourse-complete")  # written last: with it, the environment is whole
LOG = os.path.join(VENV, "install.log")
# On Linux torch brings the CUDA libraries along: 6.5 GB in the end, more while it unpacks.
DISK_GB = 10 if sys.platform.startswith("linux") else 3

# The C files in learn2learn's package do not compile on today's Python: these two tools make them anew.
LEARN2LEARN = 'learn2learn==0.2.0 --config-settings="--build-option=build_ext"\n'
LEARN2LEARN_TOOLS = "setuptools==80.9.0\ncython==3.3.1\n"

TOO_OLD = (
    """The course needs Python 3.10 or later; this is Python {0}.
  Windows, macOS: install Python from python.org, then: py -3 course.py, python3 course.py
  Debian, Ubuntu: sudo apt install python3 python3-venv
  conda:          conda env create -f environment.yml, then: conda activate tlcourse
A newer one is installed already? Start the course by its name, such as: python3.12 course.py""",
    """Kurs wymaga Pythona 3.10 lub nowszego, a to jest Python {0}.
  Windows, macOS: zainstaluj Pythona z python.org, potem: py -3 course.py, python3 course.py
  Debian, Ubuntu: sudo apt install python3 python3-venv
  conda:          conda env create -f environment.yml, potem: conda activate tlcourse
Masz już nowszego? Uruchom nim kurs, podając jego nazwę, na przykład: python3.12 course.py""",
)

# What a failed step's output says, and what to do about it; the first that is found is told.
TROUBLES = (
    (
        r"No space left on device|Errno 28\b|WinError 112\b|Disk quota exceeded",
        """The disk is full: the course needs about {gb} GB. Free some space (TMPDIR moves temporary
files to another disk), then give the same command again: it goes on from here.""",
        """Dysk jest pełny, a kurs potrzebuje około {gb} GB. Zwolnij miejsce (TMPDIR przenosi pliki
tymczasowe na inny dysk) i powtórz to samo polecenie: instalacja pójdzie dalej od tego miejsca.""",
    ),
    (
        r"name resolution|NameResolutionError|getaddrinfo failed|NewConnectionError|Failed to establish|"
        r"ProxyError|SSLError|Read ?[Tt]ime(out|d out)|ConnectTimeout|Max retries exceeded|IncompleteRead|"
        r"Connection (aborted|reset|refused|broken)|Network is unreachable",
        """A download failed. Check the internet connection, then give the same command again: it goes on from
here. Behind a proxy, set the environment variable HTTPS_PROXY first.""",
        """Pobieranie się nie udało. Sprawdź połączenie z internetem i powtórz to samo polecenie: instalacja
pójdzie dalej od tego miejsca. Za serwerem proxy ustaw najpierw zmienną środowiskową HTTPS_PROXY.""",
    ),
    (
        r"No matching distribution found|ResolutionImpossible",
        """A package has no version for Python {python} on this system. Start the course by a Python from 3.10
to 3.13, such as: python3.12 course.py""",
        """Jeden z pakietów nie ma wersji dla Pythona {python} w tym systemie. Uruchom kurs Pythonem od 3.10
do 3.13, na przykład: python3.12 course.py""",
    ),
    (
        r"ensurepip is not available|No module named '?(ensurepip|venv)",
        "This Python cannot make virtual environments. Debian, Ubuntu: sudo apt install python3-venv",
        "Ten Python nie tworzy środowisk wirtualnych. Debian, Ubuntu: sudo apt install python3-venv",
    ),
)

NO_LEARN2LEARN = (
    """learn2learn could not be built. Only lesson 09's comparison with it needs it; all the rest works.
It wants a C compiler. Debian, Ubuntu: sudo apt install build-essential python3-dev; macOS: xcode-select
--install; Windows: Build Tools for Visual Studio, with C++. Then: python course.py learn2learn""",
    """Nie udało się zbudować learn2learn. Potrzebuje go tylko porównanie w lekcji 09, cała reszta działa.
Trzeba kompilatora C. Debian, Ubuntu: sudo apt install build-essential python3-dev; macOS: xcode-select
--install; Windows: Build Tools for Visual Studio z C++. Potem: python course.py learn2learn""",
)


def polish(arguments):
    """Whether the reader wants Polish: --lang says so, else the system's language."""
    spoken = re.search(r"--lang[ =](en|pl)\b", " ".join(arguments))
    if spoken:
        return spoken.group(1) == "pl"
    given = [os.environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(name)]
    name = given[0] if given else locale.getlocale()[0] or "en"
    return name.lower().startswith(("pl", "polish"))  # Windows says Polish_Poland


def t(english, polski):
    """The text in the reader's language."""
    return polski if POLISH else english


def fail(message):
    """End with a message and exit status 1."""
    sys.stdout.flush()
    sys.exit("\n" + message)


def main(arguments):
    """Find or make the environment, then hand over to `tlcourse`."""
    if sys.version_info < (3, 10):
        fail(t(*TOO_OLD).format(sys.version.split()[0]))
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # a Windows pipe may know no Polish letters
    verbose = "--verbose" in arguments
    arguments = [word for word in arguments if word != "--verbose"]
    python = python_of_reader() or (VENV_PYTHON if is_complete() else None)
    if python is None and set(arguments) & {"-h", "--help"}:  # asking for help installs nothing
        print(__doc__)
        return 0
    try:
        python = python or make_environment(verbose)
        if arguments[:1] == ["learn2learn"]:
            return 0 if install_learn2learn(python, verbose) else 1
    except KeyboardInterrupt:
        print(t("\nStopped. Give the same command again: it goes on from here.",
                "\nPrzerwano. Powtórz to samo polecenie: instalacja pójdzie dalej od tego miejsca."))
        return 130
    return hand_over([python, "-m", "tlcourse"] + arguments)


def python_of_reader():
    """This Python, if it is the reader's own environment (conda, venv) and has all that the course needs."""
    told = os.environ.get("TLCOURSE_USE_THIS_PYTHON") == "1"
    in_venv = sys.prefix != sys.base_prefix and os.path.realpath(sys.prefix) != os.path.realpath(VENV)
    if not (told or in_venv or os.environ.get("CONDA_PREFIX")):
        return None  # a system's Python is neither installed into nor relied on
    missing = missing_packages()
    if missing and told:
        fail(t("TLCOURSE_USE_THIS_PYTHON is set, but this Python lacks: ",
               "TLCOURSE_USE_THIS_PYTHON jest ustawione, ale temu Pythonowi brakuje: ") + ", ".join(missing))
    return None if missing else sys.executable


def missing_packages():
    """Names of what this Python lacks of the course's dependencies, the course included."""
    from importlib.metadata import PackageNotFoundError, version

    project = read(os.path.join(ROOT, "pyproject.toml"))
    block = re.search(r"^dependencies = \[\n(.*?)^\]", project, re.MULTILINE | re.DOTALL).group(1)
    missing = []
    for name in ["tlcourse"] + re.findall(r'^ *"([\w.-]+)', block, re.MULTILINE):
        try:
            version(name)
        except PackageNotFoundError:
            missing.append(name)
    return missing


def is_complete():
    """Whether .venv was made to its end, from the requirements as they are now."""
    return os.path.exists(VENV_PYTHON) and read(STAMP).startswith(fingerprint())


def fingerprint():
    """A digest of what decides what is installed: the requirements, the Python of .venv, this folder."""
    names = [os.path.join(ROOT, "pyproject.toml"), os.path.join(ROOT, "constraints.txt")]
    parts = [read(name) for name in names + [os.path.join(VENV, "pyvenv.cfg")]]
    parts += [ROOT, LEARN2LEARN, LEARN2LEARN_TOOLS]
    return hashlib.sha256("\0".join(parts).encode("utf-8")).hexdigest()


def make_environment(verbose):
    """Make .venv, or finish the one an earlier start left; return its Python."""
    start, free = time.time(), shutil.disk_usage(ROOT).free / 1e9
    if free < DISK_GB and not os.path.isdir(VENV):
        fail(t("The course needs {0} GB, and {2} has only {1:.1f} GB free. Free some and start again.",
               "Kurs potrzebuje {0} GB, a w {2} wolne jest {1:.1f} GB. Zwolnij miejsce i uruchom ponownie.",
               ).format(DISK_GB, free, ROOT))
    print(t("Installing the course into .venv: minutes and {0} GB, only this once. Ctrl-C stops it safely.",
            "Instaluję kurs w .venv: kilka minut i {0} GB, tylko ten raz. Ctrl-C bezpiecznie przerywa.",
            ).format(DISK_GB))
    if not can_be_finished():
        step(t("[1/4] an empty environment", "[1/4] puste środowisko"),
             [sys.executable, "-m", "venv", "--clear", VENV], verbose)
    pip = [VENV_PYTHON, "-m", "pip", "install", "--constraint", os.path.join(ROOT, "constraints.txt")]
    step(t("[2/4] the installer, pip", "[2/4] instalator pip"), pip + ["--upgrade", "pip"], verbose)
    step(t("[3/4] the course and all it needs", "[3/4] kurs i wszystko, czego potrzebuje"),
         pip + ["--progress-bar=raw", "--editable", ROOT], verbose)
    built = install_learn2learn(VENV_PYTHON, verbose, "[4/4] learn2learn")
    with open(STAMP + ".new", "w", encoding="utf-8") as file:
        file.write(fingerprint() + "\nlearn2learn: " + ("built" if built else "missing") + "\n")
    os.replace(STAMP + ".new", STAMP)
    print(t("Installed in {0:.0f} s.", "Zainstalowano w {0:.0f} s.").format(time.time() - start))
    return VENV_PYTHON


def can_be_finished():
    """Whether .venv has a pip that runs and no package that was cut short.

    pip writes a package's INSTALLER file after the package's own: without it the package is not whole,
    and yet pip would leave it as it is.
    """
    library = "Lib" if WINDOWS else os.path.join("lib", "python*")
    packages = glob.glob(os.path.join(glob.escape(VENV), library, "site-packages", "*.dist-info"))
    if not packages or not all(os.path.exists(os.path.join(name, "INSTALLER")) for name in packages):
        return False
    try:
        return subprocess.call([VENV_PYTHON, "-m", "pip", "--version"], stdout=subprocess.DEVNULL) == 0
    except OSError:  # the Python that .venv was made from is gone
        return False


def install_learn2learn(python, verbose=False, title="learn2learn"):
    """Build and install learn2learn. Where it does not build, say what it takes and return False."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in (("learn2learn.txt", LEARN2LEARN), ("tools.txt", LEARN2LEARN_TOOLS)):
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write(text)
        # Old versions of pip read the first variable when they build, new ones the second.
        tools = dict(os.environ, PIP_CONSTRAINT="tools.txt", PIP_BUILD_CONSTRAINT="tools.txt")
        command = [python, "-m", "pip", "install", "--use-pep517", "--no-deps", "-r", "learn2learn.txt"]
        status, output = run(title, command, verbose, cwd=folder, env=tools)
    if status:
        explain(output, t(*NO_LEARN2LEARN), fatal=False)
    return status == 0


def step(title, command, verbose):
    """Run one step of the installation; when it fails, say why and what to do, and end."""
    status, output = run(title, command, verbose)
    if status:
        explain(output, "\n".join(output.splitlines()[-8:]))


def explain(output, otherwise, fatal=True):
    """Tell the trouble that a failed step's output shows and end; an unknown one ends it only if fatal."""
    log = t("\nAll that was said: ", "\nCały przebieg: ") + LOG if os.path.exists(LOG) else ""
    for pattern, english, polski in TROUBLES:
        if re.search(pattern, output):
            fail(t(english, polski).format(gb=DISK_GB, python=sys.version.split()[0]) + log)
    if fatal:
        fail(otherwise + log)
    print(otherwise + log)


def run(title, command, verbose, **options):
    """Run a command; show its title, a line of progress and the time it took; return status and output."""
    options["env"] = dict(options.get("env", os.environ), PYTHONIOENCODING="utf-8", PYTHONUNBUFFERED="1")
    start, lines, item = time.time(), [], ""
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8",
                             errors="replace", **options)
    try:
        if verbose or not sys.stdout.isatty():
            print(title + " …")
            sys.stdout.flush()
        for line in child.stdout:
            lines.append(line)
            item = progress(line, item)
            if verbose:
                print(line.rstrip())
                sys.stdout.flush()
            else:
                write_over(title + " … " + item)
        status = child.wait()
    finally:
        if child.poll() is None:  # Ctrl-C reached the child as well: let it tidy up
            try:
                child.wait(10)
            except (subprocess.TimeoutExpired, KeyboardInterrupt):
                child.kill()
        if os.path.isdir(VENV):
            with open(LOG, "a", encoding="utf-8") as file:
                file.write("\n$ " + " ".join(command) + "\n" + "".join(lines))
    write_over("")
    result = t("failed", "nie udało się") if status else "ok"
    print("{0}: {1} ({2:.0f} s)".format(title, result, time.time() - start))
    return status, "".join(lines)


def progress(line, item):
    """What to show after a line of pip's: the package or the percentage; `item` is what is shown so far."""
    found = re.match(r"\s*(?:Collecting|Downloading|Using cached|Building wheels? for) ([\w.-]+)", line)
    if found:
        return found.group(1).replace(".metadata", "")
    found = re.match(r"\s*Progress (\d+) of (\d+)", line)
    if found:
        share = int(found.group(1)) / max(1, int(found.group(2)))
        return "{0} {1:.0%}".format(item.split(" ")[0], share)
    if line.startswith("Installing collected packages"):
        return t("unpacking {0} packages", "rozpakowuję pakiety: {0}").format(line.count(",") + 1)
    return item


def write_over(text):
    """Write a line over the last one, on a terminal; nothing elsewhere."""
    if sys.stdout.isatty():
        width = shutil.get_terminal_size().columns - 1
        sys.stdout.write("\r" + text[:width].ljust(width) + "\r")
        sys.stdout.flush()


def hand_over(command):
    """Become the command; Windows cannot, so there wait for it and end as it ends."""
    sys.stdout.flush()
    if not WINDOWS:
        os.execv(command[0], command)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the command's business
    return subprocess.call(command)


def read(path):
    """A file's text, empty when there is no such file."""
    if not os.path.exists(path):
        return ""
    with open(path, encoding="utf-8") as file:
        return file.read()


POLISH = polish(sys.argv[1:])

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
