"""A provider that has changed: a push as GitHub delivers it, and a dispatch that names no pact."""

from __future__ import annotations

import hashlib
import hmac
import json
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from app.config.settings import Settings
from app.intake.credentials import Tokens
from app.web.application import create_app
from app.web.context import Receiver
from tests.app.web.conftest import TOKENS, WEBHOOK_SECRET

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flask.testing import FlaskClient
    from psycopg_pool import ConnectionPool
    from werkzeug.test import TestResponse

READING = {"Authorization": "Bearer a-token-for-reading-the-api"}
SENDING = {"Authorization": "Bearer a-token-of-the-broker"}
FIRST, SECOND = "a" * 40, "b" * 40
GONE = "0" * 40
CHECKOUT = {"url": "https://git.example.org/orders.git", "command": "true"}


@pytest.fixture
def client(pool: ConnectionPool[Any]) -> Iterator[FlaskClient]:
    settings = Settings.model_validate(
        {
            "broker": {"url": "http://broker.example.org/base"},
            "providers": [
                {"name": "Orders", "repository": "acme/orders", "checkout": CHECKOUT},
                {
                    "name": "Prices",
                    "repository": "acme/prices",
                    "checkout": CHECKOUT,
                    "branches": ["main", "release/*"],
                },
                {
                    "name": "Runs",
                    "repository": "acme/runs",
                    "base_url": "http://127.0.0.1:1",
                    "version": "1",
                },
                {
                    "name": "Deployed",
                    "repository": "acme/deployed",
                    "base_url": "http://127.0.0.1:1",
                    "version": "1",
                    "branches": ["main"],
                },
                {"name": "Relayed", "repository": "acme/relayed", "relay": True},
            ],
        }
    )
    tokens, api_tokens = Tokens("TOKENS", TOKENS), Tokens("API_TOKENS", TOKENS, for_api=True)
    with closing(Receiver(settings, pool, tokens, api_tokens, WEBHOOK_SECRET)) as receiver:
        yield create_app(receiver).test_client()


def pushed(repository: str, branch: str = "main", sha: str = FIRST, **more: Any) -> dict[str, Any]:
    """Give the payload of a push, in the form of GitHub's own examples."""
    return {
        "ref": f"refs/heads/{branch}",
        "before": GONE,
        "after": sha,
        "created": True,
        "deleted": False,
        "repository": {
            "id": 186853002,
            "full_name": repository,
            "default_branch": "main",
            "pushed_at": 1557933657,
        },
        "pusher": {"name": "Codertocat", "email": "someone@example.org"},
        "head_commit": {"id": sha, "message": "Initial commit", "added": ["README.md"]},
        "commits": [{"id": sha, "message": "Initial commit", "added": ["README.md"]}],
        **more,
    }


def push(client: FlaskClient, document: Any, *, delivery: str | None = None) -> TestResponse:
    body = json.dumps(document).encode()
    signature = hmac.new(WEBHOOK_SECRET.encode(), body, hashlib.sha256).hexdigest()
    headers = {"X-GitHub-Event": "push", "X-Hub-Signature-256": f"sha256={signature}"}
    if delivery is not None:
        headers["X-GitHub-Delivery"] = delivery
    return client.post("/github/events", data=body, content_type="application/json", headers=headers)


def dispatch(client: FlaskClient, repository: str, payload: Any = None, **more: Any) -> TestResponse:
    document = {"event_type": "provider_changed", **more}
    if payload is not None:
        document["client_payload"] = payload
    return client.post(f"/repos/{repository}/dispatches", json=document, headers=SENDING)


def items(client: FlaskClient, kind: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get(f"/api/{kind}", headers=READING).get_json()["items"]
    return found[::-1]


def asked(client: FlaskClient) -> list[tuple[Any, ...]]:
    """Give the runs, oldest first: provider, pact, commit, branch."""
    return [
        (run["provider"], run["pact_url"], run["sha"], run["branch"], run["status"])
        for run in items(client, "runs")
    ]


def test_a_push_to_the_default_branch_has_every_pact_verified_at_its_commit(client: FlaskClient) -> None:
    assert push(client, pushed("acme/orders")).status_code == 204
    assert asked(client) == [("Orders", None, FIRST, "main", "waiting")]
    (delivery,) = items(client, "deliveries")
    assert (delivery["event_type"], delivery["source"]) == ("push", "github")
    whole = client.get(f"/api/deliveries/{delivery['id']}", headers=READING).get_json()
    assert whole["payload"] == {
        "ref": "refs/heads/main",
        "before": GONE,
        "after": FIRST,
        "deleted": False,
        "repository": {"full_name": "acme/orders", "default_branch": "main", "pushed_at": 1557933657},
    }


def test_pushes_that_come_while_one_waits_are_one_run_at_the_newest_commit(client: FlaskClient) -> None:
    for number, sha in enumerate((FIRST, SECOND)):
        assert push(client, pushed("acme/prices", sha=sha), delivery=f"push-{number}").status_code == 204
    assert push(client, pushed("acme/prices", "release/2", FIRST)).status_code == 204
    assert asked(client) == [
        ("Prices", None, SECOND, "main", "waiting"),
        ("Prices", None, FIRST, "release/2", "waiting"),
    ]
    assert [delivery["coalesced"] for delivery in items(client, "deliveries")] == [False, True, False]


def at(sha: str, seconds: int | str | None, *, before: str = GONE) -> dict[str, Any]:
    """Give a push to the main branch, some seconds after others."""
    document = pushed("acme/orders", sha=sha, before=before)
    document["repository"]["pushed_at"] = 1557933657 + seconds if isinstance(seconds, int) else seconds
    return document


@pytest.mark.parametrize(
    ("newer", "older"),
    [
        (at(SECOND, 5), at(FIRST, 0)),
        (at(SECOND, "2019-05-15T15:21:02Z"), at(FIRST, 0)),
        # within one second, and with times that say nothing or the contrary, the newer one follows the older one
        (at(SECOND, 0, before=FIRST), at(FIRST, 0)),
        (at(SECOND, None, before=FIRST), at(FIRST, None)),
        (at(SECOND, 0, before=FIRST), at(FIRST, 2)),
        # a branch that was set back: each follows the other
        (at(SECOND, 9, before=FIRST), at(FIRST, 0, before=SECOND)),
        # the same push by an App and by a webhook
        (at(SECOND, 0, before=FIRST), at(SECOND, 0, before=FIRST)),
    ],
)
@pytest.mark.parametrize("state", ["waiting", "running", "finished"])
def test_an_older_push_that_comes_later_is_answered_by_the_run_of_the_newer_one(
    client: FlaskClient, pool: ConnectionPool[Any], newer: Any, older: Any, state: str
) -> None:
    assert push(client, newer, delivery="1").status_code == 204
    with pool.connection() as connection:
        connection.execute("UPDATE runs SET status = %s", [state])
    assert push(client, older, delivery="2").status_code == 204
    assert asked(client) == [("Orders", None, SECOND, "main", state)]
    first, late = items(client, "deliveries")
    assert first["detail"] is None
    assert (late["status"], late["refusal"], late["run_id"]) == (204, None, first["run_id"])
    assert late["coalesced"] is (state == "waiting")
    said = (
        f"the push of {SECOND[:12]} to main came before, by another delivery: run {first['run_id']} answers it"
        if newer == older
        else f"the push of {FIRST[:12]} to main is older than that of {SECOND[:12]}, which came before it: run "
        f"{first['run_id']} {'verifies' if state == 'waiting' else 'was queued for'} the newer one, so nothing was "
        "queued for this one"
    )
    assert late["detail"] == said
    # whoever wants it all the same delivers it again
    assert client.post(f"/api/deliveries/{late['id']}/redeliver", headers=READING).status_code == 201


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (at(FIRST, 0), at(SECOND, 0)),
        (at(FIRST, 0), at(SECOND, 5)),
        (at(FIRST, None), at(SECOND, None)),
        (at(FIRST, 3), at(SECOND, 0, before=FIRST)),
        (at(FIRST, 0, before=SECOND), at(SECOND, 9, before=FIRST)),
        (at(FIRST, 10**40), at(SECOND, -(10**40))),
        (at(FIRST, "soon"), at(SECOND, "9999-99-99")),
    ],
)
def test_a_push_that_is_not_known_to_be_older_is_carried_out(
    client: FlaskClient, first: Any, second: Any
) -> None:
    for document in (first, second):
        assert push(client, document).status_code == 204
    assert asked(client) == [("Orders", None, SECOND, "main", "waiting")]


def test_a_dispatch_that_joins_a_push_makes_no_older_push_the_newest_one(client: FlaskClient) -> None:
    push(client, at(FIRST, 5))
    dispatch(client, "acme/orders", {"sha": SECOND, "branch": "main"})
    push(client, at("c" * 40, 0))
    assert asked(client) == [("Orders", None, SECOND, "main", "waiting")]


@pytest.mark.parametrize(
    "document",
    [
        pushed("acme/orders", "feature/new"),
        pushed("acme/prices", "develop"),
        pushed("acme/orders", sha=GONE, deleted=True),
        pushed("acme/orders", sha=GONE),
        pushed("acme/orders", ref="refs/tags/v1.2.3"),
        pushed("acme/orders", sha=GONE, ref="refs/tags/simple-tag", deleted=True),
        pushed("acme/runs"),
        pushed("acme/relayed"),
        pushed("acme/somewhere-else"),
    ],
)
def test_a_push_that_is_for_no_provider_is_no_refused_dispatch(client: FlaskClient, document: Any) -> None:
    assert push(client, document).status_code == 204
    assert (items(client, "runs"), items(client, "deliveries")) == ([], [])


def test_a_provider_that_runs_is_verified_as_the_version_that_it_is(client: FlaskClient) -> None:
    assert push(client, pushed("acme/deployed")).status_code == 204
    assert asked(client) == [("Deployed", None, None, None, "waiting")]


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ([], "body"),
        (pushed("acme/orders", ref=7), "ref"),
        (pushed("acme/orders", ref="main"), "ref"),
        (pushed("acme/orders", "\u202emain\n"), "ref"),
        (pushed("acme/orders", sha="main; rm -rf /"), "after"),
        ({"ref": "refs/heads/main", "after": FIRST}, "repository.full_name"),
        ({**pushed("acme/orders"), "repository": "acme/orders"}, "repository.full_name"),
    ],
)
def test_what_is_no_push_is_refused_by_its_field(client: FlaskClient, document: Any, field: str) -> None:
    answer = push(client, document)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.get_json()["errors"]] == [field]
    assert items(client, "runs") == []


def test_a_push_may_be_longer_than_a_dispatch(client: FlaskClient) -> None:
    commits = [{"id": f"{number:040x}", "message": "x" * 500} for number in range(2000)]
    assert push(client, pushed("acme/orders", commits=commits)).status_code == 204
    assert len(asked(client)) == 1
    assert push(client, pushed("acme/orders", commits=["x" * 1024] * 6000)).status_code == 413


def test_a_push_is_redelivered_at_its_own_commit(client: FlaskClient) -> None:
    for sha in (FIRST, SECOND):
        push(client, pushed("acme/orders", sha=sha))
    first = items(client, "deliveries")[0]
    answer = client.post(f"/api/deliveries/{first['id']}/redeliver", headers=READING)
    assert answer.status_code == 201, answer.text
    assert asked(client) == [
        ("Orders", None, SECOND, "main", "waiting"),
        ("Orders", None, FIRST, "main", "waiting"),
    ]
    again = items(client, "deliveries")[-1]
    assert client.post(f"/api/deliveries/{again['id']}/redeliver", headers=READING).status_code == 201


def test_a_push_is_not_passed_on_where_a_provider_has_come_to_be_relayed(
    client: FlaskClient, pool: ConnectionPool[Any]
) -> None:
    push(client, pushed("acme/orders"))
    (delivery,) = items(client, "deliveries")
    with pool.connection() as connection:
        connection.execute(
            "UPDATE deliveries SET payload = jsonb_set(payload, '{repository,full_name}', '\"acme/relayed\"')"
        )
    answer = client.post(f"/api/deliveries/{delivery['id']}/redeliver", headers=READING)
    assert answer.status_code == 409
    assert "the push itself has started the workflow" in answer.text
    assert len(asked(client)) == 1


@pytest.mark.parametrize(
    ("payload", "sha"),
    [({"sha": FIRST}, FIRST), ({"sha": FIRST, "pact_url": ""}, FIRST), ({}, None), (None, None)],
)
def test_a_dispatch_tells_that_the_provider_has_changed(
    client: FlaskClient, payload: Any, sha: str | None
) -> None:
    assert dispatch(client, "acme/orders", payload).status_code == 204
    assert asked(client) == [("Orders", None, sha, None, "waiting")]


@pytest.mark.parametrize(
    ("payload", "more", "field"),
    [
        (
            {"pact_url": "http://broker.example.org/base/pacts/1"},
            {},
            "client_payload.pact_url",
        ),
        ({"sha": "1.4.0"}, {}, "client_payload.sha"),
        ({"pact_url": "${pactbroker.pactUrl}"}, {}, "client_payload.pact_url"),
        (
            {"sha": FIRST},
            {"event_type": "pact_changed"},
            "client_payload.pact_url",
        ),
        ({"sha": FIRST}, {"event_type": "push"}, "client_payload.pact_url"),
        ([], {}, "client_payload"),
    ],
)
def test_an_empty_pact_url_never_means_every_pact_unless_the_event_type_says_so(
    client: FlaskClient, payload: Any, more: dict[str, Any], field: str
) -> None:
    answer = dispatch(client, "acme/orders", payload, **more)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.get_json()["errors"]] == [field]
    assert items(client, "runs") == []


def test_a_change_of_a_relayed_provider_is_passed_on(client: FlaskClient) -> None:
    assert dispatch(client, "acme/relayed", {"sha": FIRST, "reason": "deployed"}).status_code == 204
    (run,) = items(client, "runs")
    assert (run["event_type"], run["pact_url"]) == ("provider_changed", None)
