"""The answers of the API: JSON documents, and problems, with a status, a message, and the parameters at fault."""

from __future__ import annotations

import json

from flask import Response
from pydantic import BaseModel, ConfigDict

RETRY_AFTER_SECONDS = 5
"""When a request is sent again that met a database that was away."""


class Document(BaseModel):
    """A JSON object without other members than those of its model."""

    model_config = ConfigDict(json_schema_extra={"additionalProperties": False})


class Fault(Document):
    """What is wrong with one parameter."""

    field: str
    message: str


class Problem(BaseModel):
    """Why a request is not answered with what it asked for."""

    message: str
    errors: list[Fault] = []
    status: str


class HttpProblem(Exception):
    """A request is answered with an error.

    Attributes:
        status: The HTTP status.
        message: What happened, and what to do next.
        faults: What is wrong, parameter by parameter.
        headers: Headers of the answer.
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
    def invalid(cls, *faults: Fault) -> HttpProblem:
        """Make the problem of parameters that can't be used."""
        return cls(422, "; ".join(f"{fault.field} {fault.message}" for fault in faults), faults)

    @classmethod
    def not_found(cls, what: str) -> HttpProblem:
        """Make the problem that there is no such thing."""
        return cls(404, f"there is no {what} of this id: it may have been deleted (retention.days)")

    @classmethod
    def unauthorized(cls, message: str, *, wrong: bool) -> HttpProblem:
        """Make the problem that a token is missing or wrong.

        Args:
            message: What to do.
            wrong: Whether there was a token.
        """
        challenge = 'Bearer realm="pact-dispatch"' + (', error="invalid_token"' if wrong else "")
        return cls(401, message, headers={"WWW-Authenticate": challenge})

    @classmethod
    def database_away(cls) -> HttpProblem:
        """Make the problem that the database is away, or too busy."""
        message = "the database can't be reached, or is too busy: try again"
        return cls(503, message, headers={"Retry-After": str(RETRY_AFTER_SECONDS)})

    def response(self) -> Response:
        """Return the answer."""
        problem = Problem(message=self.message, status=str(self.status))
        if self.faults:
            problem.errors = list(self.faults)
        return answer(problem, self.status, self.headers)


def answer(
    document: BaseModel | dict[str, object], status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    """Return an answer in JSON that no cache may store; members of a model that are not set are left out."""
    content = (
        document.model_dump(mode="json", exclude_unset=True) if isinstance(document, BaseModel) else document
    )
    response = Response(json.dumps(content, ensure_ascii=False), status, mimetype="application/json")
    response.headers["Cache-Control"] = "no-store"
    response.headers.update(headers or {})
    return response
