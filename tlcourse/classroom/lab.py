"""Open JupyterLab on a lesson: on the reader's own copy, in the reader's language."""

import hashlib
import json
import os
from datetime import datetime
from pathlib import Path

from .language import LANGUAGES, t

# What JupyterLab is set to where the reader has not chosen otherwise: it asks nothing of the internet.
OVERRIDES = {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False}}
POLISH = {"@jupyterlab/translation-extension:plugin": {"locale": "pl_PL"}}


def open_lab(root: Path, lesson: str, lang: str, *, fresh: bool = False, options: list[str] | None = None) -> int:
    """Open JupyterLab on the lesson (a number or a file's name) and return when it ends.

    The reader works on copies in `work/`; JupyterLab is served as it is by default (loopback, with a
    token). `fresh` gets a new copy of the lesson. `options` go to JupyterLab.
    """
    from jupyterlab.labapp import LabApp

    name = find_lesson(root, lesson, lang).name
    work = root / "work"
    kept = copy_lessons(root, fresh=f"{lang}/{name}" if fresh else None)
    if f"{lang}/{name}" in kept:
        print(
            t(
                f"You go on with your own copy, work/{lang}/{name}.\n"
                f"`tlcourse lab {name[:2]} --fresh` gets a fresh one and keeps yours beside it.",
                f"Pracujesz dalej na swojej kopii, work/{lang}/{name}.\n"
                f"`tlcourse lab {name[:2]} --fresh` da nową, a twoją zostawi obok.",
            ),
            flush=True,
        )
    LabApp.launch_instance(
        [
            f"--ServerApp.root_dir={work}",
            f"--LabApp.default_url=/lab/tree/{lang}/{name}",
            f"--LabApp.app_settings_dir={write_overrides(work / '.jupyter' / lang, lang)}",
            f"--LabApp.workspaces_dir={work / '.jupyter' / 'workspaces'}",
            *(options or []),
        ]
    )
    return 0


def notebooks_of(root: Path, lang: str) -> list[Path]:
    """The built notebooks of a language, in the lessons' order.

    Raises SystemExit when there is none.
    """
    found = sorted((root / "notebooks" / lang).glob("[0-9][0-9]_*.ipynb"))
    if not found:
        raise SystemExit(
            t(
                f"There are no notebooks in {root / 'notebooks' / lang}. Build them: python course.py build",
                f"Nie ma notatników w {root / 'notebooks' / lang}. Zbuduj je: python course.py build",
            )
        )
    return found


def find_lesson(root: Path, lesson: str, lang: str) -> Path:
    """The built notebook of a lesson that is given as "2", "02", "fine_tuning" or "02_fine_tuning".

    Raises SystemExit, with the lessons that there are, when it is none of them.
    """
    notebooks = notebooks_of(root, lang)
    wanted = lesson.zfill(2) if lesson.isdigit() else lesson
    for notebook in notebooks:
        number, _, slug = notebook.stem.partition("_")
        if wanted in (number, slug, notebook.stem, notebook.name):
            return notebook
    there = "\n  ".join(notebook.stem for notebook in notebooks)
    raise SystemExit(
        t(
            f"There is no lesson {lesson!r}. There are:\n  {there}",
            f"Nie ma lekcji {lesson!r}. Są:\n  {there}",
        )
    )


def copy_lessons(root: Path, fresh: str | None = None) -> list[str]:
    """Copy the notebooks of both languages to `work/`; return the names of those that the reader changed.

    A copy that the reader did not change is renewed when its notebook changed; one that the reader changed
    is left alone. `fresh` names one ("pl/00_start.ipynb") that is renewed all the same: the reader's goes
    to a file beside it. What was copied is remembered, by its SHA-256, in `work/.copies.json`.
    """
    work, kept = root / "work", []
    record = work / ".copies.json"
    copied = read_record(record)
    for source in sorted(path for lang in LANGUAGES for path in (root / "notebooks" / lang).glob("*.ipynb")):
        name = f"{source.parent.name}/{source.name}"
        copy, new = work / name, digest(source)
        if copy.exists() and digest(copy) not in (copied.get(name), new):  # the reader's own by now
            if name != fresh:
                kept.append(name)
                continue
            moment = datetime.now().strftime("%Y-%m-%d_%H%M%S")
            old = copy.with_name(f"{copy.stem}.{moment}.ipynb")
            os.replace(copy, old)
            print(
                t("Your copy is kept as ", "Twoja kopia jest teraz w ") + f"work/{old.parent.name}/{old.name}",
                flush=True,
            )
        if not copy.exists() or digest(copy) != new:
            write(copy, source.read_bytes())
        copied[name] = new
    write(record, json.dumps(copied, indent=1, sort_keys=True).encode())
    return kept


def read_record(record: Path) -> dict[str, str]:
    """What was copied to `work/` so far: SHA-256 by name. Raises SystemExit when the record is damaged."""
    if not record.exists():
        return {}
    try:
        return dict(json.loads(record.read_text(encoding="utf-8")))
    except ValueError:
        raise SystemExit(
            t(
                f"{record} is damaged. Delete it: your copies stay as they are.",
                f"{record} jest uszkodzony. Usuń go: twoje kopie zostaną takie, jakie są.",
            )
        ) from None


def write_overrides(folder: Path, lang: str) -> Path:
    """Write JupyterLab's defaults for the course to a folder of application settings, and return the folder.

    Overrides of the application's defaults, and not a folder of user settings: what readers have set in
    their own JupyterLab (theme, shortcuts, their own choice of a language) still holds.
    """
    overrides = OVERRIDES | (POLISH if lang == "pl" else {})
    write(folder / "overrides.json", json.dumps(overrides, indent=1).encode())
    return folder


def digest(file: Path) -> str:
    """The SHA-256 of a file."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def write(file: Path, content: bytes) -> None:
    """Write a file whole or not at all; folders are made as needed."""
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(file.name + ".new")
    unfinished.write_bytes(content)
    os.replace(unfinished, file)
