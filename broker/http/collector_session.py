"""The session that traces are sent to a collector by."""

from __future__ import annotations

from typing import Any

import requests

from broker.http.limited_request import BearerToken


class CollectorSession(requests.Session):
    """A session that trusts the authorities that it is told to, whatever the environment says of those of others.

    That of requests takes those of `REQUESTS_CA_BUNDLE` in the place of the session's own, and credentials from
    ~/.netrc.
    """

    def __init__(self) -> None:
        super().__init__()
        self.auth = BearerToken(None)

    def merge_environment_settings(self, *settings: Any, **named: Any) -> Any:
        """Return the settings of a request, with proxies as the environment has them."""
        found = super().merge_environment_settings(*settings, **named)
        if isinstance(self.verify, str):
            found["verify"] = self.verify
        return found
