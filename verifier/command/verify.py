"""What the `verify` command does: collect the settings, verify, publish, report."""

from __future__ import annotations

import os
import sys
import time
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TextIO

from broker.text.harmless import one_line
from broker.text.terminal import unguarded
from broker.traces.variables import is_wanted as traces_are_wanted
from verifier.command.github import is_github_run
from verifier.command.report_files import (
    REPORTS,
    check_file,
    check_files,
    print_report,
    read_last_run,
    report_of,
    write_file,
)
from verifier.command.sources import (
    build_request,
    check_dispatched_pact,
    check_selection_unused,
    collect,
    names_many,
)
from verifier.errors import PublishFailed
from verifier.interruption import held, put_off_interruption, released
from verifier.progress import Progress
from verifier.redaction import redaction_of
from verifier.run import verify
from verifier.verification import Outcome

if TYPE_CHECKING:
    import argparse
    from contextlib import AbstractContextManager

    from broker.traces.spans import AnySpan
    from verifier.command.options_file import FileOptions
    from verifier.command.sources import Setting
    from verifier.engine.process import Engine
    from verifier.report.interface import Findings
    from verifier.request import VerificationRequest
    from verifier.verification import Verification

INTERRUPTED_SECONDS = 20.0
"""How long publishing may continue once the run is interrupted."""
PUBLISH_SECONDS = 60.0
"""How long publishing may continue after the timeout of the run, so that a verification is not lost to it."""


class VerifyCommand:
    """One execution of `verify`.

    Args:
        options: The command line, parsed.
        engine: The engine, which may still be starting.
    """

    def __init__(self, options: argparse.Namespace, engine: Engine) -> None:
        values = dict(vars(options))
        self._engine = engine
        self._quiet: bool = values.pop("quiet")
        self._verbose: int = values.pop("verbose")
        self._file: FileOptions | None = values.pop("from_file")
        in_file = {} if self._file is None else self._file.values
        self._files: dict[str, str] = {
            name: path for name in REPORTS if (path := values.pop(name) or in_file.get(name))
        }
        self._flags: dict[str, Any] = values
        check_files(self._files)
        if log_file := values["log_file"] or in_file.get("log_file"):
            check_file("log-file", log_file)
        # standard output belongs to a machine-readable report that goes there
        self._text: TextIO = sys.stderr if "-" in self._files.values() else sys.stdout

    def run(self) -> int:
        """Verify, publish if requested, and report.

        Returns:
            The exit code.

        Raises:
            UsageError: The command or its configuration is wrong.
        """
        settings = collect(self._flags, os.environ)
        if self._file is not None:
            settings = self._file.complete(settings)
        if self._verbose:
            from broker.webhooks.hidden_secrets import redacted_urls  # noqa: PLC0415 - most runs say less

            for setting in sorted(settings, key=lambda setting: setting.name):
                print(one_line(redacted_urls(str(setting))), file=sys.stderr)
        check_dispatched_pact(settings, os.environ)
        check_selection_unused(settings)
        if names_many(settings):
            return self._run_many(settings)
        request = build_request(settings)
        if request.last_failed:
            request = replace(request, last_run=read_last_run(self._files.get("json")))
        deadline = time.monotonic() + request.timeout
        with self._traced(request) as span, held():  # what is found is published and reported
            with self._progress() as progress:
                with released():
                    verification = verify(request, progress, self._engine)
                findings = self._publish(request, verification, deadline, progress)
            if span is not None:
                from verifier.command.traces import note_verification  # noqa: PLC0415 - most runs are not traced

                note_verification(span, verification)
            self._report(findings)
        return findings.exit_code

    def _report(self, findings: Findings) -> None:
        from verifier.report.console import ConsoleReport  # noqa: PLC0415 - it is there: see `Progress.waiting`

        console = ConsoleReport(
            quiet=self._quiet,
            remembers=self._files.get("json", "-") != "-",
            leaves_out_passed=self._verbose > 0 and _same_file(sys.stderr, self._text),
        )
        print_report(console, findings, self._text)
        for name, path in self._files.items():
            write_file(name, path, report_of(name), findings)
        if is_github_run(os.environ):
            from verifier.report.github import GitHubReport  # noqa: PLC0415 - needed on GitHub alone

            file = self._files.get("json")
            report = GitHubReport(os.environ, json_report=None if file == "-" else file)
            print_report(report, findings, self._text)

    def _traced(self, request: VerificationRequest) -> AbstractContextManager[AnySpan | None]:
        """Return what has the run traced, if the environment asks for that."""
        if not traces_are_wanted(os.environ):
            return nullcontext()
        from verifier.command.traces import traced  # noqa: PLC0415 - most runs are not traced

        return traced(request, os.environ)

    def _run_many(self, settings: list[Setting]) -> int:
        from verifier.command.many_sources import build_many  # noqa: PLC0415 - most runs verify one pact
        from verifier.command.verify_many import run_many  # noqa: PLC0415 - likewise

        request = build_many(settings, self._flags, os.environ)
        with self._traced(request.template) as span:
            code = run_many(
                request,
                self._engine,
                self._progress(),
                files=self._files,
                text=self._text,
                quiet=self._quiet,
                leaves_out_passed=self._verbose > 0 and _same_file(sys.stderr, self._text),
            )
            if span is not None and code:
                span.fail(f"exit code {code}")
        return code

    def _publish(
        self, request: VerificationRequest, verification: Verification, deadline: float, progress: Progress
    ) -> Findings:
        from verifier.report.interface import Findings  # noqa: PLC0415 - likewise

        if not request.publish or verification.outcome == Outcome.ERROR:
            return Findings(verification, publishing=request.publish)
        from verifier.publishing import NOT_KNOWN, publish  # noqa: PLC0415 - needed here alone

        progress.step("Publishing the result")
        redaction = redaction_of(request)
        try:
            with held(INTERRUPTED_SECONDS):
                published = publish(
                    verification,
                    request.broker_access,
                    retry_time=PUBLISH_SECONDS,
                    deadline=max(deadline, time.monotonic() + min(PUBLISH_SECONDS, request.timeout)),
                    on_retry=lambda text: progress.notice(redaction.own(text)),
                )
        except KeyboardInterrupt:
            put_off_interruption()
            why = f"the run was interrupted before the broker had answered. {NOT_KNOWN}"
            return Findings(verification, publishing=True, publish_error=why)
        except PublishFailed as error:
            return Findings(verification, publishing=True, publish_error=redaction.own(str(error)))
        return Findings(verification, publishing=True, published=published)

    def _progress(self) -> AbstractContextManager[Progress]:
        if self._quiet:
            return nullcontext(Progress())
        from verifier.command.console_progress import BarProgress, PlainProgress  # noqa: PLC0415 - not if quiet

        if self._verbose or not sys.stderr.isatty():
            return nullcontext(PlainProgress(sys.stderr, verbose=self._verbose > 0))
        return BarProgress(unguarded(sys.stderr))  # it moves the cursor


def _same_file(one: TextIO, other: TextIO) -> bool:
    """Return whether two streams go to the same terminal or file, where one would repeat what the other has said."""
    try:
        return os.path.sameopenfile(one.fileno(), other.fileno())
    except (OSError, ValueError, AttributeError):  # closed, or no file at all
        return False
