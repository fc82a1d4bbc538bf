"""Headless Chromium, told what to do by its DevTools protocol: a page as a person sees it, without any driver."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.processes import wait_until

#: All text of a page, that inside Bokeh's shadow trees included.
TEXT = """(() => {
  const walk = (node) => {
    if (node.nodeType === Node.TEXT_NODE) return node.textContent + " "
    if (["SCRIPT", "STYLE", "LINK"].includes(node.nodeName)) return ""
    return [...(node.shadowRoot?.childNodes ?? []), ...node.childNodes].map(walk).join("")
  }
  return (document.body ? walk(document.body) : '').replace(/\\s+/g, " ")
})()"""

#: What an expression comes to while one page is left for another.
_LEFT: dict[str, Any] = {"result": {}}


class Browser:
    """One window of a browser of its own."""

    def __init__(self, socket: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._socket, self._loop = socket, loop
        self._number = 0
        self.complaints: list[str] = []
        """Exceptions and errors that the page has put on its console."""
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Say one sentence of the protocol, and return its answer."""
        return self._loop.run_until_complete(asyncio.wait_for(self._call(method, parameters), 60))

    async def _call(self, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        self._number += 1
        await self._socket.write_message(
            json.dumps({"id": self._number, "method": method, "params": parameters})
        )
        while True:
            message = await self._socket.read_message()
            assert message is not None, "the browser has gone"
            told = json.loads(message)
            if told.get("id") == self._number:
                assert "error" not in told or "context" in told["error"]["message"], (method, told["error"])
                return told.get("result", _LEFT)
            self._note(told)

    def _note(self, told: dict[str, Any]) -> None:
        parameters = told.get("params", {})
        if told["method"] == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(parameters["exceptionDetails"]))
        elif told["method"] == "Log.entryAdded" and parameters["entry"]["level"] == "error":
            self.complaints.append(f"{parameters['entry']['text']} {parameters['entry'].get('url', '')}")
        elif told["method"] == "Runtime.consoleAPICalled" and parameters["type"] == "error":
            self.complaints.append(" ".join(str(a.get("value", a)) for a in parameters["args"]))

    def open(self, url: str, *, width: int = 1280, height: int = 900, dark: bool = False) -> None:
        """Go to a page, in a window of that size, of somebody who likes light or dark."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
        )  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        went = self.call("Page.navigate", url=url)
        assert "errorText" not in went, f"{url}: {went['errorText']}"
        self.until(f"document.readyState === 'complete' && location.href === {json.dumps(url)}", url)

    def evaluate(self, expression: str) -> Any:
        """Value of an expression of JavaScript; None while one page is left for another."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def until(self, expression: str, what: str) -> Any:
        """Value of an expression once it is true."""
        return wait_until(lambda: self.evaluate(expression), what, 60)

    def text(self) -> str:
        """All text that stands on the page."""
        return str(self.evaluate(TEXT) or "")

    def picture(self, *, whole: bool = True) -> bytes:
        """PNG of the page as it is now: from top to bottom, or what the window shows."""
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        return base64.b64decode(shot["data"])


@contextlib.contextmanager
def running_browser(folder: Path) -> Iterator[Browser]:
    """Run Chromium with a profile in ``folder``; the test is skipped where there is none."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.skip("Chromium is not installed")
    process = subprocess.Popen(
        [
            found, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
            "--no-first-run", "--remote-debugging-port=0", f"--user-data-dir={folder}", "about:blank",
        ],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    loop = asyncio.new_event_loop()
    try:
        told = folder / "DevToolsActivePort"
        wait_until(lambda: told.exists() and "\n" in told.read_text(), "Chromium", 60)
        socket = loop.run_until_complete(_connect(_window(int(told.read_text().split()[0]))))
        yield Browser(socket, loop)
        socket.close()
    finally:
        children = psutil.Process(process.pid).children(recursive=True)
        process.terminate()
        process.wait(30)
        psutil.wait_procs(children, 30)
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()


def _window(port: int) -> str:
    """Address of the one window."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=30) as reply:
        pages = [target for target in json.load(reply) if target["type"] == "page"]
    return str(pages[0]["webSocketDebuggerUrl"])


async def _connect(address: str) -> Any:
    from tornado.websocket import websocket_connect

    return await websocket_connect(address, max_message_size=64 * 2**20)
