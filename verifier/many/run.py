"""Many pacts verified in one run: one start of the provider, one engine, each result published by itself."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from broker.client.for_verification import content_of
from verifier.errors import CannotVerify, ErrorKind, PortTaken, UsageError
from verifier.interruption import held, released
from verifier.many.fetching import Fetcher
from verifier.many.planning import planned
from verifier.many.publisher import NOT_TRIED, Publisher
from verifier.preconditions import check_means, used_transports
from verifier.progress import Progress
from verifier.redaction import redaction_of
from verifier.report.interface import Findings
from verifier.report.run_findings import PactFindings, RunFindings
from verifier.verification import Outcome, VerificationError
from verifier.verifying.pact_run import NOT_REACHED, PactRun
from verifier.verifying.provider_session import PORT_TRIES, ProviderSession

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from verifier.engine.process import Engine
    from verifier.many.fetching import Document, PlannedPact
    from verifier.many.request import ManyRequest
    from verifier.verification import Verification

ENDS_THE_RUN = frozenset(
    {ErrorKind.PROVIDER_DIED, ErrorKind.PROVIDER_NOT_READY, ErrorKind.TIMED_OUT, ErrorKind.NOT_REACHED}
)
"""The kinds of errors after which no other pact can be verified."""
SKIPPED = frozenset({ErrorKind.WRONG_CONSUMER})
"""The kinds of errors of a pact that was left out on purpose."""
NO_PACTS = (
    "there is no pact to verify: the broker asks for none with these selectors (--consumer-version-selectors). If that "
    "is as it should be, for a provider whose consumers have none yet: --ignore-no-pacts-error"
)
NONE_LEFT = "there is no pact to verify: all that were named were left out (--provider, --filter-consumer)"


class Skipped(Exception):
    """A pact is not verified, on purpose; the message says why."""


def verify_many(
    request: ManyRequest,
    engine: Engine,
    progress: Progress | None = None,
    keep: Callable[[PlannedPact, Verification], None] | None = None,
) -> RunFindings:
    """Verify many pacts, and publish the result of each as soon as it is there, if that is wanted.

    Args:
        request: What to verify.
        engine: An engine that has been started and that the caller closes.
        progress: What shows the progress.
        keep: Called with each verification, in the place of publishing it and of returning it in the findings, so that
            one pact is in memory at a time, and the next; what it raises ends the run.

    Returns:
        What was found. A pact or a provider that is not available is a part of that and no exception, and so is an
        interruption (`KeyboardInterrupt`): then all that was finished is published.

    Raises:
        UsageError: The request can't be carried out as it is.
    """
    return _ManyRun(request, engine, progress or Progress(), keep).run()


class _ManyRun:
    def __init__(
        self,
        request: ManyRequest,
        engine: Engine,
        progress: Progress,
        keep: Callable[[PlannedPact, Verification], None] | None,
    ) -> None:
        self._request = request
        self._keep = keep
        self._template = template = request.template
        self._engine = engine
        self._progress = progress
        self._started_at = datetime.now(UTC)
        self._started = time.monotonic()
        self._deadline = self._started + template.timeout
        self._redaction = redaction_of(template)
        self._session = ProviderSession(
            template.provider, engine, progress, redaction=self._redaction, deadline=self._deadline
        )
        self._publisher = Publisher(
            progress, redaction=self._redaction, deadline=self._deadline, timeout=template.timeout
        )
        self._base_url: str | None = None
        self._is_ready = False
        self._over: CannotVerify | None = None
        """Why no other pact can be verified, once that is so."""
        self._ended: list[tuple[PlannedPact, Verification, Future[Findings]]] = []
        """What is reported; nothing if it is given away."""
        self._has_ended = False
        self._contents: dict[tuple[str, str], str] = {}
        self._has_warned = False
        self._notes: list[str] = list(template.notes)
        self._planned = 0

    def run(self) -> RunFindings:
        with held():
            return self._run_to_the_end()

    def _run_to_the_end(self) -> RunFindings:
        """Verify until the end or an interruption, have published what was finished, and return it."""
        error, interrupted = None, False
        try:
            with ExitStack() as stack, released():
                self._run(stack)
        except CannotVerify as cause:
            error = VerificationError(
                cause.kind,
                self._redaction.own(str(cause)),
                cause.retryable,
                self._redaction.own(cause.output),
            )
        except KeyboardInterrupt:
            interrupted = True
        self._progress.step("Publishing the last results")
        futures = [future for _, _, future in self._ended]
        interrupted = self._publisher.finish(futures, interrupted=interrupted)
        self._keep_log()
        return self._findings(error, interrupted=interrupted)

    def _findings(self, error: VerificationError | None, *, interrupted: bool) -> RunFindings:
        pacts = tuple(
            PactFindings(
                future.result()
                if future.done() and not future.cancelled()
                else Findings(verification, publishing=True, publish_error=NOT_TRIED),
                pact.asked,
            )
            for pact, verification, future in self._ended
        )
        providers = {pact.verification.provider for pact in pacts} - {""}
        template = self._template
        return RunFindings(
            started_at=self._started_at,
            pacts=pacts,
            planned=self._planned,
            provider=template.provider_name or (providers.pop() if len(providers) == 1 else ""),
            provider_version=template.provider_version,
            provider_branch=template.provider_branch,
            duration=time.monotonic() - self._started,
            error=error,
            notes=tuple(map(self._redaction.own, self._notes)),
            interrupted=interrupted,
        )

    def _run(self, stack: ExitStack) -> None:
        # The provider starts while the broker is asked, so that both take their time together.
        self._session.start(stack)
        self._progress.step("Asking which pacts are to be verified")
        pacts, notes = planned(self._request, deadline=self._deadline, on_retry=self._notice)
        self._notes += notes
        self._planned = len(pacts)
        self._progress.pacts(len(pacts))
        fetcher = stack.enter_context(Fetcher(deadline=self._deadline, on_retry=self._notice))
        for pact, document in fetcher.fetched(pacts):
            self._progress.pact(pact.name)
            try:
                self._carry_out(pact, document, stack)
            except Skipped as reason:
                self._planned -= 1
                self._progress.pacts(self._planned)
                self._notes.append(str(reason))
        if not self._planned:
            if self._request.needs_pacts:
                why = NONE_LEFT if self._request.selection is None else NO_PACTS
                raise CannotVerify("; ".join([why, *notes]), kind=ErrorKind.NO_PACTS)
            self._notes.append("there was no pact to verify")
        if self._over is None:
            self._notes += self._session.stop()

    def _carry_out(self, pact: PlannedPact, document: Future[Document], stack: ExitStack) -> None:
        """Verify one pact, and have its verification published or kept.

        Raises:
            Skipped: It is left out on purpose.
            UsageError: The provider state handlers can't be loaded.
        """
        verification = self._verified(pact, document, stack)
        if self._keep is None:
            with held():  # what is published is reported, too
                self._ended.append((pact, verification, self._publisher.add(pact.request, verification)))
        else:
            self._keep(pact, verification)
        self._has_ended = True
        self._progress.pact_ended(verification)

    def _verified(self, pact: PlannedPact, document: Future[Document], stack: ExitStack) -> Verification:
        """Verify one pact.

        Raises:
            Skipped: It is left out on purpose.
            UsageError: The provider state handlers can't be loaded.
        """
        run = self._pact_run(pact)
        error = self._over
        if error is None:
            try:
                self._verify(pact, run, document, stack)
            except CannotVerify as cause:
                if cause.kind in SKIPPED or self._is_of_another(pact, cause):
                    raise Skipped(f"{pact.name}: {cause}") from cause
                error = cause
                error.output = error.output or self._session.output()
        verification = run.finished(error)
        self._judge(verification, error)
        return verification

    def _is_of_another(self, pact: PlannedPact, cause: CannotVerify) -> bool:
        """Return whether it is a file of a folder, and for another provider."""
        return cause.kind == ErrorKind.WRONG_PROVIDER and pact.request.pact_url in self._request.in_folders

    def _judge(self, verification: Verification, error: CannotVerify | None) -> None:
        """Take note of whether other pacts can be verified after this one."""
        if self._over is not None:
            return
        if error is not None and error.kind in ENDS_THE_RUN:
            self._over = error
        elif self._template.provider.ends_at_first and verification.outcome != Outcome.PASSED:
            self._over = CannotVerify(NOT_REACHED, kind=ErrorKind.NOT_REACHED)
        elif verification.error is not None:
            self._is_ready = False  # it may have been the provider

    def _pact_run(self, pact: PlannedPact) -> PactRun:
        return PactRun(
            pact.request,
            self._engine,
            self._progress,
            redaction=self._redaction,
            deadline=self._deadline,
            consumer=pact.asked.consumer if pact.asked else "",
            consumer_version=pact.asked.consumer_version if pact.asked else None,
            warn=self._warn_once,
        )

    def _verify(
        self, planned_pact: PlannedPact, run: PactRun, document: Future[Document], stack: ExitStack
    ) -> None:
        content, links = document.result()
        pact = run.read(content, links)
        self._skip_if_seen(planned_pact, pact.consumer, links)
        try:
            chosen = run.choose(pact)
            if not chosen:
                return
            provider = used_transports(chosen, pact, planned_pact.request.provider)
            check_means(pact, chosen, provider)
        except UsageError as error:
            # what one pact of many is not verified for, may be right for all others
            raise CannotVerify(str(error), kind=ErrorKind.NOT_FOR_THIS_RUN) from error
        run.use(provider)
        self._wait_for_provider(stack)
        try:
            run.replay(pact, chosen, self._base_url, self._session.started)
        except CannotVerify:
            self._engine.restart()  # it may still be busy, or it was killed
            raise
        self._session.check_alive()

    def _skip_if_seen(self, pact: PlannedPact, consumer: str, links: dict[str, str]) -> None:
        content = content_of(links.get("publish", ""))
        if content is None:
            return
        before = self._contents.setdefault((consumer, content), pact.request.pact_url)
        if before != pact.request.pact_url:
            raise Skipped(
                f"{pact.request.pact_url} has the content of {before}, which was verified: its result is that of both"
            )

    def _wait_for_provider(self, stack: ExitStack) -> None:
        """Wait until the provider answers, if it is not known to: at the first pact, and when one was not verified."""
        if self._is_ready:
            return
        for tries_left in reversed(range(PORT_TRIES)):
            try:
                self._base_url = self._session.wait_until_ready()
                self._session.check_port()
            except PortTaken as error:
                if self._has_ended or not tries_left:
                    raise
                self._notice(f"{error}; trying again on another port")
                self._session.start(stack)
            else:
                self._is_ready = True
                return

    def _warn_once(self, text: str) -> None:
        """Say what is amiss with how pacts are verified, once for all of them."""
        if not self._has_warned:
            self._has_warned = True
            self._progress.notice(f"{text}; said once for all pacts")

    def _notice(self, text: str) -> None:
        self._progress.notice(self._redaction.own(text))

    def _keep_log(self) -> None:
        """Write the log of the core to the file that it is wanted in."""
        file = self._template.provider.log_file
        if file is None:
            return
        from verifier.engine.core_log import keep_log  # noqa: PLC0415 - seldom wanted

        problem = keep_log(self._engine.folder, file, self._redaction)
        if problem is not None:
            self._notes.append(problem)


def with_environments(findings: RunFindings, request: ManyRequest) -> RunFindings:
    """Return findings with the broker's answers for the provider's version, if its results were published."""
    template = request.template
    access, version = template.broker, findings.provider_version
    published = any(pact.findings.published for pact in findings.pacts)
    if access is None or version is None or not findings.provider or not published or findings.interrupted:
        return findings
    from verifier.many.deployability import environment_answers  # noqa: PLC0415 - for this alone

    answers, note = environment_answers(access, findings.provider, version)
    notes = findings.notes if note is None else (*findings.notes, redaction_of(template).own(note))
    return replace(findings, environments=answers, notes=notes)
