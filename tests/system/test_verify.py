"""`verify`, end to end: real processes, a real broker, a real provider."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
import requests
import trustme

from tests.support.faulty_broker import FaultyBroker
from tests.support.loopback import Loopback, Reply
from tests.support.pacts import BROKEN, interaction, pact, things
from tests.support.paths import ROOT
from tests.support.processes import TIME_LIMIT
from tests.support.running import (
    PROVIDER,
    READY,
    STATES,
    environment,
    scripted_provider,
    start_verify,
    verify,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.processes import EmbeddedBroker

    Publish = Callable[..., str]

SCHEMA = json.loads((ROOT / "verifier/report/verification.schema.json").read_text(encoding="utf-8"))


def publishing(broker_url: str, version: str = "abc1234") -> tuple[str, ...]:
    return (
        "--pact-broker-base-url",
        broker_url,
        "--publish-verification-results",
        "--provider-app-version",
        version,
    )


def test_a_passed_pact_is_published_and_confirmed(
    tmp_path: Path, broker: EmbeddedBroker, published: Publish
) -> None:
    path = published(pact(*things(3)))
    version = (
        "--provider-version-branch",
        "feat/x",
        "--provider-version-tag",
        "dev",
        "--build-url",
        "https://ci/1",
    )
    done = verify(
        tmp_path,
        *("--pact-url", broker.url + path, "--provider-command", PROVIDER, *READY),
        *publishing(broker.url),
        *version,
    )

    assert done.code == 0, done
    recorded = broker.get(done.report["published"]["url"]).json()
    assert recorded["success"] is True
    assert recorded["providerApplicationVersion"] == "abc1234"
    assert recorded["buildUrl"] == "https://ci/1"
    assert recorded["verifiedBy"]["implementation"] == "pact-dispatch"
    assert [result["success"] for result in recorded["testResults"]] == [True] * 3
    ids = [i["_id"] for i in broker.get(path).json()["interactions"]]
    assert [result["interactionId"] for result in recorded["testResults"]] == ids
    assert broker.get("/pacticipants/Things/branches/feat%2Fx/versions/abc1234").status_code == 200
    assert broker.get("/pacticipants/Things/versions/abc1234/tags/dev").status_code == 200
    assert done.report["published"]["url"] in done.out
    jsonschema.validate(done.report, SCHEMA)


def test_a_broken_contract_is_published_as_failed(
    tmp_path: Path, broker: EmbeddedBroker, published: Publish
) -> None:
    path = published(pact(*things(2), BROKEN))
    done = verify(
        tmp_path,
        *(broker.url + path, "--provider-command", PROVIDER, *READY),
        *publishing(broker.url, "abc1235"),
    )

    assert done.code == 1, done
    recorded = broker.get(done.report["published"]["url"]).json()
    assert recorded["success"] is False
    [failed] = [result for result in recorded["testResults"] if not result["success"]]
    assert failed["interactionDescription"] == "a request for a thing with a price"
    assert failed["mismatches"][0]["attribute"] == "body"
    assert "price" in failed["mismatches"][0]["description"]
    assert "$.price  expected a value  got nothing" in done.out
    jsonschema.validate(done.report, SCHEMA)


def test_a_file_is_a_dry_run(tmp_path: Path) -> None:
    file = tmp_path / "pact.json"
    file.write_text(json.dumps(pact(*things(2))), encoding="utf-8")
    done = verify(tmp_path, file, "--provider-command", PROVIDER, *READY)
    assert done.code == 0
    assert done.report["published"] is None


def test_every_report_is_written(tmp_path: Path) -> None:
    file = tmp_path / "pact.json"
    file.write_text(json.dumps(pact(*things(2), BROKEN)), encoding="utf-8")
    reports = ("--html", tmp_path / "report.html", "--junit", tmp_path / "report.xml")
    done = verify(tmp_path, file, "--provider-command", PROVIDER, *READY, *reports)
    assert done.code == 1
    assert "$.price" in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert 'failures="1"' in (tmp_path / "report.xml").read_text(encoding="utf-8")


def test_machine_output_on_standard_output_stands_alone(tmp_path: Path) -> None:
    file = tmp_path / "pact.json"
    file.write_text(json.dumps(pact(*things(1))), encoding="utf-8")
    with start_verify(file, "--provider-command", PROVIDER, *READY, "--json", "-") as process:
        out, err = process.communicate(timeout=60)
    assert json.loads(out)["outcome"] == "passed"
    assert "Passed: 1 interaction" in err


def test_states_are_set_up_by_url(tmp_path: Path) -> None:
    file = tmp_path / "pact.json"
    states = [interaction("with a state", "/things/1", state="fine"), *things(1)]
    file.write_text(json.dumps(pact(*states)), encoding="utf-8")
    done = verify(
        tmp_path, file, "--provider-command", PROVIDER, *READY, *STATES, "--provider-states-teardown"
    )
    assert done.code == 0, done


def test_a_refused_state_is_a_failure_with_its_reason_at_once(tmp_path: Path) -> None:
    file = tmp_path / "pact.json"
    file.write_text(
        json.dumps(pact(interaction("with a state", "/things/1", state="refused"))), encoding="utf-8"
    )
    with Loopback(
        lambda request: Reply(500 if request.method == "POST" else 200, {"error": "no such state here"})
    ) as provider:
        states = ("--provider-states-setup-url", f"{provider.url}/_states")
        done = verify(tmp_path, file, "--provider-base-url", provider.url, *READY, *states)
        asked = [request.path for request in provider.received if request.method == "POST"]
    assert done.code == 1, done
    assert done.report["interactions"][0]["outcome"] == "failed"
    assert "no such state here" in done.report["interactions"][0]["reason"]
    assert asked == ["/_states"]  # the engine's core alone asks again and again, for 127 s


def test_states_are_set_up_in_python(tmp_path: Path) -> None:
    (tmp_path / "shelf.py").write_text("SEEN = []\n", encoding="utf-8")
    handlers = """
import shelf
from pathlib import Path

def remember(action, parameters):
    shelf.SEEN.append((action, parameters))
    Path(__file__).with_name("seen.txt").write_text(repr(shelf.SEEN))
    print("handlers may print")

handlers = {"a thing exists": remember}
"""
    (tmp_path / "states.py").write_text(handlers, encoding="utf-8")
    file = tmp_path / "pact.json"
    states = [
        interaction("known", "/things/1", providerStates=[{"name": "a thing exists", "params": {"id": 1}}]),
        interaction("unknown", "/things/1", state="never heard of"),
    ]
    file.write_text(json.dumps(pact(*states)), encoding="utf-8")
    python_states = ("--provider-states", f"{tmp_path / 'states.py'}:handlers")
    done = verify(tmp_path, file, "--provider-command", PROVIDER, *READY, *python_states)
    assert [i["outcome"] for i in done.report["interactions"]] == ["passed", "failed"], done
    assert "no handler for state" in done.report["interactions"][1]["reason"]
    assert (tmp_path / "seen.txt").read_text(encoding="utf-8") == "[('setup', {'id': 1})]"


def test_messages_are_asked_for_over_their_transport(tmp_path: Path) -> None:
    file = tmp_path / "pact.json"
    message = {"description": "thing added", "contents": {"id": 1, "name": "thing added"}}
    broken = {"description": "thing removed", "contents": {"id": 2}}
    document = pact()
    del document["interactions"]
    file.write_text(json.dumps({**document, "messages": [message, broken]}), encoding="utf-8")
    transport = ("--transport", "message:{port}/_messages")
    done = verify(tmp_path, file, "--provider-command", PROVIDER, *READY, *transport)
    assert [i["outcome"] for i in done.report["interactions"]] == ["passed", "failed"], done


def test_a_filtered_run_verifies_only_what_was_chosen(tmp_path: Path) -> None:
    file = tmp_path / "pact.json"
    file.write_text(json.dumps(pact(*things(3), BROKEN)), encoding="utf-8")
    done = verify(
        tmp_path, file, "--provider-command", PROVIDER, *READY, "--filter-description", "thing [12]$"
    )
    assert done.code == 0, done
    assert [i["description"] for i in done.report["interactions"]] == [
        "a request for thing 1",
        "a request for thing 2",
    ]


def test_several_jobs_verify_every_interaction_once(tmp_path: Path) -> None:
    file = tmp_path / "pact.json"
    file.write_text(json.dumps(pact(*things(60), BROKEN)), encoding="utf-8")
    done = verify(tmp_path, file, "--provider-command", PROVIDER, *READY, "--jobs", 4)
    assert done.code == 1, done
    assert [i["index"] for i in done.report["interactions"]] == list(range(61))
    assert [i["outcome"] for i in done.report["interactions"]] == ["passed"] * 60 + ["failed"]


def test_a_workflow_takes_everything_from_the_event(
    tmp_path: Path, broker: EmbeddedBroker, published: Publish
) -> None:
    path = published(pact(*things(1)))
    sha = "0123456789abcdef0123456789abcdef01234567"
    payload = {"pact_url": broker.url + path, "sha": sha, "branch": "main"}
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"action": "pact_changed", "client_payload": payload}), encoding="utf-8")
    done = verify(
        tmp_path,
        *("--provider-dir", tmp_path, "-v", *READY),
        PACT_BROKER_BASE_URL=broker.url,
        PACT_BROKER_PUBLISH_VERIFICATION_RESULTS="true",
        PACT_PROVIDER_COMMAND=PROVIDER,
        GITHUB_ACTIONS="true",
        GITHUB_EVENT_NAME="repository_dispatch",
        GITHUB_EVENT_PATH=str(event),
        GITHUB_SHA="f" * 40,
        GITHUB_SERVER_URL="https://github.example.org",
        GITHUB_REPOSITORY="acme/things",
        GITHUB_RUN_ID="17",
    )
    assert done.code == 0, done
    assert done.report["provider_version"] == sha
    assert done.report["build_url"] == "https://github.example.org/acme/things/actions/runs/17"
    assert broker.get(f"/pacticipants/Things/branches/main/versions/{sha}").status_code == 200
    assert "--pact-url = " in done.err
    assert "(from client_payload.pact_url of the GitHub event)" in done.err


def test_a_broker_under_a_base_path_with_its_own_authority(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, published: Publish, broker: EmbeddedBroker
) -> None:
    path = published(pact(*things(1)))
    authority = trustme.CA()
    context = _server_context(authority)
    bundle = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))

    def rewrite(content: bytes) -> bytes:
        return content.replace(
            f"http://localhost:{proxy.url.split(':')[2].split('/')[0]}".encode(), proxy.url.encode()
        )

    with FaultyBroker(broker.url, prefix="/pact-broker", context=context, rewrite=rewrite) as proxy:
        untrusted = verify(tmp_path, proxy.url + path, "--provider-command", PROVIDER, *READY)
        assert untrusted.code == 3
        assert "REQUESTS_CA_BUNDLE" in untrusted.out
        done = verify(
            tmp_path,
            *(proxy.url + path, "--provider-command", PROVIDER, *READY),
            *publishing(proxy.url, "abc1236"),
            REQUESTS_CA_BUNDLE=str(bundle),
        )
    assert done.code == 0, done
    assert done.report["published"]["url"].startswith(proxy.url + "/pacts/")


@pytest.mark.parametrize("seconds", [0, 1.1])
def test_a_provider_that_redirects_to_https_is_verified_with_the_systems_authorities(
    tmp_path: Path, seconds: float
) -> None:
    authority = trustme.CA()
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    file = tmp_path / "pact.json"
    redirected = interaction("redirected", "/redirect", body={"id": 1})
    file.write_text(json.dumps(pact(redirected, *things(0 if seconds else 2))), encoding="utf-8")
    with (
        scripted_provider() as secure_upstream,
        FaultyBroker(secure_upstream, context=_server_context(authority)) as secure,
        scripted_provider("--redirect-to", secure.url, "--takes", str(seconds)) as provider,
    ):
        done = verify(
            tmp_path,
            file,
            "--provider-base-url",
            provider,
            *READY,
            SSL_CERT_FILE=str(bundle),
            SSL_CERT_DIR="",
        )
    assert done.code == 0, done
    assert "redirects to https" in done.out


def _server_context(authority: trustme.CA) -> Any:
    import ssl  # noqa: PLC0415

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    return context


def test_saved_and_published_later_by_another_process(
    tmp_path: Path, broker: EmbeddedBroker, published: Publish
) -> None:
    path = published(pact(*things(2)))
    version = ("--provider-app-version", "later-1")
    done = verify(tmp_path, broker.url + path, "--provider-command", PROVIDER, *READY, *version)
    assert done.report["published"] is None
    later = (
        "import json, sys\n"
        "from verifier import BrokerAccess, Verification, publish\n"
        "verification = Verification.from_dict(json.load(open(sys.argv[1])))\n"
        "print(publish(verification, BrokerAccess(sys.argv[2])).url)\n"
    )
    command = [sys.executable, "-c", later, str(tmp_path / "report.json"), broker.url]
    url = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    assert requests.get(url, timeout=TIME_LIMIT).json()["providerApplicationVersion"] == "later-1"


def test_a_terminal_gets_a_bar_and_colours(tmp_path: Path) -> None:
    file = tmp_path / "pact.json"
    file.write_text(json.dumps(pact(*things(30))), encoding="utf-8")
    program = (
        "import pty, sys, os\nstatus = pty.spawn(sys.argv[1:])\nsys.exit(os.waitstatus_to_exitcode(status))\n"
    )
    verify_command = [
        str(Path(sys.executable).parent / "verify"),
        str(file),
        "--provider-command",
        PROVIDER,
        *READY,
    ]
    done = subprocess.run(
        [sys.executable, "-c", program, *verify_command],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=environment(TERM="xterm-256color", COLUMNS="200"),
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done
    assert "\x1b[" in done.stdout
    assert "━" in done.stdout
    assert "30/30" in done.stdout
