"""The versions of a provider that need a result, as a broker knows them, and what is said about them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.commands.finding import listed
from broker.client.missing_results import Questions
from broker.events import WebhookEvent
from broker.http.json_values import text_at
from verifier.commit_id import is_commit_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from broker.client import BrokerClient
    from broker.client.missing_results import ProviderVersion

NEVER = f"{WebhookEvent.REQUIRING_VERIFICATION} never happens"
GET_VERSIONS = (
    "publish a first result from the provider's own build, with its branch, or record a deployment "
    "(pact broker record-deployment)"
)
"""How a provider comes by versions that need a result."""


@dataclass(frozen=True)
class NeededVersions:
    """The versions of a provider that need a result.

    Attributes:
        provider: The name of the provider.
        main_branch: Its main branch; None if it has none.
        versions: The latest of its main branch, and those that are deployed or released.
    """

    provider: str
    main_branch: str | None
    versions: Sequence[ProviderVersion]

    @classmethod
    def ask(cls, client: BrokerClient, provider: str) -> NeededVersions:
        """Ask a broker.

        Raises:
            BrokerError: The broker could not be asked.
        """
        found = client.find_object(client.index_link("pb:pacticipant", pacticipant=provider))
        main_branch = text_at(found, "mainBranch") or None
        return cls(provider, main_branch, Questions(client, provider).versions(None))

    @property
    def none(self) -> str:
        """That there are none."""
        where = f"on its main branch {self.main_branch}" if self.main_branch else "on a main branch"
        return f"{self.provider} has no version {where}, and none that is deployed or released"

    @property
    def no_main_branch(self) -> str:
        """That the provider has no main branch."""
        return (
            f"{self.provider} has no main branch: {WebhookEvent.REQUIRING_VERIFICATION} happens for none of its "
            "latest"
        )

    @property
    def set_main_branch(self) -> str:
        """How it gets one."""
        return (
            f"publish a result with the provider's branch, or set it: pact broker create-or-update-pacticipant "
            f"--name {self.provider!r} --main-branch main"
        )

    @property
    def without_commit(self) -> list[ProviderVersion]:
        """Those whose number is no commit id."""
        return [version for version in self.versions if not is_commit_id(version.number or "")]


def named(versions: Sequence[ProviderVersion]) -> str:
    """Return a list of versions, each with the reason why it needs a result."""
    return listed([f"{version.number} ({version.why})" for version in versions])
