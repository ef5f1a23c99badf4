"""Secrets go to the target, and nowhere else."""

from __future__ import annotations

import base64
import sqlite3
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.fernet import Fernet

from broker.embedded.storage.encryption import KEY_VARIABLE, KeyUnusable, Vault
from tests.broker.embedded.test_command import run
from tests.support.processes import BrokerProcess, EmbeddedBroker
from tests.support.webhook_documents import OPEN, all_are, create, logs, wait_for, webhook
from tests.support.webhook_target import Target

if TYPE_CHECKING:
    from pathlib import Path

PASSWORD, TOKEN, SECRET = "pass-wörd-hush", "tok-en-hush", "s3cret/hush &"


def new_secret(broker: EmbeddedBroker, name: str = "githubToken", value: str = SECRET) -> dict[str, Any]:
    answer = broker.request(
        "POST", "/secrets", json={"name": name, "description": "for GitHub", "value": value}
    )
    assert answer.status_code == 201, answer.text
    assert answer.headers["Location"] == answer.json()["_links"]["self"]["href"]
    created: dict[str, Any] = answer.json()
    return created


def test_nothing_secret_is_in_the_files_the_logs_or_an_answer(tmp_path: Path, pact: dict[str, Any]) -> None:
    with Target() as target, BrokerProcess(tmp_path, *OPEN, "--log-level", "debug") as broker:
        new_secret(broker)
        headers = {"X-Auth-Token": TOKEN, "X-Secret": "${user.githubToken}"}
        body = {"secret": "<${user.githubToken}>"}
        document = webhook(
            f"{target.url}/echo?s=${{user.githubToken}}",
            headers=headers,
            body=body,
            username="me",
            password=PASSWORD,
        )
        hook = create(broker, document)
        broker.publish(pact, "1")
        (delivery,) = wait_for(broker, all_are("success"))
        answers = [
            broker.get(f"/webhooks/{hook['uuid']}").text,
            broker.get("/webhooks").text,
            broker.get("/secrets").text,
            broker.request("POST", f"/webhooks/{hook['uuid']}/execute").text,
            *(one["logs"] for one in logs(broker, delivery)),
        ]
        received = target.wait_for(2)
        files = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
        assert {"broker.sqlite3", "broker.sqlite3-wal", "broker.sqlite3.key", "broker.log"} <= files.keys()
        assert (tmp_path / "broker.sqlite3.key").stat().st_mode & 0o777 == 0o600

    credentials = base64.b64encode(f"me:{PASSWORD}".encode()).decode()
    for one in received:
        assert one.headers["authorization"] == f"Basic {credentials}"
        assert one.headers["x-auth-token"] == TOKEN
        assert one.headers["x-secret"] == SECRET
        assert one.body == f'{{"secret":"<{SECRET}>"}}'
        assert one.path == "/echo?s=s3cret%2Fhush%20%26"
    for value in (PASSWORD, TOKEN, SECRET, credentials, "s3cret%2Fhush", "hush"):
        assert [name for name, content in files.items() if value.encode() in content] == []
        assert [text for text in answers if value in text] == []


def test_a_secret_can_be_changed_and_deleted_but_not_read(tmp_path: Path) -> None:
    with Target() as target, EmbeddedBroker(tmp_path, *OPEN) as broker:
        secret = new_secret(broker)
        path = f"/secrets/{secret['uuid']}"
        assert "value" not in broker.get(path).json()
        hook = create(broker, webhook(f"{target.url}/hook", body="${user.githubToken} ${user.nope}"))
        execute = f"/webhooks/{hook['uuid']}/execute"

        changed = broker.request("PUT", path, json={"name": "githubToken", "description": "changed"})
        assert (changed.status_code, changed.json()["description"]) == (200, "changed")
        broker.request("POST", execute)
        broker.request("PUT", path, json={"name": "githubToken", "value": "another"})
        broker.request("POST", execute)
        assert broker.request("DELETE", path).status_code == 204
        assert broker.get(path).status_code == 404
        broker.request("POST", execute)
        bodies = [one.body for one in target.wait_for(3)]
    assert bodies == [f"{SECRET} ${{user.nope}}", "another ${user.nope}", "${user.githubToken} ${user.nope}"]


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"value": "x"}, "name"),
        ({"name": "a b", "value": "x"}, "name"),
        ({"name": 1, "value": "x"}, "name"),
        ({"name": "taken", "value": "x"}, "name"),
        ({"name": "a"}, "value"),
        ({"name": "a", "value": ""}, "value"),
        ({"name": "a", "value": 1}, "value"),
        ({"name": "a", "value": "x", "description": 1}, "description"),
    ],
)
def test_a_bad_secret_is_refused(shared_broker: EmbeddedBroker, document: dict[str, Any], field: str) -> None:
    if not shared_broker.get("/secrets").json()["_embedded"]["secrets"]:
        new_secret(shared_broker, "taken")
    answer = shared_broker.request("POST", "/secrets", json=document)
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == [field]


def test_the_key_may_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, Fernet.generate_key().decode())
    with EmbeddedBroker(tmp_path) as broker:
        new_secret(broker)
    assert not list(tmp_path.glob("*.key"))
    monkeypatch.setenv(KEY_VARIABLE, Fernet.generate_key().decode())
    done = run("broker", "--bind", "127.0.0.1:0", "--database", str(broker.database))
    assert done.returncode == 3
    assert "encrypted with another key than that of PACT_DISPATCH_BROKER_KEY" in done.stderr


def test_a_lost_key_is_said_at_the_start(tmp_path: Path) -> None:
    with EmbeddedBroker(tmp_path) as broker:
        new_secret(broker)
    (tmp_path / "broker.sqlite3.key").unlink()
    done = run("broker", "--bind", "127.0.0.1:0", "--database", str(broker.database))
    assert done.returncode == 3
    assert "The key can't be read" in done.stderr


def test_what_is_no_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyUnusable, match="is no key; one is 32 random bytes"):
        Vault("hunter2", tmp_path / "key").encrypt("x")


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    vault = Vault(None, tmp_path / "key")
    token = vault.encrypt("x")
    (tmp_path / "key").chmod(0o644)
    with pytest.raises(KeyUnusable, match="can be read by others: chmod 600"):
        Vault(None, tmp_path / "key").decrypt(token)
    assert vault.decrypt(token) == "x"


def test_without_secrets_there_is_no_key(tmp_path: Path) -> None:
    with EmbeddedBroker(tmp_path, *OPEN) as broker:
        create(broker, webhook("http://127.0.0.1:9/", headers={}))
    assert not list(tmp_path.glob("*.key"))


def test_a_database_of_the_first_version_is_brought_up_to_date(tmp_path: Path, pact: dict[str, Any]) -> None:
    with EmbeddedBroker(tmp_path, *OPEN) as broker:
        broker.publish(pact, "1")
    new = ("webhooks", "triggered_webhooks", "webhook_executions", "secrets")
    connection = sqlite3.connect(broker.database)
    with connection:
        for table in reversed(new):
            connection.execute(f"DROP TABLE {table}")
        connection.execute("PRAGMA user_version = 1")
    connection.close()
    with EmbeddedBroker(tmp_path, *OPEN) as again:
        create(again, webhook("http://127.0.0.1:9/"))
        assert again.get("/pacts/provider/Bar/consumer/Foo/latest").status_code == 200
