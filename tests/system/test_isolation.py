"""A provider that looks for the secrets of those who verify it, in all processes and files that it can read."""

from __future__ import annotations

import json
import os
import pwd
import re
import secrets
import shlex
import subprocess
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import psutil
import pytest
import yaml

from app.config.variables import API_TOKENS, GITHUB_TOKEN, TOKENS, WEBHOOK_SECRET
from tests.support.broker_records import publish, results
from tests.support.ordinary_account import ordinary_account
from tests.support.origin import Origin
from tests.support.pacts import interaction, pact
from tests.support.paths import ROOT
from tests.support.receiver import ReceiverProcess, configuration, wait_until
from tests.support.running import BIN, PROVIDER, READY, environment
from verifier.environment import BROKER_TOKEN
from verifier.landlock import is_available

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.processes import EmbeddedBroker

PACT = pact(interaction("a thing", "/things/1", body={"id": 1, "name": "thing"}), provider="Products")
PYTHON = "/usr/bin/python3"
"""A Python that every account can run."""
BASH = ("/bin/bash", "--noprofile", "--norc", "-eo", "pipefail")
"""The shell of a step, as GitHub's runner starts it."""
CAPABILITIES = ("chown", "dac_override", "fowner", "kill", "setgid", "setuid")
IN_A_CONTAINER = (
    "setpriv",
    "--no-new-privs",
    "--inh-caps=-all",
    f"--bounding-set=-all,{','.join(f'+{name}' for name in CAPABILITIES)}",
)
"""With the rights that the worker has in docs/receiver-containers.md, where root starts providers."""
RUNNING = {"version": "3f2c9d1e5a7b8c9d0e1f2a3b4c5d6e7f8a9b0c1d", "branch": "main", "health_path": "/health"}


class Canaries:
    """Secrets of one test, and the provider that looks for them.

    Args:
        folder: Where the provider writes down what it found.
    """

    def __init__(self, folder: Path) -> None:
        self._mark = f"canary{secrets.token_hex(6)}"
        self._report = folder / "found.json"

    def __call__(self, name: str) -> str:
        """Return the secret of that name."""
        return f"{self._mark}-{name}-{secrets.token_hex(8)}"

    def command(self, *folders: Path, python: str = sys.executable) -> str:
        """Return the command of the provider.

        Args:
            folders: Where it looks, besides all processes.
            python: What runs it.
        """
        words = [python, str(ROOT / "tests/support/prowler.py"), str(self._report)]
        words += [
            self._mark[:7],
            self._mark[7:],
            "--not",
            str(os.getpid()),
            "--younger-than",
            str(os.getpid()),
        ]
        words += [word for folder in folders for word in ("--folder", str(folder))]
        return f"{shlex.join(words)} -- {PROVIDER.replace(sys.executable, python)}"

    def report(self) -> dict[str, Any]:
        """Return what the provider has written down, when it has."""
        report: dict[str, Any] = json.loads(
            wait_until(
                lambda: self._report.exists() and self._report.read_text(), "the provider looked around"
            )
        )
        assert f"/proc/{report['parent']}/cmdline" in report["read"], "it did not look at its parent"
        assert f"/proc/{report['parent']}/environ" in report["refused"]
        return report


@pytest.fixture
def canaries(tmp_path: Path) -> Canaries:
    return Canaries(tmp_path)


@pytest.mark.parametrize(
    ("shell", "options"),
    [
        pytest.param((), ("--unconfined-provider",), id="by itself"),
        pytest.param(("sh", "-c", '"$@"; exit $?', "sh"), (), id="from a shell that has them too"),
    ],
)
def test_the_provider_reads_no_secret_of_verify(
    tmp_path: Path,
    canaries: Canaries,
    broker: EmbeddedBroker,
    shell: tuple[str, ...],
    options: tuple[str, ...],
) -> None:
    if shell and not is_available():
        pytest.skip("this kernel has no Landlock")
    url = publish(broker, PACT, f"IsolationOfVerify{len(shell)}")
    command = [*ordinary_account(), *shell, str(BIN / "verify"), url, *options, *READY]
    variables = {BROKER_TOKEN: canaries("broker"), TOKENS: f"me:{canaries('tokens')}"}
    done = subprocess.run(
        [*command, "--provider-command", canaries.command(tmp_path), "--provider-version-branch", "main"],
        env=environment(**variables, PACT_BROKER_BASE_URL=broker.url),
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert canaries.report()["found"] == {}


def test_the_provider_reads_no_secret_of_the_action(
    tmp_path: Path, canaries: Canaries, broker: EmbeddedBroker
) -> None:
    step = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))["runs"]["steps"][-1]
    script = tmp_path / "script.sh"
    script.write_text(step["run"], encoding="utf-8")
    inputs = {
        "pact-url": publish(broker, PACT, "IsolationOfTheAction"),
        "pact-broker-base-url": broker.url,
        "broker-token": canaries("broker-token"),
        "custom-provider-header": f"Authorization: Bearer {canaries('header')}",
        "provider-command": canaries.command(tmp_path),
        "provider-health-path": "/health",
        "provider-version-branch": "main",
        "provider-app-version": "1",
    }
    variables = {
        "PACT_DISPATCH_INPUTS": json.dumps(inputs),
        "PACT_DISPATCH_FOLDER": str(BIN.parent),
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": canaries("request-token"),
        "ACTIONS_RUNTIME_TOKEN": canaries("runtime-token"),
        "RUNNER_TEMP": str(tmp_path),
    }
    done = subprocess.run(
        [*ordinary_account(), *BASH, str(script)],
        env=environment(**variables),
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert canaries.report()["found"] == {}


def test_the_provider_reads_no_secret_of_the_receiver(
    tmp_path: Path, canaries: Canaries, broker: EmbeddedBroker
) -> None:
    other = {"name": "Other", "repository": "acme/other", "base_url": "http://127.0.0.1:1", "version": "1"}
    config = configuration(
        broker.url,
        {"command": canaries.command(tmp_path), **RUNNING},
        {**other, "environment": {"KEY": {"env": "KEY_OF_THE_OTHER"}}},
        server={"processes": 1},
    )
    token = canaries("tokens")
    variables = {
        TOKENS: f"broker:{token}",
        API_TOKENS: f"me:{canaries('api-tokens')}",
        WEBHOOK_SECRET: canaries("webhook-secret"),
        GITHUB_TOKEN: canaries("github-token"),
        BROKER_TOKEN: canaries("broker-token"),
        "KEY_OF_THE_OTHER": canaries("other-provider"),
        "NPM_TOKEN": canaries("inherited"),
    }
    with ReceiverProcess(tmp_path, config, environment=variables, prefix=ordinary_account()) as server:
        assert server.dispatch(publish(broker, PACT, "IsolationOfServe"), token=token).status_code == 204
        report = canaries.report()
    assert report["found"] == {}


def test_the_provider_neither_reads_nor_kills_the_command_of_another_one(
    tmp_path: Path, canaries: Canaries, broker: EmbeddedBroker
) -> None:
    if not is_available():
        pytest.skip("this kernel has no Landlock")
    waiting = tmp_path / "waiting"
    other: dict[str, Any] = {
        "name": "Other",
        "repository": "acme/other",
        "command": f"sh -c 'echo $$ > {waiting}; exec sleep 600'",
        "environment": {"KEY": {"env": "KEY_OF_THE_OTHER"}},
        "wait": 600.0,
        **RUNNING,
    }
    prowler = {"command": f"sh -c 'kill -9 $(cat {waiting}); exec {canaries.command(tmp_path)}'", **RUNNING}
    config = configuration(broker.url, prowler, other, worker={"stop_seconds": 0.1}, server={"processes": 1})
    with ReceiverProcess(
        tmp_path,
        config,
        environment={"KEY_OF_THE_OTHER": canaries("other-provider")},
        prefix=ordinary_account(),
    ) as server:
        url = publish(broker, {**PACT, "provider": {"name": "Other"}}, "IsolationOfTheOther")
        assert server.dispatch(url, repository="acme/other").status_code == 204
        pid = int(wait_until(lambda: waiting.exists() and waiting.read_text(), "the other one has started"))
        server.dispatch(publish(broker, PACT, "IsolationOfTwo"))
        report = canaries.report()
        assert psutil.pid_exists(pid)
    assert report["found"] == {}
    assert f"/proc/{pid}/environ" in report["refused"]


def test_the_documentation_gives_a_worker_of_root_these_capabilities() -> None:
    text = (ROOT / "docs/receiver-containers.md").read_text(encoding="utf-8")
    [found] = re.findall(r"cap_add: \[(.*)\]", text)
    assert found.lower().split(", ") == list(CAPABILITIES)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start commands as another account")
@pytest.mark.parametrize(
    "prefix", [pytest.param((), id="on a machine"), pytest.param(IN_A_CONTAINER, id="in a container")]
)
def test_root_has_set_up_and_command_of_a_provider_run_by_an_account_without_rights(
    data_dir: Path, tmp_path: Path, broker: EmbeddedBroker, prefix: tuple[str, ...]
) -> None:
    notes = data_dir / "notes"
    notes.mkdir()
    notes.chmod(0o777)
    canaries = Canaries(notes)
    secret_file = data_dir / "dispatch_tokens"
    token = canaries("tokens")
    secret_file.write_text(f"broker:{token}")
    secret_file.chmod(0o600)
    origin = Origin(tmp_path / "products")
    commits = [origin.commit({"lock": "1", "code": str(number), "link": "x"}) for number in range(2)]
    setup = "git describe --always && git status --short && mkdir kept && id -un > kept/account"
    setup += f" && echo $HOME > {notes}/home"
    checkout = {
        "url": origin.url,
        "setup": f"sh -c {shlex.quote(setup)}",
        "command": f"sh -c 'cat kept/account >> {notes}/accounts; exec {canaries.command(data_dir, python=PYTHON)}'",
        "cache_key_files": ["lock"],
        "cache_paths": ["kept"],
    }
    config = configuration(
        broker.url,
        {"checkout": checkout, "health_path": "/health"},
        worker={"provider_user": "nobody"},
        server={"processes": 1},
    )
    environment = {
        f"{TOKENS}_FILE": str(secret_file),
        TOKENS: "",
        API_TOKENS: f"me:{canaries('api-tokens')}",
        BROKER_TOKEN: canaries("broker-token"),
    }
    with ReceiverProcess(data_dir, config, environment=environment, prefix=prefix) as server:
        for number, commit in enumerate(commits):
            url = publish(broker, PACT, f"IsolationAsRoot{number}{len(prefix)}")
            assert server.dispatch(url, token=token, sha=commit).status_code == 204
            report = canaries.report()
            wait_until(partial(results, broker, url), "the result is published", context=server.output)
    assert report["found"] == {}
    assert report["uid"] == pwd.getpwnam("nobody").pw_uid
    refused = set(report["refused"])
    assert {str(secret_file), str(data_dir / "data/postgres"), f"/proc/{report['parent']}/environ"} <= refused
    assert not any(".s.PGSQL" in where for where in report["read"])
    assert (notes / "accounts").read_text() == "nobody\nnobody\n"
    assert (notes / "home").read_text().strip() == str(data_dir / "data/homes/nobody")


def test_web_side_and_worker_need_none_of_each_others_secrets(
    tmp_path: Path, canaries: Canaries, broker: EmbeddedBroker, database_url: str
) -> None:
    provider = {"command": PROVIDER, "environment": {"KEY": {"env": "KEY_OF_THE_PROVIDER"}}, **RUNNING}
    config = configuration(broker.url, provider, server={"processes": 1})
    token = canaries("tokens")
    of_web = {TOKENS: f"broker:{token}", API_TOKENS: f"me:{canaries('api-tokens')}"}
    of_worker = {
        BROKER_TOKEN: canaries("broker-token"),
        "KEY_OF_THE_PROVIDER": "x",
        TOKENS: "",
        API_TOKENS: "",
    }
    folders = tmp_path / "web", tmp_path / "worker"
    for folder in folders:
        folder.mkdir()
    options: dict[str, Any] = {"database_url": database_url}
    with (
        ReceiverProcess(folders[0], config, command="web", environment=of_web, **options) as web,
        ReceiverProcess(folders[1], config, command="worker", environment=of_worker, **options),
    ):
        assert web.dispatch(publish(broker, PACT, "IsolationOfEach"), token=token).status_code == 204
        [run] = web.wait_for_runs()
    assert (run["outcome"], run["publishing"]) == ("passed", "published")
