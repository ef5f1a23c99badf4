"""What is shown while waiting: a line that changes on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import logging
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from broker.text.harmless import one_line
from broker.text.terminal import unguarded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.progress import Progress

    from app.commands.runner import Messages

REMIND_SECONDS = 60.0
"""How often the same is said again where no line changes."""


class WaitProgress:
    """Tells what is waited for.

    Args:
        messages: Take the lines.
        line: The line that changes, if there is one.
    """

    def __init__(self, messages: Messages, line: Progress | None) -> None:
        self._messages = messages
        self._line = line
        self._task = None if line is None else line.add_task("asking the broker", total=None)
        self._begin = time.monotonic()
        self._said: tuple[str, ...] = ()
        self._next = 0.0

    def show(self, state: str, reasons: tuple[str, ...], *, is_amiss: bool = False) -> None:
        """Show what is waited for, and why it takes its time.

        Args:
            state: What is waited for.
            reasons: What is known about why; each is said once, and again from time to time.
            is_amiss: Whether the state itself is no ordinary one.
        """
        lines = (state, *reasons)
        if self._line is not None and self._task is not None:
            self._line.update(self._task, description=one_line(self._messages.redacted(state)))
            lines = reasons
        elif time.monotonic() >= self._next:
            seconds = time.monotonic() - self._begin
            elapsed = f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
            self._said = ()
            self._next = time.monotonic() + REMIND_SECONDS
            lines = (f"{state} ({elapsed})", *reasons)
        for line in lines:
            if line not in self._said:
                ordinary = line not in reasons and not is_amiss
                self._messages.say(line, logging.INFO if ordinary else logging.WARNING)
        self._said = (state, *reasons)


@contextmanager
def wait_progress(messages: Messages) -> Iterator[WaitProgress]:
    """Show progress on standard error until the end of the block."""
    if not sys.stderr.isatty() or not messages.shows(logging.INFO):
        yield WaitProgress(messages, None)
        return
    from rich.console import Console  # noqa: PLC0415 - for a terminal alone
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415 - likewise

    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        TimeElapsedColumn(),
        console=Console(file=unguarded(sys.stderr), highlight=False),
        transient=True,
    ) as line:
        yield WaitProgress(messages, line)
