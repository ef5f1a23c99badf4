"""`pact-dispatch migrate`: bring the tables of the database up to date, and end."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from app.commands.installation import MIGRATE_SECONDS, Installation, failures_explained
from app.commands.runner import ExitCode
from app.config.values import secret
from app.database.connections import database, migrate
from app.database.database_url import check_url, described
from app.process.environment import DATABASE_URL
from app.process.signals import interruptible
from verifier.report.amounts import count

if TYPE_CHECKING:
    import argparse

    from app.commands.runner import Messages


@failures_explained()
def run(options: argparse.Namespace, messages: Messages) -> int:
    """Migrate."""
    url = secret(DATABASE_URL, os.environ)
    with interruptible():
        if url is not None:
            name = described(check_url(url))
            applied = migrate(check_url(url), wait=MIGRATE_SECONDS)
        else:
            installation = Installation.read(options, verifies=False)
            name = installation.described_database
            with database(None, installation.data_dir) as conninfo:
                applied = migrate(conninfo, wait=MIGRATE_SECONDS)
    for migration in applied:
        messages.say(f"applied {migration}")
    done = f"{count(len(applied), 'migration')} applied" if applied else "nothing was missing"
    messages.say(f"{name} is up to date: {done}")
    return ExitCode.DONE
