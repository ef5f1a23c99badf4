"""The reason why a request is not accepted, and the answer in GitHub's form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.dispatch import FieldError

if TYPE_CHECKING:
    from collections.abc import Iterable

DOCUMENTATION = "https://docs.github.com/rest/repos/repos#create-a-repository-dispatch-event"


class Refusal(Exception):
    """A request is not accepted.

    Attributes:
        status: The HTTP status of the answer.
        reason: The reason in a word, for history and metrics.
        message: GitHub's `message`.
        detail: The reason in a sentence, for history; it may say more than the answer.
        errors: What is wrong, field by field.
    """

    def __init__(
        self, status: int, reason: str, message: str, detail: str, errors: Iterable[FieldError] = ()
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.reason = reason
        self.message = message
        self.detail = detail
        self.errors = tuple(errors)

    @classmethod
    def not_found(cls, reason: str, detail: str) -> Refusal:
        """Make the refusal that doesn't tell whether there is such a thing, as GitHub's 404 doesn't."""
        return cls(404, reason, "Not Found", detail)

    @classmethod
    def bad_credentials(cls, reason: str, detail: str) -> Refusal:
        """Make the refusal of a token or a signature."""
        return cls(401, reason, "Bad credentials", detail)

    @classmethod
    def invalid(cls, reason: str, field: str, message: str) -> Refusal:
        """Make the refusal of the value of one field."""
        errors = (FieldError(field, "invalid", message),)
        return cls(422, reason, "Validation Failed", f"{field}: {message}", errors)

    def document(self) -> dict[str, Any]:
        """Return the body of the answer, in GitHub's form."""
        document: dict[str, Any] = {"message": self.message, "documentation_url": DOCUMENTATION}
        if self.errors:
            document["errors"] = [
                {
                    "resource": "RepositoryDispatch",
                    "field": error.field,
                    "code": error.code,
                    "message": f"{error.field} {error.message}",
                }
                for error in self.errors
            ]
        return {**document, "status": str(self.status)}
