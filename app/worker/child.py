"""A worker's child process: requests on standard input, messages on standard output, as lines of JSON.

It verifies in a process of its own, so that a run can be stopped at any moment by killing it, and so that
neither a crash nor a leak touches the worker. It is started ahead of time, with the engine up, and
carries out one request after another, until one ends without an answer: what then still goes on in the engine must not
meet the next one. When standard input ends, its worker is done or gone, and it leaves at once, whatever it is doing:
first the engine stops, and with it the provider, and then this process. So it does with the code `LEASE_ENDED` when the
worker's lease has run out, since another worker may carry out the request soon.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
import time
import traceback
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from app.config.provider import CheckoutProvider, CommandProvider, RelayedProvider, RunningProvider
from app.config.provider_table import read_provider
from app.process.lease import LeaseWatch
from app.provider.checkout import CheckoutFailed, CheckoutSource, checked_out
from app.provider.checkout.git import safe_directory
from app.provider.version import VersionUnknown, is_same
from app.records.run import INTERNAL_ERROR, Failure
from app.records.run_moments import MomentName
from app.worker.child_pacts import every_pact_of, selection_of, verify_all
from app.worker.configuration_words import in_configuration, verification_in_configuration
from app.worker.connection import WorkerConnection
from app.worker.protocol import (
    LEASE_ENDED,
    AllVerified,
    AttemptRequest,
    LeaseUntil,
    Reached,
    Ready,
    Verified,
    order_from_line,
)
from app.worker.run_failed import RunFailed
from broker.text.redacted_lines import redacted_output
from broker.traces import propagation, spans
from broker.traces.context import parse_traceparent
from verifier.command.option_values import parse_transports, with_port_placeholder
from verifier.confinement import Confinement
from verifier.engine.process import Engine
from verifier.errors import CannotVerify, UsageError
from verifier.request import ProviderUnderTest, VerificationRequest
from verifier.run import verify
from verifier.undumpable import become_undumpable
from verifier.verification import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from broker.text.redaction import Redaction


LONGEST_LINE = 2000
ENGINE_SECONDS = 3.0
"""How long the engine has to stop, and to stop the provider."""


def carry_out(request: AttemptRequest, worker: WorkerConnection, engine: Engine) -> Verified | AllVerified:
    """Verify what a request asks for.

    Raises:
        RunFailed: There is nothing to verify with: no such commit, another version runs.
        UsageError: The configuration can't be used.
    """
    provider = read_provider(request.provider)
    if isinstance(provider, RelayedProvider):
        raise UsageError(f"{provider.name} is verified elsewhere")
    deadline = time.monotonic() + provider.timeout
    confinement = Confinement(request.account, apart=not provider.unconfined)
    environment = dict(request.environment)
    with ExitStack() as stack:
        # a branch belongs to a commit: what runs is not on the branch of a dispatch that names none
        branch = (request.branch if request.sha else None) or provider.branch
        folder, base_url, command = Path.cwd(), None, None
        if isinstance(provider, CheckoutProvider):
            folder, version, branch = _check_out(
                request, provider, deadline, confinement, worker, engine, stack
            )
            command = provider.checkout.command
            if confinement.account is not None:
                environment |= safe_directory(os.environ | environment)
        elif isinstance(provider, CommandProvider):
            folder, version, command = provider.folder or folder, provider.version, provider.command
            _check_version(request, version)
        else:
            base_url, version = provider.base_url, _running_version(provider, request)
            _check_version(request, version)
        verification_request = VerificationRequest(
            pact_url=request.pact_url or every_pact_of(request),
            provider_name=provider.name,
            broker=request.broker,
            provider_version=version,
            provider_branch=branch,
            provider_tags=provider.tags,
            build_url=request.build_url,
            publish=True,
            publish_without_states=provider.publish_without_states,
            timeout=max(1.0, deadline - time.monotonic()),
            provider=ProviderUnderTest(
                base_url=base_url,
                command=command,
                folder=folder,
                environment=environment,
                secrets=tuple(request.secrets),
                health_path=provider.health_path,
                wait=provider.wait,
                states_url=with_port_placeholder(provider.states_setup_url),
                states_teardown=provider.states_teardown,
                headers=tuple(request.headers.items()),
                transports=parse_transports(map(with_port_placeholder, provider.transports)),
                jobs=provider.jobs,
                request_timeout=provider.request_timeout,
                memory_limit=provider.memory_limit,
                tls=request.tls,
                confinement=confinement,
            ),
        )
        worker.log(f"Provider version {version}" + (f" of branch {branch}" if branch else ""))

        def check_after() -> None:
            if isinstance(provider, RunningProvider):
                _check_unchanged(version, _running_version(provider, request))

        if request.pact_url is None:
            selection = selection_of(provider, branch)
            return verify_all(request, verification_request, selection, worker, engine, check_after)
        verification = verify(verification_request, worker, engine)
        check_after()
    return Verified(verification_in_configuration(verification))


def _check_out(
    request: AttemptRequest,
    provider: CheckoutProvider,
    deadline: float,
    confinement: Confinement,
    worker: WorkerConnection,
    engine: Engine,
    stack: ExitStack,
) -> tuple[Path, str, str | None]:
    checkout = provider.checkout
    source = CheckoutSource(
        url=request.checkout_url or "",
        setup=checkout.setup,
        cache_key_files=checkout.cache_key_files,
        cache_paths=checkout.cache_paths,
        environment=request.environment,
        default_branch=checkout.default_branch,
        redaction=worker.redaction,
        any_commit=checkout.any_commit,
    )
    worker.log(f"Checking out {request.sha or 'the default branch'}")
    try:
        with spans.span("check out", vcs__ref__head__revision=request.sha):
            found = stack.enter_context(
                checked_out(
                    Path(request.data_dir) / "checkouts",
                    source,
                    request.sha,
                    deadline=deadline,
                    guard=engine.guard,
                    starting=engine.starting,
                    on_output=lambda line: worker.log(f"setup: {line}"),
                    confinement=confinement,
                )
            )
    except CheckoutFailed as error:
        raise RunFailed(
            str(error), kind=error.kind, retryable=error.retryable, output=error.output
        ) from error
    worker.send(Reached(MomentName.CHECKED_OUT))
    # a branch belongs to the dispatched commit; for the default branch's head it is that branch
    branch = request.branch if request.sha else found.branch
    return found.folder, found.commit, branch or provider.branch


def _running_version(provider: RunningProvider, request: AttemptRequest) -> str:
    try:
        return provider.running_version(request.tls)
    except VersionUnknown as error:
        raise RunFailed(str(error), kind="version-unknown", retryable=error.retryable) from error


def _check_unchanged(before: str, after: str) -> None:
    if after != before:
        raise RunFailed(
            f"the provider was {before} when the verification began and is {after} now, so it is not known which of "
            "them answered; nothing was published",
            kind="version-changed",
            retryable=True,
        )


def _check_version(request: AttemptRequest, version: str) -> None:
    if request.sha is None or is_same(request.sha, version):
        return
    raise RunFailed(
        f"the dispatch asks for version {request.sha}, but {request.provider['name']} {version} runs: a result is only "
        f"published for the version that was verified. Deploy {request.sha}, or have each commit checked out "
        "([providers.checkout] in the configuration)",
        kind="other-version",
    )


def _requests(watch: LeaseWatch, leave: Callable[[int], NoReturn]) -> Iterator[AttemptRequest]:
    """Yield the requests as they come; when there can be no more, leave the process at once, from another thread."""
    read: queue.SimpleQueue[AttemptRequest] = queue.SimpleQueue()

    def read_all() -> None:
        for line in sys.stdin:
            order = order_from_line(line)
            if isinstance(order, LeaseUntil):
                watch.extend(order.end)
            else:
                read.put(order)
        leave(0)

    threading.Thread(target=read_all, daemon=True, name="requests").start()
    while True:
        yield read.get()


def _leave(engine: Engine, worker: WorkerConnection, code: int) -> NoReturn:
    """Have the engine and the provider stopped, and leave the process, in whatever thread and state this is."""
    worker.silence()  # that the engine stops is no outcome
    engine.abandon(ENGINE_SECONDS)
    os._exit(code)


def main() -> None:
    """Carry out requests until standard input ends, or one of them ends without an answer."""
    become_undumpable()
    worker = WorkerConnection(os.dup(1))
    os.dup2(2, 1)
    with Engine() as engine:
        leave = partial(_leave, engine, worker)
        watch = LeaseWatch(lambda: leave(LEASE_ENDED))
        requests = _requests(watch, leave)
        engine.wait_until_up()
        worker.send(Ready())
        for request in requests:
            worker.redaction = request.redaction()
            spans.send_to(None if request.trace is None else worker)
            propagation.set_on(on=request.tells_trace)
            try:
                with watch.working(), spans.within(parse_traceparent(request.trace)):
                    ended = carry_out(request, worker, engine)
            except Exception as error:  # noqa: BLE001 - whatever it is, the worker is told
                worker.send(_failure(error, worker.redaction))
                break
            worker.send(ended)
            if isinstance(ended, Verified) and ended.verification.outcome == Outcome.ERROR:
                break


def _failure(error: Exception, redaction: Redaction) -> Failure:
    """Return why there is no verification, without secrets."""
    if isinstance(error, RunFailed | CannotVerify):
        message = in_configuration(redaction.own(str(error)))
        return Failure(error.kind, message, error.retryable, redacted_output(redaction, error.output))
    if isinstance(error, UsageError):
        return Failure("configuration", in_configuration(redaction.own(str(error))))
    place = "".join(traceback.format_tb(error.__traceback__))
    message = redaction.text(f"{type(error).__name__}: {error}")
    return Failure(INTERNAL_ERROR, message, retryable=True, output=redaction.own(place))


if __name__ == "__main__":
    main()
