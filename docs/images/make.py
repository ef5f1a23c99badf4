"""Make the images of the documentation: what `verify` shows on terminals, and what browsers show.

    make images

It runs the real commands: an embedded broker, the example's provider with a price of the wrong type, and `verify` on a
terminal of 60, 80 and 120 columns; and a Chromium, which must be installed, at the widths of a phone and of a desk.
"""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import dashboard
import requests
import waterfall
from playwright.sync_api import sync_playwright
from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
BIN = Path(sys.executable).parent
TERMINALS = {60: "2.0.0", 80: "2.0.1", 120: "2.1.0"}
"""The columns of a terminal, and the provider's version that is verified on it."""
WIDTHS = {"narrow": (400, 900), "wide": (1280, 900)}
"""The sizes of windows in pixels."""
UP_SECONDS = 30.0
SVG = """<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>.{unique_id}-matrix {{ font: {char_height}px monospace; line-height: {line_height}px; white-space: pre; }}
.{unique_id}-title {{ font: bold 18px sans-serif; }}
{styles}</style>
<defs><clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/></clipPath>
{lines}</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}<g class="{unique_id}-matrix">{matrix}</g>
</g>
</svg>
"""
"""An SVG that loads no font."""


def free_port() -> int:
    """Return a port that nobody uses."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@contextmanager
def running(url: str, *command: str, **environment: str) -> Iterator[None]:
    """Run a command until the block ends, and wait until a URL is answered."""
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        end = time.monotonic() + UP_SECONDS
        while True:
            try:
                requests.get(url, timeout=5)
                break
            except requests.ConnectionError:
                if process.poll() is not None or time.monotonic() > end:
                    raise
                time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait()


def on_terminal(columns: int, *command: str) -> str:
    """Return what a command writes to a terminal."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(ROOT)
        os.execve(command[0], command, {**os.environ, "TERM": "xterm-256color", "COLUMNS": str(columns)})
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    written = b""
    while True:
        try:
            written += os.read(terminal, 65536)
        except OSError:  # the terminal is gone with its last process
            os.waitpid(pid, 0)
            return written.decode().replace("\r\n", "\n")


def picture(columns: int, text: str) -> str:
    """Return what a terminal shows as an SVG."""
    report = re.split(r"\x1b\[\??[0-9;]*[A-LN-Za-ln-z]", text)[
        -1
    ]  # after the bar, which ends with such a sequence
    console = Console(record=True, width=columns, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi(report.strip()), soft_wrap=False)
    return console.export_svg(title="verify", theme=MONOKAI, code_format=SVG, unique_id=f"terminal-{columns}")


def photograph(browser: Browser, url: str, name: str) -> None:
    """Save what a browser shows of a URL, at each of the widths."""
    for size, (width, height) in WIDTHS.items():
        with browser.new_page(viewport={"width": width, "height": height}) as page:
            page.goto(url)
            page.screenshot(path=HERE / f"{name}-{size}.png")


def main() -> None:
    """Make all images."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        sys.exit("make images needs Chromium")
    broker, provider = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        port = provider.rpartition(":")[2]
        bind = broker.removeprefix("http://")
        database = str(folder / "broker.sqlite3")
        stack.enter_context(
            running(broker, str(BIN / "pact-dispatch"), "broker", "--bind", bind, "--database", database)
        )
        stack.enter_context(
            running(provider, sys.executable, "examples/products.py", PORT=port, PRODUCTS_BREAK="price")
        )
        subprocess.run(
            [
                str(BIN / "pact"), "broker", "publish", "examples/storefront-products.json",
                "--consumer-app-version", "1.0.0", "--branch", "main", "--broker-base-url", broker,
            ],
            cwd=ROOT, check=True, capture_output=True,
        )  # fmt: skip
        verify = (
            str(BIN / "verify"), "--pact-url", f"{broker}/pacts/provider/Products/consumer/Storefront/latest",
            "--provider-base-url", provider, "--provider-states-setup-url", f"{provider}/_states",
            "--provider-version-branch", "main",
            "--publish-verification-results", "--html", str(folder / "report.html"),
        )  # fmt: skip
        for columns, version in TERMINALS.items():
            svg = picture(columns, on_terminal(columns, *verify, "--provider-app-version", version))
            (HERE / f"verify-{columns}.svg").write_text(svg, encoding="utf-8")
        started = ("--provider-command", f"{sys.executable} {ROOT}/examples/products.py")
        waterfall.draw(
            HERE / "trace.svg",
            *(
                str(BIN / "verify"),
                "--pact-url",
                f"{broker}/pacts/provider/Products/consumer/Storefront/latest",
            ),
            *(*started, "--provider-states-setup-url", "http://127.0.0.1:{port}/_states"),
            *("--publish-verification-results", "--provider-app-version", "2.2.0"),
        )
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=chromium, chromium_sandbox=False)
        photograph(browser, f"file://{folder}/report.html", "report")
        photograph(browser, broker, "broker")
        results = f"{broker}/pacts/provider/Products/consumer/Storefront/latest"
        photograph(browser, results, "broker-pact")
        dashboard.photograph(browser, folder, free_port, WIDTHS, HERE)


if __name__ == "__main__":
    main()
