"""`pact-dispatch setup`: take the steps in their order, and print what became of them."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from app.commands.credentials import broker_access
from app.commands.finding import Finding, State
from app.commands.runner import CommandFailed, ExitCode
from app.commands.setup import rendering, workflow_file
from app.commands.setup.github_run import GitHubRun
from app.commands.setup.published_result import PublishedResult
from app.commands.setup.receiver_run import ReceiverRun
from app.commands.setup.receiver_step import ReceiverStep
from app.commands.setup.request import read
from app.commands.setup.secret_step import SecretStep
from app.commands.setup.token_step import TokenStep
from app.commands.setup.trial_step import TrialStep
from app.commands.setup.webhook_step import WebhookStep
from app.commands.setup.workflow_step import WorkflowStep
from app.github.access import GitHubAccess
from app.github.answers import GitHubFailed
from app.github.client import GitHub
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
        begins: Receives the title of each step as it begins.
    """

    def __init__(self, request: SetupRequest, begins: Callable[[str], None]) -> None:
        self.steps: list[Finding] = []
        self._request = request
        self._begins = begins

    def run(self, client: BrokerClient, progress: Callable[[str], None]) -> int:
        """Take the steps.

        Args:
            client: The session with the broker.
            progress: Receives a text about what is waited for.

        Returns:
            The exit code.
        """
        if self._request.tells_receiver:
            self._with_receiver(client, progress)
        else:
            self._with_github(client, progress)
        problem = rendering.first_problem(self.steps)
        if problem is None:
            return ExitCode.DONE
        return ExitCode.FAILED if problem.state is State.FAILED else ExitCode.COULD_NOT

    def _with_github(self, client: BrokerClient, progress: Callable[[str], None]) -> None:
        request, seconds = self._request, self._request.wait_seconds
        github = GitHub(GitHubAccess(request.base_url, request.token))
        repository = GitHubRepository(github, request.repository, token=request.token)
        now = datetime.now(UTC)
        step = TokenStep(repository, request, now=now)
        run = GitHubRun(repository, request.trigger.event, now=now)
        token = self._take("token", step.take)
        if step.default_branch is not None:
            request = request.on_branch(step.default_branch)
        if seconds is not None and token.is_well:
            run.note_earlier()
        tested, trial = self._in_broker(request, client, token, expires=step.expires)
        published = None
        if seconds is not None and tested.is_well and trial.pact_url is not None:
            published = PublishedResult(client, trial.pact_url)
        # what listens can be seen with any token that sees the repository, and is good to know at once
        listens = WorkflowStep(repository, request, step.default_branch)
        workflow = self._take("workflow", listens.take, step.sees_repository)
        if seconds is not None:
            self._take(
                "run",
                lambda: run.wait(
                    listens.listening, seconds, progress, published.since if published else lambda: None
                ),
                tested.is_well and workflow.is_well,
            )

    def _with_receiver(self, client: BrokerClient, progress: Callable[[str], None]) -> None:
        receiver = ReceiverClient(self._request.base_url, self._request.api_token)
        step = ReceiverStep(receiver, self._request)
        ready = self._take("receiver", step.check)
        tested, _ = self._in_broker(self._request, client, ready, receiver=step)
        seconds = self._request.wait_seconds
        if seconds is not None:
            run = ReceiverRun(receiver, tested.facts.get("delivery"))
            self._take("run", lambda: run.wait(seconds, progress), tested.is_well)

    def _in_broker(
        self,
        request: SetupRequest,
        client: BrokerClient,
        before: Finding,
        *,
        expires: datetime | None = None,
        receiver: ReceiverStep | None = None,
    ) -> tuple[Finding, TrialStep]:
        secret = SecretStep(request, client)
        webhook = WebhookStep(secret, client)
        trial = TrialStep(secret, webhook, client, receiver)
        stored = self._take("secret", lambda: secret.take(expires), before.is_well)
        written = self._take("webhook", webhook.take, stored.is_well)
        return self._take("test", trial.take, written.is_well), trial

    def _take(self, name: str, take: Callable[[], Finding], ready: bool = True) -> Finding:  # noqa: FBT001, FBT002 - private
        if ready:
            self._begins(rendering.TITLES[name])
        skipped = Finding(State.SKIPPED, "One of the steps before it must work first.")
        step = replace(_attempt(take) if ready else skipped, name=name)
        self.steps.append(step)
        return step


def run(options: argparse.Namespace, messages: Messages) -> int:
    """Take the steps, and print the outcome and what became of each."""
    if options.write_workflow:
        return workflow_file.run(options, messages)
    request = read(options, os.environ)
    messages.hide(request.token, request.api_token)

    def begins(title: str) -> None:
        if sys.stderr.isatty():
            messages.say(f"{title} ...")

    setup = Setup(request, begins)
    try:
        with BrokerClient(
            broker_access(options, messages), retry_time=RETRY_SECONDS, on_retry=messages.say
        ) as client:
            code = setup.run(client, messages.say)
    except KeyboardInterrupt:
        done = ", ".join(f"{step.name} {step.state}" for step in setup.steps) or "nothing yet"
        text = f"interrupted ({done}): what was done stays; run it again"
        raise CommandFailed(ExitCode.INTERRUPTED, text) from None
    if options.json:
        rendering.write_json(setup.steps, request, code, sys.stdout, messages.redacted)
    else:
        rendering.write_text(setup.steps, request, sys.stdout, messages.redacted)
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
