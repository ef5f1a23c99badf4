"""What pact-python's core reports about an interaction, as an `InteractionResult`. No I/O.

The core distinguishes a broken contract from an outage only by its wording: both are `"result": "Error"`. As of
pact-python 4.2 (its Rust core 0.5.12), a `mismatch` of type `mismatches` comes from a real comparison, and one of type
`error` has a message. `error sending request for url (...)` means that the provider could not be reached, timed out or
had trouble with TLS; `verifier.engine.no_answer` finds out which. The message about a failed state change is the same
whether the handler refused it or was down; `verifier.engine.states.relay`, which forwards them, tells the two apart.

An error may be gone later unless its cause is in the pact: an interaction that the core can't load, or whose request it
can't build.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from broker.text.cut import shortened
from verifier.verification import MOST_MISMATCHES, InteractionResult, Mismatch, Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from verifier.engine.states.change import StateFailure
    from verifier.pact import Interaction

STATE_CHANGE_FAILED = "state change handlers has failed"
REQUEST_NOT_SENT = "error sending request"
FAILED_REQUEST = re.compile(
    r"error (sending request|decoding response body|following redirect) for url \((.*)\)"
)
"""A request without a whole answer, of which the core doesn't say why there is none."""
GATEWAY_STATUSES = frozenset({"502", "503", "504"})
REQUEST_NOT_BUILT = "Invalid header "
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
_READING_ORDER = ("method", "path", "query", "status", "header", "metadata", "body")


def interaction_result(
    interaction: Interaction, entry: Mapping[str, Any], failure: StateFailure | None = None
) -> InteractionResult:
    """Return the result of one interaction.

    Args:
        interaction: The interaction that was verified.
        entry: The core's entry for it in `interactionResults`.
        failure: The state change of this interaction that failed, if one did.
    """
    outcome, found, reason = _judge(entry, failure)
    return InteractionResult(
        index=interaction.index,
        id=interaction.id,
        description=interaction.description,
        kind=interaction.kind,
        request=interaction.request,
        states=tuple(map(str, interaction.states)),
        pending=interaction.pending,
        comments=interaction.comments,
        test_name=interaction.test_name,
        outcome=outcome,
        mismatches=found[:MOST_MISMATCHES],
        more_mismatches=max(0, len(found) - MOST_MISMATCHES),
        reason=reason,
        duration=seconds(entry.get("duration")),
        retryable=outcome == Outcome.ERROR and not (reason or "").startswith(REQUEST_NOT_BUILT),
    )


def no_result(interaction: Interaction, reason: str = NO_RESULT) -> InteractionResult:
    """Return the result of an interaction that the core has no entry for."""
    return interaction_result(interaction, {"mismatch": {"type": "error", "message": reason}})


def not_loaded(interaction: Interaction, why: str) -> InteractionResult:
    """Return the result of an interaction that the core can't load, now and later."""
    reason = f"{interaction.place} of the pact can't be loaded by the engine: {why}"
    return replace(no_result(interaction, reason), retryable=False)


def _judge(
    entry: Mapping[str, Any], failure: StateFailure | None
) -> tuple[Outcome, tuple[Mismatch, ...], str | None]:
    if entry.get("result") == "OK":
        return Outcome.PASSED, (), None
    found = entry.get("mismatch")
    if not isinstance(found, dict):
        return Outcome.ERROR, (), NO_RESULT
    if found.get("type") == "mismatches":
        return _judge_mismatches(found)
    message = shortened(str(found.get("message") or NO_RESULT))
    if failure is not None and STATE_CHANGE_FAILED in message:
        return Outcome.FAILED if failure.answered else Outcome.ERROR, (), failure.reason
    return Outcome.ERROR, (), message


def _judge_mismatches(found: Mapping[str, Any]) -> tuple[Outcome, tuple[Mismatch, ...], str | None]:
    mismatches = sorted((_mismatch(item) for item in found.get("mismatches", ())), key=_reading_order)
    for mismatch in mismatches:
        if mismatch.attribute == "status" and mismatch.actual in GATEWAY_STATUSES:
            reason = (
                f"{mismatch.description}: that is what a gateway answers when the provider behind it is away, "
                "so it is not taken for the provider's word"
            )
            return Outcome.ERROR, (), reason
    return Outcome.FAILED, tuple(mismatches), None


def _reading_order(mismatch: Mismatch) -> tuple[int, list[tuple[int, int | str]]]:
    """Return the sort key of a mismatch: status, headers, body from the top. The core returns them unordered."""
    attribute = mismatch.attribute
    place = _READING_ORDER.index(attribute) if attribute in _READING_ORDER else len(_READING_ORDER)
    parts = re.split(r"(\d+)", mismatch.identifier)
    return place, [(1, int(part)) if part.isdecimal() else (0, part) for part in parts if part]


def _mismatch(item: Mapping[str, Any]) -> Mismatch:
    kind = str(item.get("type", ""))
    identifier = item.get("path") if kind == "BodyMismatch" else item.get("key", item.get("parameter"))
    return Mismatch(
        attribute=_ATTRIBUTES.get(kind, kind.removesuffix("Mismatch").lower() or "other"),
        identifier=shortened(str(identifier or "")),
        expected=_text(item.get("expected")),
        actual=_text(item.get("actual")),
        description=shortened(str(item.get("mismatch", ""))),
    )


def _text(value: Any) -> str | None:
    return value if value is None else shortened(str(value))


def seconds(duration: Any) -> float | None:
    """Return a duration as the core writes it (`24ms`, `1.015s`) in seconds, or None if it can't be read."""
    match = _DURATION.fullmatch(str(duration))
    return float(match[1]) * _SECONDS[match[2]] if match else None
