"""What was accepted is there afterwards, and nobody is told that the database is locked."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from tests.support.processes import BrokerProcess, EmbeddedBroker

if TYPE_CHECKING:
    from pathlib import Path

THREADS = 8
PACTS_EACH = 12


def test_everything_answered_survives_a_kill(tmp_path: Path, pact: dict[str, Any]) -> None:
    broker = BrokerProcess(tmp_path)
    broker.start()
    broker.publish(pact, "1", branch="main", tags=("dev",))
    found = broker.get("/pacts/provider/Bar/consumer/Foo/latest").json()
    result = broker.request(
        "POST",
        found["_links"]["pb:publish-verification-results"]["href"],
        json={"success": True, "providerApplicationVersion": "9", "testResults": {"tests": [{"x": 1.5}]}},
    )
    assert result.status_code == 201
    broker.kill()

    with EmbeddedBroker(tmp_path) as again:
        assert (
            again.get("/pacts/provider/Bar/consumer/Foo/latest").json()["interactions"]
            == found["interactions"]
        )
        kept = again.get(result.headers["Location"].replace(broker.url, again.url)).json()
        assert kept["testResults"] == {"tests": [{"x": 1.5}]}
        assert again.get("/pacticipants/Foo/latest-version/dev").json()["number"] == "1"
        assert again.get("/pacticipants/Foo/branches/main/latest-version").json()["number"] == "1"


def test_publishers_and_readers_do_not_lock_each_other_out(
    broker_process: BrokerProcess, pact: dict[str, Any]
) -> None:
    broker = broker_process

    def publish(thread: int) -> None:
        for number in range(PACTS_EACH):
            mine = {**pact, "consumer": {"name": f"Foo {thread % 4}"}}
            mine["interactions"] = [{**pact["interactions"][0], "description": f"{thread} {number}"}]
            broker.publish(mine, f"{thread}.{number}", branch="main", tags=("dev",))
            latest = broker.get(f"/pacts/provider/Bar/consumer/Foo%20{thread % 4}/latest")
            assert latest.status_code == 200, latest.text
            answer = broker.request(
                "POST",
                latest.json()["_links"]["pb:publish-verification-results"]["href"],
                json={"success": True, "providerApplicationVersion": f"bar {number}"},
            )
            assert answer.status_code == 201, answer.text
            for path in ("/pacticipants", "/pacts/latest", "/matrix/provider/Bar/consumer/Foo%200"):
                read = broker.get(path)
                assert read.status_code in {200, 404}, read.text

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(publish, range(THREADS)))

    published = broker.get("/pacts/provider/Bar").json()["_links"]["pb:pacts"]
    assert len(published) == THREADS * PACTS_EACH
    assert broker.log.read_text() == ""


def test_the_same_version_published_at_once_is_one(broker: EmbeddedBroker, pact: dict[str, Any]) -> None:
    with ThreadPoolExecutor(THREADS) as pool:
        answers = list(
            pool.map(lambda _: broker.publish(pact, "1", branch="main", tags=("dev",)), range(THREADS))
        )

    created = [answer for answer in answers if answer["notices"][0]["text"].startswith("Created")]
    assert len(created) == 1
    assert len(broker.get("/pacts/provider/Bar").json()["_links"]["pb:pacts"]) == 1


def test_a_content_is_kept_once(broker: EmbeddedBroker, pact: dict[str, Any]) -> None:
    for version in range(3):
        broker.publish(pact, str(version))
    with sqlite3.connect(broker.database) as connection:
        counts = [
            connection.execute(f"select count(*) from {table}").fetchone()[0]
            for table in ("pact_versions", "publications")
        ]
    connection.close()
    assert counts == [1, 3]


def test_a_deleted_pacticipant_takes_everything_along(broker: EmbeddedBroker, pact: dict[str, Any]) -> None:
    broker.publish(pact, "1", branch="main", tags=("dev",))
    assert broker.request("DELETE", "/pacticipants/Foo").status_code == 204
    assert broker.get("/pacticipants/Foo").status_code == 404
    assert broker.get("/pacts/latest").json()["pacts"] == []
    assert broker.get("/pacticipants/Bar").status_code == 200
    broker.publish(pact, "1")


def test_a_file_of_an_earlier_version_is_brought_up_to_date(tmp_path: Path, pact: dict[str, Any]) -> None:
    """The columns that version 4 added are there, and what was verified before a branch existed still counts."""
    with EmbeddedBroker(tmp_path) as broker:
        broker.publish(pact, "1", branch="main")
        broker.request("PUT", "/pacticipants/Bar/branches/main/versions/a", json={})
        found = broker.get("/pacts/provider/Bar/consumer/Foo/latest").json()
        url = found["_links"]["pb:publish-verification-results"]["href"]
        broker.request("POST", url, json={"success": True, "providerApplicationVersion": "a"})
        broker.request("PUT", "/pacticipants/Bar/branches/new/versions/b", json={})
    with sqlite3.connect(broker.database) as connection:
        for table, column in (
            ("verification_results", "wip"),
            ("branches", "results_before"),
            ("branches", "updated_at"),
            ("branch_versions", "updated_at"),
            ("tags", "results_before"),
        ):
            connection.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
        connection.execute("UPDATE branches SET created_at = '2999-01-01T00:00:00+00:00' WHERE name = 'new'")
        connection.execute("PRAGMA user_version = 3")
    connection.close()
    with EmbeddedBroker(tmp_path) as again:
        answer = again.request(
            "POST", "/pacts/provider/Bar/for-verification", json={"providerVersionBranch": "new"}
        )
        (one,) = answer.json()["_embedded"]["pacts"]
        assert not one["verificationProperties"]["pending"]
        assert again.get("/pacticipants/Bar/branches/new").json()["updatedAt"].startswith("2999")
