"""The HTML report can be used by all: axe-core finds nothing on it, and it fits any window and any paper."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.support.axe import findings
from tests.support.browser import needs_chromium
from tests.support.chromium import chromium
from tests.support.examples import ERROR, FAILED, PASSED, PENDING_FAILED, PRICE, STARTED, verification
from tests.verifier.report.test_html_in_browser import LONG, RECORDED
from verifier.report.html import HtmlReport
from verifier.report.interface import Findings
from verifier.report.many.html import ManyHtmlReport
from verifier.report.run_findings import PactFindings, RunFindings
from verifier.verification import VerificationError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser

pytestmark = needs_chromium

COMMIT_ID = "2f3c9d1e5a7b8c9d0e1f2a3b4c5d6e7f8a9b0c1d"
NAME = "PaymentsSettlementReconciliationService" * 2
INTERACTIONS = (
    PASSED,
    replace(RECORDED, mismatches=(LONG, replace(PRICE, identifier=f"$.{'long.' * 30}"))),
    replace(RECORDED, description="long_" * 40, request=f"GET /{'long-' * 40}"),
    replace(RECORDED, description="and one like it"),
    replace(PENDING_FAILED, mismatches=(replace(PRICE, identifier="$.wish"),)),
    replace(FAILED, mismatches=(), reason="it was not answered\n" * 60),
    ERROR,
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(params=["one", "many"])
def report(tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """Return the URL of a report of a pact, or of many of them, with all that one can have."""
    error = VerificationError("not-a-pact", "it is no pact")
    made = [
        verification(*INTERACTIONS, consumer=NAME, consumer_version=COMMIT_ID),
        verification(PASSED),
        verification(consumer="Lost", error=error),
    ]
    file = tmp_path / "report.html"
    with file.open("w", encoding="utf-8") as stream:
        if request.param == "one":
            HtmlReport().write(Findings(made[0]), stream)
        else:
            pacts = tuple(PactFindings(Findings(one)) for one in made)
            ManyHtmlReport().write(RunFindings(STARTED, pacts), stream)
    return file.as_uri()


def test_all_can_use_the_report(browser: Browser, report: str) -> None:
    complaints: list[str] = []
    with browser.new_context() as context:
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.goto(report)
        page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        page.emulate_media(color_scheme="light")
        assert findings(page) == [], "light and wide"
        fits = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
        for width in (1280, 718, 360):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate(fits), width
        page.emulate_media(color_scheme="dark")
        assert findings(page) == [], "dark and narrow"
        lists = page.evaluate("[...document.querySelectorAll('.table')].map(one => one.innerText).join()")
        assert COMMIT_ID not in lists
        page.emulate_media(media="print", color_scheme="dark")
        page.set_viewport_size({"width": 718, "height": 1000})  # what is left of A4 between its margins
        assert page.evaluate(fits), "paper"
        assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "light"
    assert complaints == []


def test_the_bar_shows_each_outcome_by_its_share(browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    with file.open("w", encoding="utf-8") as stream:
        HtmlReport().write(Findings(verification(FAILED, ERROR, PASSED, PASSED)), stream)
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(file.as_uri())
        boxes = page.evaluate(
            "[...document.querySelectorAll('.bar rect')].map(one => [one.textContent, one.getBoundingClientRect()])"
        )
    start, whole = boxes[0][1]["left"], sum(box["width"] for _, box in boxes)
    shares = [(text, (box["left"] - start) / whole, box["width"] / whole) for text, box in boxes]
    assert shares == [
        ("1 failed", 0, pytest.approx(0.25)),
        ("1 not verified", pytest.approx(0.25), pytest.approx(0.25)),
        ("2 passed", pytest.approx(0.5), pytest.approx(0.5)),
    ]
