"""Interactions that expect a redirect. No I/O.

The core follows redirects, so such an interaction always failed: "expected 302 but was 200". For these, the core asks a
relay, which gives it another status in the place of each that it would follow, and is told to expect that one. In the
result it is the real status again. Another interaction is verified as the core does it, with the redirects followed.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from broker.http.json_values import integer_at, value_at
from broker.http.redirects import REDIRECTS

if TYPE_CHECKING:
    from verifier.pact import Interaction
    from verifier.verification import InteractionResult

SHIFT = 500
"""What is added to a status that the core would follow: no server answers with 801 to 808."""
CLASSES = {"redirect": range(300, 400), "nonError": range(100, 400)}
"""The classes of statuses in V4's matcher `statusCode` that have redirects in them."""
_SHIFTED = rf"\b(?:{'|'.join(str(status + SHIFT) for status in sorted(REDIRECTS))})\b"


def expects_redirect(interaction: Interaction) -> bool:
    """Return whether an interaction expects a status that the core would follow."""
    return integer_at(interaction.document, "response", "status") in REDIRECTS


def expecting_shifted(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document of such an interaction for the core."""
    response = dict(document["response"])
    response["status"] += SHIFT
    matchers = value_at(response, "matchingRules", "status", "matchers")
    if isinstance(matchers, list):
        rules = dict(response["matchingRules"])
        rules["status"] = {**rules["status"], "matchers": [_matcher(matcher) for matcher in matchers]}
        response["matchingRules"] = rules
    return {**document, "response": response}


def _matcher(matcher: Any) -> Any:
    statuses = value_at(matcher, "status")
    statuses = CLASSES.get(statuses, statuses) if isinstance(statuses, str) else statuses
    if not isinstance(statuses, list | range):
        return matcher
    return {**matcher, "status": [_shifted(status) for status in statuses]}


def _shifted(status: Any) -> Any:
    return status + SHIFT if isinstance(status, int) and status in REDIRECTS else status


def unshifted(result: InteractionResult) -> InteractionResult:
    """Return the result of such an interaction with the statuses as they are."""
    return replace(
        result,
        mismatches=tuple(
            replace(
                mismatch,
                expected=mismatch.expected and _unshifted(mismatch.expected),
                actual=mismatch.actual and _unshifted(mismatch.actual),
                description=_unshifted(mismatch.description),
            )
            if mismatch.attribute == "status"
            else mismatch
            for mismatch in result.mismatches
        ),
    )


def _unshifted(text: str) -> str:
    return re.sub(_SHIFTED, lambda found: str(int(found[0]) - SHIFT), text)
