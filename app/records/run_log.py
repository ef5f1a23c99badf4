"""The log of a run, of a size that has a limit: its beginning and its end are kept."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime

from app.database.storable import storable_text


class RunLog:
    """Lines with the time of day in UTC.

    Args:
        limit: bytes at most; what is left out is in the middle, and said so.
    """

    def __init__(self, limit: int) -> None:
        self._half = limit // 2
        self._head: list[str] = []
        self._head_size = 0
        self._tail: deque[str] = deque()
        self._tail_size = 0
        self._left_out = 0
        self.changed = False

    def add(self, line: str) -> None:
        """Add a line, with the time."""
        self.repeat(f"{datetime.now(UTC):%H:%M:%S.%f}"[:12] + f" {line}")

    def repeat(self, line: str) -> None:
        """Add a line of an earlier log, which has its time."""
        line = storable_text(line)
        size = len(line.encode()) + 1
        self.changed = True
        if not self._tail and self._head_size + size <= self._half:
            self._head.append(line)
            self._head_size += size
            return
        self._tail.append(line)
        self._tail_size += size
        while self._tail_size > self._half and self._tail:
            self._tail_size -= len(self._tail.popleft().encode()) + 1
            self._left_out += 1

    def text(self) -> str:
        """Give what is kept."""
        self.changed = False
        middle = [f"... {self._left_out} lines left out ..."] if self._left_out else []
        return "\n".join([*self._head, *middle, *self._tail])
