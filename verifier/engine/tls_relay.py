"""The relay to a provider that has to be shown a certificate, or whose authority the system doesn't know.

The core can do neither. So it asks this relay, on loopback, which asks the provider by TLS.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from broker.http.redirects import REDIRECTS
from verifier.engine.provider_relay import ProviderRelay

if TYPE_CHECKING:
    from broker.http.limits import Reply
    from broker.http.tls import Tls
    from verifier.engine.provider_relay import Request
    from verifier.verification import InteractionResult


class TlsRelay(ProviderRelay):
    """Passes requests on by TLS, and has the core follow redirects within the provider by the relay, too.

    Args:
        origin: The provider's scheme, host and port.
        timeout: The time that a request may take with all of its answer, in seconds.
        tls: How connections are made.
    """

    def __init__(self, origin: str, *, timeout: float, tls: Tls) -> None:
        self.origin = origin
        super().__init__(timeout=timeout, tls=tls)

    def answer(self, request: Request) -> Reply:
        """Pass a request on."""
        url, headers = self.origin + request.target, dict(request.headers)
        for name, value in headers.items():
            if name.lower() == "referer":  # the core was redirected
                headers[name] = value.replace(self._own_origin, self.origin, 1)
        reply = self.connections.send(request.method, url, request.body, headers)
        if reply.status not in REDIRECTS:
            return reply
        lines = tuple(
            (name, self._by_relay(value) if name.lower() == "location" else value)
            for name, value in reply.header_lines
        )
        return replace(reply, header_lines=lines)

    def _by_relay(self, location: str) -> str:
        rest = location[len(self.origin) :]
        within = location.lower().startswith(self.origin.lower()) and rest[:1] in {"", "/", "?"}
        return self._own_origin + rest if within else location

    @property
    def _own_origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def with_real_address(result: InteractionResult, relay: TlsRelay) -> InteractionResult:
    """Return a result with the provider's address in the place of the relay's."""
    return replace(
        result, reason=result.reason and result.reason.replace(f"http://127.0.0.1:{relay.port}", relay.origin)
    )
