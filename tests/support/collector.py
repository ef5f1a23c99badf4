"""A collector of traces on loopback: what it is sent is read by OpenTelemetry's own protobuf classes."""

from __future__ import annotations

import gzip
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator

    from opentelemetry.proto.common.v1.common_pb2 import KeyValue

ERROR = 2
"""The code of the status of a span that failed."""
WAIT_SECONDS = 60.0


@dataclass(frozen=True)
class Received:
    """A span as it came."""

    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    start: int
    end: int
    attributes: dict[str, Any]
    failed: bool
    message: str
    links: tuple[tuple[str, str], ...]
    resource: dict[str, Any] = field(compare=False)


class Collector:
    """Takes spans, and keeps them.

    Attributes:
        url: Where it is, for `OTEL_EXPORTER_OTLP_ENDPOINT`.
        spans: All that came.
        headers: The headers of each request.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.spans: list[Received] = []
        self.headers: list[dict[str, str]] = []
        self._changed = threading.Condition()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                assert self.path == "/v1/traces", self.path
                assert self.headers["Content-Type"] == "application/x-protobuf"
                collector.take(
                    gzip.decompress(body) if self.headers["Content-Encoding"] == "gzip" else body,
                    {name.lower(): value for name, value in self.headers.items()},
                )
                answer = ExportTraceServiceResponse().SerializeToString()
                self.send_response(200)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def take(self, body: bytes, headers: dict[str, str]) -> None:
        """Read a request as the specification has it."""
        request = ExportTraceServiceRequest.FromString(body)
        found = [
            _span(span, {one.key: _value(one) for one in of_resource.resource.attributes})
            for of_resource in request.resource_spans
            for of_scope in of_resource.scope_spans
            for span in of_scope.spans
        ]
        with self._changed:
            self.headers.append(headers)
            self.spans += found
            self._changed.notify_all()

    def wait_for(self, condition: Callable[[list[Received]], Any], seconds: float = WAIT_SECONDS) -> Any:
        """Wait until what came fulfils a condition, and return what that has returned."""
        end = time.monotonic() + seconds
        with self._changed:
            while not (found := condition(self.spans)):
                left = end - time.monotonic()
                assert left > 0, f"not within {seconds} s: {[span.name for span in self.spans]}"
                self._changed.wait(left)
            return found

    def named(self, name: str) -> list[Received]:
        """Return the spans of a name."""
        return [span for span in self.spans if span.name == name]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def collecting(tls: ssl.SSLContext | None = None) -> Iterator[Collector]:
    """Serve a collector."""
    collector = Collector(tls)
    try:
        yield collector
    finally:
        collector.close()


def tree_of(spans: list[Received]) -> dict[str, Received]:
    """Return the spans of one trace by their ids, once it is certain that they are one tree with right times."""
    assert len({span.trace_id for span in spans}) == 1, {span.trace_id for span in spans}
    known = {span.span_id: span for span in spans}
    assert len(known) == len(spans), "a span came twice"
    above = [span for span in spans if span.parent_id not in known]
    assert len(above) == 1, [(span.name, span.parent_id) for span in above]
    for span in spans:
        assert span.start <= span.end, span
    return known


def _span(span: Any, resource: dict[str, Any]) -> Received:
    assert len(span.trace_id) == 16, span
    assert len(span.span_id) == 8, span
    assert len(span.parent_span_id) in {0, 8}, span
    return Received(
        span.name,
        type(span).SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        span.start_time_unix_nano,
        span.end_time_unix_nano,
        {one.key: _value(one) for one in span.attributes},
        span.status.code == ERROR,
        span.status.message,
        tuple((link.trace_id.hex(), link.span_id.hex()) for link in span.links),
        resource,
    )


def _value(one: KeyValue) -> Any:
    which = one.value.WhichOneof("value")
    assert which is not None, one
    return getattr(one.value, which)
