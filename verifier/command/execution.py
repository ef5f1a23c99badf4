"""What the `verify` command does: decide the values, verify, publish, report."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from verifier.command.sources import build_request, collect
from verifier.errors import PublishFailed, UsageError
from verifier.progress import Silence
from verifier.redaction import Redaction
from verifier.report.console import ConsoleReport
from verifier.report.interface import Findings
from verifier.report.text import one_line
from verifier.run import verify
from verifier.verification import Outcome

if TYPE_CHECKING:
    import argparse

    from verifier.command.console_progress import BarProgress, PlainProgress
    from verifier.engine.process import Engine
    from verifier.progress import Progress
    from verifier.report.interface import Report
    from verifier.request import VerificationRequest
    from verifier.verification import Verification

REPORT_OPTIONS = ("json", "junit", "html")
PUBLISH_SECONDS = 60.0
"""How long publishing may go on after the run's own time is up: what was verified should not be lost to that."""


class VerifyCommand:
    """One run of `verify`.

    Args:
        options: the command line, parsed.
        engine: the engine, starting up.
    """

    def __init__(self, options: argparse.Namespace, engine: Engine) -> None:
        self._engine = engine
        self._quiet: bool = options.quiet
        self._verbose: int = options.verbose
        self._reports = {name: getattr(options, name) for name in REPORT_OPTIONS if getattr(options, name)}
        values = vars(options)
        values["pact_url"] = values["pact_url"] or values.pop("pact", None)
        unrelated = {"quiet", "verbose", "pact", *REPORT_OPTIONS}
        self._flags: dict[str, Any] = {name: value for name, value in values.items() if name not in unrelated}
        self._check_reports()
        # standard output belongs to a machine-readable report that was asked for there
        self._text: TextIO = sys.stderr if "-" in self._reports.values() else sys.stdout

    def run(self) -> int:
        """Verify, publish if asked to, and report.

        Returns:
            The exit code.

        Raises:
            UsageError: the command or its configuration is wrong.
        """
        settings = collect(self._flags, os.environ)
        if self._verbose:
            for setting in sorted(settings, key=lambda setting: setting.name):
                print(one_line(str(setting)), file=sys.stderr)
        request = build_request(settings)
        deadline = time.monotonic() + request.timeout
        with self._progress() as progress:
            verification = verify(request, progress, self._engine)
            findings = self._publish(request, verification, deadline, progress)
        self._print(ConsoleReport(quiet=self._quiet), findings, self._text)
        for name, path in self._reports.items():
            self._write(_report(name), findings, path)
        if os.environ.get("GITHUB_ACTIONS") == "true":
            from verifier.report.github import GitHubReport  # noqa: PLC0415 - only there

            file = self._reports.get("json")
            report = GitHubReport(os.environ, json_report=None if file == "-" else file)
            self._print(report, findings, self._text)
        return findings.exit_code

    def _publish(
        self,
        request: VerificationRequest,
        verification: Verification,
        deadline: float,
        progress: Progress,
    ) -> Findings:
        if not request.publish or verification.outcome == Outcome.ERROR:
            return Findings(verification, publishing=request.publish)
        from verifier.publishing import publish  # noqa: PLC0415 - only where it is asked for

        progress.step("Publishing the result")
        redaction = Redaction.of(request)
        try:
            published = publish(
                verification,
                request.broker_access,
                retry_time=PUBLISH_SECONDS,
                deadline=max(deadline, time.monotonic() + min(PUBLISH_SECONDS, request.timeout)),
                on_retry=lambda text: progress.notice(redaction.text(text)),
            )
        except PublishFailed as error:
            return Findings(verification, publishing=True, publish_error=redaction.text(str(error)))
        return Findings(verification, publishing=True, published=published)

    def _progress(self) -> BarProgress | PlainProgress | Silence:
        if self._quiet:
            return Silence()
        from verifier.command.console_progress import BarProgress, PlainProgress  # noqa: PLC0415 - quiet runs do without

        if self._verbose or not sys.stderr.isatty():
            return PlainProgress(sys.stderr, verbose=self._verbose > 0)
        return BarProgress(sys.stderr)

    def _check_reports(self) -> None:
        """Make sure that each report can be written, before anything is verified.

        Raises:
            UsageError: it can't.
        """
        if list(self._reports.values()).count("-") > 1:
            raise UsageError("only one of --json, --junit and --html can go to standard output (-)")
        for name, path in self._reports.items():
            if path == "-":
                continue
            folder = Path(path).absolute().parent
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise UsageError(f"--{name}: the folder {folder} can't be made: {error.strerror}") from error
            if Path(path).is_dir():
                raise UsageError(f"--{name}: {path} is a folder, and a file is wanted")
            if not os.access(folder, os.W_OK):
                raise UsageError(f"--{name}: the folder {folder} can't be written to")

    def _print(self, report: Report, findings: Findings, stream: TextIO | None) -> None:
        """Write a report to a standard stream, which may be closed, full, or a pipe that nobody reads."""
        if stream is None:
            return
        try:
            report.write(findings, stream)
            stream.flush()
        except OSError as error:
            # the exit code is about the contract, and that is known; nor may Python's own last flush change it
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
            print(f"verify: the report could not be printed: {error.strerror}", file=sys.stderr)

    def _write(self, report: Report, findings: Findings, path: str) -> None:
        if path == "-":
            self._print(report, findings, sys.stdout)
            return
        try:
            with Path(path).open("w", encoding="utf-8", errors="backslashreplace") as stream:
                report.write(findings, stream)
        except OSError as error:
            # the exit code is about the contract, and that is known
            print(f"verify: {path} could not be written: {error.strerror}", file=sys.stderr)


def _report(name: str) -> Report:
    """Load a report by its option's name; each is loaded only where it is asked for."""
    if name == "json":
        from verifier.report.json import JsonReport  # noqa: PLC0415

        return JsonReport()
    if name == "junit":
        from verifier.report.junit import JunitReport  # noqa: PLC0415

        return JunitReport()
    from verifier.report.html import HtmlReport  # noqa: PLC0415

    return HtmlReport()
