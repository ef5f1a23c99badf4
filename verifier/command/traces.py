"""The trace of one execution of `verify`: below the span of the CI system that runs it, if that says which one."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from broker.otlp.setup import begin_traces, end_traces, first_span
from broker.text.harmless import one_line
from broker.traces.variables import TRACEPARENT
from verifier.redaction import redaction_of
from verifier.verification import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from broker.traces.spans import AnySpan
    from verifier.request import VerificationRequest
    from verifier.verification import Verification


@contextmanager
def traced(request: VerificationRequest, environment: Mapping[str, str]) -> Iterator[AnySpan]:
    """Have what is done for a request traced; what nobody has taken is sent at the end, for a limited time.

    Args:
        request: The request.
        environment: The environment.
    """
    begin_traces(environment, part="verify", redaction=redaction_of(request), notice=_say)
    try:
        with first_span(
            "verify",
            parent=environment.get(TRACEPARENT),
            pact__provider=request.provider_name,
            vcs__ref__head__name=request.provider_branch,
            vcs__ref__head__revision=request.provider_version,
        ) as span:
            yield span
    finally:
        end_traces()


def note_verification(span: AnySpan, verification: Verification) -> None:
    """Note in the span of a run what came of it."""
    span.set("pact.consumer", verification.consumer or None)
    span.set("pact.provider", verification.provider or None)
    span.set("pact.outcome", str(verification.outcome))
    if verification.error is not None:
        span.fail(str(verification.error.kind), verification.error.message)
    elif verification.outcome is not Outcome.PASSED:
        span.fail(str(verification.outcome), "the contract is broken")


def _say(text: str) -> None:
    print(f"verify: {one_line(text)}", file=sys.stderr)
