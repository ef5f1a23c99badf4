"""`pact-dispatch providers`, with a real receiver on a real database."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tests.support.commands import pact_dispatch
from tests.support.history_rows import add_history
from tests.support.loopback import Loopback, Reply
from tests.support.receiver import API_TOKEN, LocalReceiver, configuration
from tests.support.running import environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from subprocess import CompletedProcess

    from tests.support.receiver import ReceiverProcess

BROKER = "http://broker.example.org/base"
READ_ONLY = "a-token-that-only-reads"
ODD = ["a/b", "ü ?&#%25", "--paused", "-x", "x/pause", "...x", "a\\b", "<b>"]
PROVIDERS = ["Products", "Provider 1", *ODD]
MANY = [f"One of many {number}" for number in range(220)]
"""With them there are more than a page of the receiver has."""


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory, module_database_url: str) -> Iterator[ReceiverProcess]:
    config = configuration(
        BROKER,
        *(
            {"name": name, "repository": f"acme/{number}", "base_url": "http://127.0.0.1:1", "version": "1"}
            for number, name in enumerate([*PROVIDERS, *MANY])
        ),
    )
    tokens = {"PACT_DISPATCH_API_TOKENS": f"tests:{API_TOKEN},grafana:{READ_ONLY}@read-only"}
    with LocalReceiver(
        tmp_path_factory.mktemp("web"),
        config,
        command="web",
        database_url=module_database_url,
        environment=tokens,
    ) as process:
        yield process


def ask(web: ReceiverProcess, *words: str, **variables: str) -> CompletedProcess[str]:
    given = {"PACT_DISPATCH_RECEIVER_URL": web.url, "PACT_DISPATCH_API_TOKEN": API_TOKEN, **variables}
    return pact_dispatch("providers", *words, environment=environment(**given))


def asked(web: ReceiverProcess, *words: str) -> Any:
    done = ask(web, *words, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_list_says_what_waits_and_how_the_latest_run_of_each_ended(web: ReceiverProcess) -> None:
    add_history(str(web.database_url), runs=30)
    for number in (0, 0, 1):
        pact_url = f"{BROKER}/pacts/provider/Products/consumer/C{number}/latest"
        assert web.dispatch(pact_url, repository="acme/0").status_code == 204
    found = {one["name"]: one for one in asked(web, "list")}
    assert sorted(found) == sorted([*PROVIDERS, *MANY])
    assert (found["Products"]["waiting"], found["Products"]["outcome"]) == (2, None)
    with psycopg.connect(str(web.database_url)) as connection:
        outcome, broken = connection.execute(
            "SELECT (array_agg(outcome ORDER BY ended_at DESC))[1], count(*) FILTER (WHERE broken) FROM latest_results "
            "WHERE provider = 'Provider 1'"
        ).fetchall()[0]
    one = found["Provider 1"]
    assert (one["outcome"], one["broken"], one["running"]) == (outcome, broken, 0)
    shown = ask(web, "list").stdout
    assert shown.splitlines()[0].split() == [
        "PROVIDER",
        "STATE",
        "WAITING",
        "RUNNING",
        "LATEST",
        "REPOSITORY",
    ]
    assert f"{outcome} {one['ended_at']}" in shown
    assert ask(web, "list", "--paused").stdout == "no providers\n"


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_provider_of_any_name_is_paused_and_resumed(web: ReceiverProcess, name: str) -> None:
    words = ("--reason", "a new database\n<until> noon & more", "--", name)
    done = ask(web, "pause", *words)
    assert done.returncode == 0, done.stderr
    assert "paused by tests since 2" in done.stderr
    assert "Z: a new database" in done.stderr
    [paused] = asked(web, "list", "--paused")
    assert (paused["name"], paused["paused_by"]) == (name, "tests")
    assert paused["pause_reason"] == words[1]
    assert "paused by tests since" in ask(web, "list").stdout
    done = pact_dispatch(
        *("providers", "resume", "--json", "--", name),
        environment=environment(PACT_DISPATCH_RECEIVER_URL=web.url, PACT_DISPATCH_API_TOKEN=API_TOKEN),
    )
    assert json.loads(done.stdout)["paused_at"] is None, done.stderr
    done = ask(web, "resume", "--", name)
    assert (done.returncode, "is not paused" in done.stderr) == (0, True)


def test_what_a_second_pause_and_a_resume_have_changed_is_said(web: ReceiverProcess) -> None:
    said = [
        ask(web, *words).stderr
        for words in (
            ("pause", "Products", "--reason", "the first"),
            ("pause", "Products", "--reason", "the second"),
            ("pause", "Products"),
            ("resume", "Products"),
        )
    ]
    assert "the first" in said[0]
    assert "already" not in said[0]
    assert "it was paused already, and has your reason now: Products is paused by tests since" in said[1]
    assert ": the second; " in said[1]
    assert "it was paused already, and nothing has changed: Products is paused" in said[2]
    assert "Products is resumed; " in said[3]


def test_a_long_reason_is_cut_in_the_list_and_whole_elsewhere(web: ReceiverProcess) -> None:
    reason = "a new database " * 40
    assert ask(web, "pause", "Products", "--reason", reason).returncode == 0
    rows = ask(web, "list").stdout.splitlines()
    [paused] = asked(web, "list", "--paused")
    assert ask(web, "resume", "Products").returncode == 0
    assert max(map(len, rows)) < 200
    assert any("a new database a new database" in row and "…" in row for row in rows)
    assert paused["pause_reason"] == reason[:500]


def test_what_cannot_be_done_is_said(web: ReceiverProcess) -> None:
    done = ask(web, "pause", "products")
    assert done.returncode == 3
    assert "there is no provider 'products' in the configuration; did you mean 'Products'?" in done.stderr
    done = ask(web, "pause", "Products", PACT_DISPATCH_API_TOKEN=READ_ONLY)
    assert (done.returncode, "the token grafana is read-only" in done.stderr) == (3, True), done.stderr
    for name in ("", ".", ".."):
        assert ask(web, "resume", name).returncode == 2
    assert ask(web).returncode == 2
    assert asked(web, "list", "--paused") == []


def test_an_older_receiver_is_shown_as_far_as_it_says() -> None:
    older = {"items": [{"name": "A", "repository": "a/b", "paused_at": None, "paused_by": None}]}
    with Loopback([Reply(200, json.dumps(older).encode()), Reply(200, b"[]"), Reply(404, b"{}")]) as receiver:
        variables = environment(PACT_DISPATCH_RECEIVER_URL=receiver.url, PACT_DISPATCH_API_TOKEN=API_TOKEN)
        done = pact_dispatch("providers", "list", environment=variables)
        assert done.stdout.splitlines()[1].split() == ["A", "ready", "a/b"]
        for _ in range(2):
            done = pact_dispatch("providers", "list", environment=variables)
            assert (done.returncode, "not as a receiver does" in done.stderr) == (3, True)
