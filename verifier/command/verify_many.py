"""What the `verify` command does with many pacts: verify all, publish each, report."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, TextIO

from verifier.command.github import is_github_run
from verifier.command.report_files import print_report, write_file
from verifier.interruption import held, released
from verifier.many.run import verify_many, with_environments
from verifier.report.many.console import ManyConsoleReport

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    from verifier.engine.process import Engine
    from verifier.many.request import ManyRequest
    from verifier.progress import Progress
    from verifier.report.interface import Report
    from verifier.report.run_findings import RunFindings


def run_many(
    request: ManyRequest,
    engine: Engine,
    progress: AbstractContextManager[Progress],
    *,
    files: Mapping[str, str],
    text: TextIO,
    quiet: bool,
    leaves_out_passed: bool,
) -> int:
    """Verify many pacts, publish if requested, and report.

    Args:
        request: The request.
        engine: The engine.
        progress: What shows the progress.
        files: The files of the reports, by their options' names.
        text: Where the report for people goes.
        quiet: Whether that leaves out what passed.
        leaves_out_passed: Whether it leaves out the interactions that passed alone.

    Returns:
        The exit code.

    Raises:
        UsageError: The command or its configuration is wrong.
    """
    with held():  # what is found is reported
        with progress as shown:
            findings = _found(request, engine, shown)
        _report(findings, files=files, text=text, quiet=quiet, leaves_out_passed=leaves_out_passed)
    return findings.exit_code


def _found(request: ManyRequest, engine: Engine, progress: Progress) -> RunFindings:
    """Verify, publish, and ask what may be deployed."""
    findings = verify_many(request, engine, progress)
    progress.step("Asking the broker what may be deployed")
    try:
        with released():
            return with_environments(findings, request)
    except KeyboardInterrupt:
        return replace(findings, interrupted=True)


def _report(
    findings: RunFindings, *, files: Mapping[str, str], text: TextIO, quiet: bool, leaves_out_passed: bool
) -> None:
    console = ManyConsoleReport(quiet=quiet, leaves_out_passed=leaves_out_passed)
    print_report(console, findings, text)
    for name, path in files.items():
        write_file(name, path, _report_of(name), findings)
    if is_github_run(os.environ):
        from verifier.report.many.github import ManyGitHubReport  # noqa: PLC0415 - needed on GitHub alone

        file = files.get("json")
        report = ManyGitHubReport(os.environ, json_report=None if file == "-" else file)
        print_report(report, findings, text)
    if findings.interrupted:
        print("verify: interrupted; what was started has been stopped", file=sys.stderr)


def _report_of(name: str) -> Report[RunFindings]:
    """Load a report by its option's name; most runs need none of them."""
    if name == "json":
        from verifier.report.many.json import ManyJsonReport  # noqa: PLC0415

        return ManyJsonReport()
    if name == "junit":
        from verifier.report.many.junit import ManyJunitReport  # noqa: PLC0415

        return ManyJunitReport()
    from verifier.report.many.html import ManyHtmlReport  # noqa: PLC0415

    return ManyHtmlReport()
