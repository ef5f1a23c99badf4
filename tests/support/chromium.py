"""The installed Chromium, driven by Playwright, which downloads nothing.

`tests.support.browser` drives it without Playwright; new tests use this one.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.support.browser import CHROMIUM

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

ARGUMENTS = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Give the browser until the block ends; a module starts it once, and makes a context for each test.

    While it runs, Playwright's event loop runs in this thread: no test of its module can call `asyncio.run`.
    """
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - each run of the tests loads this module

    assert CHROMIUM is not None
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, chromium_sandbox=False, args=[*ARGUMENTS]
        )
        try:
            yield browser
        finally:
            browser.close()
