"""Make the picture of a trace: what a real `verify` sends to a collector, as backends show it."""

from __future__ import annotations

import os
import subprocess
import threading
from dataclasses import dataclass, replace
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WIDTH, NAMES, ROW, MARGIN = 960, 380, 24, 12
LONGEST_NAME = 52
MOST_INTERACTIONS = 4
"""How many interactions are shown by themselves."""
COLOURS = {"client": "#2f6fb7", "failed": "#b3372c", "other": "#5b8a72"}
STYLE = "text{font:13px sans-serif;fill:#1f2328}.soft{fill:#59636e}.line{stroke:#d1d9e0}"


@dataclass(frozen=True)
class _Span:
    id: str
    parent_id: str
    name: str
    start: int
    end: int
    colour: str


def spans_of(*command: str, **environment: str) -> list[_Span]:
    """Run a command, and return the spans that it sends."""
    found: list[_Span] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            for of_resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                for of_scope in of_resource.scope_spans:
                    for span in of_scope.spans:
                        of_kind = "client" if span.kind == span.SPAN_KIND_CLIENT else "other"
                        colour = COLOURS["failed" if span.status.code == 2 else of_kind]
                        found.append(
                            _Span(
                                span.span_id.hex(),
                                span.parent_span_id.hex(),
                                span.name,
                                span.start_time_unix_nano,
                                span.end_time_unix_nano,
                                colour,
                            )
                        )
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        environment = {**os.environ, **environment, "OTEL_EXPORTER_OTLP_ENDPOINT": url}
        subprocess.run(command, env=environment, check=False, capture_output=True)
        server.shutdown()
    return found


def svg_of(spans: list[_Span]) -> str:
    """Return a picture of a trace."""
    rows = list(_rows(spans, "", 0))
    begin = min(span.start for span in spans)
    whole = max(span.end for span in spans) - begin
    scale = (WIDTH - NAMES - 2 * MARGIN - 60) / whole
    height = len(rows) * ROW + 2 * MARGIN
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {height}" xmlns="http://www.w3.org/2000/svg" role="img">',
        f"<title>The trace of a verification</title><style>{STYLE}</style>",
        f'<rect width="{WIDTH}" height="{height}" rx="6" fill="#ffffff"/>',
    ]
    for number, (depth, span) in enumerate(rows):
        top = MARGIN + number * ROW
        left = NAMES + MARGIN + (span.start - begin) * scale
        wide = max(2.0, (span.end - span.start) * scale)
        name = span.name if len(span.name) <= LONGEST_NAME else span.name[: LONGEST_NAME - 1] + "…"
        parts += [
            f'<line class="line" x1="0" x2="{WIDTH}" y1="{top + ROW}" y2="{top + ROW}"/>',
            f'<text x="{MARGIN + depth * 16}" y="{top + 16}">{escape(name)}</text>',
            f'<rect x="{left:.1f}" y="{top + 6}" width="{wide:.1f}" height="12" rx="2" fill="{span.colour}"/>',
            (
                f'<text class="soft" x="{left + wide + 6:.1f}" y="{top + 16}">'
                f"{(span.end - span.start) / 1e6:.0f} ms</text>"
            ),
        ]
    return "\n".join([*parts, "</svg>", ""])


def _rows(spans: list[_Span], parent_id: str, depth: int) -> Iterator[tuple[int, _Span]]:
    known = {span.id for span in spans}
    below = [span for span in spans if (span.parent_id if span.parent_id in known else "") == parent_id]
    below.sort(key=lambda span: span.start)
    interactions = [span for span in below if span.name.startswith("interaction ")]
    left_out = interactions[MOST_INTERACTIONS:]
    for span in below:
        if span not in left_out:
            yield depth, span
            yield from _rows(spans, span.id, depth + 1)
    if left_out:
        name = f"... {len(left_out)} more interactions"
        yield depth, replace(left_out[0], name=name, end=left_out[-1].end)


def draw(file: Path, *verify: str) -> None:
    """Write the picture of the trace of an execution of `verify`."""
    file.write_text(svg_of(spans_of(*verify)), encoding="utf-8")
