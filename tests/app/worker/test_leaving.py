"""A worker whose work doesn't end leaves no PostgreSQL behind."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from app.process.locks import locked
from tests.support.processes import TIME_LIMIT
from tests.support.receiver import ReceiverProcess, configuration, with_providers_as_this_account

if TYPE_CHECKING:
    from pathlib import Path

ENDLESS = """
import asyncio, sys
from app import cli
from app.queue.consumer import QueueConsumer
from app.worker import process

async def run(consumer):
    await asyncio.Event().wait()

QueueConsumer.run = run
process.STOP_MARGIN_SECONDS = 0.0
process.LEAVE_SECONDS = 60.0
sys.exit(cli.main(sys.argv[2:]))
"""


@pytest.mark.process
def test_a_worker_that_leaves_in_the_midst_of_its_work_stops_the_postgresql_that_it_alone_uses(
    tmp_path: Path, data_dir: Path
) -> None:
    config = configuration(
        "http://127.0.0.1:1",
        {"base_url": "http://127.0.0.1:1", "version": "1"},
        worker={"stop_seconds": 0.1, "warm": 0},
    )
    with ReceiverProcess(
        tmp_path,
        with_providers_as_this_account(config),
        "--data-dir",
        str(data_dir),
        command="worker",
        prefix=(sys.executable, "-c", ENDLESS),
    ) as worker:
        assert worker.stop() == 0
        assert worker.logged("worker left")
    folder = data_dir / "postgres"
    with locked(folder / "server.lock", wait=TIME_LIMIT):
        assert not (folder / "data" / "postmaster.pid").exists()
