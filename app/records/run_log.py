"""The log of a run, of a size that has a limit: its beginning and its end are kept, and stored in chunks."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, LiteralString

from app.database.storable import storable_text
from app.records import run_moments
from app.records.run_moments import MomentName, NotedMoment
from verifier.report.amounts import count

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from psycopg import Connection

    from app.records.run import Run

CHUNKS_OF_A_HALF = 8
"""The end of a log is dropped by whole chunks, of which it has at least so many."""

_IS_LATEST = "EXISTS (SELECT 1 FROM runs WHERE id = %(id)s AND attempt = %(attempt)s)"


@dataclass(frozen=True)
class Chunk:
    """Consecutive lines, stored in one row.

    Attributes:
        first_line: the number of the first one.
        lines: how many there are.
        size: bytes.
        text: the lines; "" where they need not be known, since they are stored.
    """

    first_line: int
    lines: int
    size: int
    text: str = ""


@dataclass(frozen=True)
class LogUpdate:
    """What is to be stored of a log that has grown.

    Attributes:
        new: chunks to store; some may be stored already.
        dropped: the first lines of chunks to delete.
        moments: what happened meanwhile; some may be stored already.
    """

    new: tuple[Chunk, ...]
    dropped: tuple[int, ...]
    moments: tuple[NotedMoment, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to store."""
        return not self.new and not self.dropped and not self.moments


class RunLog:
    """The lines of a run's attempts, with the time of day in UTC. Only those that are not stored yet are held.

    Args:
        limit: Bytes at most; what is left out is in the middle.
        stored: The chunks of this log that are stored already, of earlier attempts for instance, in order.
    """

    def __init__(self, limit: int, stored: Iterable[Chunk] = ()) -> None:
        self._half = limit // 2
        self._next_line = 0
        self._head_size = 0
        self._head: deque[Chunk] = deque()
        self._in_tail = False
        self._tail: deque[Chunk] = deque()
        self._tail_size = 0
        self._stored: set[int] = set()
        self._dropped: list[int] = []
        self._noted: set[MomentName] = set()
        self._moments: list[NotedMoment] = []
        self._update = LogUpdate((), ())
        for chunk in stored:
            self._stored.add(chunk.first_line)
            self._take(chunk)

    def add(self, line: str) -> None:
        """Add a line, with the time."""
        line = storable_text(f"{datetime.now(UTC):%H:%M:%S.%f}"[:12] + f" {line}")
        self._take(Chunk(self._next_line, 1, len(line.encode()) + 1, line))

    def note(self, name: MomentName) -> None:
        """Note that something has happened just now, unless it has happened before."""
        if name not in self._noted:
            self._noted.add(name)
            self._moments.append(NotedMoment(name, time.monotonic()))

    @property
    def is_full(self) -> bool:
        """Whether its beginning has all that it may have, so that what is stored now may be dropped again."""
        return self._in_tail

    def update(self) -> LogUpdate:
        """Return what has to be stored; the same again, and what came since, until `confirm` is called."""
        self._update = LogUpdate(
            new=(*self._update.new, *self._joined(self._head), *self._joined(self._tail)),
            dropped=(*self._update.dropped, *self._dropped),
            moments=(*self._update.moments, *self._moments),
        )
        self._dropped, self._moments = [], []
        return self._update

    def confirm(self) -> None:
        """Note that the last update is stored."""
        self._update = LogUpdate((), ())

    def _take(self, chunk: Chunk) -> None:
        self._next_line = chunk.first_line + chunk.lines
        if not self._in_tail and self._head_size + chunk.size <= self._half:
            self._head.append(chunk)
            self._head_size += chunk.size
            return
        self._in_tail = True
        self._tail.append(chunk)
        self._tail_size += chunk.size
        while self._tail_size > self._half and self._tail:
            dropped = self._tail.popleft()
            self._tail_size -= dropped.size
            if dropped.first_line in self._stored:
                self._stored.remove(dropped.first_line)
                self._dropped.append(dropped.first_line)

    def _joined(self, held: deque[Chunk]) -> list[Chunk]:
        """Join the lines that are not stored yet to chunks, which are held without their text from now on."""
        lines: deque[Chunk] = deque()
        while held and held[-1].first_line not in self._stored:
            lines.appendleft(held.pop())
        limit = self._half // CHUNKS_OF_A_HALF
        chunks: list[Chunk] = []
        for line in lines:
            last = chunks[-1] if chunks else None
            if (
                last is not None
                and last.first_line + last.lines == line.first_line
                and last.size + line.size <= limit
            ):
                text = f"{last.text}\n{line.text}"
                chunks[-1] = Chunk(last.first_line, last.lines + 1, last.size + line.size, text)
            else:
                chunks.append(line)
        self._stored.update(chunk.first_line for chunk in chunks)
        held.extend(Chunk(chunk.first_line, chunk.lines, chunk.size) for chunk in chunks)
        return chunks


def store_log(connection: Connection[Any], run: Run, update: LogUpdate) -> None:
    """Store what was added to the log of an attempt, if it is the latest one; may be repeated.

    Args:
        connection: The open connection; the caller commits.
        run: The attempt.
        update: What was added.
    """
    if update.moments:
        run_moments.add(connection, run, update.moments)
    if not update.new and not update.dropped:
        return
    _execute(
        connection,
        run,
        """
        INSERT INTO run_log_chunks (run_id, first_line, lines, text)
        SELECT %(id)s, first_line, lines, text
        FROM unnest(%(first)s::integer[], %(lines)s::integer[], %(texts)s::text[]) AS new (first_line, lines, text)
        WHERE {is_latest}
        ON CONFLICT DO NOTHING
        """,
        first=[chunk.first_line for chunk in update.new],
        lines=[chunk.lines for chunk in update.new],
        texts=[chunk.text for chunk in update.new],
    )
    if update.dropped:
        _execute(
            connection,
            run,
            "DELETE FROM run_log_chunks WHERE run_id = %(id)s AND first_line = ANY(%(dropped)s) AND {is_latest}",
            dropped=list(update.dropped),
        )


def _execute(connection: Connection[Any], run: Run, query: LiteralString, **values: Any) -> None:
    connection.execute(
        query.replace("{is_latest}", _IS_LATEST), {"id": run.id, "attempt": run.attempt, **values}
    )


def stored_chunks(connection: Connection[Any], run_id: UUID) -> list[Chunk]:
    """Return the chunks of a run's log, without their texts."""
    rows = connection.execute(
        "SELECT first_line, lines, octet_length(text) + 1 FROM run_log_chunks WHERE run_id = %(id)s "
        "ORDER BY first_line",
        {"id": run_id},
    )
    return [Chunk(*row) for row in rows]


def text_of_log(connection: Connection[Any], run_id: UUID) -> str:
    """Return the log of a run; "" where there is none (yet)."""
    rows = connection.execute(
        """
        SELECT 0 AS part, 0 AS first_line, 0 AS lines, text FROM run_logs WHERE run_id = %(id)s
        UNION ALL SELECT 1, first_line, lines, text FROM run_log_chunks WHERE run_id = %(id)s
        ORDER BY part, first_line
        """,
        {"id": run_id},
    ).fetchall()
    parts, expected = [], 0
    for _, first_line, lines, text in rows:
        if first_line > expected:
            parts.append(f"... {count(first_line - expected, 'line')} left out ...")
        parts.append(text)
        expected = first_line + lines
    return "\n".join(parts)


def end_of_log(connection: Connection[Any], run_id: UUID, most: int) -> tuple[str, bool]:
    """Return the end of a run's log, from the beginning of a line, and whether that is all of it.

    Args:
        connection: The open connection.
        run_id: The run.
        most: The characters of it, at most.
    """
    rows = connection.execute(
        """
        SELECT first_line, lines, right(text, %(most)s), length(text) > %(most)s FROM (
            SELECT *, sum(length(text) + 1) OVER (ORDER BY part DESC, first_line DESC) - length(text) AS after FROM (
                SELECT 0 AS part, 0 AS first_line, 0 AS lines, text FROM run_logs WHERE run_id = %(id)s
                UNION ALL SELECT 1, first_line, lines, text FROM run_log_chunks WHERE run_id = %(id)s
            ) AS chunks) AS counted
        WHERE after <= %(most)s ORDER BY part, first_line
        """,
        {"id": run_id, "most": most},
    ).fetchall()
    parts, expected = [], None
    for first_line, lines, text, _ in rows:
        if expected is not None and first_line > expected:
            parts.append(f"... {count(first_line - expected, 'line')} left out ...")
        parts.append(text)
        expected = first_line + lines
    text = "\n".join(parts)
    is_whole = not rows or (rows[0][0] == 0 and not rows[0][3])
    if len(text) > most:
        text, is_whole = text[-most:], False
    return text if is_whole else text.partition("\n")[2] or text, is_whole
