"""What a process goes by now: a reload of the configuration replaces it."""

from __future__ import annotations

from typing import Generic, TypeVar

T = TypeVar("T")


class Current(Generic[T]):
    """Holds a value that is replaced as a whole, and never changed: who has taken it keeps what it has.

    Whatever lives as long as its process takes this, and asks for the value when a piece of work begins.

    Args:
        value: The first value.
    """

    def __init__(self, value: T) -> None:
        self._value = value

    @property
    def value(self) -> T:
        """The value as it is now; safe in any thread."""
        return self._value

    def replace(self, value: T) -> None:
        """Put another value in its place."""
        self._value = value
