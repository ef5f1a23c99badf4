"""`pact-dispatch web`: answer HTTP requests."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

from app.commands.installation import Installation, failures_explained
from app.commands.runner import ExitCode
from app.database.connections import in_words
from app.intake.credentials import check_secrets
from app.process.hangup import hold_hangups
from app.process.signals import stoppable
from app.process.supervision import follow_supervisor
from app.web.server import Web
from broker.http.listening import bind

if TYPE_CHECKING:
    import argparse

    from app.commands.runner import Messages


@failures_explained()
def run(options: argparse.Namespace, messages: Messages) -> int:
    """Serve until a signal stops it."""
    hold_hangups()
    installation = Installation.read(options, verifies=False)
    if options.fd is None:
        for warning in check_secrets(os.environ):
            messages.say(warning)
    listener = bind(*options.bind) if options.fd is None else socket.socket(fileno=options.fd)
    with stoppable():
        follow_supervisor()
        with installation.database() as conninfo:
            Web(
                installation.settings,
                file=installation.config,
                data_dir=installation.data_dir,
                conninfo=conninfo,
                database=in_words(installation.database_url, installation.data_dir),
                listener=listener,
                environment=dict(os.environ),
                log_level=options.log_level,
            ).run()
    return ExitCode.DONE
