"""What pact-python's core says of an interaction, and what that means. No I/O.

The core tells a broken contract from an outage only in words: both are `"result": "Error"`. What is
known (pact-python 4.2, its Rust core 0.5.12): a `mismatch` of type `mismatches` was really compared; one
of type `error` holds a message. `error sending request for url (...)` is a provider that couldn't be
reached, timed out, or had TLS trouble. A state change that failed says the same words whether the
provider refused it or was down, so the relay that carried it (`state_relay.py`) tells the two apart.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from verifier.verification import InteractionResult, Mismatch, Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from verifier.pact import Interaction

STATE_CHANGE_FAILED = "state change handlers has failed"
REQUEST_NOT_SENT = "error sending request"
GATEWAY_STATUSES = frozenset({"502", "503", "504"})
NO_RESULT = "the engine gave no result for this interaction"

_ATTRIBUTES = {
    "BodyMismatch": "body",
    "BodyTypeMismatch": "body",
    "HeaderMismatch": "header",
    "MetadataMismatch": "metadata",
    "MethodMismatch": "method",
    "PathMismatch": "path",
    "QueryMismatch": "query",
    "StatusMismatch": "status",
}
_DURATION = re.compile(r"([\d.]+)(ns|µs|us|ms|s)")
_SECONDS = {"ns": 1e-9, "µs": 1e-6, "us": 1e-6, "ms": 1e-3, "s": 1.0}


def interaction_result(interaction: Interaction, raw: Mapping[str, Any]) -> InteractionResult:
    """Make the result of one interaction from what the engine's child process sent.

    Args:
        interaction: the interaction that was verified.
        raw: the core's entry of `interactionResults`, with `stateFailure` added by the child when a state
            change of this interaction failed, or only `reason` when the core gave no entry.
    """
    outcome, mismatches, reason = _judge(raw)
    return InteractionResult(
        index=interaction.index,
        id=interaction.id,
        description=interaction.description,
        kind=interaction.kind,
        request=interaction.request,
        states=tuple(str(state) for state in interaction.states),
        pending=interaction.pending,
        outcome=outcome,
        mismatches=mismatches,
        reason=reason,
        duration=seconds(raw.get("duration")),
    )


def _judge(raw: Mapping[str, Any]) -> tuple[Outcome, tuple[Mismatch, ...], str | None]:
    found = raw.get("mismatch")
    if raw.get("result") == "OK":
        return Outcome.PASSED, (), None
    if not isinstance(found, dict):
        return Outcome.ERROR, (), str(raw.get("reason") or NO_RESULT)
    if found.get("type") == "mismatches":
        return _judge_mismatches(found)
    message = str(found.get("message") or NO_RESULT)
    failure = raw.get("stateFailure")
    if STATE_CHANGE_FAILED in message and isinstance(failure, dict):
        return Outcome.FAILED if failure.get("answered") else Outcome.ERROR, (), str(failure.get("reason"))
    return Outcome.ERROR, (), message


def _judge_mismatches(found: Mapping[str, Any]) -> tuple[Outcome, tuple[Mismatch, ...], str | None]:
    mismatches = sorted((_mismatch(item) for item in found.get("mismatches", ())), key=_reading_order)
    if gateway := next(
        (m for m in mismatches if m.attribute == "status" and m.actual in GATEWAY_STATUSES), None
    ):
        reason = (
            f"{gateway.description}: that is what a gateway answers when the provider behind it is away, "
            "so it is not taken for the provider's word"
        )
        return Outcome.ERROR, (), reason
    return Outcome.FAILED, tuple(mismatches), None


def _reading_order(mismatch: Mismatch) -> tuple[int, list[tuple[int, int | str]]]:
    """Sort as a person reads an answer: the status, the headers, the body from its top; the core has no order."""
    order = ("method", "path", "query", "status", "header", "metadata", "body")
    place = order.index(mismatch.attribute) if mismatch.attribute in order else len(order)
    parts = re.split(r"(\d+)", mismatch.identifier)
    return place, [(1, int(part)) if part.isdecimal() else (0, part) for part in parts if part]


def _mismatch(raw: Mapping[str, Any]) -> Mismatch:
    kind = str(raw.get("type", ""))
    where = raw.get("path") if kind == "BodyMismatch" else raw.get("key", raw.get("parameter"))
    return Mismatch(
        attribute=_ATTRIBUTES.get(kind, kind.removesuffix("Mismatch").lower() or "other"),
        identifier=str(where or ""),
        expected=_text(raw.get("expected")),
        actual=_text(raw.get("actual")),
        description=str(raw.get("mismatch", "")),
    )


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return str(value)


def seconds(duration: Any) -> float | None:
    """Read a duration as the core writes it (`24ms`, `1.015s`), in seconds."""
    match = _DURATION.fullmatch(str(duration))
    return float(match[1]) * _SECONDS[match[2]] if match else None
