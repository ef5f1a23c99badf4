"""The headers of a request that are stored with its delivery: those that tell what it is, and none that is a secret."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.database.storable import storable_text
from broker.text.secret_names import STARS

if TYPE_CHECKING:
    from collections.abc import Callable

KEPT = (
    "Host",
    "User-Agent",
    "Accept",
    "Content-Type",
    "Content-Length",
    "Authorization",
    "X-GitHub-Event",
    "X-GitHub-Delivery",
    "X-GitHub-Hook-ID",
    "X-GitHub-Hook-Installation-Target-Type",
    "X-GitHub-Hook-Installation-Target-ID",
    "X-GitHub-Enterprise-Host",
    "X-Hub-Signature-256",
    "Pact-Dispatch-Dry-Run",
)
"""Their names, in the order in which they are shown."""
LONGEST = 300
"""Characters of a value that are kept."""

_SCHEMES = ("bearer", "basic", "token")
_HIDDEN = frozenset({"Authorization", "X-Hub-Signature-256"})


def kept_headers(value_of: Callable[[str], str | None]) -> dict[str, str]:
    """Return the headers of a request that are stored; of credentials only how they are given.

    Args:
        value_of: Returns the value of a header of the request, in whatever case it was sent.
    """
    found = {name: value for name in KEPT if (value := value_of(name)) is not None}
    return {
        name: _without_secret(value) if name in _HIDDEN else storable_text(value[:LONGEST])
        for name, value in found.items()
    }


def _without_secret(value: str) -> str:
    scheme, space, _ = value.partition(" ")
    return f"{scheme} {STARS}" if space and scheme.lower() in _SCHEMES else STARS
