"""`pact-dispatch worker`: verify what is in the queue."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from app.commands.installation import Installation, failures_explained
from app.commands.runner import ExitCode
from app.commands.worker.diagnosis import Diagnosis
from app.config.broker_access import broker_access
from app.github.access import github_access
from app.intake.acceptance import RELAY_USER_AGENT
from app.process.logs import configure
from app.process.supervision import follow_supervisor
from app.worker.process import work
from app.worker.relay import warn_of_moved

if TYPE_CHECKING:
    import argparse

    from app.commands.runner import Messages
    from app.github.access import GitHubAccess
    from app.github.client import GitHub


@failures_explained()
def run(options: argparse.Namespace, _: Messages) -> int:
    """Work until a signal stops it."""
    installation = Installation.read(options)
    settings = installation.settings
    github = github_access(settings, os.environ)
    accounts = installation.provider_accounts()
    configure(options.log_level)
    follow_supervisor()
    access = broker_access(settings, os.environ)
    with installation.database() as conninfo:
        asyncio.run(
            work(
                settings,
                access,
                conninfo=conninfo,
                data_dir=installation.data_dir,
                environment=dict(os.environ),
                accounts=accounts,
                github=None if github is None else _client(github),
                diagnose=Diagnosis(settings, access, github).of,
            )
        )
    return ExitCode.DONE


def _client(access: GitHubAccess) -> GitHub:
    from app.github.client import GitHub  # noqa: PLC0415 - with PyGithub, which most workers don't need

    return GitHub(access, user_agent=RELAY_USER_AGENT, on_moved=warn_of_moved)
