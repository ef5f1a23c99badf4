"""`pact-dispatch setup`: a real broker, GitHub's API on loopback, a real receiver."""

from __future__ import annotations

import re
import subprocess
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from tests.support.faulty_broker import Fault as BrokerFault
from tests.support.faulty_broker import FaultyBroker
from tests.support.github_api import Fault, GitHubApi
from tests.support.github_state import READ, WRITE, Repository, Token
from tests.support.loopback import Loopback, Reply, closed_port
from tests.support.pacts import interaction, pact
from tests.support.paths import ROOT
from tests.support.processes import BIN, EmbeddedBroker
from tests.support.receiver import LocalReceiver, configuration
from tests.support.running import environment, scripted_provider
from tests.support.webhook_documents import OPEN

if TYPE_CHECKING:
    from pathlib import Path


from tests.app.commands.setup.conftest import (
    FILE,
    LISTENS,
    OTHER_TOKEN,
    PACT,
    TOKEN,
    Done,
    Setup,
    contents,
    dispatches,
    kept,
    sent_tokens,
)

# --- all of it, again, and planned


def test_a_token_becomes_a_webhook_that_starts_a_run(
    broker: EmbeddedBroker, api: GitHubApi, setup: Setup
) -> None:
    done = setup("--wait", "20")
    assert done.code == 0, done.out
    assert done.states == {
        "token": "ok",
        "secret": "changed",
        "webhook": "changed",
        "test": "ok",
        "workflow": "ok",
        "run": "ok",
    }
    [dispatch] = dispatches(api)
    assert dispatch["event_type"] == "pact_changed"
    assert "/pacts/provider/Products/consumer/Storefront/" in dispatch["client_payload"]["pact_url"]
    assert sent_tokens(api) == [f"Bearer {TOKEN}"]
    secret, webhook = kept(broker)
    assert secret["name"] == "githubToken"
    assert webhook["uuid"] == done.steps["webhook"]["webhook"]
    assert webhook["provider"] == {"name": "Products"}
    assert done.steps["run"]["url"] == "https://github.com/acme/products/actions/runs/1"


def test_a_second_setup_changes_nothing(broker: EmbeddedBroker, api: GitHubApi, setup: Setup) -> None:
    assert setup().code == 0
    before = kept(broker)
    done = setup()
    assert (done.code, set(done.states.values())) == (0, {"ok"})
    assert kept(broker) == before
    assert len(dispatches(api)) == 2
    assert "All was set up already" in setup(output=()).out


def test_a_plan_changes_nothing_and_says_what_would_be_done(
    broker: EmbeddedBroker, api: GitHubApi, setup: Setup
) -> None:
    before = contents(broker)
    done = setup("--plan")
    assert done.code == 0
    assert done.states == {
        "token": "ok",
        "secret": "planned",
        "webhook": "planned",
        "test": "planned",
        "workflow": "ok",
    }
    assert kept(broker) == []
    assert dispatches(api) == []
    assert {asked.method for asked in api.asked} == {"GET"}
    assert contents(broker) == before
    assert "Would create it" in done.steps["webhook"]["done"]

    assert setup().code == 0
    before_change = kept(broker)
    planned = setup("--plan", "--event", "contract_published", GITHUB_TOKEN=OTHER_TOKEN)
    assert planned.steps["webhook"]["found"].endswith("differs in events.")
    assert (
        planned.steps["secret"]["found"]
        == "The broker's secret githubToken is another token for acme/products."
    )
    assert kept(broker) == before_change


def test_a_new_token_takes_the_place_of_the_old_one(
    broker: EmbeddedBroker, api: GitHubApi, setup: Setup
) -> None:
    assert setup().code == 0
    done = setup(GITHUB_TOKEN=OTHER_TOKEN)
    assert (done.states["secret"], done.states["webhook"]) == ("changed", "changed")
    assert sent_tokens(api) == [f"Bearer {TOKEN}", f"Bearer {OTHER_TOKEN}"]
    assert len(kept(broker)) == 2


def test_the_webhook_sends_the_secret_that_is_named(
    broker: EmbeddedBroker, api: GitHubApi, setup: Setup
) -> None:
    """A broker hides the header that names the secret, so that any two look alike."""
    assert setup().code == 0
    other = setup("--secret", "productsToken", GITHUB_TOKEN=OTHER_TOKEN)
    assert (other.code, other.states["webhook"]) == (0, "changed")
    back = setup()
    assert (back.code, back.states["secret"], back.states["webhook"]) == (0, "ok", "changed")
    assert sent_tokens(api) == [f"Bearer {token}" for token in (TOKEN, OTHER_TOKEN, TOKEN)]
    webhook = kept(broker)[-1]
    webhook["description"] = "Verify a changed pact (acme/products)"
    broker.request("PUT", f"/webhooks/{webhook['uuid']}", json=webhook).raise_for_status()
    unseen = setup()
    assert unseen.states["webhook"] == "changed"
    assert "differs in description" in unseen.steps["webhook"]["found"]


def test_what_differs_in_the_webhook_is_named_and_mended(
    broker: EmbeddedBroker, api: GitHubApi, setup: Setup
) -> None:
    uuid = setup().steps["webhook"]["webhook"]
    document = broker.get(f"/webhooks/{uuid}").json()
    document["enabled"], document["request"]["body"]["event_type"] = False, "other"
    broker.request("PUT", f"/webhooks/{uuid}", json=document).raise_for_status()
    done = setup()
    assert done.code == 0
    assert done.steps["webhook"]["found"].endswith("differs in enabled, body.")
    assert broker.get(f"/webhooks/{uuid}").json()["enabled"] is True
    assert [dispatch["event_type"] for dispatch in dispatches(api)] == ["pact_changed", "pact_changed"]


def test_what_the_broker_hides_is_written_again_when_the_test_is_refused(
    broker: EmbeddedBroker, api: GitHubApi, setup: Setup
) -> None:
    uuid = setup().steps["webhook"]["webhook"]
    [secret, webhook] = kept(broker)
    changed = {"name": "githubToken", "description": secret["description"], "value": "changed-by-hand"}
    broker.request("PUT", f"/secrets/{secret['uuid']}", json=changed).raise_for_status()
    webhook["request"]["headers"]["authorization"] = "Bearer another"
    broker.request("PUT", f"/webhooks/{uuid}", json=webhook).raise_for_status()
    done = setup()
    assert done.code == 0
    assert done.steps["test"]["done"].startswith(
        "The first try was refused, so the secret and the webhook was"
    )
    assert sent_tokens(api)[-2:] == ["Bearer another", f"Bearer {TOKEN}"]


# --- the token


@pytest.mark.parametrize("target", ["found", "to_do"])
def test_a_token_that_github_does_not_know_is_stored_nowhere(
    broker: EmbeddedBroker, setup: Setup, target: str
) -> None:
    done = setup(GITHUB_TOKEN="github_pat_of-nobody-at-all")
    assert done.code == 1
    assert done.document["first_problem"] == "token"
    assert done.states == {
        "token": "failed",
        "secret": "skipped",
        "webhook": "skipped",
        "test": "skipped",
        "workflow": "skipped",
    }
    expected = {"found": "GitHub answered 401 (Bad credentials)", "to_do": "Contents: read and write"}
    assert expected[target] in done.steps["token"][target]
    assert kept(broker) == []


def test_a_repository_that_is_not_seen_renamed_or_archived_is_a_failure(
    broker: EmbeddedBroker, api: GitHubApi, setup: Setup
) -> None:
    unknown = setup("--repository", "acme/nothing")
    assert unknown.code == 1
    assert "Check --repository acme/nothing" in unknown.steps["token"]["to_do"]

    api.repository("acme/products").archived = True
    assert "is archived" in setup().steps["token"]["to_do"]

    api.repositories["acme/catalogue"] = Repository("acme/catalogue")
    api.repository("acme/products").moved_to = "acme/catalogue"
    moved = setup()
    assert moved.code == 1
    assert "--repository acme/catalogue" in moved.steps["token"]["to_do"]
    assert kept(broker) == []


def test_a_token_without_the_right_is_not_stored_and_the_workflow_is_looked_at_all_the_same(
    broker: EmbeddedBroker, api: GitHubApi, setup: Setup
) -> None:
    api.tokens[0].rights = {"contents": READ, "metadata": READ}
    done = setup()
    assert done.code == 1
    assert (done.states["token"], done.states["workflow"]) == ("failed", "ok")
    assert "Contents: write (a classic token: repo)" in done.steps["token"]["to_do"]
    api.tokens[0].classic, api.tokens[0].rights = True, {"statuses": WRITE, "metadata": READ}
    api.repository("acme/products").private = False
    assert "(scopes: repo:status)" in setup().steps["token"]["found"]
    assert kept(broker) == []


def test_a_token_of_a_workflow_run_is_refused_since_it_lives_an_hour(
    broker: EmbeddedBroker, api: GitHubApi, setup: Setup
) -> None:
    api.tokens.append(Token("ghs_1234567890abcdefghij"))
    done = setup(GITHUB_TOKEN="ghs_1234567890abcdefghij")
    assert done.code == 1
    assert "lives for an hour" in done.steps["token"]["to_do"]
    assert kept(broker) == []


def test_a_token_that_expires_soon_is_warned_of_and_its_end_is_kept(
    broker: EmbeddedBroker, api: GitHubApi, setup: Setup
) -> None:
    api.tokens[0].expires = expires = datetime.now(UTC) + timedelta(days=3, hours=1)
    done = setup()
    assert done.code == 0
    assert "expires in 3 days" in str(done.steps["token"]["warnings"])
    assert f"until {expires:%Y-%m-%d}" in kept(broker)[0]["description"]
    api.tokens[0].expires = datetime.now(UTC) + timedelta(days=30)
    assert "expires" not in str(setup().steps["token"]["warnings"])


def test_the_token_is_taken_from_where_it_stands_and_never_from_the_command_line(
    setup: Setup, api: GitHubApi, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text(f"{OTHER_TOKEN}\n")
    setup("--token-file", str(file))
    setup(PACT_DISPATCH_GITHUB_TOKEN_FILE=str(file))
    setup(PACT_DISPATCH_GITHUB_TOKEN=OTHER_TOKEN)
    assert sent_tokens(api) == [f"Bearer {OTHER_TOKEN}"] * 3
    assert setup("--token", TOKEN[:4]).code == 2


# --- the secret


def test_a_broker_without_secrets_is_told_of_with_the_ways_there_are(tmp_path: Path, api: GitHubApi) -> None:
    with EmbeddedBroker(tmp_path, *OPEN) as behind, FaultyBroker(behind.url) as plain:
        behind.publish(PACT, "1.0.0", "main")
        plain.faults.append(BrokerFault("GET", "/secrets", 404))
        setup = Setup(plain.url, "--github-url", api.url)
        done = setup()
        assert done.code == 1
        assert done.states["secret"] == "failed"
        for way in ("--target receiver", "relay = true", "--token-in-webhook"):
            assert way in done.steps["secret"]["to_do"]
        assert kept(behind) == []

        knowingly = setup("--token-in-webhook")
        assert knowingly.code == 0, knowingly.out
        assert "stands in the webhook" in knowingly.steps["secret"]["warnings"][0]
        assert sent_tokens(api) == [f"Bearer {TOKEN}"]
        before = kept(behind)
        assert len(before) == 1
        assert setup("--token-in-webhook").code == 0
        assert kept(behind) == before
        renewed = setup("--token-in-webhook", GITHUB_TOKEN=OTHER_TOKEN)
        assert renewed.states["webhook"] == "changed"
        assert sent_tokens(api)[-1] == f"Bearer {OTHER_TOKEN}"


def test_the_token_of_another_repository_is_not_overwritten(
    broker: EmbeddedBroker, api: GitHubApi, setup: Setup
) -> None:
    api.repositories["acme/orders"] = Repository("acme/orders", files={FILE: LISTENS})
    assert setup().code == 0
    before = kept(broker)
    done = setup("--repository", "acme/orders", "--provider", "Orders", GITHUB_TOKEN=OTHER_TOKEN)
    assert done.code == 1
    assert "is the token for acme/products" in done.steps["secret"]["found"]
    assert "--secret acme_orders_token" in done.steps["secret"]["to_do"]
    assert kept(broker) == before
    broker.request("POST", "/pacticipants", json={"name": "Orders"}).raise_for_status()
    shared = setup("--repository", "acme/orders", "--provider", "Orders")
    assert (shared.code, shared.states["secret"]) == (0, "ok"), shared.out
    assert "has placeholders" in shared.steps["test"]["warnings"][0]


def test_a_secret_that_somebody_made_is_taken_over_with_a_warning(
    broker: EmbeddedBroker, setup: Setup
) -> None:
    made = {"name": "githubToken", "value": "something", "description": "made by hand"}
    broker.request("POST", "/secrets", json=made).raise_for_status()
    done = setup()
    assert (done.code, done.states["secret"]) == (0, "changed")
    assert "--secret" in done.steps["secret"]["warnings"][-1]


def test_credentials_that_may_only_read_are_a_failure(broker: EmbeddedBroker, setup: Setup) -> None:
    done = setup(PACT_BROKER_USERNAME="dev", PACT_BROKER_PASSWORD="ro-passw0rd")
    assert done.code == 1
    assert done.document["first_problem"] == "secret"
    assert "may change webhooks and secrets" in done.steps["secret"]["to_do"]
    assert kept(broker) == []


# --- the webhook and its test


def test_a_host_that_the_broker_may_not_send_to_is_a_failure(tmp_path: Path, api: GitHubApi) -> None:
    with EmbeddedBroker(tmp_path, "--webhook-hosts", "elsewhere.example") as strict:
        strict.publish(PACT, "1.0.0", "main")
        done = Setup(strict.url, "--github-url", api.url)(PACT_BROKER_USERNAME="", PACT_BROKER_PASSWORD="")
    assert done.code == 1
    assert done.document["first_problem"] == "webhook"
    assert "--webhook-hosts" in done.steps["webhook"]["to_do"]
    assert (done.states["test"], done.states["workflow"]) == ("skipped", "ok")


def test_a_name_that_the_broker_does_not_know_is_a_failure_also_of_a_plan(
    broker: EmbeddedBroker, setup: Setup
) -> None:
    done = setup("--provider", "products", "--consumer", "Nobody", "--plan")
    assert done.code == 1
    assert done.steps["webhook"]["found"] == "The broker knows no provider products and no consumer Nobody."
    assert kept(broker) == []


def test_another_webhook_to_the_same_place_is_warned_of(broker: EmbeddedBroker, setup: Setup) -> None:
    assert setup().code == 0
    [webhook] = [one for one in kept(broker) if "request" in one]
    webhook["request"]["headers"] = {}
    broker.request("PUT", "/webhooks/made-by-hand-0001", json=webhook).raise_for_status()
    assert "made-by-hand-0001 sends" in setup().steps["webhook"]["warnings"][0]


def test_a_test_that_github_refuses_is_explained(api: GitHubApi, setup: Setup) -> None:
    api.faults.append(Fault("POST", "/dispatches", 404, "Not Found", {"X-GitHub-Media-Type": "github.v3"}))
    done = setup("--wait", "5")
    assert done.code == 1
    assert done.document["first_problem"] == "test"
    assert done.steps["test"]["status"] == 404
    assert "GitHub says this both for a wrong repository" in done.steps["test"]["to_do"]
    assert done.states["run"] == "skipped"


# --- the workflow and its run


def test_a_workflow_that_is_missing_or_listens_to_something_else_is_a_failure(
    api: GitHubApi, setup: Setup
) -> None:
    repository = api.repository("acme/products")
    repository.files = {FILE: LISTENS.replace("pact_changed", "other"), ".github/workflows/x.yml": "on: ["}
    done = setup("--wait", "5")
    assert done.code == 1
    assert done.document["first_problem"] == "workflow"
    assert f"{FILE} listens to other." in done.steps["workflow"]["found"]
    assert "x.yml can't be read: it is no YAML" in done.steps["workflow"]["found"]
    assert "types: [pact_changed]" in done.steps["workflow"]["to_do"]
    assert done.states["run"] == "skipped"
    repository.files = {}
    assert "there are none" in setup("--plan").steps["workflow"]["found"]
    done = setup("--plan", "--event", "contract_requiring_verification_published")
    assert (
        "pact-dispatch setup --provider Products --event contract_requiring_verification_published --write-workflow"
        in done.steps["workflow"]["to_do"]
    )


def test_a_workflow_that_is_switched_off_is_a_failure(api: GitHubApi, setup: Setup) -> None:
    api.repository("acme/products").disabled_workflows = {FILE}
    done = setup("--plan")
    assert done.code == 1
    assert "disabled_manually" in done.steps["workflow"]["found"]
    assert "Enable workflow" in done.steps["workflow"]["to_do"]


def test_a_run_that_fails_is_a_failure_with_its_address(api: GitHubApi, setup: Setup) -> None:
    api.repository("acme/products").next_run = ("completed", "failure")
    done = setup("--wait", "20")
    assert done.code == 1
    assert done.document["first_problem"] == "run"
    assert "actions/runs/1 (.github/workflows/pact_changed.yml) ended: failure" in done.steps["run"]["found"]


def test_a_run_is_waited_for_until_it_ends_and_no_earlier_one_is_taken_for_it(
    broker: EmbeddedBroker, api: GitHubApi
) -> None:
    repository = api.repository("acme/products")
    repository.dispatch({"event_type": "pact_changed"})
    repository.next_run = ("queued", None)
    arguments = ["--repository", "acme/products", "--provider", "Products", "--github-url", api.url]
    with subprocess.Popen(
        [str(BIN / "pact-dispatch"), "setup", *arguments, "--wait", "100"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(**Setup(broker.url).variables),
    ) as process:
        api.wait_for(lambda: len(repository.runs) == 2 and api.count("GET", "/actions/runs/2"))
        repository.runs[1].status, repository.runs[1].conclusion = "completed", "success"
        out, err = process.communicate(timeout=110)
    assert process.returncode == 0, out + err
    assert "run 2 of .github/workflows/pact_changed.yml: queued" in err
    assert "actions/runs/2" in out


def test_a_run_that_does_not_end_in_time_is_a_failure(api: GitHubApi, setup: Setup) -> None:
    api.repository("acme/products").next_run = ("queued", None)
    done = setup("--wait", "0.2")
    assert done.code == 1
    assert "is queued after 0.2 s" in done.steps["run"]["found"]


def test_a_token_that_may_not_see_runs_is_told_so(api: GitHubApi, setup: Setup) -> None:
    api.tokens[0].rights = {"contents": WRITE, "metadata": READ}
    done = setup("--wait", "5")
    assert done.code == 1
    assert "Actions: read" in done.steps["run"]["to_do"]
    assert "this token may not see" in done.steps["workflow"]["found"]
    assert setup().code == 0


# --- outages


def test_a_github_that_is_away_is_no_failure_of_a_step(broker: EmbeddedBroker, api: GitHubApi) -> None:
    gone = Setup(broker.url, "--github-url", f"http://127.0.0.1:{closed_port()}")()
    assert gone.code == 3
    assert gone.states["token"] == "unknown"
    assert kept(broker) == []
    api.faults.append(Fault("GET", "/contents/", 502))
    later = Setup(broker.url, "--github-url", api.url)()
    assert later.code == 3
    assert (later.states["test"], later.states["workflow"]) == ("ok", "unknown")


def test_a_broker_that_is_away_is_no_failure_of_a_step(api: GitHubApi) -> None:
    done = Setup(f"http://127.0.0.1:{closed_port()}", "--github-url", api.url)()
    assert done.code == 3
    assert (done.states["secret"], done.states["workflow"]) == ("unknown", "ok")


def test_something_that_is_no_broker_is_a_failure(api: GitHubApi) -> None:
    with Loopback(Reply(body="<html>hello</html>")) as page:
        done = Setup(page.url, "--github-url", api.url)()
    assert done.code == 1
    assert "--pact-broker-base-url" in done.steps["secret"]["to_do"]


# --- the receiver


def test_a_receiver_is_set_up_and_takes_the_test(
    tmp_path: Path, database_url: str, broker: EmbeddedBroker
) -> None:
    config = configuration(
        broker.url, {"base_url": f"http://127.0.0.1:{closed_port()}", "version": "1"}, server={"processes": 1}
    )
    with LocalReceiver(tmp_path, config, command="web", database_url=database_url) as receiver:
        setup = Setup(broker.url, "--target", "receiver", "--receiver-url", receiver.url)
        planned = setup("--plan")
        assert planned.code == 0
        assert receiver.rows("SELECT * FROM deliveries") == []
        assert "worker" in planned.steps["receiver"]["warnings"][0]

        done = setup()
        assert done.code == 0, done.out
        assert done.states == {"receiver": "ok", "secret": "changed", "webhook": "changed", "test": "ok"}
        [run] = receiver.runs()
        assert (run["provider"], run["status"]) == ("Products", "waiting")
        before = kept(broker)
        assert before[0]["name"] == "receiverToken"
        assert setup().code == 0
        assert kept(broker) == before

        late = setup("--wait", "0.2")
        assert late.code == 1
        assert re.match(r"It has not ended within 0.2 s: run \S+ is waiting", late.steps["run"]["found"])

        wrong = setup(PACT_DISPATCH_RECEIVER_TOKEN="a-token-of-somebody-else")
        assert wrong.code == 1
        assert "PACT_DISPATCH_TOKENS" in wrong.steps["receiver"]["to_do"]
        unknown = setup("--repository", "acme/nothing")
        assert unknown.code == 1
        assert "knows no provider with the repository acme/nothing" in unknown.steps["receiver"]["found"]
        assert kept(broker) == before


def test_the_run_of_a_receiver_is_waited_for(tmp_path: Path, database_url: str) -> None:
    good = interaction("a thing", "/things/1", body={"id": 1, "name": "thing"})
    running = {"version": "3f2c9d1", "branch": "main", "health_path": "/health"}
    with EmbeddedBroker(tmp_path, *OPEN) as own, scripted_provider() as provider:
        own.publish(pact(good, provider="Products"), "1.0.0", "main")
        config = configuration(own.url, {"base_url": provider, **running}, server={"processes": 1})
        with LocalReceiver(tmp_path, config, database_url=database_url) as receiver:
            setup = Setup(own.url, "--target", "receiver", "--receiver-url", receiver.url, "--wait", "100")
            passed = setup()
            assert passed.code == 0, passed.out
            assert (passed.states["run"], passed.steps["run"]["outcome"]) == ("ok", "passed")
            assert passed.steps["run"]["result_url"].startswith(own.url)

            refused = setup(PACT_DISPATCH_API_TOKEN="a-token-of-somebody-else")
            assert refused.code == 1
            assert "PACT_DISPATCH_API_TOKENS" in refused.steps["run"]["to_do"]

            broken = interaction("a thing", "/things/1", body={"id": 2})
            own.publish(pact(broken, provider="Products"), "2.0.0", "main")
            stateful = {**broken, "providerStates": [{"name": "a thing exists"}]}
            own.publish(pact(stateful, provider="Products"), "3.0.0", "main")
            unknown = setup()
            assert (unknown.code, unknown.steps["run"]["outcome"]) == (1, "error")
            assert "1 interaction with provider states, and nothing sets them up" in str(
                unknown.steps["test"]["warnings"]
            )
            assert (
                "1 interaction failed whose provider states nothing set up" in unknown.steps["run"]["found"]
            )
            own.publish(pact(broken, provider="Products"), "4.0.0", "main")

            failed = setup()
            assert failed.code == 0, failed.out
            assert (failed.states["run"], failed.steps["run"]["outcome"]) == ("warning", "failed")
            assert failed.document["first_problem"] is None
            text = setup(output=()).out
            assert "Everything works. The latest pact fails" in text
            assert text.startswith(("Set up: when", "All was set up already: when"))
            assert "Not set up" not in text


def test_the_least_configuration_verifies_what_the_webhook_of_setup_sends(
    tmp_path: Path, database_url: str
) -> None:
    """The configuration and the command of the documentation, and then a pact that really changes."""
    page = (ROOT / "docs/receiver-configuring.md").read_text(encoding="utf-8")
    [least] = [
        text for text in re.findall(r"```toml\n(.*?)```", page, re.DOTALL) if 'version = "1.4.0"' in text
    ]
    thing = interaction("a thing", "/things/1", body={"id": 1, "name": "thing"})
    other = interaction("another thing", "/things/2", body={"id": 2, "name": "thing"})
    with EmbeddedBroker(tmp_path, *OPEN) as own, scripted_provider() as provider:
        own.publish(pact(thing, provider="Products"), "1.0.0", "main")
        config = least.replace("http://127.0.0.1:9292", own.url).replace("http://127.0.0.1:8080", provider)
        with LocalReceiver(
            tmp_path, config + 'health_path = "/health"\n', database_url=database_url
        ) as receiver:
            setup = Setup(own.url, "--target", "receiver", "--receiver-url", receiver.url, "--wait", "100")
            first = setup()
            assert (first.code, first.states["run"]) == (0, "ok"), first.out
            assert own.get("/webhooks").json()["_links"]["pb:webhooks"][0]["title"] is not None
            assert "never happens, so the webhook is on contract_content_changed" in str(
                first.steps["webhook"]["warnings"]
            )
            again = setup()
            assert (again.code, again.steps["webhook"]["warnings"]) == (0, []), again.out
            assert "contract_requiring_verification_published" in again.steps["webhook"]["done"]

            own.publish(pact(thing, other, provider="Products"), "1.1.0", "main")
            runs = receiver.wait_for_runs(3)
            assert [run["sha"] for run in runs] == [None, None, "1.4.0"]
            assert {run["outcome"] for run in runs} == {"passed"}
            assert receiver.rows("SELECT * FROM deliveries WHERE refusal IS NOT NULL") == []

            wrong = receiver.dispatch(
                f"{own.url}/pacts/provider/Products/consumer/Storefront/latest", sha="1.5.0"
            )
            assert wrong.status_code == 204
            error = receiver.wait_for_runs(4)[-1]
            assert (error["outcome"], error["error_kind"]) == ("error", "other-version")
            assert "asks for version 1.5.0, but Products 1.4.0 runs" in error["error"]


def test_what_the_receiver_will_refuse_is_a_failure_before_a_pact_changes(
    tmp_path: Path, database_url: str
) -> None:
    checkout = {"url": "https://git.example.org/products.git", "command": "true"}
    with EmbeddedBroker(tmp_path, *OPEN) as own:
        own.publish(PACT, "1.0.0", "main")
        own.request("PUT", "/pacticipants/Products/branches/main/versions/1.4.0", json={}).raise_for_status()
        own.request("PATCH", "/pacticipants/Products", json={"mainBranch": "main"}).raise_for_status()
        config = configuration(own.url, {"checkout": checkout})
        with LocalReceiver(tmp_path, config, command="web", database_url=database_url) as receiver:
            done = Setup(own.url, "--target", "receiver", "--receiver-url", receiver.url)()
    assert (done.code, done.states["test"]) == (1, "failed")
    assert "refused for 1.4.0 (latest from main branch)" in done.steps["test"]["to_do"]
    assert "must be a commit id" in done.steps["test"]["to_do"]


def test_an_event_that_never_happens_is_said_to_be_one(setup: Setup) -> None:
    event = ("--event", "contract_requiring_verification_published")
    done = setup(*event)
    [warning] = done.steps["webhook"]["warnings"]
    assert "contract_requiring_verification_published never happens, and nothing is sent" in warning
    text = setup(*event, "--plan", output=()).out
    assert "Products has no version on a main branch" in text


def test_a_receiver_that_is_not_there_or_none_is_told_apart(broker: EmbeddedBroker) -> None:
    def setup(url: str) -> Done:
        return Setup(broker.url, "--target", "receiver", "--receiver-url", url)()

    away = setup(f"http://127.0.0.1:{closed_port()}")
    assert (away.code, away.states["receiver"]) == (3, "unknown")
    for reply, code in (
        (Reply(404), 1),
        (Reply(302, headers={"Location": "https://x.example"}), 1),
        (Reply(502), 3),
    ):
        with Loopback(reply) as other:
            assert setup(other.url).code == code
            assert all("authorization" not in request.headers for request in other.received)
    assert kept(broker) == []


# --- what is asked for


@pytest.mark.parametrize(
    ("arguments", "variables", "mistake"),
    [
        (("--repository", "products"), {}, "--repository 'products' is not OWNER/REPO"),
        (("--provider", ""), {}, "--provider is missing"),
        (("--target", "receiver"), {}, "--receiver-url"),
        (("--receiver-url", "http://x"), {}, "--receiver-url is for --target receiver"),
        (("--event", "pact_changed"), {}, "--event 'pact_changed' is none of contract_published"),
        (
            ("--event", "contract_content_changed", "--event", "contract_requiring_verification_published"),
            {},
            "verified twice",
        ),
        (("--secret", "a-b"), {}, "--secret 'a-b' is not a secret's name"),
        (("--secret", "a", "--token-in-webhook"), {}, "two places"),
        (("--plan", "--wait"), {}, "--wait is no part of --plan"),
        (
            ("--target", "receiver", "--receiver-url", "http://x", "--wait"),
            {"PACT_DISPATCH_API_TOKEN": ""},
            "PACT_DISPATCH_API_TOKEN",
        ),
        (("--wait", "-1"), {}, "is no number of seconds"),
        (("--token-file", "/nowhere/token"), {}, "/nowhere/token can't be read"),
        ((), {"GITHUB_TOKEN": ""}, "PACT_DISPATCH_GITHUB_TOKEN or GITHUB_TOKEN"),
        ((), {"GITHUB_TOKEN": "two words-of-token"}, "GITHUB_TOKEN: a token is printable ASCII"),
        ((), {"PACT_BROKER_BASE_URL": ""}, "--pact-broker-base-url"),
        (("--github-url", "ftp://x"), {}, "is not a URL"),
    ],
)
def test_a_wrong_command_is_refused_by_the_option(
    arguments: tuple[str, ...], variables: dict[str, str], mistake: str
) -> None:
    setup = Setup("http://127.0.0.1:9")
    setup.variables |= variables
    done = setup(*arguments)
    assert done.code == 2, done.out
    assert mistake in done.err
    assert "words-of-token" not in done.err


def test_people_are_told_each_step_and_the_first_that_failed(setup: Setup, api: GitHubApi) -> None:
    api.repository("acme/products").files = {}
    done = setup(output=())
    assert done.code == 1
    assert re.findall(r"^(\d)\. .*: (\w+)$", done.out, re.MULTILINE) == [
        ("1", "ok"),
        ("2", "changed"),
        ("3", "changed"),
        ("4", "ok"),
        ("5", "failed"),
    ]
    assert "   to do:   Put a workflow" in done.out
    assert done.out.startswith("Not set up yet: step 5 (workflow) failed. What to do stands there.\n")
