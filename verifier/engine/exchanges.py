"""Exchanges as they were recorded, for people: headers, and the text of a body."""

from __future__ import annotations

import io
import zlib
from base64 import b64decode
from dataclasses import replace
from http.client import HTTPException, HTTPResponse
from typing import TYPE_CHECKING, Protocol, cast

from verifier.verification import LONGEST_BODY, Exchange, HttpMessage, Outcome

if TYPE_CHECKING:
    from socket import socket

    from verifier.engine.recorded_exchange import RecordedExchange
    from verifier.verification import InteractionResult

METADATA_HEADER = "pact-message-metadata"
MOST_READ = 4 * LONGEST_BODY
"""The most characters of a body that are passed to where its secrets are known and it is cut for good."""


class Relay(Protocol):
    """What the core asks in the place of the provider.

    Attributes:
        port: Its port.
    """

    port: int

    @property
    def origin(self) -> str:
        """The provider's scheme, host and port."""


def with_exchange(
    result: InteractionResult, recorded: RecordedExchange | None, relay: Relay
) -> InteractionResult:
    """Return a result that did not pass with what was sent and what came, and with the provider's own address."""
    if result.outcome == Outcome.PASSED:
        return result
    scheme, _, authority = relay.origin.partition("://")
    own = f"127.0.0.1:{relay.port}"
    reason = result.reason and result.reason.replace(f"http://{own}", relay.origin).replace(own, authority)
    return replace(
        result, reason=reason, exchange=None if recorded is None else _exchange_of(recorded, scheme)
    )


def _exchange_of(recorded: RecordedExchange, scheme: str) -> Exchange:
    answer = bytes(recorded.answer)
    return Exchange(_request(bytes(recorded.request)), _response(answer) if answer else None, scheme)


def _request(raw: bytes) -> HttpMessage:
    head, _, body = raw.partition(b"\r\n\r\n")
    start, *lines = head.decode("latin-1").split("\r\n")
    headers = ((name, value.strip()) for name, _, value in (line.partition(":") for line in lines))
    return HttpMessage(start, tuple(map(_readable, headers)), _text(body))


def _response(raw: bytes) -> HttpMessage:
    response = HTTPResponse(cast("socket", _Bytes(raw)))
    try:
        response.begin()
        version = "HTTP/1.0" if response.version == 10 else "HTTP/1.1"
        start = f"{version} {response.status} {response.reason}".rstrip()
        headers = tuple(map(_readable, response.getheaders()))
    except (HTTPException, ValueError, OSError):
        return HttpMessage("", (), _text(raw))
    try:
        body = response.read()
    except HTTPException as error:  # the rest of it was not kept, or it broke off
        body = getattr(error, "partial", b"")
    except (ValueError, OSError):
        body = b""
    if (response.getheader("Content-Encoding") or "").lower() in {"gzip", "deflate"}:
        body = _unpacked(body)
    return HttpMessage(start, headers, _text(body))


def _readable(header: tuple[str, str]) -> tuple[str, str]:
    """Return a header; that with the metadata of a message, which is JSON in base64, as the JSON."""
    name, value = header
    if name.lower() != METADATA_HEADER:
        return header
    try:
        return name, b64decode(value, validate=True).decode()
    except ValueError:
        return header


class _Bytes:
    """Bytes that are read as from a socket."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw

    def makefile(self, _: str) -> io.BytesIO:
        return io.BytesIO(self._raw)


def _unpacked(body: bytes) -> bytes:
    """Return what comes first of a body that is packed as gzip or zlib do it, as far as it is there."""
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(body, MOST_READ)
    except zlib.error:
        return body


def _text(body: bytes) -> str:
    """Return what comes first of a body, as text; in words, if it isn't text."""
    try:
        text = body[:MOST_READ].decode()
    except UnicodeDecodeError as error:
        if error.start < MOST_READ - 3:
            return f"({len(body)} bytes that are not text)"
        text = body[: error.start].decode()
    return text
