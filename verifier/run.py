"""From a request to a verification: fetch the pact, wait for the provider, have the engine replay it."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from verifier.engine.process import Engine
from verifier.errors import CannotVerify, PortTaken
from verifier.interruption import held, released
from verifier.pact_file import read_pact_file
from verifier.preconditions import check_means
from verifier.progress import Progress
from verifier.redaction import redaction_of
from verifier.verifying.pact_run import PactRun
from verifier.verifying.provider_session import PORT_TRIES, ProviderSession

if TYPE_CHECKING:
    from verifier.pact import Interaction, Pact
    from verifier.request import VerificationRequest
    from verifier.verification import Verification


def verify(
    request: VerificationRequest, progress: Progress | None = None, engine: Engine | None = None
) -> Verification:
    """Verify one pact. Nothing is published; see `publish`.

    Args:
        request: What to verify.
        progress: What shows the progress.
        engine: An engine that has been started and that the caller closes.

    Returns:
        The outcome; if the pact or the provider is not available, that is an outcome (`error`) and no exception.

    Raises:
        UsageError: The request can't be carried out as it is: a filter that chooses nothing, provider state handlers
            that can't be loaded.
    """
    with ExitStack() as stack:
        return _Run(request, progress or Progress(), engine or stack.enter_context(Engine())).verify()


class _Run:
    def __init__(self, request: VerificationRequest, progress: Progress, engine: Engine) -> None:
        self._request = request
        self._engine = engine
        self._progress = progress
        self._deadline = time.monotonic() + request.timeout
        self._redaction = redaction = redaction_of(request)
        self._run = PactRun(request, engine, progress, redaction=redaction, deadline=self._deadline)
        self._session = ProviderSession(
            request.provider, engine, progress, redaction=redaction, deadline=self._deadline
        )

    def verify(self) -> Verification:
        error = None
        try:
            self._verify()
        except CannotVerify as cause:
            error = cause
        finally:
            self._keep_log()
        return self._run.finished(error)

    def _verify(self) -> None:
        # What the stack stops is stopped also if an interruption comes as it does so.
        with held(), ExitStack() as stack, released():
            # Engine and provider start before the pact is fetched, so that all three take their time together.
            self._session.start(stack)
            self._progress.step("Fetching the pact")
            pact = self._run.read(*self._read_or_fetch())
            chosen = self._run.choose(pact)
            if not chosen:
                return
            check_means(pact, chosen, self._request.provider)
            notes = list(self._run.notes)
            for tries_left in reversed(range(PORT_TRIES)):
                try:
                    self._verify_provider(pact, chosen)
                except PortTaken as error:
                    self._run.begin_again(notes)
                    if not tries_left:
                        raise
                    self._progress.notice(self._redaction.own(f"{error}; trying again on another port"))
                    self._engine.restart()
                    self._session.start(stack)
                else:
                    return

    def _read_or_fetch(self) -> tuple[Any, dict[str, str]]:
        if self._request.pact_file is not None:
            return read_pact_file(self._request.pact_file), {}
        from verifier.fetch import fetch  # noqa: PLC0415 - a pact in a file takes no client of a broker

        return fetch(
            self._request,
            deadline=self._deadline,
            on_retry=lambda text: self._progress.notice(self._redaction.own(text)),
        )

    def _verify_provider(self, pact: Pact, chosen: tuple[Interaction, ...]) -> None:
        try:
            self._run.verify(pact, chosen, self._session)
        except CannotVerify as error:
            error.output = error.output or self._session.output()
            raise
        self._run.notes += self._session.stop()

    def _keep_log(self) -> None:
        """Write the log of the core to the file that it is wanted in."""
        if self._request.provider.log_file is None:
            return
        from verifier.engine.core_log import keep_log  # noqa: PLC0415 - seldom wanted

        problem = keep_log(self._engine.folder, self._request.provider.log_file, self._redaction)
        if problem is not None:
            self._run.notes.append(problem)
