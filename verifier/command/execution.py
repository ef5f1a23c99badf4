"""The `verify` command from its command line to its exit code, and what it prints if it can't start."""

from __future__ import annotations

import gc
import os
import sys
from typing import TYPE_CHECKING

from broker.text.terminal import guard_terminal
from verifier.command.github import is_github_run
from verifier.command.options import parse_options
from verifier.engine.process import Engine
from verifier.environment import BROKER_CREDENTIALS, PROVIDER_KEY_PASSWORD
from verifier.errors import UsageError
from verifier.exit_code import ExitCode
from verifier.interruption import interruptible
from verifier.undumpable import become_undumpable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verifier.engine.spawn import SpawnedChild

DETAILS = frozenset({"debug", "trace"})
"""The values of `--log-level` with which an error of ours is shown with its traceback."""


def execute(arguments: list[str], child: SpawnedChild) -> int:
    """Run the command.

    Args:
        arguments: The command line.
        child: The engine's process, which may still be starting.

    Returns:
        The exit code.
    """
    guard_terminal()
    try:
        options = parse_options(arguments)
        with interruptible(), Engine(child) as engine:
            become_undumpable()
            from verifier.command.verify import VerifyCommand  # noqa: PLC0415 - not for a command line that is wrong

            gc.freeze()
            gc.enable()
            return VerifyCommand(options, engine).run()
    except UsageError as error:
        return refuse(error)
    except KeyboardInterrupt:
        print("verify: interrupted; what was started has been stopped", file=sys.stderr)
        return ExitCode.INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the outermost boundary
        # Python would exit with 1, which here means that the contract is broken.
        _report_mistake(error, shows_where=not DETAILS.isdisjoint(_log_levels(arguments)))
        return ExitCode.COULD_NOT_VERIFY


def _log_levels(arguments: list[str]) -> Iterator[str]:
    """Yield what `--log-level` is given; the error may have come before the command line was read."""
    for argument, following in zip(arguments, [*arguments, ""][1:], strict=True):
        name, _, value = argument.partition("=")
        if name == "--log-level":
            yield value or following


def _report_mistake(error: Exception, *, shows_where: bool) -> None:
    """Report an error of ours, without a secret."""
    import traceback  # noqa: PLC0415 - none of these is needed where all is well

    from broker.text.harmless import lines_of  # noqa: PLC0415
    from broker.text.redaction import Redaction  # noqa: PLC0415

    redaction = Redaction([os.environ.get(name) for name in (*BROKER_CREDENTIALS, PROVIDER_KEY_PASSWORD)])
    if shows_where:
        text = redaction.text("".join(traceback.format_exception(error)))
        print("\n".join(lines_of(text)), file=sys.stderr)
    what = redaction.text(f"{type(error).__name__}{f': {error}' if str(error) else ''}")
    _report_problem(
        f"this is a mistake in verify itself ({what}); nothing is known about the contract"
        + ("" if shows_where else ". With --log-file FILE --log-level debug it says where")
    )


def refuse(error: UsageError) -> int:
    """Report what is wrong with the command or its configuration.

    Returns:
        The exit code.
    """
    _report_problem(str(error))
    return ExitCode.USAGE


def _report_problem(message: str) -> None:
    """Report why nothing was verified: on standard error, and in GitHub's run if this is one."""
    from broker.text.harmless import one_line  # noqa: PLC0415

    print(f"verify: {one_line(message)}", file=sys.stderr)
    if is_github_run(os.environ):
        from verifier.report.github import GitHubReport  # noqa: PLC0415

        GitHubReport(os.environ).write_problem(message, sys.stderr)
