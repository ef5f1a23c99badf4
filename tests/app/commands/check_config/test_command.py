"""`pact-dispatch check-config`, as a real process."""

from __future__ import annotations

import ast
import json
import os
import re
from typing import TYPE_CHECKING, Any

import pytest

from app.commands.check_config import summary
from tests.support.commands import pact_dispatch
from tests.support.pacts import interaction, pact, things
from tests.support.paths import ROOT
from tests.support.processes import EmbeddedBroker

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

SECRET = "a-secret-that-is-not-shown"
SECRETS = {
    "PACT_BROKER_USERNAME": "ci",
    "PACT_BROKER_PASSWORD": f"{SECRET}-1",
    "PACT_DISPATCH_TOKENS": f"broker:{SECRET}-2,staging:{SECRET}-3",
    "PACT_DISPATCH_API_TOKENS": f"grafana:{SECRET}-4",
    "PACT_DISPATCH_WEBHOOK_SECRET": f"{SECRET}-5",
    "DATABASE_URL": f"postgresql://joe:{SECRET}-6@db.example.org:5433/dispatch",
}
EXAMPLE = ROOT / "examples" / "pact-dispatch.toml"
MINIMAL = """\
[broker]
url = "http://127.0.0.1:9292"
[[providers]]
name = "Products"
repository = "acme/products"
base_url = "http://127.0.0.1:8080"
version = "1"
branch = "main"
"""


def check(config: Path, *options: str, **variables: str) -> subprocess.CompletedProcess[str]:
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("PACT_", "DATABASE_URL"))
    }
    done = pact_dispatch("check-config", "--config", str(config), *options, environment={**kept, **variables})
    assert SECRET not in done.stdout + done.stderr
    return done


def written(folder: Path, text: str) -> Path:
    file = folder / "pact-dispatch.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_the_account_of_a_provider_is_shown_and_that_it_is_not_confined(tmp_path: Path) -> None:
    started = MINIMAL.replace('base_url = "http://127.0.0.1:8080"', 'command = "run"\nunconfined = true')
    running = MINIMAL.replace('branch = "main"', 'branch = "main"\nuser = "ci"')
    worker = '[worker]\nprovider_user = "products"\n'
    done = check(written(tmp_path, started + worker))
    assert "as products, where root runs the worker" in done.stdout
    assert "not confined" in done.stdout
    done = check(written(tmp_path, running + worker))
    assert "where root runs" not in done.stdout
    assert "user is for a provider that is started" in done.stderr


def test_the_example_can_be_used_and_is_understood() -> None:
    done = check(EXAMPLE, "--json", **SECRETS)
    assert (done.returncode, done.stderr) == (0, "")
    read: dict[str, Any] = json.loads(done.stdout)
    assert read["broker"] == {
        "url": "http://127.0.0.1:9292",
        "aliases": [],
        "login": "as ci, with a password",
        "tls": {},
    }
    assert [provider["name"] for provider in read["providers"]] == ["Products", "Prices", "Orders"]
    assert (read["tokens"], read["api_tokens"], read["webhook_secret"]) == (
        ["broker", "staging"],
        ["grafana"],
        True,
    )
    assert read["database"] == "the database (host db.example.org, port 5433, database dispatch, user joe)"
    assert (read["warnings"], read["problems"]) == ([], None)


def test_variables_for_tls_that_only_verify_reads_are_warned_of(tmp_path: Path) -> None:
    variables = {"PACT_BROKER_CA_FILE": "ca.pem", "PACT_PROVIDER_CLIENT_CERTIFICATE": "client.pem"}
    done = check(written(tmp_path, MINIMAL), **variables)
    assert "PACT_BROKER_CA_FILE is not read here: give ca_file of the broker" in done.stderr
    assert "PACT_PROVIDER_CLIENT_CERTIFICATE is not read here: give client_certificate of the" in done.stderr


def test_what_each_token_may_do_is_said() -> None:
    tokens = f"broker:{SECRET}-2,team:{SECRET}-3@acme/products@acme/nothing,odd:{SECRET}-7@acme"
    readers = f"grafana:{SECRET}-4@read-only,me:{SECRET}-8@readonly"
    given = {**SECRETS, "PACT_DISPATCH_TOKENS": tokens, "PACT_DISPATCH_API_TOKENS": readers}
    done = check(EXAMPLE, **given)
    assert "may dispatch    broker, team (for acme/nothing, acme/products alone), odd\n" in done.stdout
    assert "may use /api    grafana (reading alone), me\n" in done.stdout
    assert "PACT_DISPATCH_TOKENS: team may dispatch for acme/nothing, which is no provider's" in done.stderr
    assert (
        "PACT_DISPATCH_TOKENS: the token of odd has an @ in it, and what follows is no limit" in done.stderr
    )
    assert (
        "PACT_DISPATCH_API_TOKENS: the token of me has an @ in it, and what follows is no limit"
        in done.stderr
    )
    read: dict[str, Any] = json.loads(check(EXAMPLE, "--json", **given).stdout)
    assert read["tokens"] == ["broker", "team", "odd"]
    assert read["limited_to"] == {"team": ["acme/nothing", "acme/products"]}
    assert (read["api_tokens"], read["read_only"]) == (["grafana", "me"], ["grafana"])


def test_people_are_told_the_same() -> None:
    shown = check(EXAMPLE, **SECRETS).stdout
    for line in (
        "broker          http://127.0.0.1:9292, as ci, with a password",
        "provider        Products: POST /repos/acme/products/dispatches",
        "                runs at http://127.0.0.1:8080",
        "                version asked of http://127.0.0.1:8080/version /commit, branch main",
        "                checked out from https://git.example.org/acme/orders.git",
        "                version the commit, branch that of the dispatch",
        "                one run at a time, each for 1800 s at most; one interaction at a time",
        "may dispatch    broker, staging",
        "may use /api    grafana",
        "GitHub's events signed",
        "database        the database (host db.example.org, port 5433, database dispatch, user joe)",
        "reconciled      every 15 minutes",
    ):
        assert line in shown.splitlines()


def test_of_many_providers_there_is_a_summary_and_one_can_be_looked_at(tmp_path: Path) -> None:
    folder = tmp_path / "conf.d"
    folder.mkdir()
    for number in range(300):
        text = MINIMAL.partition("[[providers]]")[2].replace(
            'branch = "main"\n', "" if number else 'user = "ci"\n'
        )
        text = text.replace("Products", f"P{number:03}").replace("products", f"p{number}")
        (folder / f"{number:03}.toml").write_text(f"[[providers]]{text}", encoding="utf-8")
    config = written(tmp_path, MINIMAL)
    done = check(config)
    assert done.returncode == 0
    assert "providers       301: Products, P000, P001, P002, P003 and 296 more" in done.stdout
    assert "301 that run already" in done.stdout
    assert "configured in 300 files of their own" in done.stdout
    assert len(done.stdout.splitlines()) < 30
    told = [line for line in done.stderr.splitlines() if "branch" in line]
    assert [line.rpartition("warning: ")[2].partition(", so")[0] for line in told] == [
        "300 providers (P000, P001, P002 and 297 more), each: has no branch"
    ]
    assert "000.toml: providers[1] (P000).user is for a provider" in done.stderr

    one = check(config, "--provider", "P007")
    assert one.stdout.splitlines()[0] == "provider        P007: POST /repos/acme/p7/dispatches"
    assert "runs at http://127.0.0.1:8080" in one.stdout
    assert "broker" not in one.stdout
    [line] = one.stderr.splitlines()
    assert "007.toml: providers[1] (P007): has no branch" in line
    assert "there is no provider 'P999'" in check(config, "--provider", "P999").stderr

    whole = json.loads(check(config, "--json").stdout)
    assert (len(whole["providers"]), sum("has no branch" in text for text in whole["warnings"])) == (301, 300)
    part = json.loads(check(config, "--json", "--provider", "P007").stdout)
    assert ([one["name"] for one in part["providers"]], len(part["warnings"])) == (["P007"], 1)


@pytest.mark.parametrize(
    ("keys", "shown"),
    [
        ("jobs = 4\ntimeout = 60\n", "one run at a time, each for 60 s at most; 4 interactions at a time"),
        ("parallel = true\n", "several runs at a time, each for 1800 s at most; one interaction at a time"),
        (
            "parallel = true\nmax_runs = 2\n",
            "several runs at a time, 2 at most, each for 1800 s at most; one interaction at a time",
        ),
    ],
)
def test_how_many_runs_go_on_is_told_in_plain_words(keys: str, shown: str, tmp_path: Path) -> None:
    assert f"                {shown}\n" in check(written(tmp_path, MINIMAL + keys)).stdout


def test_nothing_is_made(tmp_path: Path) -> None:
    done = check(written(tmp_path, MINIMAL), "--data-dir", str(tmp_path / "data"))
    assert done.returncode == 0
    assert f"embedded, in {tmp_path / 'data' / 'postgres'}" in done.stdout
    assert not (tmp_path / "data").exists()


def test_where_secret_values_are_is_shown_and_not_what_they_are(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(SECRET)
    text = MINIMAL + 'headers = { A = { env = "HEADER" }, B = { file = "key" }, C = "plain" }\n'
    text += (
        '[[providers]]\nname = "B"\nrepository = "acme/b"\n[providers.checkout]\nurl = { env = "GIT_URL" }\n'
    )
    text += 'command = "serve"\n'
    done = check(written(tmp_path, text), HEADER=SECRET, GIT_URL=f"https://x:{SECRET}@git.example.org/b.git")
    assert done.returncode == 0, done.stderr
    for line in (
        "headers.A from the variable HEADER",
        f"headers.B from {tmp_path / 'key'}",
        "headers.C in the file",
        "checked out from the variable GIT_URL",
    ):
        assert line in done.stdout


def test_every_mistake_is_named_at_once_those_of_the_environment_too(tmp_path: Path) -> None:
    file = written(tmp_path, MINIMAL.replace("acme/", "").replace('"1"', '""'))
    done = check(
        file,
        PACT_DISPATCH_TOKENS=f"broker={SECRET}",
        PACT_DISPATCH_API_TOKENS="me:short",
        PACT_DISPATCH_WEBHOOK_SECRET_FILE=str(tmp_path / "none"),
        DATABASE_URL=f"mysql://{SECRET}",
    )
    assert (done.returncode, done.stdout) == (2, "")
    lines = done.stderr.splitlines()
    for beginning in (
        f"{file}: providers[1].repository: must be OWNER/REPO",
        f"{file}: providers[1].version: ",
        "PACT_DISPATCH_TOKENS: entry 1 is not NAME:TOKEN",
        "PACT_DISPATCH_API_TOKENS: the token of me has fewer than 20 characters: make one with `openssl rand -hex 20`",
        "PACT_DISPATCH_WEBHOOK_SECRET_FILE: ",
        "DATABASE_URL is not of the form postgresql://",
    ):
        assert len([one for one in lines if one.startswith(f"pact-dispatch check-config: {beginning}")]) == 1
    assert len(lines) == 6


BETWEEN_PROCESSES = {
    "PACT_DISPATCH_GIT_PASSWORD",
    "PACT_DISPATCH_GIT_USERNAME",
    "PACT_DISPATCH_INPUTS",
    "PACT_DISPATCH_SUPERVISOR_FD",
}
"""Variables that one process of ours sets for another, and nobody else does."""


def test_every_variable_that_a_command_reads_is_known(tmp_path: Path) -> None:
    own = re.compile(r"PACT_[A-Z_]*[A-Z]")
    read = {
        node.value
        for folder in ("app", "broker", "verifier")
        for file in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and own.fullmatch(node.value)
    } - BETWEEN_PROCESSES
    assert {"PACT_DISPATCH_RECEIVER_URL", "PACT_DISPATCH_API_TOKEN", "PACT_URL"} <= read
    assert [one.found for one in summary._unread(dict.fromkeys(read, "x"))] == []
    url = {"PACT_DISPATCH_RECEIVER_URL": "http://127.0.0.1:8000", "PACT_DISPATCH_RECEIVER_URI": "x"}
    done = check(written(tmp_path, MINIMAL), **SECRETS, **url)
    assert "PACT_DISPATCH_RECEIVER_URL" not in done.stderr
    assert "PACT_DISPATCH_RECEIVER_URI is set, and nothing reads it" in done.stderr


@pytest.mark.parametrize(
    ("change", "variables", "warning"),
    [
        ("", {"PACT_DISPATCH_TOKENS": "", "PACT_DISPATCH_WEBHOOK_SECRET": ""}, "nobody can dispatch"),
        ("", {"PACT_DISPATCH_API_TOKENS": ""}, "nobody can use /api"),
        ("", {}, "server.public_url is missing"),
        ("http://broker.example.org", {"PACT_BROKER_TOKEN": SECRET}, "go to broker.example.org unencrypted"),
        ("", {"PACT_DISPATCH_TOKEN": SECRET}, "PACT_DISPATCH_TOKEN is set, and nothing reads it"),
        ("", {"PACT_BROKER_BASE_URL": "http://other"}, "PACT_BROKER_BASE_URL is not read here"),
        ("", {"PACT_BROKER_TOKEN_FILE": os.devnull}, "/dev/null is empty"),
        ('environment = { A = "b" }', {}, "providers[1] (Products).environment is for a provider that is"),
        ('headers = { Authorization = "x" }', {}, "headers.Authorization: if it is a secret"),
        ("[reconcile]\nminutes = 0", {}, "reconcile.minutes is 0"),
        (
            '[[providers]]\nname = "B"\nrepository = "a/b"\ncheckout = {url = "/b", command = "b", any_commit = true}',
            {},
            "providers[2] (B).checkout.any_commit: whoever may open a pull request",
        ),
    ],
)
def test_what_would_bite_is_a_warning(
    tmp_path: Path, change: str, variables: dict[str, str], warning: str
) -> None:
    text = (
        MINIMAL.replace("http://127.0.0.1:9292", change) if change.startswith("http:") else MINIMAL + change
    )
    environment = {name: value for name, value in SECRETS.items() if not name.startswith("PACT_BROKER")}
    done = check(written(tmp_path, text), **{**environment, **variables})
    assert done.returncode == 0, done.stderr
    [found] = [line for line in done.stderr.splitlines() if warning in line]
    assert found.startswith("pact-dispatch check-config: warning: ")


def test_the_broker_is_asked_where_it_is_wanted(tmp_path: Path) -> None:
    with EmbeddedBroker(tmp_path) as broker:
        file = written(tmp_path, MINIMAL.replace("http://127.0.0.1:9292", broker.url))
        done = check(file, "--online")
        assert done.returncode == 3
        assert (
            "providers[1].name: the broker has no pacticipant 'Products'; letter case counts" in done.stderr
        )
        broker.publish(pact(*things(1), provider="Products"), "1")
        done = check(file, "--online")
        assert (done.returncode, done.stdout.splitlines()[-1]) == (
            0,
            "The broker is there, and knows each provider.",
        )
        for version in ("1.4.0", "1.3.0"):
            branch = f"/pacticipants/Products/branches/main/versions/{version}"
            broker.request("PUT", branch, json={}).raise_for_status()
        broker.request("PATCH", "/pacticipants/Products", json={"mainBranch": "main"}).raise_for_status()
        done = check(file, "--online")
        assert done.returncode == 0
        assert "asks for results of 1.3.0 (latest from main branch), and" in done.stderr
        checkout = 'checkout = { url = "https://git.example.org/p.git", command = "true" }'
        changed = re.sub(r"base_url = .*\nversion = .*", checkout, file.read_text(encoding="utf-8"))
        done = check(written(tmp_path, changed), "--online", "--json")
        assert done.returncode == 0
        assert any(
            "1.3.0 (latest from main branch), which is no commit id" in text
            for text in json.loads(done.stdout)["warnings"]
        )
        stateful = {**interaction("a", "/a"), "providerStates": [{"name": "a thing exists"}]}
        broker.publish(pact(stateful, provider="Products"), "2")
        states = "its pacts have 1 interaction with provider states, and nothing sets them up"
        assert states in check(file, "--online").stderr
        text = file.read_text(encoding="utf-8")
        for key in ("publish_without_states = true", 'states_setup_url = "http://127.0.0.1:8080/_states"'):
            assert states not in check(written(tmp_path, f"{text}{key}\n"), "--online").stderr
        file = written(tmp_path, text)
        broker.stop()
        done = check(file, "--online", "--json")
        assert done.returncode == 3
        assert "can't be reached" in json.loads(done.stdout)["problems"][0]
