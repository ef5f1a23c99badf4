"""What shows or logs the progress of a verification."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from verifier.verification import InteractionResult, Verification


class Progress:
    """What is told about the progress of a verification. It shows nothing; a subclass may."""

    def step(self, text: str) -> None:
        """Take note that a step begins."""

    def notice(self, text: str) -> None:
        """Take note of something that a person should know now, such as a retry."""

    def provider_ready(self) -> None:
        """Take note that the provider answers; called for each pact."""

    def total(self, interactions: int) -> None:
        """Take note of how many interactions will be verified; called again if verifying starts anew."""

    def waiting(self) -> None:
        """Take note that the engine has begun: what is needed after the results can be imported now."""

    def verified(self, result: InteractionResult) -> None:
        """Take note that an interaction is verified."""

    def pacts(self, number: int) -> None:
        """Take note of how many pacts the run has, if it has many; called again if one is left out."""

    def pact(self, name: str) -> None:
        """Take note that one of many pacts begins."""

    def pact_ended(self, verification: Verification) -> None:
        """Take note that one of many pacts has ended."""

    def provider_output(self, line: str) -> None:
        """Take note of a line that the started provider printed."""
