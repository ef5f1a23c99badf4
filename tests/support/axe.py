"""What axe-core (https://github.com/dequelabs/axe-core) finds on a page that people could not use."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Page

RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
"""The tags of the rules that a page is held to: WCAG 2.2 AA, and what axe-core's authors advise."""


@cache
def _axe() -> str:
    return files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")


def findings(page: Page) -> list[str]:
    """Return what axe-core finds on a page as it is now shown: each rule with each element, in a line.

    It is evaluated as from the developer tools, so that the page's policy may forbid scripts.
    """
    session = page.context.new_cdp_session(page)
    try:
        _evaluate(session, f"{_axe()};0")
        options = "{runOnly: " + str([*RULES]) + ", resultTypes: ['violations']}"
        violations = _evaluate(session, f"axe.run({options}).then(found => found.violations)")
    finally:
        session.detach()
    return [
        f"{rule['id']}: {' '.join(map(str, node['target']))}: {node['failureSummary']}\n{node['html']}"
        for rule in violations
        for node in rule["nodes"]
    ]


def _evaluate(session: Any, expression: str) -> Any:
    done = session.send(
        "Runtime.evaluate", {"expression": expression, "awaitPromise": True, "returnByValue": True}
    )
    assert "exceptionDetails" not in done, done["exceptionDetails"]
    return done["result"].get("value")
