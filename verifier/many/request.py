"""Which pacts are verified in one run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from verifier.errors import UsageError

if TYPE_CHECKING:
    from broker.client.for_verification import PactForVerification, Selection
    from verifier.request import VerificationRequest


@dataclass(frozen=True)
class ManyRequest:
    """Many pacts to verify.

    Attributes:
        template: The request of each, but for its pact.
        pact_urls: The pacts, if they are named; otherwise the broker is asked.
        in_folders: Those of them that are files of a folder, which may have pacts of other providers as well.
        selection: What the broker is asked for.
        needs_pacts: Whether it is an error if there is no pact to verify.
        leave_out: The pacts that are not verified, since they were before: the addresses of their content.
    """

    template: VerificationRequest
    pact_urls: tuple[str, ...] = ()
    in_folders: frozenset[str] = frozenset()
    selection: Selection | None = None
    needs_pacts: bool = True
    leave_out: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        """Check the values together.

        Raises:
            UsageError: They contradict each other, or one that is needed is missing.
        """
        template = self.template
        if template.last_failed:
            raise UsageError("--last-failed is for one pact, whose report --json has: give its --pact-url")
        for url in self.pact_urls:
            replace(template, pact_url=url)
        if self.selection is None:
            return
        if not template.provider_name or template.broker is None:
            raise UsageError(
                "which pact? Give --pact-url URL (PACT_URL), or a pact file for a dry run; or --provider NAME and "
                "--pact-broker-base-url URL to verify every pact that the broker asks for; see verify --help"
            )
        if self.selection.wip_since and not self.selection.pending:
            raise UsageError(
                "--include-wip-pacts-since needs --enable-pending: what is in progress is pending until the provider "
                "has fulfilled it"
            )
        if self.selection.wip_since and not (self.selection.branch or self.selection.tags):
            raise UsageError(
                "--include-wip-pacts-since needs --provider-version-branch (GIT_BRANCH), or --provider-version-tag: "
                "what is in progress is told by the branch that verifies it"
            )

    def for_pact(self, pact: PactForVerification | str) -> VerificationRequest:
        """Return the request of one pact."""
        return replace(self.template, pact_url=pact if isinstance(pact, str) else pact.url)
