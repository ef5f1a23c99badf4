"""The rules that make it trustworthy, each with real processes: what must never be said, and never be lost."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.support.faulty_broker import Fault, FaultyBroker
from tests.support.loopback import closed_port
from tests.support.pacts import BROKEN, interaction, pact, things
from tests.support.processes import TIME_LIMIT
from tests.support.receiver import wait_until
from tests.support.running import PROVIDER, READY, STATES, scripted_provider, start_verify, verify
from tests.system.test_verify import publishing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.processes import EmbeddedBroker

    Publish = Callable[..., str]

RESULTS = r"/verification-results$"
ANSWER_SECONDS = 6
"""What a provider has for an answer where one hangs: much more than the others need."""
NO_MORE = {"Retry-After": "3600"}
"""What a broker says that isn't asked again: more than is left of any run."""


def nothing_published(broker: EmbeddedBroker, path: str) -> bool:
    document = broker.get(path).json()
    return broker.get(document["_links"]["pb:latest-verification-results"]["href"]).status_code == 404


# An outage is never published as a broken contract.


def test_a_provider_that_is_down_is_not_a_broken_contract(
    tmp_path: Path, broker: EmbeddedBroker, published: Publish
) -> None:
    path = published(pact(*things(3)))
    down = f"http://127.0.0.1:{closed_port()}"
    done = verify(
        tmp_path, broker.url + path, "--provider-base-url", down, "--wait", 0.5, *publishing(broker.url)
    )
    assert done.code == 3, done
    assert done.report["error"]["kind"] == "provider-not-ready"
    assert "Is it running there?" in done.out
    assert nothing_published(broker, path)


def test_a_state_url_that_is_down_is_not_a_broken_contract(
    tmp_path: Path, broker: EmbeddedBroker, published: Publish
) -> None:
    path = published(pact(interaction("with a state", "/things/1", state="fine"), *things(2)))
    states = ("--provider-states-setup-url", f"http://127.0.0.1:{closed_port()}/_states")
    done = verify(
        tmp_path,
        *(broker.url + path, "--provider-command", PROVIDER, *READY, *states),
        *publishing(broker.url),
    )
    assert done.code == 3, done
    assert {i["outcome"] for i in done.report["interactions"]} == {"error"}
    assert nothing_published(broker, path)


def test_a_provider_that_dies_half_way_is_not_a_broken_contract(
    tmp_path: Path, broker: EmbeddedBroker, published: Publish
) -> None:
    path = published(pact(*things(40)))
    command = f"{PROVIDER} --die-after 15"
    done = verify(tmp_path, broker.url + path, "--provider-command", command, *READY, *publishing(broker.url))
    assert done.code == 3, done
    assert done.report["error"]["kind"] == "provider-died"
    assert "fatal: out of memory" in done.out
    assert nothing_published(broker, path)


def test_a_provider_that_goes_away_half_way_is_not_a_broken_contract(
    tmp_path: Path, broker: EmbeddedBroker, published: Publish
) -> None:
    path = published(pact(*things(40)))
    with scripted_provider("--die-after", "15") as provider:
        done = verify(
            tmp_path, broker.url + path, "--provider-base-url", provider, *READY, *publishing(broker.url)
        )
    assert done.code == 3, done
    assert done.report["error"]["kind"] == "interactions-not-verified"
    assert done.report["interactions"][0]["outcome"] == "passed"
    assert nothing_published(broker, path)


def test_a_provider_that_hangs_is_not_a_broken_contract(
    tmp_path: Path, broker: EmbeddedBroker, published: Publish
) -> None:
    path = published(pact(*things(2), interaction("never answered", "/hang")))
    done = verify(
        tmp_path,
        *(broker.url + path, "--provider-command", PROVIDER, *READY, "--request-timeout", ANSWER_SECONDS),
        *publishing(broker.url),
    )
    assert done.code == 3, done
    assert [i["outcome"] for i in done.report["interactions"]] == ["passed", "passed", "error"]
    assert nothing_published(broker, path)


def test_time_running_out_is_not_a_broken_contract(
    tmp_path: Path, broker: EmbeddedBroker, published: Publish
) -> None:
    path = published(pact(interaction("never answered", "/hang")))
    limits = ("--request-timeout", 60, "--timeout", 8)
    with scripted_provider() as provider:
        done = verify(
            tmp_path,
            *(broker.url + path, "--provider-base-url", provider, *READY, *limits),
            *publishing(broker.url),
        )
    assert done.code == 3, done
    assert done.report["error"]["kind"] == "timed-out"
    assert nothing_published(broker, path)


def test_a_real_failure_counts_beside_what_could_not_be_verified(
    tmp_path: Path, broker: EmbeddedBroker, published: Publish
) -> None:
    path = published(pact(BROKEN, interaction("never answered", "/hang")))
    done = verify(
        tmp_path,
        *(broker.url + path, "--provider-command", PROVIDER, *READY, "--request-timeout", ANSWER_SECONDS),
        *publishing(broker.url),
    )
    assert done.code == 1, done
    assert broker.get(done.report["published"]["url"]).json()["success"] is False


def test_an_engine_that_is_killed_is_not_a_broken_contract(
    broker: EmbeddedBroker, published: Publish
) -> None:
    path = published(pact(interaction("never answered", "/hang")))
    with scripted_provider() as provider:
        process = start_verify(
            *(broker.url + path, "--provider-base-url", provider, *READY, "--request-timeout", 60),
            *publishing(broker.url),
        )
        try:
            # it is on its way when it has a connection to the provider
            port = int(provider.rsplit(":", 1)[1])
            wait_until(lambda: any(_talks_to(child, port) for child in _children(process.pid)), "it is asked")
            [engine] = [child for child in _children(process.pid) if _talks_to(child, port)]
            engine.kill()
            out, _ = process.communicate(timeout=TIME_LIMIT)
        finally:
            process.kill()
            process.wait()
    assert process.returncode == 3
    assert "killed by SIGKILL" in out
    assert nothing_published(broker, path)


def _children(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _talks_to(process: psutil.Process, port: int) -> bool:
    try:
        return any(
            c.raddr and c.raddr.port == port and c.status == "ESTABLISHED" for c in process.net_connections()
        )
    except psutil.Error:
        return False


def test_a_pact_of_another_provider_is_not_verified(
    tmp_path: Path, broker: EmbeddedBroker, published: Publish
) -> None:
    path = published(pact(*things(1)))
    done = verify(
        tmp_path,
        *(broker.url + path, "--provider", "Others", "--provider-command", PROVIDER, *READY),
        *publishing(broker.url),
    )
    assert done.code == 3, done
    assert done.report["error"]["kind"] == "wrong-provider"
    assert nothing_published(broker, path)


def test_a_provider_that_ends_at_once_shows_what_it_said(tmp_path: Path) -> None:
    file = tmp_path / "pact.json"
    file.write_text(json.dumps(pact(*things(1))), encoding="utf-8")
    done = verify(tmp_path, file, "--provider-command", f"{PROVIDER} --exit-at-once", *READY)
    assert done.code == 3, done
    assert "fatal: no database" in done.out


def test_what_a_provider_answers_that_does_not_become_ready_is_told(tmp_path: Path) -> None:
    file = tmp_path / "pact.json"
    file.write_text(json.dumps(pact(*things(1))), encoding="utf-8")
    with scripted_provider("--never-ready") as provider:
        # long enough for another check after one in which the provider had to wait for a processor
        done = verify(tmp_path, file, "--provider-base-url", provider, *READY, "--wait", 6)
    assert done.code == 3, done
    assert "it answered 503" in done.out


# A result that the broker didn't take is never called a success.


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "a read-only user can't publish"),
        (403, "may not do this"),
        (404, "answered with 404"),
        (302, "redirect"),
    ],
)
def test_a_refused_result_is_said_to_be_refused(
    tmp_path: Path, broker: EmbeddedBroker, published: Publish, status: int, words: str
) -> None:
    path = published(pact(*things(1)))
    headers = {"Location": "http://localhost:9/elsewhere"} if status == 302 else {}
    with FaultyBroker(broker.url, Fault("POST", RESULTS, status, headers)) as proxy:
        done = verify(
            tmp_path,
            *(proxy.url + path, "--provider-command", PROVIDER, *READY),
            *publishing(proxy.url),
            PACT_BROKER_TOKEN="token-of-the-test",
        )
    assert done.code == 4, done
    assert words in done.out
    assert "Nothing was recorded" in done.out
    assert nothing_published(broker, path)
    assert proxy.count("POST", RESULTS) == 1


def test_a_broker_that_fails_to_the_end_is_said_to_have_failed(
    tmp_path: Path, broker: EmbeddedBroker, published: Publish
) -> None:
    path = published(pact(*things(1)))
    faults = Fault("POST", RESULTS, 503, times=1), Fault("POST", RESULTS, 503, NO_MORE)
    with FaultyBroker(broker.url, *faults) as proxy:
        done = verify(
            tmp_path, proxy.url + path, "--provider-command", PROVIDER, *READY, *publishing(proxy.url)
        )
    assert done.code == 4, done
    assert "503" in done.out
    assert proxy.count("POST", RESULTS) == 2
    assert nothing_published(broker, path)


def test_a_pact_without_a_publish_link_is_said_to_have_none(
    tmp_path: Path, broker: EmbeddedBroker, published: Publish
) -> None:
    path = published(pact(*things(1)))
    with FaultyBroker(
        broker.url, rewrite=lambda b: b.replace(b"pb:publish-verification-results", b"x")
    ) as proxy:
        done = verify(
            tmp_path, proxy.url + path, "--provider-command", PROVIDER, *READY, *publishing(proxy.url)
        )
    assert done.code == 4, done
    assert "pb:publish-verification-results" in done.out


def test_a_publish_link_to_another_host_is_not_followed_and_noticed_before_verifying(
    tmp_path: Path, broker: EmbeddedBroker, published: Publish
) -> None:
    path = published(pact(*things(1)))
    with FaultyBroker(broker.url) as elsewhere, FaultyBroker(broker.url) as proxy:
        proxy.rewrite = lambda content: content.replace(proxy.url.encode(), elsewhere.url.encode())
        done = verify(
            tmp_path,
            *(proxy.url + path, "--provider-command", PROVIDER, *READY),
            *publishing(proxy.url),
            PACT_BROKER_TOKEN="token-of-the-test",
        )
        assert elsewhere.seen == []
    assert done.code == 3, done
    assert done.report["interactions"] == [], "nothing is verified that could not be published"
    assert "is not on the broker" in done.out


def test_failing_twice_and_then_taking_it_records_it_once(
    tmp_path: Path, broker: EmbeddedBroker, published: Publish
) -> None:
    path = published(pact(*things(1)))
    with FaultyBroker(broker.url, Fault("POST", RESULTS, 503, times=2)) as proxy:
        done = verify(
            tmp_path, proxy.url + path, "--provider-command", PROVIDER, *READY, *publishing(proxy.url)
        )
    assert done.code == 0, done
    assert proxy.count("POST", RESULTS) == 3
    assert proxy.count("POST", RESULTS, answered=201) == 1
    assert "trying again" in done.err


@pytest.mark.parametrize("status", [0, 502])
def test_a_result_whose_confirmation_was_lost_is_not_published_twice(
    tmp_path: Path, broker: EmbeddedBroker, published: Publish, status: int
) -> None:
    path = published(pact(*things(1)))
    with FaultyBroker(broker.url, Fault("POST", RESULTS, status, after=True, times=1)) as proxy:
        done = verify(
            tmp_path, proxy.url + path, "--provider-command", PROVIDER, *READY, *publishing(proxy.url)
        )
    assert done.code == 0, done
    assert done.report["published"]["already_there"] is True
    assert proxy.count("POST", RESULTS) == 1


def test_an_earlier_result_of_the_same_version_is_not_taken_for_this_one(
    tmp_path: Path, broker: EmbeddedBroker, published: Publish
) -> None:
    path = published(pact(*things(1)))
    arguments = (broker.url + path, "--provider-command", PROVIDER, *READY)
    first = verify(tmp_path, *arguments, *publishing(broker.url, "same"))
    with FaultyBroker(broker.url, Fault("POST", RESULTS, 503, times=1)) as proxy:
        second = verify(tmp_path, proxy.url + path, *arguments[1:], *publishing(proxy.url, "same"))
    assert second.code == 0, second
    assert second.report["published"]["already_there"] is False
    assert second.report["published"]["url"] != first.report["published"]["url"]


def test_a_result_that_can_not_be_read_back_is_not_called_a_success(
    tmp_path: Path, broker: EmbeddedBroker, published: Publish
) -> None:
    path = published(pact(*things(1)))
    with FaultyBroker(broker.url, Fault("GET", r"/verification-results/\d+$", 404)) as proxy:
        done = verify(
            tmp_path, proxy.url + path, "--provider-command", PROVIDER, *READY, *publishing(proxy.url)
        )
    assert done.code == 4, done
    assert "could not be read back" in done.out


# A pact that can't be had is said to be missing, and why.


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault("GET", "/latest$", 401), "--broker-token"),
        (Fault("GET", "/latest$", 404), "There is no such pact"),
        (
            Fault("GET", "/latest$", 200, {"Content-Type": "text/html"}, "<html>Sign in</html>"),
            "sign-in page",
        ),
        (
            Fault("GET", "/latest$", 200, {"Content-Type": "application/json"}, '{"a": 1}'),
            "neither 'interactions'",
        ),
        (Fault("GET", "/latest$", 302, {"Location": "http://localhost:9/login"}), "was not followed"),
    ],
)
def test_a_pact_that_can_not_be_had(
    tmp_path: Path, broker: EmbeddedBroker, published: Publish, fault: Fault, words: str
) -> None:
    path = published(pact(*things(1)))
    with FaultyBroker(broker.url, fault) as proxy:
        done = verify(
            tmp_path, proxy.url + path, "--provider-command", PROVIDER, *READY, *publishing(proxy.url)
        )
    assert done.code == 3, done
    assert words in done.out


def test_a_broker_that_comes_back_is_waited_for(
    tmp_path: Path, broker: EmbeddedBroker, published: Publish
) -> None:
    path = published(pact(*things(1)))
    with FaultyBroker(broker.url, Fault("GET", "/latest$", 503, {"Retry-After": "1"}, times=2)) as proxy:
        done = verify(tmp_path, proxy.url + path, "--provider-command", PROVIDER, *READY)
    assert done.code == 0, done
    assert proxy.count("GET", "/latest$") == 3


# Credentials go to the broker's own origin and nowhere else; a secret is seen nowhere.


def test_no_secret_is_seen_anywhere(tmp_path: Path, broker: EmbeddedBroker, published: Publish) -> None:
    path = published(pact(BROKEN, interaction("with a state", "/things/1", state="refused")))
    secret, header_secret = "s3cr3t-of-the-broker", "s3cr3t-of-the-provider"
    reports = [tmp_path / name for name in ("report.html", "report.xml")]
    with FaultyBroker(
        broker.url, Fault("POST", RESULTS, 401, body=f'{{"error": "bad token {secret}"}}')
    ) as proxy:
        done = verify(
            tmp_path,
            *(proxy.url + path, "--provider-command", f"{PROVIDER} --talkative", *READY, *STATES, "-v"),
            *("--custom-provider-header", f"Authorization: Bearer {header_secret}"),
            *("--html", reports[0], "--junit", reports[1]),
            *publishing(proxy.url),
            PACT_BROKER_TOKEN=secret,
        )
        sent = [seen.headers.get("Authorization") for seen in proxy.seen]
    assert done.code == 4, done
    assert set(sent) == {f"Bearer {secret}"}
    texts = [done.out, done.err, str(done.report), *(file.read_text(encoding="utf-8") for file in reports)]
    assert not [text for text in texts if secret in text or header_secret in text]
    assert "authorization: ***" in done.err.lower()  # the provider printed what it got


def test_credentials_do_not_cross_a_redirect(
    tmp_path: Path, broker: EmbeddedBroker, published: Publish
) -> None:
    path = published(pact(*things(1)))
    with FaultyBroker(broker.url) as elsewhere:
        fault = Fault("GET", "/latest$", 307, {"Location": elsewhere.url + path})
        with FaultyBroker(broker.url, fault) as proxy:
            done = verify(
                tmp_path,
                *(proxy.url + path, "--pact-broker-base-url", proxy.url),
                *("--provider-command", PROVIDER, *READY),
                PACT_BROKER_USERNAME="user",
                PACT_BROKER_PASSWORD="password-of-the-test",
            )
        assert elsewhere.seen == []
    assert done.code == 3, done


def test_a_pact_url_off_the_broker_is_refused(tmp_path: Path, broker: EmbeddedBroker) -> None:
    with FaultyBroker(broker.url) as elsewhere:
        done = verify(
            tmp_path,
            *(elsewhere.url + "/pacts/x", "--provider-command", PROVIDER),
            *("--pact-broker-base-url", broker.url),
            PACT_BROKER_TOKEN="token-of-the-test",
        )
        assert elsewhere.seen == []
    assert done.code == 2, done
    assert "is not on the configured broker" in done.err


# Everything that was started is stopped.


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_stops_everything_it_started(tmp_path: Path, number: signal.Signals) -> None:
    file, pid_file = tmp_path / "pact.json", tmp_path / "grandchild"
    file.write_text(json.dumps(pact(interaction("never answered", "/hang"))), encoding="utf-8")
    command = f"{PROVIDER} --grandchild {pid_file}"
    process = start_verify(file, "--provider-command", command, *READY, "--request-timeout", 60, "-v")
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if line.startswith("Verifying"):
                break
        started = {child.pid for child in _children(process.pid)} | {
            int(pid_file.read_text(encoding="utf-8"))
        }
        process.send_signal(number)
        process.communicate(timeout=TIME_LIMIT)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130
    assert len(started) >= 3
    wait_until(lambda: not any(_runs(pid) for pid in started), "all have ended")


def test_a_finished_run_stops_everything_it_started(tmp_path: Path) -> None:
    file, pid_file = tmp_path / "pact.json", tmp_path / "grandchild"
    file.write_text(json.dumps(pact(*things(1))), encoding="utf-8")
    command = f"{PROVIDER} --grandchild {pid_file} --stubborn"
    done = verify(tmp_path, file, "--provider-command", command, *READY)
    assert done.code == 0, done
    wait_until(lambda: not _runs(int(pid_file.read_text(encoding="utf-8"))), "it has ended")


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except (ProcessLookupError, psutil.NoSuchProcess):
        return False
