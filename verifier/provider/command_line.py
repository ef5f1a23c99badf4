"""Command lines of users, split into words as a shell does it, but without running one."""

from __future__ import annotations

import re
import shlex

from verifier.errors import UsageError

_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
SHELL_WORDS = frozenset({"&&", "||", "|", ";", "&", ">", ">>", "<", "2>", "2>&1"})


def split_command(command: str, port: int) -> list[str]:
    """Split a provider command into words, and replace its placeholders by the port.

    Raises:
        UsageError: It is empty, has an open quote, or needs a shell.
    """
    words = split_words(command, "--provider-command")
    for placeholder in ("{port}", "${PORT}", "$PORT"):
        words = [word.replace(placeholder, str(port)) for word in words]
    return words


def split_words(command: str, name: str) -> list[str]:
    """Split a command line into words.

    Args:
        command: The command line.
        name: The option that it is the value of, for messages.

    Raises:
        UsageError: It is empty, has an open quote, or needs a shell.
    """
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise UsageError(f"{name} can't be split into words: {error}: {command}") from error
    if not words:
        raise UsageError(f"{name} is empty")
    if _ASSIGNMENT.match(words[0]):
        raise UsageError(f"{name} runs without a shell: write 'env {words[0]} ...' for a variable: {command}")
    if SHELL_WORDS.intersection(words):
        raise UsageError(
            f"{name} runs without a shell, and this needs one: write it as sh -c '...', with exec before "
            f"the last command, so that it can be stopped: {command}"
        )
    return words
