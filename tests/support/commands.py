"""`pact-dispatch` and `verify` run in the test's own process, for what they find, say and end with."""

from __future__ import annotations

import io
import os
from contextlib import redirect_stderr, redirect_stdout
from subprocess import CompletedProcess
from typing import TYPE_CHECKING
from unittest.mock import patch

from app.cli import main
from verifier.command.options import parse_options
from verifier.command.verify import VerifyCommand

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from verifier.engine.process import Engine


def pact_dispatch(*arguments: str, environment: Mapping[str, str], stdin: str = "") -> CompletedProcess[str]:
    """Run a command to its end, with nothing but this environment; an exception that it lets out is the test's.

    Starting an interpreter with all its modules would take many times as long. What the console script, signals and
    pipes do is shown by tests that start a process.
    """
    return _completed(arguments, lambda: main(arguments), environment, stdin)


def verify_command(*arguments: str, environment: Mapping[str, str], engine: Engine) -> CompletedProcess[str]:
    """Run `verify` to its end, likewise, with an engine that was started."""
    return _completed(
        arguments, lambda: VerifyCommand(parse_options(list(arguments)), engine).run(), environment
    )


def _completed(
    arguments: tuple[str, ...], command: Callable[[], int], environment: Mapping[str, str], stdin: str = ""
) -> CompletedProcess[str]:
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    with (
        patch.dict(os.environ, environment, clear=True),
        patch("sys.stdin", io.StringIO(stdin)),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            code = command()
        except SystemExit as left:
            code = int(left.code or 0)
    return CompletedProcess(arguments, code, *(_written(stream) for stream in (out, err)))


def _written(stream: io.TextIOWrapper) -> str:
    stream.seek(0)
    return stream.read()
