"""What the tests of `pact-dispatch setup` share: a real broker, GitHub's API on loopback, and the command."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.broker_accounts import ACCOUNTS, PASSWORD
from tests.support.commands import pact_dispatch
from tests.support.github_api import GitHubApi
from tests.support.github_state import Repository, Token
from tests.support.paths import ROOT
from tests.support.processes import EmbeddedBroker
from tests.support.receiver import API_TOKEN
from tests.support.receiver import TOKEN as RECEIVER_TOKEN
from tests.support.running import environment
from tests.support.webhook_documents import OPEN

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN = "github_pat_11AAAAAAA0123456789abcdef"
OTHER_TOKEN = "github_pat_22BBBBBBB0123456789abcdef"
FILE = ".github/workflows/pact_changed.yml"
LISTENS = "on:\n  repository_dispatch:\n    types: [pact_changed]\n"
PACT = json.loads((ROOT / "examples/storefront-products.json").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)

    @property
    def steps(self) -> dict[str, Any]:
        return {step["name"]: step for step in self.document["steps"]}

    @property
    def states(self) -> dict[str, str]:
        return {name: step["state"] for name, step in self.steps.items()}


class Setup:
    """Runs `pact-dispatch setup` for acme/products, with `--json` unless told otherwise."""

    def __init__(self, broker_url: str, *target: str) -> None:
        self._target = target
        self.variables = {
            "PACT_BROKER_BASE_URL": broker_url,
            "PACT_BROKER_USERNAME": "ci",
            "PACT_BROKER_PASSWORD": PASSWORD,
            "GITHUB_TOKEN": TOKEN,
            "PACT_DISPATCH_RECEIVER_TOKEN": RECEIVER_TOKEN,
            "PACT_DISPATCH_API_TOKEN": API_TOKEN,
        }

    def __call__(self, *arguments: str, output: tuple[str, ...] = ("--json",), **variables: str) -> Done:
        wanted = ("--repository", "acme/products", "--provider", "Products")
        done = pact_dispatch(
            "setup",
            *wanted,
            *self._target,
            *output,
            *arguments,
            environment=environment(**{**self.variables, **variables}),
        )
        for secret in (TOKEN, OTHER_TOKEN, PASSWORD, RECEIVER_TOKEN, API_TOKEN):
            assert secret not in done.stdout + done.stderr
        return Done(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedBroker]:
    folder = tmp_path_factory.mktemp("setup-command")
    access = folder / "access.toml"
    access.write_text(ACCOUNTS)
    access.chmod(0o600)
    with EmbeddedBroker(folder, *OPEN, "--access", str(access), "--webhook-retry-seconds", "none") as broker:
        broker.session.auth = ("ci", PASSWORD)
        broker.publish(PACT, "1.0.0", "main")
        yield broker


@pytest.fixture
def broker(running: EmbeddedBroker) -> Iterator[EmbeddedBroker]:
    yield running
    for rel in ("pb:webhooks", "pb:secrets"):
        for link in running.get(f"/{rel[3:]}").json()["_links"][rel]:
            running.request("DELETE", link["href"])


@pytest.fixture
def api() -> Iterator[GitHubApi]:
    repository = Repository("acme/products", files={FILE: LISTENS})
    with GitHubApi(repository, tokens=(Token(TOKEN), Token(OTHER_TOKEN))) as server:
        yield server


@pytest.fixture
def setup(broker: EmbeddedBroker, api: GitHubApi) -> Setup:
    return Setup(broker.url, "--github-url", api.url)


def kept(broker: EmbeddedBroker) -> list[Any]:
    """What the broker keeps of secrets and webhooks, with the times at which they were changed."""
    secrets = broker.get("/secrets").json()["_embedded"]["secrets"]
    links = broker.get("/webhooks").json()["_links"]["pb:webhooks"]
    return [*secrets, *(broker.get(link["href"]).json() for link in links)]


def contents(broker: EmbeddedBroker) -> list[str]:
    """All that is in the broker's database."""
    with closing(sqlite3.connect(broker.database)) as database:
        return list(database.iterdump())


def dispatches(api: GitHubApi) -> list[dict[str, Any]]:
    return api.repository("acme/products").dispatches


def sent_tokens(api: GitHubApi) -> list[str]:
    return [asked.headers["authorization"] for asked in api.asked if asked.path.endswith("/dispatches")]
