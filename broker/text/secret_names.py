"""Which names stand for a secret: names of headers, JSON members, query parameters and variables."""

import re

STARS = "**********"
"""What is shown in the place of a secret; a Pact Broker shows the same."""

_SECRET = re.compile(r"auth(?!or(?!i))|token|secret|passw|cookie|credential|key", re.IGNORECASE)
"""`author` is no secret, `authorization` is."""


def is_secret_name(name: str) -> bool:
    """Return whether a value of this name is a secret, which is never shown."""
    return _SECRET.search(name) is not None


def is_hidden_by_brokers(header: str) -> bool:
    """Return whether a Pact Broker shows the value of a webhook's header as stars; it hides less than is secret."""
    return "authorization" in header.lower() or "token" in header.lower()
