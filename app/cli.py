"""The entry point of the `pact-dispatch` command."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` would be imported for this alone
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: The command line; that of this process unless given.

    Returns:
        The exit code, see `runner.ExitCode`, and for `verify` `verifier.exit_code`; wrong options leave by
        SystemExit(2).
    """
    words = sys.argv[1:] if arguments is None else list(arguments)
    if words[:1] == ["verify"]:
        # It starts and ends as fast as the command `verify` does: nothing of the other commands is imported.
        from verifier import cli as verify  # noqa: PLC0415

        return verify.main(words[1:]) if arguments is None else verify.run(words[1:])
    from app.command_line import run  # noqa: PLC0415

    return run(words)
