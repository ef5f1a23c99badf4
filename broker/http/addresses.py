"""The addresses of a broker: the one that everything is asked for at, and others that it is known by.

A broker behind a proxy gives links with the address that it has for itself: `http` behind an https proxy, an internal
name, or without the path that a proxy strips. Nothing is ever sent to such an alias, which may lead to somebody else
from here. A URL under it is asked for at the one address, with the same rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from broker.http.origin import Origin

if TYPE_CHECKING:
    from broker.http.access import BrokerAccess


@dataclass(frozen=True)
class Addresses:
    """The addresses of one broker.

    Attributes:
        origin: The one that requests and credentials go to.
        aliases: The others.
    """

    origin: Origin
    aliases: tuple[Origin, ...] = ()

    @classmethod
    def of(cls, access: BrokerAccess) -> Addresses:
        """Return the addresses of a broker.

        Raises:
            ValueError: One of them is no base URL.
        """
        return cls(Origin.of(access.base_url), tuple(map(Origin.of, access.aliases)))

    def contain(self, url: str) -> bool:
        """Return whether a URL is on the broker, under any of its addresses."""
        return any(address.contains(url) for address in (self.origin, *self.aliases))

    def at_origin(self, url: str) -> str:
        """Return a URL under an alias as the one on the origin that stands for it, and another URL as it is.

        Where several addresses contain it, that with the longest path counts: one may be a part of another.
        """
        found = [address for address in (self.origin, *self.aliases) if address.contains(url)]
        address = max(found, key=lambda one: len(one.path), default=self.origin)
        return url if address == self.origin else f"{self.origin}{address.rest_of(url)}"
