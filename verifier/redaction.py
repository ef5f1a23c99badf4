"""Keeping secrets out of what people see and logs keep."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import TYPE_CHECKING

from broker.http.secret_names import is_secret_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from verifier.request import VerificationRequest
    from verifier.verification import Verification

SHORTEST = 4
"""A shorter value is no secret, and hiding it would make any text unreadable."""


class Redaction:
    """Replaces known secrets by `***`.

    Args:
        secrets: The values; a header's value `Bearer abc` also hides `abc` alone.
    """

    def __init__(self, secrets: Iterable[str | None]) -> None:
        parts = {part for secret in secrets if secret for part in (secret, *secret.split())}
        parts |= {json.dumps(part)[1:-1] for part in parts}  # as it stands in a JSON body
        words = {"basic", "bearer", "token", "digest"}
        # the longest first, so that no end of one is left
        self._secrets = sorted(
            (part for part in parts if len(part) >= SHORTEST and part.lower() not in words),
            key=len,
            reverse=True,
        )

    @classmethod
    def of(cls, request: VerificationRequest) -> Redaction:
        """Return what hides the credentials of a request: the broker's, and those in headers and variables."""
        broker = request.broker
        headers = [value for name, value in request.provider.headers if is_secret_name(name)]
        variables = [value for name, value in request.provider.environment.items() if is_secret_name(name)]
        provider = [*headers, *variables, *request.provider.secrets]
        if broker is None:
            return cls(provider)
        basic = (
            base64.b64encode(f"{broker.username}:{broker.password}".encode()).decode()
            if broker.username
            else None
        )
        return cls([broker.password, broker.token, basic, *provider])

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secrets, the longest first."""
        return tuple(self._secrets)

    def text(self, text: str) -> str:
        """Return a text without the secrets."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text

    def verification(self, verification: Verification) -> Verification:
        """Return a verification without the secrets in what the provider and the engine reported."""
        if not self._secrets:
            return verification
        error = verification.error
        return replace(
            verification,
            notes=tuple(map(self.text, verification.notes)),
            error=error and replace(error, message=self.text(error.message), output=self.text(error.output)),
            interactions=tuple(
                replace(
                    result,
                    reason=result.reason and self.text(result.reason),
                    mismatches=tuple(
                        replace(
                            mismatch,
                            expected=mismatch.expected and self.text(mismatch.expected),
                            actual=mismatch.actual and self.text(mismatch.actual),
                            description=self.text(mismatch.description),
                        )
                        for mismatch in result.mismatches
                    ),
                )
                for result in verification.interactions
            ),
        )
