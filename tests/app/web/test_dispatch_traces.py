"""The trace of a dispatch begins with its request, below the sender's span: if it is one who may dispatch."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Any

from app.records import runs
from broker.otlp.setup import end_traces
from tests.support.processes import TIME_LIMIT
from tests.support.traces import traced

if TYPE_CHECKING:
    import pytest
    from flask.testing import FlaskClient
    from psycopg_pool import ConnectionPool

PACT = "http://broker.example.org/base/pacts/provider/A/consumer/C/version/1"
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
DISPATCH = {"event_type": "pact_changed", "client_payload": {"pact_url": PACT}}
KNOWN = {"Authorization": "Bearer a-token-of-the-broker"}
API = {"Authorization": "Bearer a-token-for-reading-the-api"}


def send(client: FlaskClient, **headers: str) -> int:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    status: int = client.post("/repos/a/b/dispatches", json=DISPATCH, headers={**KNOWN, **given}).status_code
    return status


def only_run(pool: ConnectionPool[Any]) -> Any:
    with pool.connection() as connection:
        [(run_id,)] = connection.execute("SELECT id FROM runs").fetchall()
        return runs.get(connection, run_id)


def test_a_dispatch_is_below_the_span_of_its_sender(
    client: FlaskClient, pool: ConnectionPool[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with traced(monkeypatch) as collector:
        assert send(client, traceparent=PARENT) == 204
        assert send(client, traceparent=PARENT.replace("0af7", "1af7")) == 204  # joins the run that waits
        end_traces(TIME_LIMIT)
        first, second = collector.spans
    run = only_run(pool)
    assert first.trace_id == run.trace_context.trace_id == PARENT.split("-")[1]
    assert first.parent_id == PARENT.split("-")[2]
    assert first.attributes["http.route"] == "/repos/{owner}/{repository}/dispatches"
    assert first.attributes["pact_dispatch.sender"] == "broker"
    assert first.attributes["pact_dispatch.run.id"] == str(run.id)
    assert second.trace_id != first.trace_id
    assert second.links == ((first.trace_id, run.trace_context.span_id),)

    document = client.get(f"/api/runs/{run.id}", headers=API).get_json()
    assert document["trace_id"] == first.trace_id
    basic = b64encode(b"me:a-token-for-reading-the-api").decode()
    page = client.get(f"/runs/{run.id}", headers={"Authorization": f"Basic {basic}"}).get_data(as_text=True)
    assert f"<dt>Trace</dt><dd><code>{first.trace_id}</code></dd>" in page


def test_what_is_no_traceparent_begins_a_trace(
    client: FlaskClient, pool: ConnectionPool[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with traced(monkeypatch) as collector:
        assert send(client, traceparent=f"{PARENT},{PARENT}") == 204
        end_traces(TIME_LIMIT)
        [span] = collector.spans
    assert span.parent_id == ""
    assert span.trace_id == only_run(pool).trace_context.trace_id != PARENT.split("-")[1]


def test_a_sender_decides_what_is_kept_only_as_far_as_the_sampler_heeds_it(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    with traced(monkeypatch, OTEL_TRACES_SAMPLER="traceidratio", OTEL_TRACES_SAMPLER_ARG="0") as collector:
        assert send(client, traceparent=PARENT) == 204
        end_traces(TIME_LIMIT)
        assert collector.spans == []


def test_a_stranger_and_a_dry_run_leave_no_span(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    with traced(monkeypatch) as collector:
        assert send(client, traceparent=PARENT, Authorization="Bearer of-a-stranger") == 401
        assert send(client, traceparent=PARENT, Authorization="") == 404
        assert send(client, traceparent=PARENT, Pact_Dispatch_Dry_Run="true") == 204
        end_traces(TIME_LIMIT)
        assert collector.spans == []


def test_a_refused_dispatch_of_a_known_sender_is_a_span_of_its_own(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    with traced(monkeypatch) as collector:
        answer = client.post("/repos/a/b/dispatches", json={"event_type": "other"}, headers=KNOWN)
        assert answer.status_code == 422
        end_traces(TIME_LIMIT)
        [span] = collector.spans
    assert (span.attributes["http.response.status_code"], span.failed) == (422, False)
    assert span.attributes["pact_dispatch.delivery.id"] == answer.headers["X-GitHub-Request-Id"]


def test_without_traces_nothing_is_stored(client: FlaskClient, pool: ConnectionPool[Any]) -> None:
    assert send(client, traceparent=PARENT) == 204
    run = only_run(pool)
    assert run.trace is None
    assert client.get(f"/api/runs/{run.id}", headers=API).get_json()["trace_id"] is None
