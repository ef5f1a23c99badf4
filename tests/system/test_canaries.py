"""A search for every secret in all that is left behind by all that happens: outputs, files, database, pages, processes.

What the environment of child processes holds is for `tests/system/test_isolation.py`.
"""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
from contextlib import suppress
from shlex import quote as quoted
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import psutil
import psycopg
import requests

from tests.support.canaries import canary, found_in, traces
from tests.support.loopback import Loopback, Received, Reply
from tests.support.pacts import interaction, pact
from tests.support.paths import ROOT
from tests.support.processes import BIN, TIME_LIMIT, BrokerProcess
from tests.support.receiver import ReceiverProcess, configuration
from tests.support.running import environment

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    import pytest

VERSION = "3f2c9d1e5a7b8c9d0e1f2a3b4c5d6e7f8a9b0c1d"
TELL_TALE = """
import base64, json, os, sys, urllib.parse
for name, secret in json.load(open({told!r})).items():
    print(name, secret, flush=True)
    print("x" * 480 + secret, "x" * 1980 + secret, flush=True)
    print("x" * (65536 - 12) + secret, flush=True)
    print(json.dumps({"echo": secret}), json.dumps(json.dumps(secret)), flush=True)
    print(urllib.parse.quote(secret, safe=""), urllib.parse.quote_plus(secret), flush=True)
    print("".join("%%%02x" % byte for byte in secret.encode()), flush=True)
    for before in range(3):
        print(base64.b64encode(b"u" * before + secret.encode() + b"tail").decode(), flush=True)
    print(base64.encodebytes(b"long" * 18 + secret.encode()).decode(), secret[:9] + "\\n" + secret[9:], flush=True)
    print(secret, file=sys.stderr, flush=True)
""".replace("{{", "{").replace("}}", "}")


def processes() -> Iterator[bytes]:
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            yield " ".join(process.cmdline()).encode(errors="surrogateescape")


def rows_of(database_url: str) -> bytes:
    """Return all texts of all tables."""
    found = []
    with psycopg.connect(database_url) as connection:
        tables = connection.execute(
            "SELECT table_schema, table_name FROM information_schema.tables "
            "WHERE table_schema NOT IN ('pg_catalog', 'information_schema')"
        ).fetchall()
        for schema, table in tables:
            query = f'SELECT t::text FROM "{schema}"."{table}" t'
            found += [row[0] for row in connection.execute(query.encode()) if row[0]]
    return "\n".join(found).encode()


def files_of(folder: Path, without: Iterable[Path]) -> Iterator[tuple[Path, bytes]]:
    for file in folder.rglob("*"):
        if file.is_file() and file not in without:
            yield file, file.read_bytes()


def test_no_secret_is_found_anywhere(  # noqa: C901 - one way from the beginning to the end
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = {
        "broker's password": canary(),
        "token for dispatches": canary(),
        "token of the API": canary(),
        "webhook secret": canary(),
        "token for GitHub": canary(),
        "secret of the provider's header": canary(odd=True),
        "secret of the provider's environment": canary(odd=True),
        "secret in the URL of the states": canary(),
        "secret of the broker's webhook": canary(odd=True),
        "password of the broker's webhook": canary(),
        "URL of who is told of changes": canary(),
        "header for who is told": canary(),
        "key of the signature for them": canary(odd=True),
    }
    known = {name: traces(value) for name, value in secret.items()}
    password = secret["broker's password"]
    outputs: dict[str, bytes] = {}
    # what may hold secrets: the accounts, the receiver's configuration, and what the provider is told to print
    accounts, told = tmp_path / "accounts.toml", tmp_path / "told.json"
    accounts.write_text(f'[[users]]\nname = "ci"\npassword = "{password}"\naccess = "read-write"\n')
    accounts.chmod(0o600)
    # what a run of the receiver knows of; it can't know what secrets of others a provider may have
    of_a_run = ("broker's password", *(name for name in secret if "provider's" in name or "states" in name))
    told.write_text(json.dumps({name: secret[name] for name in of_a_run}))
    (tmp_path / "tell_tale.py").write_text(
        TELL_TALE.replace("{told!r}", repr(str(told)))
        + f"sys.argv[0] = {str(ROOT / 'tests/support/scripted_provider.py')!r}\n"
        + "import runpy; runpy.run_path(sys.argv[0], run_name='__main__')\n"
    )
    provider = f"{quoted(sys.executable)} {tmp_path / 'tell_tale.py'} --port {{port}}"
    monkeypatch.setenv("PACT_BROKER_BASIC_AUTH_USERNAME", "")
    hides = {
        "PACT_BROKER_USERNAME": "ci",
        "PACT_BROKER_PASSWORD": password,
        "PACT_DISPATCH_TOKENS": f"broker:{secret['token for dispatches']}",
        "PACT_DISPATCH_API_TOKENS": f"tests:{secret['token of the API']}",
        "PACT_DISPATCH_WEBHOOK_SECRET": secret["webhook secret"],
        "PACT_DISPATCH_GITHUB_TOKEN": secret["token for GitHub"],
        "THE_HEADER": secret["secret of the provider's header"],
        "THE_VARIABLE": secret["secret of the provider's environment"],
        "PACT_DO_NOT_TRACK": "true",
    }

    def run(name: str, program: str, *arguments: object, **variables: str) -> None:
        done = subprocess.run(
            [str(BIN / program), *map(str, arguments)],
            env=environment(**hides, **variables),
            cwd=tmp_path,
            capture_output=True,
            timeout=100,
            check=False,
        )
        outputs[name] = done.stdout + b"\n" + done.stderr
        assert b"Traceback" not in outputs[name], outputs[name].decode()

    def echo(request: Received) -> Reply:
        """Answer with all that was sent, in several encodings."""
        sent = json.dumps([request.path, request.headers, request.body.decode(errors="replace")])
        credentials = request.headers.get("authorization", "").partition(" ")[2]
        with suppress(ValueError):
            sent += base64.b64decode(credentials, validate=True).decode(errors="replace")
        return Reply(401, {"message": sent + quote(sent), "more": json.dumps(sent), "error": sent})

    folders = {name: tmp_path / name for name in ("receiver", "broker")}
    for folder in folders.values():
        folder.mkdir()
    options = ("--access", str(accounts), "--webhook-hosts", "127.0.0.1", "--webhook-schemes", "http")
    with (
        Loopback(echo) as target,
        BrokerProcess(
            folders["broker"], *options, "--webhook-retry-seconds", "0", "--log-level", "debug"
        ) as broker,
    ):
        broker.session.auth = ("ci", password)
        states = f"http://127.0.0.1:{{port}}/_states?token={secret['secret in the URL of the states']}"
        secretive: dict[str, Any] = {
            "version": VERSION,
            "health_path": "/health",
            "states_setup_url": states.replace("{port}", "$PORT"),
            "headers": {"Authorization": {"env": "THE_HEADER"}},
            "environment": {"THE_SECRET": {"env": "THE_VARIABLE"}},
        }
        dies = {"name": "Dies", "repository": "acme/dies", "command": f"{provider} --die-after 0"}
        away = {
            "name": "Away",
            "repository": "acme/away",
            "command": f"{provider} --never-ready",
            "wait": 1.0,
        }
        config = configuration(
            broker.url,
            {"command": provider, **secretive},
            {**dies, **secretive},
            {**away, **secretive},
            {"name": "Relayed", "repository": "acme/relayed", "relay": True},
            github={"api_url": target.url},
            worker={"retry_seconds": [0.1]},
            notify={"collect_seconds": 0.1, "interval_seconds": 0, "consumer_branches": ["*"]},
        )
        config += """
            [[notify.targets]]
            url = { env = "CHANGES_URL" }
            headers = { Authorization = { env = "CHANGES_HEADER" } }
            signing_secret = { env = "CHANGES_KEY" }
        """
        changes = secret["URL of who is told of changes"]
        hides |= {
            "CHANGES_URL": f"{target.url}/changes/{changes}?sig={changes}",
            "CHANGES_HEADER": f"Bearer {secret['header for who is told']}",
            "CHANGES_KEY": secret["key of the signature for them"],
        }
        body = {"name": "hook", "value": secret["secret of the broker's webhook"]}
        created = broker.request("POST", "/secrets", json=body)
        assert created.status_code == 201, created.text
        webhook: dict[str, Any] = {
            "events": [{"name": "contract_content_changed"}],
            "request": {
                "method": "POST",
                "url": f"{target.url}/hook",
                "headers": {"Content-Type": "application/json", "X-Some": "${user.hook}"},
                "body": {"note": "${user.hook}"},
                "username": "hook",
                "password": secret["password of the broker's webhook"],
            },
        }
        assert broker.request("POST", "/webhooks", json=webhook).status_code == 201
        broken = interaction("a thing", "/things/1", body={"id": 2, "name": "thing"})
        for name in ("Products", "Dies", "Away", "Relayed"):
            document = {**pact(broken), "consumer": {"name": "Storefront"}, "provider": {"name": name}}
            broker.publish(document, "1.0.0")
        token = secret["token for dispatches"]
        with ReceiverProcess(
            folders["receiver"], config, database_url=database_url, environment=hides
        ) as receiver:
            for name in ("Products", "Dies", "Away", "Relayed"):
                url = f"{broker.url}/pacts/provider/{name}/consumer/Storefront/latest"
                # a payload that is passed on is kept as it is, for GitHub to have it so
                note = {"note": f"sent with {token}"} if name != "Relayed" else {}
                receiver.dispatch(url, repository=f"acme/{name.lower()}", token=token, **note)
                receiver.dispatch(f"{url}?token={password}", repository="acme/products", token=canary())
            receiver.wait_for_runs(4, within=100)
            refused = "SELECT 1 FROM notifications WHERE result = 'refused'"
            receiver.wait_until(lambda: receiver.rows(refused), "who is told has answered")
            outputs["processes"] = b"\n".join(processes())
            headers = {"Authorization": f"Bearer {secret['token of the API']}"}
            for path in (
                *(
                    "/api/runs",
                    "/api/deliveries",
                    "/metrics",
                    "/readyz",
                    "/",
                    "/system",
                    "/providers/Products",
                ),
                "/api/providers/Products/notifications",
            ):
                outputs[path] = requests.get(receiver.url + path, headers=headers, timeout=TIME_LIMIT).content
            for one in receiver.runs():
                for path in (f"/api/runs/{one['id']}", f"/api/runs/{one['id']}/log", f"/runs/{one['id']}"):
                    outputs[path] = requests.get(
                        receiver.url + path, headers=headers, timeout=TIME_LIMIT
                    ).content
                    assert outputs[path]
            run("notify", "pact-dispatch", "notify", "--config", receiver.config, "--test")
            assert b"answered 401" in outputs["notify"]
            run("check-config", "pact-dispatch", "check-config", "--config", receiver.config, "--online")
            run(
                "reconcile",
                "pact-dispatch",
                "reconcile",
                "--config",
                receiver.config,
                "--data-dir",
                "d",
                "--dry-run",
                DATABASE_URL=database_url,
            )
            at_broker = ("--pact-broker-base-url", broker.url)
            at_echo = ("--pact-broker-base-url", target.url)
            for where in (at_broker, at_echo):
                run(f"doctor {where}", "pact-dispatch", "doctor", *where, "--provider", "Products")
                run(f"webhooks {where}", "pact-dispatch", "webhooks", "list", *where, "--output", "json")
                run(
                    f"setup {where}",
                    "pact-dispatch",
                    "setup",
                    *where,
                    "--provider",
                    "Products",
                    "--receiver",
                    receiver.url,
                    "--plan",
                )
            link = broker.get("/webhooks").json()["_links"]["pb:webhooks"][0]["href"]
            uuid = link.rsplit("/", 1)[1]
            for command in ("show", "test", "logs"):
                run(f"webhooks {command}", "pact-dispatch", "webhooks", command, *at_broker, uuid)
            reports = ("--json", "r.json", "--junit", "r.xml", "--html", "r.html", "-v", "--wait", "60")
            url = f"{broker.url}/pacts/provider/Products/consumer/Storefront/latest"
            sends = (
                "--provider-health-path",
                "/health",
                "--custom-provider-header",
                f"X-Token: {secret['token of the API']}",
                "--provider-states-setup-url",
                states,
            )
            # all that verify knows of is told; what it can't know (others' secrets) isn't
            told.write_text(
                json.dumps(
                    {
                        name: secret[name]
                        for name in (
                            "broker's password",
                            "secret in the URL of the states",
                            "token of the API",
                        )
                    }
                )
            )
            run("verify", "verify", url, *at_broker, "--provider-command", provider, *sends, *reports)
            run(
                "verify without a pact",
                "verify",
                f"{target.url}/pacts/x",
                *at_echo,
                "--provider-base-url",
                target.url,
                "-v",
            )
        outputs["receiver's log"] = receiver.output().encode()
        for path in ("/", "/webhooks", f"/webhooks/{uuid}", "/secrets"):
            for accept in ("text/html", "application/hal+json"):
                outputs[f"broker {path} {accept}"] = broker.get(path, headers={"Accept": accept}).content
        outputs["broker's output"] = "".join(broker._output).encode()
    outputs["database"] = rows_of(database_url)
    assert len(outputs["database"]) > 10_000
    assert b"***" in outputs["verify"]
    assert re.search(rb"provider \| \S", outputs["verify"])
    told.unlink()
    without = [accounts, folders["receiver"] / "pact-dispatch.toml"]  # they hold secrets by their purpose
    outputs |= {str(file.relative_to(tmp_path)): content for file, content in files_of(tmp_path, without)}
    # the command line of `verify` has a header and a URL that the user has put there: SECURITY.md warns of it
    found = [f"{place}: {name}" for place, content in outputs.items() for name in found_in(content, known)]
    assert found == [], "\n".join(found)
