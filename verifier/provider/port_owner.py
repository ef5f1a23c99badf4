"""Which processes listen on a port, as Linux tells it of those that may be looked into."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from verifier.provider.port import LISTEN

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST_DESCENT = 64
"""How many parents of a process are looked at."""


def is_other_process(port: int, leader: int) -> bool:
    """Return whether processes listen on a port of which none is the leader of a session, in it, or descends from it.

    False where that can't be told: where there is no /proc (macOS), or it is a process of another user.
    """
    sockets = _listening_sockets(port)
    if not sockets:
        return False
    found = False
    for pid in _processes():
        if not sockets.isdisjoint(_sockets_of(pid)):
            if _belongs(pid, leader):
                return False
            found = True
    return found


def _listening_sockets(port: int) -> set[str]:
    found = set()
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        with suppress(OSError):
            for line in table.read_text(encoding="ascii").splitlines()[1:]:
                fields = line.split()
                if fields[3] == LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                    found.add(f"socket:[{fields[9]}]")
    return found


def _processes() -> Iterator[int]:
    for name in os.listdir("/proc"):  # noqa: PTH208 - names alone, of hundreds
        if name.isdecimal():
            yield int(name)


def _sockets_of(pid: int) -> set[str]:
    found = set()
    with suppress(OSError):  # it has ended, or is another user's
        for entry in os.scandir(f"/proc/{pid}/fd"):
            with suppress(OSError):
                target = os.readlink(entry.path)  # noqa: PTH115 - likewise
                if target.startswith("socket:"):
                    found.add(target)
    return found


def _belongs(pid: int, leader: int) -> bool:
    with suppress(OSError):
        if os.getsid(pid) == leader:
            return True
    for _ in range(LONGEST_DESCENT):
        if pid == leader:
            return True
        try:
            # the name of the program, in brackets, may have anything in it
            pid = int(
                Path(f"/proc/{pid}/stat")
                .read_text(encoding="utf-8", errors="replace")
                .rpartition(")")[2]
                .split()[1]
            )
        except (OSError, ValueError, IndexError):
            return False
        if pid <= 1:
            return False
    return False
