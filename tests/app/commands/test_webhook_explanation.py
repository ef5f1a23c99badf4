"""What the answer of a webhook's target is said to mean."""

from __future__ import annotations

from typing import Any

import pytest

from app.commands.webhook_explanation import explain
from broker.webhooks import Execution

GITHUB = "https://api.github.com/repos/acme/products/dispatches"
RECEIVER = "https://dispatch.test/repos/acme/products/dispatches"
OTHER = "https://target.test/hook"


def meaning(status: int, url: str = GITHUB, body: Any = None, **headers: str) -> str:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    success = 200 <= status <= 206
    execution = Execution(
        success,
        f"POST {url}",
        body={"event_type": "pact_changed"},
        status=status,
        answer_headers=named,
        answer_body=body,
    )
    return explain(execution)


@pytest.mark.parametrize(
    ("headers", "said", "not_said"),
    [
        ({}, "nothing tells which", "The token is valid"),
        (
            {"x_oauth_scopes": "repo, workflow"},
            "has the scope repo, so acme/products is misspelled",
            "without the right",
        ),
        ({"x_oauth_scopes": "gist"}, "without the right: its scopes are gist", "misspelled"),
        ({"x_oauth_scopes": ""}, "its scopes are none", "misspelled"),
        ({"x_oauth_scopes": "public_repo"}, "is private", "without the right"),
        (
            {"x_accepted_github_permissions": "contents=write", "x_oauth_scopes": ""},
            "GitHub says the same for both",
            "scopes are none",
        ),
        (
            {"github_authentication_token_expiration": "2027-01-01 00:00:00 UTC"},
            "valid until 2027-01-01 00:00:00 UTC",
            "nothing tells",
        ),
    ],
)
def test_githubs_404_is_told_apart_where_it_can_be(headers: dict[str, str], said: str, not_said: str) -> None:
    text = meaning(404, body={"message": "Not Found"}, **headers)
    assert said in text
    assert not_said not in text


def test_a_github_enterprise_is_github() -> None:
    for url, headers in {
        "https://github.acme.test/api/v3/repos/acme/products/dispatches": {},
        RECEIVER: {"server": "GitHub.com"},
    }.items():
        assert "GitHub says this both for" in meaning(404, url, **headers)


@pytest.mark.parametrize(
    ("status", "url", "headers", "body", "said"),
    [
        (204, GITHUB, {}, None, "listens to repository_dispatch of the type pact_changed"),
        (204, RECEIVER, {}, None, "stored and queued"),
        (200, OTHER, {}, None, ""),
        (401, GITHUB, {}, {"message": "Bad credentials"}, "wrong, revoked or expired"),
        (401, RECEIVER, {}, {"message": "Bad credentials"}, "PACT_DISPATCH_TOKENS"),
        (401, OTHER, {"www_authenticate": 'Basic realm="x"'}, None, "it asks for Basic"),
        (403, GITHUB, {"x_github_sso": "required; url=..."}, None, "single sign-on"),
        (403, GITHUB, {"x_ratelimit_remaining": "0"}, None, "rate limit"),
        (
            403,
            GITHUB,
            {},
            {"message": "Resource not accessible by personal access token"},
            "may not dispatch to acme",
        ),
        (403, OTHER, {}, None, "says no"),
        (404, RECEIVER, {}, {"message": "Not Found"}, "isn't in its configuration"),
        (404, OTHER, {}, None, "check its path"),
        (413, RECEIVER, {}, None, "64 KB"),
        (415, RECEIVER, {}, None, "Content-Type: application/json"),
        (
            422,
            GITHUB,
            {},
            {
                "message": "Validation",
                "errors": [{"resource": "R", "field": "event_type", "code": "missing_field"}],
            },
            "event_type: missing_field",
        ),
        (
            422,
            RECEIVER,
            {},
            {
                "errors": [
                    {"field": "client_payload.sha", "message": "client_payload.sha must be a commit id"}
                ]
            },
            "refused it: client_payload.sha must be a commit id. What the broker sends as sha",
        ),
        (422, GITHUB, {}, {"message": "Invalid request", "errors": ["odd", None]}, "odd"),
        (422, GITHUB, {}, "text", "it doesn't say why"),
        (429, OTHER, {"retry_after": "30"}, None, "it asks to wait 30 s"),
        (503, RECEIVER, {"retry_after": "5"}, None, "is its database up?"),
        (500, OTHER, {}, None, "failed by itself"),
        (
            302,
            GITHUB,
            {"location": "https://api.github.com/repositories/1"},
            None,
            "redirects to https://api.github.com/rep",
        ),
        (207, OTHER, {}, None, "200 to 206"),
        (418, OTHER, {}, None, "200 to 206"),
    ],
)
def test_each_answer_is_explained(
    status: int, url: str, headers: dict[str, str], body: Any, said: str
) -> None:
    text = meaning(status, url, body, **headers)
    assert said in text if said else text == ""


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            "Failed to open TCP connection to target.test:443 (Connection refused)",
            "Nothing listens at target.test",
        ),
        ("The request was not sent: host must be in the whitelist", "--webhook-hosts"),
        (
            "Failed to open TCP connection (getaddrinfo: Name or service not known)",
            "can't find the host target.test",
        ),
        ("SSL_connect returned=1 certificate verify failed", "doesn't trust the TLS"),
        ("execution expired", "didn't answer in time"),
        ("No answer within 15 seconds", "didn't answer in time"),
        ("Network is unreachable", "no way from the broker's network"),
        ("{odd}", "its log says more"),
        (None, "its log says more"),
    ],
)
def test_no_answer_is_explained_by_the_brokers_reason(error: str | None, said: str) -> None:
    assert said in explain(Execution(False, f"POST {OTHER}", error=error))


def test_hostile_answers_are_no_trouble() -> None:
    bodies: tuple[Any, ...] = (None, [], {"errors": {}}, {"errors": [[1]], "message": 5}, "\x1b[31m")
    for body in bodies:
        for status in (400, 401, 403, 404, 422, 503, 599):
            assert meaning(status, body=body)
