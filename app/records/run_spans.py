"""The spans of runs: that of the run as a whole, of its wait in the queue, of its attempts and later publishing.

The span of a run is made by the process that ends the run, from what is stored, so that it is there whichever processes
were gone in between; its id was given out when the run was asked for.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from app.records.run import Publishing, RunStatus
from app.records.run_trace import RunTrace
from broker.traces import spans
from broker.traces.spans import CONSUMER, INTERNAL, NO_SPAN, Span, span, within
from verifier.verification import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from uuid import UUID

    from app.records.run import Failure, Run
    from broker.traces.spans import AnySpan, FinishedSpan

MOST_SPANS = 20_000
"""The most spans of an attempt that are taken from a child process."""
_RESULTS = {Outcome.PASSED: "success", Outcome.FAILED: "failure", Outcome.ERROR: "error"}
"""The outcomes by OpenTelemetry's names for results of a pipeline."""


class _Open:
    """What a process does for a run now.

    Attributes:
        span: The span of that.
        taken: How many spans were taken of a child process.
        ended: The run, once it has ended meanwhile.
    """

    def __init__(self, one: AnySpan) -> None:
        self.span = one
        self.taken = 0
        self.ended: Run | None = None


_open: dict[UUID, _Open] = {}


@contextmanager
def attempt(run: Run) -> Iterator[None]:
    """Have an attempt of a run traced, and its wait in the queue before the first one."""
    if run.attempt == 1:
        _wait(run)
    with _doing(
        run,
        "attempt",
        **{
            "pact_dispatch.attempt": run.attempt,
            "pact_dispatch.worker": run.worker,
            "messaging.system": "procrastinate",
            "messaging.operation.type": "process",
            "messaging.destination.name": "runs",
        },
    ):
        yield


@contextmanager
def publishing_again(run: Run) -> Iterator[None]:
    """Have an attempt to publish the result of a run traced, which has ended but for that."""
    with _doing(run, "publish again", **{"pact_dispatch.attempt": run.publish_attempts + 1}):
        yield


@contextmanager
def after(stored: str | None, name: str, **attributes: Any) -> Iterator[AnySpan]:
    """Have something traced that is done for a run, during or after it.

    What fails without an exception that leaves the block has to be told to the span that this gives.

    Args:
        stored: The trace of the run, as it is stored.
        name: What is done.
        attributes: What is known of it, by names with `__` in the place of dots.
    """
    trace = RunTrace.from_text(stored)
    with within(None if trace is None else trace.context), span(name, **attributes) as one:
        yield one


def failed(run: Run, failure: Failure) -> None:
    """Note that what is being done for a run has failed."""
    if (found := _open.get(run.id)) is not None:
        found.span.fail(failure.kind, failure.message)


def add(run: Run, found: Sequence[FinishedSpan]) -> None:
    """Take the spans of a child process, as far as they are of the run's trace, and not too many of them."""
    under_way, trace = _open.get(run.id), RunTrace.from_text(run.trace)
    if under_way is None or trace is None:
        return
    taken = [one for one in found if one.trace_id == trace.context.trace_id][: MOST_SPANS - under_way.taken]
    under_way.taken += len(taken)
    spans.add(taken)


def note_end(run: Run) -> None:
    """Make the span of a run that has just been changed, if it is over now."""
    if not spans.are_taken() or run.trace is None or run.parent_id is not None:
        return
    if not run.status.ended or run.publishing is Publishing.PENDING:
        return
    if (under_way := _open.get(run.id)) is not None:
        under_way.ended = run  # the attempt that has ended it ends before it
    else:
        _end(run, time.time_ns())


@contextmanager
def _doing(run: Run, name: str, **attributes: Any) -> Iterator[None]:
    trace = RunTrace.from_text(run.trace)
    if trace is None or not spans.are_taken():
        with within(None if trace is None else trace.context):
            yield
        return
    with within(trace.context):
        under_way = _Open(NO_SPAN)
        try:
            with span(name, CONSUMER) as under_way.span:
                for key, value in (attributes | _known(run)).items():
                    under_way.span.set(key, value)
                _open[run.id] = under_way
                yield
        finally:
            _open.pop(run.id, None)
            if under_way.ended is not None:
                _end(under_way.ended, time.time_ns())


def _wait(run: Run) -> None:
    trace = RunTrace.from_text(run.trace)
    if trace is None or run.started_at is None or not trace.context.is_sampled:
        return
    waited = Span(
        "wait in the queue",
        INTERNAL,
        trace.context.child(),
        trace.context.span_id,
        {"messaging.destination.name": "runs"},
        start=_nanoseconds(run.created_at),
    )
    waited.end(_nanoseconds(run.started_at))


def _end(run: Run, at: int) -> None:
    trace = RunTrace.from_text(run.trace)
    if trace is None or not trace.context.is_sampled:
        return
    attributes = _known(run) | {
        "cicd.pipeline.name": f"verify {run.provider}",
        "cicd.pipeline.run.id": str(run.id),
        "cicd.pipeline.result": _result_of(run),
        "pact.outcome": run.outcome and str(run.outcome),
        "pact_dispatch.reason": str(run.reason),
        "pact_dispatch.attempts": run.attempt,
        "pact_dispatch.publishing": str(run.publishing),
        "vcs.ref.head.revision": run.provider_version or run.sha,
        "vcs.ref.head.name": run.provider_branch or run.branch,
        "vcs.repository.name": run.repository,
    }
    one = Span(
        f"verify {run.provider}",
        INTERNAL,
        trace.context,
        trace.parent_id,
        attributes,
        start=_nanoseconds(run.created_at),
    )
    if run.outcome in {Outcome.FAILED, Outcome.ERROR}:
        one.fail(run.error_kind or str(run.outcome), run.error or "the contract is broken")
    elif run.publishing is Publishing.REFUSED:
        one.fail(run.error_kind or "not-published", run.publish_error or "")
    one.end(at)


def _known(run: Run) -> dict[str, Any]:
    return {
        "pact_dispatch.run.id": str(run.id),
        "pact.consumer": run.consumer,
        "pact.provider": run.provider,
        "pact.consumer.version": run.consumer_version,
    }


def _result_of(run: Run) -> str:
    if run.status is RunStatus.CANCELLED:
        return "cancellation"
    return "success" if run.outcome is None else _RESULTS[run.outcome]


def _nanoseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000) * 1000
