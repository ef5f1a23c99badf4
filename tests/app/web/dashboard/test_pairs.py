"""The page of a consumer and a provider: since when their pact is broken, or passes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.records import pair_history
from app.web.dashboard.pairs import query
from tests.app.web.dashboard.test_runs import page_of, words_of
from tests.support.run_rows import add_run, id_of

if TYPE_CHECKING:
    import pytest
    from flask.testing import FlaskClient
    from psycopg_pool import ConnectionPool

PAIR = "/pairs?provider=A&consumer=C"


def add(
    pool: ConnectionPool[Any], number: int, outcome: str, versions: str, branch: str | None = None
) -> None:
    consumer, provider = versions.split()
    add_run(
        pool,
        number,
        outcome=outcome,
        consumer_version=consumer,
        provider_version=provider,
        provider_branch=branch,
    )


def test_it_says_since_when_it_is_broken_and_at_which_versions(
    client: FlaskClient, pool: ConnectionPool[Any]
) -> None:
    add(pool, 1, "failed", "c3 p2")
    add(pool, 2, "error", "c3 p2")
    add(pool, 3, "failed", "c3 p1")
    add(pool, 4, "error", "c2 p1")
    add(pool, 5, "passed", "c2 p1")
    add(pool, 6, "failed", "c1 p1")
    page = page_of(client, PAIR)
    words = words_of(page)
    assert "Broken: it broke 3 h ago At C c3 with A p1 ." in words
    assert "It passed last 5 h ago at C c2 with A p1 : between them the consumer changed" in words
    assert f'<a href="/runs/{id_of(3)}">' in page
    assert 'aria-label="1 passed, 3 failed, 2 could not verify; oldest first"' in page
    assert 'href="http://broker.example.org/base/matrix/provider/A/consumer/C"' in page
    assert 'href="/runs?provider=A&amp;consumer=C"' in page


def test_a_branch_is_told_apart_from_the_main_one(client: FlaskClient, pool: ConnectionPool[Any]) -> None:
    add(pool, 1, "failed", "c2 p9", "feature/x")
    add(pool, 2, "passed", "c2 p2", "main")
    add(pool, 3, "passed", "c1 p2", "main")
    receiver = client.application.extensions["receiver"]
    provider = receiver.settings.providers[0].model_copy(update={"branch": "main"})
    object.__setattr__(receiver, "settings", receiver.settings.model_copy(update={"providers": (provider,)}))
    words = words_of(page_of(client, PAIR))
    assert (
        "Passes on main, for the first time 3 h ago Latest 2 h ago at C c2 with A p2 . It has never failed."
        in words
    )
    assert "feature/x failed 1 h ago" in words


def test_what_never_passed_or_never_was_verified_is_said(
    client: FlaskClient, pool: ConnectionPool[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "No run has been for these two" in page_of(client, PAIR)
    add(pool, 1, "error", "c1 p1")
    assert "No run could verify the pact" in page_of(client, PAIR)
    add(pool, 2, "failed", "c1 p1")
    words = words_of(page_of(client, PAIR))
    assert "It has never passed." in words
    assert "The latest run could not verify it ( 1 h ago ): that says nothing of the pact." in words
    add(pool, 3, "failed", "c1 p1")
    monkeypatch.setattr(pair_history.answers, "__kwdefaults__", {"most": 2})
    monkeypatch.setattr(query, "MOST_ANSWERS", 2)
    assert "It did not pass in the last 1 run." in words_of(page_of(client, PAIR))


def test_other_pairs_and_runs_that_a_later_one_answers_do_not_count(
    client: FlaskClient, pool: ConnectionPool[Any]
) -> None:
    add_run(pool, 9, pact_url=None, consumer=None)
    add_run(pool, 1, outcome="error", error_kind="superseded")
    add_run(pool, 2, status="waiting", outcome=None)
    add_run(pool, 3, outcome="passed", parent_id=id_of(9))
    add_run(pool, 4, outcome="failed", provider="B")
    add_run(pool, 5, outcome="failed", consumer="D")
    words = words_of(page_of(client, PAIR))
    assert "It has never failed." in words
    assert "could not verify it" not in words
    assert "waiting" in words


def test_names_may_hold_anything_and_have_to_be_given(client: FlaskClient, pool: ConnectionPool[Any]) -> None:
    add_run(pool, 1, provider="a/b?c=<i>&#d", consumer="ü ../x")
    page = page_of(client, "/pairs?provider=a/b?c%3D%3Ci%3E%26%23d&consumer=%C3%BC%20../x")
    assert "ü ../x" in page
    assert "<i>" not in page
    assert "/matrix/provider/a%2Fb%3Fc%3D%3Ci%3E%26%23d/consumer/%C3%BC%20..%2Fx" in page
    assert "Which consumer and which provider?" in page_of(client, "/pairs")
    assert 'value="A"' in page_of(client, "/pairs?provider=A&consumer=")
    assert "consumer must be a text" in page_of(client, "/pairs?provider=A&consumer=%00", 422)
    assert "is no parameter" in page_of(client, PAIR + "&x=1", 422)
