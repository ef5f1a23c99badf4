"""A provider that takes hardly any time: one answer to every request, HTTP/1.1 on loopback.

A path that begins with `/_apart` has the head of its answer and the body sent apart, as many servers do (Python's
`http.server`, say), and one that begins with `/_slow` has an answer after 20 ms.

python -m benchmarks.provider    prints its port, and serves until its standard input ends
"""

from __future__ import annotations

import asyncio
import socket
import sys

BODY = b'{"id": 1, "name": "Kettle", "price": 34.9, "tags": ["kitchen", "steel"]}'
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (
    len(BODY),
    BODY,
)


SLOW_SECONDS = 0.02


class Provider(asyncio.Protocol):
    """Answers each request on a connection with the same content."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        # asyncio sends small segments at once; most servers don't, and wait for the acknowledgement of the one before
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 0)
        self._received = b""

    def data_received(self, data: bytes) -> None:
        self._received += data
        while True:
            head, end, rest = self._received.partition(b"\r\n\r\n")
            if not end:
                return
            length = 0
            for line in head.lower().split(b"\r\n"):
                if line.startswith(b"content-length:"):
                    length = int(line.partition(b":")[2])
            if len(rest) < length:
                return
            self._received = rest[length:]
            self._answer(head.split(b" ", 2)[1])

    def _answer(self, path: bytes) -> None:
        if path.startswith(b"/_slow"):
            asyncio.get_running_loop().call_later(SLOW_SECONDS, self._transport.write, ANSWER)
        elif path.startswith(b"/_apart"):
            self._transport.write(ANSWER[: -len(BODY)])
            self._transport.write(BODY)
        else:
            self._transport.write(ANSWER)


async def main() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Provider, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
