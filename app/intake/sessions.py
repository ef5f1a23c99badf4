"""The sessions of people who have signed in to the dashboard, as they stand in their cookies.

A cookie is signed with the key of the database, and ends after 12 hours, or as soon as its token is revoked: it has a
digest of the token, which nobody can compute without that key.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from itsdangerous import BadData, URLSafeTimedSerializer

if TYPE_CHECKING:
    from app.intake.credentials import Tokens
    from app.intake.tokens import Token

SESSION_SECONDS = 12 * 3600
"""How long a session lasts from the sign-in."""
_SALT = "pact-dispatch session"


@dataclass(frozen=True)
class Session:
    """A session.

    Attributes:
        token: The token that its owner has signed in with.
        form_token: What forms of its pages carry, so that other pages can't send them.
    """

    token: Token
    form_token: str = field(repr=False)


class Sessions:
    """Seals and opens sessions.

    Args:
        key: The key of the dashboard.
        tokens: The tokens that one can sign in with.
    """

    def __init__(self, key: bytes, tokens: Tokens) -> None:
        self._key = key
        self._tokens = tokens
        self._serializer = URLSafeTimedSerializer(
            key, salt=_SALT, signer_kwargs={"digest_method": hashlib.sha256, "key_derivation": "hmac"}
        )

    def seal(self, token: Token) -> str:
        """Return the cookie of a new session."""
        return str(self._serializer.dumps([token.name, self._digest(token), secrets.token_urlsafe(16)]))

    def open(self, cookie: str) -> Session | None:
        """Return the session of a cookie; None if it is none, has ended, or its token is not there any more."""
        try:
            content = self._serializer.loads(cookie, max_age=SESSION_SECONDS)
        except BadData:
            return None
        name, digest, nonce = content
        for token in self._tokens.all():
            if token.name == name and hmac.compare_digest(digest, self._digest(token)):
                return Session(token, self.form_token(f"{name} {nonce}"))
        return None

    def form_token(self, of: str) -> str:
        """Return what the forms carry that are shown to somebody.

        Args:
            of: Who that is, and in which session.
        """
        return hmac.new(
            self._key, f"form {of}".encode("utf-8", "surrogateescape"), hashlib.sha256
        ).hexdigest()[:40]

    def _digest(self, token: Token) -> str:
        return hmac.new(self._key, f"token {token.value}".encode(), hashlib.sha256).hexdigest()[:40]
