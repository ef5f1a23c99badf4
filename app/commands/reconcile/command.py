"""`pact-dispatch reconcile`: ask the broker what lacks a result, and queue it."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import psycopg

from app.commands.installation import Installation, failures_explained
from app.commands.runner import ExitCode
from app.config.broker_access import broker_access
from app.config.values import ConfigurationError
from app.database.database_url import DatabaseUnusable
from app.intake.missed import reconcile
from app.process.signals import interruptible
from broker.text.harmless import one_line, write_json
from verifier.errors import UsageError

if TYPE_CHECKING:
    import argparse

    from app.commands.runner import Messages
    from app.config.provider import ProviderSettings
    from app.config.settings import Settings
    from app.intake.missed import MissedDispatch, Reconciliation


@failures_explained()
def run(options: argparse.Namespace, messages: Messages) -> int:
    """Queue the pacts without a result, and print them."""
    installation = Installation.read(options, exists=True)
    settings = installation.settings
    providers = _chosen(settings, options.provider)
    if bool(options.consumer) != bool(options.version):
        raise UsageError("--consumer and --version go together")
    for name in ("consumer", "version"):
        if getattr(options, name) in {".", ".."}:
            raise UsageError(
                f"--{name} {getattr(options, name)} can't be asked about: in a URL it means another place"
            )
    messages.say(f"using {installation.described_database}")
    with interruptible(), installation.database() as conninfo:
        try:
            report = reconcile(
                settings,
                broker_access(settings, os.environ),
                lambda: psycopg.connect(conninfo),
                providers=providers,
                consumer_version=(options.consumer, options.version) if options.consumer else None,
                dry_run=options.dry_run,
            )
        except psycopg.Error as error:
            raise DatabaseUnusable(f"the database failed: {error}") from error
    if options.consumer and not report.pacts and not report.problems:
        which = options.provider or "a provider of the configuration"
        report.problems.append(f"{options.consumer} {options.version} has no pact with {which}")
    if options.json:
        write_json(document(report, dry_run=options.dry_run), sys.stdout)
    else:
        for dispatch in report.missed:
            print(one_line(_line(dispatch)))
        if not report.missed and not report.problems:
            print(
                f"Nothing is missing: no pact of {options.consumer} {options.version} lacks a result."
                if options.consumer
                else "Nothing is missing: each pact has its results."
            )
    for problem in (*report.notes, *report.problems):
        messages.say(problem)
    return ExitCode.COULD_NOT if report.problems else ExitCode.DONE


def document(report: Reconciliation, *, dry_run: bool) -> dict[str, Any]:
    """Return the report as JSON values."""
    return {
        "dry_run": dry_run,
        "pacts": [
            {**vars(dispatch), "run": str(dispatch.run) if dispatch.run else None}
            for dispatch in report.missed
        ],
        "notes": report.notes,
        "problems": report.problems,
    }


def _chosen(settings: Settings, name: str | None) -> list[ProviderSettings] | None:
    if name is None:
        return None
    provider = settings.provider_named(name)
    if provider is None:
        known = ", ".join(repr(one.name) for one in settings.providers)
        raise ConfigurationError(
            f"--provider: there is no provider {name!r} in the configuration, only {known}"
        )
    return [provider]


def _line(dispatch: MissedDispatch) -> str:
    version = dispatch.provider_version or "any version"
    text = (
        f"{dispatch.provider} {version} ({dispatch.why}) has no result for {dispatch.consumer} "
        f"{dispatch.consumer_version}: {dispatch.state}"
    )
    if dispatch.run is not None:
        text += f", run {dispatch.run}"
    if dispatch.wait is not None:
        text += f"; queued again in {dispatch.wait / 60:.0f} min at the earliest"
    return text
