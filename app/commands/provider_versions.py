"""The versions of a provider that need a result, as a broker knows them, and what is said about them."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.commands.finding import listed
from broker.client.missing_results import Questions
from broker.events import WebhookEvent
from broker.http.json_values import objects_at, text_at
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
USUAL_MAIN_BRANCHES = ("main", "master", "trunk", "develop")


@dataclass(frozen=True)
class NeededVersions:
    """The versions of a provider that need a result.

    Attributes:
        provider: The name of the provider.
        main_branch: Its main branch; None if it has none.
        versions: The latest of its main branch, and those that are deployed or released.
        branches: The branches that it has, the newest first, if none is the main one.
    """

    provider: str
    main_branch: str | None
    versions: Sequence[ProviderVersion]
    branches: Sequence[str] = ()

    @classmethod
    def ask(cls, client: BrokerClient, provider: str) -> NeededVersions:
        """Ask a broker.

        Raises:
            BrokerError: The broker could not be asked.
        """
        found = client.find_object(client.index_link("pb:pacticipant", pacticipant=provider))
        main_branch = text_at(found, "mainBranch") or None
        branches = [] if main_branch or found is None else _branches(client, provider)
        return cls(provider, main_branch, Questions(client, provider).versions(None), branches)

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
        if not self.branches:
            return "publish a result with the provider's branch (verify --provider-version-branch)"
        branch = next((one for one in USUAL_MAIN_BRANCHES if one in self.branches), self.branches[0])
        command = [
            "pact",
            "broker",
            "create-or-update-pacticipant",
            "--name",
            self.provider,
            "--main-branch",
            branch,
        ]
        others = [one for one in self.branches if one != branch]
        return f"set it: {shlex.join(command)}" + (
            f" (or another of its branches: {listed(others)})" if others else ""
        )

    @property
    def without_commit(self) -> list[ProviderVersion]:
        """Those whose number is no commit id."""
        return [version for version in self.versions if not is_commit_id(version.number or "")]


def _branches(client: BrokerClient, provider: str) -> list[str]:
    document = client.find_object(client.url("pacticipants", provider, "branches"))
    found = objects_at(document, "_embedded", "branches") or []
    return [name for one in found if (name := text_at(one, "name"))]


def named(versions: Sequence[ProviderVersion]) -> str:
    """Return a list of versions, each with the reason why it needs a result."""
    return listed([f"{version.number} ({version.why})" for version in versions])
