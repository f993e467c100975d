"""Every check of the lessons finds nothing in a sound lesson, and the fault that is planted in it."""

import re
from types import SimpleNamespace

import nbformat
import pytest

from tlcourse.classroom import build as machine
from tlcourse.classroom import glossary, inspection, run
from tlcourse.classroom.build import LessonError, build, read_lesson, to_notebook

HEADER = """# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   tlcourse:
#     title: {en: Tiny, pl: Malutka}
#     minutes: 5
#     seconds: 20
#     prerequisites: []
# ---

"""


def prose(english, polish, tags=""):
    """A pair of prose cells."""
    pair = (("en", english), ("pl", polish))
    return "".join(
        f'# %% [markdown] lang="{lang}"{tags}\n' + "".join(f"# {line}\n" for line in text.splitlines()) + "\n"
        for lang, text in pair
    )


def code(source, tag=None):
    """A code cell."""
    return ("# %%" if tag is None else f'# %% tags=["{tag}"]') + f"\n{source}\n\n"


def exercise(name):
    """An exercise with its hint, check and solution."""
    return (
        prose(f"## Exercise {name}", f"## Ćwiczenie {name}")
        + code(f"def {name}(x):\n    return ...", "exercise")
        + prose("Add it to itself.", "Dodaj do siebie.", ' tags=["hint"]')
        + code(f'check("{name}", {name})', "check")
        + code(f"def {name}(x):\n    return x + x", "solution")
    )


BODY = (
    prose(
        "# Tiny\nYou will be able to:\n- see,\n- hear,\n- say what $z = f(x)$ is.",
        "# Malutka\nPo tej lekcji potrafisz:\n- zobaczyć,\n- usłyszeć,\n- powiedzieć, czym jest $z = f(x)$.",
    )
    + code('from tlcourse.classroom import start_lesson, t\nstart_lesson("02_tiny", lang="en")', "setup")
    + code("from tlcourse.classroom import check", "imports")
    + prose(
        "## The idea\nThe loss is $$L = \\frac{1}{2}\\,x_{\\text{new}} + 0.5$$ as in [this *paper*](https://a.org).\n"
        "Fine-tuning uses `fit`, see ![a curve](https://a.org/curve.png).\n\n1. one\n2. two",
        "## Idea\nStrata to $$L = \\frac{1}{2} x_{\\text{nowy}} + 0{,}5$$ jak w [tej *pracy*](https://a.org).\n"
        "Dostrajanie (ang. *fine-tuning*) używa `fit`: ![krzywa](https://a.org/curve.png).\n\n1. raz\n2. dwa",
    )
    + code('guess = t("How many of the boards are right?", "Ile płytek jest dobrych?")', "predict")
    + code("show_source(guess)")
    + code("# en: Measure the accuracy.\n# pl: Zmierz dokładność.\nmeasured = 0.5")
    + code('claim(t("It is half", "To połowa"), measured, at_least=0.4)', "claim")
    + code("explore(guess)", "widget")
    + prose("## When it fails\nIt is not always so.", "## Kiedy zawodzi\nNie zawsze tak jest.")
    + code("print(measured)")
    + prose("## In robotics\nA robot.", "## W robotyce\nRobot.")
    + exercise("double")
    + exercise("triple")
    + prose("## Quiz", "## Quiz")
    + code(
        'quiz(\n    Quiz(t("A?", "A?"), []),\n    Quiz(t("B?", "B?"), []),\n    Quiz(t("C?", "C?"), []),\n)',
        "quiz",
    )
    + prose("## What we saw\n- We saw.", "## Co widzieliśmy\n- Widzieliśmy.")
    + prose("## Where to go next\nRead on.", "## Co dalej\nCzytaj dalej.")
    + code("1 + 1")
)
README = "<!-- lessons -->\n<!-- /lessons -->\n"


@pytest.fixture
def checkout(tmp_path):
    (tmp_path / "lessons").mkdir()
    (tmp_path / "lessons" / "02_tiny.py").write_text(HEADER + BODY, encoding="utf-8")
    for file in ("README.md", "README.pl.md"):
        (tmp_path / file).write_text(README, encoding="utf-8")
    return tmp_path


def lesson_with(checkout, *changes):
    """The sound lesson with some texts replaced: pairs (old, new)."""
    text = HEADER + BODY
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    path = checkout / "lessons" / "02_tiny.py"
    path.write_text(text, encoding="utf-8")
    return read_lesson(path)


def executed(lesson, lang="en"):
    """The notebook as if it had run well."""
    notebook = to_notebook(lesson, lang)
    for number, cell in enumerate(machine.code_cells(notebook), 1):
        cell.execution_count = number
    notebook.metadata.tlcourse.update(seconds=20.0, peak_mb=500, modules=[], digest="")
    return notebook


def with_output(lesson, lang="en", metadata=None, **data):
    """The notebook with one more output: text=… a stream's, or its data by kind (`/` written `_`)."""
    notebook = executed(lesson, lang)
    kinds = {kind.replace("_", "/"): value for kind, value in data.items()}
    output = nbformat.v4.new_output("display_data", data=kinds, metadata=metadata or {})
    machine.code_cells(notebook)[-1].outputs = [output]
    return notebook


def stream(lesson, text, name="stdout", lang="en"):
    notebook = executed(lesson, lang)
    machine.code_cells(notebook)[-1].outputs = [nbformat.v4.new_output("stream", name=name, text=text)]
    return notebook


def only(problems, *words):
    """There is one problem, it names its file and it says each of these words."""
    assert len(problems) == 1, problems
    assert "02_tiny" in problems[0]
    for word in words:
        assert word in problems[0], problems
    return True


# All at once


def test_a_sound_checkout_has_no_problem_and_each_fault_is_found(checkout, monkeypatch):
    def execute(notebook, **options):
        notebook = nbformat.from_dict(notebook)
        for number, cell in enumerate(machine.code_cells(notebook), 1):
            cell.execution_count, cell.outputs = number, []
        notebook.cells[-1].outputs = [nbformat.v4.new_output("stream", name="stdout", text='["tlcourse"]')]
        return SimpleNamespace(notebook=notebook, seconds=20.0, peak_mb=500.0, claims=[])

    monkeypatch.setattr(run, "execute", execute)
    assert build(checkout) == []
    assert inspection.inspect_lessons(checkout) == []

    source = checkout / "lessons" / "02_tiny.py"
    lesson_with(checkout, ("Read on.", "Read more."))
    assert sum("is stale" in problem for problem in inspection.inspect_lessons(checkout)) == 1
    lesson_with(checkout, ("measured = 0.5", "measured = 0.6"))
    assert sum("is stale" in problem for problem in inspection.inspect_lessons(checkout)) == 2
    source.write_text(HEADER + BODY, encoding="utf-8")
    machine.notebook_path(checkout, "02_tiny", "pl").unlink()
    only(inspection.inspect_lessons(checkout), "notebooks/pl/02_tiny.ipynb is missing")


def test_a_missing_polish_twin_is_refused(checkout):
    with pytest.raises(LessonError, match="twin"):
        lesson_with(checkout, ('# %% [markdown] lang="pl"\n# ## W robotyce\n# Robot.\n', ""))
    assert any("twin" in problem for problem in inspection.inspect_lessons(checkout))


def test_a_failing_claim_fails_the_build(checkout):
    """Through a real kernel: the claim raises, the build tells and writes nothing."""
    source = (
        'from tlcourse.classroom import claim, start_lesson, t\nstart_lesson("02_tiny", lang="en")',
        'claim(t("It is half", "To połowa"), 0.3, at_least=0.4)',
    )
    body = prose("# Tiny", "# Malutka") + code(source[0], "setup") + code(source[1], "claim")
    (checkout / "lessons" / "02_tiny.py").write_text(HEADER + body, encoding="utf-8")
    problems = build(checkout, languages=["pl"])
    only(problems, "cell 02-tiny-3 failed: ClaimFailed", "To połowa")
    assert not machine.notebook_path(checkout, "02_tiny", "pl").exists()


# Execution and costs


def test_cells_that_did_not_run_in_order(checkout):
    lesson = lesson_with(checkout)
    assert inspection.executed_in_order(executed(lesson)) == []
    only(inspection.executed_in_order(to_notebook(lesson, "pl")), "pl", "not every code cell has run")
    swapped = executed(lesson)
    machine.code_cells(swapped)[0].execution_count = 7
    only(inspection.executed_in_order(swapped), "in order")


def test_an_error_output(checkout):
    notebook = executed(lesson_with(checkout))
    error = nbformat.v4.new_output("error", ename="ValueError", evalue="no", traceback=[])
    machine.code_cells(notebook)[2].outputs = [error]
    only(inspection.executed_in_order(notebook), "cell 02-the-idea-2", "ValueError: no")


@pytest.mark.parametrize(
    ("changes", "size", "told"),
    [
        ({"seconds": 31.0}, 1, "over 1.5 times"),
        ({"seconds": 0.0}, 1, "did anything run"),
        ({"seconds": 1.9}, 1, "did anything run"),
        ({"peak_mb": 2100}, 1, "2100 MB"),
        ({"seconds_stated": 61, "seconds": 61}, 1, "60 s at most"),
        ({}, 600_001, "600 KB at most"),
    ],
)
def test_costs(checkout, changes, size, told):
    notebook = executed(lesson_with(checkout))
    assert inspection.costs(notebook, 600_000) == []
    notebook.metadata.tlcourse.update(changes)
    only(inspection.costs(notebook, size), told)


def test_a_notebook_that_was_never_executed_took_no_time(checkout):
    only(inspection.costs(to_notebook(lesson_with(checkout), "en"), 1), "did anything run")


# Languages


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("czym jest $z = f(x)$", "czym jest $z = g(x)$", "formulas differ"),
        ("0{,}5$$", "0{,}6$$", "formulas differ"),
        ("[tej *pracy*](https://a.org)", "[tej *pracy*](https://b.org)", "links differ"),
        ("curve.png)", "other.png)", "images differ"),
        ("używa `fit`", "używa `fits`", "code differ"),
        ("# ## Idea", "# ### Idea", "headings differ"),
        ("# 2. dwa\n", "", "lists differ: [2] in English, [1] in Polish"),
        ("Dostrajanie (ang. *fine-tuning*)", "Strojenie (ang. *fine-tuning*)", "«dostrajanie»"),
        ('"Ile płytek jest dobrych?"', '"Ile $n$ płytek?"', "formulas differ"),
        ('t("It is half", "To połowa")', 't("Frozen half", "To połowa")', "«zamrozić / odmrozić»"),
        ('t("It is half", "To połowa")', '("It is frozen half", "To jest połowa")', "«zamrozić / odmrozić»"),
    ],
)
def test_twins_that_differ(checkout, old, new, told):
    assert inspection.twins_agree(lesson_with(checkout)) == []
    problems = inspection.twins_agree(lesson_with(checkout, (old, new)))
    only(problems, told)
    assert re.search(r"lessons/02_tiny\.py:\d+ \(02-[\w-]+\): ", problems[0])


def test_words_spaces_and_the_decimal_comma_of_formulas_are_translated():
    pairs = (
        (r"$L_{\text{new}} = 0.5$", r"$L_{\text{nowe}}=0{,}5$"),
        (r"$\mathrm{accuracy} \, x$", r"$\mathrm{dokładność}\,x$"),
        ("$$\na = b\n$$", "$$a = b$$"),
    )
    for english, polish in pairs:
        assert inspection.read_prose(english).formulas == inspection.read_prose(polish).formulas != []


def test_links_to_the_other_language_may_differ():
    assert inspection.compare("[Polski](../pl/02_tiny.ipynb)", "[English](../en/02_tiny.ipynb)") == []


def test_python_blocks_may_differ_in_comments_only():
    block = "```python\nx = {}  # {}\n```"
    assert inspection.compare(block.format(1, "one"), block.format(1, "jeden")) == []
    assert len(inspection.compare(block.format(1, "one"), block.format(2, "jeden"))) == 1


def test_nested_lists_count_each_for_itself():
    assert inspection.read_prose("- a\n  - b\n  - c\n- d\n\n1. e").lists == [2, 2, 1]


ENGLISH = "This is the sentence that nobody has translated."
POLISH = "To jest zdanie, którego nikt nie przetłumaczył, więc zostało."


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("Czytaj dalej.", ENGLISH, "not in Polish: «This is the sentence"),
        ("Read on.", POLISH, "not in English: «To jest zdanie"),
        ("# Dodaj do siebie.", f"# - {ENGLISH}", "not in Polish"),
        ("![krzywa](", f"![{ENGLISH}](", "not in Polish"),
        ('"Ile płytek jest dobrych?"', f'"{ENGLISH}"', "not in Polish"),
        ("measured = 0.5", "measured = 0.5  # the mean of all", "`# the mean of all` stands in both"),
        ("measured = 0.5", "measured = 0.5  # en: mean", "a line of its own"),
        ("measured = 0.5", 'def f():\n    """Half."""', "the docstring of f stands in both languages"),
    ],
)
def test_a_sentence_in_the_wrong_language(checkout, old, new, told):
    assert inspection.one_language_each(lesson_with(checkout)) == []
    problems = inspection.one_language_each(lesson_with(checkout, (old, new)))
    assert problems and all(told in problem for problem in problems)


def test_prose_without_a_language_must_suit_both(checkout):
    neutral = f"# %% [markdown]\n# {ENGLISH}\n\n"
    lesson = lesson_with(checkout, ('# %% tags=["widget"]', neutral + '# %% tags=["widget"]'))
    only(inspection.one_language_each(lesson), "not in Polish")


def test_what_may_stay_in_english():
    for text in (
        "Zobacz *How transferable are the features in deep neural networks and why*.",
        "Zobacz [How transferable are the features in deep neural networks](https://a.org).",
        "Użyj `the of and is are in` albo:\n\n```\nthis is the output of it\n```",
        "The Lancet, Nature",
    ):
        assert inspection.foreign_sentences(inspection.read_prose(text).text, "pl") == []


@pytest.mark.parametrize(
    "data",
    [
        {"text_plain": ENGLISH},
        {"text_html": f"<table><tr><td>{ENGLISH}</td></tr></table>"},
        {"text_markdown": f"**{ENGLISH}**"},
    ],
)
def test_an_output_in_the_wrong_language(checkout, data):
    lesson = lesson_with(checkout)
    only(inspection.outputs_in_language(with_output(lesson, "pl", **data)), "notebooks/pl", "not in Polish")
    assert inspection.outputs_in_language(with_output(lesson, "en", **data)) == []


def test_a_printed_sentence_or_a_description_in_the_wrong_language(checkout):
    lesson = lesson_with(checkout)
    only(inspection.outputs_in_language(stream(lesson, ENGLISH, lang="pl")), "not in Polish")
    only(inspection.outputs_in_language(stream(lesson, POLISH, lang="en")), "not in English")
    alt = {"image/png": {"alt": ENGLISH}}
    only(inspection.outputs_in_language(with_output(lesson, "pl", alt, image_png="AA==")), "not in Polish")


def test_shown_source_may_be_english(checkout):
    source = f"`tlcourse/m.py`\n\n```python\n# {ENGLISH}\nx = 1\n```"
    notebook = with_output(lesson_with(checkout), "pl", text_markdown=source, text_plain=f"# {ENGLISH}")
    assert inspection.outputs_in_language(notebook) == []


def test_code_that_differs_between_the_languages(checkout):
    lesson = lesson_with(checkout)
    english, polish = executed(lesson, "en"), executed(lesson, "pl")
    assert inspection.same_program(english, polish) == []
    machine.code_cells(polish)[5].source += "  # uwaga"
    assert inspection.same_program(english, polish) == []
    machine.code_cells(polish)[5].source = "measured = 0.6"
    only(inspection.same_program(english, polish), "notebooks/pl", "its code is not that")
    del polish.cells[-1]
    only(inspection.same_program(english, polish), "its code cells are not those")


@pytest.mark.parametrize("link", ["03_none.ipynb", "../../README.md", "picture.png"])
def test_links_that_lead_nowhere(checkout, link):
    lesson = lesson_with(checkout, ("Read on.", f"[on]({link})"))
    only(inspection.links_lead_somewhere(lesson, ["02_tiny"]), link, "leads nowhere")


def test_links_that_lead_somewhere(checkout):
    for link in ("02_tiny.ipynb", "../pl/02_tiny.ipynb", "02_tiny.ipynb#Idea", "https://a.org/", "#The-idea"):
        lesson = lesson_with(checkout, ("Read on.", f"[on]({link})"))
        assert inspection.links_lead_somewhere(lesson, ["02_tiny"]) == []


def test_a_prerequisite_must_exist(checkout):
    lesson = lesson_with(checkout, ("prerequisites: []", 'prerequisites: ["01_none"]'))
    only(inspection.links_lead_somewhere(lesson, ["02_tiny"]), "'01_none' is no lesson")


# Structure


def without(part):
    """Change a tag in the source to another, harmless one."""
    return (f'tags=["{part}"]', 'tags=["imports"]')


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ([("# # Malutka", "# # Mała")], "begin with its title: `# Malutka`"),
        ([("You will be able to", "Learn to")], "0 objectives"),
        ([("# - see,\n# - hear,\n", ""), ("# - zobaczyć,\n# - usłyszeć,\n", "")], "1 objectives"),
        ([without("predict")], "no cell is tagged 'predict'"),
        ([without("widget")], "no cell is tagged 'widget'"),
        ([without("claim")], "no cell is tagged 'claim'"),
        ([without("predict"), ("print(measured)", '1\n\n# %% tags=["predict"]\n2')], "comes after"),
        ([("show_source(guess)", "guess")], "use show_source"),
        ([without("check")], "0 cells tagged 'check'"),
        ([('lang="en" tags=["hint"]', 'lang="en"'), ('lang="pl" tags=["hint"]', 'lang="pl"')], "'hint'"),
        ([without("solution")], "0 cells tagged 'solution'"),
        ([('    Quiz(t("A?", "A?"), []),\n', "")], "2 questions"),
        ([without("quiz")], "0 questions"),
        ([("## When it fails", "## Then")], "«when it fails»"),
        ([("## In robotics", "## Uses")], "«in robotics»"),
        ([("## What we saw", "## End")], "«what we saw»"),
        ([("## Where to go next", "## More")], "«where to go next»"),
        ([("measured = 0.5", "measured = 0.5\n" + "measured\n" * 25)], "27 lines; split it"),
        ([("1 + 1", "1 + 1\n\n" + code("1") * 26)], "cells; a lesson has 25 to 50"),
    ],
)
def test_a_part_that_is_missing(checkout, changes, told):
    assert inspection.structure(lesson_with(checkout)) == []
    only(inspection.structure(lesson_with(checkout, *changes)), told)


def test_the_number_of_exercises(checkout):
    path = checkout / "lessons" / "02_tiny.py"
    text = HEADER + BODY
    path.write_text(text.replace(exercise("triple"), "# %%\n1\n\n" * 5), encoding="utf-8")
    only(inspection.structure(read_lesson(path)), "1 exercises; write 2 to 3")


def test_too_few_cells_and_long_ones(checkout):
    text = HEADER + BODY
    text = text.replace(prose("## Quiz", "## Quiz"), "").replace(code("print(measured)"), "")
    text = text.replace(code("1 + 1"), "")
    path = checkout / "lessons" / "02_tiny.py"
    text = text.replace(code("from tlcourse.classroom import check", "imports"), "")
    path.write_text(text, encoding="utf-8")
    only(inspection.structure(read_lesson(path)), "cells; a lesson has 25 to 50")
    long = code("x = 1\n" * 9)
    path.write_text(HEADER + BODY + long * 15, encoding="utf-8")
    only(inspection.structure(read_lesson(path)), "the median code cell has 9 lines")


def test_an_introduction_may_be_shorter(checkout):
    text = (HEADER + BODY).replace("02_tiny", "00_tiny")
    for part in (exercise("triple"), prose("## In robotics\nA robot.", "## W robotyce\nRobot.")):
        assert part in text
        text = text.replace(part, "")
    path = checkout / "lessons" / "00_tiny.py"
    path.write_text(text, encoding="utf-8")
    assert inspection.structure(read_lesson(path)) == []


# Outputs


@pytest.mark.parametrize(
    "text",
    [
        "saved in /home/anna/course/x.png",
        "saved in /Users/anna/x.png",
        "in /var/folders/q1/x",
        "C:\\Users\\anna\\x.png",
        "'D:\\\\data\\\\x.png'",
        "lib/python3.11/site-packages/torch/nn.py",
        "ipykernel_4242/1.py",
    ],
)
def test_a_path_of_the_machine(checkout, text):
    lesson = lesson_with(checkout)
    only(inspection.outputs_are_clean(stream(lesson, f"fine\n{text}\n")), "path of the machine", text[:10])
    only(inspection.outputs_are_clean(with_output(lesson, text_html=f"<b>{text}</b>")), "path of the machine")


def test_what_is_no_path_of_a_machine(checkout):
    text = "https://a.org/home/x and/or data/recorded/x.json, tlcourse/m.py, 1/2, $f:\\mathbb{R}$, good/root"
    assert inspection.outputs_are_clean(stream(lesson_with(checkout), text)) == []


@pytest.mark.parametrize(
    ("text", "name", "told"),
    [
        ("Traceback (most recent call last):\n", "stdout", "traceback"),
        ("UserWarning: old\n", "stderr", "warning"),
        ("DeprecationWarning: old\n", "stdout", "warning"),
        ("hello\n", "stderr", "writes to stderr"),
        ("<Figure object at 0x7f3a2b1c>\n", "stdout", "object's address"),
    ],
)
def test_unclean_streams(checkout, text, name, told):
    only(inspection.outputs_are_clean(stream(lesson_with(checkout), text, name)), told)


@pytest.mark.parametrize("metadata", [{}, {"image/png": {}}, {"image/png": {"alt": " "}}])
def test_an_image_without_a_description(checkout, metadata):
    lesson = lesson_with(checkout)
    only(inspection.outputs_are_clean(with_output(lesson, "en", metadata, image_png="AA==")), "description")
    described = with_output(lesson, "en", {"image/png": {"alt": "A curve."}}, image_png="AA==")
    assert inspection.outputs_are_clean(described) == []


# The glossary


def test_every_entry_is_whole_and_follows_itself():
    terms = glossary.load()
    assert len({term.slug for term in terms}) == len({term.en for term in terms}) == len(terms) > 100
    for term in terms:
        assert all(term.definition[lang].endswith(".") for lang in ("en", "pl")), term.en
        assert glossary.missing_terms(term.definition["en"], term.definition["pl"]) == [], term.en
        if term.match:
            assert term.found(term.pl.replace("*", ""), "pl"), term.en


@pytest.mark.parametrize(
    ("english", "polish", "missing"),
    [
        ("Fine-tuning helps.", "Dostrojenie pomaga.", []),
        ("Fine-tuned networks.", "Dostrojone sieci.", []),
        ("Fine-tuning helps.", "Strojenie pomaga.", ["fine-tuning"]),
        ("Freeze the backbone.", "Zamroź sieć bazową.", []),
        ("The frozen backbone.", "Kręgosłup zamrożony.", ["backbone"]),
        ("Unfreeze it.", "Odmrażaj ją.", []),
        ("A mini-batch of it.", "Minipaczki.", []),
        ("Batch normalisation.", "Normalizacją wsadową.", []),
        ("A batch.", "Normalizacją wsadową.", ["batch, mini-batch"]),
        ("A low learning rate.", "Niska prędkość.", ["learning rate"]),
        ("Call `fine_tuning`, or *transfer learning*.", "Nic.", []),
        ("See [it](https://a.org/fine-tuning).", "Nic.", []),
        ("Two epochs, an accuracy.", "W dwóch epokach o dokładności.", []),
    ],
)
def test_terms_are_told_in_all_their_forms(english, polish, missing):
    assert [term.en for term in glossary.missing_terms(english, polish)] == missing


def test_the_table_is_alphabetical_in_each_language():
    lines = glossary.as_markdown("pl").splitlines()
    firsts = [re.match(r"\| \*\*(.+?)\*\* \|", line)[1] for line in lines[2:]]
    assert len(lines) == len(glossary.load()) + 2
    words = ("cecha / wektor cech", "ćwiczenie / rozwiązanie / wskazówka", "domena")
    order = [firsts.index(word) for word in words]
    assert order == sorted(order)
    assert "| **accuracy** | dokładność |" in glossary.as_markdown("en")
    with pytest.raises(ValueError, match="unknown language 'de'"):
        glossary.as_markdown("de")
