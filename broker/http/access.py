"""The address of a broker and the credentials for it, which are sent to its origin alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import requests

if TYPE_CHECKING:
    from broker.http.origin import Origin


@dataclass(frozen=True)
class BrokerAccess:
    """The address of a broker and the credentials for it.

    Attributes:
        base_url: The broker's base URL, with its path if it has one.
        username: The user name of basic auth, together with `password`.
        password: The password of basic auth.
        token: A bearer token, instead of the two.
    """

    base_url: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Check the credentials.

        Raises:
            ValueError: One has a character that can't be sent; it is named, and not shown.
        """
        for name, value in (("user name", self.username), ("password", self.password), ("token", self.token)):
            if value is not None and not value.isprintable():
                raise ValueError(f"the {name} has a line end or another character that can't be sent")
        if self.token is not None and not self.token.isascii():
            raise ValueError("the token has a character that can't be sent: a bearer token is ASCII")

    @property
    def has_credentials(self) -> bool:
        """Whether any credentials are configured."""
        return self.token is not None or self.username is not None

    @property
    def secrets(self) -> list[str]:
        """What of it is secret; of basic auth also the pair that is sent in base64."""
        pair = f"{self.username}:{self.password}" if self.username and self.password else None
        return [secret for secret in (self.password, self.token, pair) if secret]


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
