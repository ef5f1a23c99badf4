"""The credentials for a broker on a request: they are sent to its origin alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import requests

if TYPE_CHECKING:
    from broker.http.access import BrokerAccess
    from broker.http.origin import Origin


class Credentials(requests.auth.AuthBase):
    """Credentials for one origin; with them, requests doesn't look into ~/.netrc."""

    def __init__(self, access: BrokerAccess, origin: Origin) -> None:
        self._access = access
        self._origin = origin

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the credentials to a request, if it goes to the origin."""
        if not self._origin.contains(request.url or ""):
            return request
        if self._access.token is not None:
            request.headers["Authorization"] = f"Bearer {self._access.token}"
            return request
        if self._access.username is not None:
            # requests encodes str as latin-1, which not every password fits
            requests.auth.HTTPBasicAuth(
                self._access.username.encode(), (self._access.password or "").encode()
            )(request)
        return request
