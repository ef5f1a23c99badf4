"""`pact-dispatch check-config`: read the configuration as the receiver does, and print its meaning."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from app.commands.check_config.alike import in_few_lines, owners_of
from app.commands.check_config.broker import check_broker
from app.commands.check_config.summary import understand
from app.commands.finding import State
from app.commands.installation import failures_explained
from app.commands.runner import ExitCode
from app.config.shown_configuration import lines_of, lines_of_providers, without_secrets
from app.config.values import ConfigurationError
from broker.text.harmless import one_line, write_json
from broker.webhooks.hidden_secrets import redacted_urls

if TYPE_CHECKING:
    import argparse

    from app.commands.runner import Messages


@failures_explained()
def run(options: argparse.Namespace, messages: Messages) -> int:
    """Print what the configuration says, and what is wrong with it."""
    summary = understand(options.config, options.data_dir, os.environ)
    settings, shown = summary.settings, summary.document
    found = list(summary.warnings)
    if options.provider is not None:
        shown = {"providers": _of_provider(shown["providers"], options.provider)}
        owners = owners_of(settings)
        found = [finding for finding in found if owners.get(finding.name) == options.provider]
    if options.online:
        found += check_broker(settings, summary.access, only=options.provider)
    problems = [finding for finding in found if finding.state is not State.WARNING]
    warnings = [finding for finding in found if finding.state is State.WARNING]
    if options.json:
        document = {
            **shown,
            "warnings": [finding.found for finding in warnings],
            "problems": [finding.found for finding in problems] if options.online else None,
        }
        write_json(without_secrets(document), sys.stdout)
    else:
        lines = lines_of(shown) if options.provider is None else lines_of_providers(shown["providers"])
        print("\n".join(one_line(redacted_urls(f"{name:<15} {text}")) for name, text in lines))
        if options.online and not problems:
            known = "each provider" if options.provider is None else "the provider"
            print(f"The broker is there, and knows {known}.")
    for finding in in_few_lines((*warnings, *problems), settings):
        messages.say(f"warning: {finding.found}" if finding.state is State.WARNING else finding.found)
    return ExitCode.COULD_NOT if problems else ExitCode.DONE


def _of_provider(providers: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    found = [provider for provider in providers if provider["name"] == name]
    if not found:
        raise ConfigurationError(f"--provider: there is no provider {name!r} in the configuration")
    return found
