"""`pact-dispatch runs` and `deliveries`, with a real receiver on a real database."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from shlex import quote
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.command_line import parser
from app.commands.deliveries.command import FILTERS as DELIVERY_OPTIONS
from app.commands.runs.command import FILTERS as RUN_OPTIONS
from app.commands.runs.following import added
from app.web.paging import DELIVERY_FILTERS, RUN_FILTERS, Filter
from tests.support import scripted_provider
from tests.support.commands import pact_dispatch
from tests.support.history_rows import add_history
from tests.support.loopback import Loopback, Reply, closed_port
from tests.support.pacts import interaction, pact
from tests.support.processes import BIN, TIME_LIMIT, EmbeddedBroker
from tests.support.receiver import API_TOKEN, PROVIDER, TOKEN, LocalReceiver, ReceiverProcess, configuration
from tests.support.running import environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from subprocess import CompletedProcess

BROKER = "http://broker.example.org/base"
PACT = f"{BROKER}/pacts/provider/Products/consumer/Storefront/latest"
SHA = "0123456789abcdef0123456789abcdef01234567"
READ_ONLY = "a-token-that-only-reads"
SERVE_COMMAND = f"{quote(sys.executable)} {quote(scripted_provider.__file__)} --port {{port}}"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, module_database_url: str) -> Iterator[ReceiverProcess]:
    config = configuration(BROKER, {"base_url": "http://127.0.0.1:1", "version": SHA})
    folder = tmp_path_factory.mktemp("web")
    tokens = {"PACT_DISPATCH_API_TOKENS": f"tests:{API_TOKEN},grafana:{READ_ONLY}@read-only"}
    with LocalReceiver(
        folder, config, command="web", database_url=module_database_url, environment=tokens
    ) as process:
        yield process


@pytest.fixture
def web(running: ReceiverProcess) -> ReceiverProcess:
    """A receiver without a worker, and without a history."""
    with psycopg.connect(str(running.database_url)) as connection:
        connection.execute("TRUNCATE runs, deliveries, totals, procrastinate_jobs CASCADE")
    return running


def ask(web: ReceiverProcess, *words: str, **variables: str) -> CompletedProcess[str]:
    done = pact_dispatch(
        *words,
        environment=environment(
            **{"PACT_DISPATCH_RECEIVER_URL": web.url, "PACT_DISPATCH_API_TOKEN": API_TOKEN, **variables}
        ),
    )
    assert API_TOKEN not in done.stdout + done.stderr
    return done


def asked(web: ReceiverProcess, *words: str) -> Any:
    done = ask(web, *words, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_dispatch_is_followed_from_its_delivery_to_its_run(web: ReceiverProcess) -> None:
    delivery_id = web.dispatch(PACT, sha=SHA, branch="main").headers["X-GitHub-Request-Id"]

    [delivery] = asked(web, "deliveries", "list")
    assert delivery["id"] == delivery_id
    shown = ask(web, "deliveries", "show", delivery_id).stdout
    assert "accepted" in shown
    assert '"pact_url"' in shown
    [run] = asked(web, "runs", "list", "--status", "waiting", "--consumer", "Storefront")
    assert run["id"] == delivery["run_id"]
    assert run["id"] in shown
    shown = ask(web, "runs", "show", run["id"]).stdout
    assert f"run         {run['id']}\n" in shown
    assert "waiting" in shown
    assert PACT in shown
    assert asked(web, "runs", "show", run["id"])["deliveries"] == [delivery_id]
    log = ask(web, "runs", "log", run["id"])
    assert (log.returncode, log.stdout) == (0, "")
    assert "no log yet: it is waiting" in log.stderr


def test_lists_take_as_many_pages_as_are_needed_and_say_when_there_are_more(web: ReceiverProcess) -> None:
    add_history(str(web.database_url), runs=450, refused=3)
    ids = [str(row["id"]) for row in web.rows("SELECT id FROM runs ORDER BY created_at DESC, id DESC")]

    done = ask(web, "runs", "list")
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["RUN", *ids[:50]]
    assert "the newest 50: --limit N takes more" in done.stderr
    assert [run["id"] for run in asked(web, "runs", "list", "--limit", "403")] == ids[:403]
    whole = ask(web, "runs", "list", "--limit", "all", "--json")
    assert [run["id"] for run in json.loads(whole.stdout)] == ids
    assert whole.stderr == ""
    failed = asked(web, "runs", "list", "--outcome", "failed", "--limit", "all")
    assert len(failed) == 90
    assert {run["outcome"] for run in failed} == {"failed"}
    refused = asked(web, "deliveries", "list", "--refusal", "unknown-repository")
    assert len(refused) == 3
    assert "refused 404: unknown-repository" in ask(web, "deliveries", "show", refused[0]["id"]).stdout
    assert ask(web, "runs", "list", "--provider", "Nobody").stdout == "no runs\n"
    assert ask(web, "deliveries", "list", "--repository", "a/nothing").stdout == "no deliveries\n"


def test_a_page_without_items_is_not_the_last_one_where_a_text_is_looked_for() -> None:
    run = {"id": str(uuid4()), "status": "waiting"}
    pages = [([], "/api/runs?cursor=a"), ([run], "/api/runs?cursor=b"), ([], None)]
    replies = [Reply(200, json.dumps({"items": items, "next": after}).encode()) for items, after in pages]
    with Loopback(replies) as receiver:
        variables = {"PACT_DISPATCH_RECEIVER_URL": receiver.url, "PACT_DISPATCH_API_TOKEN": API_TOKEN}
        done = pact_dispatch(
            "runs", "list", "--text", "x", "--limit", "2", "--json", environment=environment(**variables)
        )
    assert json.loads(done.stdout) == [run], done.stderr
    assert [received.path.partition("?")[2] for received in receiver.received] == [
        "text=x&limit=2",
        "text=x&limit=2&cursor=a",
        "text=x&limit=1&cursor=b",
    ]


def test_a_run_is_cancelled_and_carried_out_again(web: ReceiverProcess) -> None:
    web.dispatch(PACT, sha=SHA)
    [run] = asked(web, "runs", "list")
    cancelled = ask(web, "runs", "cancel", run["id"])
    assert cancelled.returncode == 0
    assert f"{run['id']} is cancelled" in cancelled.stderr
    assert asked(web, "runs", "show", run["id"])["status"] == "cancelled"
    followed = ask(web, "runs", "log", "-f", run["id"])
    assert (followed.returncode, followed.stderr.splitlines()[-1].split(": ")[-1]) == (3, "cancelled")

    again = ask(web, "runs", "again", run["id"])
    assert again.returncode == 0
    new = again.stdout.strip()
    assert new != run["id"]
    assert asked(web, "runs", "show", new)["reason"] == "redelivered"
    [source] = asked(web, "deliveries", "list", "--source", "redelivery")
    assert source["run_id"] == new
    once_more = ask(web, "deliveries", "redeliver", source["id"])
    assert "a run that waits already answers it" in once_more.stderr
    assert new in once_more.stderr


def test_a_pact_of_a_run_for_every_pact_is_told_as_pending_and_carried_out_again_with_the_others(
    web: ReceiverProcess,
) -> None:
    add_history(str(web.database_url), runs=2)
    whole, of_pact = (str(row["id"]) for row in web.rows("SELECT id FROM runs"))
    with psycopg.connect(str(web.database_url)) as connection:
        connection.execute("DELETE FROM deliveries")
        connection.execute("UPDATE runs SET pact_url = NULL, consumer = NULL WHERE id = %s", [whole])
        connection.execute(
            "UPDATE runs SET parent_id = %s, pending = true, status = 'finished', outcome = 'failed', "
            "publishing = 'none' WHERE id = %s",
            [whole, of_pact],
        )
    assert f"{of_pact}  failed (pending)" in ask(web, "runs", "show", whole).stdout
    again = ask(web, "runs", "again", of_pact)
    assert again.returncode == 3
    assert again.stderr.rstrip().endswith(f"pact-dispatch runs again {whole}")


def test_a_finished_run_is_not_cancelled_and_its_log_tells_its_outcome(web: ReceiverProcess) -> None:
    add_history(str(web.database_url), runs=5)
    codes = {}
    for run in asked(web, "runs", "list"):
        done = ask(web, "runs", "log", "--follow", run["id"])
        assert "a line of the log" in done.stdout
        codes[run["outcome"]] = done.returncode
        refused = ask(web, "runs", "cancel", run["id"])
        assert refused.returncode == 3
        assert "the run is finished: there is nothing to cancel" in refused.stderr
    assert codes == {"passed": 0, "failed": 1, "error": 3}

    def said(level: str, outcome: str) -> str:
        [number] = [run["id"] for run in asked(web, "runs", "list") if run["outcome"] == outcome][:1]
        done = ask(web, "runs", "log", "-f", number, "--log-level", level)
        assert "a line of the log" in done.stdout
        return done.stderr

    requested = rf"GET {re.escape(web.url)}/api/runs/[0-9a-f-]+/log answered 200 \(\d+ ms\)"
    assert re.search(requested, said("debug", "passed"))
    assert "GET " not in said("info", "passed")
    assert said("warning", "passed") == ""
    assert ": failed" in said("warning", "failed")
    assert said("error", "failed") == ""
    web.execute("UPDATE runs SET publishing = 'refused', publish_error = 'the broker said no'")
    done = ask(web, "runs", "log", "-f", run["id"])
    assert done.returncode == 4
    assert "not published: the broker said no" in done.stderr


def test_what_does_not_exist_is_said_with_what_may_be_meant(web: ReceiverProcess) -> None:
    delivery_id = web.dispatch(PACT, sha=SHA).headers["X-GitHub-Request-Id"]
    [run] = asked(web, "runs", "list")

    short = ask(web, "runs", "show", run["id"][:6])
    assert short.returncode == 2
    assert f"is no id of a run; did you mean {run['id']}?" in short.stderr
    mistyped = ask(web, "runs", "show", run["id"][:-1])
    assert f"did you mean {run['id']}?" in mistyped.stderr
    other = ask(web, "runs", "cancel", delivery_id)
    assert other.returncode == 3
    assert f"that is a delivery, of the run {run['id']} (pact-dispatch deliveries show" in other.stderr
    gone = ask(web, "runs", "show", str(uuid4()))
    assert gone.returncode == 3
    assert "may have been deleted (retention.days)" in gone.stderr
    other = ask(web, "deliveries", "show", run["id"])
    assert f"that is a run (pact-dispatch runs show {run['id']})" in other.stderr


def test_a_token_that_is_missing_wrong_or_may_only_read_is_said_in_words(web: ReceiverProcess) -> None:
    web.dispatch(PACT, sha=SHA)
    [run] = asked(web, "runs", "list")
    missing = ask(web, "runs", "list", PACT_DISPATCH_API_TOKEN="")
    assert (missing.returncode, "set PACT_DISPATCH_API_TOKEN" in missing.stderr) == (3, True)
    wrong = ask(web, "deliveries", "list", PACT_DISPATCH_API_TOKEN=TOKEN)
    assert (wrong.returncode, "doesn't know the token in PACT_DISPATCH_API_TOKEN" in wrong.stderr) == (
        3,
        True,
    )
    assert TOKEN not in wrong.stderr
    for_reading = ask(web, "runs", "cancel", run["id"], PACT_DISPATCH_API_TOKEN=READ_ONLY)
    assert for_reading.returncode == 3
    assert "read-only" in for_reading.stderr
    not_one = ask(web, "runs", "list", PACT_DISPATCH_API_TOKEN="two words")
    assert (not_one.returncode, "printable ASCII without spaces" in not_one.stderr) == (2, True)
    assert ask(web, "runs", "list", PACT_DISPATCH_RECEIVER_URL="").returncode == 2
    assert ask(web, "runs", "list", "--receiver-url", "ftp://x").returncode == 2
    unfit = ask(web, "runs", "list", "--provider", "x" * 300)
    assert (unfit.returncode, "provider must be a text of 1 to 255" in unfit.stderr) == (3, True)


@pytest.mark.parametrize(
    "words",
    [
        ("runs", "list"),
        ("deliveries", "list"),
        ("runs", "show", "nonsense"),
        ("runs", "log", "-f", str(uuid4())),
    ],
)
def test_what_is_no_receiver_or_away_is_said_in_words(words: tuple[str, ...]) -> None:
    def at(url: str) -> CompletedProcess[str]:
        variables = {"PACT_DISPATCH_RECEIVER_URL": url, "PACT_DISPATCH_API_TOKEN": API_TOKEN}
        done = pact_dispatch(*words, environment=environment(**variables))
        assert done.returncode == 3
        assert API_TOKEN not in done.stderr
        return done

    away = at(f"http://127.0.0.1:{closed_port()}")
    assert "Is the receiver running (pact-dispatch serve)" in away.stderr
    with Loopback(Reply(404, b"<html>")) as other:
        assert "answered 404" in at(other.url).stderr
    with Loopback(Reply(200, b"<html>")) as other:
        assert "must be where the receiver listens" in at(other.url).stderr
    with Loopback(Reply(503, b"{}")) as other:
        answered = at(other.url).stderr
        assert "its database is away. Try again later" in answered
        assert "Is the receiver running" not in answered


def test_the_filters_are_those_of_the_api() -> None:
    def options_of(*words: str) -> dict[str, Any]:
        return vars(parser().parse_args(words))

    def check(command: str, names: tuple[str, ...], filters: tuple[Filter, ...]) -> None:
        assert names == tuple(known.name for known in filters)
        for known in filters:
            for value in known.choices or ("x",):
                option = f"--{known.name.replace('_', '-')}"
                assert options_of(command, "list", option, value)[known.name] == value
            if known.choices:
                with pytest.raises(SystemExit):
                    options_of(command, "list", f"--{known.name}", "x")

    check("runs", RUN_OPTIONS, RUN_FILTERS)
    check("deliveries", DELIVERY_OPTIONS, DELIVERY_FILTERS)


@pytest.mark.parametrize(
    ("shown", "log", "new"),
    [
        ("", "", ""),
        ("", "a\n", "a\n"),
        ("a\n", "a\nb\n", "b\n"),
        ("a", "a\nb", "b"),
        ("a\nb", "a\n... left out ...\nb\nc", "c"),
        ("a\nb\nc\n", "a\n... left out ...\nc\nd\n", "d\n"),
        ("a\nb\n", "x\ny\n", "x\ny\n"),
        ("a\nb\n", "x\nnot b\n", "x\nnot b\n"),
    ],
)
def test_a_log_that_is_followed_shows_each_line_once(shown: str, log: str, new: str) -> None:
    assert added(shown, log) == new


def test_a_run_is_followed_until_it_ends(tmp_path: Path, database_url: str) -> None:
    with EmbeddedBroker(tmp_path) as broker:
        broker.publish(pact(interaction("a thing", "/things/1", body={"id": "2"}), provider=PROVIDER), "1")
        broker.publish(
            pact(interaction("what never comes", "/hang"), provider=PROVIDER, consumer="Patient"), "1"
        )
        config = configuration(
            broker.url,
            {"command": SERVE_COMMAND, "version": SHA, "health_path": "/health", "request_timeout": 600},
        )
        base = f"{broker.url}/pacts/provider/{PROVIDER}/consumer"
        with LocalReceiver(tmp_path, config, database_url=database_url) as receiver:
            receiver.dispatch(f"{base}/Storefront/latest")
            [run] = asked(receiver, "runs", "list")
            done = ask(receiver, "runs", "log", "-f", run["id"])
            shown = ask(receiver, "runs", "show", run["id"]).stdout

            receiver.dispatch(f"{base}/Patient/latest")
            receiver.wait_until(
                lambda: asked(receiver, "runs", "list", "--status", "running"), "the second one runs"
            )
            [hanging] = asked(receiver, "runs", "list", "--status", "running")
            variables = environment(
                PACT_DISPATCH_RECEIVER_URL=receiver.url, PACT_DISPATCH_API_TOKEN=API_TOKEN
            )
            following = subprocess.Popen(
                [BIN / "pact-dispatch", "runs", "log", "-f", hanging["id"]],
                env=variables,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            assert following.stdout is not None
            first = following.stdout.readline()
            told = ask(receiver, "runs", "cancel", hanging["id"])
            rest = following.communicate(timeout=TIME_LIMIT)[0]

    assert done.returncode == 1, done.stdout + done.stderr
    assert "Outcome: failed" in done.stdout
    assert "\n\n" not in done.stdout
    assert done.stderr.endswith("failed\n")
    assert "a thing" in shown
    assert "✗" in shown
    assert first
    assert "its worker was told to stop it" in told.stderr
    assert following.returncode == 3
    assert rest.endswith("cancelled\n")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
FIELDS = (
    *("id", "status", "outcome", "publishing", "consumer", "provider", "created_at", "error", "retry_at"),
    *("deliveries", "relay", "commit_statuses", "interactions", "error_output", "run_id", "coalesced"),
    *("refusal", "detail", "payload", "source", "received_at", "message"),
)
DOCUMENTS = st.dictionaries(st.sampled_from(FIELDS), JSON | st.just("finished") | st.just("\x1b[2J"))
COMMANDS = [
    ("runs", "list"),
    ("runs", "show", str(uuid4())),
    ("runs", "log", "-f", str(uuid4())),
    ("runs", "cancel", str(uuid4())),
    ("runs", "again", str(uuid4())),
    ("deliveries", "list"),
    ("deliveries", "show", str(uuid4())),
    ("deliveries", "redeliver", str(uuid4())),
]


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(document=DOCUMENTS, words=st.sampled_from(COMMANDS), in_list=st.booleans(), named=st.booleans())
def test_whatever_is_answered_ends_in_words_and_controls_no_terminal(
    *, document: dict[str, Any], words: tuple[str, ...], in_list: bool, named: bool
) -> None:
    ended = {"status": "cancelled", "publishing": "none"} if "-f" in words else {}
    one = {**document, **ended, **({"id": "x"} if named else {})}
    answer = {"items": [one], "next": document.get("message")} if in_list else one

    def status(path: str) -> int:
        return 422 if path.endswith("redeliver") and named else 200

    with Loopback(lambda request: Reply(status(request.path), answer)) as other:
        variables = {"PACT_DISPATCH_RECEIVER_URL": other.url, "PACT_DISPATCH_API_TOKEN": API_TOKEN}
        done = pact_dispatch(*words, environment=environment(**variables))
    assert done.returncode in {0, 1, 3, 4}
    assert "\x1b" not in done.stdout + done.stderr
