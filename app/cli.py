"""The entry point of the `pact-dispatch` command."""

from __future__ import annotations

import gc
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` would be imported for this alone
    from collections.abc import Sequence
    from typing import NoReturn


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: The command line; that of this process unless given.

    Returns:
        The exit code, see `runner.ExitCode`, and for `verify` `verifier.exit_code`; wrong options leave by
        SystemExit(2).
    """
    if arguments is None:
        _run_and_end(sys.argv[1:])
    return _run(list(arguments), verify_ends_process=False)


def _run_and_end(words: list[str]) -> NoReturn:
    gc.disable()  # until the command is imported, since nothing of that is ever freed
    try:
        code = _run(words, verify_ends_process=True)
    except SystemExit as leaving:  # a usage error, and a process of the web server that ends
        if not isinstance(leaving.code, int):
            raise
        code = leaving.code
    from verifier.cli import end  # noqa: PLC0415 - `verify` has it imported by then, and ends by itself

    end(code)


def _run(words: list[str], *, verify_ends_process: bool) -> int:
    if words[:1] == ["verify"]:
        # It starts and ends as fast as the command `verify` does: nothing of the other commands is imported.
        from verifier import cli as verify  # noqa: PLC0415

        return verify.main(words[1:]) if verify_ends_process else verify.run(words[1:])
    from app.command_line import run  # noqa: PLC0415

    return run(words)
