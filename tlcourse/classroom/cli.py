"""The command line `tlcourse`. Each command is imported when it is given, so that help comes at once."""

import locale
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from .language import LANGUAGES, t, text, use_language

ROOT = Path(__file__).resolve().parents[2]  # the checkout

HELP = (
    """tlcourse COMMAND [OPTIONS]     (python course.py COMMAND does the same, and first installs the course)

  lab [NN] [--fresh]         open JupyterLab on a lesson, by default the first. You work on a copy in work/;
                             --fresh gets a new one and keeps the old one beside it. Further options go
                             to JupyterLab, such as --no-browser.
  run NN|all                 execute a lesson, or all, without a browser; tells seconds, memory and claims
      [--device auto|cpu|cuda]
  doctor                     check the installation, and say what to do about each problem
  test [--fast]              unit tests, and every notebook; --fast: unit tests only. Further options go to
                             pytest.
  build [NN …]               build the notebooks from lessons/
      [--force] [--check]    all of them anew; only compare

  --lang en|pl               the language; by default the system's""",
    """tlcourse POLECENIE [OPCJE]     (python course.py POLECENIE robi to samo, a najpierw instaluje kurs)

  lab [NN] [--fresh]         otwórz lekcję w JupyterLab, domyślnie pierwszą. Pracujesz na kopii w work/;
                             --fresh daje nową, a starą zostawia obok. Pozostałe opcje trafiają do JupyterLab,
                             na przykład --no-browser.
  run NN|all                 wykonaj lekcję, albo wszystkie, bez przeglądarki; podaje sekundy, pamięć i tezy
      [--device auto|cpu|cuda]
  doctor                     sprawdź instalację i powiedz, co zrobić z każdym problemem
  test [--fast]              testy jednostkowe i każdy notatnik; --fast: tylko jednostkowe. Pozostałe opcje
                             trafiają do pytest.
  build [NN …]               zbuduj notatniki z lessons/
      [--force] [--check]    wszystkie od nowa; tylko porównaj

  --lang en|pl               język; domyślnie język systemu""",
)


def main(arguments: list[str] | None = None) -> int:
    """Run the command that the arguments (default: the program's own) name; return its exit status."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # a Windows pipe may know no Polish letters
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    command = arguments.pop(0) if arguments and not arguments[0].startswith("-") else "lab"
    use_language(system_language())
    help_wanted = flag(arguments, "--help", "-h")
    if command == "build" and not help_wanted:  # there --lang says which notebooks: it is the builder's to read
        from .build import main as build

        return build(arguments)
    lang = option(arguments, "--lang", LANGUAGES) or system_language()
    use_language(lang)
    if help_wanted:
        print(text(HELP))
        return 0
    if command == "lab":
        from .lab import open_lab

        lesson = arguments.pop(0) if arguments and not arguments[0].startswith("-") else "00"
        fresh = flag(arguments, "--fresh")
        return open_lab(ROOT, lesson, lang, fresh=fresh, options=arguments)
    if command == "run":
        from .run import DEVICES, run_lessons

        device = option(arguments, "--device", DEVICES) or "auto"
        return run_lessons(ROOT, arguments, lang, device)
    if command == "test":
        from .testing import run_tests

        fast = flag(arguments, "--fast")
        return run_tests(ROOT, fast=fast, options=arguments)
    if command == "doctor":
        from .doctor import examine

        return examine(ROOT)
    raise SystemExit(t(f"There is no command {command!r}.", f"Nie ma polecenia {command!r}.") + "\n\n" + text(HELP))


def system_language() -> str:
    """The system's language: "pl" where it is Polish, else "en". course.py decides it the same way."""
    given = filter(None, (os.environ.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG")))
    name = next(given, None) or locale.getlocale()[0] or "en"
    return "pl" if name.lower().startswith(("pl", "polish")) else "en"  # Windows says Polish_Poland


def option(arguments: list[str], name: str, allowed: Sequence[str]) -> str | None:
    """Take `--name value` or `--name=value` out of the arguments; None when it is not among them.

    Raises SystemExit, with what is allowed, for any other value.
    """
    for i, word in enumerate(arguments):
        given, equals, value = word.partition("=")
        if given != name:
            continue
        if not equals:
            value = "".join(arguments[i + 1 : i + 2])
        del arguments[i : i + (1 if equals else 2)]
        if value not in allowed:
            known = ", ".join(allowed)
            raise SystemExit(t(f"{name} {value}: give one of {known}.", f"{name} {value}: podaj jedno z {known}."))
        return value
    return None


def flag(arguments: list[str], *names: str) -> bool:
    """Take the flag, by any of its names, out of the arguments; whether it was there."""
    there = any(name in arguments for name in names)
    arguments[:] = [word for word in arguments if word not in names]
    return there
