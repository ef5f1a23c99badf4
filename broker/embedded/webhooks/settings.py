"""How webhooks are delivered, and where to: settings of the command, and the allow-lists (no I/O)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"})

RETRY_SECONDS = (10, 60, 120, 300, 600, 1200)
"""The waits of a real broker."""
TIMEOUT_SECONDS = 15.0
HISTORY_DAYS = 90.0

_SEE = "See /doc/webhooks#whitelist for more information."
_INVALID_URL = "is not a valid URL eg. http://example.org"
_TEMPLATE = re.compile(r"\$\{[^}]*\}")
_AUTHORITY = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")


@dataclass(frozen=True)
class WebhookSettings:
    """Which targets webhooks may have, and when a delivery is tried.

    Attributes:
        hosts: Names and addresses; `*.example.org` for all below, `*` for all. None means that none may.
        schemes: The schemes of URLs.
        methods: The HTTP methods.
        retry_seconds: The time between an attempt that failed and the next; after the last one it's given up.
        delay_seconds: The time between an event and the first attempt.
        history_days: For how long deliveries that have ended are kept, with their logs; None for ever.
        timeout_seconds: The time to connect, to wait for the answer, and to read it.
    """

    hosts: tuple[str, ...] = ()
    schemes: tuple[str, ...] = ("https",)
    methods: tuple[str, ...] = ("POST",)
    retry_seconds: tuple[float, ...] = RETRY_SECONDS
    delay_seconds: float = 0.0
    history_days: float | None = HISTORY_DAYS
    timeout_seconds: float = TIMEOUT_SECONDS

    def mistakes_in_method(self, method: str) -> list[str]:
        """Return why a method can't be used, in a real broker's words."""
        if method.upper() not in METHODS:
            return ["is not a recognised HTTP method"]
        if method.upper() not in self.methods:
            return [f"must be one of {', '.join(self.methods)}. {_SEE}"]
        return []

    def mistakes_in_url(self, url: str) -> list[str]:
        """Return why a URL, which may have variables in its path and query, can't be used."""
        plain = _TEMPLATE.sub("x", url)
        scheme, separator, rest = plain.partition("://")
        authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
        if "${" in re.split(r"[/?#]", _TEMPLATE.sub("${", url).partition("://")[2], maxsplit=1)[0]:
            return ["cannot have a template parameter in the host"]
        if not separator or not plain.isprintable() or re.search(r"[\s\\<>\"{}|^`]", plain):
            return [_INVALID_URL]
        if "@" in authority:
            return ["must not contain a user name or a password: use request.username and request.password"]
        if _AUTHORITY.fullmatch(authority) is None or _port_out_of_range(plain):
            return [_INVALID_URL]
        return self._not_allowed(scheme.lower(), urlsplit(plain).hostname or "")

    def _not_allowed(self, scheme: str, host: str) -> list[str]:
        mistakes = []
        if scheme not in self.schemes:
            mistakes.append(f"scheme must be {', '.join(self.schemes)}. {_SEE}")
        if not self.hosts:
            mistakes.append(
                "host must be in the whitelist, which is empty: start the broker with --webhook-hosts"
            )
        elif not any(_matches(host, entry.lower()) for entry in self.hosts):
            listed = ", ".join(f'"{entry}"' for entry in self.hosts)
            mistakes.append(f"host must be in the whitelist {listed}. {_SEE}")
        return mistakes


def _matches(host: str, entry: str) -> bool:
    return entry in {"*", host, f"[{host}]"} or (entry.startswith("*.") and host.endswith(entry[1:]))


def _port_out_of_range(url: str) -> bool:
    try:
        return urlsplit(url).port == 0
    except ValueError:
        return True
