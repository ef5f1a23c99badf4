"""The relay to a provider by TLS.

The core shows no certificate, and takes no authorities but the system's. With those it could do without; but it would
take six times as long, and tells neither what it sent nor what came. So it asks this relay, on loopback, which asks
the provider by TLS.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from broker.http.redirects import REDIRECTS
from verifier.engine.provider_relay import OriginRelay

if TYPE_CHECKING:
    import ssl

    from broker.http.limits import Reply
    from broker.http.tls import Tls
    from verifier.engine.provider_relay import Request


class TlsRelay(OriginRelay):
    """Passes requests on by TLS, and has the core follow redirects within the provider by the relay, too."""

    def for_the_provider(self, request: Request) -> Request:
        """Return a request that doesn't name the relay."""
        headers = {
            # the core was redirected
            name: value.replace(self._own_origin, self.origin, 1) if name.lower() == "referer" else value
            for name, value in request.headers.items()
        }
        return replace(request, headers=headers)

    def for_the_core(self, reply: Reply) -> Reply:
        """Return an answer whose redirects lead to the relay."""
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


def context_of_relay(tls: Tls) -> ssl.SSLContext:
    """Return what TLS connections to the provider are made with.

    Unless there are authorities of its own, those are trusted that the system, `SSL_CERT_FILE` and
    `REQUESTS_CA_BUNDLE` have.
    """
    context = tls.context()
    if more := tls.ca_file is None and os.environ.get("REQUESTS_CA_BUNDLE"):
        with suppress(OSError):  # the requests to the broker say what is wrong with it
            context.load_verify_locations(more)
    return context
