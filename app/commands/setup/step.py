"""One step of a setup: what was found, what was done, and what to do where it can't be done (no I/O)."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from app.github.answers import GitHubFailed
from broker.http.errors import BrokerError, BrokerRefused

if TYPE_CHECKING:
    from collections.abc import Callable

_READ_WRITE = "Give credentials of the broker that may change webhooks and secrets, and run it again."
_ALLOW = (
    "The broker's administrator must allow it to send there "
    "(pact-dispatch broker: --webhook-hosts, --webhook-schemes; the open-source broker: "
    "PACT_BROKER_WEBHOOK_HOST_WHITELIST, PACT_BROKER_WEBHOOK_SCHEME_WHITELIST)."
)
_LATER = "Run it again when that is back: what is done stays as it is."


class State(StrEnum):
    """How a step ended."""

    OK = "ok"
    CHANGED = "changed"
    PLANNED = "planned"
    FAILED = "failed"
    UNKNOWN = "unknown"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Step:
    """A step that was taken, or wasn't.

    Attributes:
        name: one word, for programs.
        title: for people.
        state: `unknown`: it could not be tried, and may work later; `skipped`: one before it must work first.
        found: what there was.
        done: what was changed or tried; with `--plan`, what would be.
        to_do: what somebody must do before it works.
        warnings: what works now, and may not for long.
        facts: for programs, beside the texts.
    """

    name: str
    title: str
    state: State
    found: str = ""
    done: str = ""
    to_do: str = ""
    warnings: tuple[str, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def is_well(self) -> bool:
        """Whether the steps after it may be taken."""
        return self.state in {State.OK, State.CHANGED, State.PLANNED}


@dataclass(frozen=True)
class Kind:
    """A step that there is: its name, and its title."""

    name: str
    title: str

    def ended(self, state: State, **said: Any) -> Step:
        """Say how it ended."""
        return Step(self.name, self.title, state, **said)

    def attempt(self, take: Callable[[], Step]) -> Step:
        """Take it; what the broker or GitHub refuses becomes a step that failed, an outage one that is unknown."""
        try:
            return take()
        except GitHubFailed as error:
            if error.retryable:
                return self.ended(State.UNKNOWN, found=str(error), to_do=_LATER)
            return self.ended(
                State.FAILED, found=str(error), to_do="Do what it says of GitHub, and run it again."
            )
        except BrokerError as error:
            if error.transient:
                return self.ended(State.UNKNOWN, found=str(error), to_do=_LATER)
            return self.ended(State.FAILED, found=str(error), to_do=_advice(error))


def _advice(error: BrokerError) -> str:
    status = error.status if isinstance(error, BrokerRefused) else None
    if status in {401, 403}:
        return _READ_WRITE
    if status in {400, 422}:
        return _ALLOW if "whitelist" in str(error) else "Change what it names, and run it again."
    return "Check --pact-broker-base-url: it is the address of a Pact Broker, with its path if it has one."
