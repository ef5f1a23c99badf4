"""`pact-dispatch webhooks`, with a real broker that has accounts, and a real target."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import pty
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from app.commands.webhook_bodies import CHANGED
from broker.webhooks.triggered import TriggeredWebhooks
from tests.broker.embedded.conftest import example
from tests.support.broker_accounts import ACCOUNTS, PASSWORD
from tests.support.commands import pact_dispatch
from tests.support.github_api import GitHubApi
from tests.support.github_state import Repository, Token
from tests.support.loopback import Loopback, Received, Reply, closed_port
from tests.support.paths import EXCHANGES
from tests.support.processes import BIN, EmbeddedBroker
from tests.support.running import environment
from tests.support.webhook_documents import OPEN, all_are, wait_for
from tests.support.webhook_target import Target

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOKEN = "ghp_th1s1ss3cret"


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


class Commands:
    """Runs `pact-dispatch webhooks` with a broker."""

    def __init__(self, broker: EmbeddedBroker | str) -> None:
        url = broker if isinstance(broker, str) else broker.url
        self.variables = {
            "PACT_BROKER_BASE_URL": url,
            "PACT_BROKER_USERNAME": "ci",
            "PACT_BROKER_PASSWORD": PASSWORD,
            "GITHUB_PAT": TOKEN,
        }

    def __call__(self, *arguments: str, stdin: str = "", **variables: str) -> Done:
        done = pact_dispatch(
            "webhooks",
            *arguments,
            environment=environment(**{**self.variables, **variables}),
            stdin=stdin,
        )
        assert TOKEN not in done.stdout + done.stderr
        assert PASSWORD not in done.stdout + done.stderr
        return Done(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedBroker]:
    folder = tmp_path_factory.mktemp("webhooks-command")
    access = folder / "access.toml"
    access.write_text(ACCOUNTS)
    access.chmod(0o600)
    with EmbeddedBroker(folder, *OPEN, "--access", str(access), "--webhook-retry-seconds", "none") as broker:
        broker.session.auth = ("ci", PASSWORD)
        broker.publish(example(), "1.0.0", "main")
        secret = {"name": "receiverToken", "description": "d", "value": TOKEN}
        broker.request("POST", "/secrets", json=secret).raise_for_status()
        yield broker


@pytest.fixture
def webhooks(running: EmbeddedBroker) -> Iterator[Commands]:
    yield Commands(running)
    for link in running.get("/webhooks").json()["_links"]["pb:webhooks"]:
        running.request("DELETE", link["href"])


@pytest.fixture
def target() -> Iterator[Target]:
    with Target() as listening:
        yield listening


def receiver(target: Target) -> tuple[str, ...]:
    template = ("--template", "receiver", "--receiver-url", target.url, "--repository", "acme/products")
    return (*template, "--provider", "Bar", "--output", "json")


def uuids(running: EmbeddedBroker) -> list[str]:
    links = running.get("/webhooks").json()["_links"]["pb:webhooks"]
    return [link["href"].rpartition("/")[2] for link in links]


# --- create


def test_creating_twice_makes_one_webhook(
    running: EmbeddedBroker, webhooks: Commands, target: Target
) -> None:
    first = webhooks("create", *receiver(target))
    assert first.code == 0
    assert "created" in first.err
    second = webhooks(
        "create", *receiver(target), "--event", "contract_content_changed", "--description", "other"
    )
    assert "updated" in second.err
    assert uuids(running) == [first.document["uuid"]] == [second.document["uuid"]]
    assert second.document["events"] == [{"name": "contract_content_changed"}]
    assert second.document["request"]["body"]["event_type"] == "pact_changed"
    assert first.document["request"]["url"] == f"{target.url}/repos/acme/products/dispatches"
    assert first.document["request"]["body"]["client_payload"]["sha"] == "${pactbroker.providerVersionNumber}"
    assert "warning" not in first.err


def test_the_secret_of_a_template_is_sent_by_the_broker(webhooks: Commands, target: Target) -> None:
    created = webhooks("create", *receiver(target))
    done = webhooks("test", created.document["uuid"])
    assert done.code == 0
    [received] = target.received
    assert received.headers["authorization"] == f"Bearer {TOKEN}"
    assert received.headers["accept"] == "application/vnd.github+json"
    assert f"sent  POST {target.url}/repos/acme/products/dispatches" in done.out
    assert "got   200" in done.out


def test_a_secret_that_is_not_there_is_warned_of(webhooks: Commands, target: Target) -> None:
    done = webhooks("create", *receiver(target), "--secret", "other")
    assert done.code == 0
    assert "the broker has no secret other yet" in done.err


def test_a_dry_run_needs_no_broker_and_shows_no_secret(target: Target) -> None:
    offline = Commands("http://127.0.0.1:9")
    header = ("--header-from-env", "Authorization=Bearer GITHUB_PAT", "--header-from-env", "X-Odd=GITHUB_PAT")
    done = offline("create", *receiver(target), *header, "--dry-run")
    assert done.code == 0
    assert done.document["request"]["headers"] == {
        "Content-Type": "application/json",
        "Accept": "application/vnd.github+json",
        "Authorization": "**********",
        "X-Odd": "**********",
    }
    assert "nothing was sent" in done.err
    assert "the header Authorization, the header X-Odd" in done.err
    assert "${user.NAME}" in done.err


def test_the_templates_of_github() -> None:
    offline = Commands("http://127.0.0.1:9")
    scope = ("--repository", "acme/products", "--provider", "Bar", "--dry-run")
    plain = offline("create", "--template", "github", *scope).document
    assert plain["events"] == [{"name": "contract_content_changed"}]
    assert plain["request"] == {
        "method": "POST",
        "url": "https://api.github.com/repos/acme/products/dispatches",
        "headers": {
            "Content-Type": "application/json",
            "Accept": "application/vnd.github+json",
            "Authorization": "Bearer ${user.githubToken}",
        },
        "body": CHANGED,
    }
    assert set(CHANGED["client_payload"]) == {"pact_url", "message"}
    enterprise = ("--github-url", "https://github.acme.test/api/v3/")
    full = offline("create", "--template", "github-requiring-verification", *scope, *enterprise).document
    assert full["events"] == [{"name": "contract_requiring_verification_published"}]
    assert full["request"]["url"] == "https://github.acme.test/api/v3/repos/acme/products/dispatches"
    assert set(full["request"]["body"]["client_payload"]) == {"pact_url", "sha", "branch", "message"}
    assert full["request"]["body"]["event_type"] == "contract_requiring_verification_published"


def test_anything_can_be_asked_for(
    running: EmbeddedBroker, webhooks: Commands, target: Target, tmp_path: Path
) -> None:
    (tmp_path / "password").write_text(f"{TOKEN}\n")
    request = ("--url", f"{target.url}/echo?pact=${{pactbroker.pactUrl}}", "--header", "Accept: text/plain")
    secret = ("--username", "ada", "--password-file", str(tmp_path / "password"))
    events = ("--event", "contract_published", "--event", "provider_verification_failed")
    more = ("--description", "d", "--disabled", "--uuid", "my-own-uuid-0001", "--body", "-")
    scope = ("--consumer-label", "team-a", "--provider", "Bar")
    done = webhooks(
        "create",
        *scope,
        *request,
        *secret,
        *events,
        *more,
        "--output",
        "json",
        stdin='{"a": ["${pactbroker.eventName}"]}',
    )
    assert done.code == 0, done.err
    shown = running.get("/webhooks/my-own-uuid-0001").json()
    assert (shown["enabled"], shown["description"]) == (False, "d")
    assert (shown["consumer"], shown["provider"]) == ({"label": "team-a"}, {"name": "Bar"})
    assert [event["name"] for event in shown["events"]] == [
        "contract_published",
        "provider_verification_failed",
    ]
    assert shown["request"]["body"] == {"a": ["${pactbroker.eventName}"]}
    assert done.document["request"]["password"] == "**********"
    webhooks("test", "my-own-uuid-0001")
    [received] = target.received
    assert received.headers["authorization"].startswith("Basic ")
    assert received.body == '{"a":["test"]}'


def test_another_webhook_for_the_same_is_warned_of(
    running: EmbeddedBroker, webhooks: Commands, target: Target
) -> None:
    document = {
        "events": [{"name": "contract_published"}],
        "request": {"method": "POST", "url": f"{target.url}/repos/acme/products/dispatches"},
    }
    by_hand = running.request("POST", "/webhooks/provider/Bar", json=document).json()["uuid"]
    done = webhooks("create", *receiver(target))
    assert done.code == 0
    assert f"webhooks delete {by_hand}" in done.err


def test_a_secret_on_the_command_line_is_warned_of(webhooks: Commands, target: Target) -> None:
    url = ("--url", target.url, "--event", "contract_published", "--provider", "Bar")
    done = webhooks("create", *url, "--header", "Authorization: Bearer abc123")
    assert done.code == 0
    assert "stands on the command line" in done.err
    assert "abc123" not in done.out + done.err
    assert target.received == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "where to?"),
        (("--url", "ftp://x"), "--event"),
        (("--url", "ftp://x", "--event", "e"), "--url is not an http"),
        (("--template", "github"), "--repository"),
        (("--template", "github", "--repository", "acme"), "OWNER/REPO"),
        (("--template", "github", "--repository", "a/.."), "OWNER/REPO"),
        (("--template", "github", "--repository", "a/b", "--url", "http://x"), "part of the template"),
        (("--template", "receiver", "--repository", "a/b"), "--receiver-url"),
        (("--template", "receiver", "--repository", "a/b", "--receiver-url", "nope"), "not a URL"),
        (("--repository", "a/b"), "goes with --template"),
        (("--url", "http://x", "--event", "e", "--all-pacts"), "--all-pacts"),
        (("--url", "http://x", "--event", "e", "--provider-label", "l"), "not both"),
        (("--url", "http://x", "--event", "e", "--uuid", "short"), "--uuid"),
        (("--url", "http://x", "--event", "e", "--header", "nonsense"), "'Name: value'"),
        (("--url", "http://x", "--event", "e", "--header", "X-Token: ********"), "stars"),
        (("--url", "http://x", "--event", "e", "--header-from-env", "A=NOT_SET"), "NOT_SET is not set"),
        (("--url", "http://x", "--event", "e", "--header-from-env", "A"), "NAME=SOURCE"),
        (("--url", "http://x", "--event", "e", "--header-from-file", "A=/no/such"), "can't be read"),
        (("--url", "http://x", "--event", "e", "--password-env", "GITHUB_PAT"), "--username"),
        (("--url", "http://x", "--event", "e", "--body", "/no/such"), "--body"),
    ],
)
def test_a_wrong_command_is_refused_before_anything_is_sent(arguments: tuple[str, ...], said: str) -> None:
    done = Commands("http://127.0.0.1:9")("create", "--provider", "Bar", *arguments)
    assert done.code == 2
    assert said in done.err


def test_everyones_pacts_must_be_asked_for(target: Target) -> None:
    done = Commands("http://127.0.0.1:9")("create", "--url", target.url, "--event", "contract_published")
    assert (done.code, "--all-pacts" in done.err) == (2, True)


# --- update


@pytest.mark.process
@pytest.mark.parametrize(
    ("typed", "options", "code", "left"),
    [("n\n", (), 1, 1), ("\n", (), 1, 1), ("y\n", (), 0, 0), ("", ("--yes",), 0, 0)],
)
def test_a_terminal_is_asked_before_a_webhook_is_deleted(
    running: EmbeddedBroker,
    webhooks: Commands,
    target: Target,
    typed: str,
    options: tuple[str, ...],
    code: int,
    left: int,
) -> None:
    webhooks("create", *receiver(target))
    [uuid] = uuids(running)
    controller, terminal = pty.openpty()
    command = [str(BIN / "pact-dispatch"), "webhooks", "delete", uuid, *options]
    with subprocess.Popen(
        command,
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env=environment(**webhooks.variables),
    ) as process:
        os.close(terminal)
        os.write(controller, typed.encode())
        shown = _read_all(controller)
        assert process.wait(60) == code, shown
    assert len(uuids(running)) == left
    assert ("Delete it? [y/N]" in shown) is (not options)


def _read_all(controller: int) -> str:
    """Read what a terminal shows until nobody writes to it any more."""
    parts = []
    with contextlib.suppress(OSError):  # the end, on Linux
        while part := os.read(controller, 4096):
            parts.append(part)
    os.close(controller)
    return b"".join(parts).decode(errors="replace")


def test_what_is_not_given_stays_and_the_hidden_header_too(webhooks: Commands, target: Target) -> None:
    uuid = webhooks("create", *receiver(target)).document["uuid"]
    done = webhooks("update", uuid, "--disable", "--event", "contract_published", "--output", "json")
    assert done.code == 0
    assert done.document["enabled"] is False
    assert done.document["events"] == [{"name": "contract_published"}]
    assert webhooks("test", uuid).code == 0
    assert target.received[0].headers["authorization"] == f"Bearer {TOKEN}"
    assert webhooks("update", uuid, "--enable", "--output", "json").document["enabled"] is True


def test_a_hidden_header_does_not_follow_to_another_host(
    running: EmbeddedBroker, webhooks: Commands, target: Target
) -> None:
    uuid = webhooks("create", *receiver(target)).document["uuid"]
    with Target() as elsewhere:
        done = webhooks("update", uuid, "--url", elsewhere.url)
        assert done.code == 2
        assert "must not follow to another host" in done.err
        assert running.get(f"/webhooks/{uuid}").json()["request"]["url"].startswith(target.url)
        given = ("--header-from-env", "authorization=Bearer GITHUB_PAT")
        assert webhooks("update", uuid, "--url", elsewhere.url, *given).code == 0
        assert webhooks("test", uuid).code == 0
        assert elsewhere.received[0].headers["authorization"] == f"Bearer {TOKEN}"


def test_a_hidden_password_stays_on_an_update_and_follows_to_no_other_host(
    running: EmbeddedBroker, webhooks: Commands, target: Target
) -> None:
    basic = ("--event", "contract_published", "--provider", "Bar", "--username", "ada")
    made = webhooks("create", "--url", target.url, *basic, "--password-env", "GITHUB_PAT", "--output", "json")
    uuid = made.document["uuid"]
    assert webhooks("update", uuid, "--disable").code == 0
    assert webhooks("test", uuid).code == 0
    known = f"Basic {base64.b64encode(f'ada:{TOKEN}'.encode()).decode()}"
    assert target.received[-1].headers["authorization"] == known
    with Target() as elsewhere:
        done = webhooks("update", uuid, "--url", elsewhere.url)
        assert done.code == 2
        assert "must not follow to another host unasked: give it anew, with --password-env" in done.err
        assert running.get(f"/webhooks/{uuid}").json()["request"]["url"].startswith(target.url)

        replaced = ("--url", elsewhere.url, "--event", "contract_published", "--provider", "Bar")
        assert webhooks("create", "--uuid", uuid, *replaced, "--username", "bob").code == 0
        assert webhooks("test", uuid).code == 0
        assert known not in str(elsewhere.received[0].headers)
    assert "password" not in running.get(f"/webhooks/{uuid}").json()["request"]


@pytest.mark.parametrize("version", ["2.119.0", "2.120.0", None])
def test_stars_of_a_header_go_to_a_broker_that_is_known_to_keep_it_alone(version: str | None) -> None:
    document = json.loads((EXCHANGES / "webhooks" / "159-webhook-create-with-secrets.json").read_text())[
        "response"
    ]["body"]
    del document["request"]["password"], document["request"]["username"]
    headers = {"X-Pact-Broker-Version": version} if version else {}

    def answer(request: Received) -> Reply:
        if request.path == "/":
            index = {"_links": {"pb:webhook": {"href": f"{server.url}/webhooks/{{uuid}}"}}}
            return Reply(body=index, headers=headers)
        return Reply(body=document, headers=headers)

    with Loopback(answer) as server:
        done = Commands(server.url)("update", "SAW16uUopJJdvG_6ewUr7w", "--disable")
        written = [request for request in server.received if request.method == "PUT"]
    if version == "2.120.0":
        assert done.code == 0
        assert written[0].json["request"]["headers"]["authorization"] == "**********"
    else:
        assert (done.code, written) == (2, [])
        assert "authorization, x-auth-token" in done.err


def test_an_update_without_a_change_is_a_mistake(webhooks: Commands, target: Target) -> None:
    uuid = webhooks("create", *receiver(target)).document["uuid"]
    assert "nothing to change" in webhooks("update", uuid).err
    dry = webhooks("update", uuid, "--description", "x", "--dry-run")
    assert (dry.code, dry.document["description"]) == (0, "x")
    assert webhooks("show", uuid, "--output", "json").document["description"] != "x"


# --- list, show, delete


def test_lists_are_tables_json_or_yaml(webhooks: Commands, target: Target) -> None:
    uuid = webhooks("create", *receiver(target)).document["uuid"]
    table = webhooks("list").out
    assert uuid in table
    assert "contract_requiring_verification_published" in table
    assert "provider Bar" in table
    as_json, as_yaml = webhooks("list", "--output", "json").out, webhooks("list", "--output", "yaml").out
    assert json.loads(as_json) == yaml.safe_load(as_yaml)
    assert json.loads(as_json)[0]["uuid"] == uuid
    assert webhooks("list", "--provider", "Foo").out == "no webhooks\n"
    assert webhooks("list", "--consumer", "Foo", "--event", "contract_published").out == "no webhooks\n"
    assert uuid in webhooks("list", "--consumer", "Foo", "--provider", "Bar").out
    assert uuid in webhooks("show", uuid).out


def test_a_reader_that_has_seen_enough_is_no_trouble(webhooks: Commands, target: Target) -> None:
    webhooks("create", *receiver(target))
    script = f"set -o pipefail; {BIN / 'pact-dispatch'} webhooks list --output json | true"
    done = subprocess.run(
        ["bash", "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=environment(**webhooks.variables),
    )
    assert done.returncode == 0
    assert done.stderr == ""


def test_credentials_that_everyone_can_read_are_warned_of_and_not_shown(
    running: EmbeddedBroker, webhooks: Commands, target: Target
) -> None:
    document = {
        "events": [{"name": "contract_published"}],
        "request": {
            "method": "POST",
            "url": f"{target.url}/?access_token={TOKEN}",
            "headers": {"X-Api-Key": TOKEN},
            "body": {"password": TOKEN},
        },
    }
    uuid = running.request("POST", "/webhooks", json=document).json()["uuid"]
    for command in (
        ("list",),
        ("list", "--output", "json"),
        ("show", uuid),
        ("show", uuid, "--output", "yaml"),
    ):
        done = webhooks(*command)
        assert done.code == 0
        assert "x-api-key" in done.err
        assert "access_token in the URL" in done.err
    assert webhooks("test", uuid).code == 0
    running.publish(example(), "3.0.0", "main")
    target.wait_for(2)
    assert webhooks("logs", uuid, "--output", "json").code == 0


def test_deleting_says_whether_there_was_one(
    running: EmbeddedBroker, webhooks: Commands, target: Target
) -> None:
    uuid = webhooks("create", *receiver(target)).document["uuid"]
    assert webhooks("delete", uuid).code == 0
    assert uuids(running) == []
    for command in ("delete", "show", "test", "logs"):
        done = webhooks(command, uuid)
        assert (done.code, f"no webhook {uuid}" in done.err) == (3, True)


# --- test and logs


def test_a_target_that_does_not_take_it_is_explained(webhooks: Commands, target: Target) -> None:
    uuid = webhooks("create", *receiver(target), "--disabled").document["uuid"]
    target.status = 404
    done = webhooks("test", uuid)
    assert done.code == 1
    assert "NOT taken" in done.out
    assert "isn't in its configuration" in done.out
    assert "one of its secrets: " in done.out
    assert "receiverToken" in done.out
    assert "disabled" in done.err
    document = webhooks("test", uuid, "--output", "json").document
    assert (document["success"], document["response"]["status"]) == (False, 404)
    assert "isn't in its configuration" in document["explanation"]


def test_what_github_answers_is_told_apart(running: EmbeddedBroker, webhooks: Commands) -> None:
    weak, classic = Token("github_pat_weak0001"), Token("ghp_classic00001", classic=True)
    weak.rights = {"contents": "read", "metadata": "read"}
    classic.rights = {"actions": "write"}
    strong, gone = Token(TOKEN), Token("ghp_revoked00001", revoked=True)
    products, moved = Repository("acme/products"), Repository("acme/old", moved_to="acme/products")
    with GitHubApi(products, moved, tokens=(weak, classic, strong, gone), prefix="/api/v3") as api:

        def tried(token: Token, repository: str) -> Done:
            secrets = running.get("/secrets").json()["_embedded"]["secrets"]
            known = next((f"/secrets/{one['uuid']}" for one in secrets if one["name"] == "githubToken"), None)
            secret = {"name": "githubToken", "value": token.value}
            running.request("PUT" if known else "POST", known or "/secrets", json=secret).raise_for_status()
            template = ("--template", "github", "--github-url", api.url, "--repository", repository)
            created = webhooks("create", *template, "--provider", "Bar", "--output", "json")
            return webhooks("test", created.document["uuid"])

        taken = tried(strong, "acme/products")
        assert taken.code == 0
        assert "GitHub took the dispatch for acme/products" in taken.out
        for token, repository, said in (
            (strong, "acme/nothing", "nothing tells which"),
            (classic, "acme/products", "without the right: its scopes are workflow"),
            (weak, "acme/products", "may not dispatch to acme/products"),
            (gone, "acme/products", "wrong, revoked or expired"),
            (strong, "acme/old", f"redirects to {api.url}/repositories/2/dispatches"),
        ):
            done = tried(token, repository)
            assert done.code == 1
            assert said in done.out
            assert token.value not in done.out + done.err
    [dispatch] = products.dispatches
    assert dispatch["event_type"] == "pact_changed"
    assert dispatch["client_payload"]["pact_url"].startswith(
        f"{running.url}/pacts/provider/Bar/consumer/Foo/"
    )


def test_a_target_that_is_not_there_is_explained(webhooks: Commands) -> None:
    url = f"http://127.0.0.1:{closed_port()}"
    request = ("--url", url, "--event", "contract_published", "--provider", "Bar", "--output", "json")
    uuid = webhooks("create", *request).document["uuid"]
    done = webhooks("test", uuid)
    assert done.code == 1
    assert "Nothing listens at 127.0.0.1" in done.out


def test_logs_show_each_attempt(running: EmbeddedBroker, webhooks: Commands, target: Target) -> None:
    request = ("--url", f"{target.url}/status/503", "--event", "contract_published", "--provider", "Bar")
    uuid = webhooks("create", *request, "--output", "json").document["uuid"]
    running.publish(example(), "4.0.0", "main")
    wait_for(running, all_are("failure"))
    table = webhooks("logs", "--provider", "Bar").out
    assert "Foo -> Bar" in table
    assert "failure" in table
    assert "503" in table
    of_version = ("--consumer", "Foo", "--provider", "Bar", "--consumer-version", "4.0.0")
    [logged] = webhooks("logs", uuid, *of_version, "--output", "json").document
    assert (logged["webhook"], logged["status"], logged["event"]) == (uuid, "failure", "contract_published")
    [attempt] = logged["attempts"]
    assert (attempt["success"], attempt["status"]) == (False, 503)
    assert any("/status/503" in line for line in attempt["logs"])
    assert webhooks("logs", "--consumer", "Bar").out == "nothing was triggered\n"
    assert webhooks("logs", "--consumer-version", "1").code == 2
    assert webhooks("logs", "--consumer", "Foo", "--provider", "Nope").code == 3


def test_the_logs_of_all_pairs_pass_over_one_that_is_deleted_meanwhile(
    running: EmbeddedBroker, webhooks: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    running.publish({**example(), "consumer": {"name": "Short-lived"}}, "1", "main")
    read = TriggeredWebhooks.pairs

    def deleted(triggered: TriggeredWebhooks, *names: str | None) -> list[tuple[str, str]]:
        found = read(triggered, *names)
        running.request("DELETE", "/pacticipants/Short-lived").raise_for_status()
        return found

    monkeypatch.setattr(TriggeredWebhooks, "pairs", deleted)
    done = webhooks("logs", "--consumer", "Short-lived")
    assert (done.code, done.out) == (0, "nothing was triggered\n")


def test_a_uuid_and_a_name_may_begin_with_a_dash(
    running: EmbeddedBroker, webhooks: Commands, target: Target
) -> None:
    uuid = "-Fr4pnPqZ1x8wTZjhgJzVg"
    running.request("POST", "/pacticipants", json={"name": "-x"}).raise_for_status()
    request = ("--url", target.url, "--event", "contract_published", "--consumer", "-x")
    assert webhooks("create", *request, "--uuid", uuid).code == 0
    assert f"uuid         {uuid}" in webhooks("show", uuid).out
    assert uuid in webhooks("list", "--consumer", "-x").out
    assert webhooks("test", uuid).code == 0
    assert len(target.received) == 1
    assert webhooks("logs", uuid).code == 0
    assert webhooks("update", uuid, "--disable").code == 0
    assert webhooks("delete", uuid).code == 0
    assert uuid not in uuids(running)


# --- the broker


def test_a_broker_is_needed() -> None:
    done = Commands("")("list", PACT_BROKER_USERNAME="", PACT_BROKER_PASSWORD="")
    assert (done.code, "PACT_BROKER_BASE_URL" in done.err) == (2, True)


def test_a_broker_that_is_away_is_no_webhook_that_failed() -> None:
    done = Commands(f"http://127.0.0.1:{closed_port()}")("list")
    assert (done.code, "can't be reached" in done.err) == (3, True)


def test_who_may_only_read_is_told_so(webhooks: Commands, target: Target) -> None:
    reader = {"PACT_BROKER_USERNAME": "dev", "PACT_BROKER_PASSWORD": "ro-passw0rd"}
    assert webhooks("list", **reader).code == 0
    done = webhooks("create", *receiver(target), **reader)
    assert (done.code, "read-only user" in done.err) == (3, True)
    wrong = webhooks("list", PACT_BROKER_PASSWORD="not-the-one")
    assert (wrong.code, "wrong or expired" in wrong.err) == (3, True)


def test_a_broker_without_secrets_is_given_no_webhook_that_needs_one() -> None:
    def answer(request: Received) -> Reply:
        if request.path == "/":
            links = {"pb:webhook": {"href": f"{server.url}/webhooks/{{uuid}}"}}
            return Reply(body={"_links": links})
        return Reply(404, {"error": "The requested document was not found on this server."})

    with Loopback(answer) as server:
        done = Commands(server.url)(
            "create", "--template", "github", "--repository", "acme/products", "--provider", "Bar"
        )
        assert [request.method for request in server.received if request.method != "GET"] == []
    assert done.code == 3
    assert "has no secrets" in done.err
    assert "--header-from-env" in done.err


HOSTILE = {
    "a page": Reply(body="<html>" + "x" * 1000, headers={"Content-Type": "text/html"}),
    "not JSON": Reply(body='{"_links": ', headers={"Content-Type": "application/hal+json"}),
    "no links": Reply(body={"hello": "world"}),
    "another type": Reply(body={"_links": {"pb:webhooks": "x", "pb:webhook": {"href": [1]}}}),
    "too large": Reply(body=b" " * (51 * 2**20)),
    "elsewhere": Reply(302, headers={"Location": "https://login.test/"}),
}


@pytest.mark.parametrize("reply", HOSTILE.values(), ids=HOSTILE)
def test_a_broker_that_is_none_is_said_to_be_so(reply: Reply) -> None:
    with Loopback(reply) as server:
        done = Commands(server.url)("list")
    assert done.code == 3
    assert done.out == ""
    assert len(done.err) > 40


def test_what_a_broker_says_cannot_command_a_terminal_or_a_ci() -> None:
    document = json.loads((EXCHANGES / "webhooks" / "12-webhook-get.json").read_text())["response"]["body"]
    document["description"] = "\x1b[2J\n::error::x ##[error]y"

    def answer(request: Received) -> Reply:
        href = f"{server.url}/webhooks/{{uuid}}"
        return Reply(body={"_links": {"pb:webhook": {"href": href}}} if request.path == "/" else document)

    with Loopback(answer) as server:
        for output in ("table", "json", "yaml"):
            done = Commands(server.url)("show", document["uuid"], "--output", output)
            assert done.code == 0
            assert "\x1b" not in done.out
            assert "##[" not in done.out
            assert not any(line.lstrip().startswith("::") for line in done.out.splitlines())
