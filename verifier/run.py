"""From a request to a verification: fetch the pact, wait for the provider, have the engine replay it."""

from __future__ import annotations

import os
import time
import uuid
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from verifier.engine.core_results import no_result
from verifier.engine.plugins import missing_plugins
from verifier.engine.process import Engine
from verifier.engine.protocol import Job
from verifier.errors import CannotVerify, ErrorKind, UsageError
from verifier.fetch import fetch
from verifier.pact import HTTP, NotAPact, Pact, parse_pact
from verifier.progress import Silence
from verifier.provider.process import PortTaken, StartedProvider
from verifier.provider.readiness import wait_until_ready
from verifier.redaction import Redaction
from verifier.report.interface import count
from verifier.request import PORT
from verifier.transport import MESSAGE
from verifier.verification import Outcome, Verification, VerificationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from verifier.pact import Interaction
    from verifier.progress import Progress
    from verifier.request import VerificationRequest
    from verifier.verification import InteractionResult

PORT_TRIES = 3
"""How many ports are tried if another process takes the one that the provider was told to use."""
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
        return _Run(request, progress or Silence(), engine or stack.enter_context(Engine())).verify()


class _Run:
    def __init__(self, request: VerificationRequest, progress: Progress, engine: Engine) -> None:
        self._request = request
        self._engine = engine
        self._progress = progress
        self._started = time.monotonic()
        self._deadline = self._started + request.timeout
        self._redaction = Redaction.of(request)
        self._results: dict[int, InteractionResult] = {}
        self._notes: list[str] = list(request.notes)
        self._verification = Verification(
            id=str(uuid.uuid4()),
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
        interactions = tuple(self._results[index] for index in sorted(self._results))
        verification = replace(
            self._verification,
            duration=time.monotonic() - self._started,
            interactions=interactions,
            notes=tuple(self._notes),
            error=error,
        )
        if error is None and verification.outcome == Outcome.ERROR:
            verification = replace(verification, error=_why(verification))
        return self._redaction.verification(verification)

    def _verify(self) -> None:
        with ExitStack() as stack:
            # Engine and provider start before the pact is fetched, so that all three take their time together.
            provider = self._start_provider(stack)
            pact = self._fetch()
            chosen = self._choose(pact)
            self._check_means(pact, chosen)
            notes = len(self._notes)
            for tries_left in reversed(range(PORT_TRIES)):
                try:
                    self._verify_provider(pact, chosen, provider)
                except PortTaken as error:
                    self._results.clear()
                    del self._notes[notes:]
                    if not tries_left:
                        raise
                    self._progress.notice(self._redaction.text(f"{error}; trying again on another port"))
                    self._engine.restart()
                    provider = self._start_provider(stack)
                else:
                    return

    def _verify_provider(
        self, pact: Pact, chosen: tuple[Interaction, ...], provider: StartedProvider | None
    ) -> None:
        base_url = self._wait_for_provider(provider)
        self._note_states(chosen, provider)
        self._progress.total(len(chosen))
        try:
            self._replay(pact, chosen, base_url, provider)
        finally:
            for interaction in chosen:  # each has a result, whatever happened
                if interaction.index not in self._results:
                    self._results[interaction.index] = no_result(interaction)
        if provider is not None:
            provider.check_alive()
            provider.stop()
            note = provider.check_port()
            self._notes += [note] if note else []

    def _start_provider(self, stack: ExitStack) -> StartedProvider | None:
        command = self._request.provider.command
        if command is None:
            return None
        self._progress.step("Starting the provider")
        stack.callback(self._engine.guard, None)
        provider = stack.enter_context(
            StartedProvider(
                command,
                self._request.provider.folder,
                on_output=lambda line: self._progress.provider_output(self._redaction.text(line)),
                environment=self._request.provider.environment,
            )
        )
        self._engine.guard(provider.group)
        return provider

    def _fetch(self) -> Pact:
        self._progress.step("Fetching the pact")
        document, links = fetch(
            self._request,
            deadline=self._deadline,
            on_retry=lambda text: self._progress.notice(self._redaction.text(text)),
        )
        try:
            pact = parse_pact(document)
        except NotAPact as error:
            hint = "" if "/pacts/" in self._request.pact_url or self._request.pact_file else A_PACT_URL
            raise CannotVerify(
                f"{self._request.pact_url} is not a pact that can be verified: {error}{hint}",
                kind=ErrorKind.NOT_A_PACT,
            ) from error
        expected = self._request.provider_name
        if expected is not None and expected != pact.provider:
            raise CannotVerify(
                f"the pact is for the provider {pact.provider!r}, not for {expected!r} (--provider): "
                "check the URL, and the provider that the webhook is for",
                kind=ErrorKind.WRONG_PROVIDER,
            )
        self._verification = replace(
            self._verification,
            consumer=pact.consumer,
            provider=pact.provider,
            consumer_version=pact.consumer_version,
            specification=pact.specification,
            interactions_in_pact=len(pact.interactions),
            links=links,
        )
        return pact

    def _choose(self, pact: Pact) -> tuple[Interaction, ...]:
        request = self._request
        chosen = pact.select(description=request.filter_description, state=request.filter_state)
        if not chosen:
            raise UsageError(
                f"none of the {len(pact.interactions)} interactions matches --filter-description or --filter-state"
            )
        if len(chosen) < len(pact.interactions):
            self._notes.append(
                f"{len(chosen)} of {len(pact.interactions)} interactions were chosen by a filter; "
                "such a result is not published"
            )
        return chosen

    def _check_means(self, pact: Pact, chosen: tuple[Interaction, ...]) -> None:
        """Make sure that the request and this machine have what verifying the interactions takes.

        Raises:
            UsageError: There are messages and no transport for them.
            CannotVerify: A plugin is not installed.
        """
        options = self._request.provider
        messages = sum(interaction.kind != HTTP for interaction in chosen)
        given = {transport.protocol for transport in options.transports}
        known = {MESSAGE} | {str(interaction.document.get("transport")) for interaction in chosen}
        unknown = given - known
        if unknown and not pact.plugins:
            raise UsageError(
                f"--transport {min(unknown)}: the pact uses no such transport; message interactions are asked for "
                "over message:PORT/path"
            )
        if messages and not given:
            raise UsageError(
                f"the pact has {count(messages, 'message interaction')}, and no transport says where the provider "
                "takes them: give --transport message:PORT/path"
            )
        missing = missing_plugins(pact.plugins, os.environ)
        if missing:
            raise CannotVerify(
                f"the pact needs the plugin {', '.join(missing)}, which is not installed here. Nothing is installed "
                "for a pact's sake: install exactly that version (pact plugin install), where PACT_PLUGIN_DIR or "
                "~/.pact/plugins has it",
                kind=ErrorKind.ENGINE_FAILED,
            )

    def _note_states(self, chosen: tuple[Interaction, ...], provider: StartedProvider | None) -> None:
        """Note what may make provider states, and with them interactions, fail."""
        options = self._request.provider
        stateful = sum(bool(interaction.states) for interaction in chosen)
        if not stateful:
            return
        with_states = f"{count(stateful, 'interaction')} with provider states"
        if not options.states_url and not options.states_file:
            self._notes.append(
                f"there are {with_states}, and nothing was given to set them up (--provider-states-setup-url, "
                "--provider-states): failures may come from that"
            )
        elif options.jobs > 1:
            self._notes.append(
                f"there are {with_states}, and {options.jobs} were verified at once (--jobs), on one provider: "
                "failures may come from that"
            )
        if provider is not None and options.states_url and PORT not in options.states_url:
            self._notes.append(
                f"states were set up at {options.states_url.partition('?')[0]}, and the provider was started on port "
                f"{provider.port}: if it is the one that sets them up, write {PORT} for its port"
            )

    def _wait_for_provider(self, provider: StartedProvider | None) -> str | None:
        options = self._request.provider
        candidates = provider.candidates if provider else (options.base_url,) if options.base_url else ()
        if not candidates:
            return None
        self._progress.step("Waiting for the provider")
        try:
            return wait_until_ready(
                candidates,
                options.health_path,
                wait=options.wait,
                deadline=self._deadline,
                check_alive=provider.check_alive if provider else lambda: None,
                hint=f"The command was told to listen on port {provider.port} ({{port}}, $PORT): does it?"
                if provider
                else "Is it running there? (--provider-base-url, --provider-health-path, --wait)",
            )
        except CannotVerify as error:
            if provider is not None and not error.output:
                error.output = provider.output()
            raise

    def _replay(
        self,
        pact: Pact,
        chosen: tuple[Interaction, ...],
        base_url: str | None,
        provider: StartedProvider | None,
    ) -> None:
        options = self._request.provider
        states_url = options.states_url
        if provider is not None and states_url is not None:
            states_url = states_url.replace(PORT, str(provider.port))
        self._progress.step("Verifying")

        def keep(results: Sequence[InteractionResult]) -> None:
            for result in results:
                self._results[result.index] = result
                self._progress.verified(result)

        job = Job(
            pact=pact,
            indexes=tuple(interaction.index for interaction in chosen),
            base_url=base_url,
            transports=tuple(transport.at(provider.port) for transport in options.transports)
            if provider
            else options.transports,
            headers=options.headers,
            states_url=states_url,
            states_teardown=options.states_teardown,
            states_file=options.states_file,
            jobs=options.jobs,
            request_timeout=options.request_timeout,
        )
        try:
            self._engine.run(
                job,
                deadline=self._deadline,
                on_results=keep,
                on_note=self._notes.append,
                watch=provider.check_alive if provider else lambda: None,
            )
        except CannotVerify as error:
            if provider is not None and not error.output:
                error.output = provider.output()
            raise


def _why(verification: Verification) -> VerificationError:
    """Return why nothing is known, from the interactions that could not be verified."""
    unknown = [result for result in verification.interactions if result.outcome == Outcome.ERROR]
    first = unknown[0].reason if unknown else "the pact has no interactions"
    return VerificationError(
        ErrorKind.INTERACTIONS_NOT_VERIFIED,
        f"{len(unknown)} of {len(verification.interactions)} interactions could not be verified, so there is "
        f"no result for the contract. The first: {first}",
        retryable=True,
    )
