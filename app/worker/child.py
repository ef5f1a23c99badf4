"""A worker's child process: orders in on standard input, events out on standard output, as lines of JSON.

It verifies in a process of its own, so that a run can be stopped at any moment by killing it, and so that
neither a crash nor a leak touches the worker. It is started ahead of time, with the engine up, and
takes one order after another, until one ends without an answer: what then still goes on in the engine is not to be
met by the next. When standard input ends, its worker is done or gone, and it leaves at once, whatever
it is doing; the engine's own child then stops the provider.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.config.provider import (
    CheckoutProvider,
    CommandProvider,
    RelayedProvider,
    RunningProvider,
    read_provider,
)
from app.provider.checkout import CheckoutFailed, CheckoutSource, checked_out
from app.provider.version import VersionUnknown, is_same
from app.worker.protocol import FAILED, LOG, READY, TOTAL, VERIFICATION, Order
from broker.http.access import BrokerAccess
from verifier.command.option_values import parse_transports, with_port_placeholder
from verifier.engine.process import Engine
from verifier.errors import CannotVerify, UsageError
from verifier.redaction import Redaction
from verifier.request import ProviderUnderTest, VerificationRequest
from verifier.run import verify
from verifier.verification import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verifier.verification import InteractionResult, Verification

LONGEST_LINE = 2000


class RunFailed(Exception):
    """There is nothing to verify with.

    Attributes:
        kind: in a word.
        retryable: whether it may heal by itself.
        output: the last lines of what failed.
    """

    def __init__(self, message: str, *, kind: str, retryable: bool = False, output: str = "") -> None:
        super().__init__(message)
        self.kind = kind
        self.retryable = retryable
        self.output = output


class Events:
    """What the worker gets to hear; a `Progress` of the verifier."""

    def __init__(self, descriptor: int) -> None:
        self._pipe = os.fdopen(descriptor, "w", encoding="utf-8")
        self._lock = threading.Lock()
        self.redaction = Redaction([])

    def send(self, event: str, **values: Any) -> None:
        """Send an event; safe from any thread."""
        with self._lock:
            self._pipe.write(json.dumps({"event": event, **values}) + "\n")
            self._pipe.flush()

    def log(self, text: str) -> None:
        """Send a line for the run's log."""
        self.send(LOG, text=self.redaction.text(text)[:LONGEST_LINE])

    def step(self, text: str) -> None:
        """Something begins."""
        self.log(text)

    def notice(self, text: str) -> None:
        """Something that a person should know."""
        self.log(text)

    def total(self, interactions: int) -> None:
        """So many interactions will be verified."""
        self.send(TOTAL, interactions=interactions)

    def verified(self, result: InteractionResult) -> None:
        """An interaction is done."""
        if result.outcome != Outcome.PASSED:
            why = result.reason or "; ".join(mismatch.description for mismatch in result.mismatches)
            self.log(f"{result.outcome}: {result.description}: {why}")

    def provider_output(self, line: str) -> None:
        """The provider printed a line."""
        self.log(f"provider: {line}")


def carry_out(order: Order, events: Events, engine: Engine) -> Verification:
    """Verify what an order asks for.

    Raises:
        RunFailed: there is nothing to verify with: no such commit, another version runs.
        UsageError: the configuration can't be used.
    """
    provider = read_provider(order.provider)
    if isinstance(provider, RelayedProvider):
        raise UsageError(f"{provider.name} is verified elsewhere")
    deadline = time.monotonic() + provider.timeout
    with ExitStack() as stack:
        # a branch belongs to a commit: what runs is not on the branch of a dispatch that names none
        branch = (order.branch if order.sha else None) or provider.branch
        folder, base_url, command = Path.cwd(), None, None
        if isinstance(provider, CheckoutProvider):
            folder, version, branch = _check_out(order, provider, deadline, events, engine, stack)
            command = provider.checkout.command
        elif isinstance(provider, CommandProvider):
            folder, version, command = provider.folder or folder, provider.version, provider.command
            _check_version(order, version)
        else:
            base_url, version = provider.base_url, _running_version(provider)
            _check_version(order, version)
        request = VerificationRequest(
            pact_url=order.pact_url,
            provider_name=provider.name,
            broker=BrokerAccess(**order.broker),
            provider_version=version,
            provider_branch=branch,
            provider_tags=provider.tags,
            build_url=order.build_url,
            publish=True,
            timeout=max(1.0, deadline - time.monotonic()),
            provider=ProviderUnderTest(
                base_url=base_url,
                command=command,
                folder=folder,
                environment=order.environment,
                secrets=tuple(order.secrets),
                health_path=provider.health_path,
                wait=provider.wait,
                states_url=with_port_placeholder(provider.states_setup_url),
                states_teardown=provider.states_teardown,
                headers=tuple(order.headers.items()),
                transports=parse_transports(map(with_port_placeholder, provider.transports)),
                jobs=provider.jobs,
                request_timeout=provider.request_timeout,
            ),
        )
        events.redaction = Redaction.of(request)
        events.log(f"Provider version {version}" + (f" of branch {branch}" if branch else ""))
        verification = verify(request, events, engine)
        if isinstance(provider, RunningProvider):
            after = _running_version(provider)
            if after != version:
                raise RunFailed(
                    f"the provider was {version} when the verification began and is {after} now, so it is not known "
                    "which of them answered; nothing was published",
                    kind="version-changed",
                    retryable=True,
                )
    return verification


def _check_out(
    order: Order,
    provider: CheckoutProvider,
    deadline: float,
    events: Events,
    engine: Engine,
    stack: ExitStack,
) -> tuple[Path, str, str | None]:
    checkout = provider.checkout
    source = CheckoutSource(
        url=order.checkout_url or "",
        setup=checkout.setup,
        cache_key_files=checkout.cache_key_files,
        cache_paths=checkout.cache_paths,
        environment=order.environment,
        default_branch=checkout.default_branch,
    )
    events.log(f"Checking out {order.sha or 'the default branch'}")
    try:
        found = stack.enter_context(
            checked_out(
                Path(order.data_dir) / "checkouts",
                source,
                order.sha,
                deadline=deadline,
                guard=engine.guard,
                on_output=lambda line: events.log(f"setup: {line}"),
            )
        )
    except CheckoutFailed as error:
        raise RunFailed(
            str(error), kind=error.kind, retryable=error.retryable, output=error.output
        ) from error
    # a branch belongs to the dispatched commit; for the default branch's head it is that branch
    branch = order.branch if order.sha else found.branch
    return found.folder, found.commit, branch or provider.branch


def _running_version(provider: RunningProvider) -> str:
    try:
        return provider.running_version()
    except VersionUnknown as error:
        raise RunFailed(str(error), kind="version-unknown", retryable=error.retryable) from error


def _check_version(order: Order, version: str) -> None:
    if order.sha is None or is_same(order.sha, version):
        return
    raise RunFailed(
        f"the dispatch asks for commit {order.sha}, but the provider that runs is {version}: a result is only "
        "published for the version that was verified. Deploy that commit, or configure a checkout for this provider",
        kind="other-version",
    )


def _orders() -> Iterator[Order]:
    """Give the orders as they come; when there can be no more, leave the process at once, from another thread."""
    arrived: queue.SimpleQueue[Order] = queue.SimpleQueue()

    def read() -> None:
        for line in sys.stdin:
            arrived.put(Order(**json.loads(line)))
        os._exit(0)

    threading.Thread(target=read, daemon=True, name="orders").start()
    while True:
        yield arrived.get()


def main() -> None:
    """Carry out orders until standard input ends."""
    events = Events(os.dup(1))
    os.dup2(2, 1)
    orders = _orders()
    with Engine() as engine:
        engine.wait_until_up()
        events.send(READY)
        for order in orders:
            events.redaction = order.redaction()
            try:
                verification = carry_out(order, events, engine)
            except (RunFailed, CannotVerify) as error:
                _failed(events, error, kind=error.kind, retryable=error.retryable, output=error.output)
                break
            except UsageError as error:
                _failed(events, error, kind="configuration", retryable=False, output="")
                break
            events.send(VERIFICATION, verification=verification.to_dict())
            if verification.outcome == Outcome.ERROR:
                break


def _failed(events: Events, error: Exception, *, kind: str, retryable: bool, output: str) -> None:
    message = events.redaction.text(str(error))
    events.send(FAILED, kind=kind, message=message, retryable=retryable, output=events.redaction.text(output))


if __name__ == "__main__":
    main()
