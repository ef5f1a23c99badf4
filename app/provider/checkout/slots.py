"""Slots: folders for one checkout at a time, so that a checkout mostly has the path that the last one had.

A virtual environment and much else that a setup makes holds its own path; what was kept in a slot is only used
there again. A slot is a folder with

    lock      held by the run that has the slot
    commands  there while git or a setup works in it, and held by them: after a kill they may outlive the run
    NAME      the checkout
    setups    what setups made, by key
"""

from __future__ import annotations

import os
import shutil
import threading
import time
import uuid
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

from app.process.locks import Busy, locked

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ORPHAN_SECONDS = 10.0
"""How long the commands of a killed run are waited for. They are being stopped; a daemon of theirs may stay."""


@dataclass(frozen=True)
class Slot:
    """A slot that this process holds.

    Attributes:
        path: of the slot.
        folder: where the checkout goes.
    """

    path: Path
    folder: Path

    @property
    def setups(self) -> Path:
        """Where what setups made is kept."""
        return self.path / "setups"

    @contextmanager
    def in_use_by_commands(self, deadline: float) -> Iterator[int]:
        """Give a descriptor that commands keep open as long as they live.

        If a killed run left commands here, their end is waited for first, but not for ever.
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
    """Take the first slot that no other process has; its checkout is removed at the end.

    Args:
        home: the folder that the slots are in.
        name: what the checkout's folder is to be called.
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
                with suppress(OSError):  # it is for a later run then
                    discard(slot.folder)
                    _sweep(home, after=number, name=name)
                _empty_in_background(home / "trash")
        return


def discard(path: Path) -> None:
    """Take a checkout out of a slot, at once; it is removed in the background, or by a later run."""
    trash = path.parent.parent / "trash"
    trash.mkdir(exist_ok=True)
    with suppress(FileNotFoundError):
        path.rename(trash / uuid.uuid4().hex)


def _sweep(home: Path, *, after: int, name: str) -> None:
    """Remove what killed runs left in the other slots."""
    for number in count(after + 1):
        path = home / str(number)
        if not path.exists():
            return
        with suppress(Busy), locked(path / "lock"):
            discard(path / name)


def _empty_in_background(trash: Path) -> None:
    # removing a large checkout takes seconds, and somebody waits for the result
    threading.Thread(target=empty, args=[trash], daemon=True, name="empty-trash").start()


def empty(folder: Path) -> None:
    """Remove all that is in a folder, also what is read-only; what can't be removed stays."""
    with suppress(FileNotFoundError):
        for path in folder.iterdir():
            shutil.rmtree(path, ignore_errors=True)
            if path.exists():
                for parent, _, _ in os.walk(path):
                    with suppress(OSError):
                        os.chmod(parent, 0o700)  # noqa: PTH101 - os.walk gives strings
                shutil.rmtree(path, ignore_errors=True)
