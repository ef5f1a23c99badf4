"""`pact-dispatch check-config`: read the configuration as the receiver does, and print its meaning."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from app.commands.check_config.broker import check_broker
from app.commands.check_config.summary import understand
from app.commands.finding import State
from app.commands.installation import failures_explained
from app.commands.runner import ExitCode
from app.config.shown_configuration import lines_of, without_secrets
from broker.text.harmless import one_line, write_json
from broker.webhooks.hidden_secrets import redacted_urls

if TYPE_CHECKING:
    import argparse

    from app.commands.runner import Messages


@failures_explained()
def run(options: argparse.Namespace, messages: Messages) -> int:
    """Print what the configuration says, and what is wrong with it."""
    summary = understand(options.config, options.data_dir, os.environ)
    found = check_broker(summary.settings, summary.access) if options.online else []
    problems = [finding for finding in found if finding.state is not State.WARNING]
    warnings = [*summary.warnings, *(finding for finding in found if finding.state is State.WARNING)]
    if options.json:
        document = {
            **summary.document,
            "warnings": [finding.found for finding in warnings],
            "problems": [finding.found for finding in problems] if options.online else None,
        }
        write_json(without_secrets(document), sys.stdout)
    else:
        print(
            "\n".join(
                one_line(redacted_urls(f"{name:<15} {text}")) for name, text in lines_of(summary.document)
            )
        )
        if options.online and not problems:
            print("The broker is there, and knows each provider.")
    for finding in (*warnings, *problems):
        messages.say(f"warning: {finding.found}" if finding.state is State.WARNING else finding.found)
    return ExitCode.COULD_NOT if problems else ExitCode.DONE
