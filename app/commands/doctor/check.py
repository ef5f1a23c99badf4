"""The links of the chain from a changed pact to its result, and what was found of each (no I/O)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    "result": "the result is in the broker",
}
"""The checks by their ids, which stay as they are, in the order of the chain."""

LONGEST = 1500
"""Characters of one text that are shown: what was found may come from anyone."""


class Status(StrEnum):
    """What a check says."""

    OK = "ok"
    WARNING = "warning"
    BROKEN = "broken"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Check:
    """What was found of one link.

    Attributes:
        id: one of `LINKS`.
        status: what that means for the chain.
        found: in a sentence or two.
        todo: how to mend it; of one that is unknown, what is needed to look at it.
        under_way: a result may still come of it, without anybody doing anything.
    """

    id: str
    status: Status
    found: str
    todo: str = ""
    under_way: bool = False


@dataclass(frozen=True)
class Case:
    """A consumer version's pact with a provider."""

    consumer: str
    version: str
    provider: str


@dataclass(frozen=True)
class Chain:
    """All that was found for one pact.

    Attributes:
        case: the pact; None where none was found.
        checks: in the order of `LINKS`; those that don't apply are left out.
    """

    case: Case | None
    checks: tuple[Check, ...]

    @property
    def first_broken(self) -> Check | None:
        """The first broken link."""
        return next((check for check in self.checks if check.status is Status.BROKEN), None)


@dataclass(frozen=True)
class Report:
    """What a look found.

    Attributes:
        broker: its address.
        chains: one for each pact.
        broker_away: whether the broker could not be asked, at least not all.
        left_out: how many pacts were not looked at, since there are so many.
    """

    broker: str
    chains: tuple[Chain, ...]
    broker_away: bool = False
    left_out: int = 0

    @property
    def first_broken(self) -> tuple[Chain, Check] | None:
        """The broken link that comes first in the chain; of several pacts, of the first one."""
        order = list(LINKS)
        broken = [(chain, chain.first_broken) for chain in self.chains]
        found = [(chain, check) for chain, check in broken if check is not None]
        return min(found, key=lambda one: order.index(one[1].id), default=None)


def listed(items: Sequence[str], most: int = 5) -> str:
    """Name some of many."""
    more = len(items) - most
    return ", ".join(items[:most]) + (f" and {more} more" if more > 0 else "")
