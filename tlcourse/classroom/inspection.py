"""The checks that keep the lessons true: each takes lessons or notebooks and returns the problems it finds.

A problem is one line: where it is, what is wrong, what to do. `inspect_lessons` runs all over a checkout.
"""

import ast
import io
import re
import statistics
import tokenize
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path

import nbformat
from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.amsmath import amsmath_plugin
from mdit_py_plugins.dollarmath import dollarmath_plugin
from nbformat import NotebookNode

from . import glossary
from .build import (
    LANGUAGES,
    Cell,
    Lesson,
    canonical,
    code_cells,
    has_run,
    in_language,
    notebook_path,
    orphans,
    read_lessons,
    renew_tables,
    stale,
    to_notebook,
)

MARKDOWN = MarkdownIt("commonmark").enable("table").use(dollarmath_plugin).use(amsmath_plugin)

# Words that make up much of a language and do not exist in the other one: no "to", "a", "do", "on", "but", …
ENGLISH = frozenset(
    "the of and is are that which with for from this it its in an be at were has have than then when where"
    " what how why you your they their these those not or can will would should does each every into after"
    " before less between because there here other another if so our whose until while".split()
)
POLISH = frozenset(
    "się jest są nie że który która które którego której których dla przez oraz jak czy tylko więc być"
    " będzie może można od przy ze aby żeby już jeszcze bez nad tym tego tej ich jego jej każdy każda każde"
    " gdy gdzie dlaczego ale lub albo na po za ma mają tak jako niż między przed także też nas ta te".split()
)
FUNCTION_WORDS = {"en": ENGLISH, "pl": POLISH}
LANGUAGE_NAMES = {"en": "English", "pl": "Polish"}
WORD = re.compile(r"[^\W\d_]+")
SENTENCE_END = re.compile(r"(?<=[.!?:;…])\s+|\n")

# The headings (in English) that a lesson must have, by what they say.
OBJECTIVES = re.compile(r"objectives|will be able to", re.IGNORECASE)
SECTIONS = {
    "when it fails": r"\bfail|\bharm|\bhurt|limit",
    "in robotics": r"\brobot",
    "what we saw": r"what (?:we|you) (?:have )?(?:saw|seen|learn)|recap|takeaway|summary",
    "where to go next": r"\bnext\b|further",
}
IMAGES = ("image/png", "image/jpeg")
INTRODUCTION = "00"  # it has no technique yet that could fail or be used
CELLS = (25, 50)
MEDIAN_LINES, MOST_LINES = 8, 25
MOST_SECONDS, MOST_MB, MOST_BYTES = 60, 2000, 600_000

MACHINE_PATH = re.compile(
    r"(?<![\w.:/])/(?:home|root|Users|tmp|private|var/folders|opt|usr/lib)/[\w.]"
    r"|\b[A-Z]:\\+(?:Users|Windows|Program|Temp|\w+\\)"
    r"|(?:site|dist)-packages|AppData|ipykernel_\d+"
)
TRACEBACK = re.compile(r"Traceback \(most recent call last\)")
WARNING = re.compile(r"\w*Warning: |\bWARNING\b")
ADDRESS = re.compile(r"<[^<>\n]* at 0x[0-9a-fA-F]{6,}>")


def inspect_lessons(root: Path) -> list[str]:
    """All problems of the lessons in a checkout; none: the list is empty."""
    root = Path(root)
    lessons, problems = read_lessons(root)
    problems += stale(root, lessons) + orphans(root) + renew_tables(root, lessons, check=True)
    slugs = [lesson.slug for lesson in lessons]
    for lesson in lessons:
        problems += twins_agree(lesson) + one_language_each(lesson) + links_lead_somewhere(lesson, slugs)
        problems += structure(lesson)
        built = {}
        for lang in LANGUAGES:
            path = notebook_path(root, lesson.slug, lang)
            try:
                built[lang] = nbformat.read(path, as_version=4)
            except (FileNotFoundError, nbformat.reader.NotJSONError):
                continue  # `stale` has told
            problems += executed_in_order(built[lang]) + costs(built[lang], path.stat().st_size)
            problems += outputs_are_clean(built[lang]) + outputs_in_language(built[lang])
        if len(built) == len(LANGUAGES):
            problems += same_program(built["en"], built["pl"])
    return problems


def at(lesson: Lesson, cell: Cell) -> str:
    """Where a cell of a lesson's source is."""
    return f"lessons/{lesson.slug}.py:{cell.line or '?'} ({cell.id})"


def within(notebook: NotebookNode, cell: NotebookNode | None = None) -> str:
    """Where a cell of a notebook is."""
    about = notebook.metadata.get("tlcourse", {})
    file = f"notebooks/{about.get('lang')}/{about.get('lesson')}.ipynb"
    return file if cell is None else f"{file}, cell {cell.get('id')}"


# Execution and costs
# -------------------


def executed_in_order(notebook: NotebookNode) -> list[str]:
    """Every code cell has run, in order, without an error."""
    problems = []
    if not has_run(notebook):
        problems.append(f"{within(notebook)}: not every code cell has run, in order; build it with --force")
    for cell in code_cells(notebook):
        for output in cell.outputs:
            if output.output_type == "error":
                told = f"{output.ename}: {output.evalue}"
                problems.append(f"{within(notebook, cell)}: failed with {told}; mend it and build again")
    return problems


def costs(notebook: NotebookNode, size: int) -> list[str]:
    """Seconds, memory and the file's size (bytes) keep to what is stated and to the budget."""
    about, problems = notebook.metadata.get("tlcourse", {}), []
    stated, seconds, peak_mb = (about.get(key, 0) for key in ("seconds_stated", "seconds", "peak_mb"))
    if stated > MOST_SECONDS:
        problems.append(f"the lesson states {stated:g} s; make it {MOST_SECONDS} s at most")
    if seconds > 1.5 * stated:
        problems.append(f"it ran {seconds:g} s, over 1.5 times the {stated:g} s stated; make it faster")
    if seconds < 0.1 * stated:
        problems.append(f"it ran {seconds:g} s of the {stated:g} s stated; did anything run?")
    if peak_mb > MOST_MB:
        problems.append(f"it took {peak_mb:g} MB of memory; make it {MOST_MB} MB at most")
    if size > MOST_BYTES:
        problems.append(f"the file has {size / 1000:.0f} KB; make it {MOST_BYTES // 1000} KB at most")
    return [f"{within(notebook)}: {problem}" for problem in problems]


# Languages
# ---------


@dataclass
class Prose:
    """What of a Markdown text must be the same in its translation, and the words that must not."""

    formulas: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    images: list[str] = field(default_factory=list)
    code: list[str] = field(default_factory=list)
    headings: list[str] = field(default_factory=list)  # levels: "h1", "h2"
    lists: list[int] = field(default_factory=list)  # numbers of items
    text: str = ""  # without code, formulas, links' texts and italics; a line a block


def read_prose(markdown: str) -> Prose:
    """Take a Markdown text apart."""
    prose, blocks, open_lists = Prose(), [], []
    for token in MARKDOWN.parse(markdown):
        if token.type == "heading_open":
            prose.headings.append(token.tag)
        elif token.type in ("bullet_list_open", "ordered_list_open"):
            open_lists.append(len(prose.lists))
            prose.lists.append(0)
        elif token.type in ("bullet_list_close", "ordered_list_close"):
            open_lists.pop()
        elif token.type == "list_item_open":
            prose.lists[open_lists[-1]] += 1
        elif token.type in ("math_block", "amsmath"):
            prose.formulas.append(formula(token.content))
        elif token.type in ("fence", "code_block"):
            prose.code.append(block_of_code(token))
        elif token.type == "html_block":
            prose.links += re.findall(r"href=[\"']([^\"']*)", token.content)
            prose.images += re.findall(r"src=[\"']([^\"']*)", token.content)
            blocks.append(html_text(token.content))
        elif token.type == "inline":
            blocks.append(read_inline(token.children, prose))
    # Each language's notebook may link to the other one.
    prose.links = [re.sub(r"^\.\./(?:en|pl)/", "../", link) for link in prose.links]
    prose.text = "\n".join(blocks)
    return prose


def read_inline(tokens: list[Token], prose: Prose) -> str:
    """Collect a paragraph's formulas, links, images and code into `prose`; returns its words."""
    words, exempt = [], 0
    for token in tokens:
        if token.type in ("em_open", "link_open"):
            exempt += 1
        elif token.type in ("em_close", "link_close"):
            exempt -= 1
        if token.type == "link_open":
            prose.links.append(token.attrs["href"])
        elif token.type == "image":
            prose.images.append(token.attrs["src"])
            words.append(f"\n{token.content}\n")
        elif token.type in ("math_inline", "math_inline_double"):
            prose.formulas.append(formula(token.content))
        elif token.type == "code_inline":
            prose.code.append(token.content)
        elif token.type == "text" and not exempt:
            words.append(token.content)
            continue
        words.append(" ")
    return "".join(words)


def formula(tex: str) -> str:
    """A formula without what a translation may change: spaces, words in it, the decimal comma."""
    words = r"\\(?:text|textrm|textit|textbf|mathrm|operatorname\*?)\s*\{[^{}]*\}"
    wordless = re.sub(words, r"\\text{}", tex)
    return re.sub(r"\s|\\[,;:! ]", "", wordless.replace("{,}", "."))


def block_of_code(token: Token) -> str:
    """A fenced block as it is compared: Python without its comments, of anything else only its kind."""
    kind = token.info.strip()
    if kind == "python":
        try:
            return canonical(ast.parse(token.content))
        except SyntaxError:  # a fragment
            return token.content
    return f"```{kind}"


def html_text(html: str) -> str:
    """The words of some HTML, without code."""
    html = re.sub(r"<(pre|code|style|script|em|i)\b.*?</\1>", " ", html, flags=re.DOTALL | re.IGNORECASE)
    html = re.sub(r"</?(?:p|div|tr|li|h\d|br|summary|figcaption|td|th|caption)\b[^>]*>", "\n", html)
    return unescape(re.sub(r"<[^>]+>", "", html))


def twins_agree(lesson: Lesson) -> list[str]:
    """Both languages of each text have the same formulas, links, code and shape, and the glossary's terms."""
    problems = []
    for one, two in zip(lesson.cells, lesson.cells[1:], strict=False):
        if one.lang == "en":
            problems += [f"{at(lesson, two)}: {what}" for what in compare(one.source, two.source)]
    for cell in lesson.cells:
        if cell.kind == "code":
            for english, polish in text_pairs(cell.source):
                where = f"{at(lesson, cell)}: «{english[:40]}»"
                problems += [f"{where}: {what}" for what in compare(english, polish)]
    return problems


def compare(english: str, polish: str) -> list[str]:
    """How two texts that should be translations of each other differ."""
    problems, one, two = [], read_prose(english), read_prose(polish)
    for what in ("formulas", "links", "images", "code"):
        here, there = Counter(getattr(one, what)), Counter(getattr(two, what))
        if here != there:
            only = [sorted((here - there).elements()), sorted((there - here).elements())]
            told = f"only in English {only[0]}, only in Polish {only[1]}"
            problems.append(f"{what} differ: {told}; make them the same")
    for what in ("headings", "lists"):
        here, there = getattr(one, what), getattr(two, what)
        if here != there:
            problems.append(f"{what} differ: {here} in English, {there} in Polish; make them the same")
    for term in glossary.missing_terms(english, polish):
        problems.append(f"«{term.en}» is «{term.pl}» in Polish; say so (tlcourse/classroom/glossary.json)")
    return problems


def text_pairs(code: str) -> Iterator[tuple[str, str]]:
    """The texts that code has in both languages: `t("English", "polski")`, and tuples of two sentences."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "t":
            pair = [literal(part) for part in node.args]
        elif isinstance(node, ast.Tuple):
            pair = [literal(part) for part in node.elts]
            if None not in pair and any(len(WORD.findall(text)) < 3 for text in pair):
                continue  # two names rather than two sentences
        else:
            continue
        if len(pair) == 2 and None not in pair:
            yield pair[0], pair[1]


def literal(node: ast.expr) -> str | None:
    """The text of a string in code, an f-string's fields as 0; None for anything else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else "0" for part in node.values)
    return None


def one_language_each(lesson: Lesson) -> list[str]:
    """No sentence of the one language in the other one's notebook: neither in the prose nor in comments."""
    problems = []
    for cell in lesson.cells:
        where = at(lesson, cell)
        if cell.kind == "markdown":
            for lang in LANGUAGES if cell.lang is None else (cell.lang,):
                for sentence in foreign_sentences(read_prose(cell.source).text, lang):
                    told = f"not in {LANGUAGE_NAMES[lang]}: «{sentence}»"
                    problems.append(f"{where}: {told}; translate it")
            continue
        for pair in text_pairs(cell.source):
            for lang, one in zip(LANGUAGES, pair, strict=True):
                for sentence in foreign_sentences(read_prose(one).text, lang):
                    problems.append(f"{where}: not in {LANGUAGE_NAMES[lang]}: «{sentence}»; translate it")
        for lang in LANGUAGES:
            for comment in comments(in_language(cell.source, lang)):
                if re.match(r"#\s*(?:en|pl):", comment):
                    problems.append(f"{where}: `{comment}` must stand on a line of its own")
        for comment in comments(re.sub(r"^\s*# (?:en|pl):.*$", "", cell.source, flags=re.MULTILINE)):
            words = {word.lower() for word in WORD.findall(comment)}
            if len(words) >= 3 and words & (ENGLISH | POLISH):
                told = f"`{comment}` stands in both languages"
                problems.append(f"{where}: {told}; write `# en:` and `# pl:` lines")
        for node in ast.walk(ast.parse(cell.source)):
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node):
                told = f"the docstring of {node.name} stands in both languages"
                problems.append(f"{where}: {told}; write `# en:` and `# pl:` comments instead")
    return problems


def comments(code: str) -> list[str]:
    """The comments of some code."""
    tokens = tokenize.generate_tokens(io.StringIO(code + "\n").readline)
    return [token.string for token in tokens if token.type == tokenize.COMMENT]


def foreign_sentences(text: str, lang: str) -> list[str]:
    """The sentences of the other language in a text that should be in `lang`.

    A sentence is taken for the other language's when it has five words or more, among them three different
    frequent words of that language and none of its own.
    """
    other = {"en": "pl", "pl": "en"}[lang]
    found = []
    for sentence in SENTENCE_END.split(text):
        words = [word.lower() for word in WORD.findall(sentence)]
        own, foreign = (set(words) & FUNCTION_WORDS[to] for to in (lang, other))
        if len(words) >= 5 and len(foreign) >= 3 and not own:
            found.append(" ".join(sentence.split())[:100])
    return found


def outputs_in_language(notebook: NotebookNode) -> list[str]:
    """No output is in the other language."""
    lang = notebook.metadata.tlcourse.lang
    return [
        f"{within(notebook, cell)}: its output is not in {LANGUAGE_NAMES[lang]}: «{sentence}»; use t(…)"
        for cell in code_cells(notebook)
        for output in cell.outputs
        for sentence in foreign_sentences(output_prose(output), lang)
    ]


def output_prose(output: NotebookNode) -> str:
    """What a reader reads of an output: of its forms the one that is shown, and images' descriptions."""
    if output.output_type in ("stream", "error"):
        return output.get("text", "")
    data = output.get("data", {})
    alt = " ".join(output.get("metadata", {}).get(mime, {}).get("alt", "") for mime in IMAGES)
    if "text/markdown" in data:
        return f"{alt}\n{read_prose(data['text/markdown']).text}"
    if "text/html" in data:
        return f"{alt}\n{html_text(data['text/html'])}"
    return f"{alt}\n{data.get('text/plain', '')}"


def same_program(english: NotebookNode, polish: NotebookNode) -> list[str]:
    """Both notebooks' code is the same program, but for the setup cell."""
    one, two = code_cells(english), code_cells(polish)
    if [cell.id for cell in one] != [cell.id for cell in two]:
        return [f"{within(polish)}: its code cells are not those of the English one; build both again"]
    return [
        f"{within(polish, there)}: its code is not that of the English one; build both again"
        for here, there in zip(one, two, strict=True)
        if "setup" not in here.metadata.get("tags", [])
        and canonical(ast.parse(here.source)) != canonical(ast.parse(there.source))
    ]


def links_lead_somewhere(lesson: Lesson, slugs: Iterable[str]) -> list[str]:
    """Links to other lessons, and prerequisites, name lessons that exist; no other file is linked to."""
    slugs, problems = set(slugs), []
    for slug in set(lesson.prerequisites) - slugs:
        problems.append(f"lessons/{lesson.slug}.py: its prerequisite {slug!r} is no lesson; mend the header")
    for cell in lesson.cells:
        if cell.kind == "code":
            continue
        for link in read_prose(cell.source).links:
            target = re.fullmatch(r"(?:\.\./)?(\w+)\.ipynb(?:#.*)?", link)
            if re.match(r"https?://|#|mailto:", link) or (target and target[1] in slugs):
                continue
            told = f"the link to {link!r} leads nowhere in the notebook"
            problems.append(f"{at(lesson, cell)}: {told}; link to NN_slug.ipynb of a lesson, or to https://")
    return problems


# Structure
# ---------


def structure(lesson: Lesson) -> list[str]:
    """The parts that every lesson has, as far as a machine can see them, and its rhythm."""
    cells = [cell for cell in lesson.cells if cell.lang != "pl"]
    problems = []
    tagged = {
        tag: [i for i, cell in enumerate(cells) if tag in cell.tags] for tag in ("predict", "claim", "widget")
    }
    for lang in LANGUAGES:
        first = next((cell.source for cell in lesson.cells if cell.lang in (None, lang)), "")
        if not re.match(rf"# {re.escape(lesson.titles[lang])}\s*(?:\n|$)", first):
            problems.append(f"it does not begin with its title: `# {lesson.titles[lang]}`")
    if not 3 <= (count := objectives(cells)) <= 5:
        problems.append(f"{count} objectives: write «you will be able to» and a list of three to five")
    for tag, indices in tagged.items():
        if not indices:
            problems.append(f"no cell is tagged {tag!r}; write one")
    if tagged["predict"] and tagged["claim"] and tagged["predict"][0] > tagged["claim"][0]:
        problems.append("the first prediction comes after the first claim; let the reader guess before")
    if not any("show_source(" in cell.source for cell in cells if cell.kind == "code"):
        problems.append("no code of the package is shown; use show_source")
    if lesson.number != INTRODUCTION:
        headings = [line for cell in cells if cell.kind == "markdown" for line in heading_lines(cell.source)]
        for section, pattern in SECTIONS.items():
            if not any(re.search(pattern, line, re.IGNORECASE) for line in headings):
                problems.append(f"no heading like «{section}»; write that section")
    problems += exercises(lesson, cells) + quizzes(cells) + rhythm(lesson)
    return [f"lessons/{lesson.slug}.py: {problem}" for problem in problems]


def objectives(cells: list[Cell]) -> int:
    """The number of items in the list that the objectives' line leads to, 0 when there is none."""
    for cell in cells:
        if cell.kind == "markdown" and (mark := OBJECTIVES.search(cell.source)):
            lists = read_prose(cell.source[mark.end() :]).lists
            return lists[0] if lists else 0
    return 0


def heading_lines(markdown: str) -> list[str]:
    """The texts of a Markdown text's headings."""
    tokens = MARKDOWN.parse(markdown)
    return [tokens[i + 1].content for i, token in enumerate(tokens) if token.type == "heading_open"]


def exercises(lesson: Lesson, cells: list[Cell]) -> list[str]:
    """Two or three exercises (the introduction: one to three), each with a hint, a check and a solution."""
    starts = [i for i, cell in enumerate(cells) if "exercise" in cell.tags]
    fewest = 1 if lesson.number == INTRODUCTION else 2
    problems = [] if fewest <= len(starts) <= 3 else [f"{len(starts)} exercises; write {fewest} to 3"]
    for start, end in zip(starts, [*starts[1:], len(cells)], strict=True):
        parts = Counter(tag for cell in cells[start:end] for tag in cell.tags)
        for part in ("hint", "check", "solution"):
            if parts[part] != 1:
                told = f"the exercise {cells[start].id} has {parts[part]} cells tagged {part!r}"
                problems.append(f"{told}; write one")
    return problems


def quizzes(cells: list[Cell]) -> list[str]:
    """One quiz cell of three to five questions."""
    trees = [ast.parse(cell.source) for cell in cells if "quiz" in cell.tags]
    calls = [node.func for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call)]
    count = sum(isinstance(call, ast.Name) and call.id == "Quiz" for call in calls)
    return [] if 3 <= count <= 5 else [f"its quiz has {count} questions; write three to five `Quiz(…)`"]


def rhythm(lesson: Lesson) -> list[str]:
    """The number of cells in one language, and the lines of code cells (blank ones and quizzes left out)."""
    problems, notebook = [], to_notebook(lesson, "en")
    fewest, most = (15 if lesson.number == INTRODUCTION else CELLS[0]), CELLS[1]
    if not fewest <= (count := len(notebook.cells)) <= most:
        problems.append(f"{count} cells; a lesson has {fewest} to {most}")
    lines = {
        cell.id: sum(bool(line.strip()) for line in cell.source.splitlines())
        for cell in code_cells(notebook)
        if "quiz" not in cell.metadata.get("tags", [])
    }
    if (median := statistics.median(lines.values())) >= MEDIAN_LINES:
        problems.append(f"the median code cell has {median:g} lines; keep it under {MEDIAN_LINES}")
    for id, count in lines.items():
        if count > MOST_LINES:
            problems.append(f"the code cell {id} has {count} lines; split it, {MOST_LINES} at most")
    return problems


# Outputs
# -------


def outputs_are_clean(notebook: NotebookNode) -> list[str]:
    """No path of a machine, no traceback, no warning, no object's address; every image is described."""
    problems = []
    for cell in code_cells(notebook):
        for output in cell.outputs:
            problems += [f"{within(notebook, cell)}: {what}" for what in flaws(output)]
    return problems


def flaws(output: NotebookNode) -> Iterator[str]:
    """What is wrong with one output."""
    data = output.get("data", {})
    if output.output_type == "stream":
        texts = [output.text]
    else:
        kinds = ("text/", "application/", "image/svg")
        texts = [value for kind, value in data.items() if kind.startswith(kinds)]
        texts += output.get("traceback", [])
    text = "\n".join(value for value in texts if isinstance(value, str))
    for found, what in (
        (MACHINE_PATH.search(text), "shows a path of the machine; do not print paths"),
        (TRACEBACK.search(text), "is a traceback; catch what is meant to fail"),
        (WARNING.search(text), "is a warning; remove its cause"),
        (ADDRESS.search(text), "is an object's address; do not let an object end the cell"),
    ):
        if found:
            line = text[text.rfind("\n", 0, found.start()) + 1 :].splitlines()[0]
            yield f"its output «{line.strip()[:80]}» {what}"
    if output.get("name") == "stderr" and not WARNING.search(text):
        yield f"it writes to stderr: «{text.strip()[:80]}»; keep it quiet"
    if any(mime in data and not str(output.metadata.get(mime, {}).get("alt") or "").strip() for mime in IMAGES):
        yield "its image has no description; show it by show(figure, alt=…)"
