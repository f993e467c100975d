"""The build: what it refuses, what it makes of a lesson, when it executes; it never leaves half a file."""

import ast
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from types import SimpleNamespace

import nbformat
import pytest

from tlcourse.classroom import build as machine
from tlcourse.classroom import run
from tlcourse.classroom.build import LessonError, build, lessons_table, read_lesson, to_notebook, with_table

HEADER = """# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   tlcourse:
#     title: {en: Tiny, pl: Malutka}
#     minutes: 5
#     seconds: 2
#     prerequisites: []
# ---

"""
BODY = '''# %% [markdown] lang="en" slide_type="slide"
# # Tiny
# A cat, or a dog?
# who?
# See [features](01_features.ipynb).

# %% [markdown] lang="pl" slide_type="slide"
# # Malutka
# Kot czy pies?
# kto?
# Zobacz [cechy](01_features.ipynb).

# %% tags=["setup"]
from tlcourse.classroom import start_lesson, t
start_lesson("02_tiny", lang="en")

# %% [markdown] lang="en"
# ## 1. When it fails
# %% [markdown] lang="pl"
# ## 1. Kiedy zawodzi

# %%
# en: Add two numbers.
# en: It is easy.
# pl: Dodaj dwie liczby.
total = 1 + 1
print(total)

# %% tags=["exercise"]
def double(x):
    # en: Your code here.
    # pl: Tu wpisz swój kod.
    return ...

# %% [markdown] lang="en" tags=["hint"]
# Add it to itself.
# %% [markdown] lang="pl" tags=["hint"]
# Dodaj do siebie.

# %% tags=["solution"]
def double(x):
    # en: Twice.
    # pl: Dwa razy.
    return 2 * x

# %% tags=["quiz"]
print(t("Right?", "Prawda?"))
'''
README = "# Course\n\n<!-- lessons -->\nold\n<!-- /lessons -->\n\nend\n"


@pytest.fixture
def checkout(tmp_path):
    """A checkout with one lesson and the two READMEs."""
    (tmp_path / "lessons").mkdir()
    (tmp_path / "lessons" / "02_tiny.py").write_text(HEADER + BODY, encoding="utf-8")
    for file in ("README.md", "README.pl.md"):
        (tmp_path / file).write_text(README, encoding="utf-8")
    return tmp_path


def read(checkout, body=BODY, header=HEADER):
    path = checkout / "lessons" / "02_tiny.py"
    path.write_text(header + body, encoding="utf-8")
    return read_lesson(path)


def edit(checkout, old, new):
    path = checkout / "lessons" / "02_tiny.py"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def fake_execute(modules=("tlcourse", "tlcourse.used"), output=None, fail_at=None):
    """An `execute` that starts no kernel: numbers the cells, prints their numbers, names the modules."""

    def execute(notebook, **options):
        execute.calls += 1
        notebook = nbformat.from_dict(notebook)
        cells = machine.code_cells(notebook)
        for number, cell in enumerate(cells, 1):
            if fail_at is not None and fail_at in cell.source:
                raise run.CellFailed(cell, number, len(cells), "ValueError: planted")
            cell.execution_count = number
            text = output or f"cell {number}, run {execute.calls}\n"
            cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text=text)]
        names = str(list(modules)).replace("'", '"')
        cells[-1].outputs = [nbformat.v4.new_output("stream", name="stdout", text=names)]
        return SimpleNamespace(notebook=notebook, seconds=1.5, peak_mb=100.0, claims=[])

    execute.calls = 0
    return execute


@pytest.fixture
def execute(monkeypatch):
    fake = fake_execute()
    monkeypatch.setattr(run, "execute", fake)
    return fake


def notebook(checkout, lang="en"):
    return nbformat.read(machine.notebook_path(checkout, "02_tiny", lang), as_version=4)


# Reading


def test_a_lesson_is_read(checkout):
    lesson = read(checkout)
    assert (lesson.number, lesson.slug, lesson.minutes, lesson.seconds) == ("02", "02_tiny", 5, 2)
    assert lesson.titles == {"en": "Tiny", "pl": "Malutka"} and lesson.prerequisites == []
    english = lesson.cells[0]
    assert "A cat, or a dog?\nwho?" in english.source  # no shell command was made of it
    assert (english.lang, english.slide, english.line) == ("en", "slide", 11)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('lang="en" slide', "lang=en slide", "quotes"),
        ('# %% [markdown] lang="en" slide', '# %% [markdown] lang="de" slide', "unknown language 'de'"),
        ('# %% [markdown] lang="pl"\n# ## 1. Kiedy zawodzi\n', "", 'twin lang="pl" must follow'),
        ('# %% [markdown] lang="en"\n# ## 1. When it fails\n', "", 'twin lang="en" must precede'),
        ('lang="pl" tags=["hint"]', 'lang="pl"', "as in its English twin"),
        ('tags=["setup"]', 'tags=["imports"]', "must be the setup"),
        ('start_lesson("02_tiny", lang="en")', 'start_lesson("02_tiny")', "start_lesson"),
        ('start_lesson("02_tiny"', 'start_lesson("03_other"', 'start_lesson("02_tiny"'),
        ('tags=["quiz"]', 'tags=["setup"]', "second setup"),
        ('tags=["quiz"]', 'tags=["quizz"]', "unknown tag 'quizz'"),
        ('tags=["quiz"]', 'tags=["hint"]', "belongs to a markdown cell"),
        ('tags=["quiz"]', 'tag=["quiz"]', "unknown tag"),
        ('tags=["quiz"]', 'tags="quiz"', "'quiz' is not of type 'array'"),
        ('tags=["exercise"]', 'tags=["check"]', "without its exercise"),
        ("total = 1 + 1", "%matplotlib inline", "`%matplotlib inline` is a magic"),
        ("total = 1 + 1", "!ls", "magic"),
        ("total = 1 + 1", "total = = 1", "invalid syntax in its line 4"),
        ("# pl: Dodaj dwie liczby.\n", "", "twin `# pl:`"),
        ("# en: Add two numbers.\n# en: It is easy.\n", "", "the other way round"),
        ('# %% tags=["quiz"]', '# %% lang="pl" tags=["quiz"]', "code is written once"),
        ('slide_type="slide"', 'slide_type="page"', "unknown slide_type 'page'"),
        ('# %% tags=["quiz"]', "# %% [raw]", "raw cell"),
    ],
)
def test_a_broken_cell_is_refused(checkout, old, new, told):
    assert old in BODY
    with pytest.raises(LessonError) as error:
        read(checkout, BODY.replace(old, new))
    assert told in str(error.value) and "02_tiny.py" in str(error.value)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("#     minutes: 5\n", "", "lacks minutes"),
        ("seconds: 2", "seconds: soon", "seconds is 'soon'"),
        ("minutes: 5", "minutes: 0", "minutes is 0"),
        (", pl: Malutka", "", "title needs both languages"),
        ("prerequisites: []", "prerequisites: none", "prerequisites must be a list"),
        ("#   tlcourse:", "#   other:", "no `tlcourse:`"),
        ("{en: Tiny", "{en: [", "not valid YAML"),
    ],
)
def test_a_broken_header_is_refused(checkout, old, new, told):
    with pytest.raises(LessonError, match=told):
        read(checkout, header=HEADER.replace(old, new))


def test_an_error_names_the_line_and_the_head_of_the_cell(checkout):
    line = (HEADER + BODY).splitlines().index('# %% tags=["quiz"]') + 1
    with pytest.raises(LessonError, match=rf"02_tiny\.py:{line}: cell «print\("):
        read(checkout, BODY.replace('tags=["quiz"]', 'tags=["quizz"]'))


def test_a_file_name_needs_its_number(tmp_path):
    path = tmp_path / "tiny.py"
    path.write_text(HEADER + BODY, encoding="utf-8")
    with pytest.raises(LessonError, match="NN_slug"):
        read_lesson(path)


# The notebook


def test_each_notebook_has_its_language_only(checkout):
    lesson = read(checkout)
    english, polish = (nbformat.writes(to_notebook(lesson, lang)) for lang in ("en", "pl"))
    for text in ("A cat, or a dog?", "# Add two numbers.\\n", 'lang=\\"en\\"', "Hint", "Solution"):
        assert text in english and text not in polish
    for text in ("Kot czy pies?", "# Dodaj dwie", 'lang=\\"pl\\"', "Wskazówka", "Rozwiązanie"):
        assert text in polish and text not in english
    for text in ("# en:", "# pl:", '"lang=en"', "incorrectly"):
        assert text not in english and text not in polish
    for text in ("(01_features.ipynb)", "total = 1 + 1"):
        assert text in english and text in polish


def test_ids_are_readable_unique_and_shared_by_twins(checkout):
    lesson = read(checkout)
    english, polish = ([cell.id for cell in to_notebook(lesson, lang).cells] for lang in ("en", "pl"))
    assert english == polish
    assert english[:4] == ["02-tiny-1", "02-tiny-2", "02-when-it-fails-1", "02-when-it-fails-2"]
    assert len(set(english)) == len(english)


def test_ids_of_odd_headings_are_valid(checkout):
    heading = "## Świętokrzyskie $\\alpha$: what — exactly — does «" + "very " * 20 + "long» mean?"
    lesson = read(checkout, BODY.replace("## 1. When it fails", heading).replace("# # Tiny\n", "# # ???\n"))
    nbformat.validate(to_notebook(lesson, "en"))
    assert [cell.id for cell in lesson.cells][0] == "02-section-1"


def test_the_code_is_the_same_program_but_for_the_setup(checkout):
    lesson = read(checkout)
    english, polish = (machine.code_cells(to_notebook(lesson, lang)) for lang in ("en", "pl"))
    dumps = [[ast.dump(ast.parse(cell.source)) for cell in cells] for cells in (english, polish)]
    assert dumps[0][1:] == dumps[1][1:] and dumps[0][0] != dumps[1][0]


def test_solutions_are_folded_prose_and_exercises_stay(checkout):
    cells = to_notebook(read(checkout), "en").cells
    solution = next(cell for cell in cells if "solution" in cell.metadata.get("tags", []))
    assert solution.cell_type == "markdown"
    assert "```python\ndef double(x):\n    # Twice.\n    return 2 * x\n```" in solution.source
    assert solution.source.startswith("<details><summary>Solution</summary>\n\n")
    exercise = next(cell for cell in cells if "exercise" in cell.metadata.get("tags", []))
    assert exercise.source == "def double(x):\n    # Your code here.\n    return ..."


def test_slides_and_hidden_quizzes(checkout):
    cells = to_notebook(read(checkout), "pl").cells
    assert cells[0].metadata.slideshow == {"slide_type": "slide"}
    assert cells[-1].metadata.jupyter.source_hidden


def test_code_with_backticks_is_fenced_by_more():
    assert machine.fence('x = "```"').startswith("````python\n")


def test_a_notebook_is_deterministic(checkout):
    texts = {nbformat.writes(to_notebook(read(checkout), "pl")) for _ in range(3)}
    assert len(texts) == 1


# Digests


def test_the_digest_ignores_comments_and_docstrings_only():
    code = machine.code_of
    one = 'def f(x):\n    """Doc."""\n    return x + 1\n'
    assert code(one) == code('def f(x):\n    """Other\n    doc."""\n\n    return x + 1  # why\n')
    assert code(one) != code(one.replace("1", "2"))
    assert code("x = 'a'") != code("x = 'b'") and code("def f(): return") != code("def f(): return None")


def test_the_table_of_public_names_is_not_in_the_digest(checkout, monkeypatch):
    notebook = to_notebook(read(checkout), "en")
    seen = []
    monkeypatch.setattr(machine, "module_code", lambda module, comments: seen.append(module) or "")
    machine.digest(notebook, ["tlcourse", "tlcourse.runtime"], [], checkout)
    assert seen == ["tlcourse.runtime"]


def test_comments_of_shown_modules_count(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "ROOT", tmp_path)
    (tmp_path / "tlcourse").mkdir()
    path = tmp_path / "tlcourse" / "m.py"
    texts = ('"""One."""\nx = 1  # a\n', '"""Two,\ntwo."""\nx = 1  # a\n', '"""One."""\nx = 1  # b\n')
    plain, shown = [], []
    for text in texts:
        path.write_text(text, encoding="utf-8")
        plain.append(machine.module_code("tlcourse.m"))
        shown.append(machine.module_code("tlcourse.m", comments=True))
    assert len(set(plain)) == 1
    assert shown[0] == shown[1] != shown[2]
    path.unlink()
    assert machine.module_code("tlcourse.m") not in plain


def test_shown_modules_are_read_from_the_outputs(checkout):
    built = to_notebook(read(checkout, BODY.replace("print(total)", "show_source(total)")), "en")
    cell = next(cell for cell in built.cells if "show_source(" in cell.source)
    data = {"text/markdown": "```python\nx\n```\n*tlcourse/data/boards.py*", "text/plain": "x"}
    cell.outputs = [nbformat.v4.new_output("display_data", data=data)]
    assert machine.shown_modules(built) == ["tlcourse.data.boards"]


# Building


def test_an_unchanged_notebook_is_kept_byte_for_byte(checkout, execute, capsys):
    assert build(checkout) == []
    assert execute.calls == 2
    before = machine.notebook_path(checkout, "02_tiny", "en").read_bytes()
    assert build(checkout) == []
    assert execute.calls == 2
    assert machine.notebook_path(checkout, "02_tiny", "en").read_bytes() == before
    assert "en/02_tiny  kept" in capsys.readouterr().out


def test_metadata_tell_what_was_run(checkout, execute):
    build(checkout)
    about = notebook(checkout, "pl").metadata.tlcourse
    assert dict(about) | {"digest": ""} == {
        "lesson": "02_tiny",
        "lang": "pl",
        "title": "Malutka",
        "seconds_stated": 2,
        "seconds": 1.5,
        "peak_mb": 100,
        "modules": ["tlcourse", "tlcourse.used"],
        "digest": "",
    }
    assert len(about.digest) == 64
    assert all("modules" != cell.id for cell in notebook(checkout).cells)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("A cat, or a dog?", "A cat or a dog?"),
        ("# en: Twice.", "# en: Two times."),
        ("# en: It is easy.", "# en: It is very easy."),
        ("## 1. When it fails", "## 1. Where it fails"),
        ("seconds: 2", "seconds: 3"),
        ("{en: Tiny", "{en: Tinier"),
    ],
)
def test_a_change_of_words_keeps_the_outputs(checkout, execute, capsys, old, new):
    build(checkout)
    outputs = [cell.outputs for cell in machine.code_cells(notebook(checkout))]
    edit(checkout, old, new)
    assert build(checkout) == []
    assert execute.calls == 2 and "re-worded" in capsys.readouterr().out
    assert [cell.outputs for cell in machine.code_cells(notebook(checkout))] == outputs
    assert build(checkout, check=True) == []


def test_a_change_of_code_executes_again(checkout, execute):
    build(checkout)
    edit(checkout, "total = 1 + 1", "total = 1 + 2")
    assert len(build(checkout, check=True)) == 2
    assert build(checkout) == [] and execute.calls == 4
    assert build(checkout, check=True) == []


def test_a_change_of_a_used_module_executes_again(checkout, execute, monkeypatch, tmp_path_factory):
    package = tmp_path_factory.mktemp("package")
    (package / "tlcourse").mkdir()
    module = package / "tlcourse" / "used.py"
    module.write_text('"""Doc."""\nx = 1\n', encoding="utf-8")
    other = package / "tlcourse" / "unused.py"
    monkeypatch.setattr(run, "ROOT", package)
    build(checkout)
    module.write_text('"""Better doc."""\nx = 1  # why\n', encoding="utf-8")
    other.write_text("y = 1", encoding="utf-8")
    build(checkout)
    assert execute.calls == 2
    module.write_text("x = 2\n", encoding="utf-8")
    assert all("is stale" in problem for problem in build(checkout, check=True))
    build(checkout)
    assert execute.calls == 4


def test_a_recorded_run_that_is_read_counts(checkout, execute):
    edit(checkout, "print(total)", 'print(t("rates", "rates"))')
    recorded = checkout / "data" / "recorded"
    recorded.mkdir(parents=True)
    (recorded / "rates.json").write_text("[1]", encoding="utf-8")
    build(checkout)
    (recorded / "unused.json").write_text("[1]", encoding="utf-8")
    assert build(checkout, check=True) == []
    (recorded / "rates.json").write_text("[2]", encoding="utf-8")
    assert len(build(checkout, check=True)) == 2


def test_force_lessons_and_languages_choose(checkout, execute):
    build(checkout, languages=["pl"])
    assert not machine.notebook_path(checkout, "02_tiny", "en").exists()
    build(checkout, ["02"], force=True)
    assert execute.calls == 3
    with pytest.raises(ValueError, match="no lesson 07; there are 02, 02_tiny"):
        build(checkout, ["07"])


def test_cleared_outputs_are_made_again(checkout, execute):
    build(checkout)
    path = machine.notebook_path(checkout, "02_tiny", "en")
    path.write_text(nbformat.writes(machine.unexecuted(notebook(checkout))), encoding="utf-8")
    assert len(build(checkout, check=True)) == 1
    build(checkout)
    assert execute.calls == 3


def test_a_broken_notebook_is_made_again(checkout, execute):
    build(checkout)
    machine.notebook_path(checkout, "02_tiny", "en").write_text("<<<<<<< ours", encoding="utf-8")
    assert "missing or unreadable" in build(checkout, check=True)[0]
    assert build(checkout) == [] and execute.calls == 3


def test_a_failing_lesson_writes_nothing_and_the_others_are_built(checkout, monkeypatch, capsys):
    other = (HEADER + BODY).replace("02_tiny", "03_other")
    (checkout / "lessons" / "03_other.py").write_text(other, encoding="utf-8")
    monkeypatch.setattr(run, "execute", fake_execute(fail_at='start_lesson("02_tiny"'))
    problems = build(checkout)
    told = "notebooks/{}/02_tiny.ipynb: cell 02-tiny-2 failed: ValueError: planted"
    assert problems == [told.format("en"), told.format("pl")]
    assert "ValueError: planted" in capsys.readouterr().out
    assert not machine.notebook_path(checkout, "02_tiny", "en").exists()
    assert machine.notebook_path(checkout, "03_other", "en").exists()


def test_a_lesson_that_cannot_be_read_does_not_stop_the_others(checkout, execute):
    (checkout / "lessons" / "03_other.py").write_text("x = 1\n", encoding="utf-8")
    problems = build(checkout)
    assert len(problems) == 1 and "lessons/03_other.py" in problems[0]
    assert machine.notebook_path(checkout, "02_tiny", "en").exists()


def test_a_notebook_without_a_lesson_is_told(checkout, execute):
    build(checkout)
    stray = machine.notebook_path(checkout, "09_gone", "pl")
    stray.write_text("{}", encoding="utf-8")
    assert any("09_gone" in problem for problem in build(checkout, check=True))


def test_check_writes_nothing(checkout, execute):
    assert build(checkout, check=True)
    assert execute.calls == 0 and not (checkout / "notebooks").exists()
    assert (checkout / "README.md").read_text(encoding="utf-8") == README


def test_main_gives_an_exit_status(checkout, execute, monkeypatch, capsys):
    monkeypatch.setattr(run, "ROOT", checkout)
    assert machine.main(["--check"]) == 1
    assert machine.main(["02", "--lang", "en"]) == 0
    assert execute.calls == 1
    assert machine.main(["99"]) == 2
    assert "no lesson 99" in capsys.readouterr().err


# Outputs


def cleaned(*outputs):
    cell = nbformat.v4.new_code_cell("x", outputs=[nbformat.v4.new_output(**output) for output in outputs])
    return machine.clean(cell).outputs


def test_widget_views_go_and_their_static_twins_stay():
    view = {machine.WIDGET_VIEW: {"model_id": "1"}}
    bar = {"output_type": "display_data", "data": {**view, "text/plain": "  0%|   | 0/3"}}
    twin = {"output_type": "display_data", "data": {**view, "text/plain": "Quiz", "text/markdown": "**Q**"}}
    outputs = cleaned(bar, twin)
    assert len(outputs) == 1 and set(outputs[0].data) == {"text/plain", "text/markdown"}


def test_progress_bars_go_and_other_errors_stay():
    bar = "\r 50%|#####     | 1/2 [00:00<00:00, 9.1it/s]\r100%|##########| 2/2 [00:00<00:00, 9.0it/s]\n"
    stream = {"output_type": "stream", "name": "stderr"}
    assert cleaned({**stream, "text": bar}) == []
    assert cleaned({**stream, "text": bar + "UserWarning: no\n"})[0].text == "UserWarning: no\n"


def test_cut_up_streams_are_joined():
    pieces = [{"output_type": "stream", "name": "stdout", "text": text} for text in ("a\n", "b\n")]
    assert [output.text for output in cleaned(*pieces)] == ["a\nb\n"]


def test_times_of_execution_go():
    cell = nbformat.v4.new_code_cell("x", metadata={"execution": {"iopub.status.busy": "now"}})
    assert machine.clean(cell).metadata == {}


# The READMEs


def test_the_table_names_each_lesson(checkout):
    lesson = read(checkout)
    english, polish = (lessons_table([lesson], lang) for lang in ("en", "pl"))
    assert "| 02 | Tiny |" in english and "| 02 | Malutka |" in polish
    for table in (english, polish):
        assert "[English](notebooks/en/02_tiny.ipynb)" in table
        assert "[polski](notebooks/pl/02_tiny.ipynb)" in table
        assert "5 min | 2 s" in table
    first = replace(lesson, slug="01_first", number="01")
    assert lessons_table([lesson, first], "en") == lessons_table([first, lesson], "en")


def test_the_table_is_renewed_and_the_rest_kept(checkout, execute):
    build(checkout)
    text = (checkout / "README.pl.md").read_text(encoding="utf-8")
    assert text.startswith("# Course\n\n<!-- lessons -->\n| #")
    assert text.endswith("<!-- /lessons -->\n\nend\n")
    assert "old" not in text
    assert build(checkout, check=True) == []
    (checkout / "README.md").write_text(README, encoding="utf-8")
    assert build(checkout, check=True) == ["README.md: the table of lessons is stale; run `tlcourse build`"]


def test_a_readme_without_its_place_is_an_error(checkout, execute):
    readme = checkout / "README.md"
    readme.write_text("# Course\n<!-- lessons -->\n", encoding="utf-8")
    with pytest.raises(ValueError, match="README.md: found no place"):
        with_table(readme, "")
    assert any("found no place" in problem for problem in build(checkout))
    readme.unlink()
    assert any("README.md: there is none" in problem for problem in build(checkout))


# Files


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is POSIX")
def test_a_killed_build_leaves_the_old_notebook_whole(checkout, execute):
    build(checkout)
    path = machine.notebook_path(checkout, "02_tiny", "en")
    before = path.read_bytes()
    edit(checkout, "A cat, or a dog?", "A bird?")
    program = (
        "import os, sys, time\nfrom tlcourse.classroom import build\n"
        "def stop(*_):\n    print('written', flush=True)\n    time.sleep(60)\n"
        "os.replace = stop\nbuild.build(sys.argv[1])\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program, str(checkout)], stdout=subprocess.PIPE, cwd=run.ROOT, text=True
    )
    try:
        assert child.stdout.readline() == "written\n"
        child.send_signal(signal.SIGKILL)
        assert child.wait(10) == -signal.SIGKILL
    finally:
        child.kill()
        child.stdout.close()
    assert path.read_bytes() == before
    assert build(checkout) == [] and "A bird?" in path.read_text(encoding="utf-8")
    assert [file.name for file in path.parent.iterdir()] == ["02_tiny.ipynb"]


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is POSIX")
def test_a_build_killed_while_a_lesson_runs_leaves_the_old_notebook(checkout, execute, tmp_path_factory):
    build(checkout)
    path = machine.notebook_path(checkout, "02_tiny", "en")
    before = path.read_bytes()
    started = tmp_path_factory.mktemp("signs") / "started"
    edit(checkout, "total = 1 + 1", f"open({str(started)!r}, 'w').close()\nimport time\ntime.sleep(60)")
    program = "import sys\nfrom tlcourse.classroom import build\nbuild.build(sys.argv[1])\n"
    command = [sys.executable, "-c", program, str(checkout)]
    child = subprocess.Popen(command, cwd=run.ROOT, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while not started.exists() and child.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        assert started.exists()
        child.send_signal(signal.SIGKILL)
        assert child.wait(10) == -signal.SIGKILL
    finally:
        child.kill()
    assert path.read_bytes() == before


def test_a_real_execution(checkout):
    """One lesson through a real kernel: outputs, metadata, no widget left, nothing executed twice."""
    edit(checkout, "print(total)", "from tqdm.auto import tqdm\nprint(total, list(tqdm(range(2))))")
    assert build(checkout, languages=["pl"]) == []
    built = notebook(checkout, "pl")
    printed = [output.text for cell in machine.code_cells(built) for output in cell.outputs]
    assert printed == ["2 [0, 1]\n", "Prawda?\n"]
    assert machine.has_run(built) and "widgets" not in built.metadata
    about = built.metadata.tlcourse
    assert "tlcourse.classroom.language" in about.modules and about.peak_mb > 10 and about.seconds > 0
    assert build(checkout, languages=["pl"], check=True) == []
