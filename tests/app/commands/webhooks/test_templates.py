"""The templates of `pact-dispatch webhooks create`: a real broker sends them, and their targets take them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from app.commands.webhook_bodies import SLACK, TEAMS
from tests.support.commands import pact_dispatch
from tests.support.github_api import GitHubApi
from tests.support.github_state import READ, WRITE, Repository, Token
from tests.support.paths import ROOT
from tests.support.processes import EmbeddedBroker
from tests.support.running import environment
from tests.support.webhook_documents import OPEN
from tests.support.webhook_target import Target

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from subprocess import CompletedProcess

SHA = "0123456789" * 4
PACT = json.loads((ROOT / "examples/storefront-products.json").read_text(encoding="utf-8"))
SLACK_URL = "https://hooks.slack.com/services/T0000/B0000/s3cr3tpart"
TEAMS_URL = (
    "https://prod-01.westeurope.logic.azure.com:443/workflows/1/triggers/manual/paths/invoke?sig=s3cr3tpart"
)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker(tmp_path, *OPEN) as running:
        running.publish(PACT, SHA, branch="main")
        yield running


def create(broker: EmbeddedBroker, *arguments: str, **variables: str) -> CompletedProcess[str]:
    return pact_dispatch(
        "webhooks",
        "create",
        *arguments,
        environment=environment(**{"PACT_BROKER_BASE_URL": broker.url, **variables}),
    )


def publish_result(broker: EmbeddedBroker, *, success: bool) -> str:
    pact = broker.get("/pacts/provider/Products/consumer/Storefront/latest").json()
    url = pact["_links"]["pb:publish-verification-results"]["href"]
    document = {"success": success, "providerApplicationVersion": "2.0.0"}
    answer = broker.request("POST", url, json=document)
    answer.raise_for_status()
    href: str = answer.json()["_links"]["self"]["href"]
    return href


@pytest.mark.parametrize("success", [True, False])
def test_the_consumers_commit_is_told_of_a_result_in_a_context_for_each_provider(
    broker: EmbeddedBroker, *, success: bool
) -> None:
    token = Token("github_pat_0123456789abcdefghij", rights={"statuses": WRITE, "metadata": READ})
    repository = Repository("acme/storefront", commits={SHA})
    with GitHubApi(repository, tokens=(token,)) as api:  # refuses what GitHub's description does not allow
        secret = {"name": "githubStatusToken", "value": token.value}
        broker.request("POST", "/secrets", json=secret).raise_for_status()
        done = create(
            broker,
            *("--template", "github-status", "--repository", "acme/storefront", "--consumer", "Storefront"),
            *("--github-url", api.url),
        )
        assert done.returncode == 0, done.stderr
        result = publish_result(broker, success=success)
        api.wait_for(lambda: repository.statuses)
    state = "success" if success else "failure"
    assert repository.statuses == [
        {
            "sha": SHA,
            "state": state,
            "context": "Pact with Products",
            "description": f"Pact verification: {state}",
            "target_url": result,
        }
    ]


@pytest.mark.parametrize("name", ["slack", "teams"])
def test_a_chat_is_told_of_a_result(broker: EmbeddedBroker, name: str) -> None:
    with Target() as target:
        done = create(
            broker, "--template", name, "--url-from-env", "CHAT", "--provider", "Products", CHAT=target.url
        )
        assert done.returncode == 0, done.stderr
        publish_result(broker, success=False)
        [sent] = target.wait_for(1)
    assert sent.headers["content-type"] == "application/json"
    text = json.dumps(json.loads(sent.body))
    assert f"Storefront {SHA} (main) with Products 2.0.0" in text
    assert "failure" in text
    assert "${" not in text


def texts(value: Any) -> Iterator[str]:
    """All texts in a body that may be marked up."""
    if isinstance(value, dict):
        if value.get("type") in {"mrkdwn", "TextBlock"}:
            yield value["text"]
        for part in value.values():
            yield from texts(part)
    elif isinstance(value, list):
        for part in value:
            yield from texts(part)


@pytest.mark.parametrize("body", [SLACK, TEAMS])
def test_no_name_is_marked_up(body: Any) -> None:
    """A consumer called `<!channel>` mentions nobody."""
    found = list(texts(body))
    assert found
    assert not [text for text in found if "Name" in text or "Version" in text]


def test_the_body_for_teams_is_a_message_with_one_adaptive_card() -> None:
    assert TEAMS["type"] == "message"
    [attachment] = TEAMS["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    card = attachment["content"]
    assert (card["type"], card["version"]) == ("AdaptiveCard", "1.4")
    assert [part["type"] for part in card["body"]] == ["RichTextBlock", "TextBlock"]


@pytest.mark.parametrize(("name", "url"), [("slack", SLACK_URL), ("teams", TEAMS_URL)])
def test_the_url_of_a_chat_is_shown_nowhere(tmp_path: Path, name: str, url: str) -> None:
    hosts = "hooks.slack.com,*.logic.azure.com"
    with EmbeddedBroker(tmp_path, "--webhook-hosts", hosts) as broker:
        broker.publish(PACT, SHA, branch="main")
        done = create(
            broker, "--template", name, "--url-from-env", "CHAT", "--provider", "Products", CHAT=url
        )
        assert done.returncode == 0, done.stderr
        listed = pact_dispatch(
            "webhooks",
            "list",
            *("--output", "json"),
            environment=environment(PACT_BROKER_BASE_URL=broker.url),
        )
        typed = create(broker, "--template", name, "--url", url, "--provider", "Products", "--dry-run")
    for one in (done, listed, typed):
        assert "s3cr3tpart" not in one.stdout + one.stderr
        assert "the URL, by which anybody can post" in one.stderr
    assert "--url-from-env or --url-from-file keeps it from there" in typed.stderr


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--template", "github-status", "--repository", "a/b", "--provider", "P"), "wants --consumer"),
        (("--template", "github-status", "--consumer", "C"), "the consumer's"),
        (("--template", "slack", "--provider", "P"), "--url-from-env VARIABLE"),
        (("--template", "teams", "--provider", "P", "--repository", "a/b"), "is not for --template teams"),
        (
            ("--template", "github", "--repository", "a/b", "--provider", "P", "--ref", "x"),
            "workflow-dispatch",
        ),
        (("--url", "http://a", "--url-from-env", "X", "--provider", "P"), "given twice"),
    ],
)
def test_options_that_do_not_fit_a_template_are_wrong_usage(arguments: tuple[str, ...], text: str) -> None:
    done = pact_dispatch("webhooks", "create", *arguments, "--dry-run", environment=environment(X="http://b"))
    assert done.returncode == 2
    assert text in done.stderr
