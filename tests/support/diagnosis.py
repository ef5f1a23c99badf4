"""`pact-dispatch doctor`, and one pact in a real broker that it is asked about."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

from tests.support.commands import pact_dispatch
from tests.support.faulty_broker import FaultyBroker
from tests.support.pacts import interaction, pact
from tests.support.receiver import API_TOKEN, wait_until
from tests.support.running import environment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.support.processes import EmbeddedBroker

GITHUB_TOKEN = "ghp_0123456789abcdefSECRET"
RECEIVER_TOKEN = "a-token-of-the-broker"
SECRETS = (GITHUB_TOKEN, API_TOKEN, RECEIVER_TOKEN, "rw-passw0rd")
VERSION = "3f2c9d1e5a7b8c9d0e1f2a3b4c5d6e7f8a9b0c1d"
REQUIRING = "contract_requiring_verification_published"
CHANGED = "contract_content_changed"
REPOSITORY = "acme/products"


@dataclass(frozen=True)
class Done:
    """What the doctor said."""

    code: int
    out: str
    err: str

    @property
    def report(self) -> dict[str, Any]:
        report: dict[str, Any] = json.loads(self.out)
        return report

    @property
    def first(self) -> str | None:
        """The id of the first broken link."""
        first = self.report["first_broken"]
        return str(first["id"]) if first else None

    @property
    def todo(self) -> str:
        """How to fix it."""
        return str(self.report["first_broken"]["todo"])

    @property
    def found(self) -> str:
        """What it found of that."""
        return str(self.report["first_broken"]["found"])

    @property
    def statuses(self) -> dict[str, str]:
        """The status of each check of the first chain."""
        return {check["id"]: check["status"] for check in self.report["chains"][0]["checks"]}

    def check(self, link: str) -> dict[str, str]:
        """Give a check of the first chain."""
        [found] = [check for check in self.report["chains"][0]["checks"] if check["id"] == link]
        return dict(found)


def doctor(
    url: str, *arguments: str, as_json: bool = True, variables: Mapping[str, str] | None = None
) -> Done:
    """Ask, by the command; no secret may be in what it says."""
    done = pact_dispatch(
        "doctor",
        *arguments,
        *(["--json"] if as_json else []),
        environment=environment(**{"PACT_BROKER_BASE_URL": url, **(variables or {})}),
    )
    for secret in SECRETS:
        assert secret not in done.stdout + done.stderr
    return Done(done.returncode, done.stdout, done.stderr)


def dump(broker: EmbeddedBroker) -> list[str]:
    """Give all that is in the broker's database."""
    with closing(sqlite3.connect(broker.database)) as database:
        return list(database.iterdump())


class Patient:
    """A pact of a consumer with a provider, both of its own, and what belongs to its chain.

    Its webhooks are deleted at the end of the `with` block: the doctor asks for each webhook that a broker has.
    """

    def __init__(self, broker: EmbeddedBroker, provider: str) -> None:
        self.broker = broker
        self.provider = provider
        self.consumer = f"Consumer of {provider}"
        self.variables: dict[str, str] = {}
        self.options: tuple[str, ...] = ()
        self._webhooks: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for uuid in self._webhooks:
            assert self.broker.request("DELETE", f"/webhooks/{uuid}").status_code in {204, 404}

    @property
    def pair(self) -> str:
        return f"/pacts/provider/{quote(self.provider, safe='')}/consumer/{quote(self.consumer, safe='')}"

    @property
    def pacticipant(self) -> str:
        """The path of the provider."""
        return f"/pacticipants/{quote(self.provider, safe='')}"

    def put_on_branch(self, version: str = VERSION, branch: str = "main") -> None:
        """Have a version of the provider on its main branch."""
        path = f"{self.pacticipant}/branches/{quote(branch, safe='')}/versions/{version}"
        assert self.broker.request("PUT", path, json={}).ok

    def add_webhook(
        self,
        url: str,
        *events: str,
        secret: str | None = "githubToken",
        body: Any = None,
        enabled: bool = True,
        consumer: str | None = None,
    ) -> str:
        """Create a webhook that dispatches to a repository; gives its UUID."""
        scope = {"provider": {"name": self.provider}} | ({"consumer": {"name": consumer}} if consumer else {})
        headers = {"Content-Type": "application/json"}
        if secret is not None:
            headers["Authorization"] = f"Bearer ${{user.{secret}}}"
        document = {
            **scope,
            "enabled": enabled,
            "events": [{"name": event} for event in events or (REQUIRING,)],
            "request": {
                "method": "POST",
                "url": url,
                "headers": headers,
                "body": body
                or {"event_type": "pact_changed", "client_payload": {"pact_url": "${pactbroker.pactUrl}"}},
            },
        }
        for name in (self.provider, consumer):
            if name is not None:
                self.broker.request("POST", "/pacticipants", json={"name": name})
        answer = self.broker.request("POST", "/webhooks", json=document)
        assert answer.status_code == 201, answer.text
        self._webhooks.append(str(answer.json()["uuid"]))
        return self._webhooks[-1]

    def publish(self, version: str = "1.0.0", document: Mapping[str, Any] | None = None) -> None:
        """Publish the pact."""
        content = document or pact(interaction("a thing", "/things/1", body={"id": 1}))
        content = {**content, "consumer": {"name": self.consumer}, "provider": {"name": self.provider}}
        self.broker.publish(content, version, branch="main")

    def publish_result(self, version: str = VERSION, *, success: bool = True) -> None:
        """Publish a result of the latest pact, as a verifier does."""
        links = self.broker.get(f"{self.pair}/latest").json()["_links"]
        body = {"success": success, "providerApplicationVersion": version}
        answer = self.broker.request("POST", links["pb:publish-verification-results"]["href"], json=body)
        assert answer.status_code == 201

    def wait_until_delivered(self, status: str = "success") -> None:
        """Wait until what was triggered has come to this."""

        def done() -> bool:
            found = self.broker.get(f"{self.pair}/webhooks/status").json()["_embedded"]["triggeredWebhooks"]
            return bool(found) and all(one["status"] == status for one in found)

        wait_until(done, f"deliveries are {status}")

    def diagnose(
        self,
        *options: str,
        as_json: bool = True,
        distort: Callable[[bytes], bytes] = bytes,
        **variables: str,
    ) -> Done:
        """Ask the doctor about version 1.0.0, and see that nothing was changed and nothing but GET was sent.

        Args:
            options: of the command.
            as_json: the report as JSON.
            distort: changes what the broker answers.
            variables: of the environment.
        """
        asked = ("--consumer", self.consumer, "--version", "1.0.0", "--provider", self.provider)
        with FaultyBroker(self.broker.url) as between:
            between.rewrite = lambda body: distort(
                body.replace(self.broker.url.encode(), between.url.encode())
            )
            before = dump(self.broker)
            done = doctor(
                between.url,
                *(options if "--provider" in options else (*asked, *options)),
                *self.options,
                as_json=as_json,
                variables={**self.variables, **variables},
            )
            assert dump(self.broker) == before
            assert {seen.method for seen in between.seen} == {"GET"}
        return done
