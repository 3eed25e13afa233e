"""Headless Chromium, driven over its DevTools pipe: what a page asks for, says and looks like.

The pipe is two file descriptors and JSON between zero bytes, so that no port is opened and no driver is needed.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass, field
from select import select
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NAMES: Final = ("chromium", "chromium-browser", "google-chrome")
LACK: Final = (
    None if any(map(shutil.which, NAMES)) else "no Chromium here: `make browser` (or apt-get install chromium)"
)
_SECONDS: Final = 60.0
_OPTIONS: Final = (
    "--headless=new",
    "--remote-debugging-pipe",
    "--no-sandbox",  # root's, as in CI; it opens no page but our own
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--hide-scrollbars",
)


class BrowserGone(Exception):
    """Chromium does not answer."""


@dataclass
class Page:
    """One page that was opened: what it asked for beside itself, what was said in its console, what went wrong."""

    browser: Browser
    session: str
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def evaluate(self, expression: str) -> Any:
        """Return the value of an expression, by DevTools: the page's own policy has no say in it."""
        told = self.browser.call(
            "Runtime.evaluate", session=self.session, expression=expression, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in told:
            raise AssertionError(told["exceptionDetails"])
        return told["result"].get("value")

    def screenshot(self, path: Path, *, whole: bool = True) -> None:
        """Take a picture of all of it, or of what is on the screen."""
        told = self.browser.call(
            "Page.captureScreenshot", session=self.session, format="png", captureBeyondViewport=whole
        )
        path.write_bytes(base64.b64decode(told["data"]))


class Browser:
    """One Chromium. Not for use by two threads."""

    def __init__(self, process: subprocess.Popen[bytes], reads: int, writes: int) -> None:
        self._process, self._reads, self._writes = process, reads, writes
        self._buffer, self._number = b"", 0
        self._pages: dict[str, Page] = {}
        self._loaded: set[str] = set()

    def open(self, url: str, *, width: int, scheme: str, media: str = "screen") -> Page:
        """Open a page at a width in pixels, in `light` or `dark`; it is loaded when this returns."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = self._pages[session] = Page(self, session)
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.call(f"{domain}.enable", session=session)
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self.call("Emulation.setDeviceMetricsOverride", session=session, **metrics)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", session=session, media=media, features=features)
        self._loaded.discard(session)
        self.call("Page.navigate", session=session, url=url)
        self._until(lambda: session in self._loaded)
        return page

    def call(self, method: str, *, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """Return Chromium's answer to a command of the DevTools protocol."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        wire = json.dumps(message | ({"sessionId": session} if session else {})).encode() + b"\0"
        while wire:
            wire = wire[os.write(self._writes, wire) :]
        answers: list[dict[str, Any]] = []
        number = self._number
        self._until(lambda: bool(answers), lambda told: answers.append(told) if told.get("id") == number else None)
        if "error" in answers[0]:
            raise AssertionError(f"{method}: {answers[0]['error']}")
        found: dict[str, Any] = answers[0]["result"]
        return found

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(_SECONDS)

    def _until(self, holds: Callable[[], bool], take: Callable[[dict[str, Any]], object] = lambda _: None) -> None:
        give_up = monotonic() + _SECONDS
        while not holds():
            ready, _, _ = select([self._reads], [], [], max(give_up - monotonic(), 0))
            more = os.read(self._reads, 1 << 20) if ready else b""
            if not more:
                raise BrowserGone("Chromium has ended, or does not answer")
            *messages, self._buffer = (self._buffer + more).split(b"\0")
            for message in messages:
                told = json.loads(message)
                take(told)
                self._note(told)

    def _note(self, told: dict[str, Any]) -> None:
        page, event = self._pages.get(told.get("sessionId", "")), told.get("params", {})
        if page is None:
            return
        match told.get("method"):
            case "Page.loadEventFired":
                self._loaded.add(page.session)
            case "Network.requestWillBeSent":
                page.requests.append(event["request"]["url"])
            case "Runtime.exceptionThrown":
                page.complaints.append(event["exceptionDetails"]["text"])
            case "Runtime.consoleAPICalled":
                page.complaints.append(f"console.{event['type']}")
            case "Log.entryAdded":
                page.complaints.append(event["entry"]["text"])


@contextmanager
def chromium(profile: Path) -> Iterator[Browser]:
    """Start it with a profile of its own, and end it."""
    program = next(found for name in NAMES if (found := shutil.which(name)))
    (its_input, ours_out), (ours_in, its_output) = os.pipe(), os.pipe()
    # DevTools' pipe is always descriptors 3 and 4, which only a shell puts there without a thread's risk
    command = f'exec "$@" 3<&{its_input} 4>&{its_output}'
    process = subprocess.Popen(  # noqa: S603 - Debian's own program
        ["bash", "-c", command, "chromium", program, *_OPTIONS, f"--user-data-dir={profile}"],  # noqa: S607
        pass_fds=(its_input, its_output),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(its_input)
    os.close(its_output)
    browser = Browser(process, ours_in, ours_out)
    try:
        yield browser
    finally:
        browser.close()
        os.close(ours_in)
        os.close(ours_out)
