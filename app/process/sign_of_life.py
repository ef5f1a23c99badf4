"""The sign of life of a process that listens nowhere: a file that it touches, for whoever supervises it."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

FOLDER = "alive"
"""The folder of the signs in the data directory."""
FORGOTTEN_SECONDS = 86400.0
"""When the file of a process that was killed is removed, where nobody can tell earlier that it was."""
PROC = Path("/proc")
_STATE, _START = 0, 19
"""The fields of /proc/PID/stat that count, after the name of the program: see proc_pid_stat(5)."""


@dataclass(frozen=True)
class Sign:
    """A sign of life.

    Attributes:
        name: The name of the process.
        age: For how many seconds it has not been given again.
        seconds: How old it may be.
        has_ended: Whether the process is certainly gone: it was one of this machine, and of this container, and there
            is none of its id any more, or another one.
    """

    name: str
    age: float
    seconds: float
    has_ended: bool = False

    @property
    def is_recent(self) -> bool:
        """Whether the process is alive."""
        return not self.has_ended and self.age <= self.seconds


class SignOfLife:
    """Gives the sign of life of this process.

    Args:
        data_dir: The data directory.
        name: The name of the process.
    """

    def __init__(self, data_dir: Path, name: str) -> None:
        self._file = data_dir / FOLDER / name
        self._seconds: float | None = None

    def give(self, seconds: float) -> None:
        """Tell that the process is alive; the file of one that was is not written again, in case the disk is full.

        Args:
            seconds: How old the sign may become.

        Raises:
            OSError: It can't be given.
        """
        if seconds != self._seconds or not self._file.exists():
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self._forget_others()
            self._file.write_text(f"{seconds:g}\n{_this_process()}\n", encoding="utf-8")
            self._seconds = seconds
        self._file.touch()

    def withdraw(self) -> None:
        """Remove the sign: the process ends."""
        with suppress(OSError):
            self._file.unlink(missing_ok=True)

    def _forget_others(self) -> None:
        for file in self._file.parent.iterdir():
            with suppress(OSError, ValueError):
                if _read(file).has_ended or time.time() - file.stat().st_mtime > FORGOTTEN_SECONDS:
                    file.unlink()


def signs(data_dir: Path) -> list[Sign]:
    """Return the signs in a data directory, the youngest first."""
    found = []
    folder = data_dir / FOLDER
    for file in folder.iterdir() if folder.is_dir() else ():
        with suppress(OSError, ValueError):  # removed, or just being written
            found.append(_read(file))
    return sorted(found, key=lambda sign: sign.age)


def _read(file: Path) -> Sign:
    """Return the sign in a file.

    Raises:
        OSError: It can't be read.
        ValueError: It is just being written.
    """
    seconds, _, process = file.read_text(encoding="utf-8").partition("\n")
    return Sign(file.name, time.time() - file.stat().st_mtime, float(seconds), _has_ended(process))


def _this_process() -> str:
    """Return what this process is known by: its id, when it began, and where that is so; "" if nobody can tell."""
    pid = os.getpid()
    stat, place = _stat(pid), _place()
    return "" if stat is None or place is None else f"{pid} {stat[_START]} {place}"


def _has_ended(process: str) -> bool:
    """Tell whether a process has certainly ended.

    Args:
        process: What it is known by; see `_this_process`. Files of earlier versions have none.
    """
    pid, _, rest = process.strip().partition(" ")
    began, _, place = rest.partition(" ")
    if not pid.isdecimal() or place != _place():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        pass  # it belongs to somebody else, or to another process by now; or the file is damaged
    stat = _stat(int(pid))
    return stat is not None and (stat[_START] != began or stat[_STATE] in "ZX")


def _stat(pid: int) -> list[str] | None:
    """Return the fields of /proc/PID/stat after the program's name; None where there is no such file to be read."""
    try:
        fields = (
            (PROC / str(pid) / "stat")
            .read_text(encoding="utf-8", errors="replace")
            .rpartition(")")[2]
            .split()
        )
    except OSError:
        return None
    return fields if len(fields) > _START else None


def _place() -> str | None:
    """Return where a process id means the same: the start of the machine, and the namespaces of the process.

    Another container has a namespace of its own, and the number of the first one is the same on each machine. Times of
    processes are by the time namespace, which older kernels don't have.
    """
    names = []
    try:
        names.append((PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip())
        names.append(str((PROC / "self/ns/pid").readlink()))
    except OSError:
        return None
    with suppress(OSError):
        names.append(str((PROC / "self/ns/time").readlink()))
    return " ".join(names)
