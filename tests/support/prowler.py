"""A provider that looks for secrets wherever its account can look, and then becomes the provider that it should be.

    prowler.py REPORT BEGINNING REST [--not PID] [--younger-than PID] [--folder DIR]... -- COMMAND...

The secrets begin with BEGINNING and REST put together, which its own command line doesn't have. It looks into all
processes that it may read (environment, command line, memory, descriptors), into the files of the folders, and asks
each PostgreSQL whose socket it finds there. REPORT gets what it found, in JSON: secrets by where they were, and what
it could read.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import socket
import stat
import struct
import sys
from pathlib import Path

MOST_MEMORY = 256 * 1024 * 1024
CHUNK = 4 * 1024 * 1024


class Prowler:
    """What one walk has found."""

    def __init__(self, secret: bytes) -> None:
        self._pattern = re.compile(re.escape(secret) + rb"[\w-]*")
        self.found: dict[str, list[str]] = {}
        self.read: list[str] = []
        self.refused: list[str] = []

    def look(self, where: str, content: bytes) -> None:
        """Look for secrets in something that could be read."""
        self.read.append(where)
        for secret in set(self._pattern.findall(content)):
            self.found.setdefault(secret.decode(), []).append(where)

    def process(self, pid: int) -> None:
        """Look into a process."""
        for name in ("environ", "cmdline"):
            self.file(Path(f"/proc/{pid}/{name}"))
        try:
            self.memory(pid)
        except OSError:
            self.refused.append(f"/proc/{pid}/mem")
        try:
            descriptors = list(Path(f"/proc/{pid}/fd").iterdir())
        except OSError:
            self.refused.append(f"/proc/{pid}/fd")
            return
        for path in descriptors:
            with contextlib.suppress(OSError):
                self.look(str(path), bytes(path.readlink()))
                if stat.S_ISREG(path.stat().st_mode):
                    self.file(path)

    def memory(self, pid: int) -> None:
        """Look into the memory of a process that can be written to."""
        left = MOST_MEMORY
        with Path(f"/proc/{pid}/maps").open() as maps, Path(f"/proc/{pid}/mem").open("rb", 0) as memory:
            self.read.append(f"/proc/{pid}/mem")
            for line in maps:
                region, rights, *_ = line.split()
                first, last = (int(number, 16) for number in region.split("-"))
                if not rights.startswith("rw") or last - first > left:
                    continue
                left -= last - first
                for start in range(first, last, CHUNK):
                    with contextlib.suppress(OSError, ValueError, OverflowError):
                        memory.seek(start)
                        self.look(f"/proc/{pid}/mem", memory.read(min(CHUNK, last - start)))

    def file(self, path: Path) -> None:
        """Look into a file."""
        try:
            with path.open("rb") as opened:
                self.look(str(path), opened.read(32 * 1024 * 1024))
        except OSError:
            self.refused.append(str(path))

    def folder(self, folder: Path) -> None:
        """Look into all files below a folder, and ask its databases."""
        for here, _, names in os.walk(folder, onerror=lambda error: self.refused.append(str(error.filename))):
            for name in names:
                path = Path(here, name)
                with contextlib.suppress(OSError):
                    mode = path.lstat().st_mode
                    if stat.S_ISREG(mode):
                        self.file(path)
                    elif stat.S_ISSOCK(mode):
                        self.socket(path)

    def socket(self, path: Path) -> None:
        """Begin to talk to a PostgreSQL as its administrator."""
        parameters = b"user\0postgres\0database\0postgres\0\0"
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(5)
                connection.connect(str(path))
                connection.sendall(struct.pack("!ii", 8 + len(parameters), 196608) + parameters)
                answer = connection.recv(9)
        except OSError:
            self.refused.append(str(path))
            return
        # "R" and the code 0: authenticated, without having been asked for anything
        (self.read if answer[:1] == b"R" and answer[5:9] == b"\0\0\0\0" else self.refused).append(str(path))


def _born(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])


def main() -> None:
    """Look for secrets, write them down, and execute the command."""
    parser = argparse.ArgumentParser()
    parser.add_argument("report", type=Path)
    parser.add_argument("beginning")
    parser.add_argument("rest")
    parser.add_argument("--not", dest="left_out", type=int, action="append", default=[])
    parser.add_argument("--younger-than", type=int)
    parser.add_argument("--folder", type=Path, action="append", default=[])
    cut = sys.argv.index("--")
    options, command = parser.parse_args(sys.argv[1:cut]), sys.argv[cut + 1 :]
    prowler = Prowler((options.beginning + options.rest).encode())
    oldest = _born(options.younger_than) if options.younger_than else 0
    prowler.file(Path("/proc/self/environ"))
    for pid in (int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal()):
        with contextlib.suppress(OSError):
            if pid not in {os.getpid(), *options.left_out} and _born(pid) >= oldest:
                prowler.process(pid)
    for folder in options.folder:
        prowler.folder(folder)
    report = {
        "found": prowler.found,
        "read": sorted(set(prowler.read)),
        "refused": prowler.refused,
        "uid": os.getuid(),
        "environment": dict(os.environ),
        "parent": os.getppid(),
    }
    beginning = options.report.with_suffix(".new")
    beginning.write_text(json.dumps(report))
    beginning.replace(options.report)
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
