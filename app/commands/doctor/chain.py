"""The chain from a changed pact to its result, and what was found of each link (no I/O)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.commands.finding import State

if TYPE_CHECKING:
    from app.commands.finding import Finding

LINKS = {
    "broker": "the broker answers, and takes the credentials",
    "pact": "the pact is in the broker",
    "main-branch": "the provider's main branch is set",
    "provider-versions": "the provider has versions that need a result",
    "webhook": "a webhook for this pact asks for a verification",
    "webhook-enabled": "it is enabled",
    "webhook-event": "its event happens when a pact is published",
    "delivery": "it was delivered",
    "github-token": "the token for GitHub is valid",
    "github-repository": "the repository can be dispatched to",
    "workflow": "a workflow on the default branch listens",
    "workflow-runs": "its runs succeed",
    "receiver": "the receiver is ready",
    "receiver-deliveries": "the receiver accepts the dispatches",
    "receiver-runs": "its runs verify and publish",
    "receiver-notifications": "those who are told of changes take the messages",
    "result": "the result is in the broker",
}
"""The names of the findings, which programs rely on, in the order of the chain."""

LONGEST = 1500
"""The characters of one text that are shown: it may come from anyone."""


class NotAsked(Exception):
    """What knows about a link can't be asked.

    Attributes:
        found: Why not, or what is known all the same.
        to_do: What is needed to ask it.
    """

    def __init__(self, found: str, to_do: str) -> None:
        super().__init__(found)
        self.found = found
        self.to_do = to_do


@dataclass(frozen=True)
class Case:
    """The pact of a consumer version with a provider."""

    consumer: str
    version: str
    provider: str


@dataclass(frozen=True)
class Chain:
    """All that was found for one pact.

    Attributes:
        case: The pact; None if there is none.
        findings: One for each link that there is, in the order of `LINKS`.
    """

    case: Case | None
    findings: tuple[Finding, ...]

    @property
    def first_broken(self) -> Finding | None:
        """The first broken link."""
        return next((finding for finding in self.findings if finding.state is State.FAILED), None)


@dataclass(frozen=True)
class Report:
    """Everything that was found.

    Attributes:
        broker: The address of the broker.
        chains: One for each pact.
        broker_away: Whether the broker left a question without an answer.
        left_out: How many pacts were not looked at, since there are so many.
    """

    broker: str
    chains: tuple[Chain, ...]
    broker_away: bool = False
    left_out: int = 0

    @property
    def first_broken(self) -> tuple[Chain, Finding] | None:
        """The broken link that comes first in the chain; of several pacts, of the first one."""
        order = list(LINKS)
        broken = [(chain, chain.first_broken) for chain in self.chains]
        found = [(chain, finding) for chain, finding in broken if finding is not None]
        return min(found, key=lambda one: order.index(one[1].name), default=None)
