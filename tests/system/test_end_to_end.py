"""Runs of every kind of provider, on one receiver that all of these tests share: real processes all the way."""

from __future__ import annotations

import re
import sys
from itertools import pairwise
from shlex import quote as quoted
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.broker_records import count_results, publish, results
from tests.support.origin import Origin
from tests.support.pacts import interaction, pact
from tests.support.paths import ROOT
from tests.support.processes import TIME_LIMIT, EmbeddedBroker
from tests.support.receiver import API_TOKEN, ReceiverProcess, command_line, configuration
from tests.support.running import PROVIDER, scripted_provider

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VERSION = "3f2c9d1e5a7b8c9d0e1f2a3b4c5d6e7f8a9b0c1d"
RUNNING = {"version": VERSION, "branch": "main", "health_path": "/health"}
GOOD = interaction("a thing", "/things/1", body={"id": 1, "name": "thing"})
BROKEN = interaction("a thing", "/things/1", body={"id": 2})


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker(tmp_path_factory.mktemp("broker")) as started:
        yield started


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("receiver")


@pytest.fixture(scope="module")
def origin(folder: Path) -> Origin:
    return Origin(folder / "git" / "checkout")


@pytest.fixture(scope="module")
def server(
    folder: Path, origin: Origin, broker: EmbeddedBroker, module_database_url: str
) -> Iterator[ReceiverProcess]:
    with scripted_provider() as url:
        asked = {"version_url": f"{url}/things/7", "version_pointer": "/id", "health_path": "/health"}
        checkout = {"url": origin.url, "command": f"{quoted(sys.executable)} provider.py"}
        secretive: dict[str, Any] = {
            "command": f"sh -c 'echo it is $GREETING; exec {PROVIDER}'",
            "environment": {"GREETING": {"env": "THE_SECRET"}},
        }
        held = f"sh -c 'while test -e {folder / 'held'}; do sleep 0.05; done; exec {PROVIDER}'"
        comes_back = f"sh -c 'test -e {folder / 'up'} && exec {PROVIDER}'"
        providers: dict[str, dict[str, Any]] = {
            "Running": {"base_url": url, **RUNNING},
            "Asked": {"base_url": url, **asked},
            "Down": {"base_url": "http://127.0.0.1:1", "wait": 0.1, **RUNNING},
            "Held": {"command": held, **RUNNING},
            "Beside": {"command": PROVIDER, **RUNNING},
            "Secretive": {**secretive, **RUNNING},
            "ComesBack": {"command": comes_back, **RUNNING},
            "Checkout": {"checkout": checkout, "health_path": "/health"},
        }
        config = configuration(
            broker.url,
            *({"name": name, "repository": f"acme/{name}", **values} for name, values in providers.items()),
            worker={"retry_seconds": [0.3, 0.3]},
            server={"processes": 1, "public_url": "https://receiver.example.org", "share_links": True},
        )
        with ReceiverProcess(
            folder,
            config,
            database_url=module_database_url,
            environment={"THE_SECRET": "never-to-be-seen"},
        ) as started:
            yield started


class Asked:
    """Dispatches of one test, to one provider, and the runs that come of them."""

    def __init__(self, server: ReceiverProcess, broker: EmbeddedBroker, provider: str, test: str) -> None:
        self._server = server
        self._broker = broker
        self._provider = provider
        self._test = test

    def publish(self, what: dict[str, Any], consumer: str = "C") -> str:
        """Publish a pact; gives its URL."""
        return publish(self._broker, pact(what, provider=self._provider), f"{self._test}-{consumer}")

    def dispatch(self, pact_url: str, **payload: Any) -> None:
        """Dispatch it."""
        answer = self._server.dispatch(pact_url, repository=f"acme/{self._provider}", **payload)
        assert answer.status_code == 204, answer.text

    def runs(self) -> list[dict[str, Any]]:
        """Give this test's runs with this provider, oldest first."""
        return self._server.rows(
            "SELECT * FROM runs WHERE provider = %s AND consumer LIKE %s ORDER BY created_at, id",
            self._provider,
            f"{self._test}-%",
        )

    def done(self, number: int = 1) -> list[dict[str, Any]]:
        """Wait until there are so many runs and all of them are done; gives them, oldest first."""

        def found() -> list[dict[str, Any]] | None:
            runs = self.runs()
            ended = all(run["status"] == "finished" and run["publishing"] != "pending" for run in runs)
            return runs if len(runs) == number and ended else None

        runs: list[dict[str, Any]] = self._server.wait_until(found, f"{number} runs are done")
        return runs


@pytest.fixture
def asked(request: pytest.FixtureRequest, server: ReceiverProcess, broker: EmbeddedBroker) -> Any:
    """Makes an `Asked` for a provider."""
    return lambda provider: Asked(server, broker, provider, request.node.name[:60])


def log_of(server: ReceiverProcess, run: dict[str, Any]) -> str:
    rows = server.rows("SELECT text FROM run_log_chunks WHERE run_id = %s ORDER BY first_line", run["id"])
    return "\n".join(row["text"] for row in rows)


def test_a_dispatch_becomes_a_result_in_the_broker(
    asked: Any, server: ReceiverProcess, broker: EmbeddedBroker
) -> None:
    provider = asked("Running")
    good, broken = provider.publish(GOOD, "good"), provider.publish(BROKEN, "broken")
    provider.dispatch(good)
    provider.dispatch(broken)
    passed, failed = provider.done(2)

    assert (passed["outcome"], failed["outcome"]) == ("passed", "failed")
    recorded = results(broker, good)
    assert recorded is not None
    assert (recorded["success"], recorded["providerApplicationVersion"]) == (True, VERSION)
    assert passed["result_url"] == recorded["_links"]["self"]["href"]
    assert (passed["consumer_version"], passed["interactions"]) == ("1", 1)
    recorded = results(broker, broken)
    assert recorded is not None
    assert recorded["success"] is False
    assert failed["attempt"] == 1  # a broken contract doesn't heal
    assert "failed: a thing" in log_of(server, failed)
    # the link that the broker has of it opens it without a sign-in, without what is not for everybody
    link = recorded["buildUrl"]
    page = f"https://receiver.example.org/runs/{failed['id']}"
    assert link.startswith(f"{page}?shared=")
    shown = server.session.get(link.replace("https://receiver.example.org", server.url), timeout=TIME_LIMIT)
    assert (shown.status_code, "Failed: 1 of 1 interaction" in shown.text) == (200, True)
    assert "Published, confirmed" not in shown.text
    other = link.replace("https://receiver.example.org", server.url).replace(
        str(failed["id"]), str(passed["id"])
    )
    assert server.session.get(other, timeout=TIME_LIMIT).status_code == 401


def test_a_result_that_was_refused_is_published_from_the_page(asked: Any, server: ReceiverProcess) -> None:
    provider = asked("Running")
    provider.dispatch(provider.publish(GOOD))
    [run] = provider.done()
    server.execute(f"UPDATE runs SET publishing = 'refused', result_url = NULL WHERE id = '{run['id']}'")
    page, known = f"{server.url}/runs/{run['id']}", {"Authorization": f"Bearer {API_TOKEN}"}
    token = re.search(
        r'name="form_token" value="(\w+)"', server.session.get(page, headers=known, timeout=TIME_LIMIT).text
    )
    assert token is not None
    form = {"form_token": token[1]}
    answer = server.session.post(
        f"{page}/publish-again", data=form, headers=known, timeout=TIME_LIMIT, allow_redirects=False
    )
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/runs/{run['id']}")
    server.wait_until(lambda: provider.runs()[0]["publishing"] == "published", "the broker has it")
    [again] = provider.runs()
    assert again["result_url"] == run["result_url"]
    assert again["publish_attempts"] == run["publish_attempts"] + 1


def test_a_run_has_a_page_for_people(asked: Any, server: ReceiverProcess) -> None:
    provider, down = asked("Running"), asked("Down")
    provider.dispatch(provider.publish(interaction("<script>alert(1)</script>", "/things/1", body={"id": 2})))
    down.dispatch(down.publish(GOOD))
    [failed] = provider.done()
    [unknown] = down.done()

    def get(run_id: Any, password: str | None = API_TOKEN) -> Any:
        auth = ("me", password) if password else None
        return server.session.get(f"{server.url}/runs/{run_id}", auth=auth, timeout=TIME_LIMIT)

    page, other = get(failed["id"]), get(unknown["id"])
    assert get(failed["id"], None).headers["WWW-Authenticate"].startswith("Basic ")
    assert get(failed["id"], "wrong-password").status_code == 401
    assert get("00000000-0000-0000-0000-000000000000").status_code == 404
    assert page.status_code == 200
    assert "Failed: 1 of 1 interaction" in page.text
    assert "&lt;script&gt;alert(1)" in page.text
    assert "<script>alert" not in page.text
    assert "Published, confirmed" in page.text
    assert 'http-equiv="refresh"' not in page.text
    assert "did not become ready" in other.text
    assert "Attempts (3)" in other.text
    assert other.text.count("ended after") == 2


def test_a_provider_that_is_started_is_stopped_again_and_its_secrets_are_hidden(
    asked: Any, server: ReceiverProcess
) -> None:
    provider = asked("Secretive")
    provider.dispatch(provider.publish(GOOD))
    [run] = provider.done()

    assert run["outcome"] == "passed"
    log = log_of(server, run)
    assert "provider: listening on" in log
    assert "provider: it is ***" in log
    assert "never-to-be-seen" not in log + server.output()
    assert not [child for child in server.descendants() if PROVIDER.split()[1] in command_line(child)]


def test_an_outage_of_the_provider_is_tried_again_and_published_as_nothing(
    asked: Any, broker: EmbeddedBroker
) -> None:
    provider = asked("Down")
    url = provider.publish(GOOD)
    provider.dispatch(url)
    [run] = provider.done()

    assert (run["outcome"], run["error_kind"], run["attempt"]) == ("error", "provider-not-ready", 3)
    assert results(broker, url) is None


def test_a_provider_that_comes_back_is_verified_after_all(asked: Any, folder: Path) -> None:
    provider = asked("ComesBack")
    url = provider.publish(GOOD)
    provider.dispatch(url)
    # a provider that ends at once can't be waited for, and isn't tried again
    [run] = provider.done()
    assert (run["outcome"], run["error_kind"]) == ("error", "provider-died")
    (folder / "up").touch()
    provider.dispatch(url)
    _, run = provider.done(2)

    assert run["outcome"] == "passed"


def test_another_version_than_the_one_asked_for_is_an_error_and_nothing_is_published(
    asked: Any, broker: EmbeddedBroker
) -> None:
    provider = asked("Running")
    url = provider.publish(GOOD)
    provider.dispatch(url, sha="0" * 40)
    provider.dispatch(url, sha=VERSION[:10])
    other, same = provider.done(2)

    assert (other["outcome"], other["error_kind"]) == ("error", "other-version")
    assert "0" * 40 in other["error"]
    assert VERSION in other["error"]
    assert same["outcome"] == "passed"
    assert count_results(broker, url) == 1


def test_the_branch_of_a_dispatch_is_that_of_its_commit_and_of_no_other(asked: Any) -> None:
    provider = asked("Running")
    url = provider.publish(GOOD)
    provider.dispatch(url, branch="feature")  # of which commit? What runs is on the configured branch
    provider.dispatch(url, sha=VERSION, branch="feature")
    without_commit, with_commit = provider.done(2)

    assert (without_commit["provider_version"], without_commit["provider_branch"]) == (VERSION, "main")
    assert (with_commit["provider_version"], with_commit["provider_branch"]) == (VERSION, "feature")


def test_the_log_tells_which_deliveries_a_run_answers(asked: Any, server: ReceiverProcess) -> None:
    provider = asked("Running")
    provider.dispatch(provider.publish(GOOD))
    [run] = provider.done()

    [delivery] = server.rows("SELECT id FROM deliveries WHERE run_id = %s", run["id"])
    started = [entry for entry in server.logged("run started") if entry["run"] == str(run["id"])]
    assert [entry["deliveries"] for entry in started] == [[str(delivery["id"])]]


def test_the_version_is_what_the_provider_says(asked: Any) -> None:
    provider = asked("Asked")
    provider.dispatch(provider.publish(GOOD))
    [run] = provider.done()

    assert (run["outcome"], run["provider_version"]) == ("passed", "7")


def test_the_dispatched_commit_is_checked_out_verified_and_published_for(
    asked: Any, origin: Origin, broker: EmbeddedBroker, server: ReceiverProcess
) -> None:
    source = (ROOT / "tests" / "support" / "scripted_provider.py").read_text(encoding="utf-8")
    good = origin.commit({"provider.py": source})
    newer = origin.commit({"provider.py": source.replace('"name": "thing"', '"name": 7')})
    provider = asked("Checkout")
    url = provider.publish(GOOD)
    provider.dispatch(url, sha=good, branch="release")
    provider.dispatch(url)
    provider.dispatch(url, sha="0" * 40)
    origin.git("checkout", "--quiet", "--detach")
    of_a_fork = origin.commit({"provider.py": source.replace('"name": "thing"', '"name": 8')})
    origin.git("update-ref", "refs/pull/1/head", of_a_fork)
    origin.git("checkout", "--quiet", "main")
    provider.dispatch(url, sha=of_a_fork)
    runs = provider.done(4)

    assert [(run["outcome"], run["provider_version"]) for run in runs] == [
        ("passed", good),
        ("failed", newer),
        ("error", None),
        ("error", None),
    ]
    assert runs[0]["provider_branch"] == "release"
    assert [run["error_kind"] for run in runs[2:]] == ["no-such-commit", "commit-of-no-branch"]
    matrix = broker.get(f"/matrix/provider/Checkout/consumer/{runs[0]['consumer']}").json()["matrix"]
    recorded = {
        row["provider"]["version"]["number"]: row["verificationResult"]["success"]
        for row in matrix
        if row["verificationResult"]
    }
    assert recorded == {good: True, newer: False}
    moments = server.rows(
        "SELECT name, at FROM run_moments WHERE run_id = %s AND attempt = 1 ORDER BY at", runs[0]["id"]
    )
    assert [moment["name"] for moment in moments] == ["started", "checked-out", "provider-ready"]
    times = [runs[0]["created_at"], *(moment["at"] for moment in moments), runs[0]["verified_at"]]
    assert times == sorted(times)


def test_runs_of_one_provider_are_never_at_once_and_others_are(asked: Any, folder: Path) -> None:
    provider, other = asked("Held"), asked("Beside")
    (folder / "held").touch()
    for number in range(3):
        provider.dispatch(provider.publish(GOOD, f"{number}"))
    other.dispatch(other.publish(GOOD))
    [beside] = other.done()  # the first one of the other provider goes on, or has not even begun
    (folder / "held").unlink()
    mine = provider.done(3)

    assert {run["outcome"] for run in (*mine, beside)} == {"passed"}
    for earlier, later in pairwise(mine):
        assert earlier["finished_at"] <= later["started_at"]
    assert beside["finished_at"] < mine[0]["finished_at"]
