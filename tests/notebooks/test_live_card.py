"""The card of a run in JupyterLab, in a real browser: it changes while the run goes on, below a cell that waits or has ended."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from docdask.settings import Settings
from tests.browser import Browser, running_browser
from tests.processes import ROOT, wait_until

pytestmark = pytest.mark.browser

SLOW = "tests.engine.engines:Slow"
#: Text of the cards, one a line, as a person reads them.
CARDS = """[...document.querySelectorAll('.jp-OutputArea-output')].map(e => e.innerText).filter(t => t.includes('docdask'))
  .map(t => t.replace(/\\s+/g, ' ')).join('\\n')"""
#: Whether the cell below has been run.
NEXT_CELL = "!!document.querySelector('.jp-OutputArea-executeResult')"
RUN_ALL = "jupyterapp.commands.execute('notebook:run-all-cells').then(() => 0), 1"
#: Whether a card must be scrolled sideways.
TOO_WIDE = (
    """[...document.querySelectorAll('.jp-OutputArea-output')].some(e => e.scrollWidth > e.clientWidth + 1)"""
)


class Held:
    """An engine that waits while it is held, and tells what it was asked."""

    def __init__(self, folder: Path) -> None:
        self.log, self._hold = folder / "calls", folder / "calls.hold"

    def hold(self) -> None:
        self._hold.touch()

    def let_go(self, calls: int = 0) -> None:
        """Let it work; until it was asked so often, or for good."""
        self._hold.unlink(missing_ok=True)
        if calls:
            wait_until(lambda: len(self.log.read_text().split()) >= calls, f"{calls} calls")
            self.hold()


@pytest.fixture(scope="module")
def lab(machine: Settings, tmp_path_factory) -> Iterator[tuple[Path, str]]:
    """JupyterLab with nothing of the user's: its folder and its address."""
    pytest.importorskip("jupyterlab", reason="pip install docdask[notebook]")
    folder = tmp_path_factory.mktemp("lab")
    places = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
    places += ("JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR")
    own = {name: str(folder / "jupyter" / name.lower()) for name in places}
    docdasks = {
        f"DOCDASK_{name.upper()}": str(getattr(machine, name))
        for name in ("state", "idle_s", "dashboard_port")
    }
    quiet = (
        Path(own["JUPYTERLAB_SETTINGS_DIR"])
        / "@jupyterlab/apputils-extension/notification.jupyterlab-settings"
    )
    quiet.parent.mkdir(parents=True)
    quiet.write_text('{"fetchNews": "false", "checkForUpdates": false}')
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--expose-app-in-browser", "--ip=127.0.0.1",
        "--port=0", f"--ServerApp.root_dir={folder}", "--IdentityProvider.token=",
    ]  # fmt: skip
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=folder, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
            env={**os.environ, **own, **docdasks, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
    try:
        told = Path(own["JUPYTER_RUNTIME_DIR"]) / f"jpserver-{process.pid}.json"
        wait_until(told.exists, "JupyterLab", told=(folder / "log").read_text)
        yield folder, wait_until(lambda: _address(told), "its address")
    finally:
        process.terminate()
        process.wait(60)


def _address(told: Path) -> str:
    try:
        return str(json.loads(told.read_text())["url"])
    except ValueError:  # it is being written
        return ""


@pytest.fixture
def held(tmp_path) -> Held:
    made = Held(tmp_path)
    made.hold()
    return made


@pytest.fixture
def browser(tmp_path) -> Iterator[Browser]:
    with running_browser(tmp_path / "browser") as made:
        yield made


def run_cells(lab: tuple[Path, str], browser: Browser, name: str, *cells: str) -> None:
    """Open a notebook with these cells in JupyterLab and run it."""
    import nbformat

    folder, address = lab
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source) for source in cells],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    )
    nbformat.write(notebook, folder / f"{name}.ipynb")
    browser.open(f"{address}lab/workspaces/{name}/tree/{name}.ipynb", width=1100, height=800)
    idle = "document.querySelector('.jp-Notebook') && globalThis.jupyterapp && [...jupyterapp.shell.widgets('main')].at(-1)"
    browser.until(f"!!({idle})?.sessionContext?.session?.kernel", "a notebook with its kernel")
    browser.evaluate(RUN_ALL)


def card(browser: Browser, what: str) -> str:
    """The card once it says something."""
    return wait_until(
        lambda: found if re.search(what, found := browser.evaluate(CARDS) or "") else "",
        f"a card with {what}",
        told=lambda: str(browser.evaluate(CARDS)),
    )


@pytest.mark.parametrize("wait", [False, True], ids=["handle", "waiting"])
def test_the_card_changes_while_the_run_goes_on(lab, browser, held, pile, tmp_path, wait):
    options = {"log": str(held.log), "seconds": 0.05}
    call = f"docdask.run({str(pile)!r}, to={str(tmp_path / 'run')!r}, engine={SLOW!r}, options={options}, wait={wait})"
    shown = f"found = {call}" if wait else call  # a handle shows itself; a result would stand below its card
    run_cells(lab, browser, f"card-{wait}", f"import docdask\n{shown}", "1 + 1")

    first = card(browser, r"\b0 of 20 documents.*running")
    pictures = [browser.picture(whole=False)]
    held.let_go(calls=8)
    second = card(browser, r"\b([1-9]|1\d) of 20 documents.*running")  # held again: the run can't have ended
    pictures.append(browser.picture(whole=False))
    assert browser.evaluate(NEXT_CELL) == (not wait), (
        "a handle leaves the notebook to its user, a call that waits does not"
    )
    held.let_go()
    last = card(browser, r"20 of 20 documents.*finished")
    pictures.append(browser.picture(whole=False))

    assert "0 of 39 pages" in first
    assert "39 of 39 pages" in last
    for text in (first, second, last):
        assert text.count("docdask run") == 1, "drawn over, not below"
    assert ["Dask dashboard" in text for text in (first, second, last)] == [True, True, False]
    assert browser.evaluate(TOO_WIDE) is False
    assert len(set(pictures)) == 3
    browser.until(NEXT_CELL, "the cell below")
