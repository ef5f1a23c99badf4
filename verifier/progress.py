"""The interface of what shows or logs the progress of a verification."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from verifier.verification import InteractionResult


class Progress(Protocol):
    """What is told about the progress of a verification."""

    def step(self, text: str) -> None:
        """Take note that a step begins."""

    def notice(self, text: str) -> None:
        """Take note of something that a person should know now, such as a retry."""

    def total(self, interactions: int) -> None:
        """Take note of how many interactions will be verified; called again if verifying starts anew."""

    def verified(self, result: InteractionResult) -> None:
        """Take note that an interaction is verified."""

    def provider_output(self, line: str) -> None:
        """Take note of a line that the started provider printed."""


class Silence:
    """A `Progress` that shows nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def step(self, text: str) -> None:
        """Ignore it."""

    def notice(self, text: str) -> None:
        """Ignore it."""

    def total(self, interactions: int) -> None:
        """Ignore it."""

    def verified(self, result: InteractionResult) -> None:
        """Ignore it."""

    def provider_output(self, line: str) -> None:
        """Ignore it."""
