"""The runner of all commands: their messages on standard error, and their exit codes."""

from __future__ import annotations

import gc
import logging
import os
import sys
import traceback
from enum import IntEnum
from typing import TYPE_CHECKING

from app.commands.extras import install_with
from app.config.variables import LOG_LEVEL
from broker.http.errors import BrokerError
from broker.http.request_log import REQUESTS
from broker.text.harmless import one_line
from broker.text.redaction import Redaction
from broker.text.terminal import guard_terminal, loss_of
from verifier.errors import UsageError
from verifier.undumpable import become_undumpable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from types import ModuleType

LIBRARIES_OF_EXTRAS = frozenset(
    {
        "cryptography",
        "flask",
        "gevent",
        "github",
        "gunicorn",
        "procrastinate",
        "prometheus_client",
        "psycopg",
        "psycopg_pool",
        "pydantic",
        "sqlalchemy",
        "structlog",
        "yaml",
    }
)
"""The modules that the extras bring; the base installation has none of them."""
SETUP_COMMANDS = frozenset({"doctor", "setup", "wait", "webhooks"})
"""The commands that need no more than the extra `setup`; the others need `server`."""


class ExitCode(IntEnum):
    """The exit codes; the help of each command says what they mean there."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    COULD_NOT = 3
    NOT_PUBLISHED = 4
    INTERRUPTED = 130


class CommandFailed(Exception):
    """The command can't go on.

    Attributes:
        code: The exit code.
        lines: What to tell people, a line each.
    """

    def __init__(self, code: ExitCode, *lines: str) -> None:
        super().__init__(*lines)
        self.code = code
        self.lines = lines


class Messages:
    """Lines on standard error that begin with the command's name and show no secret.

    Args:
        command: The name of the command, as on the command line.
    """

    def __init__(self, command: str) -> None:
        self._command = command
        self._secrets: list[str | None] = []
        self._redaction = Redaction(())
        self._level = logging.INFO

    def set_level(self, level: str) -> None:
        """Write only lines of this level, or above it; at `debug`, a line for each request, too.

        Args:
            level: The level's name in lower case.
        """
        self._level = logging.getLevelNamesMapping()[level.upper()]
        if self.shows(logging.DEBUG):
            REQUESTS.handlers = [_ToMessages(self)]
            REQUESTS.setLevel(logging.DEBUG)
            REQUESTS.propagate = False

    def close(self) -> None:
        """Show no more requests."""
        REQUESTS.handlers = []
        REQUESTS.setLevel(logging.NOTSET)
        REQUESTS.propagate = True

    def shows(self, level: int) -> bool:
        """Return whether lines of a level are written."""
        return level >= self._level

    def hide(self, *secrets: str | None) -> None:
        """Keep these values out of everything that is written from now on."""
        self._secrets += secrets
        self._redaction = Redaction(self._secrets)

    def redacted(self, text: str) -> str:
        """Return a text of ours without the secrets."""
        return self._redaction.own(text)

    def say(self, text: str, level: int = logging.INFO) -> None:
        """Write one line, if its level is shown."""
        if not self.shows(level):
            return
        print(
            f"pact-dispatch {self._command}: {one_line(self.redacted(text))}",
            file=sys.stderr,
            flush=True,
        )


class _ToMessages(logging.Handler):
    """Writes the lines of a log as messages."""

    def __init__(self, messages: Messages) -> None:
        super().__init__()
        self._messages = messages

    def emit(self, record: logging.LogRecord) -> None:
        self._messages.say(record.getMessage(), record.levelno)


def run(options: argparse.Namespace, load: Callable[[], ModuleType]) -> int:
    """Run a command, and tell in plain words why it could not go on.

    Args:
        options: The parsed options; `command` is the command's name.
        load: Imports the command's module, whose `run` takes the options and the messages and returns the exit code.

    Returns:
        The exit code.
    """
    become_undumpable()
    guard_terminal()
    messages = Messages(options.command)
    lines: tuple[str, ...] = ()
    code: int
    try:
        command = _loaded(options.command, load)
        if not gc.isenabled():  # see `app.cli`
            gc.freeze()
            gc.enable()
        code = command.run(options, messages)
    except CommandFailed as failure:
        code, lines = failure.code, failure.lines
    except UsageError as error:
        code, lines = ExitCode.USAGE, (str(error),)
    except BrokerError as error:
        code, lines = ExitCode.COULD_NOT, (str(error),)
    except KeyboardInterrupt:
        code, lines = ExitCode.INTERRUPTED, ("interrupted",)
    except Exception as error:  # noqa: BLE001 - the outermost boundary
        # Python would exit with 1, which means that something is broken that was looked at
        code, lines = ExitCode.COULD_NOT, _unexpected(error, options)
    finally:
        messages.close()
    for line in lines:
        messages.say(line, logging.CRITICAL)
    loss = loss_of(sys.stdout)
    if loss is not None and not isinstance(loss, BrokenPipeError):  # who has left a pipe has seen enough
        messages.say(f"not all that it printed could be written: {loss.strerror}", logging.CRITICAL)
    return code


def extra_of(command: str) -> str:
    """Return the extra that a command needs."""
    return "setup" if command in SETUP_COMMANDS else "server"


def _unexpected(error: Exception, options: argparse.Namespace) -> tuple[str, ...]:
    """Return what is told of an exception that nobody expected, with its traceback if the log's level is `debug`."""
    shown = f"{type(error).__name__}{f': {error}' if str(error) else ''}"
    text = f"this is a mistake in pact-dispatch itself: {shown}"
    level = getattr(options, "log_level", None) or os.environ.get(LOG_LEVEL, "")
    if level.lower() == "debug":
        return (*"".join(traceback.format_exception(error)).splitlines(), text)
    return (f"{text}. With {LOG_LEVEL}=debug it says where",)


def _loaded(command: str, load: Callable[[], ModuleType]) -> ModuleType:
    try:
        return load()
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in LIBRARIES_OF_EXTRAS:
            raise
        text = f"it needs {error.name}: {install_with(extra_of(command))}"
        raise CommandFailed(ExitCode.COULD_NOT, text) from error
