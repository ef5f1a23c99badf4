"""Pages of the dashboard that stay open, in a process of their own: each does what the script of a page does.

It holds a connection for the server-sent events that the page names, and when it is told of a change, it asks for its
new content.
"""

from __future__ import annotations

import asyncio
import html
import multiprocessing
import re
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from multiprocessing.connection import Connection

PATIENCE = 120.0
AT_ONCE = 20
"""The pages that are opened at once."""
_EVENTS = re.compile(rb'sse-connect="([^"]+)"')


class Refreshed(NamedTuple):
    """A page was told of a change and has shown it; times are monotonic.

    Attributes:
        page: The number of the page.
        told: When the event came.
        shown: When the new content was there.
        kilobytes: The size of the new content.
    """

    page: int
    told: float
    shown: float
    kilobytes: float


@dataclass
class OpenPages:
    """Pages that are open, and what became of them.

    Attributes:
        refreshed: What each was told and has shown, once they are closed.
        failures: What went wrong.
    """

    refreshed: list[Refreshed] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


@contextmanager
def open_pages(port: int, headers: dict[str, str], paths: Sequence[str]) -> Iterator[OpenPages]:
    """Have pages open for the length of a `with` block; all of them are when it begins."""
    found = OpenPages()
    if not paths:
        yield found
        return
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_run, args=(theirs, port, headers, list(paths)))
    process.start()
    try:
        assert ours.poll(PATIENCE), "the pages were not opened in time"
        found.failures += ours.recv()
        yield found
    finally:
        ours.send(None)
        if ours.poll(PATIENCE):
            refreshed, failures = ours.recv()
            found.refreshed += refreshed
            found.failures += failures
        process.join(PATIENCE)


def _run(pipe: Connection, port: int, headers: dict[str, str], paths: list[str]) -> None:
    asyncio.run(_open_all(pipe, port, headers, paths))


async def _open_all(pipe: Connection, port: int, headers: dict[str, str], paths: list[str]) -> None:
    found = OpenPages()
    opening = asyncio.Semaphore(AT_ONCE)
    opened: list[asyncio.Future[None]] = []
    tasks = []
    for number, path in enumerate(paths):
        ready = asyncio.get_running_loop().create_future()
        opened.append(ready)
        tasks.append(asyncio.create_task(_open(number, path, port, headers, opening, ready, found)))
    await asyncio.wait(opened)
    pipe.send(found.failures)
    found.failures.clear()
    await asyncio.to_thread(pipe.recv)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    pipe.send((found.refreshed, found.failures))


async def _open(
    number: int,
    path: str,
    port: int,
    headers: dict[str, str],
    opening: asyncio.Semaphore,
    ready: asyncio.Future[None],
    found: OpenPages,
) -> None:
    requests = Requests(port, headers)
    try:
        async with opening:
            source = _EVENTS.search(await requests.get(path))
            assert source is not None, "it follows no changes"
            events, writer = await asyncio.open_connection("127.0.0.1", port)
            stream = html.unescape(source[1].decode())
            writer.write(_request(stream, headers | {"Accept": "text/event-stream"}))
            status = (await events.readline()).split()[1:2]
            assert status == [b"200"], status
        ready.set_result(None)
        while line := await events.readline():
            if line.startswith(b"event: changed"):
                told = time.monotonic()
                content = await requests.get(path, {"HX-Request": "true"})
                found.refreshed.append(Refreshed(number, told, time.monotonic(), len(content) / 1024))
        found.failures.append(f"{path}: its events have ended")
    except Exception as error:  # noqa: BLE001 - what goes wrong is counted
        found.failures.append(f"{path}: {type(error).__name__}: {error}")
    finally:
        if not ready.done():
            ready.set_result(None)


class Requests:
    """The requests of one page, on a connection that is opened again when the server has closed it."""

    def __init__(self, port: int, headers: dict[str, str]) -> None:
        self._port = port
        self._headers = headers
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def get(self, path: str, headers: dict[str, str] | None = None) -> bytes:
        """Return the body of an answer.

        Raises:
            AssertionError: Its status is not 200.
        """
        for attempt in range(2):
            is_new = self._streams is None
            reader, writer = self._streams or await asyncio.open_connection("127.0.0.1", self._port)
            self._streams = reader, writer
            try:
                writer.write(_request(path, self._headers | (headers or {})))
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            except (OSError, asyncio.IncompleteReadError):
                self._streams = None
                if is_new or attempt:
                    raise
                continue  # it was closed while nothing was asked for
            assert head.startswith("http/1.1 200 "), head.splitlines()[0]
            fields = dict(line.split(": ", 1) for line in head.splitlines()[1:] if ": " in line)
            length = int(fields["content-length"])
            body = await reader.readexactly(length)
            if fields.get("connection") == "close":
                writer.close()
                self._streams = None
            return body
        raise AssertionError("not reached")


def _request(path: str, headers: dict[str, str]) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in {"Host": "127.0.0.1", **headers}.items())
    return f"GET {path} HTTP/1.1\r\n{lines}\r\n".encode()
