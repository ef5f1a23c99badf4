"""The relay for interactions that expect a redirect; see `verifier.engine.redirects`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from broker.http.redirects import REDIRECTS
from verifier.engine.provider_relay import OriginRelay
from verifier.engine.redirects import SHIFT

if TYPE_CHECKING:
    from broker.http.limits import Reply


class RedirectRelay(OriginRelay):
    """Gives the core a provider's redirects as what it doesn't follow."""

    def for_the_core(self, reply: Reply) -> Reply:
        """Return a redirect with another status."""
        return replace(reply, status=reply.status + SHIFT) if reply.status in REDIRECTS else reply
