"""Build the notebooks of both languages from the lessons' one source, and execute them.

A lesson is written in `lessons/NN_slug.py` (percent format): the code once, the prose in both languages, cell
beside cell. `read_lesson` reads and judges it, `to_notebook` makes one language's notebook of it, `build`
executes what must be executed and writes `notebooks/{en,pl}/NN_slug.ipynb`. A notebook is executed again only
when its code, the modules that it used or the recorded runs that it read have changed; when nothing but prose
did, its outputs are kept.
"""

import argparse
import ast
import hashlib
import json
import os
import re
import sys
import unicodedata
from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from itertools import groupby, pairwise
from pathlib import Path

import jupytext
import nbformat
import yaml
from nbformat import NotebookNode

from . import run

LANGUAGES = ("en", "pl")
LANGUAGE_NAMES = {"en": "English", "pl": "polski"}
TAGS = {  # tag: the kind of cell that carries it
    "setup": "code",
    "imports": "code",
    "exercise": "code",
    "hint": "markdown",
    "check": "code",
    "solution": "code",
    "claim": "code",
    "widget": "code",
    "quiz": "code",
    "predict": "code",
}
SLIDES = ("slide", "subslide", "fragment", "skip", "notes", "-")
FOLDED = {"hint": {"en": "Hint", "pl": "Wskazówka"}, "solution": {"en": "Solution", "pl": "Rozwiązanie"}}
# comment_magics: otherwise jupytext makes shell commands of prose such as `# cat and dog` or `# who?`
FORMAT = {"extension": ".py", "format_name": "percent", "comment_magics": False}
MARKED_COMMENT = re.compile(r"^(\s*)# (en|pl): ?(.*)$")
MAGIC = re.compile(r"^\s*[%!?]|\?\s*$")
HEADING = re.compile(r"^#{1,6} +(.+)$", re.MULTILINE)
PROGRESS_BAR = re.compile(r"\r?[^\r\n]*(?:\d+%\||\d+(?:it|\w*B) \[)[^\r\n]*[\r\n]*")
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
LIST_MODULES = """import json, sys
print(json.dumps(sorted(name for name in sys.modules if name.split(".")[0] == "tlcourse")))"""


class LessonError(ValueError):
    """A lesson's source breaks a rule; the message names the file, the line and what to do."""


@dataclass(frozen=True)
class Cell:
    """One cell of a lesson's source. Twins (the en and the pl cell of a pair) share their id."""

    id: str
    kind: str  # "markdown" or "code"
    source: str
    lang: str | None  # None: in both languages
    tags: tuple[str, ...]
    slide: str | None
    line: int  # of the cell's `# %%` in the file, from 1


@dataclass(frozen=True)
class Lesson:
    """A lesson as its source gives it: minutes of a student's time, seconds of execution on two CPU cores."""

    path: Path
    number: str
    slug: str  # "02_fine_tuning"
    titles: dict[str, str]
    minutes: float
    seconds: float
    prerequisites: list[str]
    cells: list[Cell]


# the source
# ----------


def read_lesson(path: Path) -> Lesson:
    """Read one `lessons/NN_slug.py`. Raises LessonError for whatever is not as a lesson must be."""
    path = Path(path)
    if not re.fullmatch(r"\d\d_[a-z0-9_]+", path.stem):
        raise LessonError(f"{path.name}: name it NN_slug.py: two digits, _, small letters, digits and _")
    text = path.read_text(encoding="utf-8")
    try:
        notebook = jupytext.reads(text, fmt=FORMAT)
    except yaml.YAMLError as error:
        raise LessonError(f"{path.name}: the header is not valid YAML: {error}") from error
    except nbformat.ValidationError as error:
        told = f"a cell's metadata are wrong: {error.message}"
        raise LessonError(f'{path.name}: {told}; write them as tags=["hint"], lang="en"') from error
    header = read_header(path, notebook.metadata)
    number = path.stem[:2]
    lines = marker_lines(text, len(notebook.cells))
    ids = cell_ids(number, notebook.cells)
    cells = [read_cell(path, raw, id, line) for raw, id, line in zip(notebook.cells, ids, lines, strict=True)]
    check_twins(path, cells)
    check_setup(path, cells)
    check_exercises(path, cells)
    return Lesson(path, number, path.stem, cells=cells, **header)


def read_header(path: Path, metadata: dict) -> dict:
    """The fields of the header that describe the lesson, as keyword arguments of Lesson."""
    header = metadata.get("tlcourse")
    if not isinstance(header, dict):
        raise LessonError(f"{path.name}: the header has no `tlcourse:` under `jupyter:`; add it")
    if missing := {"title", "minutes", "seconds", "prerequisites"} - set(header):
        raise LessonError(f"{path.name}: the header's tlcourse lacks {', '.join(sorted(missing))}; add it")
    titles = header["title"]
    if not isinstance(titles, dict) or any(not titles.get(lang) for lang in LANGUAGES):
        raise LessonError(f"{path.name}: the header's title needs both languages: {{en: …, pl: …}}")
    for name in ("minutes", "seconds"):
        if not isinstance(header[name], int | float) or isinstance(header[name], bool) or header[name] <= 0:
            raise LessonError(f"{path.name}: the header's {name} is {header[name]!r}; give a number above 0")
    if not isinstance(header["prerequisites"], list):
        raise LessonError(f"{path.name}: the header's prerequisites must be a list of lessons, [] for none")
    return {
        "titles": {lang: str(titles[lang]) for lang in LANGUAGES},
        "minutes": header["minutes"],
        "seconds": header["seconds"],
        "prerequisites": list(header["prerequisites"]),
    }


def marker_lines(text: str, count: int) -> list[int]:
    """The line of each cell's `# %%`; all 0 where they cannot be told (say, a marker inside a string)."""
    lines = [i for i, line in enumerate(text.splitlines(), 1) if line.startswith("# %%")]
    return lines if len(lines) == count else [0] * count


def cell_ids(number: str, cells: list[NotebookNode]) -> list[str]:
    """Readable ids: the lesson's number, the last English heading, a counter within it; twins share one."""
    ids, counts, section = [], {}, "start"
    for cell in cells:
        if cell.metadata.get("lang") == "pl" and ids:  # the twin of the cell before it
            ids.append(ids[-1])
            continue
        if cell.cell_type == "markdown" and (heading := HEADING.search(cell.source)):
            section = slugify(heading[1])
        counts[section] = counts.get(section, 0) + 1
        ids.append(f"{number}-{section}-{counts[section]}")
    return ids


def slugify(heading: str) -> str:
    """A heading as a part of an id: «2. When it fails?» gives `when-it-fails`."""
    plain = unicodedata.normalize("NFKD", heading).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9]+", "-", re.sub(r"^\d+[.)] *", "", plain)).strip("-")
    return words[:40].rstrip("-") or "section"


def read_cell(path: Path, raw: NotebookNode, id: str, line: int) -> Cell:
    """Judge one cell by itself and take what the build needs of it."""
    head = next((text for text in raw.source.splitlines() if text.strip()), "(empty)")

    def fail(what: str) -> None:
        raise LessonError(f"{path.name}:{line or '?'}: cell «{head[:60]}»: {what}")

    metadata = dict(raw.metadata)
    if wrong := metadata.get("incorrectly_encoded_metadata"):
        fail(f'cannot read {wrong!r}; put values in quotes: lang="en", tags=["hint"], slide_type="slide"')
    for harmless in ("lines_to_next_cell", "cell_marker", "lines_to_end_of_cell_marker"):
        metadata.pop(harmless, None)
    lang, tags, slide = metadata.pop("lang", None), metadata.pop("tags", []), metadata.pop("slide_type", None)
    if metadata:
        fail(f"unknown {', '.join(sorted(metadata))}; a cell may have lang, tags and slide_type")
    if raw.cell_type not in ("markdown", "code"):
        fail(f"a {raw.cell_type} cell; use markdown or code")
    if lang not in (None, *LANGUAGES):
        fail(f"unknown language {lang!r}; choose one of {', '.join(LANGUAGES)}")
    if lang and raw.cell_type == "code":
        fail("code is written once for both languages; remove lang, and use `# en:` and `# pl:` for comments")
    if slide not in (None, *SLIDES):
        fail(f"unknown slide_type {slide!r}; choose one of {', '.join(SLIDES)}")
    for tag in tags:
        if tag not in TAGS:
            fail(f"unknown tag {tag!r}; choose one of {', '.join(TAGS)}")
        if TAGS[tag] != raw.cell_type:
            fail(f"the tag {tag!r} belongs to a {TAGS[tag]} cell, this is a {raw.cell_type} cell")
    if raw.cell_type == "code":
        check_code(raw.source, fail)
    return Cell(id, raw.cell_type, raw.source.strip("\n"), lang, tuple(tags), slide, line)


def check_code(source: str, fail) -> None:
    """Call fail(what) for code that is no plain Python, or that has a comment in one language only."""
    try:
        ast.parse(source)
    except SyntaxError as error:
        guilty = (source.splitlines() or [""])[(error.lineno or 1) - 1 :][:1]
        if any(MAGIC.search(text) for text in guilty):
            fail(f"`{guilty[0].strip()}` is a magic; lessons are plain Python, write it in Python")
        fail(f"{error.msg} in its line {error.lineno}")
    marks = [mark[2] if (mark := MARKED_COMMENT.match(text)) else None for text in source.splitlines()]
    if unpaired([lang for lang, _ in groupby(marks)]) is not None:
        fail("a comment `# en:` needs its twin `# pl:` in the very next line, and the other way round")


def unpaired(languages: list[str | None]) -> int | None:
    """The index of the first "en" that no "pl" follows, or "pl" that no "en" precedes; else None."""
    for i, (one, two) in enumerate(pairwise([None, *languages, None])):
        if (one == "en") != (two == "pl"):
            return i - 1 if one == "en" else i
    return None


def check_twins(path: Path, cells: list[Cell]) -> None:
    """Each en cell must be followed by its pl twin, of the same tags and slide."""
    if (i := unpaired([cell.lang for cell in cells])) is not None:
        other = {"en": "pl", "pl": "en"}[cells[i].lang]
        where = "follow" if other == "pl" else "precede"
        raise LessonError(f'{place(path, cells[i])}: its twin lang="{other}" must {where} it; write it')
    for one, two in pairwise(cells):
        if one.lang == "en" and (one.tags, one.slide) != (two.tags, two.slide):
            raise LessonError(f"{place(path, two)}: tags and slide_type must be as in its English twin")


def check_setup(path: Path, cells: list[Cell]) -> None:
    """The first code cell, and no other, is `setup` and starts this very lesson in English."""
    first = next((cell for cell in cells if cell.kind == "code"), None)
    if first is None or "setup" not in first.tags:
        raise LessonError(f'{path.name}: the first code cell must be the setup: `# %% tags=["setup"]`')
    if first.source.count('lang="en"') != 1 or f'start_lesson("{path.stem}"' not in first.source:
        raise LessonError(f'{place(path, first)}: the setup must call start_lesson("{path.stem}", lang="en")')
    if extra := [cell for cell in cells if "setup" in cell.tags][1:]:
        raise LessonError(f"{place(path, extra[0])}: a second setup; a lesson has one")


def check_exercises(path: Path, cells: list[Cell]) -> None:
    """Each solution belongs to the exercise before it: one solution an exercise."""
    open_exercise = False
    for cell in cells:
        if "solution" in cell.tags:
            if not open_exercise:
                raise LessonError(f"{place(path, cell)}: a solution without its exercise before it; add it")
            open_exercise = False
        open_exercise = open_exercise or "exercise" in cell.tags


def place(path: Path, cell: Cell) -> str:
    """A cell as messages name it: file, line and first words."""
    return f"{path.name}:{cell.line or '?'}: cell «{(cell.source.splitlines() or ['(empty)'])[0][:60]}»"


# one language's notebook
# -----------------------


def to_notebook(lesson: Lesson, lang: str) -> NotebookNode:
    """The lesson's notebook in one language, not executed. The same lesson always gives the same bytes."""
    notebook = nbformat.v4.new_notebook(
        cells=[notebook_cell(cell, lang) for cell in lesson.cells if cell.lang in (None, lang)],
        metadata={
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
            "tlcourse": {
                "lesson": lesson.slug,
                "lang": lang,
                "title": lesson.titles[lang],
                "seconds_stated": lesson.seconds,
            },
        },
    )
    nbformat.validate(notebook)
    return notebook


def notebook_cell(cell: Cell, lang: str) -> NotebookNode:
    """One cell of the notebook: hints and solutions folded, comments and setup in the notebook's language."""
    metadata = {"tags": list(cell.tags)} if cell.tags else {}
    if cell.slide:
        metadata["slideshow"] = {"slide_type": cell.slide}
    if cell.kind == "markdown":
        source = fold("hint", cell.source, lang) if "hint" in cell.tags else cell.source
        return nbformat.v4.new_markdown_cell(source, id=cell.id, metadata=metadata)
    source = in_language(cell.source, lang)
    if "solution" in cell.tags:
        source = fold("solution", fence(source), lang)
        return nbformat.v4.new_markdown_cell(source, id=cell.id, metadata=metadata)
    if "setup" in cell.tags:
        source = source.replace('lang="en"', f'lang="{lang}"')
    if "quiz" in cell.tags:  # its source names the right answers
        metadata["jupyter"] = {"source_hidden": True}
    return nbformat.v4.new_code_cell(source, id=cell.id, metadata=metadata)


def in_language(code: str, lang: str) -> str:
    """Code with the comments of one language: `# en: Why` becomes `# Why` there and is left out elsewhere."""
    lines = []
    for line in code.splitlines():
        mark = MARKED_COMMENT.match(line)
        if mark is None:
            lines.append(line)
        elif mark[2] == lang:
            lines.append(f"{mark[1]}# {mark[3]}")
    return "\n".join(lines)


def fold(what: str, markdown: str, lang: str) -> str:
    """Markdown behind a summary that unfolds; the blank lines let it be rendered as markdown."""
    return f"<details><summary>{FOLDED[what][lang]}</summary>\n\n{markdown}\n\n</details>"


def fence(code: str) -> str:
    """Code as a Markdown block, fenced by more backticks than it contains."""
    ticks = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", code)), default=0))
    return f"{ticks}python\n{code}\n{ticks}"


# what a notebook depends on
# --------------------------


def notebook_path(root: Path, slug: str, lang: str) -> Path:
    """Where a lesson's notebook lies in a checkout."""
    return Path(root, "notebooks", lang, f"{slug}.ipynb")


def state(lesson: Lesson, lang: str, root: Path) -> str:
    """How the notebook in the checkout stands to its lesson.

    "missing": there is none that can be read; "changed": what it computes has changed, or it never ran to its
    end; "reworded": nothing has but the prose; "current": it is what the build would make.
    """
    try:
        old = nbformat.read(notebook_path(root, lesson.slug, lang), as_version=4)
    except (FileNotFoundError, nbformat.reader.NotJSONError, nbformat.ValidationError):
        return "missing"
    about, new = old.metadata.get("tlcourse", {}), to_notebook(lesson, lang)
    made_of = digest(new, about.get("modules", []), shown_modules(old), root)
    if not has_run(old) or about.get("digest") != made_of:
        return "changed"
    return "current" if nbformat.writes(unexecuted(old)) == nbformat.writes(new) else "reworded"


def digest(notebook: NotebookNode, modules: Iterable[str], shown: Iterable[str], root: Path) -> str:
    """SHA-256 over what determines a notebook's outputs.

    That is its code, the code of the modules that it used, and the recorded runs that it names. Comments and
    docstrings count only as comments of `shown` modules, whose source the notebook displays. `tlcourse` itself does
    not count: it only says in which module each name lives, and a new technique shall not touch the other lessons.
    """
    cells = [cell.source for cell in code_cells(notebook)]
    parts = [code_of(source) for source in cells]
    for module in sorted(set(modules) - {"tlcourse"}):
        parts += [module, module_code(module, comments=module in shown)]
    for file in sorted(Path(root, "data", "recorded").glob("*.json")):
        if any(file.stem in source for source in cells):
            parts += [file.name, file.read_text(encoding="utf-8")]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def module_code(module: str, comments: bool = False) -> str:
    """What a module does, as text: its code, and the data file of the same name beside it."""
    path = Path(run.ROOT, *module.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    if not path.exists():  # renamed or removed since: different from any code
        return f"no module {module}"
    text = path.read_text(encoding="utf-8")
    parts = [code_of(text)]
    if comments:
        lines = dict(enumerate(text.splitlines(), 1))
        for docstring in docstrings(ast.parse(text)):
            for number in range(docstring.lineno, docstring.end_lineno + 1):
                lines.pop(number, None)
        parts.append("\n".join(line.rstrip() for line in lines.values() if line.strip()))
    if (data := path.with_suffix(".json")).exists():
        parts.append(data.read_text(encoding="utf-8"))
    return "\n".join(parts)


@cache
def code_of(text: str) -> str:
    """What Python code does, as text: the same for any comments, docstrings and layout."""
    tree = ast.parse(text)
    for docstring in docstrings(tree):
        docstring.value = ast.Constant("")
    return canonical(tree)


def docstrings(tree: ast.AST) -> list[ast.Expr]:
    """The docstring nodes of a module, its classes and functions."""
    owners = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = [node for node in ast.walk(tree) if isinstance(node, owners)]
    return [node.body[0] for node in nodes if ast.get_docstring(node, clean=False) is not None]


def canonical(node: object) -> str:
    """A syntax tree as text, the same on every Python: unlike in ast.dump, empty fields are left out."""
    if isinstance(node, ast.AST):
        fields = ((key, value) for key, value in ast.iter_fields(node) if value is not None and value != [])
        return f"{type(node).__name__}({','.join(f'{key}={canonical(value)}' for key, value in fields)})"
    if isinstance(node, list):
        return f"[{','.join(map(canonical, node))}]"
    return repr(node)


def shown_modules(notebook: NotebookNode) -> list[str]:
    """The modules whose source an executed notebook displays: `show_source` names their files."""
    cells = [cell for cell in notebook.cells if "show_source(" in cell.source]
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    texts = [text for output in outputs for text in output.get("data", {}).values() if isinstance(text, str)]
    files = {file for text in texts for file in re.findall(r"\btlcourse/[\w/]+\.py", text)}
    return sorted(file.removesuffix(".py").replace("/", ".") for file in files)


def has_run(notebook: NotebookNode) -> bool:
    """Whether every code cell has run, in order."""
    counts = [cell.execution_count for cell in code_cells(notebook)]
    return bool(counts) and counts == list(range(1, len(counts) + 1))


def unexecuted(notebook: NotebookNode) -> NotebookNode:
    """A copy without outputs and whatever else an execution adds."""
    notebook = deepcopy(notebook)
    for cell in code_cells(notebook):
        cell.outputs, cell.execution_count = [], None
    for key in ("seconds", "peak_mb", "modules", "digest"):
        notebook.metadata.get("tlcourse", {}).pop(key, None)
    return notebook


# execution
# ---------


def executed(lesson: Lesson, lang: str, root: Path) -> NotebookNode:
    """The lesson's notebook with its outputs. Raises run.CellFailed when a cell fails."""
    notebook = to_notebook(lesson, lang)
    question = nbformat.v4.new_code_cell(LIST_MODULES, id="modules")  # asked last, and taken out again
    with_question = nbformat.from_dict({**notebook, "cells": [*notebook.cells, question]})
    execution = run.execute(with_question, on_cell=progress(lesson, lang))
    *cells, answer = execution.notebook.cells
    notebook.cells = [clean(cell) for cell in cells]
    modules = json.loads("".join(output.text for output in answer.outputs if output.get("name") == "stdout"))
    notebook.metadata.tlcourse.update(
        seconds=round(execution.seconds, 1),
        peak_mb=round(execution.peak_mb),
        modules=modules,
        digest=digest(to_notebook(lesson, lang), modules, shown_modules(notebook), root),
    )
    return notebook


def clean(cell: NotebookNode) -> NotebookNode:
    """The cell without what must not be stored (in place): widget views, progress bars, times."""
    cell.metadata.pop("execution", None)
    outputs = []
    for output in cell.get("outputs", []):
        if output.output_type == "stream":
            if output.name == "stderr":
                output.text = PROGRESS_BAR.sub("", output.text)
            if outputs and outputs[-1].get("name") == output.name:  # how a stream is cut up is chance
                outputs[-1].text += output.text
                continue
            if not output.text.strip():
                continue
        elif output.get("data", {}).pop(WIDGET_VIEW, None) is not None and set(output.data) <= {"text/plain"}:
            continue  # a widget without a static twin, such as a progress bar
        outputs.append(output)
    if cell.cell_type == "code":
        cell.outputs = outputs
    return cell


def reworded(lesson: Lesson, lang: str, root: Path) -> NotebookNode:
    """The lesson's notebook with the outputs of the old one, whose code cells are the same."""
    old = nbformat.read(notebook_path(root, lesson.slug, lang), as_version=4)
    new = to_notebook(lesson, lang)
    for before, cell in zip(code_cells(old), code_cells(new), strict=True):
        cell.outputs, cell.execution_count = before.outputs, before.execution_count
    new.metadata.tlcourse = {**old.metadata.tlcourse, **new.metadata.tlcourse}
    return new


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def progress(lesson: Lesson, lang: str):
    """A function that shows which cell is running, on a terminal only."""

    def show(number: int, total: int, cell: NotebookNode) -> None:
        if sys.stdout.isatty():
            print(f"  {lang}/{lesson.slug}  cell {number}/{total}", end="\r", flush=True)

    return show


def save(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.unfinished")
    with open(unfinished, "w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(unfinished, path)


# the README's table
# ------------------

READMES = {"en": "README.md", "pl": "README.pl.md"}
TABLE_HEADS = {
    "en": ("Lesson", "Notebook", "Your time", "It runs"),
    "pl": ("Lekcja", "Notatnik", "Twój czas", "Czas kodu"),
}
TABLE = re.compile(r"(<!-- lessons -->\n).*?(<!-- /lessons -->)", re.DOTALL)


def lessons_table(lessons: list[Lesson], lang: str) -> str:
    """The lessons as a Markdown table in one language, with links to the notebooks of both."""
    rows = ["| # | " + " | ".join(TABLE_HEADS[lang]) + " |", "| --- | --- | --- | ---: | ---: |"]
    for lesson in sorted(lessons, key=lambda lesson: lesson.slug):
        links = (f"[{LANGUAGE_NAMES[to]}](notebooks/{to}/{lesson.slug}.ipynb)" for to in LANGUAGES)
        times = f"{lesson.minutes:g} min | {lesson.seconds:g} s"
        rows.append(f"| {lesson.number} | {lesson.titles[lang]} | {' · '.join(links)} | {times} |")
    return "\n".join(rows) + "\n"


def with_table(readme: Path, table: str) -> str:
    """The text of a README with a new table of lessons. Raises ValueError when its place is not marked."""
    text = readme.read_text(encoding="utf-8")
    if len(TABLE.findall(text)) != 1:
        raise ValueError(
            f"{readme.name}: found no place for the table of lessons; put `<!-- lessons -->` and"
            " `<!-- /lessons -->` where it belongs, each once and on a line of its own"
        )
    return TABLE.sub(lambda marks: marks[1] + table + marks[2], text)


def renew_tables(root: Path, lessons: list[Lesson], check: bool = False) -> list[str]:
    """Put the table of lessons into both READMEs, or only compare it; returns the problems."""
    problems = []
    for lang, file in READMES.items():
        readme = Path(root, file)
        try:
            text = with_table(readme, lessons_table(lessons, lang))
        except FileNotFoundError:
            problems.append(f"{file}: there is none; write it, with a place for the table of lessons")
        except ValueError as error:
            problems.append(str(error))
        else:
            if text != readme.read_text(encoding="utf-8"):
                if check:
                    problems.append(f"{file}: the table of lessons is stale; run `tlcourse build`")
                else:
                    save(readme, text)
    return problems


# the build
# ---------


def read_lessons(root: Path) -> tuple[list[Lesson], list[str]]:
    """All lessons of a checkout that can be read, and what is wrong with the others."""
    lessons, problems = [], []
    for path in sorted(Path(root, "lessons").glob("*.py")):
        try:
            lessons.append(read_lesson(path))
        except LessonError as error:
            problems.append(f"lessons/{error}")
    return lessons, problems


def stale(root: Path, lessons: list[Lesson], languages: Iterable[str] = LANGUAGES) -> list[str]:
    """The notebooks that are not what the build would make, each with the reason."""
    reasons = {
        "missing": "is missing or unreadable",
        "changed": "is stale: its code, a module it uses or a recorded run has changed, or it has not run",
        "reworded": "is stale: the lesson's text has changed",
    }
    return [
        f"notebooks/{lang}/{lesson.slug}.ipynb {reasons[how]}; run `tlcourse build {lesson.number}`"
        for lesson in lessons
        for lang in languages
        if (how := state(lesson, lang, root)) in reasons
    ]


def orphans(root: Path) -> list[str]:
    """The notebooks without a lesson."""
    sources = {path.stem for path in Path(root, "lessons").glob("*.py")}
    return [
        f"notebooks/{lang}/{path.name}: there is no lessons/{path.stem}.py; remove the notebook"
        for lang in LANGUAGES
        for path in sorted(Path(root, "notebooks", lang).glob("*.ipynb"))
        if path.stem not in sources
    ]


def build(
    root: Path,
    lessons: Iterable[str] | None = None,
    languages: Iterable[str] = LANGUAGES,
    force: bool = False,
    check: bool = False,
) -> list[str]:
    """Bring the notebooks of a checkout up to date, or with `check` only compare them; returns the problems.

    lessons: numbers ("02") or slugs, None for all; force: execute what is current, too. A lesson that fails
    leaves its old notebook as it was, and the others are built. Raises ValueError for an unknown lesson.
    """
    root = Path(root)
    every, problems = read_lessons(root)
    wanted = None if lessons is None else set(lessons)
    known = {part for path in root.glob("lessons/*.py") for part in (path.stem, path.stem[:2])}
    if not known:
        raise ValueError(f"{root} has no lessons/NN_slug.py; the build needs a checkout of the course")
    if unknown := sorted((wanted or set()) - known):
        raise ValueError(f"no lesson {', '.join(unknown)}; there are {', '.join(sorted(known))}")
    chosen = [lesson for lesson in every if wanted is None or wanted & {lesson.number, lesson.slug}]
    for problem in problems:
        print(f"✗ {problem}")
    if check:
        found = stale(root, chosen, languages) + orphans(root) + renew_tables(root, every, check=True)
        for problem in found:
            print(f"✗ {problem}")
        return problems + found
    for lesson in chosen:
        for lang in languages:
            problems += build_one(lesson, lang, root, force)
    found = orphans(root) + renew_tables(root, every)
    for problem in found:
        print(f"✗ {problem}")
    return problems + found


def build_one(lesson: Lesson, lang: str, root: Path, force: bool) -> list[str]:
    """Build one notebook and say what was done; returns the problem, if any."""
    label, how = f"{lang}/{lesson.slug}", "changed" if force else state(lesson, lang, root)
    if how == "current":
        print(f"  {label}  kept")
        return []
    try:
        notebook = reworded(lesson, lang, root) if how == "reworded" else executed(lesson, lang, root)
    except run.CellFailed as error:
        print(f"✗ {label}  failed at cell {error}\n")
        return [f"notebooks/{label}.ipynb: cell {error.cell.id} failed: {error.reason}"]
    save(notebook_path(root, lesson.slug, lang), nbformat.writes(notebook) + "\n")
    verb = "re-worded" if how == "reworded" else "executed"
    print(f"✓ {label}  {verb}, {notebook.metadata.tlcourse.seconds:.1f} s, stated {lesson.seconds:g} s")
    return []


def main(arguments: list[str]) -> int:
    """`tlcourse build [NN …] [--lang en|pl] [--force] [--check]`; returns the exit status."""
    parser = argparse.ArgumentParser(prog="tlcourse build", description="Build the notebooks from lessons/.")
    parser.add_argument("lessons", nargs="*", metavar="NN", help="numbers of lessons; none: all")
    parser.add_argument("--lang", choices=LANGUAGES, help="one language only")
    parser.add_argument("--force", action="store_true", help="execute again what is up to date, too")
    parser.add_argument("--check", action="store_true", help="execute and write nothing; tell what is stale")
    given = parser.parse_args(arguments)
    languages = (given.lang,) if given.lang else LANGUAGES
    try:
        problems = build(run.ROOT, given.lessons or None, languages, given.force, given.check)
    except ValueError as error:
        print(f"✗ {error}", file=sys.stderr)
        return 2
    return 1 if problems else 0
