"""What the world around a run does: proxies, gateways, plugins, secrets with line ends, closed pipes, signals."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.support.faulty_broker import Fault, FaultyBroker
from tests.support.loopback import Loopback, Received, Reply
from tests.support.pacts import interaction, pact, things
from tests.support.processes import TIME_LIMIT
from tests.support.receiver import wait_until
from tests.support.running import PROVIDER, READY, STATES, start_verify, verify
from tests.system.test_trustworthy import NO_MORE, RESULTS, nothing_published
from tests.system.test_verify import publishing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any

    from tests.support.processes import EmbeddedBroker

    Publish = Callable[..., str]


def pact_file(folder: Path, *interactions: dict[str, Any], **more: Any) -> Path:
    file = folder / "pact.json"
    file.write_text(json.dumps({**pact(*interactions), **more}), encoding="utf-8")
    return file


def test_a_proxy_is_not_asked_for_the_provider(tmp_path: Path) -> None:
    file = pact_file(tmp_path, interaction("with a state", "/things/1", state="fine"), *things(2))
    with Loopback(Reply(403, "no")) as proxy:
        variables = dict.fromkeys(("HTTP_PROXY", "http_proxy", "ALL_PROXY"), proxy.url)
        done = verify(
            tmp_path, file, "--provider-command", PROVIDER, *READY, *STATES, NO_PROXY="", **variables
        )
        assert proxy.received == []
    assert done.code == 0, done


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_gateway_in_front_of_nothing_is_not_a_broken_contract(tmp_path: Path, status: int) -> None:
    def answer(request: Received) -> Reply:
        return Reply(200 if request.path == "/health" else status, "the upstream is away")

    with Loopback(answer) as provider:
        done = verify(tmp_path, pact_file(tmp_path, *things(2)), "--provider-base-url", provider.url, *READY)
    assert done.code == 3, done
    assert "gateway" in done.out


def test_each_state_that_fails_is_its_own_interactions(tmp_path: Path) -> None:
    """The engine asks for a second state although the first failed: that failure is not the next interaction's."""

    def answer(request: Received) -> Reply:
        if request.method != "POST":
            return Reply(body={"id": 1})
        seen[request.json["state"]] = seen.get(request.json["state"], 0) + 1
        return Reply(503 if seen.get("second", 0) > 1 else 500, "refused")

    seen: dict[str, int] = {}
    both = [{"name": "first"}, {"name": "second"}]
    interactions = [
        interaction("refused twice", "/things/1", providerStates=both),
        interaction("away", "/things/1", state="second"),
    ]
    with Loopback(answer) as provider:
        states = ("--provider-states-setup-url", f"{provider.url}/_states")
        done = verify(
            tmp_path, pact_file(tmp_path, *interactions), "--provider-base-url", provider.url, *READY, *states
        )
    assert [i["outcome"] for i in done.report["interactions"]] == ["failed", "error"], done


def test_a_failed_teardown_is_a_failure_with_its_reason(tmp_path: Path) -> None:
    def answer(request: Received) -> Reply:
        if request.method == "POST" and request.json["action"] == "teardown":
            return Reply(500, "can't tidy up")
        return Reply(body={"id": 0})

    with Loopback(answer) as provider:
        states = ("--provider-states-setup-url", f"{provider.url}/_states", "--provider-states-teardown")
        done = verify(
            tmp_path, pact_file(tmp_path, *things(1)), "--provider-base-url", provider.url, *READY, *states
        )
    assert done.code == 1, done
    assert "can't tidy up" in done.report["interactions"][0]["reason"]


def test_states_without_a_handler_are_mentioned(tmp_path: Path) -> None:
    file = pact_file(tmp_path, interaction("with a state", "/things/1", state="fine"))
    done = verify(tmp_path, file, "--provider-command", PROVIDER, *READY)
    assert done.code == 0, done
    assert "nothing was given to set them up" in done.out


def test_messages_without_a_transport_are_a_mistake_of_the_command(tmp_path: Path) -> None:
    file = pact_file(tmp_path, messages=[{"description": "thing added", "contents": {"id": 1}}])
    done = verify(tmp_path, file, "--provider-command", PROVIDER, *READY)
    assert done.code == 2, done
    assert "--transport message:PORT/path" in done.err


def test_a_pact_does_not_install_a_plugin(tmp_path: Path) -> None:
    """The engine's core would download and run it; here nothing goes out."""
    metadata = {"pactSpecification": {"version": "4.0"}, "plugins": [{"name": "csv", "version": "0.0.6"}]}
    v4 = [{**one, "type": "Synchronous/HTTP"} for one in things(1)]
    with Loopback(Reply(403, "no")) as proxy:
        variables = dict.fromkeys(("HTTPS_PROXY", "HTTP_PROXY"), proxy.url)
        done = verify(
            tmp_path,
            *(pact_file(tmp_path, *v4, metadata=metadata), "--provider-command", PROVIDER, *READY),
            HOME=str(tmp_path),
            **variables,
        )
        assert proxy.received == []
    assert done.code == 3, done
    assert "plugin csv 0.0.6" in done.out


def test_a_secret_with_a_line_end_is_used_without_it(
    tmp_path: Path, broker: EmbeddedBroker, published: Publish
) -> None:
    path = published(pact(*things(1)))
    with FaultyBroker(broker.url) as proxy:
        arguments = (
            proxy.url + path,
            "--pact-broker-base-url",
            proxy.url,
            "--provider-command",
            PROVIDER,
            *READY,
        )
        done = verify(tmp_path, *arguments, PACT_BROKER_TOKEN="abcdef-secret\n")
        assert done.code == 0, done
        assert {seen.headers.get("Authorization") for seen in proxy.seen} == {"Bearer abcdef-secret"}
        unusable = verify(tmp_path, *arguments, PACT_BROKER_TOKEN="abc\ndef-secret")
    assert unusable.code == 2, unusable
    assert "def-secret" not in unusable.err + unusable.out


def test_nothing_in_a_pact_is_a_command_of_a_ci(tmp_path: Path) -> None:
    words = "::add-mask::a\n::error::b ##[add-mask]c ##vso[task.setvariable variable=x]d \x1b[2J"
    hostile = interaction(words, "/things/1", status=201, body={"id": words}, state=words)
    file = pact_file(tmp_path, hostile)
    for option in ("--json", "--junit", "--html"):
        with start_verify(file, "--provider-command", PROVIDER, *READY, "-v", option, "-") as process:
            out, err = process.communicate(timeout=TIME_LIMIT)
        assert process.returncode == 1
        for text in (out, err):
            assert not [line for line in text.splitlines() if line.lstrip().startswith("::")]
            assert "##[" not in text
            assert "##vso[" not in text
            assert "\x1b" not in text


# What is said of the broker is true.


def test_it_says_that_it_does_not_know_when_it_does_not(
    tmp_path: Path, broker: EmbeddedBroker, published: Publish
) -> None:
    path = published(pact(*things(1)))
    faults = (
        Fault("POST", RESULTS, 0, after=True, times=1),
        Fault("GET", "/verification-results/latest$|/matrix", 503, NO_MORE),
    )
    with FaultyBroker(broker.url, *faults) as proxy:
        done = verify(
            tmp_path, proxy.url + path, "--provider-command", PROVIDER, *READY, *publishing(proxy.url)
        )
    assert done.code == 4, done
    assert "is not known" in done.out
    assert "Nothing was recorded" not in done.out


def test_a_page_in_place_of_the_confirmation_does_not_hide_the_result(
    tmp_path: Path, broker: EmbeddedBroker, published: Publish
) -> None:
    path = published(pact(*things(1)))
    page = Fault("POST", RESULTS, 200, {"Content-Type": "text/html"}, "<html>", after=True)
    with FaultyBroker(broker.url, page) as proxy:
        done = verify(
            tmp_path, proxy.url + path, "--provider-command", PROVIDER, *READY, *publishing(proxy.url)
        )
    assert done.code == 0, done
    assert done.report["published"]["already_there"] is True


def test_what_was_recorded_before_a_refusal_is_said(
    tmp_path: Path, broker: EmbeddedBroker, published: Publish
) -> None:
    path = published(pact(*things(1)))
    with FaultyBroker(broker.url, Fault("POST", RESULTS, 403)) as proxy:
        done = verify(
            tmp_path,
            *(proxy.url + path, "--provider-command", PROVIDER, *READY),
            *publishing(proxy.url, "refused-1"),
            *("--provider-version-branch", "main"),
        )
    assert done.code == 4, done
    assert "The result was not recorded" in done.out
    assert "branch" in done.out
    assert nothing_published(broker, path)


# Signals.


def _alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGKILL])
def test_a_provider_does_not_outlive_its_run(tmp_path: Path, number: signal.Signals) -> None:
    grandchild = tmp_path / "grandchild"
    file = pact_file(tmp_path, interaction("never answered", "/hang"))
    command = f"{PROVIDER} --grandchild {grandchild} --stubborn"
    process = start_verify(file, "--provider-command", command, *READY, "--request-timeout", 60, "-v")
    try:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("Verifying"):
                break
        started = {child.pid for child in psutil.Process(process.pid).children(recursive=True)}
        process.send_signal(number)
        process.communicate(timeout=TIME_LIMIT)
    finally:
        process.kill()
        process.wait()
    assert len(started) >= 3
    wait_until(lambda: not any(map(_alive, started)), "all have ended")


def test_an_interruption_while_stopping_leaves_nothing_behind(tmp_path: Path) -> None:
    """The provider ignores SIGTERM, so stopping takes a while; Ctrl-C comes in the middle of that."""
    grandchild, reached = tmp_path / "grandchild", tmp_path / "report.json"
    file = pact_file(tmp_path, *things(1))
    command = f"{PROVIDER} --grandchild {grandchild} --stubborn"
    process = start_verify(file, "--provider-command", command, *READY, "-v", "--json", reached)
    try:
        assert process.stderr is not None
        for line in process.stderr:
            if "a request for thing 0" in line:
                break
        started = {child.pid for child in psutil.Process(process.pid).children(recursive=True)}
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=TIME_LIMIT)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130
    wait_until(lambda: not any(map(_alive, started)), "all have ended")


# Mistakes that must not end in the broker as a broken contract.


def test_a_states_url_that_is_not_there_is_not_a_broken_contract(
    tmp_path: Path, broker: EmbeddedBroker, published: Publish
) -> None:
    path = published(pact(interaction("with a state", "/things/1", state="fine"), *things(2)))
    with Loopback(
        lambda request: Reply(200 if request.method == "GET" else 404, "<html>no</html>")
    ) as provider:
        states = ("--provider-states-setup-url", f"{provider.url}/mistyped")
        arguments = (broker.url + path, "--provider-base-url", provider.url, *READY, *states)
        done = verify(tmp_path, *arguments, *publishing(broker.url))
    assert done.code == 3, done
    assert "is --provider-states-setup-url right?" in done.out
    assert nothing_published(broker, path)


def test_a_transport_that_the_pact_does_not_use_is_a_mistake(tmp_path: Path) -> None:
    file = pact_file(tmp_path, messages=[{"description": "thing added", "contents": {"id": 1}}])
    transport = ("--transport", "messages:{port}/_messages")
    done = verify(tmp_path, file, "--provider-command", PROVIDER, *READY, *transport)
    assert done.code == 2, done
    assert "message:PORT/path" in done.err


def test_states_at_another_port_than_the_provider_was_given_are_noted(tmp_path: Path) -> None:
    file = pact_file(tmp_path, interaction("with a state", "/things/1", state="fine"))
    with Loopback(Reply(200, {})) as elsewhere:
        states = ("--provider-states-setup-url", f"{elsewhere.url}/_states")
        done = verify(tmp_path, file, "--provider-command", PROVIDER, *READY, *states)
    assert done.code == 0, done
    assert "write {port} for its port" in done.out


def test_the_port_may_be_written_as_the_variable(tmp_path: Path) -> None:
    file = pact_file(tmp_path, interaction("with a state", "/things/1", state="fine"))
    states = ("--provider-states-setup-url", "http://127.0.0.1:$PORT/_states")
    done = verify(tmp_path, file, "--provider-command", PROVIDER, *READY, *states)
    assert done.code == 0, done
    assert "Note" not in done.out


def test_a_mistyped_option_is_guessed(tmp_path: Path) -> None:
    done = verify(tmp_path, "pact.json", "--provider-base-ulr", "http://127.0.0.1:1")
    assert done.code == 2
    assert "did you mean --provider-base-url?" in done.err


def test_a_suggestion_never_publishes(tmp_path: Path) -> None:
    done = verify(tmp_path, "pact.json", "--publish-verification-result")
    assert done.code == 2, done
    assert "did you mean" not in done.err


def test_the_folder_of_a_report_is_made(tmp_path: Path) -> None:
    report = tmp_path / "not" / "there" / "report.html"
    file = pact_file(tmp_path, *things(1))
    done = verify(tmp_path, file, "--provider-command", PROVIDER, *READY, "--html", report)
    assert done.code == 0, done
    assert report.exists()
