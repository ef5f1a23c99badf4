"""The check whether those who are told of a provider's changes take the messages."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from app.commands.finding import Finding, State
from app.receiver_client import NoReceiver, ReceiverAway, ReceiverRefused
from app.records.notification_result import NotificationResult
from verifier.report.amounts import count

if TYPE_CHECKING:
    from app.commands.doctor.receiver_checks import ReceiverAnswers

MOST_TOLD = 5
"""So many targets are named whose last message did not arrive."""
_FAILED = frozenset({NotificationResult.REFUSED.value, NotificationResult.GIVEN_UP.value})


def check_notifications(receiver: ReceiverAnswers, provider: str) -> Finding | None:
    """Check that the last message to each of those who are told has arrived.

    No result depends on it, so what is wrong is a warning.

    Returns:
        None if nobody was told of anything yet, or if the receiver can't be asked, which the check of its runs says.
    """
    if not receiver.named or not receiver.client.token:
        return None
    try:
        found = receiver.client.notifications(provider)
    except (ReceiverAway, ReceiverRefused, NoReceiver):
        return None
    if not found:
        return None
    failed = [one for one in found if one.get("result") in _FAILED]
    waiting = [one for one in found if one.get("result") == NotificationResult.WAITING and one.get("error")]
    if failed or waiting:
        told = [
            *(f"the last message to {_where(one)} did not arrive: {one.get('error')}" for one in failed),
            *(
                f"the last message to {_where(one)} has not arrived yet: {one.get('error')}"
                for one in waiting
            ),
        ]
        more = [f"and {count(len(told) - MOST_TOLD, 'more target')} did not get theirs"]
        return Finding(
            State.WARNING,
            "; ".join([*told[:MOST_TOLD], *more[: len(told) > MOST_TOLD]]),
            "try it where the worker's secrets are: "
            f"pact-dispatch notify --test --provider {shlex.quote(provider)}",
        )
    return Finding(State.OK, f"the last message to {count(len(found), 'target')} has arrived")


def _where(one: dict[str, Any]) -> str:
    return f"{one.get('host') or 'nowhere'} ({one.get('target')})"
