"""`pact-dispatch worker`: verify what is in the queue."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import structlog

from app.commands.installation import Installation, failures_explained
from app.commands.runner import ExitCode
from app.commands.worker.diagnosis import Diagnosis
from app.config.broker_access import broker_access
from app.config.values import ConfigurationError
from app.github.access import github_access
from app.intake.acceptance import RELAY_USER_AGENT
from app.process.environment import DATABASE_URL
from app.process.hangup import hold_hangups
from app.process.logs import configure
from app.process.signals import stoppable
from app.process.supervision import follow_supervisor
from app.reload.reloader import ReadConfiguration
from app.reload.restarts import after_reload
from app.worker.parts import WorkerConfiguration
from app.worker.process import work
from app.worker.relay import warn_of_moved
from broker.otlp.setup import begin_traces, end_traces
from broker.text.redaction import Redaction

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from app.commands.runner import Messages
    from app.config.settings import Settings
    from app.github.access import GitHubAccess
    from app.github.client import GitHub

T = TypeVar("T")


@failures_explained()
def run(options: argparse.Namespace, _: Messages) -> int:
    """Work until a signal stops it."""
    hold_hangups()
    installation = Installation.read(options)
    configuration = _configuration(installation)
    configure(options.log_level)
    with stoppable():
        follow_supervisor()
        database = installation.database()
        with database as conninfo:
            begin_traces(
                os.environ,
                part="worker",
                redaction=Redaction(configuration.access.secrets),
                notice=structlog.get_logger("worker").warning,
            )
            try:
                asyncio.run(
                    work(
                        configuration,
                        conninfo=conninfo,
                        data_dir=installation.data_dir,
                        file=installation.config,
                        read=partial(_read_again, installation),
                        on_leave=lambda: database.__exit__(None, None, None),
                    )
                )
            finally:
                end_traces()
    return ExitCode.DONE


def _read_again(first: Installation, running: Settings) -> ReadConfiguration[WorkerConfiguration]:
    """Read the configuration of a worker that runs.

    Args:
        first: What it started with.
        running: The settings that it has.

    Raises:
        ConfigurationError: Something can't be used; every mistake is named.
    """
    found = first.read_again()
    settings, restart = after_reload(running, found.settings)
    if found.database_url != first.database_url:
        restart.append(DATABASE_URL)
    configuration = _configuration(replace(found, settings=settings))
    return ReadConfiguration(configuration, settings.digest, tuple(restart))


def _configuration(installation: Installation) -> WorkerConfiguration:
    """Return what a worker is configured with.

    Raises:
        ConfigurationError: Something of it can't be used.
    """
    settings = installation.settings
    mistakes: list[str] = []

    def read(what: Callable[[], T]) -> T | None:
        try:
            return what()
        except ConfigurationError as error:
            mistakes.extend(error.mistakes)
            return None

    github = read(lambda: github_access(settings, os.environ))
    access = read(lambda: broker_access(settings, os.environ))
    accounts = read(installation.provider_accounts)
    if access is None or accounts is None or mistakes:
        raise ConfigurationError(*mistakes)
    return WorkerConfiguration(
        settings,
        access,
        environment=dict(os.environ),
        accounts=accounts,
        github=None if github is None else _client(github),
        diagnose=Diagnosis(settings, access, github).of,
    )


def _client(access: GitHubAccess) -> GitHub:
    from app.github.client import GitHub  # noqa: PLC0415 - with PyGithub, which most workers don't need

    return GitHub(access, user_agent=RELAY_USER_AGENT, on_moved=warn_of_moved)
