"""`pact-dispatch check-config`: read the configuration as the receiver does, and print its meaning."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from app.commands.check_config.broker import check_broker
from app.commands.check_config.summary import understand
from app.commands.finding import State
from app.commands.installation import failures_explained
from app.commands.runner import ExitCode
from broker.text.harmless import one_line, write_json
from broker.webhooks.hidden_secrets import redacted_urls
from verifier.report.amounts import count

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

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
        write_json(_without_secrets(document), sys.stdout)
    else:
        print("\n".join(one_line(redacted_urls(line)) for line in _lines(summary.document)))
        if options.online and not problems:
            print("The broker is there, and knows each provider.")
    for finding in (*warnings, *problems):
        messages.say(f"warning: {finding.found}" if finding.state is State.WARNING else finding.found)
    return ExitCode.COULD_NOT if problems else ExitCode.DONE


def _lines(document: dict[str, Any]) -> Iterator[str]:
    """Yield the lines for people."""
    broker = document["broker"]
    yield f"configuration   {document['file']}"
    yield f"broker          {broker['url']}, {broker['login']}"
    for alias in broker["aliases"]:
        yield f"                also known as {alias}"
    yield from (f"                {text}" for text in _tls(broker["tls"]))
    for provider in document["providers"]:
        yield f"provider        {provider['name']}: POST /repos/{provider['repository']}/dispatches"
        for text in _provider(provider):
            yield f"                {text}"
    yield f"event types     {', '.join(document['event_types'])}"
    limits = {name: f"for {', '.join(limit)} alone" for name, limit in document["limited_to"].items()}
    yield f"may dispatch    {_tokens(document['tokens'], limits) or 'nobody with a token'}"
    limits = dict.fromkeys(document["read_only"], "reading alone")
    yield f"may use /api    {_tokens(document['api_tokens'], limits) or 'nobody'}"
    yield f"GitHub's events {'signed' if document['webhook_secret'] else 'refused: there is no webhook secret'}"
    github = document["github"]
    yield f"GitHub          {github['url'] + ', ' + github['login'] if github else 'not used'}"
    yield f"database        {document['database']}"
    server, worker = document["server"], document["worker"]
    yield f"links           {server['public_url'] or 'none: there is no server.public_url'}"
    yield f"web             processes: {server['processes']}"
    yield f"worker          runs at once: {worker['concurrency']}; children kept ready: {worker['warm']}"
    retention, minutes = document["retention"], document["reconcile"]["minutes"]
    yield f"kept            {_of(retention['days'], 'day')}; of each run's log {retention['log_kilobytes']} KB"
    yield f"reconciled      {'every ' + _of(minutes, 'minute') if minutes else 'never'}"


def _of(number: float, unit: str) -> str:
    return count(int(number), unit) if number == int(number) else f"{number:g} {unit}s"


def _without_secrets(value: Any) -> Any:
    """Return JSON values without the credentials in their URLs."""
    if isinstance(value, dict):
        return {name: _without_secrets(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [_without_secrets(member) for member in value]
    return redacted_urls(value) if isinstance(value, str) else value


def _tokens(names: list[str], limits: dict[str, str]) -> str:
    return ", ".join(f"{name} ({limits[name]})" if name in limits else name for name in names)


def _tls(given: dict[str, Any]) -> Iterator[str]:
    if "ca_file" in given:
        yield f"its certificate is signed by an authority of {given['ca_file']}"
    if given.get("disable_ssl_verification"):
        yield "its certificate is not checked"
    if "client_certificate" in given:
        yield f"is shown the certificate {given['client_certificate']}"


def _provider(provider: dict[str, Any]) -> Iterator[str]:
    if "relay" in provider:
        relay = provider["relay"]
        starts = f", starts {relay['workflow']}" if "workflow" in relay else ""
        yield f"passed on to GitHub, {relay.get('repository', provider['repository'])}{starts}"
        return
    if "base_url" in provider:
        yield f"runs at {provider['base_url']}"
    elif "command" in provider:
        folder = f", in {provider['folder']}" if "folder" in provider else ""
        yield f"started: {provider['command']}{folder}"
    else:
        checkout = provider["checkout"]
        yield f"checked out {checkout['url'] if checkout['url'].startswith('from ') else 'from ' + checkout['url']}"
        if "setup" in checkout:
            yield f"set up: {checkout['setup']}"
        yield f"started: {checkout['command']}"
    version = provider.get("version") or (
        "the commit"
        if "checkout" in provider
        else f"asked of {provider['version_url']} {provider.get('version_pointer', '')}".rstrip()
    )
    yield f"version {version}, branch {provider.get('branch', 'that of the dispatch')}"
    if "base_url" not in provider and provider["unconfined"]:
        yield "not confined: it may read the processes of its account, and gain rights by sudo"
    if "base_url" not in provider and "user" in provider:
        yield f"as {provider['user']}, where root runs the worker"
    yield from _tls(provider)
    yield f"provider states {provider.get('states_setup_url', 'nowhere')}"
    for key in ("headers", "environment"):
        for name, source in provider[key].items():
            yield f"{key}.{name} {source}"
    yield (
        f"interactions at once: {provider['jobs']}; {provider['timeout']:g} s at most"
        + (", beside itself" if provider["parallel"] else "")
    )
