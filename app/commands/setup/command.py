"""`pact-dispatch setup`: the steps in their order, from options to exit code."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from app.commands.credentials import broker_access
from app.commands.runner import CommandFailed, ExitCode
from app.commands.setup import broker_steps, github_steps, receiver_run, receiver_steps, rendering
from app.commands.setup.broker_steps import BrokerSteps
from app.commands.setup.github_steps import GitHubSteps
from app.commands.setup.receiver_run import ReceiverRun
from app.commands.setup.request import GITHUB, read
from app.commands.setup.step import State
from app.github.client import GitHub, GitHubAccess
from app.github.repository import GitHubRepository
from broker.client import BrokerClient

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from app.commands.runner import Messages
    from app.commands.setup.request import Wanted
    from app.commands.setup.step import Kind, Step

RETRY_SECONDS = 5.0
"""How long a request to a broker that is away is retried: someone is waiting."""


class Setup:
    """The steps that were taken; a step whose turn comes after one that it needs is skipped if that did not work.

    Args:
        wanted: what is asked for.
        ended: is told of each step as it ends.
    """

    def __init__(self, wanted: Wanted, ended: Callable[[Step, int], None]) -> None:
        self.steps: list[Step] = []
        self._wanted = wanted
        self._ended = ended

    def run(self, client: BrokerClient, progress: Callable[[str], None]) -> int:
        """Take the steps.

        Args:
            client: the session with the broker.
            progress: is told what is waited for.

        Returns:
            The exit code.
        """
        if self._wanted.target == GITHUB:
            self._with_github(client, progress)
        else:
            broker = BrokerSteps(self._wanted, client)
            ready = self._take(receiver_steps.RECEIVER, lambda: receiver_steps.receiver(self._wanted))
            tested = self._in_broker(broker, ready, lambda: broker.secret(None))
            seconds, api_token = self._wanted.wait_seconds, self._wanted.api_token
            if seconds is not None and api_token is not None:
                run = ReceiverRun(self._wanted.base_url, api_token, tested.facts.get("delivery"))
                self._take(receiver_run.RUN, lambda: run.wait(seconds, progress), tested.is_well)
        problem = rendering.first_problem(self.steps)
        if problem is None:
            return ExitCode.DONE
        return ExitCode.FAILED if problem.state is State.FAILED else ExitCode.COULD_NOT

    def _with_github(self, client: BrokerClient, progress: Callable[[str], None]) -> None:
        wanted, seconds = self._wanted, self._wanted.wait_seconds
        github = GitHub(GitHubAccess(wanted.base_url, wanted.token))
        repository = GitHubRepository(github, wanted.repository, token=wanted.token)
        steps = GitHubSteps(repository, wanted.event_type, now=github_steps.now())
        broker = BrokerSteps(wanted, client)
        token = self._take(github_steps.TOKEN, steps.token)
        if seconds is not None and token.is_well:
            steps.note_runs()
        tested = self._in_broker(broker, token, lambda: broker.secret(steps.token_expires))
        # what listens can be seen with any token that sees the repository, and is good to know at once
        workflow = self._take(github_steps.WORKFLOW, steps.workflow, steps.sees_repository)
        if seconds is not None:
            self._take(
                github_steps.RUN, lambda: steps.run(seconds, progress), tested.is_well and workflow.is_well
            )

    def _in_broker(self, broker: BrokerSteps, before: Step, secret: Callable[[], Step]) -> Step:
        stored = self._take(broker_steps.SECRET, secret, before.is_well)
        webhook = self._take(broker_steps.WEBHOOK, broker.webhook, stored.is_well)
        return self._take(broker_steps.TEST, broker.test, webhook.is_well)

    def _take(self, kind: Kind, take: Callable[[], Step], ready: bool = True) -> Step:  # noqa: FBT001, FBT002 - private
        step = (
            kind.attempt(take)
            if ready
            else kind.ended(State.SKIPPED, found="One of the steps before it must work first.")
        )
        self.steps.append(step)
        self._ended(step, len(self.steps))
        return step


def run(options: argparse.Namespace, messages: Messages) -> int:
    """Take the steps, and print each as it ends."""
    wanted = read(options, os.environ)
    messages.hide(wanted.token, wanted.api_token)

    def ended(step: Step, number: int) -> None:
        if not options.json:
            rendering.write_step(step, number, sys.stdout, messages.redacted)

    setup = Setup(wanted, ended)
    try:
        with BrokerClient(
            broker_access(options, messages), retry_time=RETRY_SECONDS, on_retry=messages.say
        ) as client:
            code = setup.run(client, messages.say)
    except KeyboardInterrupt:
        raise CommandFailed(ExitCode.INTERRUPTED, "interrupted: what was done stays; run it again") from None
    if options.json:
        rendering.write_json(setup.steps, wanted, code, sys.stdout, messages.redacted)
    else:
        rendering.write_end(setup.steps, wanted, sys.stdout)
    return code
