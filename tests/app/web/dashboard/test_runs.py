"""The list of runs: its filters in the address, its pages, and what a row says."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING, Any

import pytest

from app.records import history
from tests.app.web.dashboard.test_signing_in import sign_in
from tests.support.run_rows import add_run, id_of
from tests.support.shown import words_in

if TYPE_CHECKING:
    from flask.testing import FlaskClient
    from psycopg_pool import ConnectionPool

SHA = "0f3c9a7d" * 5


def page_of(client: FlaskClient, address: str, status: int = 200) -> str:
    sign_in(client)
    answer = client.get(address)
    assert answer.status_code == status, answer.text
    return answer.text


def rows_of(page: str) -> dict[int, str]:
    """Return the words of each row, by the number of its run."""
    rows = re.findall(r'<tr id="run-[0-9a-f-]+-0*(\d+)">(.*?)</tr>', page, re.DOTALL)
    return {int(number): words_of(row) for number, row in rows}


def words_of(html: str) -> str:
    return words_in(html)


def link_of(page: str, words: str) -> str:
    found = re.search(rf'<a href="([^"]+)"[^>]*>{words}</a>', page)
    assert found is not None, words
    return unescape(found[1])


def test_a_row_says_what_why_when_and_how_long(client: FlaskClient, pool: ConnectionPool[Any]) -> None:
    add_run(pool, 1, status="waiting", outcome=None, reason="reconciled", error="the provider <b>is</b> away")
    add_run(
        pool,
        2,
        outcome="failed",
        consumer="Shop/ü",
        consumer_version=SHA,
        provider_version="7.1",
        provider_branch="main",
        publishing="refused",
        publish_error="the broker answered 503",
        started_at="2026-01-01T00:00:00Z",
        finished_at="2026-01-01T00:00:01.5Z",
    )
    add_run(pool, 3, status="finished", outcome=None)
    page = page_of(client, "/runs")
    rows = rows_of(page)
    assert list(rows) == [1, 2, 3]
    assert "waiting" in rows[1]
    assert "found by reconcile" in rows[1]
    assert "the provider <b>is</b> away" in rows[1]
    assert "<b>is</b>" not in page
    assert rows[2] == (
        "failed not published Shop/ü 0f3c9a7d → A 7.1 the broker answered 503 main pact_changed 2 h ago 1.5 s"
    )
    assert f'title="{SHA}"' in page
    assert 'href="/pairs?provider=A&amp;consumer=Shop%2F%C3%BC"' in page
    assert "passed on" in rows[3]


def test_the_pacts_of_a_push_are_in_its_row_unless_a_pact_is_looked_for(
    client: FlaskClient, pool: ConnectionPool[Any]
) -> None:
    add_run(pool, 1, pact_url=None, consumer=None, provider_version=SHA, outcome="failed")
    for number, outcome in ((2, "passed"), (3, "failed"), (4, "error"), (5, "failed")):
        add_run(
            pool,
            number,
            parent_id=id_of(1),
            provider_version=SHA,
            outcome=outcome,
            consumer=f"C{number}",
            pending=number == 5,
        )
    add_run(pool, 6, parent_id=id_of(1), provider_version="of an older commit", outcome="failed")

    page = page_of(client, "/runs")
    assert list(rows_of(page)) == [1]
    assert "4 pacts, 1 failed, 1 not verified of A 0f3c9a7d" in rows_of(page)[1]
    members = page_of(client, link_of(page, "4 pacts, 1 failed, 1 not verified"))
    assert list(rows_of(members)) == [2, 3, 4, 5, 6]
    assert "pending" in rows_of(members)[5]
    assert f'href="/runs/{id_of(1)}"' in members
    assert list(rows_of(page_of(client, link_of(page, "A row for each")))) == [1, 2, 3, 4, 5, 6]
    assert list(rows_of(page_of(client, "/runs?consumer=C3"))) == [3]
    assert list(rows_of(page_of(client, "/runs?text=c3"))) == [3]
    assert list(rows_of(page_of(client, "/runs?outcome=failed"))) == [1]
    assert list(rows_of(page_of(client, "/runs?consumer=C3&pacts=hidden"))) == []


def test_the_form_leads_to_an_address_without_what_is_empty(client: FlaskClient) -> None:
    sign_in(client)
    answer = client.get("/runs?provider=A+%26+B&consumer=&outcome=failed&text=&since=")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/runs?provider=A+%26+B&outcome=failed")
    page = page_of(client, answer.headers["Location"])
    assert 'name="provider" value="A &amp; B"' in page
    assert '<option value="failed" selected>' in page
    assert "/api/runs?pacts=hidden&amp;provider=A+%26+B&amp;outcome=failed" in page
    assert "pact-dispatch runs list --pacts=hidden &#39;--provider=A &amp; B&#39; --outcome=failed" in page


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("outcome=broken", "outcome"),
        ("since=yesterday", "since"),
        ("version=" + "x" * 256, "version"),
        ("text=%00", "text"),
        ("parent=7", "parent"),
        ("pacts=1", "pacts"),
        ("cursor=x", "cursor"),
        ("top=x", "top"),
        ("limit=0", "limit"),
        ("providr=A", "providr"),
        ("provider=A&provider=B", "provider"),
        ("branch=%ED%A0%80", None),
    ],
)
def test_a_filter_that_can_not_be_used_is_said_beside_its_field(
    client: FlaskClient, pool: ConnectionPool[Any], query: str, name: str | None
) -> None:
    add_run(pool, 1)
    page = page_of(client, f"/runs?{query}", 422 if name else 200)
    assert name is None or f"<code>{name}</code> " in page
    assert rows_of(page) == {}
    if name in {"outcome", "since", "version", "text", "parent", "provider"}:
        assert f'name="{name}" aria-invalid="true" aria-describedby="{name}-fault"' in page
        assert f'id="{name}-fault"' in page


def test_pages_stay_as_they_are_while_runs_come_in_and_later_ones_tell_of_them(
    client: FlaskClient, pool: ConnectionPool[Any]
) -> None:
    for number in range(1, 6):
        add_run(pool, number)
    first = page_of(client, "/runs?limit=2&provider=A")
    assert list(rows_of(first)) == [1, 2]
    second = page_of(client, link_of(first, "Older"))
    assert list(rows_of(second)) == [3, 4]
    assert "come since" not in second
    add_run(pool, 7, hours=0)
    add_run(pool, 8, hours=0, provider="B")
    again = page_of(client, link_of(first, "Older"))
    assert list(rows_of(again)) == [3, 4]
    assert "1 newer run has come since" in words_of(again)
    third = page_of(client, link_of(again, "Older"))
    assert list(rows_of(third)) == [5]
    assert "1 newer run has come since" in words_of(third)
    assert list(rows_of(page_of(client, link_of(third, "To the newest")))) == [7, 1, 2, 3, 4, 5]


def test_a_text_that_is_not_among_the_newest_runs_is_looked_for_in_older_ones(
    client: FlaskClient, pool: ConnectionPool[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "MOST_SEARCHED", 2)
    for number in range(1, 6):
        add_run(pool, number, error="Needle" if number == 4 else None)
    page = page_of(client, "/runs?text=needle")
    assert rows_of(page) == {}
    assert "runs has this text" in page
    assert list(rows_of(page_of(client, link_of(page, "Look in older runs")))) == [4]


def test_an_open_page_is_told_of_its_own_provider_alone(
    client: FlaskClient, pool: ConnectionPool[Any]
) -> None:
    add_run(pool, 1)
    assert 'sse-connect="/live?topic=runs&amp;since=' in page_of(client, "/runs")
    assert 'sse-connect="/live?topic=provider+A&amp;since=' in page_of(client, "/runs?provider=A")
    content = client.get("/runs?provider=A", headers={"HX-Request": "true"}).text
    assert content.startswith("<title>")
    assert list(rows_of(content)) == [1]
