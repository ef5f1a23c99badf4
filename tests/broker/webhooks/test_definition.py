"""Webhooks as values, read from what a real broker answered and from what none would."""

from __future__ import annotations

import json
from typing import Any

import pytest

from broker.text.secret_names import STARS
from broker.webhooks import carried_over, stable_uuid
from broker.webhooks.definition import NotAWebhook, Pacticipant, Party, Scope, Webhook, WebhookRequest
from broker.webhooks.hidden_secrets import (
    hidden_headers,
    in_the_clear,
    redacted,
    redacted_log,
    redacted_urls,
    secret_names,
)
from tests.support.paths import EXCHANGES

FOO, BAR = Party(name="Foo"), Party(name="Bar")


def recorded(name: str) -> Any:
    return json.loads((EXCHANGES / "webhooks" / f"{name}.json").read_text(encoding="utf-8"))["response"][
        "body"
    ]


def webhook(**request: Any) -> Webhook:
    sent = WebhookRequest("POST", **{"url": "https://target.test/x", **request})
    return Webhook("0123456789abcdef", Scope(FOO, BAR), ("contract_published",), sent)


# --- reading and writing


@pytest.mark.parametrize(
    "name", ["12-webhook-get", "155-webhook-create-global", "159-webhook-create-with-secrets"]
)
def test_what_a_real_broker_shows_is_read_and_written_again(name: str) -> None:
    document = recorded(name)
    read = Webhook.read(document)
    kept = {
        name: value
        for name, value in document.items()
        if name not in {"uuid", "createdAt", "updatedAt", "_links"}
    }
    assert read.document() == kept
    assert read.uuid == document["uuid"]


def test_fields_that_only_the_broker_knows_are_sent_back() -> None:
    read = Webhook.read({**recorded("12-webhook-get"), "teamUuid": "t"})
    assert read.document()["teamUuid"] == "t"
    assert carried_over(webhook(), read).document()["teamUuid"] == "t"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"events": None}, "events"),
        ({"events": [{"name": 1}]}, "events"),
        ({"request": []}, "request"),
        ({"request": {"method": "POST"}}, "request.url"),
        ({"request": {"url": "u", "method": 5}}, "request.method"),
        ({"request": {"url": "u", "headers": {"a": 1}}}, "request.headers"),
        ({"request": {"url": "u", "password": {}}}, "request.password"),
        ({"consumer": {}}, "consumer"),
        ({"provider": "Bar"}, "provider"),
        ({"uuid": None}, "uuid"),
        ({"description": 5}, "description"),
    ],
)
def test_a_document_that_is_no_webhook_is_refused_by_its_field(change: dict[str, Any], field: str) -> None:
    with pytest.raises(NotAWebhook, match=field):
        Webhook.read({**recorded("12-webhook-get"), **change})


@pytest.mark.parametrize("document", [None, [], "x", 1])
def test_what_is_no_object_is_no_webhook(document: Any) -> None:
    with pytest.raises(NotAWebhook):
        Webhook.read(document)


# --- whose pacts


@pytest.mark.parametrize(
    ("scope", "consumer", "provider", "covered"),
    [
        (Scope(), "Foo", "Bar", True),
        (Scope(FOO, BAR), "Foo", "Bar", True),
        (Scope(FOO, BAR), "Foo", "Baz", False),
        (Scope(FOO, None), "Foo", "Baz", True),
        (Scope(None, BAR), "Other", "Bar", True),
        (Scope(None, BAR), None, "Bar", True),
        (Scope(FOO, BAR), None, "Bar", True),
        (Scope(Party(label="team-a"), BAR), "Foo", "Bar", True),
        (Scope(Party(label="team-b"), BAR), "Foo", "Bar", False),
    ],
)
def test_a_scope_covers_the_pacts_it_is_for(
    scope: Scope, consumer: str | None, provider: str | None, *, covered: bool
) -> None:
    labels = frozenset({"team-a"})
    sides = [None if name is None else Pacticipant(name, labels) for name in (consumer, provider)]
    assert scope.covers(*sides) is covered


def test_the_uuid_follows_from_scope_and_target() -> None:
    url = "https://target.test/x"
    assert stable_uuid(Scope(FOO, BAR), url) == stable_uuid(Scope(FOO, BAR), url)
    different = {
        stable_uuid(scope, target, kind)
        for scope in (Scope(), Scope(FOO), Scope(None, Party(name="Foo")), Scope(Party(label="Foo")))
        for target in (url, url + "/y")
        for kind in ("", "github")
    }
    assert len(different) == 16


def test_the_uuid_stays_the_same_from_version_to_version() -> None:
    # another one would leave a second webhook in everyone's broker
    assert stable_uuid(Scope(FOO, BAR), "https://target.test/x", "github") == (
        "638e6c17-0252-5950-8557-7eeeffe1a3ef"
    )


# --- secrets


@pytest.mark.parametrize(
    ("request_", "places"),
    [
        ({"headers": {"Authorization": "Bearer abc"}}, ("the header Authorization",)),
        ({"headers": {"Authorization": "Bearer ${user.githubToken}"}}, ()),
        ({"headers": {"authorization": STARS}}, ()),
        ({"headers": {"X-Api-Key": "k", "Accept": "text/plain"}}, ("the header X-Api-Key",)),
        ({"headers": {"Authorization": "token ${user.a}${user.b}"}}, ()),
        ({"headers": {"Authorization": "Bearer prefix-${user.a}"}}, ("the header Authorization",)),
        ({"username": "u", "password": "p"}, ("the password",)),
        ({"username": "u", "password": "${user.p}"}, ()),
        ({"url": "https://u:p@target.test/"}, ("the URL's user name and password",)),
        ({"url": "https://target.test/?access_token=abc&x=y"}, ("access_token in the URL",)),
        ({"url": "https://target.test/?token=${user.t}"}, ()),
        ({"body": {"a": [{"token": "abc"}], "pact": "${pactbroker.pactUrl}"}}, ("a.token in the body",)),
    ],
)
def test_credentials_in_the_clear_are_found(request_: dict[str, Any], places: tuple[str, ...]) -> None:
    assert in_the_clear(webhook(**request_)) == places


def test_nothing_secret_is_left_to_show() -> None:
    shown = redacted(
        webhook(
            url="https://u:s3cret@target.test/?token=s3cret&a=b",
            headers={"Authorization": "Bearer s3cret", "X-Odd": "s3cret", "X-Key": "Bearer ${user.k}"},
            body={"token": "s3cret", "list": [{"password": "s3cret"}]},
            username="u",
            password="s3cret",
        ),
        {"x-odd"},
    )
    assert "s3cret" not in json.dumps(shown.document())
    assert shown.request.headers["X-Key"] == "Bearer ${user.k}"
    assert shown.request.url == f"https://{STARS}@target.test/?token={STARS}&a=b"


def test_urls_in_logs_are_shown_without_credentials() -> None:
    log = "INFO: HTTP/1.1 POST https://t.test/?api_key=abc&b=1\nINFO: a: b"
    assert redacted_urls(log) == f"INFO: HTTP/1.1 POST https://t.test/?api_key={STARS}&b=1\nINFO: a: b"


def test_logs_are_shown_without_credentials() -> None:
    log = (
        "[2026-11-21T22:37:52Z] INFO: HTTP/1.1 POST https://t.test/?token=s3cret\n"
        "[2026-11-21T22:37:52Z] INFO: x-api-key: s3cret\n"
        "[2026-11-21T22:37:52Z] INFO: authorization: **********\n"
        '[2026-11-21T22:37:52Z] INFO: {"pact":"p","list":[{"secret":"s3cret"}]}\n'
        "[2026-11-21T22:37:52Z] INFO: {broken\n"
    )
    shown = redacted_log(log)
    assert "s3cret" not in "".join(shown)
    assert shown[2:] == [
        "[2026-11-21T22:37:52Z] INFO: authorization: **********",
        f'[2026-11-21T22:37:52Z] INFO: {{"pact":"p","list":[{{"secret":"{STARS}"}}]}}',
        "[2026-11-21T22:37:52Z] INFO: {broken",
    ]


def test_names_of_secrets_are_found_everywhere() -> None:
    found = webhook(
        url="https://t.test/${user.one}",
        headers={"A": "${user.two}"},
        body=["${user.three}", {"${user.one}": 1}],
    )
    assert secret_names(found) == ("one", "two", "three")


def test_hidden_headers_are_those_with_stars() -> None:
    read = Webhook.read(recorded("159-webhook-create-with-secrets"))
    assert hidden_headers(read) == ("authorization", "x-auth-token")
