"""The address of a broker and the credentials for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from broker.http.tls import ORDINARY, Tls

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class BrokerAccess:
    """The address of a broker and the credentials for it.

    Attributes:
        base_url: The broker's base URL, with its path if it has one.
        username: The user name of basic auth, together with `password`.
        password: The password of basic auth.
        token: A bearer token, instead of the two.
        aliases: Other base URLs that the broker gives its links with; nothing is sent there.
        tls: How TLS connections to it are made.
    """

    base_url: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    aliases: Sequence[str] = ()
    tls: Tls = ORDINARY

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
        return self.token is not None or self.username is not None or self.tls.certificate is not None

    @property
    def secrets(self) -> list[str]:
        """What of it is secret; of basic auth also the pair that is sent in base64."""
        pair = f"{self.username}:{self.password}" if self.username and self.password else None
        return [secret for secret in (self.password, self.token, pair, *self.tls.secrets) if secret]
