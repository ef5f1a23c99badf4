"""`verify` of every pact that the broker asks for, with real processes against the embedded broker."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from referencing import Registry, Resource

from tests.support.faulty_broker import Fault, FaultyBroker
from tests.support.pacts import BROKEN, interaction, pact, things
from tests.support.paths import ROOT
from tests.support.processes import EmbeddedBroker
from tests.support.running import BIN, PROVIDER, READY, environment, scripted_provider, start_verify, verify

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.running import Done

REPORTS = ROOT / "verifier" / "report"
ONE, MANY = (
    json.loads(file.read_text(encoding="utf-8"))
    for file in (REPORTS / "verification.schema.json", REPORTS / "many" / "verifications.schema.json")
)
SCHEMA = jsonschema.Draft202012Validator(
    MANY, registry=Registry().with_resource(ONE["$id"], Resource.from_contents(ONE))
)
VERSION = ("--provider-app-version", "abc123", "--provider-version-branch", "main")
PUBLISH = ("--publish-verification-results",)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[EmbeddedBroker]:
    folder = tmp_path / "broker"
    folder.mkdir()
    with EmbeddedBroker(folder) as started:
        yield started


def publish(
    broker: EmbeddedBroker,
    consumer: str,
    *interactions: dict[str, Any],
    version: str = "1",
    branch: str = "main",
) -> None:
    """Publish a pact; `main` is a consumer's main branch without being said to be."""
    broker.publish(pact(*interactions, consumer=consumer), version, branch=branch)


def run(folder: Path, broker: str, *options: object, provider: str = PROVIDER, **variables: str) -> Done:
    """Verify what a broker asks for; the report is checked."""
    where = ("--provider", "Things", "--pact-broker-base-url", broker)
    done = verify(folder, *where, "--provider-command", provider, *READY, *VERSION, *options, **variables)
    if done.report:
        SCHEMA.validate(done.report)
        assert done.report["exit_code"] == done.code, done
    return done


def ends(done: Done) -> dict[str, tuple[str, bool]]:
    """Return how each pact ended, by its consumer: the outcome, and whether it was published."""
    return {
        one["consumer"]: (one["outcome"], one["published"] is not None)
        for one in done.report["verifications"]
    }


def result_of(broker: EmbeddedBroker, consumer: str) -> bool | None:
    """Return what the broker has for a consumer's latest pact; None if it has nothing."""
    answer = broker.get(f"/pacts/provider/Things/consumer/{consumer}/latest")
    link = answer.json()["_links"]["pb:latest-verification-results"]["href"]
    found = broker.get(link)
    return found.json()["success"] if found.ok else None


def can_i_deploy(broker: EmbeddedBroker, to: str) -> bool:
    """Return what the official client says of the provider's version."""
    about = ("--pacticipant", "Things", "--version", "abc123", "--to-environment", to)
    done = subprocess.run(
        [str(BIN / "pact"), "broker", "can-i-deploy", *about, "--broker-base-url", broker.url],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=environment(),
    )
    return done.returncode == 0


def deployed_to(broker: EmbeddedBroker, name: str, *consumers: str) -> None:
    """Record that version 1 of consumers is deployed to a new environment."""
    made = broker.request("POST", "/environments", json={"name": name, "production": True}).json()
    for consumer in consumers:
        path = f"/pacticipants/{consumer}/versions/1/deployed-versions/environment/{made['uuid']}"
        assert broker.request("POST", path, json={}).ok


def test_all_pacts_are_verified_with_one_start_of_the_provider_and_published(
    tmp_path: Path, broker: EmbeddedBroker
) -> None:
    for number, consumer in enumerate(("First", "Second", "Third"), start=1):
        publish(broker, consumer, *things(number))
    publish(broker, "Elsewhere", *things(4), branch="feature")
    deployed_to(broker, "production", "First", "Second")
    starts = tmp_path / "starts"
    counted = tmp_path / "provider.sh"
    counted.write_text(f"#!/bin/sh\necho start >> {starts}\nexec {PROVIDER.replace('{port}', '$PORT')}\n")
    counted.chmod(0o755)
    done = run(tmp_path, broker.url, *PUBLISH, provider=str(counted))
    assert done.code == 0, done
    assert ends(done) == dict.fromkeys(("First", "Second", "Third"), ("passed", True))
    assert starts.read_text() == "start\n"
    assert [result_of(broker, name) for name in ("First", "Second", "Third")] == [True] * 3
    assert "Passed: 3 pacts in" in done.out
    assert "Published, and confirmed by the broker: 3 of 3 results" in done.out
    assert (
        "the latest version from the main branch" in done.out
        or "latest version from the main branch" in done.out
    )
    assert "Can Things abc123 be deployed? production: yes" in done.out
    assert can_i_deploy(broker, "production")


def test_a_broken_contract_is_shown_last_and_blocks_where_its_consumer_is_deployed(
    tmp_path: Path, broker: EmbeddedBroker
) -> None:
    publish(broker, "Broken", *things(2), BROKEN)
    publish(broker, "Kept", *things(1))
    deployed_to(broker, "production", "Broken")
    deployed_to(broker, "staging", "Kept")
    html, junit = tmp_path / "report.html", tmp_path / "report.xml"
    done = run(tmp_path, broker.url, *PUBLISH, "--html", html, "--junit", junit)
    assert done.code == 1, done
    assert ends(done) == {"Broken": ("failed", True), "Kept": ("passed", True)}
    assert result_of(broker, "Broken") is False
    assert done.out.index("Kept 1") < done.out.index("Broken 1") < done.out.index("Failed: 1 of 2 pacts")
    assert "production: no, blocked by Broken 1 (failed); staging: yes" in done.out
    assert (can_i_deploy(broker, "production"), can_i_deploy(broker, "staging")) == (False, True)
    assert html.read_text().index("Overview") < html.read_text().index("a request for a thing with a price")
    assert junit.read_text().count("<testsuite ") == 2
    assert '<testsuites name="Pacts with Things" tests="4" failures="1" errors="0"' in junit.read_text()


def test_a_pending_pact_that_fails_is_published_and_does_not_fail_the_run(
    tmp_path: Path, broker: EmbeddedBroker
) -> None:
    publish(broker, "Failing", BROKEN)
    publish(broker, "Passing", *things(1))
    junit = tmp_path / "report.xml"
    done = run(tmp_path, broker.url, *PUBLISH, "--enable-pending", "--junit", junit)
    assert done.code == 0, done
    assert ends(done) == {"Failing": ("failed", True), "Passing": ("passed", True)}
    assert result_of(broker, "Failing") is False
    assert "Passed: 2 pacts, 1 of them pending and failing" in done.out
    assert "This pact is in pending state for this version of Things" in done.out
    assert "This pact is still in pending state for any version of Things" in done.out
    assert "This pact is no longer in pending state for any version of Things" in done.out
    assert 'failures="0" errors="0" skipped="1"' in junit.read_text()
    assert run(tmp_path, broker.url, *PUBLISH).code == 1, "without --enable-pending it counts"


def test_a_pact_that_was_fulfilled_once_is_pending_no_more(tmp_path: Path, broker: EmbeddedBroker) -> None:
    publish(broker, "Storefront", *things(2))
    pending = [run(tmp_path, broker.url, *PUBLISH, "--enable-pending") for _ in range(2)]
    assert [done.report["verifications"][0]["pending"] for done in pending] == [True, False]
    assert (
        run(tmp_path, broker.url, *PUBLISH, "--enable-pending", provider=f"{PROVIDER} --die-after 0").code
        == 3
    )


def test_work_in_progress_is_verified_and_said_to_be_that(tmp_path: Path, broker: EmbeddedBroker) -> None:
    publish(broker, "Main", *things(1))
    publish(broker, "Feature", BROKEN, branch="feature")
    wip = ("--enable-pending", "--include-wip-pacts-since", "2020-01-01")
    done = run(tmp_path, broker.url, *PUBLISH, *wip)
    assert done.code == 0, done
    assert ends(done) == {"Main": ("passed", True), "Feature": ("failed", True)}
    assert "(work in progress, so it does not count)" in done.out
    assert "is a 'work in progress' pact" in done.out
    assert ends(run(tmp_path, broker.url, *PUBLISH, *wip[:2], "2099-01-01")).keys() == {"Main"}


@pytest.mark.parametrize(
    ("options", "variables", "consumers"),
    [
        (("--consumer-version-selectors", '{"branch": "feature"}'), {}, {"Feature"}),
        (
            (
                *("--consumer-version-selectors", '{"branch": "feature"}'),
                *("--consumer-version-selectors", '{"mainBranch": true}'),
            ),
            {},
            {"Main", "Feature"},
        ),
        ((), {"PACT_CONSUMER_VERSION_SELECTORS": '[{"branch": "feature"}, {"mainBranch": true}]'}, {"Main", "Feature"}),
        (("--consumer-version-tags", "dev,test"), {}, {"Tagged"}),
        ((), {"PACT_CONSUMER_VERSION_TAGS": "dev"}, {"Tagged"}),
        (("--provider-version-branch", "feature"), {}, {"Main", "Feature"}),
        (("--consumer-version-selectors", '{"latest": true}', "--filter-consumer", "Tagged"), {}, {"Tagged"}),
    ],
)  # fmt: skip
def test_selectors_choose_the_pacts(
    tmp_path: Path,
    broker: EmbeddedBroker,
    options: tuple[str, ...],
    variables: dict[str, str],
    consumers: set[str],
) -> None:
    publish(broker, "Main", *things(1))
    publish(broker, "Feature", *things(2), branch="feature")
    broker.publish(pact(*things(3), consumer="Tagged"), "1", branch="other", tags=("dev",))
    done = run(tmp_path, broker.url, *options, **variables)
    assert (done.code, set(ends(done))) == (0, consumers), done


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--consumer-version-selectors", '{"mainbranch": true}'), "has no key 'mainbranch'; did you mean mainBranch?"),
        (("--consumer-version-selectors", '{"environment": "nope"}'), "environment with name 'nope' does not exist"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_the_question_is_exit_2(
    tmp_path: Path, broker: EmbeddedBroker, options: tuple[str, ...], problem: str
) -> None:
    publish(broker, "Main", *things(1))
    done = run(tmp_path, broker.url, *options)
    assert (done.code, done.report) == (2, {}), done
    assert problem in done.err


@pytest.mark.parametrize(
    ("variables", "problem"),
    [
        (
            {"GITHUB_EVENT_NAME": "repository_dispatch", "EVENT": '{"client_payload": {"pact_url": ""}}'},
            "has no client_payload.pact_url",
        ),
    ],
)
def test_a_pact_that_was_to_be_named_and_is_not_does_not_mean_every_pact(
    tmp_path: Path, broker: EmbeddedBroker, variables: dict[str, str], problem: str
) -> None:
    publish(broker, "Main", *things(1))
    if text := variables.get("EVENT"):
        event = tmp_path / "event.json"
        event.write_text(text, encoding="utf-8")
        variables = {**variables, "GITHUB_EVENT_PATH": str(event)}
    done = run(tmp_path, broker.url, *PUBLISH, **variables)
    assert (done.code, done.report) == (2, {}), done
    assert problem in done.err
    assert result_of(broker, "Main") is None


@pytest.mark.parametrize("known", [True, False])
def test_no_pacts_are_an_error_unless_that_is_expected(
    tmp_path: Path, broker: EmbeddedBroker, *, known: bool
) -> None:
    if known:
        publish(broker, "Feature", *things(1), branch="feature")
    done = run(tmp_path, broker.url)
    assert (done.code, done.report["error"]["kind"]) == (3, "no-pacts"), done
    assert "there is no pact to verify" in done.out
    assert ("has no provider 'Things'" in done.out) is not known
    done = run(tmp_path, broker.url, "--ignore-no-pacts-error")
    assert (done.code, done.report["outcome"]) == (0, "passed"), done
    assert "No pacts to verify" in done.out


def test_one_pact_that_can_not_be_fetched_leaves_the_others(tmp_path: Path, broker: EmbeddedBroker) -> None:
    for consumer in ("First", "Gone", "Last"):
        publish(broker, consumer, *things(len(consumer)))
    gone = Fault("GET", "/consumer/Gone/.*/metadata/", status=404)
    with FaultyBroker(broker.url, gone, rewrite=lambda text: text) as faulty:
        faulty.rewrite = lambda text: text.replace(broker.url.encode(), faulty.url.encode())
        done = run(tmp_path, faulty.url, *PUBLISH)
    assert done.code == 3, done
    assert ends(done) == {"First": ("passed", True), "Gone": ("error", False), "Last": ("passed", True)}
    [error] = [one["error"]["kind"] for one in done.report["verifications"] if one["error"]]
    assert error == "pact-unavailable"
    assert "Could not verify: 1 of 3 pacts" in done.out
    assert [result_of(broker, name) for name in ("First", "Gone", "Last")] == [True, None, True]


@pytest.mark.parametrize("broken", [False, True])
def test_a_result_that_the_broker_refuses_leaves_the_others(
    tmp_path: Path, broker: EmbeddedBroker, *, broken: bool
) -> None:
    publish(broker, "First", *things(1))
    publish(broker, "Refused", *things(2))
    publish(broker, "Last", *things(3), *([BROKEN] if broken else []))
    refused = Fault("POST", "/consumer/Refused/.*/verification-results", status=403)
    with FaultyBroker(broker.url, refused) as faulty:
        faulty.rewrite = lambda text: text.replace(broker.url.encode(), faulty.url.encode())
        done = run(tmp_path, faulty.url, *PUBLISH)
        branches = faulty.count("PUT", "/branches/main/versions/abc123")
    assert done.code == (1 if broken else 4), done
    last = ("failed" if broken else "passed", True)
    assert ends(done) == {"First": ("passed", True), "Refused": ("passed", False), "Last": last}
    assert "confirmed by the broker: 2 of 3 results" in done.out
    assert re.search(
        r"^Refused 1: Not published: the broker did not accept the result: .*403", done.out, re.MULTILINE
    )
    assert [result_of(broker, name) for name in ("First", "Refused", "Last")] == [True, None, not broken]
    assert branches == 1, "the version is recorded once in a run"


def test_a_provider_that_dies_half_way_leaves_what_was_finished(
    tmp_path: Path, broker: EmbeddedBroker
) -> None:
    for number, consumer in enumerate(("First", "Second", "Third"), start=2):
        publish(broker, consumer, *things(number))
    done = run(tmp_path, broker.url, *PUBLISH, provider=f"{PROVIDER} --die-after 5")
    assert done.code == 3, done
    results = [ends(done)[name] for name in ("First", "Second", "Third")]
    assert results.count(("passed", True)) == sum(
        result_of(broker, name) is True for name in ("First", "Second", "Third")
    )
    assert 1 <= results.count(("passed", True)) <= 2
    kinds = {one["error"]["kind"] for one in done.report["verifications"] if one["error"]}
    assert kinds <= {"provider-died", "interactions-not-verified", "provider-not-ready"}
    assert "fatal: out of memory" in done.out


def test_a_running_provider_that_is_away_ends_the_run_at_once(tmp_path: Path, broker: EmbeddedBroker) -> None:
    for number in range(1, 4):
        publish(broker, f"Consumer{number}", *things(number))
    away = ("--provider-base-url", "http://127.0.0.1:1", "--wait", "0.2")
    where = ("--provider", "Things", "--pact-broker-base-url", broker.url)
    done = verify(tmp_path, *where, *away, *VERSION, *PUBLISH)
    assert done.code == 3, done
    assert [one["error"]["kind"] for one in done.report["verifications"]] == ["provider-not-ready"] * 3


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_has_published_what_was_finished(
    tmp_path: Path, broker: EmbeddedBroker, number: int
) -> None:
    publish(broker, "Quick", *things(1))
    publish(broker, "Endless", interaction("no answer", "/hang"))
    notes = tmp_path / "notes"
    report = tmp_path / "report.json"
    where = ("--provider", "Things", "--pact-broker-base-url", broker.url, "--json", report)
    provider = ("--provider-command", f"{PROVIDER} --notes {notes}", *READY, "--request-timeout", "60")
    with start_verify(*where, *provider, *VERSION, *PUBLISH) as process:
        end = time.monotonic() + 60
        while "/hang" not in (notes.read_text() if notes.exists() else ""):
            assert time.monotonic() < end
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130, (out, err)
    found = json.loads(report.read_text(encoding="utf-8"))
    SCHEMA.validate(found)
    assert found["interrupted"]
    finished = {one["consumer"]: one["published"] is not None for one in found["verifications"]}
    assert finished == ({"Quick": True} if result_of(broker, "Quick") else {})
    assert f"Interrupted: {len(finished)} of 2 pacts were verified" in out
    assert result_of(broker, "Endless") is None


def test_the_same_content_of_several_versions_is_verified_once(
    tmp_path: Path, broker: EmbeddedBroker
) -> None:
    for version, branch in (("1", "main"), ("2", "feature"), ("3", "other")):
        publish(broker, "Storefront", *things(2), version=version, branch=branch)
    selectors = [f'{{"branch": "{name}"}}' for name in ("main", "feature", "other")]
    done = run(tmp_path, broker.url, *(f"--consumer-version-selectors={one}" for one in selectors))
    assert len(done.report["verifications"]) == 1, done
    base = f"{broker.url}/pacts/provider/Things/consumer/Storefront/version"
    notes = tmp_path / "notes"
    done = verify(
        tmp_path,
        *(f"--pact-url={base}/{version}" for version in (1, 2, 3)),
        *("--pact-broker-base-url", broker.url, "--provider-command", f"{PROVIDER} --notes {notes}"),
        *READY,
    )
    assert (done.code, len(done.report["verifications"])) == (0, 1), done
    assert notes.read_text().count("begin") == 2
    assert done.out.count("which was verified: its result is that of both") == 2


def test_files_and_folders_are_verified_in_one_run(tmp_path: Path) -> None:
    folder = tmp_path / "pacts"
    (folder / "more").mkdir(parents=True)
    for file, consumer in (("a.json", "A"), ("more/b.json", "B"), ("notes.txt", "no pact")):
        (folder / file).write_text(json.dumps(pact(*things(1), consumer=consumer)), encoding="utf-8")
    other = tmp_path / "other.json"
    other.write_text(json.dumps(pact(BROKEN, consumer="C")), encoding="utf-8")
    with scripted_provider() as url:
        done = verify(tmp_path, folder, other, "--provider-base-url", url, *READY)
        assert done.code == 1, done
        SCHEMA.validate(done.report)
        assert [one["consumer"] for one in done.report["verifications"]] == ["A", "B", "C"]
        assert "Not published: --publish-verification-results was not given" in done.out
        done = verify(tmp_path, folder, other, "--provider-base-url", url, *READY, "--exit-on-first-error")
        assert done.code == 1
        chosen = verify(tmp_path, folder, other, "--provider-base-url", url, *READY, "--filter-consumer", "B")
        assert [one["consumer"] for one in chosen.report["verifications"]] == ["B"]
        other = folder / "more" / "other-provider.json"
        other.write_text(json.dumps(pact(BROKEN, provider="Others")), encoding="utf-8")
        done = verify(tmp_path, folder, "--provider", "Things", "--provider-base-url", url, *READY)
        assert (done.code, [one["consumer"] for one in done.report["verifications"]]) == (0, ["A", "B"]), done
        assert "other-provider.json: the pact is for the provider 'Others'" in done.out
        done = verify(tmp_path, folder, "--provider", "Nobody", "--provider-base-url", url, *READY)
        assert (done.code, done.report["error"]["kind"]) == (3, "no-pacts"), done
        empty = tmp_path / "empty"
        empty.mkdir()
        done = verify(tmp_path, empty, "--provider-base-url", url, *READY)
        assert (done.code, "there is no *.json file" in done.err) == (2, True)


def test_what_one_pact_of_many_needs_and_the_run_lacks_does_not_end_it(tmp_path: Path) -> None:
    message = {"description": "a message", "contents": {"id": 1}}
    first, second = tmp_path / "1.json", tmp_path / "2.json"
    first.write_text(json.dumps({**pact(consumer="Messages"), "messages": [message]}), encoding="utf-8")
    second.write_text(json.dumps(pact(*things(1), consumer="Http")), encoding="utf-8")
    with scripted_provider() as url:
        done = verify(tmp_path, first, second, "--provider-base-url", url, *READY)
    assert done.code == 3, done
    assert [(one["consumer"], one["outcome"]) for one in done.report["verifications"]] == [
        ("Messages", "error"),
        ("Http", "passed"),
    ]
    assert done.report["verifications"][0]["error"]["kind"] == "not-for-this-run"


def test_github_is_told_of_each_pact(tmp_path: Path, broker: EmbeddedBroker) -> None:
    publish(broker, "Kept", *things(1))
    publish(broker, "Broken", BROKEN)
    summary, output = tmp_path / "summary.md", tmp_path / "output"
    github = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_EVENT_NAME": "push",
        "GITHUB_STEP_SUMMARY": str(summary),
        "GITHUB_OUTPUT": str(output),
    }
    done = run(tmp_path, broker.url, *PUBLISH, **github)
    assert done.code == 1, done
    text = summary.read_text(encoding="utf-8")
    assert text.startswith("## ❌ Failed&#58; 1 of 2 pacts\n")
    assert re.search(r"^\| ❌ failed \| Broken 1 \| 1 \| latest from branch main", text, re.MULTILINE)
    assert re.search(r"^\| ✅ passed \| Kept 1 \| 1 \|", text, re.MULTILINE)
    assert done.out.count("::error title=Broken contract of Broken and Things") == 1
    assert "outcome<<" in output.read_text(encoding="utf-8")
