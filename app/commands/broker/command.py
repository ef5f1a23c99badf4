"""`pact-dispatch broker`: serve a Pact Broker."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from app.commands.runner import CommandFailed, ExitCode
from broker.embedded import accounts, server
from broker.embedded.webhooks.settings import WebhookSettings

if TYPE_CHECKING:
    import argparse

    from app.commands.runner import Messages


def run(options: argparse.Namespace, _: Messages) -> int:
    """Serve until a signal stops it."""
    host, port = options.bind
    try:
        server.serve(
            server.Settings(
                host=host,
                port=port,
                database=options.database,
                base_url=options.base_url,
                log_level=options.log_level,
                allowed_hosts=options.allowed_hosts,
                accounts=accounts.load(os.environ, options.access),
                webhooks=WebhookSettings(
                    hosts=options.webhook_hosts,
                    schemes=options.webhook_schemes,
                    methods=options.webhook_methods,
                    retry_seconds=options.webhook_retry_seconds,
                    delay_seconds=options.webhook_delay,
                    history_days=options.webhook_history_days,
                ),
            )
        )
    except (accounts.AccessUnusable, server.CannotStart) as error:
        raise CommandFailed(ExitCode.COULD_NOT, str(error)) from error
    return ExitCode.DONE
