"""A dump of a receiver that works, and the receiver that goes on with it elsewhere."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from typing import TYPE_CHECKING

import psycopg

from app.database.connections import EMBEDDED_FOLDER
from tests.support.databases import reachable_folder
from tests.support.dispatch_storm import aftermath, noting_providers, publish_pacts, send
from tests.support.processes import BIN, TIME_LIMIT
from tests.support.receiver import API_TOKEN, ReceiverProcess, configuration, is_alive, wait_until
from tests.support.running import environment

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.processes import EmbeddedBroker

LONG = 120.0
ORPHANS = """
SELECT (SELECT count(*) FROM runs WHERE status = 'waiting'
          AND NOT EXISTS (SELECT 1 FROM procrastinate_jobs WHERE procrastinate_jobs.id = job_id AND status = 'todo')),
    (SELECT count(*) FROM deliveries WHERE refusal IS NULL AND run_id IS NULL)
"""


def database(*words: str | Path) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [BIN / "pact-dispatch", "database", *words],
        env={**environment(), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
        timeout=LONG,
    )
    assert done.returncode == 0, done.stderr
    return done


def tell(receiver: ReceiverProcess, action: str) -> None:
    receiver.session.post(
        f"{receiver.url}/api/providers/Provider1/{action}",
        headers={"Authorization": f"Bearer {API_TOKEN}"},
        timeout=TIME_LIMIT,
    ).raise_for_status()


def test_what_waited_when_a_dump_was_written_is_verified_where_it_is_restored(
    tmp_path: Path, data_dir: Path, broker: EmbeddedBroker
) -> None:
    dump = data_dir / "receiver.dump"
    with noting_providers(tmp_path, 2) as providers, reachable_folder() as elsewhere:
        asked = publish_pacts(broker, providers, 24)
        config = configuration(
            broker.url, *(provider.settings for provider in providers), server={"processes": 1}
        )
        with ReceiverProcess(data_dir, config) as receiver:
            tell(receiver, "pause")
            accepted: list[float] = []
            sending = threading.Thread(
                target=send,
                args=(receiver.url, asked),
                kwargs={"clients": 2, "deadline": time.monotonic() + LONG, "on_accepted": accepted.append},
            )
            sending.start()
            receiver.wait_until(lambda: len(accepted) >= 6, "each provider has some")
            dumped = json.loads(database("dump", "--data-dir", data_dir / "data", dump, "--json").stdout)
            sending.join()
            below = receiver.descendants()
            receiver.kill()  # the machine is lost
            wait_until(lambda: not any(map(is_alive, below)), "nothing goes on there")
        assert 6 <= dumped["deliveries"] <= len(asked)
        assert dumped["runs"] == dumped["deliveries"]
        assert dumped["waiting"] >= 2

        database("restore", "--data-dir", elsewhere / "data", dump)
        with ReceiverProcess(elsewhere, config) as receiver:
            folder = elsewhere / "data" / EMBEDDED_FOLDER
            receiver.database_url = f"postgresql://postgres@/postgres?host={folder}&port=5432"
            with psycopg.connect(receiver.database_url, autocommit=True) as connection:
                receiver.wait_until(  # a worker may just have taken a job
                    lambda: connection.execute(ORPHANS).fetchone() == (0, 0), "each waiting run has a job"
                )
            tell(receiver, "resume")
            receiver.wait_for_runs(dumped["runs"], within=LONG)
            kept = {
                row["payload"]["client_payload"]["pact_url"]
                for row in receiver.rows("SELECT payload FROM deliveries")
            }
            after = aftermath(receiver, broker, providers, [one for one in asked if one.pact_url in kept])
            assert (after.lost, after.overlaps) == ((), ())
            send(
                receiver.url, asked[:2], clients=1, deadline=time.monotonic() + TIME_LIMIT
            )  # and it takes new ones
            receiver.wait_for_runs(dumped["runs"] + 1, within=LONG)
