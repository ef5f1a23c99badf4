"""The dashboard as people use it: a real receiver, broker and provider, and a real Chromium."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.axe import findings
from tests.support.broker_records import publish
from tests.support.browser import needs_chromium
from tests.support.chromium import chromium
from tests.support.pacts import interaction, pact
from tests.support.processes import TIME_LIMIT
from tests.support.receiver import API_TOKEN, ReceiverProcess, configuration
from tests.support.running import scripted_provider

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, ConsoleMessage, Page

    from tests.support.processes import EmbeddedBroker

pytestmark = needs_chromium

READER = "a-token-that-only-reads"
VERSION = "3f2c9d1e5a7b8c9d0e1f2a3b4c5d6e7f8a9b0c1d"
GOOD = interaction("a thing", "/things/1", body={"id": 1, "name": "thing"})
BROKEN = interaction("a thing", "/things/1", body={"id": 1, "name": "thing", "price": {"currency": "EUR"}})
TOO_WIDE = "document.documentElement.scrollWidth > document.documentElement.clientWidth"


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, broker: EmbeddedBroker, module_database_url: str
) -> Iterator[ReceiverProcess]:
    with scripted_provider() as url:
        common = {"version": VERSION, "branch": "main", "health_path": "/health"}
        config = configuration(
            broker.url,
            {"name": "Things", "repository": "acme/things", "base_url": url, **common},
            # nothing listens there: its runs last until they are cancelled
            {
                "name": "Away",
                "repository": "acme/away",
                "base_url": "http://127.0.0.1:9",
                "wait": 600.0,
                **common,
            },
            server={"processes": 1},
            worker={"stop_seconds": 1.0},
            notify={"collect_seconds": 0.1, "consumer_branches": ["*"]},
        )
        config += '[[notify.targets]]\nslack = { env = "SLACK_URL" }\n'
        with ReceiverProcess(
            tmp_path_factory.mktemp("receiver"),
            config,
            database_url=module_database_url,
            environment={
                "PACT_DISPATCH_API_TOKENS": f"ann:{API_TOKEN},bob:{READER}@read-only",
                "SLACK_URL": "https://127.0.0.1:9/nobody-listens-there",
            },
        ) as started:
            yield started


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


class Visit:
    """A window of its own, with what its browser complained of."""

    def __init__(self, page: Page, server: ReceiverProcess) -> None:
        self.page = page
        self.server = server
        self.complaints: list[str] = []
        page.set_default_timeout(TIME_LIMIT * 1000)
        page.on("console", self._note)
        page.on("dialog", lambda dialog: dialog.accept())
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _note(self, said: ConsoleMessage) -> None:
        if said.type == "error":
            self.complaints.append(said.text)

    def sign_in(self, token: str = API_TOKEN, path: str = "/") -> None:
        self.page.goto(self.server.url + path)
        self.page.get_by_label("API token").fill(token)
        self.page.get_by_role("button", name="Sign in").click()

    def path(self) -> str:
        return self.page.url.removeprefix(self.server.url)


@contextmanager
def visit(browser: Browser, server: ReceiverProcess, **options: Any) -> Iterator[Visit]:
    context = browser.new_context(**options)
    try:
        yield Visit(context.new_page(), server)
    finally:
        context.close()


def dispatched(
    server: ReceiverProcess, broker: EmbeddedBroker, consumer: str, what: Any, to: str = "Things"
) -> str:
    """Publish a pact, dispatch it, and return the path of its run's page."""
    url = publish(broker, pact(what, provider=to), consumer)
    answer = server.dispatch(url, repository=f"acme/{to.lower()}")
    assert answer.status_code == 204
    return answer.headers["Location"]


def wait_for_outcome(server: ReceiverProcess, path: str, outcome: str) -> None:
    headers = {"Authorization": f"Bearer {API_TOKEN}"}

    def ended() -> bool:
        run = server.session.get(f"{server.url}/api{path}", headers=headers, timeout=TIME_LIMIT).json()
        return bool(run["status"] == "finished" and run["outcome"] == outcome)

    server.wait_until(ended, f"{path} is {outcome}")


def test_from_the_sign_in_to_the_sign_out(
    browser: Browser, server: ReceiverProcess, broker: EmbeddedBroker
) -> None:
    with visit(browser, server) as visitor:
        page = visitor.page
        visitor.sign_in("not-one-of-the-tokens")
        page.get_by_role("alert").get_by_text("none of the API's tokens").wait_for()
        visitor.complaints.clear()  # the 401
        visitor.sign_in(path="/runs")
        page.wait_for_url(f"{server.url}/runs")

        # a run is followed live, from the dispatch to the result: the page is never loaded again
        page.wait_for_selector("html[data-live=yes]")
        page.evaluate("window.sameWindow = true")
        run = dispatched(server, broker, "Storefront", BROKEN)
        page.locator(f"a[href='{run}']").first.wait_for()
        page.locator("tr", has=page.locator(f"a[href='{run}']")).get_by_text("failed").wait_for()
        assert page.evaluate("window.sameWindow")
        page.locator(f"a[href='{run}']").first.click()
        page.get_by_role("heading", name="Storefront").wait_for()
        page.get_by_text("price").first.wait_for()  # expected beside actual, without unfolding anything

        # filters stand in the address
        other = dispatched(server, broker, "Shop", GOOD)
        wait_for_outcome(server, other, "passed")
        page.goto(f"{server.url}/runs")
        page.locator(f"a[href='{other}']").first.wait_for()
        page.get_by_label("Outcome").select_option("failed")
        page.wait_for_url("**outcome=failed**")
        page.locator(f"a[href='{run}']").first.wait_for()
        page.locator(f"a[href='{other}']").first.wait_for(state="detached")

        # one that runs is cancelled, and asked for again
        away = dispatched(server, broker, "Shop", GOOD, to="Away")
        page.goto(server.url + away)
        page.wait_for_selector("html[data-live=yes]")
        page.evaluate("window.sameWindow = true")
        page.get_by_role("button", name="Cancel").click()
        page.get_by_role("status").get_by_text("ancelled").wait_for()
        page.get_by_role("button", name="Run again").click()
        page.wait_for_function(f"!location.pathname.endsWith('{away}')")
        assert visitor.path().startswith("/runs/")
        again = visitor.path().partition("?")[0]
        page.get_by_role("button", name="Cancel").click()
        page.get_by_role("status").get_by_text("ancelled").wait_for()
        done = server.rows("SELECT who, action, run_id::text FROM actions ORDER BY id")
        assert [(one["who"], one["action"], f"/runs/{one['run_id']}") for one in done] == [
            ("ann", "cancel", away),
            ("ann", "run-again", away),
            ("ann", "cancel", again),
        ]

        # a delivery is opened, and delivered again
        page.goto(f"{server.url}/deliveries?repository=acme%2Fthings")
        page.locator("main table a[href^='/deliveries/']").first.click()
        page.get_by_role("button", name="Deliver again").click()
        redelivered = server.wait_until(
            lambda: server.rows("SELECT who FROM actions WHERE action = 'redeliver'"), "it is delivered again"
        )
        assert redelivered == [{"who": "ann"}]

        page.get_by_role("button", name="Sign out").click()
        page.wait_for_url("**/sign-in")
        page.goto(f"{server.url}/runs")
        assert visitor.path() == "/sign-in?next=/runs"
        assert visitor.complaints == []


def test_one_who_only_reads_has_no_buttons_and_forged_forms_are_refused(
    browser: Browser, server: ReceiverProcess, broker: EmbeddedBroker
) -> None:
    run = dispatched(server, broker, "Reader", GOOD)
    wait_for_outcome(server, run, "passed")
    with visit(browser, server) as visitor:
        page = visitor.page
        visitor.sign_in(READER, path=run)
        page.get_by_role("heading", name="Reader").wait_for()
        assert page.get_by_role("button", name="Run again").count() == 0
        token = page.locator("input[name=form_token]").first.get_attribute("value")
        answer = page.request.post(f"{server.url}{run}/run-again", form={"form_token": token or ""})
        assert answer.status == 403
        assert "may look things up" in answer.text()
    with visit(browser, server) as visitor:
        visitor.sign_in()
        forged = visitor.page.request.post(f"{server.url}{run}/run-again", form={"form_token": "0" * 40})
        assert forged.status == 403
        # a page of another site, whose visitor has signed in here
        visitor.page.goto(
            "data:text/html,<form method=post action='" + f"{server.url}{run}/run-again" + "'><button>"
        )
        with visitor.page.expect_navigation() as navigation:
            visitor.page.get_by_role("button").click()
        assert navigation.value is not None
        assert navigation.value.status in {303, 403} or "/sign-in" in visitor.page.url
    assert server.rows("SELECT 1 FROM actions WHERE run_id::text = %s", run.rpartition("/")[2]) == []


def test_all_works_without_javascript(
    browser: Browser, server: ReceiverProcess, broker: EmbeddedBroker
) -> None:
    away = dispatched(server, broker, "Plain", GOOD, to="Away")
    with visit(browser, server, java_script_enabled=False) as visitor:
        page = visitor.page
        visitor.sign_in(path="/runs?consumer=Plain")
        page.locator(f"a[href='{away}']").first.click()
        page.get_by_role("button", name="Cancel").click()
        page.get_by_role("status").wait_for()
        page.goto(server.url + away)
        page.get_by_role("status").get_by_text("ancel").wait_for()


@pytest.fixture(scope="module")
def paths(server: ReceiverProcess, broker: EmbeddedBroker) -> list[str]:
    """The paths of all pages, with something on each."""
    broken = dispatched(server, broker, "Everybody", BROKEN)
    wait_for_outcome(server, broken, "failed")
    assert server.dispatch(f"{broker.url}/pacts/x", token="no-token-of-anybody-at-all").status_code == 401
    headers = {"Authorization": f"Bearer {API_TOKEN}"}
    answer = server.session.get(f"{server.url}/api/deliveries", headers=headers, timeout=TIME_LIMIT)
    newest = answer.json()["items"][0]["id"]
    return [
        *("/", "/runs", broken, "/deliveries", f"/deliveries/{newest}", "/providers", "/providers/Things"),
        *(
            "/pairs?provider=Things&consumer=Everybody",
            "/queue",
            "/system",
            "/runs?outcome=nonsense",
            "/runs/0",
        ),
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_can_use_each_page(
    browser: Browser, server: ReceiverProcess, paths: list[str], scheme: str
) -> None:
    wrong = []
    with visit(browser, server, color_scheme=scheme) as visitor:
        visitor.page.goto(f"{server.url}/sign-in")
        wrong += [f"/sign-in: {one}" for one in findings(visitor.page)]
        visitor.sign_in()
        for path in paths:
            visitor.page.goto(server.url + path)
            wrong += [f"{path}: {one}" for one in findings(visitor.page)]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("width", [1280, 360])
def test_each_page_fits_its_window(
    browser: Browser, server: ReceiverProcess, paths: list[str], width: int
) -> None:
    with visit(browser, server, viewport={"width": width, "height": 900}) as visitor:
        visitor.sign_in()
        too_wide = []
        for path in paths:
            visitor.page.goto(server.url + path)
            if visitor.page.evaluate(TOO_WIDE):
                too_wide.append(path)
    assert too_wide == []
