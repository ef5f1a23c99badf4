"""The address of a request's sender, where trusted proxies stand before the receiver.

Each proxy appends the address that it was reached from to `X-Forwarded-For`. Only what a trusted one has appended
counts: whatever stands further left was sent by somebody who can write anything.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network


PEER = "pact_dispatch.peer"
"""The key of the environment of a request for the address of the other end: a client's, or a proxy's."""


def sender_address(
    peer: str | None, forwarded_for: str | None, trusted: Sequence[IPv4Network | IPv6Network]
) -> str | None:
    """Return the address that a request came from.

    It is that of the peer, unless the peer is a trusted proxy: then the last one of `X-Forwarded-For` that is none, or
    that of the outermost trusted proxy if something else than an address stands there.

    Args:
        peer: The address of the other end of the connection.
        forwarded_for: The value of `X-Forwarded-For`; those of several headers are joined by commas.
        trusted: The networks of the proxies.
    """
    sender = peer
    for given in (peer, *reversed((forwarded_for or "").split(","))):
        address = _address(given or "")
        if address is None:
            break
        sender = str(address)
        if not any(address in network for network in trusted):
            break
    return sender


class SenderAddress:
    """A WSGI application that lets another one see the sender's address in place of the proxy's.

    Args:
        application: The other application.
        trusted: Returns the networks of the proxies, as they now are.
    """

    def __init__(
        self,
        application: Callable[..., Iterable[bytes]],
        trusted: Callable[[], Sequence[IPv4Network | IPv6Network]],
    ) -> None:
        self._application = application
        self._trusted = trusted

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Serve a request."""
        environ[PEER] = _address(environ.get("REMOTE_ADDR") or "")
        environ["REMOTE_ADDR"] = sender_address(
            environ.get("REMOTE_ADDR"), environ.get("HTTP_X_FORWARDED_FOR"), self._trusted()
        )
        return self._application(environ, start_response)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """Read an address, which may have a port, as some proxies write it."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
