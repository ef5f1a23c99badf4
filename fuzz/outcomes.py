"""What must hold for whatever people are told: sentences, without tracebacks and without paths of this project."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuzz.campaign import ROOT
from fuzz.target import Violation

if TYPE_CHECKING:
    from collections.abc import Callable

TRACEBACK = "Traceback (most recent call last)"
LONGEST_SENTENCE = 20_000
_OURS = (str(ROOT), "site-packages", "/verifier/", "/broker/http/", "/broker/client/")


def check_text(text: str, what: str) -> None:
    """Raise if a text for people has a traceback or a path of ours.

    Raises:
        Violation: It has.
    """
    if TRACEBACK in text:
        raise Violation(f"a traceback in {what}", text[-3000:])
    for path in _OURS:
        if path in text:
            raise Violation(f"a path of ours in {what}", f"{path} in {text[:3000]}")


def check_output(text: str, command: str, *secrets: str) -> None:
    """Raise if the output of a command has what it must not have.

    Raises:
        Violation: It has a traceback, a path of ours, a secret or an escape sequence.
    """
    check_text(text, f"the output of {command}")
    if any(secret in text for secret in secrets):
        raise Violation(f"a secret in the output of {command}", text)
    if "\x1b" in text:
        raise Violation(f"an escape sequence in the output of {command}", repr(text))


def check_sentence(error: BaseException, *, longest: int = LONGEST_SENTENCE) -> None:
    """Raise unless an expected error has a message for people.

    Args:
        error: The error.
        longest: How many characters its message may have.

    Raises:
        Violation: It has none, or one that is not for people.
    """
    text = str(error)
    if not text.strip():
        raise Violation(f"no message in {type(error).__name__}", repr(error))
    check_text(text, f"the message of {type(error).__name__}")
    if len(text) > longest:
        raise Violation(f"an endless message in {type(error).__name__}", text[:500])


def expect(operation: Callable[[], object], *expected: type[Exception]) -> BaseException | None:
    """Carry an operation out, which may raise only what is documented.

    Returns:
        What it raised, if it did.

    Raises:
        Violation: The message is not for people.
    """
    try:
        operation()
    except expected as error:
        check_sentence(error)
        return error
    return None
