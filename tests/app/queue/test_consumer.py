"""The connections of the queue's consumer, without a database."""

from __future__ import annotations

import asyncio
import logging
import sys
from typing import Any, NoReturn

import psycopg
import pytest
from procrastinate.exceptions import ConnectorException

from app.queue.consumer import LOGGERS, _is_no_outage, _PatientConnector


@pytest.mark.parametrize(
    "error",
    [psycopg.errors.ProgramLimitExceeded("index row size"), psycopg.errors.UndefinedTable("relation"), None],
)
def test_an_error_that_no_wait_mends_is_not_waited_for(error: psycopg.Error | None) -> None:
    asked = 0

    async def ask() -> NoReturn:
        nonlocal asked
        asked += 1
        raise ConnectorException from error

    with pytest.raises(ConnectorException):
        asyncio.run(_PatientConnector("", patience=3600.0)._patiently(ask))
    assert asked == 1


def test_listening_is_tried_for_as_long_as_somebody_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who takes jobs tells that the database stays away; Procrastinate would end at this with a whole stack."""
    nobody: Any = None
    tries = 0
    tried = asyncio.Event()

    async def refuse(*_: object) -> NoReturn:
        nonlocal tries
        tries += 1
        if tries == 3:
            tried.set()
        await asyncio.sleep(0)
        raise ConnectorException from psycopg.OperationalError("the connection is closed")

    async def listen() -> None:
        connector = _PatientConnector("postgresql://nobody@127.0.0.1:1/none", patience=0.0)
        listening = asyncio.create_task(connector.listen_notify(nobody, ["a"]))
        await asyncio.wait_for(tried.wait(), 60)
        assert not listening.done()
        listening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await listening

    monkeypatch.setattr("app.queue.consumer.RETRY_SECONDS", 0.0)
    monkeypatch.setattr("app.queue.consumer.PsycopgConnector.listen_notify", refuse)
    asyncio.run(listen())


@pytest.mark.parametrize(
    ("cause", "is_told"),
    [
        (psycopg.OperationalError("the connection is closed"), False),
        (psycopg.errors.UndefinedTable("no such table"), True),
        (None, True),
    ],
)
def test_of_an_outage_procrastinate_logs_no_stack(cause: psycopg.Error | None, *, is_told: bool) -> None:
    try:
        raise ConnectorException from cause
    except ConnectorException:
        for name in LOGGERS:
            record = logging.LogRecord(name, logging.ERROR, "", 1, "listener error", None, sys.exc_info())
            assert _is_no_outage(record) is is_told
