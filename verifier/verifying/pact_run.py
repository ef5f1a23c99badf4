"""One pact in a run: what it says, what is chosen of it, how its interactions end."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any

from broker.traces import propagation
from broker.traces.spans import span
from verifier.engine.core_results import NO_RESULT, no_result
from verifier.engine.protocol import Job
from verifier.errors import CannotVerify, ErrorKind
from verifier.pact_document import NotAPact, parse_pact
from verifier.preconditions import (
    choose,
    failed_without_states,
    not_passed_before,
    notes_on_states,
    notes_on_tls,
    warning_of_states,
)
from verifier.redaction import redacted, redacted_result
from verifier.report.amounts import count
from verifier.request import PORT
from verifier.verification import Outcome, Verification, VerificationError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from broker.text.redaction import Redaction
    from verifier.engine.process import Engine
    from verifier.pact import Interaction, Pact
    from verifier.progress import Progress
    from verifier.provider.process import StartedProvider
    from verifier.request import ProviderUnderTest, VerificationRequest
    from verifier.verification import InteractionResult
    from verifier.verifying.provider_session import ProviderSession

NEEDED_LATER = ("shutil", "uuid")
"""Modules that the end of a run takes: they are imported while the engine verifies, and this process waits."""
NOT_REACHED = "not verified: the run had ended at another interaction (--exit-on-first-error)"
A_PACT_URL = ". A pact's URL looks like BROKER/pacts/provider/PROVIDER/consumer/CONSUMER/latest"


class PactRun:
    """The verification of one pact, from its document to its outcome.

    Args:
        request: What to verify.
        engine: The engine.
        progress: What shows the progress.
        redaction: What hides the secrets in what is reported.
        deadline: The `time.monotonic()` by which the whole run must be done.
        consumer: The consumer's name, as far as it is known before the pact is read.
        consumer_version: Its version, likewise.
        warn: Says what is amiss with how the pact is verified; the progress does unless given.

    Attributes:
        notes: What the reader of the reports should know.
    """

    def __init__(
        self,
        request: VerificationRequest,
        engine: Engine,
        progress: Progress,
        *,
        redaction: Redaction,
        deadline: float,
        consumer: str = "",
        consumer_version: str | None = None,
        warn: Callable[[str], None] | None = None,
    ) -> None:
        self._warn = warn or progress.notice
        self.notes: list[str] = list(request.notes)
        self._request = request
        self._provider = request.provider
        self._engine = engine
        self._progress = progress
        self._started = time.monotonic()
        self._deadline = deadline
        self._redaction = redaction
        self._results: dict[int, InteractionResult] = {}
        self._uses_plugins = False
        self._verification = Verification(
            id="",
            pact_url=request.pact_url,
            started_at=datetime.now(UTC),
            consumer=consumer,
            consumer_version=consumer_version,
            provider=request.provider_name or "",
            provider_version=request.provider_version,
            provider_branch=request.provider_branch,
            provider_tags=request.provider_tags,
            build_url=request.build_url,
        )

    def read(self, document: Any, links: dict[str, str]) -> Pact:
        """Return the pact of a document.

        Args:
            document: The JSON document.
            links: The broker's links for publishing, by the names that they have in a `Verification`.

        Raises:
            CannotVerify: It is no pact, or one of another provider or consumer.
        """
        request = self._request
        try:
            pact = parse_pact(document)
        except NotAPact as error:
            hint = "" if "/pacts/" in request.pact_url or request.pact_file else A_PACT_URL
            raise CannotVerify(
                f"{request.pact_url} is not a pact that can be verified: {error}{hint}",
                kind=ErrorKind.NOT_A_PACT,
            ) from error
        if pact.names_provider and request.provider_name not in {None, pact.provider}:
            raise CannotVerify(
                f"the pact is for the provider {pact.provider!r}, not for {request.provider_name!r} (--provider): "
                "check the URL, and the provider that the webhook is for",
                kind=ErrorKind.WRONG_PROVIDER,
            )
        if request.filter_consumers and pact.consumer not in request.filter_consumers:
            raise CannotVerify(
                f"the pact is of the consumer {pact.consumer!r}, which --filter-consumer leaves out, so nothing was "
                "verified: have the webhook, or the workflow, start for the other consumers alone",
                kind=ErrorKind.WRONG_CONSUMER,
            )
        self._uses_plugins = bool(pact.plugins)
        self._verification = replace(
            self._verification,
            consumer=pact.consumer,
            provider=pact.provider if pact.names_provider else request.provider_name or pact.provider,
            consumer_version=pact.consumer_version,
            specification=pact.specification,
            interactions_in_pact=len(pact.interactions),
            links=links,
        )
        self.notes += pact.notes
        return pact

    def choose(self, pact: Pact) -> tuple[Interaction, ...]:
        """Return the interactions to verify; none if the pact has none.

        Raises:
            UsageError: The pact has interactions, and the filters leave none.
        """
        chosen = choose(pact, self._request)
        if not chosen:
            self.notes.append("the pact has no interactions, so its consumer expects nothing of the provider")
        elif self._request.last_failed:
            chosen, about = not_passed_before(pact, chosen, self._request.last_run, self._redaction)
            self.notes += about
        return chosen

    def verify(self, pact: Pact, chosen: tuple[Interaction, ...], session: ProviderSession) -> None:
        """Wait for the provider, and replay the interactions.

        Raises:
            CannotVerify: The provider did not answer or ended, or the engine failed.
            UsageError: The provider state handlers can't be loaded.
        """
        if len(chosen) < len(pact.interactions):
            self.notes.append(
                f"{len(chosen)} of {count(len(pact.interactions), 'interaction')} were chosen by a filter; "
                "such a result is not published"
            )
        base_url = session.wait_until_ready()
        self.replay(pact, chosen, base_url, session.started)

    def replay(
        self,
        pact: Pact,
        chosen: tuple[Interaction, ...],
        base_url: str | None,
        started: StartedProvider | None,
    ) -> None:
        """Replay interactions against the provider, which is ready.

        Raises:
            CannotVerify: The provider ended, or the engine failed.
            UsageError: The provider state handlers can't be loaded.
        """
        self.notes += notes_on_states(chosen, self._provider, started.port if started else None)
        if self._request.publish and (warning := warning_of_states(chosen, self._request)):
            self._warn(warning)
        self.notes += notes_on_tls(self._provider)
        self._progress.total(len(chosen))
        try:
            self._replay(pact, chosen, base_url, started)
        finally:
            self._add_missing(chosen)

    def use(self, provider: ProviderUnderTest) -> None:
        """Have the interactions replayed with other options for the provider than those of the request."""
        self._provider = provider

    def begin_again(self, notes: list[str]) -> None:
        """Forget all results, and all notes but these."""
        self._results, self.notes = {}, list(notes)

    def finished(self, cause: CannotVerify | None) -> Verification:
        """Return the outcome.

        Args:
            cause: Why it could not be carried out, if it could not.
        """
        import uuid  # noqa: PLC0415 - see `NEEDED_LATER`

        error = None
        if cause is not None:
            error = VerificationError(cause.kind, str(cause), cause.retryable, cause.output)
        verification = replace(
            self._verification,
            id=str(uuid.uuid4()),
            duration=time.monotonic() - self._started,
            interactions=tuple(self._results[index] for index in sorted(self._results)),
            notes=tuple(self.notes),
            error=error,
        )
        if error is None and (message := failed_without_states(verification, self._request)):
            error = VerificationError(ErrorKind.STATES_NOT_SET_UP, message)
            verification = replace(verification, error=error)
        if error is None and verification.outcome == Outcome.ERROR:
            verification = replace(verification, error=_why(verification, uses_plugins=self._uses_plugins))
        return redacted(self._redaction, verification)

    def _add_missing(self, chosen: tuple[Interaction, ...]) -> None:
        """Give each interaction a result, whatever happened."""
        missing = [interaction for interaction in chosen if interaction.index not in self._results]
        reason = NO_RESULT
        if self._provider.ends_at_first and any(result.prevents_pass for result in self._results.values()):
            reason = NOT_REACHED
            if missing:
                self.notes.append(
                    f"the run ended at the first interaction that was not passed (--exit-on-first-error): "
                    f"{len(missing)} of {len(chosen)} were not verified"
                )
        for interaction in missing:
            result = redacted_result(self._redaction, no_result(interaction, reason))
            self._results[interaction.index] = result

    def _replay(
        self,
        pact: Pact,
        chosen: tuple[Interaction, ...],
        base_url: str | None,
        started: StartedProvider | None,
    ) -> None:
        options = self._provider
        states_url, transports = options.states_url, options.transports
        if started is not None:
            states_url = states_url and states_url.replace(PORT, str(started.port))
            transports = tuple(transport.at(started.port) for transport in transports)
        self._progress.step("Verifying")

        def keep(results: Sequence[InteractionResult]) -> None:
            for result in (redacted_result(self._redaction, result) for result in results):
                self._results[result.index] = result
                self._progress.verified(result)

        with span(
            "replay interactions", pact__consumer=pact.consumer, pact__provider=pact.provider
        ) as replay:
            replay.set("pact.interactions", len(chosen))
            self._run_job(
                Job(
                    pact=pact,
                    indexes=tuple(interaction.index for interaction in chosen),
                    base_url=base_url,
                    transports=transports,
                    headers=options.headers,
                    states_url=states_url,
                    states_headers=options.states_headers,
                    states_as_query=options.states_as_query,
                    states_teardown=options.states_teardown,
                    states_file=options.states_file,
                    jobs=options.jobs,
                    ends_at_first=options.ends_at_first,
                    request_timeout=options.request_timeout,
                    memory_limit=options.memory_limit,
                    tls=options.tls,
                    log_level=options.log_level if options.log_file else None,
                    trace=replay.context and replay.context.traceparent,
                    tells_trace=propagation.is_on(),
                ),
                keep,
                started,
            )

    def _run_job(
        self, job: Job, keep: Callable[[Sequence[InteractionResult]], None], started: StartedProvider | None
    ) -> None:
        self._engine.run(
            job,
            deadline=self._deadline,
            on_results=keep,
            on_note=self.notes.append,
            watch=started.check_alive if started else lambda: None,
            meanwhile=self._prepare_end,
        )

    def _prepare_end(self) -> None:
        for name in NEEDED_LATER:
            import_module(name)
        self._progress.waiting()


def _why(verification: Verification, *, uses_plugins: bool) -> VerificationError:
    """Return why nothing is known, from the interactions that could not be verified."""
    unknown = [result for result in verification.interactions if result.outcome == Outcome.ERROR]
    reached = [result for result in unknown if result.reason != NOT_REACHED]
    first = reached[0].reason if reached else "the pact has no interactions"
    message = (
        f"{len(unknown)} of {count(len(verification.interactions), 'interaction')} could not be verified, so there is "
        f"no result for the contract. The first: {first}"
    )
    if uses_plugins or all(
        result.retryable for result in unknown
    ):  # what a plugin can't do now, it may do later
        return VerificationError(ErrorKind.INTERACTIONS_NOT_VERIFIED, message, retryable=True)
    message += ". It would be the same another time: the pact has something that the engine can't use"
    return VerificationError(ErrorKind.PACT_UNUSABLE, message)
