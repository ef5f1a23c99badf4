"""The pages and lists of a large history that are looked at: each kind, with each filter, for much and for little."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import requests

from app.records.history import Place
from app.web.paging import cursor_of, cursor_of_name
from app.web.viewer import COOKIE
from tests.support.receiver import API_TOKEN

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

BIGGEST, USUAL, SMALLEST = "Provider 0001", "Provider 0400", "Provider 1000"


def headers_of_session(url: str) -> dict[str, str]:
    """Sign in, and return the headers of the session's requests."""
    with requests.Session() as session:
        session.trust_env = False
        answer = session.post(f"{url}/sign-in", data={"token": API_TOKEN}, timeout=60, allow_redirects=False)
        assert answer.status_code == 303, answer.text
        return {"Accept": "text/html", "Cookie": f"{COOKIE}={answer.cookies[COOKIE]}"}


def addresses(connection: psycopg.Connection[Any]) -> Iterator[tuple[str, str]]:
    """Return what is looked at: its name, and its path."""

    def one(query: str) -> Any:
        row = connection.execute(query.encode()).fetchone()
        assert row is not None, query
        return row[0] if len(row) == 1 else row

    runs = {
        "waiting": "status = 'waiting'",
        "running": "status = 'running'",
        "5 interactions": "outcome = 'passed' AND interactions = 5",
        "50 interactions": "outcome = 'passed' AND interactions = 50",
        "50 interactions, failed": "outcome = 'failed' AND interactions = 50",
        "error": "outcome = 'error' AND pact_url IS NOT NULL",
        "every pact": "pact_url IS NULL AND outcome IS NOT NULL",
    }
    for name, condition in runs.items():
        run = one(f"SELECT id FROM runs WHERE {condition} ORDER BY created_at LIMIT 1")
        yield f"run: {name}", f"/runs/{run}"
    middle = cursor_of(
        Place(*one("SELECT created_at, id FROM runs ORDER BY created_at, id OFFSET 5000 LIMIT 1"))
    )
    of_deliveries = cursor_of(
        Place(*one("SELECT received_at, id FROM deliveries ORDER BY received_at, id OFFSET 5000 LIMIT 1"))
    )
    version = one(
        f"SELECT provider_version FROM runs WHERE provider = '{USUAL}' AND outcome = 'passed' LIMIT 1"
    )
    filters = {
        "": "",
        "deep": f"cursor={middle}",
        "of the biggest provider": f"provider={quote(BIGGEST)}",
        "of the biggest provider, deep": f"provider={quote(BIGGEST)}&cursor={middle}",
        "of a usual provider": f"provider={quote(USUAL)}",
        "of no provider": "provider=Nobody",
        "of a consumer": "consumer=Consumer%20037",
        "of a pair": f"provider={quote(BIGGEST)}&consumer=Consumer%20037",
        "failed": "outcome=failed",
        "failed, of a usual provider": f"outcome=failed&provider={quote(USUAL)}",
        "failed, of the biggest provider": f"outcome=failed&provider={quote(BIGGEST)}",
        "passed, deep": f"outcome=passed&cursor={middle}",
        "waiting": "status=waiting",
        "cancelled, of a usual provider": f"status=cancelled&provider={quote(USUAL)}",
    }
    more = {
        "redelivered": "reason=redelivered",
        "redelivered, of a usual provider": f"reason=redelivered&provider={quote(USUAL)}",
        "of a branch": "branch=feature/PAY-77",
        "of no branch": "branch=nowhere",
        "of a version": f"version={version}",
        "of no version": f"version={'0' * 40}",
        "of a day": "since=2026-01-01",
        "with a text": "text=PAY-77",
        "without a text": "text=zebra",
    }
    for name, query in filters.items():
        yield f"API: runs {name}", f"/api/runs?{query}"
    for name, query in {**filters, **more}.items():
        yield f"runs {name}", f"/runs?{query}"
    filters = {
        "": "",
        "deep": f"cursor={of_deliveries}",
        "refused": "refusal=bad-token",
        "refused, deep": f"refusal=bad-token&cursor={of_deliveries}",
        "refused for no reason": "refusal=nothing",
        "of a repository": "repository=acme/provider-0001",
        "of no repository": "repository=acme/nothing",
        "reconciled": "source=reconcile",
        "refused, of a repository": "refusal=bad-token&repository=acme/provider-0001",
    }
    for name, query in filters.items():
        yield f"API: deliveries {name}", f"/api/deliveries?{query}"
        yield f"deliveries {name}", f"/deliveries?{query}"
    filters = {
        "of a sender": "sender=broker",
        "of no sender": "sender=nobody",
        "accepted": "answer=2xx",
        "not accepted": "answer=4xx",
        "not accepted, of a repository": "answer=4xx&repository=acme/provider-0400",
        "delivered again": "source=redelivery",
        "delivered again, not accepted": "source=redelivery&answer=4xx",
    }
    for name, query in filters.items():
        yield f"deliveries {name}", f"/deliveries?{query}"
    for name, condition in {"accepted": "status = 204", "refused": "refusal = 'invalid'"}.items():
        delivery = one(f"SELECT id FROM deliveries WHERE {condition} LIMIT 1")
        yield f"delivery: {name}", f"/deliveries/{delivery}"
    yield "overview", "/"
    yield "providers", "/providers"
    yield "providers with a text", "/providers?q=provider%2009"
    yield "providers, deep", f"/providers?after={quote(USUAL)}"
    for name, provider in {"biggest": BIGGEST, "usual": USUAL, "smallest": SMALLEST}.items():
        yield f"provider: {name}", f"/providers/{quote(provider)}"
        consumer = one(
            f"SELECT consumer FROM runs WHERE provider = '{provider}' AND consumer IS NOT NULL "
            "GROUP BY 1 ORDER BY count(*) DESC LIMIT 1"
        )
        yield f"pair: {name}", f"/pairs?provider={quote(provider)}&consumer={quote(consumer)}"
    yield "queue", "/queue"
    yield "queue: biggest", f"/queue?provider={quote(BIGGEST)}"
    yield "system", "/system"
    yield "API: providers", "/api/providers"
    yield "API: providers, deep", f"/api/providers?cursor={cursor_of_name(USUAL)}"
    yield "metrics", "/metrics"
    yield "health", "/healthz"


def open_paths(connection: psycopg.Connection[Any]) -> list[str]:
    """Return the pages that are open: of each kind, and most of them of different things."""

    def some(query: str, number: int) -> list[Any]:
        found = [row[0] for row in connection.execute(query.encode()).fetchall()]
        return [found[index % len(found)] for index in range(number)]

    providers = some("SELECT provider FROM runs GROUP BY 1 ORDER BY count(*) DESC LIMIT 200", 200)
    newest = some("SELECT id FROM runs ORDER BY created_at DESC LIMIT 50", 50)
    paths = ["/"] * 100 + ["/runs"] * 50 + ["/deliveries"] * 20 + ["/queue"] * 20 + ["/providers"] * 20
    paths += [f"/runs?provider={quote(provider)}" for provider in providers[:120]]
    paths += [f"/providers/{quote(provider)}" for provider in providers[:120]]
    return paths + [f"/runs/{run}" for run in newest]
