"""`pact-dispatch serve`: start the database, the web process and the workers, and keep them running."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

from app.commands.installation import Installation, failures_explained
from app.commands.runner import ExitCode
from app.config.variables import OF_THE_WEB_SIDE, OF_WORKERS, OTHERS, SECRETS
from app.github.access import github_access
from app.intake.credentials import check_secrets
from app.process.hangup import hold_hangups
from app.process.logs import configure
from app.process.signals import stoppable
from app.process.supervision import STOP_MARGIN_SECONDS, Supervisor
from app.reload.coordination import reload_and_log
from broker.http.listening import bind

if TYPE_CHECKING:
    import argparse

    from app.commands.runner import Messages


@failures_explained()
def run(options: argparse.Namespace, messages: Messages) -> int:
    """Run the receiver until a signal stops it."""
    hold_hangups()
    with stoppable():
        _serve(options, messages)
    return ExitCode.DONE


def _serve(options: argparse.Namespace, messages: Messages) -> None:
    installation = Installation.read(options)
    # a mistake in one of these is told here, and not by each worker
    github_access(installation.settings, os.environ)
    installation.provider_accounts()
    for warning in check_secrets(os.environ):
        messages.say(warning)
    listener = bind(*options.bind)
    messages.say(f"data in {installation.data_dir}, using {installation.described_database}")
    configure(options.log_level)
    settings = installation.settings
    of_workers = settings.variables_of_providers | settings.variables_of_targets
    of_workers = of_workers.difference(SECRETS, OTHERS)
    with installation.database():
        arguments = ["--config", str(installation.config), "--data-dir", str(installation.data_dir)]
        arguments += ["--log-level", options.log_level]
        supervisor = Supervisor(
            installation.settings.worker.stop_seconds + STOP_MARGIN_SECONDS,
            hung_up=partial(reload_and_log, installation.data_dir),
        )
        supervisor.add(
            "web",
            ["web", *arguments, "--fd", str(listener.fileno())],
            environment=_without({*OF_WORKERS, *of_workers}),
            pass_fds=(listener.fileno(),),
        )
        for number in range(1, options.workers + 1):
            supervisor.add(
                f"worker {number}", ["worker", *arguments], environment=_without(set(OF_THE_WEB_SIDE))
            )
        supervisor.run()


def _without(secrets: set[str]) -> dict[str, str]:
    """Return this process's environment without secrets that a process doesn't need, nor the places of their files."""
    hidden = {*secrets, *(f"{name}_FILE" for name in secrets)}
    return {name: value for name, value in os.environ.items() if name not in hidden}
