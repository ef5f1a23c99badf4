"""Damaged answers of GitHub's API: to the client that relays and sets statuses, and to `doctor` and `setup`."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING
from unittest.mock import patch

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import strategies as st

from app.commands.runner import ExitCode
from app.github.access import GitHubAccess
from app.github.answers import GitHubAway, GitHubFailed, GitHubRefused
from app.github.client import GitHub
from app.github.repository import GitHubRepository
from broker.http.waits import Waits
from fuzz.answering import Asked, Change, DamagedServer, Right, maybe_changes
from fuzz.choices import pick
from fuzz.originals import REPOSITORY, github_answers
from fuzz.outcomes import check_output, expect
from fuzz.target import Target, Violation
from fuzz.targets.broker_answers import right_answer
from fuzz.targets.provider_answers import right as receivers_answer
from tests.support.commands import pact_dispatch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fuzz.target import Check

SHA = "3f2c9d1e5a7b8c9d0e1f2a3b4c5d6e7f8a9b0c1d"
TOKEN = "github_pat_11AAAAAAA0123456789abcdef"
BROKER_TOKEN = "a-token-of-the-broker"
SECONDS = 2


@dataclass(frozen=True)
class GitHubAnswers:
    """What is asked of GitHub, and how its answers differ from the right ones, one after the other."""

    operation: str
    changes: tuple[Change | None, ...]


@dataclass(frozen=True)
class CommandAnswers:
    """A command, and how the answers that it gets differ from the right ones, one after the other."""

    command: str
    changes: tuple[Change | None, ...]


def right(asked: Asked) -> Right:
    """Return an answer like GitHub's."""
    path = asked.path.partition("?")[0]
    fitting = [
        one for one in github_answers() if one["method"] == asked.method and re.fullmatch(one["path"], path)
    ]
    if not fitting:
        return Right(
            404,
            {"message": "Not Found", "documentation_url": "https://docs.github.com/rest", "status": "404"},
        )
    # the path with the fewest wildcards
    best = min(fitting, key=lambda one: one["path"].count("+"))
    return Right(best["status"], best["document"], ((b"X-GitHub-Request-Id", b"1234:5678"),))


@cache
def _private_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    ).decode()


def _github(server: DamagedServer) -> GitHub:
    return GitHub(GitHubAccess(server.url, token=TOKEN))


def _repository(server: DamagedServer) -> GitHubRepository:
    return GitHubRepository(_github(server), REPOSITORY, token=TOKEN)


def _as_app(server: DamagedServer) -> None:
    github = GitHub(GitHubAccess(server.url, app_id="1234", private_key=_private_key()))
    for _ in range(2):
        github.dispatch(REPOSITORY, "pact_changed", {"pact_url": "http://b/"})


OPERATIONS: dict[str, Callable[[DamagedServer], object]] = {
    "dispatch": lambda server: _github(server).dispatch(
        REPOSITORY, "pact_changed", {"pact_url": "http://b/"}
    ),
    "dispatch as App": _as_app,
    "status": lambda server: _github(server).set_status(
        REPOSITORY, SHA, "success", context="pact", description="d", target_url="http://b/"
    ),
    "facts": lambda server: _repository(server).facts().may_dispatch,
    "workflows": lambda server: [one.listens_to("pact_changed") for one in _repository(server).workflows()],
    "runs": lambda server: _repository(server).runs(),
    "run": lambda server: _repository(server).run(1).succeeded,
}


@contextmanager
def _open() -> Iterator[Check]:
    with DamagedServer(right) as server, patch("app.github.client.TIMEOUT_SECONDS", SECONDS):

        def check(given: GitHubAnswers) -> None:
            server.tell(given.changes)
            error = expect(lambda: OPERATIONS[given.operation](server), GitHubAway, GitHubRefused)
            if isinstance(error, GitHubFailed) and TOKEN in str(error):
                raise Violation("the token in a message", str(error))

        yield check


COMMANDS: dict[str, tuple[str, ...]] = {
    "doctor": ("doctor", "--consumer", "Foo", "--version", "1.0.0", "--provider", "Bar", "--json"),
    "doctor as text": ("doctor", "--provider", "Bar"),
    "setup": ("setup", "--repository", REPOSITORY, "--provider", "Bar", "--json"),
    "setup with a secret": ("setup", "--repository", REPOSITORY, "--provider", "Bar", "--wait", "0.1"),
    "setup of a receiver": (
        "setup",
        "--repository",
        REPOSITORY,
        "--provider",
        "Bar",
        "--target",
        "receiver",
        "--receiver-url",
        "{url}",
    ),
    "doctor of a receiver": ("doctor", "--provider", "Bar", "--receiver-url", "{url}"),
    "webhooks create": (
        "webhooks",
        "create",
        "--provider",
        "Bar",
        "--template",
        "receiver",
        "--repository",
        REPOSITORY,
        "--receiver-url",
        "{url}",
        "--secret",
        "a",
    ),
    "webhooks update": ("webhooks", "update", "w" * 16, "--description", "d"),
    "webhooks delete": ("webhooks", "delete", "w" * 16),
    "setup plan": ("setup", "--repository", REPOSITORY, "--provider", "Bar", "--plan"),
    "webhooks list": ("webhooks", "list", "--provider", "Bar"),
    "webhooks show": ("webhooks", "show", "w" * 16),
    "webhooks logs": ("webhooks", "logs", "--provider", "Bar"),
    "webhooks logs as JSON": ("webhooks", "logs", "--consumer", "Foo", "--output", "json"),
    "webhooks test": ("webhooks", "test", "w" * 16),
}


@contextmanager
def _open_commands() -> Iterator[Check]:
    def answer(asked: Asked) -> Right:
        if asked.path.startswith(("/repos/", "/app/", "/user")):
            return right(asked)
        if asked.path.startswith(("/readyz", "/api/")):
            return receivers_answer(asked)
        return right_answer(server.url, asked)

    def no_waits(_: float, deadline: float | None, on_retry: Callable[[str], None]) -> Waits:
        return Waits(0.0, deadline, on_retry)

    with DamagedServer(answer) as server, patch("broker.client.session.Waits", no_waits):
        environment = {
            "PACT_BROKER_BASE_URL": server.url,
            "PACT_BROKER_TOKEN": BROKER_TOKEN,
            "PACT_DISPATCH_GITHUB_TOKEN": TOKEN,
            "GITHUB_TOKEN": TOKEN,
            "PACT_DISPATCH_RECEIVER_TOKEN": TOKEN,
            "PACT_DISPATCH_API_TOKEN": TOKEN,
        }

        def check(given: CommandAnswers) -> None:
            server.tell(given.changes)
            arguments = tuple(text.replace("{url}", server.url) for text in COMMANDS[given.command])
            if arguments[0] in {"doctor", "setup"} and "receiver" not in arguments:
                arguments += ("--github-url", server.url)
            done = pact_dispatch(*arguments, environment=environment)
            if done.returncode not in set(ExitCode):
                raise Violation(f"exit code {done.returncode} of {arguments[0]}", done.stderr)
            for text in (done.stdout, done.stderr):
                check_output(text, arguments[0], TOKEN, BROKER_TOKEN)

        yield check


GITHUB_ANSWERS = Target(
    name="github-answers",
    about="answers of GitHub's API to each of our requests",
    share=90,
    kind=GitHubAnswers,
    inputs=st.builds(
        GitHubAnswers,
        operation=pick(sorted(OPERATIONS)),
        changes=maybe_changes(4),
    ),
    open=_open,
)
COMMAND_ANSWERS = Target(
    name="github-answers-commands",
    about="answers of GitHub and a Pact Broker to doctor, setup and webhooks",
    share=20,
    kind=CommandAnswers,
    inputs=st.builds(
        CommandAnswers,
        command=pick(sorted(COMMANDS)),
        changes=maybe_changes(8, drips=False),
    ),
    open=_open_commands,
)
