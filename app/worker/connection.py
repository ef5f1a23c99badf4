"""The connection of a child process to its worker."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from app.records.run_moments import MomentName
from app.worker.configuration_words import in_configuration
from app.worker.protocol import LogLine, Reached, SpansEnded, to_line
from broker.text.redaction import Redaction
from verifier.progress import Progress
from verifier.report.amounts import count
from verifier.verification import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.worker.protocol import ChildMessage
    from broker.traces.spans import FinishedSpan
    from verifier.verification import InteractionResult

LONGEST_LINE = 2000
SPANS_AT_ONCE = 500


class WorkerConnection(Progress):
    """What is sent to the worker; a `Progress` of the verifier."""

    def __init__(self, descriptor: int) -> None:
        self._pipe = os.fdopen(descriptor, "w", encoding="utf-8")
        self._lock = threading.Lock()
        self._is_silent = False
        self.redaction = Redaction([])

    def silence(self) -> None:
        """Send nothing from now on: who tries waits for ever, since this process is about to leave."""
        self._is_silent = True

    def send(self, message: ChildMessage) -> None:
        """Send a message; safe from any thread."""
        if self._is_silent:
            threading.Event().wait()
        with self._lock:
            self._pipe.write(to_line(message))
            self._pipe.flush()

    def add(self, spans: Sequence[FinishedSpan]) -> None:
        """Send spans that have ended, without secrets."""
        own, cut = self.redaction.own, self.redaction.cut
        shown = [
            one._replace(
                name=own(one.name),
                attributes={
                    name: own(value) if isinstance(value, str) else value
                    for name, value in one.attributes.items()
                },
                # what a provider has answered may be in it
                error=one.error and in_configuration(cut(one.error, LONGEST_LINE)),
            )
            for one in spans
        ]
        for begin in range(0, len(shown), SPANS_AT_ONCE):
            self.send(SpansEnded(tuple(shown[begin : begin + SPANS_AT_ONCE])))

    def log(self, text: str) -> None:
        """Send a line for the run's log."""
        self.send(LogLine(self.redaction.own(text)[:LONGEST_LINE]))

    def step(self, text: str) -> None:
        """Log what begins."""
        self.log(text)

    def notice(self, text: str) -> None:
        """Log what a person should know."""
        self.log(in_configuration(text))

    def provider_ready(self) -> None:
        """Have the time of it noted."""
        self.send(Reached(MomentName.PROVIDER_READY))

    def total(self, interactions: int) -> None:
        """Log how many interactions will be verified."""
        self.log(f"{count(interactions, 'interaction')} to verify")

    def verified(self, result: InteractionResult) -> None:
        """Log an interaction that did not pass."""
        if result.outcome != Outcome.PASSED:
            # the verifier has taken the secrets out of it already
            why = result.reason or "; ".join(mismatch.description for mismatch in result.mismatches)
            self.log(f"{result.outcome}: {result.description}: {in_configuration(why)}")

    def provider_output(self, line: str) -> None:
        """Log a line that the provider printed."""
        self.log(f"provider: {line}")
