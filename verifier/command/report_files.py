"""The reports that the command line asks for: where they are written, and what happens if they can't be."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, TypeVar

from broker.http.strict_json import NotJson, parse_json
from broker.text.harmless import one_line
from broker.text.terminal import loss_of
from verifier.errors import UsageError
from verifier.verification import Verification

if TYPE_CHECKING:
    from collections.abc import Mapping

    from verifier.report.interface import Findings, Report

FoundT = TypeVar("FoundT")
REPORTS = ("json", "junit", "html")
"""The options that name a report's file; `-` is standard output."""


def check_files(files: Mapping[str, str]) -> None:
    """Make sure that each report can be written, before anything is verified.

    Args:
        files: The files by the name of their report.

    Raises:
        UsageError: One can't be written.
    """
    if list(files.values()).count("-") > 1:
        raise UsageError("only one of --json, --junit and --html can go to standard output (-)")
    for name, path in files.items():
        if path == "-":
            if not sys.stdout.writable():
                raise UsageError(f"--{name} -: standard output is closed")
            continue
        check_file(name, path)


def check_file(name: str, path: str) -> None:
    """Make sure that a file can be written, and make its folder.

    Args:
        name: The name of its option, without dashes.
        path: The file.

    Raises:
        UsageError: It can't.
    """
    folder = Path(path).absolute().parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--{name}: the folder {folder} can't be made: {error.strerror}") from error
    if Path(path).is_dir() or path == "-":
        raise UsageError(
            f"--{name}: {path} is {'no file' if path == '-' else 'a folder'}, and a file is wanted"
        )
    if not os.access(folder, os.W_OK):
        raise UsageError(f"--{name}: the folder {folder} can't be written to")


def read_last_run(path: str | None) -> Verification | None:
    """Read the JSON report of the run before, which this run's will replace.

    Returns:
        The run; None if there was none.

    Raises:
        UsageError: There is no place for it, or what is there is no such report.
    """
    if path is None or path == "-":
        raise UsageError(
            "--last-failed needs the report of the run before: give --json FILE, the same file each time"
        )
    try:
        return Verification.from_dict(parse_json(Path(path).read_bytes()))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(f"--last-failed: {path} can't be read: {error.strerror}") from error
    except (NotJson, ValueError) as error:
        raise UsageError(
            f"--last-failed: {path} is no JSON report of verify: {error}. Remove it, or give another file"
        ) from error


def write_file(name: str, path: str, report: Report[FoundT], findings: FoundT) -> None:
    """Write a report to its file. The exit code is about the contract, so an error is only printed."""
    if path == "-":
        report.write(findings, sys.stdout)
        if loss := loss_of(sys.stdout):
            print(f"verify: --{name} - was not written, or not all of it: {loss.strerror}", file=sys.stderr)
        return
    try:
        with Path(path).open("w", encoding="utf-8", errors="backslashreplace") as stream:
            report.write(findings, stream)
    except OSError as error:
        print(f"verify: {one_line(path)} could not be written: {error.strerror}", file=sys.stderr)


def print_report(report: Report[FoundT], findings: FoundT, stream: TextIO) -> None:
    """Write a report to a standard stream, and say so if that is full; who closed it or left a pipe knows."""
    if not stream.writable():
        return
    loss_before = loss_of(stream)
    report.write(findings, stream)
    loss = loss_of(stream)
    if loss_before is None and loss is not None and not isinstance(loss, BrokenPipeError):
        print(f"verify: the report could not be printed: {loss.strerror}", file=sys.stderr)


def report_of(name: str) -> Report[Findings]:
    """Load a report by its option's name; most runs need none of them."""
    if name == "json":
        from verifier.report.json import JsonReport  # noqa: PLC0415

        return JsonReport()
    if name == "junit":
        from verifier.report.junit import JunitReport  # noqa: PLC0415

        return JunitReport()
    from verifier.report.html import HtmlReport  # noqa: PLC0415

    return HtmlReport()
