"""`pact-dispatch setup`: take the steps in their order, and print each as it ends."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from app.commands.credentials import broker_access
from app.commands.finding import Finding, State
from app.commands.runner import CommandFailed, ExitCode
from app.commands.setup import rendering
from app.commands.setup.broker_steps import BrokerSteps
from app.commands.setup.github_steps import GitHubSteps
from app.commands.setup.receiver_run import ReceiverRun
from app.commands.setup.receiver_steps import ReceiverStep
from app.commands.setup.request import GITHUB, read
from app.github.answers import GitHubFailed
from app.github.client import GitHub, GitHubAccess
from app.github.repository import GitHubRepository
from app.receiver_client import ReceiverClient
from broker.client import BrokerClient
from broker.http.errors import BrokerError, BrokerRefused

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from app.commands.runner import Messages
    from app.commands.setup.request import SetupRequest

RETRY_SECONDS = 5.0
"""How long a request to a broker that is away is retried: someone is waiting."""
_READ_WRITE = "Give credentials of the broker that may change webhooks and secrets, and run it again."
_ALLOW = (
    "The broker's administrator must allow it to send there "
    "(pact-dispatch broker: --webhook-hosts, --webhook-schemes; the open-source broker: "
    "PACT_BROKER_WEBHOOK_HOST_WHITELIST, PACT_BROKER_WEBHOOK_SCHEME_WHITELIST)."
)
_LATER = "Run it again when that is back: what is done stays as it is."


class Setup:
    """The steps of one setup; a step that needs an earlier one is skipped if that did not work.

    Args:
        request: What is to be set up.
        ended: Receives each step as it ends, and its number.
    """

    def __init__(self, request: SetupRequest, ended: Callable[[Finding, int], None]) -> None:
        self.steps: list[Finding] = []
        self._request = request
        self._ended = ended

    def run(self, client: BrokerClient, progress: Callable[[str], None]) -> int:
        """Take the steps.

        Args:
            client: The session with the broker.
            progress: Receives a text about what is waited for.

        Returns:
            The exit code.
        """
        if self._request.target == GITHUB:
            self._with_github(client, progress)
        else:
            receiver = ReceiverClient(self._request.base_url, self._request.api_token)
            step = ReceiverStep(receiver, self._request)
            broker = BrokerSteps(self._request, client, step)
            ready = self._take("receiver", step.check)
            tested = self._in_broker(broker, ready, lambda: broker.secret(None))
            seconds = self._request.wait_seconds
            if seconds is not None:
                run = ReceiverRun(receiver, tested.facts.get("delivery"))
                self._take("run", lambda: run.wait(seconds, progress), tested.is_well)
        problem = rendering.first_problem(self.steps)
        if problem is None:
            return ExitCode.DONE
        return ExitCode.FAILED if problem.state is State.FAILED else ExitCode.COULD_NOT

    def _with_github(self, client: BrokerClient, progress: Callable[[str], None]) -> None:
        request, seconds = self._request, self._request.wait_seconds
        github = GitHub(GitHubAccess(request.base_url, request.token))
        repository = GitHubRepository(github, request.repository, token=request.token)
        steps = GitHubSteps(repository, request.event_type, now=datetime.now(UTC))
        broker = BrokerSteps(request, client)
        token = self._take("token", steps.token)
        if seconds is not None and token.is_well:
            steps.note_runs()
        tested = self._in_broker(broker, token, lambda: broker.secret(steps.token_expires))
        # what listens can be seen with any token that sees the repository, and is good to know at once
        workflow = self._take("workflow", steps.workflow, steps.sees_repository)
        if seconds is not None:
            self._take("run", lambda: steps.run(seconds, progress), tested.is_well and workflow.is_well)

    def _in_broker(self, broker: BrokerSteps, before: Finding, secret: Callable[[], Finding]) -> Finding:
        stored = self._take("secret", secret, before.is_well)
        webhook = self._take("webhook", broker.webhook, stored.is_well)
        return self._take("test", broker.test, webhook.is_well)

    def _take(self, name: str, take: Callable[[], Finding], ready: bool = True) -> Finding:  # noqa: FBT001, FBT002 - private
        skipped = Finding(State.SKIPPED, "One of the steps before it must work first.")
        step = replace(_attempt(take) if ready else skipped, name=name)
        self.steps.append(step)
        self._ended(step, len(self.steps))
        return step


def run(options: argparse.Namespace, messages: Messages) -> int:
    """Take the steps, and print each as it ends."""
    request = read(options, os.environ)
    messages.hide(request.token, request.api_token)

    def ended(step: Finding, number: int) -> None:
        if not options.json:
            rendering.write_step(step, number, request, sys.stdout, messages.redacted)

    setup = Setup(request, ended)
    try:
        with BrokerClient(
            broker_access(options, messages), retry_time=RETRY_SECONDS, on_retry=messages.say
        ) as client:
            code = setup.run(client, messages.say)
    except KeyboardInterrupt:
        raise CommandFailed(ExitCode.INTERRUPTED, "interrupted: what was done stays; run it again") from None
    if options.json:
        rendering.write_json(setup.steps, request, code, sys.stdout, messages.redacted)
    else:
        rendering.write_end(setup.steps, request, sys.stdout)
    return code


def _attempt(take: Callable[[], Finding]) -> Finding:
    """Take a step; one that the broker or GitHub refuses has failed, one that meets an outage is unknown."""
    try:
        return take()
    except GitHubFailed as error:
        away, to_do = error.retryable, "Do what it says of GitHub, and run it again."
        text = str(error)
    except BrokerError as error:
        away, to_do = error.transient, _advice(error)
        text = str(error)
    return Finding(State.UNKNOWN if away else State.FAILED, text, _LATER if away else to_do)


def _advice(error: BrokerError) -> str:
    status = error.status if isinstance(error, BrokerRefused) else None
    if status in {401, 403}:
        return _READ_WRITE
    if status in {400, 422}:
        return _ALLOW if "whitelist" in str(error) else "Change what it names, and run it again."
    return "Check --pact-broker-base-url: it is the address of a Pact Broker, with its path if it has one."
