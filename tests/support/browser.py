"""A real Chromium that pages are used with: what is clicked, typed and pressed goes the way of a person's input.

It is spoken to by its own protocol (https://chromedevtools.github.io/devtools-protocol/), over a pipe.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import shutil
import signal
import tempfile
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

import pytest

from tests.support.processes import TIME_LIMIT

if TYPE_CHECKING:
    from types import TracebackType

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--remote-debugging-pipe",
)  # fmt: skip
KEYS = {"Tab": ("Tab", 9, ""), "Enter": ("Enter", 13, "\r"), " ": ("Space", 32, " ")}
_ABOVE = 10
"""Descriptors below are for Chromium, which reads from 3 and writes to 4."""

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")


class Browser:
    """A Chromium with one page, up for the length of a `with` block.

    Attributes:
        complaints: What it said of each page: policies that were violated, errors of scripts.
    """

    def __init__(self) -> None:
        assert CHROMIUM is not None
        self.complaints: list[str] = []
        self._loads = 0
        self._number = 0
        self._unread = b""
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        theirs_in, self._out = os.pipe()
        self._in, theirs_out = os.pipe()
        theirs = [fcntl.fcntl(one, fcntl.F_DUPFD_CLOEXEC, _ABOVE) for one in (theirs_in, theirs_out)]
        self._pid = os.posix_spawn(
            CHROMIUM,
            [CHROMIUM, *OPTIONS, f"--user-data-dir={self._profile.name}", "about:blank"],
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
                (os.POSIX_SPAWN_DUP2, theirs[0], 3),
                (os.POSIX_SPAWN_DUP2, theirs[1], 4),
            ],
            setpgroup=0,
        )
        for one in (theirs_in, theirs_out, *theirs):
            os.close(one)
        self._session: str | None = None
        [page] = [one for one in self("Target.getTargets")["targetInfos"] if one["type"] == "page"]
        attached = self("Target.attachToTarget", targetId=page["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "DOM", "Accessibility"):
            self(f"{domain}.enable")
        self("Emulation.setFocusEmulationEnabled", enabled=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._out)  # which ends it
        with suppress(ProcessLookupError):
            os.killpg(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        os.close(self._in)
        self._profile.cleanup()

    def __call__(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol, and return its result."""
        self._number += 1
        session = {} if self._session is None else {"sessionId": self._session}
        message = {"id": self._number, "method": method, "params": parameters, **session}
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, (method, answer["error"])
                result: dict[str, Any] = answer["result"]
                return result

    def open(self, url: str, *, width: int = 1100, height: int = 900, scripts: bool = True) -> None:
        """Open a page in a window of a size, and forget what was said of others."""
        self(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        self("Emulation.setScriptExecutionDisabled", value=not scripts)
        self.complaints.clear()
        before = self._loads
        self("Page.navigate", url=url)
        while self._loads == before:
            self._next()

    def value(self, expression: str) -> Any:
        """Return the value of an expression of JavaScript in the page."""
        done = self(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True, userGesture=True
        )
        assert "exceptionDetails" not in done, done
        return done["result"].get("value")

    def texts(self, selector: str) -> list[str]:
        """Return the texts of all elements that a selector finds and that are shown."""
        found: list[str] = self.value(
            f"[...document.querySelectorAll({json.dumps(selector)})]"
            ".filter(one => one.checkVisibility()).map(one => one.innerText)"
        )
        return found

    def click(self, selector: str) -> None:
        """Click the first element that a selector finds."""
        place = self.value(
            f"(() => {{ const one = document.querySelector({json.dumps(selector)});"
            "one.scrollIntoView({block: 'center', behavior: 'instant'}); const box = one.getClientRects()[0];"
            "return {x: box.x + box.width / 2, y: box.y + box.height / 2}; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **place)

    def write(self, text: str) -> None:
        """Type a text into what has the focus."""
        self("Input.insertText", text=text)

    def press(self, key: str) -> None:
        """Press a key: Tab, Enter, or the space bar."""
        code, number, text = KEYS[key]
        named = {"key": key, "code": code, "windowsVirtualKeyCode": number}
        self("Input.dispatchKeyEvent", type="keyDown", text=text, **named)
        self("Input.dispatchKeyEvent", type="keyUp", **named)

    def named(self, role: str) -> list[str]:
        """Return the names of all elements of a role, as a screen reader tells them."""
        nodes = self("Accessibility.getFullAXTree")["nodes"]
        return [
            one.get("name", {}).get("value", "")
            for one in nodes
            if not one["ignored"] and one["role"]["value"] == role
        ]

    def _next(self) -> dict[str, Any]:
        """Return the next message, and note what it says of the page."""
        end = time.monotonic() + TIME_LIMIT
        while b"\0" not in self._unread:
            ready, _, _ = select.select([self._in], [], [], max(0.0, end - time.monotonic()))
            data = os.read(self._in, 1 << 20) if ready else b""
            assert data, "Chromium says nothing more"
            self._unread += data
        line, _, self._unread = self._unread.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        match message:
            case {"method": "Page.loadEventFired"}:
                self._loads += 1
            case {"method": "Log.entryAdded", "params": {"entry": entry}}:
                self.complaints.append(entry["text"])
            case {"method": "Runtime.exceptionThrown", "params": {"exceptionDetails": details}}:
                self.complaints.append(str(details))
        return message
