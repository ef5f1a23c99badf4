"""`pact-dispatch setup`: its targets, and what a token of each may do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.app.commands.setup.conftest import OTHER_TOKEN, PACT, TOKEN, Setup, dispatches, kept, sent_tokens
from tests.support.faulty_broker import Fault as BrokerFault
from tests.support.faulty_broker import FaultyBroker
from tests.support.github_state import READ, WRITE, Token
from tests.support.loopback import closed_port
from tests.support.paths import ROOT
from tests.support.processes import EmbeddedBroker
from tests.support.receiver import TOKEN as RECEIVER_TOKEN
from tests.support.receiver import LocalReceiver, configuration
from tests.support.webhook_documents import OPEN

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.github_api import GitHubApi

EXAMPLES = ROOT / "examples" / "workflows"
CHANGED = ".github/workflows/pact_changed.yml"
REQUIRING = ".github/workflows/contract_requiring_verification_published.yml"
WORKFLOW = ("--target", "workflow-dispatch")


@pytest.fixture
def examples(api: GitHubApi) -> GitHubApi:
    """GitHub with the example workflows, and a token that can't push."""
    files = {
        f".github/workflows/{file.name}": file.read_text(encoding="utf-8") for file in EXAMPLES.glob("*.yml")
    }
    repository = api.repository("acme/products")
    repository.files, repository.default_branch = files, "trunk"
    api.tokens[0].rights = {"actions": WRITE, "contents": READ, "metadata": READ}
    return api


# --- workflow_dispatch


def test_a_workflow_dispatch_starts_the_example_with_a_token_that_can_not_push(
    broker: EmbeddedBroker, examples: GitHubApi, setup: Setup
) -> None:
    done = setup(*WORKFLOW, "--wait", "20", PACT_DISPATCH_GITHUB_TOKEN=TOKEN)
    assert done.code == 0, done.out
    assert set(done.states.values()) == {"ok", "changed"}
    repository = examples.repository("acme/products")
    [started] = repository.started
    assert (started["workflow"], started["ref"]) == (CHANGED, "trunk")
    assert list(started["inputs"]) == ["pact-url"]
    assert "/pacts/provider/Products/consumer/Storefront/" in started["inputs"]["pact-url"]
    assert dispatches(examples) == []
    assert repository.runs[0].event == "workflow_dispatch"
    assert "push" not in done.out
    secret, webhook = kept(broker)
    assert secret["name"] == "githubActionsToken"
    assert webhook["request"]["url"].endswith(f"/actions/workflows/{CHANGED.rpartition('/')[2]}/dispatches")
    assert setup(*WORKFLOW, PACT_DISPATCH_GITHUB_TOKEN=TOKEN).states["webhook"] == "ok"
    examples.tokens[0].rights["contents"] = WRITE
    both = setup("--plan").steps["webhook"]["warnings"]
    assert f"Webhook {webhook['uuid']} sends from the same scope to {webhook['request']['url']}" in both[0]


def test_a_workflow_dispatch_names_the_provider_version_that_lacks_a_result(
    examples: GitHubApi, setup: Setup
) -> None:
    done = setup(*WORKFLOW, "--event", "contract_requiring_verification_published")
    assert done.code == 0, done.out
    [started] = examples.repository("acme/products").started
    assert started["workflow"] == REQUIRING
    assert set(started["inputs"]) == {"pact-url", "sha", "branch"}


def test_a_workflow_that_can_not_be_started_is_a_failure_that_says_why(
    examples: GitHubApi, setup: Setup
) -> None:
    files = examples.repository("acme/products").files
    for name, text, found in (
        ("a.yml", "on: push", "it is not started by workflow_dispatch"),
        ("b.yml", "on: {workflow_dispatch: }", "its workflow_dispatch has no input pact-url"),
        (
            "c.yml",
            "on: {workflow_dispatch: {inputs: {pact-url: {}, why: {required: true}, w: {required: true, default: 1}}}}",
            "its workflow_dispatch requires the input why",
        ),
    ):
        files[f".github/workflows/{name}"] = text
        done = setup(*WORKFLOW, "--workflow", name, "--plan")
        assert done.code == 1
        assert done.steps["workflow"]["found"].endswith(f"{name} on trunk can't be started: {found}.")
    missing = setup(*WORKFLOW, "--workflow", "d.yml")
    assert missing.steps["workflow"]["found"] == "There is no .github/workflows/d.yml on trunk."
    assert "--write-workflow" in missing.steps["workflow"]["to_do"]
    assert "GitHub says this for a workflow file d.yml" in missing.steps["test"]["to_do"]
    refused = setup(*WORKFLOW, "--workflow", "b.yml")
    assert (refused.code, refused.steps["test"]["status"]) == (1, 422)
    assert (
        "Unexpected inputs provided: ['pact-url']. The workflow b.yml must have"
        in refused.steps["test"]["to_do"]
    )


def test_a_token_that_may_not_start_workflows_is_told_the_right_it_needs(
    examples: GitHubApi, setup: Setup
) -> None:
    examples.tokens[0].rights = {"contents": READ, "metadata": READ, "actions": READ}
    done = setup(*WORKFLOW)
    assert (done.code, done.steps["test"]["status"]) == (1, 403)
    assert "it needs actions: write" in done.steps["test"]["to_do"]
    assert "its organisation may not have approved it yet" in done.steps["test"]["to_do"]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--workflow", "x.yml"), "--workflow is for --target workflow-dispatch"),
        (("--ref", "main"), "--ref is for --target workflow-dispatch"),
        ((*WORKFLOW, "--workflow", "../x.yml"), "is not the name of a workflow file"),
        ((*WORKFLOW, "--ref", "a b"), "is not the name of a branch"),
    ],
)
def test_options_that_do_not_fit_the_target_are_wrong_usage(
    setup: Setup, arguments: tuple[str, ...], text: str
) -> None:
    done = setup(*arguments)
    assert done.code == 2
    assert text in done.err


# --- what a token may


def test_what_a_token_in_the_broker_can_do_is_said_when_it_is_put_there(
    setup: Setup,
) -> None:
    [warning] = setup("--plan").steps["secret"]["warnings"]
    assert "can push to acme/products with it (Contents: write)" in warning
    for way in ("--target workflow-dispatch", "the relay"):
        assert way in warning
    assert setup().steps["secret"]["warnings"] == [warning]
    assert setup().steps["secret"]["warnings"] == []


def test_a_token_that_is_mightier_than_needed_is_warned_of(api: GitHubApi, setup: Setup) -> None:
    api.tokens.append(Token("ghp_classic0123456789abcdef", classic=True))
    mighty = setup("--plan", PACT_DISPATCH_GITHUB_TOKEN="ghp_classic0123456789abcdef")
    [warning] = mighty.steps["token"]["warnings"]
    assert "may more than dispatch (scopes: workflow)" in warning
    assert "fine-grained" in warning
    api.tokens[-1].rights = {"contents": WRITE, "metadata": READ}
    plain = setup("--plan", PACT_DISPATCH_GITHUB_TOKEN="ghp_classic0123456789abcdef")
    assert "every repository of its owner" in plain.steps["token"]["warnings"][0]


def test_an_ambient_token_is_warned_of(setup: Setup) -> None:
    assert "comes from GITHUB_TOKEN, which other tools set" in setup("--plan").steps["token"]["warnings"][0]
    named = setup("--plan", PACT_DISPATCH_GITHUB_TOKEN=TOKEN)
    assert named.steps["token"]["warnings"] == []


# --- a broker without secrets


def test_a_receivers_token_goes_into_the_webhook_where_the_broker_has_no_secrets(
    tmp_path: Path, database_url: str
) -> None:
    with EmbeddedBroker(tmp_path, *OPEN) as behind, FaultyBroker(behind.url) as plain:
        behind.publish(PACT, "1.0.0", "main")
        plain.faults.append(BrokerFault("GET", "/secrets", 404))
        provider = {"base_url": f"http://127.0.0.1:{closed_port()}", "version": "1"}
        config = configuration(plain.url, provider, server={"processes": 1})
        with LocalReceiver(tmp_path, config, command="web", database_url=database_url) as receiver:
            setup = Setup(plain.url, "--target", "receiver", "--receiver-url", receiver.url)
            assert setup("--plan").code == 0
            assert kept(behind) == []
            done = setup()
            assert done.code == 0, done.out
            assert done.states == {"receiver": "ok", "secret": "ok", "webhook": "changed", "test": "ok"}
            assert "So the token goes into the webhook" in done.steps["secret"]["found"]
            assert "good for this receiver alone" in done.steps["secret"]["warnings"][0]
            assert "--target receiver" not in done.out
            [webhook] = kept(behind)
            assert webhook["request"]["headers"]["authorization"] == "**********"
            assert RECEIVER_TOKEN not in str(webhook)
            assert [run["provider"] for run in receiver.runs()] == ["Products"]
            assert setup().states["webhook"] == "ok"


@pytest.mark.parametrize("target", ["github", "workflow-dispatch"])
def test_the_ways_without_secrets_never_name_what_was_chosen(
    tmp_path: Path, examples: GitHubApi, target: str
) -> None:
    with EmbeddedBroker(tmp_path, *OPEN) as behind, FaultyBroker(behind.url) as plain:
        behind.publish(PACT, "1.0.0", "main")
        plain.faults.append(BrokerFault("GET", "/secrets", 404))
        examples.tokens[0].rights["contents"] = WRITE
        setup = Setup(plain.url, "--github-url", examples.url, "--target", target)
        advice = setup().steps["secret"]["to_do"]
        assert f"--target {target}" not in advice
        assert ("--target workflow-dispatch" in advice) is (target == "github")
        examples.tokens[1].rights["actions"] = WRITE
        knowingly = setup("--token-in-webhook", GITHUB_TOKEN=OTHER_TOKEN)
        assert knowingly.code == 0, knowingly.out
        assert ("can push" in str(knowingly.steps["secret"]["warnings"])) is (target == "github")
    assert sent_tokens(examples) == [f"Bearer {OTHER_TOKEN}"]
