"""The log of the requests that are sent, which nobody gets unless a command is asked for it (`--log-level debug`)."""

from __future__ import annotations

import logging
import time

REQUESTS = logging.getLogger("broker.http.requests")
"""Gets a line for each request, at the level `debug`."""


def note_request(method: str, url: str, what: str, begun: float) -> None:
    """Log a request: its method, its URL without the query and credentials, and what came of it.

    Args:
        method: The HTTP method.
        url: The URL.
        what: What came of it.
        begun: The `time.monotonic()` when it was sent.
    """
    if REQUESTS.isEnabledFor(logging.DEBUG):
        from broker.http.shown_url import shown_url  # noqa: PLC0415 - most commands log no requests

        milliseconds = (time.monotonic() - begun) * 1000
        REQUESTS.debug("%s %s %s (%.0f ms)", method, shown_url(url), what, milliseconds)
