"""The reason why a request failed, in short."""

from __future__ import annotations

LONGEST = 300
DEEPEST = 10


def innermost(error: BaseException) -> str:
    """Return the innermost reason of an HTTP library's error, without the object addresses around it."""
    for _ in range(DEEPEST):
        inner = getattr(error, "reason", None) or error.__cause__ or error.__context__
        if not isinstance(inner, BaseException) and error.args and isinstance(error.args[0], BaseException):
            inner = error.args[0]
        if not isinstance(inner, BaseException):
            break
        error = inner
    text = str(error).split(">: ", 1)[-1].split("): ", 1)[-1]
    return text if len(text) <= LONGEST else text[:LONGEST] + "..."
