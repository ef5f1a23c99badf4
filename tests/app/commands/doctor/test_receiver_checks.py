"""`pact-dispatch doctor` where the webhook's target is a receiver: a real one, with a real database."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from app.receiver_client import ReceiverClient
from tests.support.diagnosis import GITHUB_TOKEN, RECEIVER_TOKEN, REPOSITORY, VERSION, Patient, doctor
from tests.support.github_api import GitHubApi
from tests.support.github_state import Repository, Token
from tests.support.loopback import Loopback, Reply, closed_port
from tests.support.pacts import interaction, pact
from tests.support.processes import EmbeddedBroker
from tests.support.receiver import API_TOKEN, LocalReceiver, ReceiverProcess, configuration
from tests.support.running import scripted_provider
from tests.support.webhook_documents import OPEN

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WORKER = {"retry_seconds": [0.2], "publish_retry_seconds": [0.2], "stop_seconds": 1}
GOOD = pact(interaction("a thing", "/things/1", body={"id": 1, "name": "thing"}))
numbers = count(1)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker(
        tmp_path_factory.mktemp("doctor"), *OPEN, "--webhook-retry-seconds", "none"
    ) as started:
        secret = {"name": "receiverToken", "description": "d", "value": RECEIVER_TOKEN}
        started.request("POST", "/secrets", json=secret).raise_for_status()
        yield started


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    with scripted_provider() as url:
        yield url


@pytest.fixture
def patient(broker: EmbeddedBroker) -> Iterator[Patient]:
    with Patient(broker, f"Received-{next(numbers)}") as made:
        yield made


class Ready(LocalReceiver):
    """A receiver whose worker, if it has one, is one that others know of: it is ready, whatever is asked first."""

    def start(self) -> None:
        super().start()
        if self.process is not None:
            self.wait_until(
                lambda: self.rows("SELECT 1 FROM procrastinate_workers"), "its worker is registered"
            )


def receiver(
    folder: Path, database_url: str, patient: Patient, base_url: str, command: str = "serve", **more: Any
) -> ReceiverProcess:
    """A receiver for the provider of the pact."""
    running = {
        "name": patient.provider,
        "base_url": base_url,
        "version": VERSION,
        "branch": "main",
        "health_path": "/health",
        "wait": more.pop("wait", 30.0),
    }
    how = more.pop("how", running)
    config = configuration(patient.broker.url, how, worker=WORKER, server={"processes": 1}, **more)
    environment = {"PACT_DISPATCH_GITHUB_TOKEN": GITHUB_TOKEN}
    return Ready(folder, config, command=command, database_url=database_url, environment=environment)


def treat(patient: Patient, server: ReceiverProcess) -> None:
    """Have the pact's webhook dispatch to the receiver, and publish the pact."""
    patient.put_on_branch()
    patient.add_webhook(f"{server.url}/repos/{REPOSITORY}/dispatches", secret="receiverToken")
    patient.options = ("--receiver-url", server.url)
    patient.variables = {"PACT_DISPATCH_API_TOKEN": API_TOKEN}
    patient.publish(document=GOOD)


def test_a_chain_with_a_receiver_that_holds_has_no_broken_link(
    tmp_path: Path, database_url: str, patient: Patient, provider: str
) -> None:
    with receiver(tmp_path, database_url, patient, provider) as server:
        treat(patient, server)
        server.wait_for_runs()
        patient.wait_until_delivered()
        done = patient.diagnose()
        assert (done.code, done.first) == (0, None), done.out
        assert set(done.statuses.values()) == {"ok"}, done.out
        assert list(done.statuses)[-4:] == ["receiver", "receiver-deliveries", "receiver-runs", "result"]
        assert len(server.rows("SELECT id FROM deliveries")) == 1

        # no result depends on what people are told, so that it is no broken link
        server.execute(
            "INSERT INTO notifications (id, provider, target, kind, events, content, result, host, error) VALUES "
            f"(gen_random_uuid(), '{patient.provider}', 'slack URL', 'slack', '{{}}', '{{}}', 'refused', 'h', 'no')"
        )
        done = patient.diagnose()
        assert (done.code, done.statuses["receiver-notifications"]) == (0, "warning")
        told = done.check("receiver-notifications")
        assert told["found"] == "the last message to h (slack URL) did not arrive: no"
        assert told["todo"].endswith(f"pact-dispatch notify --test --provider {patient.provider}")
        server.execute(
            "INSERT INTO notifications (id, provider, target, kind, events, content, result, host, error) SELECT "
            f"gen_random_uuid(), '{patient.provider}', 'slack ' || n, 'slack', '{{}}', '{{}}', 'refused', 'h', 'no' "
            "FROM generate_series(1, 6) AS n"
        )
        told = patient.diagnose().check("receiver-notifications")
        assert (
            "h (slack 1) did not arrive: no; the last message to h (slack 2) did not arrive: no; the"
            in told["found"]
        )
        assert told["found"].endswith("; and 2 more targets did not get theirs")

        # the token goes to no address that only the broker names
        unnamed = patient
        unnamed.options = ()
        done = unnamed.diagnose()
        assert done.code == 0
        assert done.statuses["receiver"] == "ok"
        assert done.statuses["receiver-runs"] == "unknown"
        assert "--receiver-url" in done.check("receiver-runs")["todo"]

        wrong = patient.diagnose("--receiver-url", server.url, PACT_DISPATCH_API_TOKEN="wrong-token")
        assert wrong.code == 0
        assert wrong.statuses["receiver-deliveries"] == "unknown"
        assert "PACT_DISPATCH_API_TOKENS" in wrong.check("receiver-deliveries")["todo"]


def test_a_receiver_without_a_worker_is_the_first_broken_link(
    tmp_path: Path, database_url: str, patient: Patient, provider: str
) -> None:
    with receiver(tmp_path, database_url, patient, provider, "web") as server:
        treat(patient, server)
        patient.wait_until_delivered()
        done = patient.diagnose()
        assert (done.code, done.first) == (1, "receiver")
        assert "no worker is alive" in done.found
        assert "pact-dispatch worker" in done.todo
        assert done.statuses["receiver-runs"] == "warning"


def test_a_run_that_nobody_may_look_at_is_not_called_broken_while_it_may_be_under_way(
    tmp_path: Path, database_url: str, patient: Patient
) -> None:
    with receiver(tmp_path, database_url, patient, f"http://127.0.0.1:{closed_port()}", wait=0.2) as server:
        treat(patient, server)
        patient.wait_until_delivered()
        patient.variables = {}
        done = patient.diagnose()
    assert (done.code, done.first) == (0, None), done
    assert done.statuses["receiver-runs"] == "unknown"
    result = done.check("result")
    assert result["status"] == "warning"
    assert "a run may be under way" in result["found"]
    assert "PACT_DISPATCH_API_TOKEN" in result["todo"]
    assert "webhooks test" not in result["todo"]


def test_a_receiver_that_stopped_after_it_took_the_dispatch_is_the_first_broken_link(
    tmp_path: Path, database_url: str, patient: Patient, provider: str
) -> None:
    with receiver(tmp_path, database_url, patient, provider, "web") as server:
        treat(patient, server)
        patient.wait_until_delivered()
        server.stop()
        done = patient.diagnose()
    assert (done.code, done.first) == (1, "receiver")
    assert "start it" in done.todo


def test_a_dispatch_for_an_unknown_repository_is_told_by_the_answer(
    tmp_path: Path, database_url: str, patient: Patient, provider: str
) -> None:
    with receiver(tmp_path, database_url, patient, provider) as server:
        patient.put_on_branch()
        patient.add_webhook(f"{server.url}/repos/acme/prodcuts/dispatches", secret="receiverToken")
        patient.publish(document=GOOD)
        patient.wait_until_delivered("failure")
        done = patient.diagnose("--receiver-url", server.url, PACT_DISPATCH_API_TOKEN=API_TOKEN)
        assert (done.code, done.first) == (1, "delivery")
        assert "repository in [[providers]]" in done.todo
        assert done.statuses["receiver-deliveries"] == "broken"
        assert "unknown-repository" in done.check("receiver-deliveries")["found"]


def test_a_receiver_that_refuses_the_last_dispatch_is_the_first_broken_link(
    tmp_path: Path, database_url: str, patient: Patient, provider: str
) -> None:
    with receiver(tmp_path, database_url, patient, provider) as server:
        url = f"http://127.0.0.1:{closed_port()}"
        assert server.dispatch(f"{url}/pacts/provider/P/consumer/C/latest").status_code == 422
        with Loopback(lambda _: Reply(204)) as elsewhere:
            patient.put_on_branch()
            patient.add_webhook(f"{elsewhere.url}/repos/{REPOSITORY}/dispatches", secret="receiverToken")
            patient.publish(document=GOOD)
            patient.wait_until_delivered()
            done = patient.diagnose("--receiver-url", server.url, PACT_DISPATCH_API_TOKEN=API_TOKEN)
    assert (done.code, done.first) == (1, "receiver-deliveries")
    assert "422" in done.found


def test_a_later_dispatch_that_was_refused_is_not_taken_for_this_pacts(
    tmp_path: Path, database_url: str, patient: Patient
) -> None:
    with receiver(tmp_path, database_url, patient, f"http://127.0.0.1:{closed_port()}", wait=0.2) as server:
        treat(patient, server)
        server.wait_for_runs()
        patient.wait_until_delivered()
        assert server.dispatch("http://127.0.0.1:9/pacts/provider/P/consumer/C/latest").status_code == 422
        done = patient.diagnose()
    assert done.first == "receiver-runs"
    assert done.statuses["receiver-deliveries"] == "warning"


def test_a_webhook_that_sends_elsewhere_is_told_by_the_receiver(
    tmp_path: Path, database_url: str, patient: Patient, provider: str
) -> None:
    with (
        receiver(tmp_path, database_url, patient, provider) as server,
        Loopback(lambda _: Reply(204)) as elsewhere,
    ):
        patient.put_on_branch()
        patient.add_webhook(f"{elsewhere.url}/repos/{REPOSITORY}/dispatches", secret="receiverToken")
        patient.publish(document=GOOD)
        patient.wait_until_delivered()
        done = patient.diagnose("--receiver-url", server.url, PACT_DISPATCH_API_TOKEN=API_TOKEN)
    assert (done.code, done.first) == (1, "receiver-deliveries"), done.found
    assert "although the broker delivered one" in done.found


def test_a_run_that_could_not_verify_is_the_first_broken_link(
    tmp_path: Path, database_url: str, patient: Patient
) -> None:
    with receiver(tmp_path, database_url, patient, f"http://127.0.0.1:{closed_port()}", wait=0.2) as server:
        treat(patient, server)
        server.wait_for_runs()
        patient.wait_until_delivered()
        done = patient.diagnose()
    assert (done.code, done.first) == (1, "receiver-runs")
    assert "provider-not-ready" in done.found
    [run] = server.runs()
    assert f"pact-dispatch runs again {run['id']} --receiver-url " in done.todo


def test_a_run_that_waits_for_its_paused_provider_says_so_and_who_can_end_it(
    tmp_path: Path, database_url: str, patient: Patient
) -> None:
    with receiver(tmp_path, database_url, patient, f"http://127.0.0.1:{closed_port()}", wait=0.2) as server:
        server.execute(
            f"INSERT INTO paused_providers (provider, paused_by) VALUES ('{patient.provider}', 'ann')"
        )
        treat(patient, server)
        patient.wait_until_delivered()
        server.wait_until(lambda: server.runs()[0]["error_kind"] == "paused-provider", "it waits")
        done = patient.diagnose()
    assert (done.code, done.first) == (0, None), done.out
    runs = done.check("receiver-runs")
    assert (runs["status"], runs["todo"]) == ("warning", "resume the provider on its page, or wait")
    assert f"waits: ann has paused the provider '{patient.provider}' at " in runs["found"]
    assert "but it is under way" in done.check("result")["found"]


def test_a_run_for_every_pact_that_is_under_way_answers_a_pact_that_nobody_dispatched(
    tmp_path: Path, database_url: str, patient: Patient
) -> None:
    away = {
        "name": patient.provider,
        "base_url": f"http://127.0.0.1:{closed_port()}",
        "version": VERSION,
        "wait": 600,
    }
    with receiver(tmp_path, database_url, patient, "", how=away) as server:
        patient.put_on_branch()
        patient.publish(document=GOOD)
        patient.options = ("--receiver-url", server.url)
        patient.variables = {"PACT_DISPATCH_API_TOKEN": API_TOKEN}
        server.dispatch("", event_type="provider_changed").raise_for_status()
        [run] = server.runs()
        assert run["consumer"] is None
        said = f"run {run['id']} for every pact of {patient.provider} that the broker asks for is "

        # there is no webhook at all, so the next change of the pact would not be told
        done = patient.diagnose()
        assert (done.code, done.first) == (1, "webhook")
        assert done.check("receiver-runs")["found"].startswith(said)
        assert "but it is under way" in done.check("result")["found"]

        # and one that was made after the pact was published
        patient.add_webhook(f"{server.url}/repos/{REPOSITORY}/dispatches", secret="receiverToken")
        done = patient.diagnose()
        assert (done.code, done.first) == (0, None), done.out
        assert done.statuses["delivery"] == "warning"
        assert "a run that is under way answers it all the same" in done.check("delivery")["found"]
        runs = done.check("receiver-runs")
        assert (runs["status"], runs["todo"]) == ("warning", "wait for it")
        assert runs["found"].startswith(said)
        assert runs["found"].endswith(": this pact is verified by it, if it is one of them")
        assert done.check("result")["status"] == "warning"

        # as for one that is not for this pact
        server.execute(
            "UPDATE runs SET pact_urls = ARRAY['http://127.0.0.1/pacts/provider/P/consumer/C/version/1']"
        )
        done = patient.diagnose()
        assert (done.code, done.first) == (1, "delivery")
        assert done.check("receiver-runs")["found"].endswith(
            f"; run {run['id']} for 1 pact is for other pacts"
        )


@pytest.mark.parametrize("moves", [("waiting", "running"), ("running", "waiting")])
def test_a_run_for_every_pact_is_found_while_it_begins_and_while_it_is_put_back(
    tmp_path: Path,
    database_url: str,
    patient: Patient,
    monkeypatch: pytest.MonkeyPatch,
    moves: tuple[str, str],
) -> None:
    before, after = moves
    with receiver(tmp_path, database_url, patient, "http://127.0.0.1:1", "web") as server:
        patient.put_on_branch()
        patient.publish(document=GOOD)
        patient.options = ("--receiver-url", server.url)
        patient.variables = {"PACT_DISPATCH_API_TOKEN": API_TOKEN}
        server.dispatch("", event_type="provider_changed").raise_for_status()
        ask = ReceiverClient.runs_for_every_pact
        for moment in (1, 2):
            server.execute(f"UPDATE runs SET status = '{before}', started_at = now()")
            requests = count(1)

            def moving(*arguments: Any, requests: Iterator[int] = requests, moment: int = moment) -> Any:
                found = ask(*arguments)
                if next(requests) == moment:
                    server.execute(f"UPDATE runs SET status = '{after}'")
                return found

            with monkeypatch.context() as meanwhile:
                meanwhile.setattr(ReceiverClient, "runs_for_every_pact", moving)
                done = patient.diagnose()
            assert next(requests) > moment
            assert "for every pact" in done.check("receiver-runs")["found"]


def not_dispatched(patient: Patient, server: ReceiverProcess) -> None:
    """Have a run for every pact begin, for a pact whose webhook was made too late to ask for one."""
    patient.put_on_branch()
    patient.publish(document=GOOD)
    patient.add_webhook(f"{server.url}/repos/{REPOSITORY}/dispatches", secret="receiverToken")
    patient.options = ("--receiver-url", server.url)
    patient.variables = {"PACT_DISPATCH_API_TOKEN": API_TOKEN}
    server.dispatch("", event_type="provider_changed").raise_for_status()
    server.execute("UPDATE runs SET status = 'running', started_at = now()")


@pytest.mark.parametrize(
    ("question", "publishing", "result"),
    [("deliveries", "published", "ok"), ("runs", "published", "warning"), ("runs", "pending", "warning")],
)
def test_a_run_for_every_pact_is_not_missed_that_verifies_the_pact_while_it_is_looked_for(
    tmp_path: Path,
    database_url: str,
    patient: Patient,
    monkeypatch: pytest.MonkeyPatch,
    question: str,
    publishing: str,
    result: str,
) -> None:
    url = f"http://127.0.0.1:{closed_port()}"
    away = {"name": patient.provider, "base_url": url, "version": VERSION, "wait": 600}
    with receiver(tmp_path, database_url, patient, "", how=away) as server:
        not_dispatched(patient, server)
        [whole] = server.runs()
        ask = getattr(ReceiverClient, question)

        def moving(*arguments: Any) -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = ask(*arguments)
            monkeypatch.setattr(ReceiverClient, question, ask)
            server.execute(
                "INSERT INTO runs (id, key, parent_id, provider, repository, event_type, reason, status, outcome, "
                "consumer, consumer_version, provider_version, pact_url, publishing) "
                "SELECT gen_random_uuid(), 'of the pact', id, provider, repository, event_type, reason, 'finished', "
                f"'passed', '{patient.consumer}', '1.0.0', '{VERSION}', 'http://b', '{publishing}' FROM runs"
            )
            server.execute(
                f"UPDATE runs SET status = 'finished', outcome = 'passed' WHERE id = '{whole['id']}'"
            )
            if publishing == "published":
                patient.publish_result()
            return found

        monkeypatch.setattr(ReceiverClient, question, moving)
        asked = ("--consumer", patient.consumer, "--version", "1.0.0", "--provider", patient.provider)
        done = doctor(patient.broker.url, *asked, *patient.options, variables=patient.variables)
        assert getattr(ReceiverClient, question) is ask
    assert (done.code, done.first) == (0, None), done.out
    assert done.check("result")["status"] == result


def test_a_run_for_every_pact_that_ends_while_it_is_looked_at_is_not_waited_for(
    tmp_path: Path, database_url: str, patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    with receiver(tmp_path, database_url, patient, "http://127.0.0.1:1", "web") as server:
        not_dispatched(patient, server)
        ask = ReceiverClient.run

        def moving(*arguments: Any) -> dict[str, Any]:
            server.execute("UPDATE runs SET status = 'finished', outcome = 'error', error = 'it is away'")
            return ask(*arguments)

        monkeypatch.setattr(ReceiverClient, "run", moving)
        done = patient.diagnose()
    assert done.code == 1
    runs = done.check("receiver-runs")
    assert runs["status"] == "broken"
    assert runs["found"].endswith("that the broker asks for has ended meanwhile: it is away")


def test_a_relayed_dispatch_is_followed_to_github(
    tmp_path: Path, database_url: str, patient: Patient
) -> None:
    repository = Repository(REPOSITORY, files={".github/workflows/a.yml": "on: push\n"})
    with GitHubApi(repository, tokens=(Token(GITHUB_TOKEN),)) as github:
        how = {"name": patient.provider, "relay": True}
        with receiver(tmp_path, database_url, patient, "", how=how, github={"api_url": github.url}) as server:
            treat(patient, server)
            server.wait_for_runs()
            patient.wait_until_delivered()
            patient.variables["PACT_DISPATCH_GITHUB_TOKEN"] = GITHUB_TOKEN
            done = patient.diagnose("--github-url", github.url)
    assert (done.code, done.first) == (1, "workflow")
    assert done.statuses["receiver-runs"] == "ok"


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, "x" * 8_000_000),
        Reply(200, {"ready": "yes"}),
        Reply(302, "", {"Location": "http://127.0.0.1:9/"}),
        Reply(503, {"ready": False, "problems": ["\x1b[2J" * 10_000], "queue": []}),
        Reply(200, b"\xff\xfe{"),
        Reply(drop=True),
    ],
)
def test_hostile_answers_of_a_receiver_are_bounded_and_escaped(patient: Patient, reply: Reply) -> None:
    with Loopback(lambda received: reply if received.method == "GET" else Reply(204)) as target:
        patient.put_on_branch()
        patient.add_webhook(f"{target.url}/repos/{REPOSITORY}/dispatches", secret="receiverToken")
        patient.publish(document=GOOD)
        patient.wait_until_delivered()
        patient.variables = {"PACT_DISPATCH_API_TOKEN": API_TOKEN}
        done = patient.diagnose("--receiver-url", target.url, as_json=False)
    assert done.code == 1
    assert "\x1b" not in done.out
    assert len(done.out) < 20_000
    assert {one.method for one in target.received if "/dispatches" not in one.path} == {"GET"}
