"""Reads files that somebody has named: none of them takes long, or much memory, whatever has come in its place."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

MOST_SECRET_BYTES = 1024 * 1024
"""The largest file with a secret."""
_GIVEN = frozenset({Path("/dev"), Path("/proc")})
"""Where pipes are that somebody has given the process on purpose, such as `/dev/stdin`."""


class NoSuchContent(OSError):
    """What stands there is no file, or too large for what it is read for."""


def read_file(file: Path, *, most: int) -> bytes:
    """Return the content of a regular file, or of a pipe under `/dev`.

    Args:
        file: Its path; symbolic links are followed.
        most: The largest number of bytes.

    Raises:
        OSError: It can't be read, is something else, or is larger.
        ValueError: The path can't be one.
    """
    # a named pipe would wait for somebody who writes
    descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as opened:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(mode) and not _GIVEN.intersection(file.absolute().parents):
            raise NoSuchContent(errno.EINVAL, "it is no regular file")
        if not stat.S_ISREG(mode):
            os.set_blocking(descriptor, True)
        content = opened.read(most + 1)
    if content is None:  # a file of the kernel's, such as /proc/kmsg, that has nothing just now
        raise NoSuchContent(errno.EAGAIN, "it is no regular file")
    if len(content) > most:
        raise NoSuchContent(errno.EFBIG, f"it has more than {most // 1024} KB")
    return content


def read_secret(file: Path) -> str:
    """Return the text of a file with a secret.

    Raises:
        OSError: It can't be read, or is too large.
        ValueError: It is no text in UTF-8, or the path can't be one.
    """
    return read_file(file, most=MOST_SECRET_BYTES).decode()
