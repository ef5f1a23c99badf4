"""What a browser may be made to send by a page of another site: which requests those are, from their headers alone.

A page on any site can have its visitor's browser send requests to a server that only the visitor can reach, with the
passwords that the browser keeps for it. A page can even read the answers, where the name of its own site is made to
resolve to that server's address (DNS rebinding); the request then has that site's name as its `Host`.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from broker.http.origin import DEFAULT_PORTS

ANY_HOST = "*"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
"""The methods of requests that change nothing."""

_HOST = re.compile(r"(?P<name>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:(?P<port>[0-9]{1,5}))?")
"""A host name, an IPv4 or a bracketed IPv6 address, and a port."""
_OWN_SITE = frozenset({"same-origin", "none"})
"""The values of `Sec-Fetch-Site` for a page of the same origin, and for what the user typed. `same-site` is another
origin: to a browser, all ports of a host are one site."""
_PRIVATE_DOMAINS = (".localhost", ".local", ".internal", ".test", ".home.arpa")
"""Domains that nobody can register, so that no site on the internet has a name in them."""


@dataclass(frozen=True)
class ServedHosts:
    """The host names that a server is reached by.

    Attributes:
        names: Names that were configured, in lower case and without a port; `*` stands for any.
        loopback: Whether it listens on loopback alone. If so, the names of loopback are its only others. If not,
            so are all addresses, and the names that no site on the internet has: those without a dot (of a container,
            say), those in private domains, and the machine's own.
    """

    names: frozenset[str] = frozenset()
    loopback: bool = True

    def include(self, host: str) -> bool:
        """Return whether the value of a `Host` header is one of them, with any port."""
        match = _HOST.fullmatch(host)
        if match is None:
            return False
        name = match["name"].strip("[]").rstrip(".").lower()
        if name in self.names or ANY_HOST in self.names:
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            if self.loopback:
                return name == "localhost" or name.endswith(".localhost")
            return "." not in name or name.endswith(_PRIVATE_DOMAINS) or name == socket.gethostname().lower()
        # no name of a site can be an address: the page would be of this very server
        return address.is_loopback or not self.loopback


def is_host(host: str) -> bool:
    """Return whether the value of a `Host` header is a host name or an address, with or without a port."""
    return _HOST.fullmatch(host) is not None


def host_name_of(url: str) -> str:
    """Return the host name in a URL, in lower case and without a port."""
    return (urlsplit(url).hostname or "").rstrip(".")


def foreign_page(
    method: str, *, host: str, origin: str | None, fetch_site: str | None, base_url: str | None
) -> str | None:
    """Return what sent a request that changes something, if it was a page of another origin.

    Clients that are no browsers send neither `Origin` nor `Sec-Fetch-Site`, and are never refused.

    Args:
        method: The method of the request.
        host: Its `Host` header.
        origin: Its `Origin` header.
        fetch_site: Its `Sec-Fetch-Site` header.
        base_url: The URL that the server is reached at, if that is configured.

    Returns:
        A name for the page, to be shown; None if the request may pass.
    """
    if method in SAFE_METHODS:
        return None
    own_site = fetch_site in _OWN_SITE
    # browsers send "null" also for a page of the same origin that wants no referrers
    foreign_origin = (
        not own_site if origin == "null" else origin is not None and not _is_own(origin, host, base_url)
    )
    if not foreign_origin and (own_site or not fetch_site):
        return None
    return origin[:200] if origin and origin != "null" else "another site"


def _is_own(origin: str, host: str, base_url: str | None) -> bool:
    own = [_host_and_port(f"{origin.partition(':')[0]}://{host}")]
    if base_url:
        own.append(_host_and_port(base_url))
    found = _host_and_port(origin)
    return found is not None and found in own


def _host_and_port(url: str) -> tuple[str, int] | None:
    """Return the host and port of an http or https URL, or None if it is none."""
    try:
        parts = urlsplit(url)
        port = parts.port or DEFAULT_PORTS[parts.scheme]
    except (ValueError, KeyError):
        return None
    return parts.hostname or "", port
