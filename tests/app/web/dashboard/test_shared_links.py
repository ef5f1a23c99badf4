"""A link to a run that was shared: it opens the page of that run, and nothing else, as long as links are shared."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import pytest

from app.config.sections import ServerSettings
from app.records.run_links import RunLinks
from app.records.signing_keys import dashboard_key
from app.web.application import create_app
from tests.app.web.dashboard.test_run import READING, add_run, text_of
from tests.app.web.dashboard.test_run_actions import sign_in
from tests.support.examples import FAILED, PASSED, verification

if TYPE_CHECKING:
    from flask.testing import FlaskClient
    from psycopg_pool import ConnectionPool

READER = "a-token-that-only-reads"
OPEN = {"HX-Request": "true"}


def sharing(
    client: FlaskClient, *, shares: bool = True, public_url: str = "https://ci.example.org/pacts"
) -> FlaskClient:
    receiver = client.application.extensions["receiver"]
    server = ServerSettings.model_validate({"public_url": public_url, "share_links": shares})
    settings = receiver.settings.model_copy(update={"server": server})
    return create_app(replace(receiver, settings=settings)).test_client()


def shared_link(client: FlaskClient, pool: ConnectionPool[Any], run_id: UUID) -> str:
    """The path of the link that a worker makes for a run."""
    with pool.connection() as connection:
        key = dashboard_key(connection)
    url = RunLinks(client.application.extensions["receiver"].settings.server, key).page_of(run_id)
    assert url is not None
    parts = urlsplit(url)
    assert (parts.scheme, parts.netloc) == ("https", "ci.example.org")
    return f"{parts.path.removeprefix('/pacts')}?{parts.query}"


def test_a_shared_link_shows_its_run_and_nothing_of_others(
    client: FlaskClient, pool: ConnectionPool[Any]
) -> None:
    shared = sharing(client)
    headers = {"Authorization": "Bearer a-token-of-the-broker", "User-Agent": "the sender's program"}
    body = {
        "event_type": "pact_changed",
        "client_payload": {"pact_url": "http://broker.example.org/base/pacts/provider/A/consumer/C/latest"},
    }
    shared.post("/repos/a/b/dispatches", json=body, headers=headers)
    before = add_run(
        pool, "status = 'finished', outcome = 'passed', consumer = 'C', created_at = now() - interval '1 h'"
    )
    with pool.connection() as connection:
        [[run_id]] = connection.execute("SELECT id FROM runs WHERE id <> %s", [before]).fetchall()
    other = add_run(pool, "", verification(PASSED, FAILED, consumer="C"))
    with pool.connection() as connection:
        connection.execute(
            "UPDATE runs AS run SET status = 'finished', outcome = 'failed', consumer = 'C', worker = 'the-host:7', "
            "attempt = 2, error_output = 'of the provider', verification = other.verification FROM runs AS other "
            "WHERE run.id = %s AND other.id = %s",
            [run_id, other],
        )
        connection.execute("INSERT INTO run_log_chunks VALUES (%s, 0, 1, 'a line of the log')", [run_id])
        connection.execute(
            "INSERT INTO actions (who, action, via, run_id) VALUES ('ann', 'cancel', 'dashboard', %s)",
            [run_id],
        )
    link = shared_link(shared, pool, run_id)
    answer = shared.get(link)
    assert answer.status_code == 200
    html, text = answer.text, text_of(answer.text)
    assert "Failed: 1 of 2 interactions" in text
    assert "answered by the provider" in text
    for hidden in (
        *(
            "the sender's program",
            "127.0.0.1 ",
            "by broker",
            "a line of the log",
            "ann",
            "the-host",
            "of the provider",
        ),
        *(
            "http://127.0.0.1:1",
            "<nav",
            "<form",
            "sse-connect",
            "/providers/",
            "/pairs",
            "/deliveries/",
            "/api/",
            str(before),
        ),
    ):
        assert hidden not in html.replace("answered by the provider", ""), hidden
    assert "a line of the log" in shared.get(f"/runs/{run_id}", headers=READING).text
    assert answer.headers["X-Robots-Tag"] == "noindex"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    [report] = re.findall(r'href="/pacts(/runs/[^"]+/report[^"]*)"', html)
    assert shared.get(report).status_code == 200
    assert shared.get(report.partition("?")[0]).status_code == 401


def test_it_is_good_for_nothing_else(client: FlaskClient, pool: ConnectionPool[Any]) -> None:
    shared = sharing(client)
    run_id, other = add_run(pool), add_run(pool)
    query = urlsplit(shared_link(shared, pool, run_id)).query
    assert shared.get(f"/runs/{run_id}?{query}").status_code == 200
    for path in (
        *("/", "/runs", "/deliveries", "/providers", "/queue", "/system", "/metrics", "/api/runs"),
        *(f"/runs/{other}", f"/runs/{uuid4()}", f"/api/runs/{run_id}", f"/api/runs/{run_id}/log"),
    ):
        assert shared.get(f"{path}?{query}").status_code == 401, path
    assert shared.get(f"/live?topic=run%20{run_id}&{query}").status_code == 401
    for action in ("cancel", "run-again", "publish-again"):
        assert shared.post(f"/runs/{run_id}/{action}?{query}").status_code == 401
    signature = query.partition("=")[2]
    for forged in (
        "",
        "A" * len(signature),
        signature[:-2],
        f"{signature}A",
        signature.lower(),
        "ÿ",
        "\ud800",
        "x" * 5000,
    ):
        assert (
            shared.get(
                f"/runs/{run_id}", query_string={"shared": forged.encode("utf-8", "replace")}
            ).status_code
            == 401
        )


def test_it_stops_when_links_are_not_shared_any_more(client: FlaskClient, pool: ConnectionPool[Any]) -> None:
    run_id = add_run(pool)
    link = shared_link(sharing(client), pool, run_id)
    private = sharing(client, shares=False)
    assert private.get(link).status_code == 401
    why = "This link does not show its run without a sign-in"
    assert why in private.get("/sign-in", query_string={"next": f"/pacts{link}"}).text
    assert why not in private.get("/sign-in", query_string={"next": f"/pacts/runs/{run_id}"}).text
    with pool.connection() as connection:
        links = RunLinks(
            private.application.extensions["receiver"].settings.server, dashboard_key(connection)
        )
    assert links.page_of(run_id) == f"https://ci.example.org/pacts/runs/{run_id}"
    with pytest.raises(ValueError, match="share_links needs public_url"):
        ServerSettings(share_links=True)


def test_a_signature_is_of_one_key_run_and_purpose() -> None:
    server = ServerSettings(public_url="https://ci.example.org", share_links=True)
    one, two = uuid4(), uuid4()
    links = RunLinks(server, b"a" * 32)
    signature = links.signature_of(one)
    assert signature is not None
    assert len(signature) == 43
    assert links.is_signature_of(one, signature)
    assert not links.is_signature_of(two, signature)
    assert not RunLinks(server, b"b" * 32).is_signature_of(one, signature)
    assert RunLinks(server, b"a" * 32).page_of(one) == links.page_of(one)


def test_who_has_signed_in_sees_the_whole_page_and_leaves_it_to_nobody(
    client: FlaskClient, pool: ConnectionPool[Any]
) -> None:
    shared = sharing(client, public_url="https://ci.example.org")
    run_id = add_run(pool)
    link = shared_link(shared, pool, run_id)
    form_token = sign_in(client)
    cookie = client.get_cookie("pact_dispatch_session")
    assert cookie is not None
    signed_in = shared.application.test_client()
    signed_in.set_cookie("pact_dispatch_session", cookie.value)
    assert "<nav" in signed_in.get(link).text
    assert f"/runs/{run_id}/cancel" in signed_in.get(link, headers=OPEN).text
    assert form_token not in shared.get(link, headers=OPEN).text
    # a script that reads has the same rights as somebody with a link, but for what it sees
    reading = {"Authorization": f"Bearer {READER}", **OPEN}
    assert 'id="log"' in shared.get(link, headers=reading).text
    assert 'id="log"' not in shared.get(link, headers=OPEN).text


def test_the_pacts_of_a_run_for_every_pact_are_seen_by_links_of_their_own(
    client: FlaskClient, pool: ConnectionPool[Any]
) -> None:
    shared = sharing(client)
    parent = add_run(
        pool, "status = 'finished', outcome = 'passed'", event_type="provider_changed", pact_url=None
    )
    member = add_run(
        pool, "status = 'finished', outcome = 'passed', consumer = 'C', parent_id = %s", None, parent
    )
    html = shared.get(shared_link(shared, pool, parent)).text
    [link] = re.findall(rf'href="/pacts(/runs/{member}[^"]*)"', html)
    page = shared.get(link)
    assert page.status_code == 200
    assert str(parent) not in page.text


@pytest.mark.parametrize("status", ["running", "finished"])
def test_it_looks_for_what_is_new_while_there_is_something_to_come(
    client: FlaskClient, pool: ConnectionPool[Any], status: str
) -> None:
    shared = sharing(client)
    html = shared.get(shared_link(shared, pool, add_run(pool, "status = %s", None, status))).text
    assert ('hx-trigger="every 10s"' in html) == (status == "running")
    assert "sse-connect" not in html


def test_the_answer_to_a_dispatch_carries_no_signature(client: FlaskClient) -> None:
    headers = {"Authorization": "Bearer a-token-of-the-broker"}
    body = {
        "event_type": "pact_changed",
        "client_payload": {"pact_url": "http://broker.example.org/base/pacts/provider/A/consumer/C/latest"},
    }
    answer = sharing(client).post("/repos/a/b/dispatches", json=body, headers=headers)
    assert answer.status_code == 204
    assert re.fullmatch(r"https://ci.example.org/pacts/runs/[0-9a-f-]{36}", answer.headers["Location"])
