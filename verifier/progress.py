"""Who hears how a verification comes along."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from verifier.verification import InteractionResult


class Progress(Protocol):
    """What hears how a verification comes along."""

    def step(self, text: str) -> None:
        """Something begins, in a few words."""

    def notice(self, text: str) -> None:
        """Something that a person should know now: a retry, a provider's output."""

    def total(self, interactions: int) -> None:
        """So many interactions will be verified."""

    def verified(self, result: InteractionResult) -> None:
        """An interaction is done."""

    def provider_output(self, line: str) -> None:
        """The provider that was started printed a line."""


class Silence:
    """A `Progress` that nobody listens to."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def step(self, text: str) -> None:
        """Say nothing."""

    def notice(self, text: str) -> None:
        """Say nothing."""

    def total(self, interactions: int) -> None:
        """Say nothing."""

    def verified(self, result: InteractionResult) -> None:
        """Say nothing."""

    def provider_output(self, line: str) -> None:
        """Say nothing."""
