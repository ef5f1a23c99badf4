"""A run against a checkout, as a worker's child does it: the result is for the commit that was verified."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from app.config.file import load
from app.config.provider import CheckoutProvider
from app.process.lease import now
from app.records.run import Failure
from app.worker.protocol import LEASE_ENDED, AttemptRequest, LeaseUntil, Verified, from_line
from broker.http.access import BrokerAccess
from tests.support.killable import wait_until
from tests.support.origin import Origin
from tests.support.pacts import interaction, pact, things
from tests.support.paths import ROOT
from tests.support.processes import EmbeddedBroker
from tests.support.running import scripted_provider

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PYTHON = shlex.quote(sys.executable)
OPTIONS = 'filter-description = "nothing has it"\nprovider-command = "false"\n'
"""Options of the command `verify` in a repository, which a receiver doesn't take."""
GREETING = "import os, pathlib; pathlib.Path('ready').write_text(os.environ['GREETING'])"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker(tmp_path) as started:
        yield started


def carry_out(request: AttemptRequest, folder: Path) -> Verified | Failure:
    """Have a child of a worker that runs in a folder carry out a request, and return what came of it."""
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "app.worker.child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(request.to_line())
        child.stdin.flush()
        messages = map(from_line, child.stdout)
        ended = next(message for message in messages if isinstance(message, Verified | Failure))
        child.stdin.close()
        return ended


def test_the_dispatched_commit_is_verified_and_published_for_its_full_id(
    tmp_path: Path, broker: EmbeddedBroker
) -> None:
    origin = Origin(tmp_path / "git" / "things")
    provider = (ROOT / "tests/support/scripted_provider.py").read_text()
    good = origin.commit(
        {
            "provider.py": provider,
            "app.lock": "1",
            "pyproject.toml": f"[tool.pact-dispatch]\n{OPTIONS}",
            "pact-dispatch.toml": f"[verify]\n{OPTIONS}",
        }
    )
    broken = origin.commit(
        {"provider.py": provider.replace('"name": "thing"', '"name": 7').replace('"id"', '"ID"')}
    )
    broker.publish(pact(*things(2)), "1.0.0", branch="main")

    def run(sha: str | None) -> Verified | Failure:
        return carry_out(
            AttemptRequest(
                pact_url=f"{broker.url}/pacts/provider/Things/consumer/Storefront/latest",
                provider={
                    "name": "Things",
                    "repository": "acme/things",
                    "checkout": {
                        "url": origin.url,
                        "setup": f"{PYTHON} -c {shlex.quote(GREETING)}",
                        "command": f"{PYTHON} provider.py",
                        "cache_key_files": ["app.lock"],
                        "cache_paths": ["ready"],
                    },
                },
                broker=BrokerAccess(broker.url),
                checkout_url=origin.url,
                data_dir=str(tmp_path / "data"),
                sha=sha,
                environment={"GREETING": "hello"},
            ),
            tmp_path / "git" / "things",
        )

    for sha, commit, outcome in (
        (good[:10], good, "passed"),
        (broken, broken, "failed"),
        (None, broken, "failed"),
        (good, good, "passed"),
    ):
        ended = run(sha)
        assert isinstance(ended, Verified), ended
        assert ended.verification.outcome == outcome, ended
        assert commit in json.dumps(ended.verification.to_dict())
    failed = run("1" * 40)
    assert isinstance(failed, Failure)
    assert (failed.kind, failed.retryable) == ("no-such-commit", False)
    checkouts = tmp_path / "data" / "checkouts"
    wait_until(lambda: not list(checkouts.glob("*/0/things")), "the checkout is still there")


def test_a_verification_whose_lease_has_run_out_stops_without_an_outcome(
    tmp_path: Path, broker: EmbeddedBroker
) -> None:
    notes = tmp_path / "notes"
    broker.publish(pact(interaction("a thing", "/hang"), provider="Things"), "1.0.0")
    with (
        scripted_provider("--notes", str(notes)) as url,
        subprocess.Popen(
            [sys.executable, "-P", "-m", "app.worker.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        ) as child,
    ):
        assert child.stdin is not None
        assert child.stdout is not None
        request = AttemptRequest(
            pact_url=f"{broker.url}/pacts/provider/Things/consumer/Storefront/latest",
            provider={"name": "Things", "repository": "acme/things", "base_url": url, "version": "1"},
            broker=BrokerAccess(broker.url),
            data_dir=str(tmp_path / "data"),
        )
        child.stdin.write(LeaseUntil(now() + 3600.0).to_line() + request.to_line())
        child.stdin.flush()
        wait_until(notes.exists, "the provider is asked")
        child.stdin.write(LeaseUntil(-float("inf")).to_line())
        child.stdin.flush()
        messages = [from_line(line) for line in child.stdout]
        assert child.wait(60) == LEASE_ENDED

    assert not [message for message in messages if isinstance(message, Verified | Failure)]


def test_the_documented_configuration_is_one(tmp_path: Path) -> None:
    examples = re.findall(r"```toml\n(.*?)```", (ROOT / "docs/checkout.md").read_text(), re.DOTALL)
    file = tmp_path / "pact-dispatch.toml"
    file.write_text("\n".join(examples))
    (provider,) = load(file, {"GIT_HEADER": "Authorization: Basic eDp5"}).providers
    assert isinstance(provider, CheckoutProvider)
    assert provider.checkout.cache_paths == (".venv",)
    assert len(provider.environment) == 3
