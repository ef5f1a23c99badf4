"""Slots: folders for one checkout at a time, so that a checkout usually has the path of the one before.

A virtual environment and other results of a setup contain their own path, so what is cached in a slot is only used
there. A slot is a folder with

    lock      locked by the run that has the slot
    commands  exists while git or a setup works in the slot, and is locked by them: they may outlive a killed run
    NAME      the checkout
    setups    the cached results of setups, by key
"""

from __future__ import annotations

import threading
import time
import uuid
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

from app.process.locks import Busy, locked
from app.provider.checkout.removal import remove

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ORPHAN_SECONDS = 10.0
"""How long to wait for the commands of a killed run. They are being stopped, but a daemon of theirs may stay."""


@dataclass(frozen=True)
class Slot:
    """A slot that this process holds.

    Attributes:
        path: The folder of the slot.
        folder: The folder of the checkout.
    """

    path: Path
    folder: Path

    @property
    def setups(self) -> Path:
        """The folder of the cached results of setups."""
        return self.path / "setups"

    @contextmanager
    def in_use_by_commands(self, deadline: float) -> Iterator[int]:
        """Yield a file descriptor for commands to inherit, and to keep open until they end.

        If commands of a killed run are still at work, wait for their end first, for a limited time.
        """
        file = self.path / "commands"
        left = max(0.0, deadline - time.monotonic())
        with suppress(Busy), locked(file, wait=min(left, ORPHAN_SECONDS)):
            pass
        file.unlink()
        discard(self.folder)
        with locked(file) as held:
            try:
                yield held.descriptor
            finally:
                file.unlink(missing_ok=True)


@contextmanager
def take_slot(home: Path, name: str) -> Iterator[Slot]:
    """Take the first slot that is free; its checkout is removed at the end.

    Args:
        home: The folder of the slots.
        name: The name of the checkout's folder.
    """
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    for number in count():
        path = home / str(number)
        path.mkdir(exist_ok=True)
        with ExitStack() as stack:
            try:
                stack.enter_context(locked(path / "lock"))
            except Busy:
                continue
            slot = Slot(path, path / name)
            try:
                yield slot
            finally:
                with suppress(OSError):  # a later run removes it
                    discard(slot.folder)
                    _sweep(home, after=number, name=name)
                _empty_in_background(home / "trash")
        return


def discard(path: Path) -> None:
    """Move a checkout out of its slot at once; it is removed in the background, or by a later run."""
    trash = path.parent.parent / "trash"
    trash.mkdir(exist_ok=True)
    with suppress(FileNotFoundError):
        path.rename(trash / uuid.uuid4().hex)


def _sweep(home: Path, *, after: int, name: str) -> None:
    """Remove the checkouts of killed runs from the other slots."""
    for number in count(after + 1):
        path = home / str(number)
        if not path.exists():
            return
        with suppress(Busy), locked(path / "lock"):
            discard(path / name)


def _empty_in_background(trash: Path) -> None:
    # removing a large checkout takes seconds, and the result must not wait for that
    threading.Thread(target=_empty, args=[trash], daemon=True, name="empty-trash").start()


def _empty(folder: Path) -> None:
    with suppress(FileNotFoundError):
        for path in folder.iterdir():
            remove(path, ignore_errors=True)
