"""The connections of the queue's consumer, without a database."""

from __future__ import annotations

import asyncio
from typing import NoReturn

import psycopg
import pytest
from procrastinate.exceptions import ConnectorException

from app.queue.consumer import _PatientConnector


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
