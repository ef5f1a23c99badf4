"""Spans on their way to a collector: as the official protobuf classes read them, and without harm if it is away."""

from __future__ import annotations

import logging
import socket
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from broker.otlp import setup
from broker.otlp.setup import begin_traces, end_traces, first_span
from broker.text.redaction import Redaction
from broker.traces import spans
from broker.traces.spans import span
from tests.support.certificates import make_certificates
from tests.support.collector import collecting, tree_of
from tests.support.killable import wait_until
from tests.support.loopback import closed_port
from tests.support.processes import TIME_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@contextmanager
def traces(
    monkeypatch: pytest.MonkeyPatch, redaction: Redaction | None = None, /, **variables: str
) -> Iterator[list[str]]:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    said: list[str] = []
    begin_traces(variables, part="test", redaction=redaction, notice=said.append)
    try:
        yield said
    finally:
        end_traces(TIME_LIMIT)


def test_what_is_sent_is_one_tree_as_opentelemetry_reads_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        collecting() as collector,
        traces(
            monkeypatch,
            Redaction(["s3cr3t-token", "correct-horse"]),
            OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
            OTEL_EXPORTER_OTLP_HEADERS="authorization=Bearer%20abc",
            OTEL_RESOURCE_ATTRIBUTES="deployment.environment.name=test",
        ) as said,
    ):
        with first_span("outer", parent=PARENT) as outer:
            outer.links.append("00-1af7651916cd43dd8448eb211c80319c-c7ad6b7169203331-01")
            with span("inner s3cr3t-token", spans.CLIENT, url__full="http://x/s3cr3t-token") as inner:
                inner.set("http.response.status_code", 500)
                inner.set("long", "x" * 5000)
                inner.fail("500", "answered s3cr3t-token, and correct-horse")
        end_traces(TIME_LIMIT)
        assert said == []
        assert spans.sink() is None
    above, below = sorted(collector.spans, key=lambda one: one.start)
    tree_of(collector.spans)
    assert (above.name, above.kind, above.parent_id) == ("outer", "internal", PARENT.split("-")[2])
    assert above.trace_id == PARENT.split("-")[1]
    assert above.links == (("1af7651916cd43dd8448eb211c80319c", "c7ad6b7169203331"),)
    assert (below.name, below.kind, below.parent_id) == ("inner ***", "client", above.span_id)
    assert below.attributes["url.full"] == "http://x/***"
    assert below.attributes["http.response.status_code"] == 500
    assert len(below.attributes["long"]) == 1000
    assert (below.failed, below.message) == (True, "answered ***, and ***")
    assert above.resource["service.name"] == "pact-dispatch"
    assert above.resource["pact_dispatch.part"] == "test"
    assert above.resource["deployment.environment.name"] == "test"
    assert {headers["authorization"] for headers in collector.headers} == {"Bearer abc"}


@pytest.mark.parametrize(
    ("sampler", "parent", "kept"),
    [
        ("always_off", None, False),
        ("parentbased_always_on", PARENT[:-1] + "0", False),
        ("parentbased_always_off", PARENT, True),
        ("always_on", PARENT[:-1] + "0", True),
    ],
)
def test_the_sampler_of_the_environment_decides(
    monkeypatch: pytest.MonkeyPatch, sampler: str, parent: str | None, *, kept: bool
) -> None:
    with (
        collecting() as collector,
        traces(monkeypatch, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, OTEL_TRACES_SAMPLER=sampler),
    ):
        with first_span("a", parent=parent), span("b"):
            assert spans.current() is not None
            assert (spans.sampled() is not None) is kept
        end_traces(TIME_LIMIT)
        assert len(collector.spans) == (2 if kept else 0)


def test_the_name_of_the_service_is_that_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        collecting() as collector,
        traces(monkeypatch, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, OTEL_SERVICE_NAME="verification"),
    ):
        with first_span("a"):
            pass
        end_traces(TIME_LIMIT)
        assert collector.spans[0].resource["service.name"] == "verification"


def ended_later() -> list[str]:
    names = [one.name for one in threading.enumerate()]
    return [name for name in names if name.startswith(("traces-end", "Otel"))]


def test_a_collector_that_never_answers_delays_the_end_for_a_limited_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with traces(monkeypatch, OTEL_EXPORTER_OTLP_ENDPOINT=url, OTEL_EXPORTER_OTLP_TIMEOUT="60") as said:
            for _ in range(600):  # more than a batch
                first_span("a").end()
            end_traces(0.2)
            assert said == [f"traces can't be sent to {url}, and are dropped: it has not taken them in 0.2 s"]
            # what would wait for the collector goes on by itself, and the process can end
            assert any(one.name == "traces-end" and one.daemon for one in threading.enumerate())
            assert spans.sink() is None
    wait_until(lambda: not ended_later(), "nothing is tried any more")


def test_a_collector_that_is_away_is_told_of_once_and_without_its_credentials(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    port = closed_port()
    variables = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://user:s3cr3t-pass@127.0.0.1:{port}",
        "OTEL_EXPORTER_OTLP_HEADERS": "not a header s3cr3t-word,x-key=s3cr3t-key",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "1",
    }
    with traces(monkeypatch, **variables) as said:
        exporter = setup._exporter
        assert exporter is not None
        for _ in range(2):
            first_span("a").end()
            exporter._provider.force_flush()
    [_, of_sending] = said
    assert f"traces can't be sent to http://127.0.0.1:{port}" in of_sending
    everything = "".join(said) + "".join(capfd.readouterr())
    assert "s3cr3t" not in everything


def test_a_process_that_ends_before_the_collector_is_given_up_tells_why(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    port = closed_port()
    with traces(monkeypatch, OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{port}") as said:
        exporter = setup._exporter
        assert exporter is not None
        first_span("a").end()
        threading.Thread(target=exporter._provider.force_flush, daemon=True).start()
        # it tries again for 10 s, which is longer than an end takes
        wait_until(lambda: exporter._watched._said.first != "", "it has failed once")
        end_traces(0.1)
    assert said == [
        f"traces can't be sent to http://127.0.0.1:{port}, and are dropped: it refused the connection"
    ]


@pytest.mark.parametrize(
    ("variables", "why"),
    [
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "only http/protobuf is sent"),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "collector.example:4318"},
            "no traces: OTEL_EXPORTER_OTLP_ENDPOINT must begin with http:// or https://",
        ),
        (
            {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "s3cr3t@collector.example:4318/v1/traces"},
            "no traces: OTEL_EXPORTER_OTLP_TRACES_ENDPOINT must begin with http:// or https://",
        ),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://:4318/s3cr3t"},
            "no traces: OTEL_EXPORTER_OTLP_ENDPOINT must be http:",
        ),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://example:70000"}, "with a host and a port that there is"),
        ({"OTEL_BSP_MAX_QUEUE_SIZE": "-1"}, "OpenTelemetry can't use its OTEL_... variables"),
    ],
)
def test_what_cannot_be_used_is_told_and_breaks_nothing(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], why: str
) -> None:
    variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", **variables}
    with traces(monkeypatch, **variables) as said:
        assert spans.sink() is None
        assert first_span("a") is spans.NO_SPAN
    assert len(said) == 1
    assert why in said[0]
    assert "example" not in said[0]


@pytest.mark.parametrize(
    ("variables", "why"),
    [
        ({"OTEL_TRACES_SAMPLER": "sometimes"}, "parentbased_traceidratio: parentbased_always_on counts"),
        ({"OTEL_TRACES_SAMPLER": "traceidratio"}, "no number from 0 to 1: all traces are kept"),
        (
            {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "10%"},
            "OTEL_TRACES_SAMPLER_ARG is no number from 0 to 1",
        ),
        ({"OTEL_EXPORTER_OTLP_HEADERS": "s3cr3t"}, "a part of it is not of that form, and left out"),
        (
            {"OTEL_EXPORTER_OTLP_TRACES_HEADERS": "s3cr3t: a,b=c, Authorization: s3cr3t"},
            "OTEL_EXPORTER_OTLP_TRACES_HEADERS is NAME=VALUE,...: 2 of its 3 parts are not",
        ),
        ({"OTEL_EXPORTER_OTLP_HEADERS": "a=b%20c, d = e,", "OTEL_TRACES_SAMPLER": "ALWAYS_ON"}, None),
        ({"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.1"}, None),
    ],
)
def test_what_is_used_in_another_way_than_it_says_is_told_once_at_the_start_without_its_value(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], why: str | None
) -> None:
    with traces(monkeypatch, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1", **variables) as said:
        assert spans.sink() is not None
        assert len(said) == (why is not None), said
        assert (why or "") in "".join(said)
        assert not any("s3cr3t" in sentence or "sometimes" in sentence for sentence in said)


def test_without_the_extra_nothing_is_traced_and_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    blocked: dict[str, Any] = {"broker.otlp.exporter": None}
    for name, module in blocked.items():
        monkeypatch.setitem(sys.modules, name, module)
    with traces(monkeypatch, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1") as said:
        assert spans.sink() is None
    assert said == ["no traces: that needs broker.otlp.exporter. Install pact-dispatch with the extra 'otel'"]


def test_the_authority_that_is_named_for_it_is_trusted_whatever_others_trust(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    certificates = make_certificates(tmp_path, "password")
    (tmp_path / "other").mkdir()
    other = make_certificates(tmp_path / "other", "password")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(other.ca_file))
    with (
        collecting(certificates.server) as collector,
        traces(
            monkeypatch,
            OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
            OTEL_EXPORTER_OTLP_CERTIFICATE=str(certificates.ca_file),
        ) as said,
    ):
        first_span("a").end()
        end_traces(TIME_LIMIT)
        assert said == []
        assert len(collector.spans) == 1


class _Said(logging.Handler):
    """Keeps what reaches it; pytest's own handlers are attached to loggers that don't propagate, too."""

    def __init__(self) -> None:
        super().__init__(logging.NOTSET)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{record.name}: {record.getMessage()}")


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://user:s3cr3t-pass@127.0.0.1:{port}/?token=s3cr3t-query",
        "http://127.0.0.1:{port}/path?token=s3cr3t-query",
    ],
)
def test_nothing_that_the_libraries_log_reaches_a_log(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    """They log the whole URL, and headers that they can't read as they are."""
    port = closed_port()
    variables = {
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": endpoint.format(port=port),
        "OTEL_EXPORTER_OTLP_HEADERS": "not a header s3cr3t-word,x-key=s3cr3t-key,y=%0As3cr3t-line",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "1",
    }
    root, handler = logging.getLogger(), _Said()
    monkeypatch.setattr(root, "handlers", [*root.handlers, handler])
    monkeypatch.setattr(
        logging.getLogger("opentelemetry"), "propagate", True
    )  # as if nothing was there before
    with traces(monkeypatch, **variables) as said:
        exporter = setup._exporter
        assert exporter is not None
        first_span("a").end()
        exporter._provider.force_flush()
    [of_headers, of_sending] = said
    assert of_headers.startswith("OTEL_EXPORTER_OTLP_HEADERS is NAME=VALUE")
    assert "traces can't be sent to" in of_sending
    assert "s3cr3t" not in of_headers + of_sending
    assert [line for line in handler.lines if line.startswith("opentelemetry") or "s3cr3t" in line] == []
