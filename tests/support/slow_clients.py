"""Clients that hold connections of a server without ending what they began; they come back when they are cut off."""

from __future__ import annotations

import asyncio
import resource
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

BYTE_SECONDS = 2.0
"""The time between two bytes of one client; less than any limit on a pause."""
COME_BACK_SECONDS = 1.0

_POST = "POST {path} HTTP/1.1\r\nHost: receiver.example.org\r\nContent-Type: application/json\r\n"
_EVENT = _POST.format(path="/github/events") + "X-GitHub-Event: repository_dispatch\r\n"
_DISPATCH = _POST.format(path="/repos/acme/products/dispatches")
_SIGNATURE = f"X-Hub-Signature-256: sha256={'0' * 64}\r\n"
_LENGTH = "Content-Length: 60000\r\n\r\n{"


@dataclass(frozen=True)
class SlowWay:
    """A way to hold a connection.

    Attributes:
        begin: What is sent at once.
        byte: What is sent again and again afterwards, if anything.
        reads: Whether the client reads what it is answered.
    """

    begin: str
    byte: str = ""
    reads: bool = True


SLOW_WAYS = {
    "head": SlowWay(_EVENT + "X-Slow: ", "x"),
    "body without a signature": SlowWay(_EVENT + _LENGTH, "x"),
    "body with a wrong signature": SlowWay(_EVENT + _SIGNATURE + _LENGTH, "x"),
    "reader of answers": SlowWay("GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 100, reads=False),
    "body with a wrong token": SlowWay(
        _DISPATCH + "Authorization: Bearer a-token-that-nobody-has\r\n" + _LENGTH, "x"
    ),
    "idle after an answer": SlowWay("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"),
    "silent": SlowWay(""),
}


def allow_open_files(number: int) -> None:
    """Raise the limit of open files of this process to a number, as far as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < number:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(number, hard), hard))


class SlowClients:
    """So many clients at once, on a thread, until the end of the `with` block.

    Args:
        port: The port of the server on 127.0.0.1.
        way: The way in which each holds its connection.
        number: The number of clients.
    """

    def __init__(self, port: int, way: SlowWay, number: int) -> None:
        self._port = port
        self._way = way
        self._number = number
        self.connected = 0
        """How often one of them has connected."""
        self.cut_off = 0
        """How often the server has ended the connection of one."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="slow clients")

    def __enter__(self) -> Self:
        allow_open_files(self._number + 500)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._all.cancel)
        self._thread.join()
        self._loop.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._all = self._loop.create_task(self._hold_all())
        with suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._all)

    async def _hold_all(self) -> None:
        await asyncio.gather(*(self._come_back() for _ in range(self._number)))

    async def _come_back(self) -> None:
        while True:
            with suppress(OSError):
                await self._hold()
            self.cut_off += 1
            await asyncio.sleep(COME_BACK_SECONDS)

    async def _hold(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port, limit=1024)
        self.connected += 1
        try:
            writer.write(self._way.begin.encode())
            ended = asyncio.ensure_future(self._until_cut_off(reader))
            try:
                while not ended.done():
                    await asyncio.wait([ended], timeout=BYTE_SECONDS)
                    if not ended.done() and self._way.byte:
                        writer.write(self._way.byte.encode())
            finally:
                ended.cancel()
        finally:
            writer.transport.abort()

    async def _until_cut_off(self, reader: asyncio.StreamReader) -> None:
        with suppress(OSError):
            if not self._way.reads:
                await asyncio.Event().wait()
            while await reader.read(1024):
                pass
