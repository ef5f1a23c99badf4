"""What a fuzz target is, and what one of its inputs must not bring about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, TypeAdapter

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from hypothesis.strategies import SearchStrategy

    Check = Callable[[Any], None]

Bytes = Annotated[
    bytes,
    PlainSerializer(lambda content: content.decode("latin-1")),
    BeforeValidator(lambda text: text.encode("latin-1") if isinstance(text, str) else text),
]
"""Bytes in an input; in a file of an input, a text whose characters stand for one byte each."""


class Violation(Exception):
    """An input has brought about what must not be.

    Attributes:
        kind: A few words that are the same for the same fault.
    """

    def __init__(self, kind: str, detail: str = "") -> None:
        super().__init__(f"{kind}: {detail}" if detail else kind)
        self.kind = kind


class TooSlow(Violation):
    """An input took longer than it may."""

    def __init__(self, seconds: float, what: str = "") -> None:
        super().__init__(f"too slow {what}".rstrip(), f"more than {seconds:g} s")


@dataclass(frozen=True)
class Target:
    """One kind of hostile input, and what reads it.

    Attributes:
        name: Its name; a part of a target is named `TARGET-PART`.
        about: One line for `--list`.
        share: How many of 1000 inputs are for it.
        kind: The type of its inputs, a dataclass.
        inputs: The strategy that makes inputs.
        open: Starts what reads them; the check that it yields raises an exception for an input that does harm.
    """

    name: str
    about: str
    share: int
    kind: type[Any]
    inputs: SearchStrategy[Any]
    open: Callable[[], AbstractContextManager[Check]]

    def saved(self, given: Any) -> bytes:
        """Return an input as JSON."""
        return TypeAdapter(self.kind).dump_json(given, indent=1) + b"\n"

    def loaded(self, content: bytes) -> Any:
        """Return the input of `saved`.

        Raises:
            pydantic.ValidationError: It is no such input.
        """
        return TypeAdapter(self.kind).validate_json(content)
