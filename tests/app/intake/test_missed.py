"""`pact-dispatch reconcile` as a real process, with the broker at home and a real database."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from shlex import quote as quoted
from typing import TYPE_CHECKING, Any
from unittest.mock import patch
from urllib.parse import quote

import psycopg
import pytest
from psycopg.rows import dict_row

from app.commands.reconcile.command import document
from app.config.file import load
from app.dispatch import Dispatch
from app.intake import missed
from app.intake.missed import reconcile
from app.records import deliveries, history
from app.records.deliveries import IncomingDelivery, Source
from app.records.housekeeping import begin_if_due
from broker.http.access import BrokerAccess
from tests.support.commands import pact_dispatch
from tests.support.pacts import pact, things
from tests.support.paths import ROOT
from tests.support.processes import BIN, EmbeddedBroker
from tests.support.receiver import wait_until, with_providers_as_this_account

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"
OLDER = "89abcdef0123456789abcdef0123456789abcdef"
RUNNING = 'base_url = "http://127.0.0.1:9"\nversion = "v1"\nbranch = "main"'
numbers = count(1)
CHECKOUT = '[providers.checkout]\nurl = "https://git.example.org/things"\ncommand = "serve --port {port}"'


@dataclass(frozen=True)
class Done:
    """How a look ended."""

    code: int
    report: dict[str, Any]
    err: str

    @property
    def states(self) -> dict[str, str]:
        """The state of each consumer's pact."""
        return {one["consumer"]: one["state"] for one in self.report["pacts"]}


class Place:
    """A receiver's configuration and database, and the broker that it asks."""

    def __init__(
        self, folder: Path, database_url: str, broker: EmbeddedBroker, provider: str = "Things"
    ) -> None:
        self.folder = folder
        self.provider = provider
        self.database_url = database_url
        self.broker = broker
        self.configure((provider, RUNNING))

    def configure(self, *providers: tuple[str, str], url: str | None = None) -> None:
        """Write a configuration with these providers: name, and how it is verified."""
        text = f'[broker]\nurl = "{url or self.broker.url}"\n'
        for number, (name, how) in enumerate(providers):
            text += (
                f"[[providers]]\nname = {json.dumps(name)}\nrepository = 'acme/provider-{number}'\n{how}\n"
            )
        text = with_providers_as_this_account(text)
        (self.folder / "pact-dispatch.toml").write_text(text, encoding="utf-8")

    def reconcile(self, *only: str, dry_run: bool = False) -> Done:
        """Look, once."""
        settings = load(self.folder / "pact-dispatch.toml", {})
        found = reconcile(
            settings,
            BrokerAccess(settings.broker.url),
            lambda: psycopg.connect(self.database_url),
            providers=[one for one in settings.providers if one.name in only] or None,
            dry_run=dry_run,
        )
        return Done(0, document(found, dry_run=dry_run), "\n".join((*found.notes, *found.problems)))

    def command(self, *options: str, **variables: str) -> Done:
        """Look, once, by the command."""
        place = ("--config", str(self.folder / "pact-dispatch.toml"), "--data-dir", str(self.folder))
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PACT_")}
        done = pact_dispatch(
            "reconcile",
            "--json",
            *options,
            *place,
            environment={**kept, "DATABASE_URL": self.database_url, **variables},
        )
        if done.returncode != 2:  # the password is not shown
            assert "using the database (" in done.stderr
            assert "postgres:postgres@" not in done.stderr
        return Done(done.returncode, json.loads(done.stdout) if done.stdout else {}, done.stderr)

    def runs(self) -> list[dict[str, Any]]:
        """Give the runs, oldest first."""
        with self.connect() as connection, connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute("SELECT * FROM runs ORDER BY created_at").fetchall()

    def end_runs(self, *, hours_ago: float, kind: str = "provider-not-started") -> None:
        """Have all runs ended with an error, so many hours ago."""
        with self.connect() as connection:
            connection.execute(
                "UPDATE runs SET status = 'finished', outcome = 'error', error_kind = %(kind)s, "
                "finished_at = now() - %(hours)s * interval '1 hour'",
                {"hours": hours_ago, "kind": kind},
            )

    @contextmanager
    def connect(self) -> Iterator[psycopg.Connection[Any]]:
        with psycopg.connect(self.database_url) as connection:
            yield connection

    def publish(
        self,
        consumer: str,
        version: str = "1",
        branch: str = "main",
        *,
        provider: str | None = None,
        size: int = 1,
    ) -> None:
        provider = provider or self.provider
        self.broker.publish(pact(*things(size), consumer=consumer, provider=provider), version, branch=branch)

    def publish_result(
        self, consumer: str, provider_version: str, *, provider: str | None = None, success: bool = True
    ) -> None:
        """Publish a result of the latest pact, as a verifier does."""
        path = f"/pacts/provider/{quote(provider or self.provider, safe='')}/consumer/{quote(consumer, safe='')}/latest"
        link = self.broker.get(path).json()["_links"]["pb:publish-verification-results"]["href"]
        body = {"success": success, "providerApplicationVersion": provider_version}
        assert self.broker.request("POST", link, json=body).status_code == 201

    def put_on_branch(self, version: str, branch: str = "main") -> None:
        path = f"/pacticipants/{self.provider}/branches/{quote(branch, safe='')}/versions/{version}"
        assert self.broker.request("PUT", path, json={}).ok

    def deploy(self, version: str, *, kind: str = "deployed-versions") -> None:
        """Record that a version is in production."""
        made = self.broker.request(
            "POST", "/environments", json={"name": f"production-of-{self.provider}", "production": True}
        )
        assert made.status_code == 201
        path = f"/pacticipants/{self.provider}/versions/{version}/{kind}/environment/{made.json()['uuid']}"
        assert self.broker.request("POST", path, json={}).ok


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker(tmp_path_factory.mktemp("broker")) as started:
        yield started


@pytest.fixture
def place(tmp_path: Path, database_url: str, broker: EmbeddedBroker) -> Place:
    """A place with a provider of its own: the broker is the whole module's, and knows no consumer yet."""
    for one in broker.get("/pacticipants?pageSize=500").json()["_embedded"]["pacticipants"]:
        broker.request("DELETE", f"/pacticipants/{quote(one['name'], safe='')}").raise_for_status()
    return Place(tmp_path, database_url, broker, f"Things-{next(numbers)}")


def test_the_pact_whose_webhook_failed_is_queued_and_no_other(place: Place) -> None:
    for consumer in ("Storefront", "Mobile", "Billing"):
        place.publish(consumer)
    place.publish_result("Mobile", "v1")
    place.publish_result("Billing", "v1", success=False)  # a broken contract is a result too
    done = place.reconcile()
    assert (done.code, done.states) == (0, {"Storefront": "queued"})
    [run] = place.runs()
    assert (run["reason"], run["status"], run["consumer"]) == ("reconciled", "waiting", "Storefront")
    assert (run["provider"], run["repository"], run["sha"]) == (place.provider, "acme/provider-0", None)
    assert str(run["id"]) == done.report["pacts"][0]["run"]
    assert place.broker.get(run["pact_url"]).json()["consumer"]["name"] == "Storefront"
    with place.connect() as connection:
        [delivery] = connection.execute(
            "SELECT source, status, run_id, event_type FROM deliveries"
        ).fetchall()
        jobs = connection.execute("SELECT status, lock FROM procrastinate_jobs").fetchall()
    assert delivery == ("reconcile", 204, run["id"], "contract_requiring_verification_published")
    assert jobs == [("todo", f"provider {place.provider}")]


def test_what_is_verified_is_left_alone(place: Place) -> None:
    place.publish("Storefront")
    place.publish_result("Storefront", "v1")
    done = place.reconcile()
    assert (done.code, done.report["pacts"], place.runs()) == (0, [], [])


def test_a_result_of_another_version_does_not_count(place: Place) -> None:
    place.publish("Storefront")
    place.publish_result("Storefront", "v0")
    assert place.reconcile().states == {"Storefront": "queued"}


def test_unchanged_content_of_a_new_consumer_version_has_its_result(place: Place) -> None:
    place.publish("Storefront", "1")
    place.publish_result("Storefront", "v1")
    place.publish("Storefront", "2")
    assert place.reconcile().states == {}
    place.publish("Storefront", "3", size=2)
    assert place.reconcile().states == {"Storefront": "queued"}


def test_pacts_of_feature_branches_are_not_looked_at(place: Place) -> None:
    place.publish("Storefront", "1", branch="main")
    place.publish_result("Storefront", "v1")
    place.publish("Storefront", "2-on-a-branch", branch="feat/x", size=2)
    assert place.reconcile().states == {}


@pytest.mark.parametrize("status", ["waiting", "running"])
def test_what_is_under_way_is_not_queued_again(place: Place, status: str) -> None:
    place.publish("Storefront")
    place.reconcile()
    with place.connect() as connection:
        connection.execute("UPDATE runs SET status = %(status)s", {"status": status})
    done = place.reconcile()
    assert done.states == {"Storefront": "under way"}
    assert len(place.runs()) == 1
    assert done.report["pacts"][0]["run"] == str(place.runs()[0]["id"])


@pytest.mark.parametrize("form", ["pact-version/{content}/metadata/Y3ZuPTEmdz10cnVl", "version/1"])
@pytest.mark.parametrize(("sha", "state"), [(None, "under way"), (COMMIT, "queued")])
def test_a_dispatched_run_of_the_same_is_found_by_what_it_verifies(
    place: Place, form: str, sha: str | None, state: str
) -> None:
    place.publish("Storefront")
    latest = place.broker.get(f"/pacts/provider/{place.provider}/consumer/Storefront/latest").json()
    content = latest["_links"]["pb:pact-version"]["name"]
    url = f"{place.broker.url}/pacts/provider/{place.provider}/consumer/Storefront/{form.format(content=content)}"
    dispatch = Dispatch("acme/provider-0", "pact_changed", url, sha=sha)
    with place.connect() as connection:
        delivery = IncomingDelivery(Source.API)
        deliveries.accept(connection, delivery, dispatch, provider=place.provider, lock=None)
    assert place.reconcile().states == {"Storefront": state}


def test_what_could_not_be_verified_is_tried_again_after_ever_longer_waits(place: Place) -> None:
    place.publish("Storefront")
    assert place.reconcile().states == {"Storefront": "queued"}
    place.end_runs(hours_ago=0.5)
    done = place.reconcile()
    assert done.states == {"Storefront": "tried"}
    assert 1750 < done.report["pacts"][0]["wait"] <= 1800
    place.end_runs(hours_ago=1.1)
    assert place.reconcile().states == {"Storefront": "queued"}
    place.end_runs(hours_ago=1.1)
    assert place.reconcile().states == {"Storefront": "tried"}
    place.end_runs(hours_ago=2.1)
    assert place.reconcile().states == {"Storefront": "queued"}
    assert len(place.runs()) == 3


def test_the_pact_of_a_version_that_is_asked_for_is_queued_and_no_other(place: Place) -> None:
    place.publish("Asked", "1")
    place.publish("Asked", "2", "feature", size=2)
    place.publish("Asked", "3", size=3)
    asked = ("--consumer", "Asked", "--version")
    done = place.command(*asked, "2")
    assert [(one["consumer_version"], one["state"]) for one in done.report["pacts"]] == [("2", "queued")]
    [run] = place.runs()
    assert run["pact_url"].endswith("/version/2")
    assert place.command(*asked, "2").states == {"Asked": "under way"}
    place.end_runs(hours_ago=0)
    assert place.command(*asked, "2").states == {"Asked": "queued"}  # somebody asks for it
    place.end_runs(hours_ago=0)
    nothing = place.command(*asked, "4")
    assert nothing.code == 3
    assert "Asked 4 has no pact with a provider of the configuration" in nothing.err
    assert place.command("--consumer", "Asked").code == 2
    assert place.command(*asked, "..").code == 2


@pytest.mark.parametrize("asked_for", [("Storefront", "1"), None])
def test_a_result_that_comes_after_the_broker_was_asked_is_not_missing(
    place: Place, monkeypatch: pytest.MonkeyPatch, asked_for: tuple[str, str] | None
) -> None:
    place.publish("Storefront")
    place.reconcile()
    queue = missed._queue_what_is_due

    def meanwhile(*arguments: Any, **options: Any) -> Any:
        place.publish_result("Storefront", "v1")
        with place.connect() as connection:
            connection.execute(
                "UPDATE runs SET status = 'finished', outcome = 'passed', publishing = 'published', "
                "finished_at = now()"
            )
        return queue(*arguments, **options)

    monkeypatch.setattr(missed, "_queue_what_is_due", meanwhile)
    settings = load(place.folder / "pact-dispatch.toml", {})
    report = reconcile(
        settings,
        BrokerAccess(settings.broker.url),
        lambda: psycopg.connect(place.database_url),
        consumer_version=asked_for,
    )
    assert (report.missed, len(place.runs())) == ([], 1)


def test_a_changed_pact_is_queued_however_often_the_former_one_failed(place: Place) -> None:
    place.publish("Storefront")
    place.reconcile()
    place.end_runs(hours_ago=0)
    place.publish("Storefront", "2", size=2)
    assert place.reconcile().states == {"Storefront": "queued"}


def test_another_version_is_queued_however_often_the_former_one_failed(place: Place) -> None:
    place.publish("Storefront")
    place.put_on_branch(OLDER)
    place.configure((place.provider, CHECKOUT))
    place.reconcile()
    place.end_runs(hours_ago=0)
    assert place.reconcile().states == {"Storefront": "tried"}
    place.put_on_branch(COMMIT)
    assert place.reconcile().states == {"Storefront": "queued"}
    assert [run["sha"] for run in place.runs()] == [OLDER, COMMIT]


@pytest.mark.parametrize("kind", ["deployed-versions", "released-versions"])
def test_a_checkout_is_due_for_the_latest_of_main_and_what_is_in_an_environment(
    place: Place, kind: str
) -> None:
    place.publish("Storefront")
    place.put_on_branch("aaaaaaa", "main")
    place.put_on_branch(OLDER, "release/1")
    place.put_on_branch(COMMIT, "main")
    place.put_on_branch("bbbbbbb", "feat/x")
    place.broker.request(
        "PUT", f"/pacticipants/{place.provider}", json={"name": place.provider, "mainBranch": "main"}
    )
    place.deploy(OLDER, kind=kind)
    place.configure((place.provider, CHECKOUT))
    done = place.reconcile()
    assert {(one["provider_version"], one["why"]) for one in done.report["pacts"]} == {
        (COMMIT, "latest from main branch"),
        (OLDER, f"{kind.partition('-')[0]} in production-of-{place.provider}"),
    }
    assert {(run["sha"], run["branch"]) for run in place.runs()} == {(COMMIT, "main"), (OLDER, "release/1")}
    for run in (COMMIT, OLDER):
        place.publish_result("Storefront", run)
    assert place.reconcile().report["pacts"] == []


def test_the_database_is_asked_once_for_each_consumer_whatever_the_number_of_versions(place: Place) -> None:
    for consumer in ("Storefront", "Mobile"):
        place.publish(consumer)
    place.put_on_branch(OLDER, "release/1")
    place.put_on_branch(COMMIT)
    place.broker.request(
        "PUT", f"/pacticipants/{place.provider}", json={"name": place.provider, "mainBranch": "main"}
    )
    place.deploy(OLDER)
    place.configure((place.provider, CHECKOUT))
    with patch.object(history, "earlier_runs", side_effect=history.earlier_runs) as asked:
        assert len(place.reconcile().report["pacts"]) == 4
    assert asked.call_count == 2


def test_a_version_that_is_on_main_and_deployed_is_queued_once(place: Place) -> None:
    place.publish("Storefront")
    place.put_on_branch(COMMIT)
    place.deploy(COMMIT)
    place.configure((place.provider, CHECKOUT))
    [one] = place.reconcile().report["pacts"]
    assert one["why"] == f"latest from main branch, deployed in production-of-{place.provider}"
    assert len(place.runs()) == 1


def test_a_version_that_cannot_be_checked_out_is_said_and_not_queued(place: Place) -> None:
    place.publish("Storefront")
    place.put_on_branch(COMMIT)
    place.put_on_branch("v1.2", "release")
    place.deploy("v1.2")
    place.configure((place.provider, CHECKOUT))
    done = place.reconcile()
    assert (done.code, len(place.runs())) == (0, 1)
    assert f"'v1.2' (deployed in production-of-{place.provider}) is no commit id" in done.report["notes"][0]
    assert done.report["notes"][0] in done.err


def test_the_first_version_of_a_checkout_is_its_default_branch(place: Place) -> None:
    place.publish("Storefront")
    place.configure((place.provider, CHECKOUT))
    assert place.reconcile().states == {"Storefront": "queued"}
    assert [run["sha"] for run in place.runs()] == [None]
    assert place.reconcile().states == {"Storefront": "under way"}


@pytest.mark.parametrize("name", ["a/b c", "Käse & Söhne", "100%", "x?y=z#1", "q[]"])
def test_names_that_a_url_must_escape(place: Place, name: str) -> None:
    place.configure((f"{name} API", RUNNING))
    for consumer in (f"{name} app", "Mobile"):
        place.publish(consumer, "1.0/ä+b", provider=f"{name} API")
    place.publish_result("Mobile", "v1", provider=f"{name} API")
    done = place.reconcile()
    assert (done.code, done.states) == (0, {f"{name} app": "queued"}), done.err
    [run] = place.runs()
    assert run["consumer"] == f"{name} app"
    place.publish_result(f"{name} app", "v1", provider=f"{name} API")
    assert place.reconcile().report["pacts"] == []


def test_many_consumers(place: Place) -> None:
    consumers = [f"Consumer {number}" for number in range(60)]
    for consumer in consumers:
        place.publish(consumer)
    for consumer in consumers[:57]:
        place.publish_result(consumer, "v1")
    assert place.reconcile().states == dict.fromkeys(consumers[57:], "queued")


def test_a_dry_run_queues_nothing(place: Place) -> None:
    place.publish("Storefront")
    done = place.reconcile(dry_run=True)
    assert (done.code, done.states, place.runs()) == (0, {"Storefront": "would be queued"}, [])


def test_one_provider_can_be_looked_at_alone(place: Place) -> None:
    place.configure((place.provider, RUNNING), (f"Others of {place.provider}", RUNNING))
    place.publish("Storefront")
    place.publish("Storefront", provider=f"Others of {place.provider}")
    done = place.reconcile(f"Others of {place.provider}")
    assert [one["provider"] for one in done.report["pacts"]] == [f"Others of {place.provider}"]
    chosen = place.command("--provider", place.provider)
    assert (chosen.code, chosen.states) == (0, {"Storefront": "queued"})
    unknown = place.command("--provider", "Nobody")
    assert unknown.code == 2
    assert f"there is no provider 'Nobody' in the configuration, only '{place.provider}', " in unknown.err


def test_a_provider_that_the_broker_does_not_know_lacks_nothing(place: Place) -> None:
    done = place.reconcile()
    assert (done.code, done.report["pacts"], done.err) == (0, [], "")


def test_a_broker_that_is_away_is_said(tmp_path: Path, database_url: str, broker: EmbeddedBroker) -> None:
    place = Place(tmp_path, database_url, broker)
    place.configure(("Things", RUNNING), ("Others", RUNNING), url="http://127.0.0.1:9")
    done = place.command()
    assert done.code == 3
    assert re.search(r"pact-dispatch reconcile: Things: http\S+ can't be reached: ", done.err)
    assert len(done.err.splitlines()) == 2  # and which database is used


def test_a_provider_that_is_down_does_not_hold_up_the_others(place: Place) -> None:
    down = 'base_url = "http://127.0.0.1:9"\nversion_url = "http://127.0.0.1:9/version"'
    place.configure((f"Down of {place.provider}", down), (place.provider, RUNNING))
    place.publish("Storefront", provider=f"Down of {place.provider}")
    place.publish("Storefront")
    done = place.reconcile()
    assert done.states == {"Storefront": "queued"}
    assert (
        f"Down of {place.provider}: the provider's version can't be asked for at http://127.0.0.1:9/version"
        in done.err
    )


def test_a_provider_that_is_verified_elsewhere_is_not_looked_at(place: Place) -> None:
    place.configure((place.provider, "relay = true"))
    place.publish("Storefront")
    done = place.reconcile()
    assert (done.code, done.report["pacts"], place.runs()) == (0, [], [])
    assert f"{place.provider}: is not looked at" in done.report["notes"][0]


def test_looks_at_the_same_time_queue_once(place: Place) -> None:
    for number in range(5):
        place.publish(f"Consumer {number}")
    place.reconcile(dry_run=True)
    with ThreadPoolExecutor(4) as threads:
        looks = list(threads.map(lambda _: place.reconcile(), range(4)))
    states = [state for look in looks for state in look.states.values()]
    assert (states.count("queued"), states.count("under way")) == (5, 15)
    [run] = place.runs()
    assert len(run["pact_urls"]) == 5


def test_pacts_that_one_version_lacks_results_for_are_one_run(place: Place) -> None:
    for consumer in ("Storefront", "Mobile", "Billing"):
        place.publish(consumer)
    place.publish_result("Billing", "v1")
    done = place.reconcile()
    assert done.states == {"Storefront": "queued", "Mobile": "queued"}
    [run] = place.runs()
    assert (run["pact_url"], run["consumer"], run["reason"]) == (None, None, "reconciled")
    assert sorted(run["pact_urls"]) == sorted(one["pact_url"] for one in done.report["pacts"])
    assert {one["run"] for one in done.report["pacts"]} == {str(run["id"])}

    assert set(place.reconcile().states.values()) == {"under way"}
    place.end_runs(hours_ago=0.5)
    place.publish("Another")
    assert place.reconcile().states == {"Storefront": "tried", "Mobile": "tried", "Another": "queued"}
    place.end_runs(hours_ago=1.5)
    assert set(place.reconcile().states.values()) == {"queued"}


def test_credentials_that_the_broker_refuses_are_said_but_not_shown(
    tmp_path: Path, database_url: str
) -> None:
    access = tmp_path / "access.toml"
    access.write_text('[[tokens]]\ntoken = "the-right-token"\naccess = "read-write"\n')
    access.chmod(0o600)
    with EmbeddedBroker(tmp_path, "--access", str(access)) as broker:
        place = Place(tmp_path, database_url, broker)
        done = place.command(PACT_BROKER_TOKEN="the-wrong-token")
        assert done.code == 3
        assert "credentials are wrong" in done.err
        assert "the-wrong-token" not in done.err + json.dumps(done.report)
        assert place.command(PACT_BROKER_TOKEN="the-right-token").code == 0


def test_a_broker_that_calls_itself_otherwise_is_said(tmp_path: Path, database_url: str) -> None:
    with EmbeddedBroker(tmp_path, "--base-url", "http://broker.example.org") as broker:
        place = Place(tmp_path, database_url, broker)
        place.publish("Storefront")
        done = place.reconcile()
        assert place.runs() == []
        assert "http://broker.example.org/" in done.err
        assert "is not on the broker" in done.err


def test_a_worker_finds_what_was_missed_and_verifies_it(place: Place, tmp_path: Path) -> None:
    place.publish("Storefront")
    command = json.dumps(
        f"{quoted(sys.executable)} {quoted(str(ROOT / 'tests/support/scripted_provider.py'))} --port {{port}}"
    )
    place.configure((place.provider, f'command = {command}\nversion = "v1"\nhealth_path = "/health"'))
    with place.connect() as connection:  # as if it had looked yesterday
        connection.execute("INSERT INTO housekeeping VALUES ('reconcile', now() - interval '1 day')")
    arguments = ["worker", "--config", str(tmp_path / "pact-dispatch.toml"), "--data-dir", str(tmp_path)]
    log = tmp_path / "worker.log"
    with (
        log.open("w") as opened,
        subprocess.Popen(
            [str(BIN / "pact-dispatch"), *arguments],
            stderr=opened,
            env={**os.environ, "DATABASE_URL": place.database_url},
        ) as worker,
    ):
        try:
            wait_until(
                lambda: (
                    worker.poll() is not None or [run["publishing"] for run in place.runs()] == ["published"]
                ),
                "it is published",
                context=log.read_text,
            )
            # it may be published before the look has ended that queued it, and a worker that stops ends a look
            wait_until(
                lambda: worker.poll() is not None or '"event": "reconciled"' in log.read_text(),
                "it is logged",
                context=log.read_text,
            )
            assert worker.poll() is None, log.read_text()
        finally:
            worker.terminate()
    [run] = place.runs()
    assert (run["reason"], run["outcome"], run["provider_version"]) == ("reconciled", "passed", "v1")
    assert place.reconcile().report["pacts"] == []


def test_a_new_receiver_does_not_look_before_a_period_has_passed(place: Place) -> None:
    with place.connect() as connection:
        looks = [begin_if_due(connection, "reconcile", 3600, at_once=False) for _ in range(2)]
        connection.execute("UPDATE housekeeping SET last_at = now() - interval '2 hours'")
        looks += [begin_if_due(connection, "reconcile", 3600, at_once=False) for _ in range(2)]
    assert looks == [False, False, True, False]


@pytest.mark.parametrize("kind", ["pact-unusable", "unstorable"])
def test_a_pact_that_can_not_be_verified_waits_for_another_content(place: Place, kind: str) -> None:
    place.publish("Storefront")
    assert place.reconcile().states == {"Storefront": "queued"}
    place.end_runs(hours_ago=200, kind=kind)
    assert place.reconcile().states == {"Storefront": "can't be verified"}
    place.publish("Storefront", "2", size=2)
    assert place.reconcile().states == {"Storefront": "queued"}


def test_what_the_broker_knows_and_no_dispatch_may_name_is_noted(place: Place) -> None:
    place.publish("x" * 300)
    done = place.reconcile()
    assert (done.code, done.states) == (0, {})
    assert "can't be queued: client_payload.pact_url: names a consumer or a provider whose" in done.err
