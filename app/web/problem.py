"""Why a request to the API isn't answered with what it asked for: a status, a message, and the parameters at fault."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from flask import Response

RETRY_AFTER_SECONDS = 5


@dataclass(frozen=True)
class Fault:
    """What is wrong with one parameter.

    Attributes:
        field: its name.
        message: what it must be.
    """

    field: str
    message: str


class Problem(Exception):
    """A request that is answered with an error.

    Attributes:
        status: the HTTP status.
        message: what happened, and what to do next.
        faults: what is wrong, parameter by parameter.
        headers: of the answer.
    """

    def __init__(
        self, status: int, message: str, faults: tuple[Fault, ...] = (), headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.faults = faults
        self.headers = headers or {}

    @classmethod
    def invalid(cls, *faults: Fault) -> Problem:
        """Refuse parameters."""
        return cls(422, "; ".join(f"{fault.field} {fault.message}" for fault in faults), faults)

    @classmethod
    def not_found(cls, what: str) -> Problem:
        """Say that there is no such thing."""
        return cls(404, f"there is no {what} of this id: it may have been deleted (retention.days)")

    @classmethod
    def unauthorized(cls, message: str, *, wrong: bool) -> Problem:
        """Ask for a token, or for another one.

        Args:
            message: what to do.
            wrong: whether there was a token.
        """
        challenge = 'Bearer realm="pact-dispatch"' + (', error="invalid_token"' if wrong else "")
        return cls(401, message, headers={"WWW-Authenticate": challenge})

    @classmethod
    def database_away(cls) -> Problem:
        """Say that it is worth trying again."""
        message = "the database can't be reached: try again"
        return cls(503, message, headers={"Retry-After": str(RETRY_AFTER_SECONDS)})

    def response(self) -> Response:
        """Make the answer."""
        return answer({**self.document(), "status": str(self.status)}, self.status, self.headers)

    def document(self) -> dict[str, Any]:
        """Give the body of the answer, but for the status."""
        if not self.faults:
            return {"message": self.message}
        errors = [{"field": fault.field, "message": fault.message} for fault in self.faults]
        return {"message": self.message, "errors": errors}


def answer(document: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Answer with JSON, which is nobody's to keep."""
    response = Response(json.dumps(document, ensure_ascii=False), status, mimetype="application/json")
    response.headers["Cache-Control"] = "no-store"
    response.headers.update(headers or {})
    return response
