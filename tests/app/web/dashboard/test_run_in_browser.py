"""The page of a run, and the list of runs, in a real browser: live, by keyboard, for all, and without a complaint."""

from __future__ import annotations

import shlex
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.app.web.dashboard.test_run import TOKEN, add_run
from tests.support import run_rows as rows
from tests.support.axe import findings
from tests.support.browser import needs_chromium
from tests.support.chromium import chromium
from tests.support.examples import ERROR, FAILED, PASSED, PENDING_FAILED, verification
from tests.support.receiver import wait_until
from tests.support.served import Served
from verifier.verification import Exchange, HttpMessage, Mismatch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flask.testing import FlaskClient
    from playwright.sync_api import Browser, Page
    from psycopg_pool import ConnectionPool

LISTS = Mismatch("body", "$.items", '[{"id":1},{"id":2}]', '[{"id":1},{"id":3}]', "Expected other items")
KEEP_TEXTS = """selector => {
  window.texts = [];
  const keep = () => window.texts.push(document.querySelector(selector)?.textContent);
  new MutationObserver(keep).observe(document.body, {childList: true, subtree: true, characterData: true});
}"""
IS_AT_END = "log => log.scrollTop + log.clientHeight >= log.scrollHeight - 8"
EXCHANGE = Exchange(
    HttpMessage("GET /products/7 HTTP/1.1", (("accept", "application/json"),), ""),
    HttpMessage("HTTP/1.1 200 OK", (), '{"price":"34.90"}'),
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@contextmanager
def opened(
    browser: Browser, client: FlaskClient, path: str, **options: Any
) -> Iterator[tuple[Page, list[str]]]:
    """Serve the receiver, sign in, and open a page; gives it, and what its console says."""
    context = browser.new_context(**options)
    served = Served(client.application)
    try:
        page = context.new_page()
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(f"{served.url}{path}")
        page.fill("#token", TOKEN)
        page.press("#token", "Enter")
        page.wait_for_url(f"{served.url}{path}")
        said.clear()  # of the sign-in
        yield page, said
    finally:
        context.close()
        client.application.extensions["receiver"].live.close()
        served.close()


@needs_chromium
def test_a_run_is_followed_to_its_outcome_without_loading_the_page_again(
    browser: Browser, client: FlaskClient, pool: ConnectionPool[Any]
) -> None:
    pool.resize(4, 4)
    run_id = add_run(pool, "status = 'running', attempt = 1, started_at = now()")
    with opened(browser, client, f"/runs/{run_id}") as (page, said):
        page.wait_for_selector("html[data-live=yes]", state="attached")
        page.evaluate("window.isTheSame = true")
        for line, focused in enumerate(("h1", "#log", "body")):
            page.click(focused)  # which gives the focus to what it is in
            with pool.connection() as connection:
                lines = "\n".join(f"line {line} {number}" for number in range(100))
                connection.execute(
                    "INSERT INTO run_log_chunks VALUES (%s, %s, 100, %s)", [run_id, line * 100, lines]
                )
            page.locator("#log", has_text=f"line {line} 99").wait_for()
            wait_until(lambda: page.locator("#log").evaluate(IS_AT_END), "its end stays in view")
        assert page.text_content("#outcome strong") == "Running"
        with pool.connection() as connection:
            connection.execute(
                "UPDATE runs SET status = 'finished', outcome = 'passed', interactions = 3, failed_interactions = 0, "
                "verified_at = now(), finished_at = now(), publishing = 'published' WHERE id = %s",
                [run_id],
            )
        page.wait_for_selector("#outcome.passed")
        assert page.text_content("#outcome strong") == "Passed: 3 interactions"
        assert page.evaluate("window.isTheSame")
        wait_until(lambda: page.title().startswith("Passed: 3 interactions"), "the title says it too")
        assert said == []


def copied(page: Page, button: str) -> str:
    """Click a button that copies, and return what is in the clipboard once the button has said so.

    It says so for two seconds, in which a busy machine may not look at it: what it says is kept.
    """
    page.evaluate(KEEP_TEXTS, button)
    page.click(button)
    wait_until(lambda: "Copied" in page.evaluate("window.texts"), f"{button} says that it has copied")
    found: str = page.evaluate("navigator.clipboard.readText()")
    return found


@needs_chromium
@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 360)])
def test_what_did_not_pass_is_seen_and_copied_by_all(
    browser: Browser, client: FlaskClient, pool: ConnectionPool[Any], scheme: str, width: int
) -> None:
    pool.resize(4, 4)
    wrong = replace(FAILED, exchange=EXCHANGE)
    found = verification(
        PASSED, wrong, replace(FAILED, description="the list", mismatches=(LISTS,)), ERROR, PENDING_FAILED
    )
    run_id = add_run(pool, "publishing = 'refused', publish_error = 'it answered 409'", found)
    options = {"color_scheme": scheme, "viewport": {"width": width, "height": 800}}
    with opened(browser, client, f"/runs/{run_id}", **options) as (page, said):
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        cell = page.locator("#failure-1 .differences .gone").first
        assert cell.is_visible()
        assert cell.inner_text() == "34.9"
        assert page.locator("#failure-1 .differences th[scope=row]").first.inner_text().strip() == "$.price"
        assert page.locator("#failure-1 .differences .come").first.inner_text().startswith('"34.90"')
        words = shlex.split(copied(page, "#try .copy"))
        assert words[0] == "verify"
        assert words[words.index("--filter-description") + 1].startswith("^(the price|")
        page.click("#failure-1 .exchange summary")
        assert copied(page, "#failure-1 .exchange .copy").startswith("curl -i")
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
        assert findings(page) == []
        assert said == []


@needs_chromium
def test_a_click_cancels_once_somebody_says_yes(
    browser: Browser, client: FlaskClient, pool: ConnectionPool[Any]
) -> None:
    pool.resize(4, 4)
    run_id = add_run(pool)
    with opened(browser, client, f"/runs/{run_id}", java_script_enabled=True) as (page, said):
        page.once("dialog", lambda dialog: dialog.dismiss())
        page.click("text=Cancel")
        assert page.text_content("#outcome strong") == "Waiting for a worker"
        page.once("dialog", lambda dialog: dialog.accept())
        page.click("text=Cancel")
        page.wait_for_selector("#done")
        assert page.text_content("#outcome strong") == "Cancelled"
        assert "me cancelled it" in " ".join((page.text_content("#done") or "").split())
        assert said == []


@needs_chromium
def test_new_runs_come_into_the_list_while_somebody_types_into_its_filters(
    browser: Browser, client: FlaskClient, pool: ConnectionPool[Any]
) -> None:
    pool.resize(4, 4)
    rows.add_run(pool, 1)
    with opened(browser, client, "/runs") as (page, said):
        page.wait_for_selector("html[data-live=yes]", state="attached")
        page.fill("[name=consumer]", "half a na")
        page.click("summary:has-text('More filters')")
        page.fill("[name=version]", "0f3c")
        page.focus("[name=text]")  # what has the focus would stay in any case
        rows.add_run(pool, 2, hours=0, consumer="Newcomer")
        page.wait_for_selector(f"#run-{rows.id_of(2)}")
        assert page.locator("tbody tr").first.get_attribute("id") == f"run-{rows.id_of(2)}"
        assert page.input_value("[name=consumer]") == "half a na"
        assert page.input_value("[name=version]") == "0f3c"
        assert page.is_visible("[name=version]")
        page.fill("[name=consumer]", "Newcomer")
        page.fill("[name=version]", "")
        page.press("[name=consumer]", "Enter")
        page.wait_for_url("**/runs?consumer=Newcomer")
        assert page.locator("tbody tr").count() == 1
        assert findings(page) == []
        assert said == []


def test_code_and_links_stand_in_the_sentence_of_a_warning(browser: Browser, client: FlaskClient) -> None:
    with opened(browser, client, "/queue", viewport={"width": 1280, "height": 800}) as (page, _):
        warning = page.locator("p.verdict", has_text="No worker is alive")
        assert warning.locator("code").count() == 2
        assert warning.evaluate("one => getComputedStyle(one).display") == "block"
