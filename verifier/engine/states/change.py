"""A provider state change, as pact-python's core asks for it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from broker.http.json_values import object_at

if TYPE_CHECKING:
    from verifier.engine.states.relay import RelayedChange


@dataclass(frozen=True)
class StateChange:
    """A change of the provider's state before or after an interaction.

    Attributes:
        state: The name of the state; "" for an interaction without one.
        action: `setup` or `teardown`.
        params: The parameters of the state.
        body: The JSON that the core sent.
        traceparent: The span that it belongs to, for the handler; None if that is not told.
    """

    state: str
    action: str
    params: dict[str, Any]
    body: bytes
    traceparent: str | None = None

    @classmethod
    def from_json(cls, body: bytes) -> StateChange:
        """Read what the core sent: an object with `state`, `action` and `params`, which may be missing.

        Raises:
            ValueError: It is no JSON object.
        """
        document = json.loads(body)
        if not isinstance(document, dict):
            raise ValueError("a state change is a JSON object")  # noqa: TRY004 - as documented
        return cls(
            state=str(document.get("state", "")),
            action=str(document.get("action", "setup")),
            params=object_at(document, "params"),
            body=body,
        )

    def __str__(self) -> str:
        return f"{self.action} of state {json.dumps(self.state, ensure_ascii=False)}"


@dataclass(frozen=True)
class StateFailure:
    """Why a state change failed.

    Attributes:
        answered: Whether the handler was reached, so that the failure is its answer.
        reason: What happened, for people.
    """

    answered: bool
    reason: str


@dataclass(frozen=True)
class StatesOfOne:
    """What became of the states of one interaction.

    Attributes:
        failure: The first failure without an answer of the handler, else the first failure, if there is one.
        seconds: How long its state changes took.
        changes: All of them.
    """

    failure: StateFailure | None = None
    seconds: float = 0.0
    changes: tuple[RelayedChange, ...] = ()


class StateChangeFailed(Exception):
    """A state change failed."""

    def __init__(self, reason: str, *, answered: bool) -> None:
        super().__init__(reason)
        self.failure = StateFailure(answered, reason)
