"""Who may read and who may write."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from broker.embedded import accounts as access
from tests.support.commands import pact_dispatch
from tests.support.processes import BrokerProcess, EmbeddedBroker

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

ACCOUNTS = """
[[users]]
name = "rw"
password = "rw:pass, with a comma ü"
access = "read-write"

[[users]]
name = "ro"
password = "ropass"
access = "read-only"

[[tokens]]
token = "write-token"
access = "read-write"

[[tokens]]
token = "read-token"
access = "read-only"
"""
RW, RO = ("rw", "rw:pass, with a comma ü".encode()), ("ro", "ropass")
CHALLENGE = 'Basic realm="Restricted area"'
LABEL = "/pacticipants/Foo/labels/a"


def write(path: Path, text: str = ACCOUNTS, mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    directory = tmp_path_factory.mktemp("guarded")
    file = write(directory / "access.toml")
    with BrokerProcess(directory, "--access", str(file), "--log-level", "debug") as running:
        yield running


def ask(broker: EmbeddedBroker, method: str, path: str, **options: Any) -> tuple[int, str | None]:
    answer = broker.request(method, path, **options)
    if answer.status_code in {400, 401}:
        assert (answer.content, answer.headers["Content-Type"]) == (b"", "text/plain")
    return answer.status_code, answer.headers.get("WWW-Authenticate")


@pytest.mark.parametrize("path", ["/", "/nothing/there", LABEL, "/pacts/provider/Bar/consumer/Foo/latest"])
def test_nothing_is_shown_without_credentials(guarded: EmbeddedBroker, path: str) -> None:
    for method in ("GET", "PUT", "POST", "DELETE", "HEAD", "OPTIONS"):
        assert ask(guarded, method, path) == (401, CHALLENGE)
        assert ask(guarded, method, path, auth=("rw", "wrong")) == (401, CHALLENGE)


@pytest.mark.parametrize(
    "header", ["Basic", "Basic ", "Basic !", "Basic cnc=", "Basic /w==", "Bearer nope", "Bearer "]
)
def test_what_is_no_credential_is_refused(guarded: EmbeddedBroker, header: str) -> None:
    assert ask(guarded, "GET", "/", headers={"Authorization": header}) == (401, CHALLENGE)


def test_another_scheme_is_a_bad_request(guarded: EmbeddedBroker) -> None:
    assert ask(guarded, "GET", "/", headers={"Authorization": "Digest x"}) == (400, None)


def test_users_read_and_only_some_write(guarded: EmbeddedBroker) -> None:
    assert ask(guarded, "PUT", LABEL, auth=RW)[0] in {200, 201}
    for auth in (RW, RO):
        assert guarded.get("/", auth=auth).status_code == 200
        assert guarded.get("/pacticipants/Foo", auth=auth).status_code == 200
    assert ask(guarded, "PUT", LABEL, auth=RO) == (401, CHALLENGE)
    path = "/pacts/provider/Foo/for-verification"
    assert guarded.request("POST", path, auth=RO, json={}).status_code == 200


def test_tokens_read_and_only_some_write(guarded: EmbeddedBroker) -> None:
    for token, status in (("write-token", 201), ("read-token", 401)):
        headers = {"Authorization": f"Bearer {token}"}
        assert guarded.get("/", headers=headers).status_code == 200
        label = f"/pacticipants/Foo/labels/{status}"
        assert ask(guarded, "PUT", label, headers=headers)[0] == status


def test_the_heartbeat_is_for_everyone(guarded: EmbeddedBroker) -> None:
    assert guarded.get("/diagnostic/status/heartbeat").json()["ok"] is True


def test_no_secret_is_in_the_log(guarded: BrokerProcess) -> None:
    guarded.get("/", auth=RO)
    guarded.get("/", headers={"Authorization": "Bearer read-token"})
    guarded.wait_for_output("GET / ")
    log = guarded.log.read_text() + "".join(guarded._output)
    for secret in ("ropass", "read-token", "write-token", "cm86cm9wYXNz"):
        assert secret not in log


def test_the_environment_names_accounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(access.USERS_VARIABLE, "read-write:rw:a:b, read-only:ro:ropass")
    with EmbeddedBroker(tmp_path) as broker:
        assert ask(broker, "PUT", LABEL, auth=("rw", "a:b"))[0] == 201
        assert ask(broker, "PUT", LABEL, auth=RO) == (401, CHALLENGE)
        assert broker.get("/", auth=RO).status_code == 200
        assert ask(broker, "GET", "/", headers={"Authorization": "Bearer abc"}) == (400, None)


def test_tokens_alone_ask_for_a_token() -> None:
    tokens = access.from_environment({access.TOKENS_VARIABLE: "read-only:x"})
    assert tokens.status("Bearer x", writes=False) == 200
    assert tokens.status("bearer x", writes=True) == 401
    assert tokens.status("Basic eDp5", writes=False) == 400
    assert tokens.status(None, writes=False) == 401


def test_no_accounts_mean_no_restriction() -> None:
    everyone = access.from_environment({})
    assert not everyone.restricted
    assert everyone.status("Bearer whatever", writes=True) == 200


def test_a_name_does_not_run_into_its_password() -> None:
    assert access.user_digest("a:b", "c") != access.user_digest("a", "b:c")


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        (access.USERS_VARIABLE, "rw:s3cret", "entry 1: must be read-write:NAME:PASSWORD"),
        (access.USERS_VARIABLE, "read-only:a:s3cret,read-only:s3cret", "entry 2: must be"),
        (access.USERS_VARIABLE, "read-only::s3cret", "entry 1: must be"),
        (access.TOKENS_VARIABLE, "s3cret", "entry 1: must be read-write:TOKEN"),
        (access.TOKENS_VARIABLE, "read-only:", "entry 1: must be"),
    ],
)
def test_a_mistake_in_the_environment_is_said(variable: str, value: str, expected: str) -> None:
    with pytest.raises(access.AccessUnusable, match=expected) as refused:
        access.from_environment({variable: value})
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("s3cret", "is not TOML"),
        ("", "names nobody"),
        ("[s3cret]", "is unknown"),
        ("users = 1", r"users must be tables, each beginning with \[\[users\]\]"),
        ('[[users]]\nname = "a"\naccess = "read-only"', r"\[\[users\]\] number 1: password must be a text"),
        ('[[tokens]]\ntoken = "s3cret"', 'access must be "read-write" or "read-only"'),
        ('[[tokens]]\ntoken = "s3cret"\naccess = "read-only"\nuser = 1', "user is unknown"),
    ],
)
def test_a_mistake_in_the_file_is_said(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(access.AccessUnusable, match=expected):
        access.from_file(write(tmp_path / "access.toml", text))


def start(*options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return pact_dispatch(
        "broker", "--bind", "127.0.0.1:0", *options, environment={**os.environ, **environment}
    )


def test_a_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    file = write(tmp_path / "access.toml", mode=0o644)
    done = start("--access", str(file), "--database", str(tmp_path / "x.sqlite3"))
    assert (done.returncode, done.stderr) == (
        3,
        f"pact-dispatch broker: {file} can be read by others than its owner: chmod 600 {file}\n",
    )


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    done = start("--access", str(tmp_path / "nope"), "--database", str(tmp_path / "x.sqlite3"))
    assert done.returncode == 3
    assert "can't be read: No such file or directory." in done.stderr


def test_accounts_in_the_environment_that_make_no_sense_stop_the_start(tmp_path: Path) -> None:
    done = start("--database", str(tmp_path / "x.sqlite3"), PACT_DISPATCH_BROKER_USERS="a:b")
    assert done.returncode == 3
    assert "PACT_DISPATCH_BROKER_USERS, entry 1" in done.stderr
