"""The results of many pacts, published and confirmed one after the other, in the order of their end.

A thread of its own does it, while the engine verifies the next pact.
"""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from typing import TYPE_CHECKING

from verifier.errors import PublishFailed
from verifier.interruption import take_interruption
from verifier.many.broker_session import BrokerSession
from verifier.publishing import publish_by
from verifier.report.interface import Findings
from verifier.verification import Outcome

if TYPE_CHECKING:
    from broker.text.redaction import Redaction
    from verifier.progress import Progress
    from verifier.request import VerificationRequest
    from verifier.verification import Verification

PUBLISH_SECONDS = 60.0
"""How long publishing may continue after the timeout of the run, so that no verification is lost to it."""
INTERRUPTED_SECONDS = 20.0
"""How long the results of what was finished may take to be published once the run is interrupted."""
TICK_SECONDS = 0.05
"""How often it is looked whether the run is interrupted while they are."""
NOT_TRIED = "the run was interrupted before the broker had answered. Publish it by verifying the pact again"


class Publisher:
    """Publishes the results of one run.

    Args:
        progress: What shows the progress.
        redaction: What hides the secrets in what is reported.
        deadline: The `time.monotonic()` by which the run must be done.
        timeout: How many seconds the run has in all.
    """

    def __init__(self, progress: Progress, *, redaction: Redaction, deadline: float, timeout: float) -> None:
        self._redaction = redaction
        self._thread = ThreadPoolExecutor(1, "publish")
        self._recorded: set[str | None] = set()
        """The providers whose version was recorded with its branch and tags."""
        self._session = BrokerSession(
            retry_time=PUBLISH_SECONDS,
            deadline=lambda: max(deadline, time.monotonic() + min(PUBLISH_SECONDS, timeout)),
            on_retry=lambda text: progress.notice(redaction.own(text)),
        )

    def add(self, request: VerificationRequest, verification: Verification) -> Future[Findings]:
        """Return what becomes of a verification, which is published if that is wanted and there is an outcome."""
        if request.publish and verification.outcome != Outcome.ERROR and not verification.filtered:
            return self._thread.submit(copy_context().run, self._publish, request, verification)
        done: Future[Findings] = Future()
        done.set_result(Findings(verification, publishing=request.publish))
        return done

    def finish(self, found: list[Future[Findings]], *, interrupted: bool) -> bool:
        """Wait until all that was added is published, for a limited time once the run is interrupted.

        Args:
            found: What `add` has returned.
            interrupted: Whether it is interrupted already.

        Returns:
            Whether it is now.
        """
        end = time.monotonic() + INTERRUPTED_SECONDS if interrupted else None
        while wait(found, timeout=TICK_SECONDS).not_done and (end is None or time.monotonic() < end):
            if end is None and take_interruption():
                end = time.monotonic() + INTERRUPTED_SECONDS
        self._thread.shutdown(wait=end is None, cancel_futures=True)
        return end is not None or take_interruption()

    def _publish(self, request: VerificationRequest, verification: Verification) -> Findings:
        provider = verification.links.get("provider")
        try:
            published = publish_by(
                self._session.client(request.broker_access),
                verification,
                records_version=provider not in self._recorded,
            )
        except PublishFailed as error:
            self._session.ended(away=error.retryable)
            return Findings(verification, publishing=True, publish_error=self._redaction.own(str(error)))
        self._session.ended(away=False)
        self._recorded.add(provider)
        return Findings(verification, publishing=True, published=published)
