"""Damaged requests to the receiver, through gunicorn on a socket."""

from __future__ import annotations

import itertools
import re
import socket
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from hypothesis import strategies as st

from fuzz.campaign import MOST_SECONDS
from fuzz.choices import below, either, several
from fuzz.mutation import Damage, edits
from fuzz.outcomes import TRACEBACK
from fuzz.receiver.database import receiver_database, with_history
from fuzz.receiver.requests import API_TOKEN, BROKER, SECRET, TOKEN, Request, requests
from fuzz.target import Target, Violation
from tests.support.receiver import ReceiverProcess, configuration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fuzz.target import Check

NOT_IMPLEMENTED = b"501"
"""What gunicorn answers to a transfer coding that it doesn't know, as RFC 9112 (6.1) has it."""
NO_WORKER = b'"no worker is alive'
"""What `/readyz` answers with a 503 here."""


@dataclass(frozen=True)
class RawRequest:
    """A request on a socket, with changes of its bytes.

    Attributes:
        request: The request.
        edits: Changes of all that is sent.
        chunks: Whether the body is sent in chunks.
        cut: After how many bytes nothing more is sent; None for all.
    """

    request: Request
    edits: Damage
    chunks: bool
    cut: int | None


def _on_the_wire(given: RawRequest, run: str, delivery: str, sender: int) -> bytes:
    """Return a request as it is sent; each comes from an address of its own, since wrong tokens of one address wait."""
    request = given.request
    body = request.body
    address = b"192.%d.%d.%d" % (sender >> 16 & 255, sender >> 8 & 255, sender & 255)
    headers = [*request.sent_headers(body), (b"X-Forwarded-For", address)]
    if given.chunks:
        headers = [one for one in headers if one[0] != b"Content-Length"] + [
            (b"Transfer-Encoding", b"chunked")
        ]
        middle = len(body) // 2
        parts = [part for part in (body[:middle], body[middle:]) if part]
        body = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
    target = quote(request.target(run, delivery), safe="%/?&=:;,@!$'()*+[]~-._").encode()
    head = request.sent_method.encode() + b" " + target + b" HTTP/1.1\r\n"
    sent = head + b"".join(name + b": " + value + b"\r\n" for name, value in headers) + b"\r\n" + body
    return given.edits.edited(sent)[: given.cut]


def _exchange(port: int, sent: bytes) -> bytes:
    """Send what there is, say that nothing more comes, and read until the other side is done."""
    with socket.create_connection(("127.0.0.1", port), timeout=MOST_SECONDS) as connection:
        answer = b""
        try:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            while part := connection.recv(65536):
                answer += part
        except OSError as error:
            if isinstance(error, TimeoutError):
                raise
            # it has refused the rest
        return answer


@contextmanager
def _open_socket() -> Iterator[Check]:
    provider = {"base_url": "http://127.0.0.1:1", "version": "1"}
    with receiver_database() as url, tempfile.TemporaryDirectory() as folder:
        run, delivery = with_history(url)
        environment = {
            "PACT_DISPATCH_TOKENS": f"broker:{TOKEN}",
            "PACT_DISPATCH_API_TOKENS": f"me:{API_TOKEN}",
            "PACT_DISPATCH_WEBHOOK_SECRET": SECRET,
        }
        config = configuration(BROKER, provider, server={"trusted_proxies": ["127.0.0.1"]})
        senders = itertools.count()
        with ReceiverProcess(
            Path(folder), config, command="web", database_url=url, environment=environment
        ) as receiver:
            port = int(receiver.url.rpartition(":")[2])
            read = 0

            def check(given: RawRequest) -> None:
                nonlocal read
                answer = _exchange(port, _on_the_wire(given, run, delivery, next(senders)))
                statuses = re.findall(rb"(?m)^HTTP/1\.[01] (\d{3})", answer)
                if answer and not statuses:
                    raise Violation("an answer that is not HTTP", repr(answer[:300]))
                for status in statuses:
                    if status >= b"500" and status != NOT_IMPLEMENTED and NO_WORKER not in answer:
                        raise Violation(f"status {status.decode()} of gunicorn", repr(answer[:500]))
                with receiver.log.open("rb") as log:
                    log.seek(read)
                    text = log.read().decode(errors="replace")
                    read = log.tell()
                if TRACEBACK in text:
                    raise Violation("a traceback in the log", text)
                if "\x1b" in text:
                    raise Violation("an escape sequence in the log", repr(text))

            yield check


PAYLOADS_SOCKET = Target(
    name="payloads-socket",
    about="requests to the receiver, through gunicorn on a socket",
    share=40,
    kind=RawRequest,
    inputs=st.builds(
        RawRequest,
        request=requests(),
        edits=either(st.just(Damage()), st.builds(Damage, edits=several(edits(900), 4))),
        chunks=st.booleans(),
        cut=either(st.none(), st.none(), below(1200)),
    ),
    open=_open_socket,
)
