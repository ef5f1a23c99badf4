"""`pact-dispatch reload`: have the processes of a receiver take their configuration anew."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.commands.installation import failures_explained
from app.commands.options import DEFAULT_CONFIG, DEFAULT_DATA_DIR
from app.commands.runner import CommandFailed, ExitCode
from app.config.file import load
from app.config.sources import read_sources
from app.config.values import ConfigurationError
from app.reload.control import Closed
from app.reload.coordination import NotReloaded, Report, reload
from broker.text.harmless import write_json

if TYPE_CHECKING:
    import argparse

    from app.commands.runner import Messages
    from app.reload.coordination import Answer

NOTHING_RELOADED = "nothing was reloaded: every process keeps the configuration that it has"


@failures_explained()
def run(options: argparse.Namespace, messages: Messages) -> int:
    """Reload the configuration of the processes of a data directory."""
    data_dir = options.data_dir or _configured(options.config)
    try:
        named = None if options.config == Path(DEFAULT_CONFIG) else options.config
        report = reload(data_dir, file=named)
    except (Closed, NotReloaded) as error:
        raise CommandFailed(ExitCode.COULD_NOT, str(error)) from error
    if options.json and (report.mistakes or report.answers):
        write_json(_document(report, messages), sys.stdout)
    if report.mistakes:
        raise CommandFailed(
            ExitCode.USAGE,
            *report.mistakes,
            NOTHING_RELOADED,
        )
    if not report.answers:
        _check(options, messages)  # whoever has a mistake in it wants to know it first
        raise CommandFailed(
            ExitCode.COULD_NOT,
            f"no process of a receiver runs here with the data directory {data_dir.absolute()}: name it as the "
            "receiver has it (it writes it when it starts) with --data-dir or data_dir in the configuration",
        )
    for answer in report.answers:
        if answer.error is not None:
            messages.say(f"{answer.process}: {answer.error}")
        elif not options.json:
            print(_taken(answer))
    if not report.has_begun:
        raise CommandFailed(ExitCode.COULD_NOT, NOTHING_RELOADED)
    return ExitCode.DONE if report.is_done else ExitCode.COULD_NOT


def _check(options: argparse.Namespace, messages: Messages) -> None:
    """Read a configuration that no process was asked about: the data directory may be one of its mistakes."""
    try:
        load(options.config, None)
    except ConfigurationError as error:
        report = Report(list(error.mistakes))
        if options.json:
            write_json(_document(report, messages), sys.stdout)
        raise CommandFailed(ExitCode.USAGE, *report.mistakes, NOTHING_RELOADED) from error


def _document(report: Report, messages: Messages) -> dict[str, Any]:
    """Return what programs are told, whatever came of it."""
    return {
        "mistakes": [messages.redacted(mistake) for mistake in report.mistakes],
        "processes": [
            {
                "process": answer.process,
                "configuration": answer.digest,
                "with_its_next_start": list(answer.restart),
                "error": None if answer.error is None else messages.redacted(answer.error),
            }
            for answer in report.answers
        ],
    }


def _configured(file: Path) -> Path:
    """Return the data directory of a configuration that may have mistakes."""
    found = read_sources(file).document.get("data_dir")
    return file.absolute().parent / found if isinstance(found, str) else Path(DEFAULT_DATA_DIR)


def _taken(answer: Answer) -> str:
    text = f"{answer.process} has taken the configuration {answer.digest}"
    if answer.restart:
        text += f"; with its next start: {', '.join(answer.restart)}"
    return text
