"""The HTML report as it is used in a real Chromium: from a file, by mouse and keyboard, and without its script."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.support.browser import Browser, needs_chromium
from tests.support.examples import ERROR, FAILED, PASSED, PENDING_FAILED, PRICE, STARTED, verification
from verifier.report.html import SHOWN_OPEN, HtmlReport
from verifier.report.interface import Findings
from verifier.report.many.html import ManyHtmlReport
from verifier.report.run_findings import PactFindings, RunFindings
from verifier.verification import Exchange, HttpMessage, Mismatch, VerificationError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from verifier.verification import InteractionResult

pytestmark = needs_chromium

HOSTILE = (
    "</script><script>document.title='owned'</script>\"'`<img src=x onerror=\"document.title='owned'\">"
    "\u202e\x00{{7*7}}<!--"
)
SENT = HttpMessage(
    "POST /orders?a=b HTTP/1.1", (("host", "localhost:8080"), ("x-quote", "it's")), '{"a": "$(id)"}'
)
CAME = HttpMessage("HTTP/1.1 200 OK", (("Content-Type", "application/json"),), '{"price": "34.90"}')
COMMAND = """curl -i 'http://localhost:8080/orders?a=b' -H 'x-quote: it'"'"'s' --data-raw '{"a": "$(id)"}'"""
RECORDED = replace(FAILED, description="a recorded one", exchange=Exchange(SENT, CAME))
LONG = Mismatch(
    "body",
    "$.items",
    json.dumps([{"id": number, "tags": ["a", "b"]} for number in range(9)]),
    json.dumps([{"id": number, "tags": ["a", "c"]} for number in range(8)]),
    "Expected a List with 9 elements but received 8 elements",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser() as started:
        yield started


def saved(folder: Path, *results: InteractionResult, **values: str) -> str:
    file = folder / "report.html"
    with file.open("w", encoding="utf-8") as stream:
        HtmlReport().write(Findings(verification(*results, **values)), stream)
    return file.as_uri()


def mixed(folder: Path) -> str:
    """Save a report with a few of each outcome."""
    wishes = replace(PENDING_FAILED, mismatches=(replace(PRICE, identifier="$.wish"),))
    passed = [replace(PASSED, description=f"good {number}") for number in range(3)]
    return saved(folder, *passed, RECORDED, replace(RECORDED, description="and one like it"), wishes, ERROR)


def shown(browser: Browser) -> list[str]:
    """Return what is named of the interactions that are shown."""
    return [text.splitlines()[1].strip() for text in browser.texts("[data-outcome] .row")]


def test_a_text_and_outcomes_leave_what_fits(tmp_path: Path, browser: Browser) -> None:
    browser.open(mixed(tmp_path))
    together = "2 interactions fail for the same cause:"
    assert shown(browser) == [together, "a wish", "a lost one"]
    browser.click(".filter input[type=search]")
    browser.write("GOOD 2")
    assert shown(browser) == ["good 2"], "the group of what passed is unfolded"
    assert browser.texts(".filter [role=status]") == ["1 of 7 shown"]
    assert browser.texts("h2") == ["Passed (3)"]
    browser.value("document.querySelector('.filter input').select()")
    browser.write("like it")
    assert shown(browser) == [together], "one of them has these words"
    browser.value("document.querySelector('.filter input').select()")
    browser.write("product")
    assert len(shown(browser)) == 6
    browser.click("input[value=failed]")
    browser.click("input[value=passed]")
    assert shown(browser) == ["a wish", "a lost one"]
    assert browser.texts("h2") == ["Failed (3)", "Not verified (1)"]
    assert browser.complaints == []


def test_the_keyboard_does_it_all(tmp_path: Path, browser: Browser) -> None:
    browser.open(mixed(tmp_path))
    name = "document.activeElement.type || document.activeElement.tagName"
    visited = []
    for _ in range(30):
        browser.press("Tab")
        visited.append(browser.value(name))
        if visited[-1] == "checkbox":
            break
    assert visited[-2:] == ["search", "checkbox"]
    browser.press(" ")
    assert browser.value("document.activeElement.checked") is False
    for _ in range(30):
        browser.press("Tab")
        if browser.value("document.activeElement.parentElement.className") == "exchange":
            break
    browser.press("Enter")
    assert browser.texts("button.copy") == ["Copy as curl"]


def test_all_that_is_used_has_a_name(tmp_path: Path, browser: Browser) -> None:
    browser.open(mixed(tmp_path))
    browser.value("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert browser.named("searchbox") == ["Filter"]
    assert "Outcomes that are shown" in browser.named("group")
    assert browser.named("checkbox") == ["passed (3)", "failed (2)", "pending (1)", "not verified (1)"]
    assert browser.named("button") == ["Copy as curl"]
    assert set(browser.named("columnheader")) == {
        "where",
        "expected by the consumer",
        "answered by the provider",
    }
    assert set(browser.named("rowheader")) == {"$.price", "$.wish"}
    assert browser.value("document.documentElement.lang") == "en"
    ids = browser.value("[...document.querySelectorAll('[id]')].map(one => one.id)")
    assert len(ids) == len(set(ids))


def test_the_command_is_copied_as_it_is(tmp_path: Path, browser: Browser) -> None:
    browser.open(saved(tmp_path, RECORDED))
    browser("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])
    browser.click(".exchange summary")
    browser.click("button.copy")
    said = "document.querySelector('.copy').nextElementSibling.textContent"
    said_once = f"new Promise(done => setInterval(() => {said} && done({said}), 20))"
    assert browser.value(said_once) == "Copied."
    assert browser.value("navigator.clipboard.readText()") == COMMAND


def test_without_its_script_all_can_be_read_and_selected(tmp_path: Path, browser: Browser) -> None:
    browser.open(mixed(tmp_path), scripts=False)
    assert shown(browser) == ["2 interactions fail for the same cause:", "a wish", "a lost one"]
    assert browser.texts(".filter, button") == []
    browser.click(".exchange summary")
    assert browser.texts(".command") == [COMMAND]
    browser.click(".command")
    assert browser.value("getSelection().toString()") == COMMAND


def test_expected_and_actual_stand_side_by_side_where_there_is_room(tmp_path: Path, browser: Browser) -> None:
    url = saved(tmp_path, replace(FAILED, mismatches=(LONG, PRICE)))
    places = (
        "[...document.querySelectorAll('.compared tr')].map(row => [...row.querySelectorAll('td')])"
        ".filter(cells => cells.length && cells.every(one => one.textContent)).map(cells => cells.map("
        "one => one.getBoundingClientRect()).map(box => [box.x, box.y, box.width]))"
    )
    browser.open(url)
    for expected, actual in browser.value(places):
        assert expected[0] < actual[0]
        assert expected[1] == actual[1]
    browser.open(url, width=400)
    rows = browser.value(places)
    assert any(actual[2] for _, actual in rows)
    for expected, actual in rows:
        assert actual[2] == 0 or (expected[0] == actual[0] and expected[1] < actual[1])


def test_the_page_of_many_pacts_is_filtered_by_their_names_too(tmp_path: Path, browser: Browser) -> None:
    error = VerificationError("not-a-pact", "it is no pact")
    made = (
        verification(PASSED, RECORDED),
        verification(PASSED, RECORDED, consumer="Other"),
        verification(consumer="Lost", error=error),
    )
    pacts = tuple(PactFindings(Findings(one)) for one in made)
    file = tmp_path / "report.html"
    with file.open("w", encoding="utf-8") as stream:
        ManyHtmlReport().write(RunFindings(STARTED, pacts), stream)
    browser.open(file.as_uri())
    pacts_shown = "details.kind > summary"
    assert len(browser.texts(pacts_shown)) == 3
    browser.click(".filter input[type=search]")
    browser.write("other")
    assert len(browser.texts(pacts_shown)) == 1
    assert shown(browser) == [RECORDED.description, PASSED.description]
    browser.click("input[value=passed]")
    assert shown(browser) == [RECORDED.description]
    browser.value("document.querySelector('.filter input').select()")
    browser.write("lost 1")
    assert len(browser.texts(pacts_shown)) == 1
    assert browser.complaints == []


@pytest.mark.parametrize("width", [400, 1100])
def test_a_hundred_failures_stay_usable(tmp_path: Path, browser: Browser, width: int) -> None:
    failures = [
        replace(
            RECORDED,
            description=f"a request for page {number} {'of a rather long name ' * 5}",
            request=f"GET /catalogue?page={number}&{'very-long-' * 30}",
            mismatches=tuple(replace(PRICE, identifier=f"$.p{number}.{n}.{'k' * 300}") for n in range(20)),
        )
        for number in range(100)
    ]
    url = saved(tmp_path, *failures)
    browser.open(url, width=width)
    assert len(browser.texts(".index a")) == 100
    assert browser.value("document.querySelectorAll('details[data-outcome][open]').length") == SHOWN_OPEN
    assert browser.value("document.documentElement.scrollWidth <= innerWidth")
    browser.click(".index li:nth-child(70) a")
    assert browser.value("document.querySelector(location.hash).checkVisibility()"), (
        "it is unfolded by its link"
    )
    browser.click(".filter input[type=search]")
    browser.write("page=99&")
    assert len(browser.texts("[data-outcome]")) == len(browser.texts(".index a")) == 1


@pytest.mark.parametrize("scripts", [True, False])
def test_a_hostile_pact_does_not_break_out(tmp_path: Path, browser: Browser, *, scripts: bool) -> None:
    message = HttpMessage(HOSTILE, ((HOSTILE, HOSTILE),), HOSTILE)
    hostile = replace(
        FAILED,
        description=HOSTILE,
        request=HOSTILE,
        states=(HOSTILE,),
        comments=(HOSTILE,),
        test_name=HOSTILE,
        reason=HOSTILE,
        mismatches=(replace(PRICE, identifier=HOSTILE, expected=HOSTILE, actual=f"{HOSTILE}\n{HOSTILE}"),),
        exchange=Exchange(message, message),
    )
    names = {"consumer": HOSTILE, "provider": HOSTILE, "provider_version": HOSTILE, "build_url": HOSTILE}
    browser.open(
        saved(tmp_path, hostile, PASSED, replace(PASSED, description=HOSTILE), **names), scripts=scripts
    )
    assert browser.complaints == []
    assert "owned'" in browser.value("document.title"), "the name of a pact, which no script has changed"
    assert browser.value("document.scripts.length") == 1
    assert browser.value("document.images.length") == 0
    assert "\\u202e" in browser.value("document.querySelector('h1').textContent")
    if scripts:
        browser.click(".filter input[type=search]")
        browser.write("</SCRIPT>")
        assert len(browser.texts("[data-outcome]")) == 2
        assert browser.complaints == []
