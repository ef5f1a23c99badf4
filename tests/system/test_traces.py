"""Traces, end to end: what real processes send to a collector, as OpenTelemetry's own classes read it."""

from __future__ import annotations

import json
import sys
from shlex import quote as quoted
from typing import TYPE_CHECKING, Any

from tests.support.broker_records import publish
from tests.support.certificates import make_certificates
from tests.support.collector import Received, collecting, tree_of
from tests.support.pacts import interaction, pact, things
from tests.support.receiver import API_TOKEN, ReceiverProcess, configuration
from tests.support.running import PROVIDER, READY, STATES, verify

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.processes import EmbeddedBroker

    Publish = Callable[..., str]

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
SECRET = "s3cr3t-of-the-collector"


def _below(spans: list[Received], name: str) -> set[str]:
    """The names of the spans right below the one of a name."""
    [above] = [span for span in spans if span.name == name]
    return {span.name for span in spans if span.parent_id == above.span_id}


def test_a_verification_is_one_trace_below_the_span_of_the_ci_system(
    tmp_path: Path, broker: EmbeddedBroker, published: Publish
) -> None:
    path = published(pact(*things(2)))
    with collecting() as collector:
        done = verify(
            tmp_path,
            *("--pact-url", broker.url + path, "--provider-command", PROVIDER, *READY, *STATES),
            *("--pact-broker-base-url", broker.url, "--publish-verification-results"),
            *("--provider-app-version", "abc1234"),
            OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
            OTEL_EXPORTER_OTLP_HEADERS=f"x-key={SECRET}",
            TRACEPARENT=TRACEPARENT,
        )
    assert done.code == 0, done
    spans = collector.spans
    known = tree_of(spans)
    assert {span.trace_id for span in spans} == {TRACEPARENT.split("-")[1]}
    [root] = collector.named("verify")
    assert root.parent_id == TRACEPARENT.split("-")[2]
    assert {headers["x-key"] for headers in collector.headers} == {SECRET}
    for span in spans:  # what is below another one is within its time
        if span.parent_id in known:
            above = known[span.parent_id]
            assert above.start <= span.start <= span.end <= above.end, (span, above)
    assert _below(spans, "verify") == {
        "start provider",
        "fetch pact",
        "wait for provider",
        "replay interactions",
        "publish result",
    }
    assert _below(spans, "fetch pact") == {"GET"}
    interactions = [span for span in spans if span.name.startswith("interaction ")]
    assert len(interactions) == 2
    for span in interactions:
        assert span.attributes["pact.outcome"] == "passed"
        below = [one for one in spans if one.parent_id == span.span_id]
        assert [one.kind for one in below] == ["client"] * len(below)
        assert {one.name for one in below} == {"GET", "setup of state"}
        [request] = [one for one in below if one.name == "GET"]
        assert request.attributes["http.response.status_code"] == 200
        assert request.attributes["server.address"] == "127.0.0.1"
    assert SECRET not in done.out + done.err + json.dumps(done.report)


def _of(spans: list[Received], run: dict[str, Any]) -> list[Received]:
    """The spans of the trace of a run."""
    return [span for span in spans if span.trace_id == run["trace"].split("-")[1]]


def test_a_dispatch_is_one_trace_from_the_webhook_to_the_result(
    tmp_path: Path, broker: EmbeddedBroker, database_url: str
) -> None:
    """Over TLS, since the web process has gevent's; then again, with the worker killed in the midst."""
    certificates = make_certificates(tmp_path, "password")
    slow = tmp_path / "slow"
    waits = "import os, sys, time\nwhile os.path.exists(sys.argv[1]): time.sleep(0.02)"
    command = f"{quoted(sys.executable)} -c {quoted(waits)} {quoted(str(slow))}; exec {PROVIDER}"
    config = configuration(
        broker.url,
        {
            "command": f"sh -c {quoted(command)}",
            "version": "1",
            "branch": "main",
            "health_path": "/health",
            "states_setup_url": "http://127.0.0.1:{port}/_states",
        },
        worker={"stalled_seconds": 5.0, "retry_seconds": [0.1], "warm": 1},
        server={"processes": 1, "trace_url": "https://tempo.example.org/trace/{trace_id}"},
    )
    environment = {
        "OTEL_EXPORTER_OTLP_HEADERS": f"x-key={SECRET}",
        "OTEL_EXPORTER_OTLP_CERTIFICATE": str(certificates.ca_file),
        "OTEL_BSP_SCHEDULE_DELAY": "200",
    }
    with collecting(certificates.server) as collector:
        environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.url
        with ReceiverProcess(
            tmp_path, config, database_url=database_url, environment=environment
        ) as receiver:
            pact_url = publish(broker, pact(*things(2), provider="Products"), "Web")
            receiver.session.headers["traceparent"] = TRACEPARENT
            assert receiver.dispatch(pact_url, token="a stranger's").status_code == 401
            assert receiver.dispatch(pact_url).status_code == 204
            [run] = receiver.wait_for_runs()
            # the spans that a worker has not sent are lost when it is killed; the last is that of the whole run
            collector.wait_for(
                lambda spans: [one for one in _of(spans, run) if one.name == "verify Products"]
            )
            collector.wait_for(lambda spans: [one for one in _of(spans, run) if one.kind == "server"])

            # the next one is asked for twice, and its worker dies
            del receiver.session.headers["traceparent"]
            slow.touch()
            pact_url = publish(broker, pact(interaction("a", "/things/1"), provider="Products"), "Shop")
            assert receiver.dispatch(pact_url).status_code == 204
            receiver.wait_until(lambda: receiver.runs()[-1]["status"] == "running", "it has begun")
            dying = receiver.workers()[0]
            dying.kill()
            slow.unlink()
            _, killed = receiver.wait_for_runs(2)
            collector.wait_for(
                lambda spans: [one for one in _of(spans, killed) if one.name == "verify Products"]
            )
            found = receiver.session.get(
                f"{receiver.url}/api/runs/{run['id']}", headers={"Authorization": f"Bearer {API_TOKEN}"}
            )
        log = receiver.output()

    # one tree, of three processes, below the sender's span
    spans = _of(collector.spans, run)
    known = tree_of(spans)
    assert run["trace"].split("-")[1] == TRACEPARENT.split("-")[1]
    [web] = [span for span in spans if span.kind == "server"]
    assert web.name == "POST /repos/{owner}/{repository}/dispatches"
    assert web.parent_id == TRACEPARENT.split("-")[2]
    assert web.attributes["http.response.status_code"] == 204
    assert web.attributes["pact_dispatch.run.id"] == str(run["id"])
    assert web.resource["pact_dispatch.part"] == "web"
    [whole] = [span for span in spans if span.name == "verify Products"]
    assert whole.parent_id == web.span_id
    assert whole.attributes["cicd.pipeline.result"] == "success"
    assert whole.resource["pact_dispatch.part"] == "worker"
    assert _below(spans, "verify Products") == {"wait in the queue", "attempt"}
    assert _below(spans, "attempt") == {
        "start provider",
        "fetch pact",
        "wait for provider",
        "replay interactions",
        "publish result",
    }
    for span in spans:
        if span is not web and span is not whole:
            above = known[span.parent_id]
            assert above.start <= span.start <= span.end <= above.end, (span, above)
    assert sum(span.name.startswith("interaction ") for span in spans) == 2

    # of the run whose worker was killed there is what the next attempt did, in the same trace
    # (and what the killed one had sent by then, whose attempt never came)
    spans = [one for one in _of(collector.spans, killed) if one.resource.get("process.pid") != dying.pid]
    tree_of(spans)
    assert killed["attempt"] == 2
    [whole] = [span for span in spans if span.name == "verify Products"]
    [attempt] = [span for span in spans if span.name == "attempt"]
    assert attempt.attributes["pact_dispatch.attempt"] == 2
    assert whole.start <= attempt.start <= attempt.end <= whole.end

    # a stranger's request is in no trace; what people see has the id, and nothing has the secret
    assert {span.trace_id for span in collector.spans} == {
        run["trace"].split("-")[1],
        killed["trace"].split("-")[1],
    }
    assert found.json()["trace_id"] == TRACEPARENT.split("-")[1]
    accepted, *_ = receiver.logged("accepted")
    published, *_ = receiver.logged("published")
    assert accepted["trace_id"] == published["trace_id"] == TRACEPARENT.split("-")[1]
    assert {headers["x-key"] for headers in collector.headers} == {SECRET}
    assert SECRET not in log
