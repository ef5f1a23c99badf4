"""The entry point of the `pact-dispatch` command."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Returns:
        The exit code, see `runner.ExitCode`, and for `verify` `verifier.exit_code`; wrong options leave by
        SystemExit(2).
    """
    words = sys.argv[1:] if arguments is None else list(arguments)
    if words[:1] == ["verify"]:
        # It starts as fast as the command `verify` does: nothing of the other commands is imported.
        from verifier.cli import run as verify  # noqa: PLC0415

        return verify(words[1:])
    from app.command_line import run  # noqa: PLC0415

    return run(words)
