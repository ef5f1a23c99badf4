"""The options that `pact verifier` has, too: the same provider, asked by both."""

from __future__ import annotations

import json
import threading
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from tests.support.canaries import canary, found_in, traces
from tests.support.loopback import Loopback, Reply
from tests.support.pact_verifier import pact_verifier
from tests.support.pacts import BROKEN, interaction, pact
from tests.support.running import BIN, PROVIDER, scripted_provider, start_verify, verify

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.loopback import Received
    from tests.support.processes import EmbeddedBroker

    Publish = Callable[..., str]

HEALTH = ("--provider-health-path", "/health")


@pytest.fixture
def provider() -> Iterator[Loopback]:
    with Loopback(answer) as started:
        yield started


def answer(request: Received) -> Reply:
    return Reply(500 if request.path.startswith("/broken") else 200, {"path": request.path})


def targets(provider: Loopback) -> list[str]:
    """Take what was asked for since the last call, but for health checks."""
    found = [request.path for request in provider.received if request.path != "/health"]
    provider.received.clear()
    return found


def written(folder: Path, *interactions: dict[str, Any]) -> Path:
    file = folder / "pact.json"
    file.write_text(json.dumps(pact(*interactions)), encoding="utf-8")
    return file


STATES = (
    interaction("without", "/without"),
    interaction("with none", "/none", providerStates=[]),
    interaction("with one", "/one", state="there is one"),
    interaction("without a name", "/nameless", state=""),
)


@pytest.mark.parametrize(
    ("options", "variables", "chosen"),
    [
        (("--filter-no-state",), {}, ["/without", "/none"]),
        ((), {"PACT_PROVIDER_NO_STATE": "true"}, ["/without", "/none"]),
        ((), {"PACT_PROVIDER_NO_STATE": "false"}, ["/without", "/none", "/one", "/nameless"]),
        (("--filter-no-state", "--filter-description", "none"), {}, ["/none"]),
        (("--filter-state", "one"), {}, ["/one"]),
    ],
)
def test_filters_leave_what_those_of_pact_verifier_leave(
    options: tuple[str, ...],
    variables: dict[str, str],
    chosen: list[str],
    provider: Loopback,
    tmp_path: Path,
) -> None:
    file = written(tmp_path, *STATES)
    done = verify(tmp_path, file, "--provider-base-url", provider.url, *HEALTH, *options, **variables)
    assert done.code == 0, done
    assert targets(provider) == chosen
    theirs = pact_verifier(file, provider.url, *options, **variables)
    assert theirs.returncode == 0, theirs.stdout
    assert targets(provider) == chosen


def test_two_filters_by_state_that_contradict_each_other_are_refused(
    provider: Loopback, tmp_path: Path
) -> None:
    both = ("--filter-no-state", "--filter-state", "one")
    file = written(tmp_path, *STATES)
    done = verify(tmp_path, file, "--provider-base-url", provider.url, *both)
    assert done.code == pact_verifier(file, provider.url, *both).returncode == 2
    assert "--filter-state and --filter-no-state" in done.err
    assert not provider.received


def test_another_consumers_pact_is_no_green_run(provider: Loopback, tmp_path: Path) -> None:
    """`pact verifier` ends with 0 where it has verified nothing; here 0 means that every interaction passed."""
    file = written(tmp_path, *STATES)
    others = ("--filter-consumer", "Billing", "--filter-consumer", "Search")
    assert pact_verifier(file, provider.url, *others).returncode == 0
    done = verify(tmp_path, file, "--provider-base-url", provider.url, *others)
    assert done.code == 3, done
    assert not provider.received
    assert done.report["error"]["kind"] == "wrong-consumer"
    assert "of the consumer 'Storefront', which --filter-consumer leaves out" in done.out

    done = verify(
        tmp_path,
        file,
        "--provider-base-url",
        provider.url,
        *HEALTH,
        *others,
        "--filter-consumer",
        "Storefront",
    )
    assert done.code == 0, done
    assert len(done.report["interactions"]) == len(STATES)


@pytest.mark.parametrize("jobs", [1, 3])
def test_the_first_failure_ends_the_run(jobs: int, tmp_path: Path) -> None:
    thirty = [interaction(f"number {number}", f"/{number}") for number in range(30)]
    thirty[4] = interaction("one that fails", "/broken", state="refused by nobody")
    file = written(tmp_path, *thirty)
    has_failed = threading.Event()

    def answered(request: Received) -> Reply:
        """Let what comes after the failure wait until it is known, however the threads take turns."""
        is_later = request.path in {f"/{number}" for number in range(5, 30)}
        return replace(answer(request), after=has_failed if is_later else None)

    with Loopback(answered) as provider:
        options = ("--provider-base-url", provider.url, *HEALTH, "--exit-on-first-error", "--jobs", jobs)
        report = tmp_path / "report.json"
        with start_verify(file, *options, "--verbose", "--json", report) as process:
            assert process.stderr is not None
            assert process.stdout is not None
            for line in process.stderr:
                if "one that fails" in line:
                    has_failed.set()
            printed = process.stdout.read()
        assert process.returncode == 1, printed
        asked = targets(provider)
        found = json.loads(report.read_text(encoding="utf-8"))
        results = found["interactions"]
        assert len(results) == 30
        reached = [result for result in results if result["duration"] is not None]
        assert len(reached) == len(asked)
        assert 5 <= len(reached) <= 4 + jobs
        assert {result["outcome"] for result in reached} == {"passed", "failed"}
        assert {result["outcome"] for result in results if result not in reached} == {"error"}
        assert any(f"{30 - len(reached)} of 30 were not verified" in note for note in found["notes"]), found
        assert "not verified: the run had ended" in printed
        if jobs == 1:
            assert asked == ["/0", "/1", "/2", "/3", "/broken"]
            assert pact_verifier(file, provider.url, "--exit-on-first-error").returncode == 1
            assert targets(provider) == asked


def test_a_run_that_ended_early_is_published_as_a_failure_with_what_there_is(
    provider: Loopback, tmp_path: Path, broker: EmbeddedBroker, published: Publish
) -> None:
    path = published(pact(interaction("a", "/a"), interaction("b", "/broken"), interaction("c", "/c")))
    done = verify(
        tmp_path,
        *(broker.url + path, "--provider-base-url", provider.url, *HEALTH, "--exit-on-first-error"),
        *("--pact-broker-base-url", broker.url, "--publish-verification-results"),
        *("--provider-app-version", "abc1234"),
    )
    assert done.code == 1, done
    recorded = broker.get(done.report["published"]["url"]).json()
    assert recorded["success"] is False
    results = [(one["interactionDescription"], one["success"]) for one in recorded["testResults"]]
    assert results == [("a", True), ("b", False)]


def test_the_first_one_that_could_not_be_verified_ends_the_run_and_nothing_is_known(
    tmp_path: Path, broker: EmbeddedBroker, published: Publish
) -> None:
    path = published(pact(interaction("a", "/hang"), interaction("b", "/things/1"), BROKEN))
    done = verify(
        tmp_path,
        *(broker.url + path, "--provider-command", PROVIDER, *HEALTH, "--request-timeout", 0.3),
        *("--exit-on-first-error", "--pact-broker-base-url", broker.url, "--publish-verification-results"),
        *("--provider-app-version", "abc1234"),
    )
    assert done.code == 3, done
    error = done.report["error"]
    assert (error["kind"], error["retryable"]) == ("interactions-not-verified", True)
    assert "/hang" in error["message"] or "timed out" in error["message"]
    assert done.report["published"] is None
    assert [result["duration"] is None for result in done.report["interactions"]] == [False, True, True]


@pytest.mark.parametrize(
    ("options", "variables", "expected"),
    [
        ((), {}, (3, "states-not-set-up", None)),
        (("--publish-without-states",), {}, (1, None, False)),
        ((), {"PACT_BROKER_PUBLISH_WITHOUT_STATES": "true"}, (1, None, False)),
        (("--provider-states-setup-url", "http://127.0.0.1:{port}/_states"), {}, (1, None, False)),
    ],
)
def test_no_failure_is_published_where_nothing_set_its_states_up(
    tmp_path: Path,
    broker: EmbeddedBroker,
    published: Publish,
    options: tuple[str, ...],
    variables: dict[str, str],
    expected: tuple[int, str | None, bool | None],
) -> None:
    """`pact verifier` warns that the state change was ignored, and publishes the failure."""
    broken = {**BROKEN, "providerStates": [{"name": "a thing exists"}]}
    path = published(pact(interaction("a", "/things/1"), broken))
    done = verify(
        tmp_path,
        *(broker.url + path, "--provider-command", PROVIDER, *HEALTH, *options),
        *("--pact-broker-base-url", broker.url, "--publish-verification-results"),
        *("--provider-app-version", "abc1234"),
        **variables,
    )
    error, result = done.report["error"], done.report["published"]
    found = (done.code, error and error["kind"], result and result["success"])
    assert found == expected, done
    if error is not None:
        assert "1 interaction failed whose provider states nothing set up" in error["message"]
        assert "a thing exists" in error["message"]
        assert "--publish-without-states" in error["message"]
        assert (
            "1 interaction with provider states, and nothing sets them up" in done.err
        )  # before it is verified
        latest = broker.get(path).json()["_links"]["pb:latest-verification-results"]["href"]
        assert broker.get(latest.removeprefix(broker.url)).status_code == 404


def test_a_failure_without_states_is_published_where_nothing_sets_states_up(
    tmp_path: Path, broker: EmbeddedBroker, published: Publish
) -> None:
    fine = {**interaction("a", "/things/1"), "providerStates": [{"name": "a thing exists"}]}
    path = published(pact(fine, BROKEN))
    done = verify(
        tmp_path,
        *(broker.url + path, "--provider-command", PROVIDER, *HEALTH),
        *("--pact-broker-base-url", broker.url, "--publish-verification-results"),
        *("--provider-app-version", "abc1234"),
    )
    assert (done.code, done.report["published"]["success"]) == (1, False), done


def test_a_run_of_what_passes_goes_to_its_end(provider: Loopback, tmp_path: Path) -> None:
    v4 = {
        **pact(interaction("pending", "/broken", pending=True, type="Synchronous/HTTP")),
        "metadata": {"pactSpecification": {"version": "4.0"}},
    }
    v4["interactions"].append(interaction("after it", "/after", type="Synchronous/HTTP"))
    file = tmp_path / "pact.json"
    file.write_text(json.dumps(v4), encoding="utf-8")
    done = verify(tmp_path, file, "--provider-base-url", provider.url, *HEALTH, "--exit-on-first-error")
    assert done.code == 0, done
    assert targets(provider) == ["/broken", "/after"]
    assert not done.report["notes"]


def test_what_failed_is_verified_again_until_all_of_it_passes(provider: Loopback, tmp_path: Path) -> None:
    """With the option, `pact verifier` 1.3.5 asks for nothing and ends with 0."""
    broken = [interaction(f"broken {n}", f"/broken/{n}", custom=n) for n in range(2)]
    file = written(tmp_path, interaction("fine", "/fine"), *broken)

    def again(options: tuple[str, ...] = ()) -> tuple[int, list[str]]:
        command = (file, "--provider-base-url", provider.url, *HEALTH, "--last-failed", *options)
        done = verify(tmp_path, *command)
        return done.code, targets(provider)

    assert again() == (1, ["/fine", "/broken/0", "/broken/1"])  # there is no report yet
    assert again() == (1, ["/broken/0", "/broken/1"])
    assert again(("--filter-description", "broken 1")) == (1, ["/broken/1"])
    broken[1]["response"]["status"] = 500
    written(tmp_path, interaction("fine", "/fine"), *broken)
    assert again() == (0, ["/broken/1"])
    assert again() == (1, ["/fine", "/broken/0", "/broken/1"])  # nothing had failed


def test_what_was_not_verified_before_is_verified_again(provider: Loopback, tmp_path: Path) -> None:
    file = written(tmp_path, interaction("a", "/a"), interaction("b", "/broken"), interaction("c", "/c"))
    command = (file, "--provider-base-url", provider.url, *HEALTH)
    verify(tmp_path, *command, "--exit-on-first-error")
    assert targets(provider) == ["/a", "/broken"]
    verify(tmp_path, *command, "--last-failed")
    assert targets(provider) == ["/broken", "/c"]


def test_a_part_is_never_published(tmp_path: Path, broker: EmbeddedBroker, published: Publish) -> None:
    path = published(pact(interaction("a", "/a")))
    done = verify(
        tmp_path,
        *(broker.url + path, "--provider-command", PROVIDER, "--last-failed"),
        *("--pact-broker-base-url", broker.url, "--publish-verification-results"),
        *("--provider-app-version", "abc1234"),
    )
    assert done.code == 2, done
    assert "a filtered run is never published" in done.err
    assert "--last-failed" in done.err


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"nonsense", "is no JSON report of verify: is not JSON"),
        (b'{"result": true, "interactionResults": []}', "is no JSON report of verify"),
        (None, "is of the pact between Storefront and Others, and this one is between Storefront and Things"),
    ],
)
def test_a_report_of_something_else_is_refused(
    content: bytes | None, said: str, provider: Loopback, tmp_path: Path
) -> None:
    file = written(tmp_path, interaction("a", "/a"))
    command = ("--provider-base-url", provider.url, *HEALTH)
    if content is None:
        other = tmp_path / "other.json"
        other.write_text(json.dumps(pact(interaction("a", "/broken"), provider="Others")), encoding="utf-8")
        verify(tmp_path, other, *command)
    else:
        (tmp_path / "report.json").write_bytes(content)
    targets(provider)
    with start_verify(file, *command, "--last-failed", "--json", tmp_path / "report.json") as process:
        _, err = process.communicate(timeout=60)
    assert process.returncode == 2, err
    assert said in err
    assert not targets(provider)


def test_states_as_a_query_are_asked_for_as_pact_verifier_does(provider: Loopback, tmp_path: Path) -> None:
    params = {"id": 7, "name": "a b&é", "list": [1, {"x": None, "a": 1.50}], "none": None, "is": True, "": ""}
    states = [
        {"name": "été", "params": params},
        {"name": "another"},
        {"name": "odd", "params": {"state": "x", "action": "y"}},
    ]
    file = written(tmp_path, interaction("a", "/a", providerStates=states), interaction("b", "/b"))
    url = f"{provider.url}/_states?z=1"
    theirs = ("--state-change-url", url, "--state-change-as-query", "--state-change-teardown")
    assert pact_verifier(file, provider.url, *theirs).returncode == 0
    expected = [(one.method, one.path, one.body) for one in provider.received]
    assert len(expected) == 10
    command = (file, "--provider-base-url", provider.url, *HEALTH, "--provider-states-setup-url", url)
    for option, variables in (
        (("--state-change-as-query",), {}),
        ((), {"PACT_PROVIDER_STATE_CHANGE_AS_QUERY": "true"}),
    ):
        provider.received.clear()
        done = verify(tmp_path, *command, "--provider-states-teardown", *option, **variables)
        assert done.code == 0, done
        asked = [(one.method, one.path, one.body) for one in provider.received if one.path != "/health"]
        assert asked == expected


def test_headers_for_the_states_are_sent_there_alone_and_shown_nowhere(
    provider: Loopback, tmp_path: Path
) -> None:
    secret, of_the_provider = canary(), canary()
    command_lines: list[list[str]] = []

    def refuse(request: Received) -> Reply:
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                command_lines.append(process.cmdline())
        return Reply(500, {"error": f"I know {request.headers['authorization']} and {secret}"})

    file = written(tmp_path, interaction("a", "/a", state="one"), interaction("b", "/b"))
    with Loopback(refuse) as states:
        done = verify(
            tmp_path,
            *(file, "-v", "--provider-base-url", provider.url, *HEALTH),
            *("--provider-states-setup-url", f"{states.url}/_states"),
            *("--provider-states-header", f"Authorization: Bearer {secret}"),
            *("--custom-provider-header", f"X-Api-Key: {of_the_provider}"),
        )
    assert done.code == 1, done
    assert {request.headers["authorization"] for request in states.received} == {f"Bearer {secret}"}
    assert not any("x-api-key" in request.headers for request in states.received)
    assert not any("authorization" in one.headers for one in provider.received)
    shown = (done.out + done.err + json.dumps(done.report)).encode()
    assert found_in(shown, {"header": traces(secret), "other": traces(of_the_provider)}) == []
    with_secret = [line for line in command_lines if any(secret in word for word in line)]
    assert all("verifier.engine.child" not in line for line in with_secret)
    assert {line[1] for line in with_secret} == {str(BIN / "verify")}


def test_the_timeout_of_a_request_from_the_environment_is_that_of_pact_verifier(tmp_path: Path) -> None:
    file = written(tmp_path, interaction("a", "/hang"))
    with scripted_provider() as url:
        variables = {"PACT_PROVIDER_REQUEST_TIMEOUT": "300"}
        done = verify(tmp_path, file, "-v", "--provider-base-url", url, *HEALTH, **variables)
        assert done.code == 3, done
        assert "--request-timeout = 0.3  (from PACT_PROVIDER_REQUEST_TIMEOUT)" in done.err
        assert pact_verifier(file, url, **variables).returncode == 1


def test_the_log_of_the_core_is_kept_without_the_secrets(provider: Loopback, tmp_path: Path) -> None:
    secret = canary()
    file = written(tmp_path, interaction("a", "/a"), interaction("b", f"/broken/{secret}"))
    log = tmp_path / "logs" / "core.log"
    header = ("--custom-provider-header", f"Authorization: Bearer {secret}")
    command = (file, "--provider-base-url", provider.url, *HEALTH, *header, "--log-file", log)
    assert verify(tmp_path, *command).code == 1
    debug = log.read_bytes()
    assert b" DEBUG " in debug
    assert b"/broken/***" in debug
    assert found_in(debug, {"header": traces(secret)}) == []

    assert verify(tmp_path, *command, "--log-level", "info").code == 1
    info = log.read_bytes()
    assert b" INFO " in info
    assert b" DEBUG " not in info


def test_the_log_of_a_run_that_did_not_come_to_its_end_is_kept(tmp_path: Path) -> None:
    file = written(tmp_path, interaction("a", "/hang"))
    log = tmp_path / "core.log"
    with scripted_provider() as url:
        command = ("--provider-base-url", url, *HEALTH, "--timeout", 8, "--request-timeout", 60)
        done = verify(tmp_path, file, *command, "--log-file", log)
    assert done.report["error"]["kind"] == "timed-out", done
    assert "/hang" in log.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--log-level", "debug"), "--log-level is for the file that --log-file names"),
        (("--log-file", "x", "--log-level", "loud"), "--log-level: invalid choice: 'loud'"),
        (("--log-file", "-"), "--log-file: - is no file"),
        (("--log-file", "."), "--log-file: . is a folder"),
        (("--log-file", "/proc/x/y"), "--log-file: the folder /proc/x can't be made"),
    ],
)
def test_a_log_that_can_not_be_written_is_refused_before_anything_is_asked(
    options: tuple[str, ...], said: str, provider: Loopback, tmp_path: Path
) -> None:
    done = verify(tmp_path, written(tmp_path), "--provider-base-url", provider.url, *options)
    assert done.code == 2, done
    assert said in done.err
    assert not provider.received


def test_a_message_that_had_to_wait_for_anothers_answer_ends_the_run(tmp_path: Path) -> None:
    """That one is answered with 404 means something only once the path has answered another one."""
    messages = [{"description": name, "contents": {"name": name}} for name in ("missing", "there", "after")]
    document = {**pact(), "messages": messages}
    del document["interactions"]
    file = tmp_path / "pact.json"
    file.write_text(json.dumps(document), encoding="utf-8")

    def answer_message(request: Received) -> Reply:
        name = request.json["description"]
        return Reply(404) if name == "missing" else Reply(200, {"name": name})

    with Loopback(answer_message) as provider:
        transport = ("--transport", f"message:{provider.port}/_messages")
        done = verify(tmp_path, file, *transport, "--exit-on-first-error")
    assert done.code == 1, done
    assert [request.json["description"] for request in provider.received] == ["missing", "there"]
    assert [one["outcome"] for one in done.report["interactions"]] == ["failed", "passed", "error"]
