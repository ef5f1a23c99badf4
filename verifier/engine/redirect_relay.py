"""The relay for interactions that expect a redirect; see `verifier.engine.redirects`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from broker.http.redirects import REDIRECTS
from verifier.engine.provider_relay import ProviderRelay
from verifier.engine.redirects import SHIFT

if TYPE_CHECKING:
    from broker.http.limits import Reply
    from broker.http.tls import Tls
    from verifier.engine.provider_relay import Request


class RedirectRelay(ProviderRelay):
    """Gives the core a provider's redirects as what it doesn't follow.

    Args:
        origin: The provider's scheme, host and port.
        timeout: The time that a request may take with all of its answer, in seconds.
        tls: How TLS connections to the provider are made.
    """

    def __init__(self, origin: str, *, timeout: float, tls: Tls) -> None:
        self.origin = origin
        super().__init__(timeout=timeout, tls=tls)

    def answer(self, request: Request) -> Reply:
        """Pass a request on."""
        url = self.origin + request.target
        reply = self.connections.send(request.method, url, request.body, request.headers)
        return replace(reply, status=reply.status + SHIFT) if reply.status in REDIRECTS else reply
