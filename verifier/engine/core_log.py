"""The log of pact-python's core, in a file for whoever looks for what went wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from broker.text.harmless import one_line
from broker.text.redacted_lines import RedactedLines
from verifier.engine.protocol import CORE_LOG

if TYPE_CHECKING:
    from pathlib import Path

    from broker.text.redaction import Redaction


def keep_log(folder: Path, file: Path, redaction: Redaction) -> str | None:
    """Copy the log to where it is wanted, without the secrets that the core was given.

    Returns:
        Why that could not be done; None if it was.
    """
    try:
        with file.open("w", encoding="utf-8", errors="backslashreplace") as stream:
            _copy(folder / CORE_LOG, stream, redaction)
    except OSError as error:
        return f"the log {file} could not be written: {error.strerror}"
    return None


def _copy(log: Path, stream: TextIO, redaction: Redaction) -> None:
    if not log.exists():  # it did not come to verifying
        return

    def write(line: str) -> None:
        stream.write(one_line(line) + "\n")

    lines = RedactedLines(redaction, write)
    with log.open(encoding="utf-8", errors="replace", newline="\n") as source:
        for line in source:
            lines.add(line.rstrip("\n"))
    lines.close()
