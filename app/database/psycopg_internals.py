"""What is relied on in psycopg beyond its documented interface.

`pyproject.toml` has an upper bound for its version, and `tests/app/database/test_psycopg_internals.py` fails where a
newer one works in another way.
"""

from __future__ import annotations

import importlib
import time
from typing import TYPE_CHECKING

import psycopg
import psycopg.waiting

if TYPE_CHECKING:
    from psycopg.abc import RV, PQGen


class NoAnswer(psycopg.OperationalError):
    """The server did not answer in time."""


def limited(generator: PQGen[RV], end: float) -> PQGen[RV]:
    """Limit the time that psycopg waits for the server.

    A generator yields what it waits for. It is sent what the socket is ready for, or 0 when an interval has passed
    without anything, and returns the result.

    Args:
        generator: The operation to wait for.
        end: The `time.monotonic()` at which to give up.

    Raises:
        NoAnswer: The server did not answer until then.
    """
    try:
        waits_for = next(generator)
        while True:
            ready = yield waits_for
            if not ready and time.monotonic() > end:
                generator.close()
                raise NoAnswer("the database gives no answer")
            waits_for = generator.send(ready)
    except StopIteration as done:
        result: RV = done.value
        return result


def wait_cooperatively() -> None:
    """Have psycopg wait in Python, after gevent has patched the standard library.

    When it is imported it chooses to wait in C, which would block all greenlets of the process.
    """
    importlib.reload(psycopg.waiting)
