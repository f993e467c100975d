"""JupyterLab in headless Chromium, opened by `tlcourse lab`: a lesson runs, and its slider moves the figure."""

import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = os.environ.get("CHROMIUM") or next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
MENU = {"en": "Settings", "pl": "Ustawienia"}
MINUTES = 3  # for all cells of the lesson

pytestmark = pytest.mark.browser


def lesson_with_slider(lang: str) -> str:
    """The name of the built lesson that has a widget and states the fewest seconds; skips when there is none."""
    found = []
    for file in (ROOT / "notebooks" / lang).glob("[0-9][0-9]_*.ipynb"):
        notebook = nbformat.read(file, as_version=4)
        if any("widget" in cell.metadata.get("tags", []) for cell in notebook.cells):
            found.append((notebook.metadata.tlcourse.seconds_stated, file.name))
    if not found:
        pytest.skip(f"no notebook with a widget in notebooks/{lang} yet")
    return min(found)[1]


@contextmanager
def opened_lab(tmp_path: Path, name: str, lang: str):
    """`tlcourse lab` on a copy of the lesson, with no settings of this machine's user; yields address and token."""
    target = tmp_path / "notebooks" / lang / name
    target.parent.mkdir(parents=True)
    shutil.copy(ROOT / "notebooks" / lang / name, target)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = secrets.token_hex(16)
    # The command itself, but for the folder that it takes for the checkout: no copy of the reader's is touched.
    program = (
        "import pathlib, sys\nfrom tlcourse.classroom import cli\ncli.ROOT = pathlib.Path(sys.argv.pop(1))\ncli.main()"
    )
    options = [f"--ServerApp.port={port}", "--ServerApp.port_retries=0", f"--IdentityProvider.token={token}"]
    options += ["--no-browser", "--allow-root", "--LabApp.expose_app_in_browser=True"]
    folders = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **{folder: str(tmp_path / folder) for folder in folders}}
    with open(tmp_path / "lab.log", "w", encoding="utf-8") as log:
        server = subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path), "lab", name, "--lang", lang, *options],
            cwd=tmp_path,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"{address}/api/status?token={token}", timeout=1).close()
                break
            except OSError:
                assert server.poll() is None, (tmp_path / "lab.log").read_text("utf-8")
                time.sleep(0.1)
        yield address, token
    finally:
        server.terminate()
        server.wait(30)


@pytest.mark.parametrize("lang", ["en", "pl"])
def test_a_lesson_in_the_browser(lang, tmp_path):
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install -e .[dev]")
    if CHROMIUM is None:
        pytest.skip("no Chromium here: install it, or name it in the environment variable CHROMIUM")
    name = lesson_with_slider(lang)
    expect = playwright.expect
    with opened_lab(tmp_path, name, lang) as (address, token), playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1200, "height": 1400})
        page.goto(f"{address}/?token={token}")  # the lab's own default page is the lesson
        page.wait_for_selector(".jp-NotebookPanel .jp-Cell", timeout=60_000)
        assert page.url.endswith(f"/lab/tree/{lang}/{name}")
        expect(page.locator(".lm-MenuBar")).to_contain_text(MENU[lang])

        # Idle shows before the session is ready, and running then asks for a kernel: wait for the session.
        page.evaluate("async () => { const s = jupyterapp.shell.currentWidget.sessionContext;"
                      "await s.ready; await s.session.kernel.info; }")  # fmt: skip
        page.evaluate("() => { jupyterapp.commands.execute('notebook:run-all-cells'); }")  # its promise: not awaited
        indicator = page.locator(".jp-NotebookPanel .jp-Notebook-ExecutionIndicator")
        expect(indicator).not_to_have_attribute("data-status", "idle", timeout=10_000)
        expect(indicator).to_have_attribute("data-status", "idle", timeout=MINUTES * 60_000)
        assert page.locator(".jp-RenderedText[data-mime-type='application/vnd.jupyter.stderr']").count() == 0

        # A prediction has a slider, too, but no figure below it.
        picture = page.locator(".jupyter-widgets img, img.widget-image")
        cell = page.locator(".jp-CodeCell", has=page.locator(".noUi-handle")).filter(has=picture).first
        slider, figure = (
            cell.locator(".noUi-handle").first,
            cell.locator(".jupyter-widgets img, img.widget-image").first,
        )
        slider.scroll_into_view_if_needed()
        before = figure.get_attribute("src")
        assert figure.evaluate("image => image.naturalWidth") > 100
        slider.focus()
        page.keyboard.press("ArrowRight")
        expect(figure).not_to_have_attribute("src", before, timeout=10_000)
        assert figure.evaluate("image => image.naturalWidth") > 100
        browser.close()
