"""The endpoint as a webhook meets it: a real gunicorn, a real PostgreSQL."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import urllib.parse
from typing import TYPE_CHECKING, Any

import pytest

from app.web.dispatches import MAX_BYTES
from tests.support.receiver import API_TOKEN, REPOSITORY, TOKEN, LocalReceiver, ReceiverProcess, configuration

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import requests

BROKER = "http://broker.example.org/base"
PACT = f"{BROKER}/pacts/provider/Products/consumer/Storefront/latest"
SHA = "0123456789abcdef0123456789abcdef01234567"
SECRET = "the-secret-of-the-webhook"


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory, module_database_url: str) -> Iterator[ReceiverProcess]:
    config = configuration(
        BROKER,
        {"base_url": "http://127.0.0.1:1", "version": SHA},
        {
            "name": "Orders",
            "repository": "acme/orders",
            "checkout": {"url": "https://git.example.org/orders.git", "command": "true"},
        },
        dispatches={"event_types": ["check_me"]},
    )
    with ReceiverProcess(
        tmp_path_factory.mktemp("web"),
        config,
        command="web",
        database_url=module_database_url,
        environment={"PACT_DISPATCH_WEBHOOK_SECRET": SECRET},
    ) as process:
        yield process


@pytest.fixture
def web(started: ReceiverProcess) -> ReceiverProcess:
    """Starts each test with nothing stored."""
    started.execute("DELETE FROM deliveries")
    started.execute("DELETE FROM runs")
    started.execute("DELETE FROM procrastinate_jobs")
    return started


def deliveries(web: ReceiverProcess) -> list[dict[str, Any]]:
    return web.rows("SELECT * FROM deliveries ORDER BY received_at, id")


def post(
    web: ReceiverProcess, body: Any, path: str = f"/repos/{REPOSITORY}/dispatches", **headers: str
) -> requests.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    return web.session.post(f"{web.url}{path}", data=content, headers=sent, timeout=30)


@pytest.mark.parametrize("version", ["1.4.0", "2024-11-27.3", "v2-RC1", "main; rm -rf /"])
def test_a_provider_that_runs_may_be_asked_for_any_version_and_one_that_is_checked_out_for_a_commit(
    web: ReceiverProcess, version: str
) -> None:
    assert web.dispatch(PACT, sha=version).status_code == 204
    assert [run["sha"] for run in web.runs()] == [version]

    refused = web.dispatch(PACT.replace("Products", "Orders"), repository="acme/orders", sha=version)
    assert refused.status_code == 422
    [error] = refused.json()["errors"]
    assert error["field"] == "client_payload.sha"
    assert "must be a commit id" in error["message"]
    assert "Orders is checked out" in error["message"]


def test_a_dry_run_is_answered_as_the_dispatch_would_be_and_leaves_nothing(web: ReceiverProcess) -> None:
    for payload, status in (({"sha": "1.4.0"}, 204), ({"sha": ".."}, 422)):
        body = {"event_type": "pact_changed", "client_payload": {"pact_url": PACT, **payload}}
        answer = post(web, body, Pact_Dispatch_Dry_Run="true")
        assert (answer.status_code, answer.headers["Pact-Dispatch-Dry-Run"]) == (status, "true")
    assert post(web, {}, "/repos/acme/unknown/dispatches", Pact_Dispatch_Dry_Run="true").status_code == 404
    assert (deliveries(web), web.runs(), web.rows("SELECT * FROM procrastinate_jobs")) == ([], [], [])

    wrong = post(web, {}, Pact_Dispatch_Dry_Run="true", Authorization="Bearer a-guessed-token")
    assert wrong.status_code == 401
    assert [delivery["refusal"] for delivery in deliveries(web)] == ["bad-token"]


def test_a_dispatch_is_answered_as_github_answers_it_and_is_queued(web: ReceiverProcess) -> None:
    answer = web.dispatch(PACT, sha=SHA.upper(), branch="main", message="Verify changed pact")

    assert (answer.status_code, answer.content) == (204, b"")
    [delivery] = deliveries(web)
    [run] = web.runs()
    [job] = web.rows("SELECT * FROM procrastinate_jobs")
    assert answer.headers["X-GitHub-Request-Id"] == str(delivery["id"])
    assert (delivery["status"], delivery["sender"], delivery["run_id"]) == (204, "broker", run["id"])
    assert (run["status"], run["provider"], run["consumer"]) == ("waiting", "Products", "Storefront")
    assert (run["sha"], run["branch"], run["pact_url"]) == (SHA, "main", PACT)
    assert (job["id"], job["args"], job["lock"]) == (
        run["job_id"],
        {"run_id": str(run["id"])},
        "provider Products",
    )


def test_the_bodies_of_old_guides_are_accepted(web: ReceiverProcess) -> None:
    everest = "application/vnd.github.everest-preview+json"
    body = {"event_type": "pact_changed", "client_payload": {"pact_url": PACT}}
    for accept in (everest, f"Accept: {everest}"):
        assert post(web, body, Accept=accept, Authorization=f"token {TOKEN}").status_code == 204
    requiring = {
        "event_type": "contract_requiring_verification_published",
        "client_payload": {
            "pact_url": PACT,
            "sha": SHA,
            "branch": "main",
            "message": "Verify changed pact for X",
        },
    }
    assert post(web, requiring).status_code == 204


def test_the_same_dispatch_while_one_waits_is_one_run(web: ReceiverProcess) -> None:
    for _ in range(3):
        assert web.dispatch(PACT, sha=SHA).status_code == 204
    assert web.dispatch(PACT).status_code == 204  # another: no commit is asked for

    assert len(web.runs()) == 2
    assert [delivery["coalesced"] for delivery in deliveries(web)] == [False, True, True, False]


@pytest.mark.parametrize(
    ("token", "status", "message", "reason"),
    [
        (None, 404, "Not Found", "no-token"),
        ("${user.githubToken}", 404, "Not Found", "no-token"),
        ("wrong-token", 401, "Bad credentials", "bad-token"),
        (API_TOKEN, 401, "Bad credentials", "bad-token"),
    ],
)
def test_without_the_right_token_nothing_is_accepted(
    web: ReceiverProcess, token: str | None, status: int, message: str, reason: str
) -> None:
    answer = web.dispatch(PACT, token=token)

    assert (answer.status_code, answer.json()["message"]) == (status, message)
    assert not web.runs()
    [delivery] = deliveries(web)
    assert (delivery["status"], delivery["refusal"], delivery["payload"]) == (status, reason, None)
    assert answer.headers["X-GitHub-Request-Id"] == str(delivery["id"])
    assert str(token) not in json.dumps(delivery, default=str)


def test_the_token_may_be_the_password_of_basic_auth_as_a_brokers_webhook_can_send_it(
    web: ReceiverProcess,
) -> None:
    def answer(password: str, user: str = "broker") -> tuple[int, str | None]:
        basic = base64.b64encode(f"{user}:{password}".encode()).decode()
        found = post(web, changed(), Authorization=f"Basic {basic}")
        return found.status_code, deliveries(web)[-1]["refusal"]

    assert answer(TOKEN) == (204, None)
    assert answer(TOKEN, user="") == (204, None)
    assert answer("wrong-token") == (401, "bad-token")
    assert answer(API_TOKEN) == (401, "bad-token")
    assert answer(f"{TOKEN} x") == (401, "bad-token")
    assert answer("") == answer("${user.receiverToken}") == (404, "no-token")
    for nonsense in ("!!!", "AA=", TOKEN):
        assert post(web, changed(), Authorization=f"Basic {nonsense}").status_code in {401, 404}, nonsense
    assert len(web.runs()) == 1


def changed(event_type: Any = "pact_changed", **payload: Any) -> dict[str, Any]:
    return {"event_type": event_type, "client_payload": {"pact_url": PACT, **payload}}


URL = "client_payload.pact_url"


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"client_payload": {"pact_url": PACT}}, 422, "event_type"),
        (changed(""), 422, "event_type"),
        (changed("x" * 101), 422, "event_type"),
        (changed(7), 422, "event_type"),
        (changed("deploy"), 422, "event_type"),
        ({"event_type": "pact_changed"}, 422, URL),
        ({"event_type": "pact_changed", "client_payload": []}, 422, "client_payload"),
        (changed(pact_url="${pactbroker.pactUrl}"), 422, URL),
        (changed(pact_url="file:///etc/passwd"), 422, URL),
        (changed(pact_url="http://evil.example.org/pacts/x"), 422, URL),
        (changed(pact_url=f"{BROKER}@evil.example.org/pacts"), 422, URL),
        (changed(pact_url=f"{BROKER}/../pacts"), 422, URL),
        (changed(pact_url=PACT.replace("Products", "Other")), 422, URL),
        (changed(pact_url="http://[::1"), 422, URL),
        (changed(sha=".."), 422, "client_payload.sha"),
        (changed(sha="1.4.0\n"), 422, "client_payload.sha"),
        (changed(sha=1234567), 422, "client_payload.sha"),
        (changed(branch="a\nb"), 422, "client_payload.branch"),
        (changed(**{str(number): number for number in range(10)}), 422, "client_payload"),
        ([1], 422, "body"),
        (b"{", 400, None),
        (b"", 400, None),
        (b"\xff\xfe", 400, None),
        (b'{"a":' * 5000, 400, None),
        (changed(pact_url=PACT.replace("Storefront", "Store%00front")), 422, URL),
        (changed(deep=json.loads("[" * 600 + "]" * 600)), 422, "body"),
    ],
)
def test_a_bad_payload_is_refused_by_its_field(
    web: ReceiverProcess, body: Any, status: int, field: str | None
) -> None:
    answer = post(web, body)

    assert answer.status_code == status, answer.text
    document = answer.json()
    if field is not None:
        assert document["message"] == "Validation Failed"
        assert [error["field"] for error in document["errors"]] == [field]
        assert set(document["errors"][0]) == {"resource", "field", "code", "message"}
    assert not web.runs()
    [delivery] = deliveries(web)
    assert delivery["status"] == status
    assert delivery["refusal"]
    assert delivery["detail"]


def test_what_no_database_can_hold_is_kept_readable(web: ReceiverProcess) -> None:
    body = b'{"event_type": "pact_changed", "client_payload": {"pact_url": "\\u0000\\ud800", "token": "hush-hush"}}'

    assert post(web, body).status_code == 422

    [delivery] = deliveries(web)
    assert delivery["payload"]["client_payload"]["pact_url"].startswith("\N{REPLACEMENT CHARACTER}")
    assert "hush-hush" not in json.dumps(delivery, default=str)
    assert "hush-hush" not in web.output()


def test_too_large_a_body_is_413_however_it_comes(web: ReceiverProcess) -> None:
    body = {"event_type": "pact_changed", "client_payload": {"pact_url": PACT, "message": "x" * 65536}}
    assert post(web, body).status_code == 413

    def pieces() -> Iterator[bytes]:
        for _ in range(70):
            yield b"x" * 1024

    chunked = web.session.post(
        f"{web.url}/repos/{REPOSITORY}/dispatches",
        data=pieces(),
        headers={"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"},
        timeout=30,
    )
    assert chunked.status_code == 413
    assert [delivery["refusal"] for delivery in deliveries(web)] == ["too-large", "too-large"]


def test_a_body_in_broken_chunks_is_400(web: ReceiverProcess) -> None:
    head = f"POST /repos/{REPOSITORY}/dispatches HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n"
    head += "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    with socket.create_connection(("127.0.0.1", int(web.url.rsplit(":", 1)[1])), 30) as connection:
        connection.sendall(head.encode() + b"not-a-number\r\n\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 400 ")

    [delivery] = deliveries(web)
    assert (delivery["status"], delivery["refusal"]) == (400, "incomplete")


def test_a_refused_body_is_never_taken_for_the_next_request(web: ReceiverProcess) -> None:
    hidden = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    head = f"POST /repos/{REPOSITORY}/dispatches HTTP/1.1\r\nHost: x\r\nContent-Length: {len(hidden)}\r\n\r\n"
    answers = b""
    with socket.create_connection(("127.0.0.1", int(web.url.rsplit(":", 1)[1])), 30) as connection:
        connection.sendall(head.encode() + hidden)
        connection.shutdown(socket.SHUT_WR)
        while piece := connection.recv(65536):
            answers += piece

    assert answers.startswith(b"HTTP/1.1 404 ")
    assert answers.count(b"HTTP/1.1 ") == 1


def test_another_media_type_is_415(web: ReceiverProcess) -> None:
    body = {"event_type": "pact_changed", "client_payload": {"pact_url": PACT}}
    assert post(web, body, Content_Type="text/plain").status_code == 415
    assert post(web, body, Content_Type="application/x-www-form-urlencoded").status_code == 415
    assert post(web, body, Content_Type="application/vnd.github+json; charset=utf-8").status_code == 204


def test_an_unknown_repository_is_404_and_case_does_not_matter(web: ReceiverProcess) -> None:
    assert web.dispatch(PACT, repository="acme/other").status_code == 404
    assert web.dispatch(PACT, repository="Acme/PRODUCTS").status_code == 204
    assert web.dispatch(PACT, repository="acme/products/x").status_code == 404
    assert web.session.get(f"{web.url}/repos/{REPOSITORY}/dispatches", timeout=30).status_code == 405


def test_the_configuration_adds_event_types(web: ReceiverProcess) -> None:
    assert web.dispatch(PACT, event_type="check_me").status_code == 204


def signed(body: bytes, key: str = SECRET) -> str:
    return "sha256=" + hmac.new(key.encode(), body, hashlib.sha256).hexdigest()


def event(**more: Any) -> dict[str, Any]:
    return {
        "action": "pact_changed",
        "branch": "main",
        "client_payload": {"pact_url": PACT},
        "repository": {"full_name": REPOSITORY},
        "sender": {"login": "octocat"},
        **more,
    }


def send_event(web: ReceiverProcess, body: bytes, **headers: str) -> requests.Response:
    sent = {
        "Content-Type": "application/json",
        "X-GitHub-Event": "repository_dispatch",
        "X-GitHub-Delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
        "X-Hub-Signature-256": signed(body),
    }
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    return web.session.post(f"{web.url}/github/events", data=body, headers=sent, timeout=30)


def test_an_event_as_github_delivers_it_is_accepted_in_json_and_in_a_form(web: ReceiverProcess) -> None:
    body = json.dumps(event()).encode()
    assert send_event(web, body).status_code == 204
    form = urllib.parse.urlencode({"payload": json.dumps(event())}).encode()
    another = {"Content_Type": "application/x-www-form-urlencoded", "X_GitHub_Delivery": "another"}
    assert send_event(web, form, **another).status_code == 204

    first, second = deliveries(web)
    assert first["github_id"] == "72d3162e-cc78-11e3-81ab-4c9367dc0958"
    assert (first["source"], first["repository"], second["coalesced"]) == ("github", REPOSITORY, True)


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("ping", {"zen": "Keep it logically awesome.", "hook_id": 1}),
        ("installation", {"action": "created", "repositories": [{"full_name": "acme/products"}] * 5000}),
        ("installation_repositories", {"action": "added"}),
        ("github_app_authorization", {"action": "revoked"}),
        ("meta", {"action": "deleted", "hook_id": 1}),
    ],
)
def test_what_github_tells_about_an_app_or_a_webhook_itself_is_answered_and_no_dispatch(
    web: ReceiverProcess, name: str, body: Any
) -> None:
    content = json.dumps(body).encode()
    assert send_event(web, content, X_GitHub_Event=name).status_code == 204
    assert not web.runs()
    assert not deliveries(web)
    assert send_event(web, content, X_GitHub_Event=name, X_Hub_Signature_256="sha256=0").status_code == 401


@pytest.mark.parametrize("character", ["<", "\N{HONEYBEE}", "x"])
@pytest.mark.parametrize("in_form", [False, True])
def test_a_payload_that_github_takes_is_taken_although_it_is_longer_as_delivered(
    web: ReceiverProcess, character: str, *, in_form: bool
) -> None:
    payload = {"pact_url": PACT, "message": ""}
    size = len(json.dumps(payload, separators=(",", ":")))

    def delivered(message: str) -> bytes:
        text = json.dumps(
            event(client_payload={**payload, "message": message}, organization={"x": "y" * 9000})
        )
        text = text.replace("<", "\\u003c")  # as GitHub does
        return (urllib.parse.urlencode({"payload": text}) if in_form else text).encode()

    kind = "application/x-www-form-urlencoded" if in_form else "application/json"
    most = character * ((MAX_BYTES - size) // len(character.encode()))
    assert len(delivered(most)) > MAX_BYTES
    assert send_event(web, delivered(most), Content_Type=kind).status_code == 204
    too_long = send_event(
        web, delivered(most + character), Content_Type=kind, X_GitHub_Delivery="another-delivery"
    )
    assert too_long.status_code == 413
    assert [one["refusal"] for one in deliveries(web)] == [None, "too-large"]


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (event(), {"X_Hub_Signature_256": signed(b"another body")}, 401),
        (event(), {"X_Hub_Signature_256": ""}, 401),
        (event(), {"X_Hub_Signature_256": signed(json.dumps(event()).encode(), "another key")}, 401),
        (event(), {"X_GitHub_Event": "push"}, 422),
        (event(repository={"full_name": "acme/other"}), {}, 404),
        (event(repository="acme"), {}, 422),
        (event(action=None), {}, 422),
        ([], {}, 422),
    ],
)
def test_an_event_that_is_not_right_is_refused(
    web: ReceiverProcess, body: Any, headers: dict[str, str], status: int
) -> None:
    answer = send_event(web, json.dumps(body).encode(), **headers)

    assert answer.status_code == status, answer.text
    assert not web.runs()
    assert [delivery["status"] for delivery in deliveries(web)] == [status]


def test_a_token_is_revoked_by_removing_it_from_its_file(tmp_path: Path, database_url: str) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text("old:the-older-of-two-tokens\nnew:the-newer-of-two-tokens\n", encoding="utf-8")
    config = configuration(BROKER, {"base_url": "http://127.0.0.1:1", "version": SHA})
    with LocalReceiver(
        tmp_path,
        config,
        command="web",
        database_url=database_url,
        environment={"PACT_DISPATCH_TOKENS": "", "PACT_DISPATCH_TOKENS_FILE": str(tokens)},
    ) as web:
        assert web.dispatch(PACT, token="the-older-of-two-tokens").status_code == 204
        tokens.write_text("new:the-newer-of-two-tokens\n", encoding="utf-8")
        assert web.dispatch(PACT, token="the-older-of-two-tokens").status_code == 401
        assert web.dispatch(PACT, token="the-newer-of-two-tokens").status_code == 204
        assert [delivery["sender"] for delivery in deliveries(web)] == ["old", None, "new"]


def test_slow_and_half_sent_requests_hold_nobody_up(web: ReceiverProcess) -> None:
    head = f"POST /repos/{REPOSITORY}/dispatches HTTP/1.1\r\nHost: x\r\n"
    whole = f"{head}Authorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{{"
    port = int(web.url.rsplit(":", 1)[1])
    slow = [socket.create_connection(("127.0.0.1", port)) for _ in range(120)]
    try:
        for number, connection in enumerate(slow):
            connection.sendall(("", head, whole)[number % 3].encode())
        answers = [web.dispatch(PACT).status_code for _ in range(20)]
    finally:
        for connection in slow:
            connection.close()

    assert answers == [204] * 20
    assert len(web.runs()) == 1
