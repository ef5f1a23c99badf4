"""From a request to a verification: fetch the pact, wait for the provider, have the engine replay it."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any

from verifier.engine.core_results import NO_RESULT, no_result
from verifier.engine.process import Engine
from verifier.engine.protocol import Job
from verifier.errors import CannotVerify, ErrorKind, PortTaken
from verifier.pact_document import NotAPact, parse_pact
from verifier.pact_file import read_pact_file
from verifier.preconditions import (
    check_means,
    choose,
    failed_without_states,
    not_passed_before,
    notes_on_states,
    notes_on_tls,
    warning_of_states,
)
from verifier.progress import Progress
from verifier.provider.readiness import wait_until_ready
from verifier.redaction import redacted, redacted_result, redaction_of
from verifier.report.amounts import count
from verifier.request import PORT
from verifier.verification import Outcome, Verification, VerificationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from verifier.pact import Interaction, Pact
    from verifier.provider.process import StartedProvider
    from verifier.request import VerificationRequest
    from verifier.verification import InteractionResult

PORT_TRIES = 3
"""How many ports are tried if another process takes the one that the provider was told to use."""
NEEDED_LATER = ("shutil", "uuid")
"""Modules that the end of a run takes: they are imported while the engine verifies, and this process waits."""
NOT_REACHED = "not verified: the run had ended at another interaction (--exit-on-first-error)"
A_PACT_URL = ". A pact's URL looks like BROKER/pacts/provider/PROVIDER/consumer/CONSUMER/latest"


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
        self._provider = request.provider
        self._engine = engine
        self._progress = progress
        self._started = time.monotonic()
        self._deadline = self._started + request.timeout
        self._redaction = redaction_of(request)
        self._results: dict[int, InteractionResult] = {}
        self._notes: list[str] = list(request.notes)
        self._uses_plugins = False
        self._verification = Verification(
            id="",
            pact_url=request.pact_url,
            started_at=datetime.now(UTC),
            provider=request.provider_name or "",
            provider_version=request.provider_version,
            provider_branch=request.provider_branch,
            provider_tags=request.provider_tags,
            build_url=request.build_url,
        )

    def verify(self) -> Verification:
        error = None
        try:
            self._verify()
        except CannotVerify as cause:
            error = VerificationError(cause.kind, str(cause), cause.retryable, cause.output)
        finally:
            self._keep_log()
        import uuid  # noqa: PLC0415 - see `NEEDED_LATER`

        verification = replace(
            self._verification,
            id=str(uuid.uuid4()),
            duration=time.monotonic() - self._started,
            interactions=tuple(self._results[index] for index in sorted(self._results)),
            notes=tuple(self._notes),
            error=error,
        )
        if error is None and (message := failed_without_states(verification, self._request)):
            error = VerificationError(ErrorKind.STATES_NOT_SET_UP, message)
            verification = replace(verification, error=error)
        if error is None and verification.outcome == Outcome.ERROR:
            verification = replace(verification, error=_why(verification, uses_plugins=self._uses_plugins))
        return redacted(self._redaction, verification)

    def _verify(self) -> None:
        with ExitStack() as stack:
            # Engine and provider start before the pact is fetched, so that all three take their time together.
            started = self._start_provider(stack)
            pact = self._fetch()
            chosen = choose(pact, self._request)
            if not chosen:
                self._notes.append(
                    "the pact has no interactions, so its consumer expects nothing of the provider"
                )
                return
            if self._request.last_failed:
                chosen, about = not_passed_before(pact, chosen, self._request.last_run, self._redaction)
                self._notes += about
            check_means(pact, chosen, self._provider)
            notes = list(self._notes)
            for tries_left in reversed(range(PORT_TRIES)):
                try:
                    self._verify_provider(pact, chosen, started)
                except PortTaken as error:
                    self._results, self._notes = {}, list(notes)
                    if not tries_left:
                        raise
                    self._progress.notice(self._redaction.own(f"{error}; trying again on another port"))
                    self._engine.restart()
                    started = self._start_provider(stack)
                else:
                    return

    def _start_provider(self, stack: ExitStack) -> StartedProvider | None:
        if self._provider.command is None:
            return None
        from verifier.provider.process import StartedProvider  # noqa: PLC0415 - not for one that is running

        self._progress.step("Starting the provider")
        stack.callback(self._engine.guard, None)
        started = stack.enter_context(
            StartedProvider(
                self._provider.command,
                self._provider.folder,
                on_output=self._progress.provider_output,
                environment=self._provider.environment,
                redaction=self._redaction,
                confinement=self._provider.confinement,
            )
        )
        self._engine.guard(started.group)
        return started

    def _fetch(self) -> Pact:
        request = self._request
        self._progress.step("Fetching the pact")
        document, links = self._read_or_fetch()
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
        self._notes += pact.notes
        return pact

    def _read_or_fetch(self) -> tuple[Any, dict[str, str]]:
        if self._request.pact_file is not None:
            return read_pact_file(self._request.pact_file), {}
        from verifier.fetch import fetch  # noqa: PLC0415 - a pact in a file takes no client of a broker

        return fetch(
            self._request,
            deadline=self._deadline,
            on_retry=lambda text: self._progress.notice(self._redaction.own(text)),
        )

    def _verify_provider(
        self, pact: Pact, chosen: tuple[Interaction, ...], started: StartedProvider | None
    ) -> None:
        if len(chosen) < len(pact.interactions):
            self._notes.append(
                f"{len(chosen)} of {count(len(pact.interactions), 'interaction')} were chosen by a filter; "
                "such a result is not published"
            )
        try:
            base_url = self._wait_for_provider(started)
            self._notes += notes_on_states(chosen, self._provider, started.port if started else None)
            if self._request.publish and (warning := warning_of_states(chosen, self._request)):
                self._progress.notice(warning)
            self._notes += notes_on_tls(self._provider)
            self._progress.total(len(chosen))
            try:
                self._replay(pact, chosen, base_url, started)
            finally:
                self._add_missing(chosen)
        except CannotVerify as error:
            if started is not None:
                error.output = error.output or started.output()
            raise
        if started is not None:
            started.check_alive()
            started.stop()
            self._notes += started.check_port()

    def _add_missing(self, chosen: tuple[Interaction, ...]) -> None:
        """Give each interaction a result, whatever happened."""
        missing = [interaction for interaction in chosen if interaction.index not in self._results]
        reason = NO_RESULT
        if self._provider.ends_at_first and any(result.prevents_pass for result in self._results.values()):
            reason = NOT_REACHED
            if missing:
                self._notes.append(
                    f"the run ended at the first interaction that was not passed (--exit-on-first-error): "
                    f"{len(missing)} of {len(chosen)} were not verified"
                )
        for interaction in missing:
            result = redacted_result(self._redaction, no_result(interaction, reason))
            self._results[interaction.index] = result

    def _wait_for_provider(self, started: StartedProvider | None) -> str | None:
        options = self._provider
        candidates = started.candidates if started else (options.base_url,) if options.base_url else ()
        if not candidates:
            return None
        self._progress.step("Waiting for the provider")
        hint = "Is it running there? (--provider-base-url, --provider-health-path, --wait)"
        if started is not None:
            hint = f"The command was told to listen on port {started.port} ({{port}}, $PORT): does it?"
        elif candidates[0].lower().startswith("https:") and options.tls.certificate is None:
            hint += ". Does it want a client certificate? (--provider-client-certificate)"
        return wait_until_ready(
            candidates,
            options.health_path,
            wait=options.wait,
            deadline=self._deadline,
            check_alive=started.check_alive if started else lambda: None,
            tls=options.tls,
            hint=hint,
        )

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

        self._engine.run(
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
            ),
            deadline=self._deadline,
            on_results=keep,
            on_note=self._notes.append,
            watch=started.check_alive if started else lambda: None,
            meanwhile=self._prepare_end,
        )

    def _prepare_end(self) -> None:
        for name in NEEDED_LATER:
            import_module(name)
        self._progress.waiting()

    def _keep_log(self) -> None:
        """Write the log of the core to the file that it is wanted in."""
        if self._provider.log_file is None:
            return
        from verifier.engine.core_log import keep_log  # noqa: PLC0415 - seldom wanted

        problem = keep_log(self._engine.folder, self._provider.log_file, self._redaction)
        if problem is not None:
            self._notes.append(problem)


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
