"""The entry point of the `verify` command.

The engine's process is started before anything is imported that Python hasn't loaded at its start: it imports what it
needs, while this one does the same.
"""

from __future__ import annotations

import gc
import os
import sys

from broker.text.standard_descriptors import open_closed_descriptors
from verifier.engine.spawn import SpawnedChild

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` would be imported for these alone
    from collections.abc import Callable
    from typing import NoReturn

INTERRUPTED = 130
"""As `ExitCode.INTERRUPTED`, which isn't imported yet."""


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command and exit.

    Args:
        arguments: The command line; that of this process unless given.
    """
    gc.disable()  # until all is imported, since nothing of that is ever freed
    end(code_of(lambda: run(sys.argv[1:] if arguments is None else arguments)))


def code_of(command: Callable[[], int]) -> int:
    """Return a command's exit code, also if it is interrupted before `execute` takes care of that."""
    try:
        return command()
    except KeyboardInterrupt:
        print("verify: interrupted", file=sys.stderr)
        return INTERRUPTED


def end(code: int) -> NoReturn:
    """End this process with an exit code, at once: Python would take 8 ms to free what the system frees anyway."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)


def run(arguments: list[str]) -> int:
    """Run the command.

    Returns:
        The exit code.
    """
    open_closed_descriptors()
    with SpawnedChild() as child:
        from verifier.command.execution import execute  # noqa: PLC0415 - see above

        return execute(arguments, child)
