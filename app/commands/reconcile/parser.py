"""`pact-dispatch reconcile`: queue what a webhook failed to ask for."""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import TYPE_CHECKING, Any

from app.commands import COULD_NOT_START, receiver_options

if TYPE_CHECKING:
    from app.commands import Commands
    from app.config.settings import ProviderSettings, Settings
    from app.intake.missed import Finding, Report

DESCRIPTION = """\
Ask the Pact Broker which pacts lack a result, and queue those: a webhook that failed without anybody noticing then
costs minutes. Looked at are the pacts of each consumer's main branch, and those deployed or released: for the version
that runs of a provider that runs, and of a checkout for the latest version of its main branch and each that is deployed
or released. The worker does the same every so many minutes ([reconcile] of the configuration).

A pact of which a run waits or runs is left to that run. One that was tried and still has no result is queued again
after an hour, then after two, four and so on, at most once a day.
"""

EPILOG = """\
exit codes:
  0  the broker was asked, and what lacked a result is queued
  2  the options or the configuration can't be used
  3  the broker, the database or a provider could not be asked; the others were looked at
"""


def add_to(commands: Commands) -> None:
    """Add the command and its options."""
    parser = commands.add_parser(
        "reconcile",
        help="queue pacts that lack a result, as after a webhook that failed",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    receiver_options.add_to(parser)
    parser.add_argument("--provider", metavar="NAME", help="look at this one alone; all of them unless given")
    parser.add_argument("--dry-run", action="store_true", help="say what would be queued, and queue nothing")
    parser.add_argument("--json", action="store_true", help="print the outcome as JSON")
    parser.set_defaults(run=receiver_options.guarded("reconcile", _run))


def _run(options: argparse.Namespace) -> int:
    import psycopg  # noqa: PLC0415 - see app.commands

    from app.config.settings import broker_access  # noqa: PLC0415
    from app.database.connections import DatabaseUnusable, database, migrate  # noqa: PLC0415
    from app.intake.missed import reconcile  # noqa: PLC0415

    place = receiver_options.find(options)
    providers = _chosen(place.settings, options.provider)
    with database(place.database_url, place.data_dir) as conninfo:
        migrate(conninfo, wait=receiver_options.MIGRATE_SECONDS)
        try:
            report = reconcile(
                place.settings,
                broker_access(place.settings, os.environ),
                lambda: psycopg.connect(conninfo),
                providers=providers,
                dry_run=options.dry_run,
            )
        except psycopg.Error as error:
            raise DatabaseUnusable(f"the database failed: {error}") from error
    if options.json:
        print(json.dumps(document(report, dry_run=options.dry_run), indent=2))
    else:
        for finding in report.findings:
            print(_line(finding))
        if not report.findings and not report.problems:
            print("Nothing is missing: each pact has its results.")
    for problem in (*report.notes, *report.problems):
        print(f"pact-dispatch reconcile: {problem}", file=sys.stderr)
    return COULD_NOT_START if report.problems else 0


def _chosen(settings: Settings, name: str | None) -> list[ProviderSettings] | None:
    from app.config.settings import ConfigurationError  # noqa: PLC0415

    if name is None:
        return None
    provider = settings.provider_named(name)
    if provider is None:
        known = ", ".join(repr(one.name) for one in settings.providers)
        raise ConfigurationError(
            [f"--provider: there is no provider {name!r} in the configuration, only {known}"]
        )
    return [provider]


def document(report: Report, *, dry_run: bool) -> dict[str, Any]:
    """Give the outcome in JSON values."""
    return {
        "dry_run": dry_run,
        "pacts": [
            {**vars(finding), "run": str(finding.run) if finding.run else None} for finding in report.findings
        ],
        "notes": report.notes,
        "problems": report.problems,
    }


def _line(finding: Finding) -> str:
    version = finding.provider_version or "any version"
    what = (
        f"{finding.provider} {version} ({finding.why}) has no result for {finding.consumer} "
        f"{finding.consumer_version}: {finding.state}"
    )
    if finding.run is not None:
        what += f", run {finding.run}"
    if finding.wait is not None:
        what += f"; queued again in {finding.wait / 60:.0f} min at the earliest"
    return what
