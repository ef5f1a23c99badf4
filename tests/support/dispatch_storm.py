"""Many dispatches from many clients while workers are killed, and what must have come of them.

The evidence is not the receiver's own: each provider writes down the requests that it gets, and the broker's database
has the results. Each pact asks for things of its own number, one step after another, so that what the provider wrote
down tells which run was at work, and whether another one came between its steps.
"""

from __future__ import annotations

import base64
import json
import random
import sqlite3
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import psutil
import requests

from tests.support.pacts import interaction, pact
from tests.support.receiver import TOKEN
from tests.support.running import scripted_provider

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import TracebackType

    from tests.support.processes import EmbeddedBroker
    from tests.support.receiver import ReceiverProcess

STEPS = 3
VERSION = "3f2c9d1e5a7b8c9d0e1f2a3b4c5d6e7f8a9b0c1d"


@dataclass(frozen=True)
class NotingProvider:
    """A provider that runs, and writes down what it is asked."""

    name: str
    url: str
    notes: Path

    @property
    def settings(self) -> dict[str, Any]:
        """What the receiver's configuration says of it."""
        return {
            "name": self.name,
            "repository": f"acme/{self.name.lower()}",
            "base_url": self.url,
            "health_path": "/health",
            "version": VERSION,
            "branch": "main",
        }

    def lines(self) -> list[tuple[str, str, int]]:
        """Give what it wrote down, in order: `begin` or `end`, the step, the pact's number."""
        if not self.notes.exists():
            return []
        found = []
        for line in self.notes.read_text(encoding="utf-8").splitlines(keepends=True):
            if not line.endswith("\n"):  # it is being written
                break
            _, what, path = line.split()
            _, _, step, number = path.split("/")
            found.append((what, step, int(number)))
        return found

    def verified(self) -> set[int]:
        """Give the numbers of the pacts all of whose steps it was asked for, or at least so many."""
        asked = Counter(
            number for number, _ in {(n, step) for what, step, n in self.lines() if what == "end"}
        )
        return {number for number, steps in asked.items() if steps >= STEPS}

    def overlaps(self) -> list[str]:
        """Give what can't be when there is one run at a time."""
        found = []
        under_way, last = 0, ("", -1)
        for what, step, number in self.lines():
            under_way += 1 if what == "begin" else -1
            if what == "end":
                continue
            if under_way > 1:
                found.append(f"step {step} of pact {number} began while another request was under way")
            elif step != "0" and last != (str(int(step) - 1), number):
                found.append(f"step {step} of pact {number} came after step {last[0]} of pact {last[1]}")
            last = (step, number)
        return found


@contextmanager
def noting_providers(
    folder: Path, number: int, *, takes: float = 0.005, host: str = "127.0.0.1"
) -> Iterator[list[NotingProvider]]:
    """Have so many providers running, which take so many seconds for each answer."""
    with ExitStack() as stack:
        providers = []
        for index in range(number):
            notes = folder / f"notes-{index}"
            options = ("--notes", str(notes), "--takes", str(takes))
            url = stack.enter_context(scripted_provider(*options, host=host))
            providers.append(NotingProvider(f"Provider{index}", url, notes))
        yield providers


@dataclass(frozen=True)
class Asked:
    """A dispatch that is to be sent."""

    number: int
    repository: str
    pact_url: str


def publish_pacts(
    broker: EmbeddedBroker, providers: list[NotingProvider], number: int, *, steps_of_each: int = STEPS
) -> list[Asked]:
    """Publish so many pacts, of one consumer for each provider at a time; gives what their webhooks would send."""
    asked = []
    for first in range(0, number, len(providers)):
        consumer, contracts = f"Consumer{first}", []
        for index, provider in list(enumerate(providers, first))[: number - first]:
            steps = [
                interaction(f"step {step} of {index}", f"/things/{step}/{index}", body={"id": index})
                for step in range(steps_of_each)
            ]
            document = json.dumps(pact(*steps, consumer=consumer, provider=provider.name))
            contracts.append(
                {
                    "consumerName": consumer,
                    "providerName": provider.name,
                    "specification": "pact",
                    "contentType": "application/json",
                    "content": base64.b64encode(document.encode()).decode(),
                }
            )
            path = f"/pacts/provider/{provider.name}/consumer/{consumer}/version/1"
            asked.append(Asked(index, str(provider.settings["repository"]), f"{broker.url}{path}"))
        body = {"pacticipantName": consumer, "pacticipantVersionNumber": "1", "contracts": contracts}
        broker.request("POST", "/contracts/publish", json=body).raise_for_status()
    return asked


def send(
    url: str,
    asked: list[Asked],
    *,
    clients: int,
    deadline: float,
    on_accepted: Callable[[float], None] = lambda _: None,
) -> int:
    """Send dispatches, from several clients at once; each as a broker would, until it is accepted.

    Args:
        url: the receiver.
        asked: what is sent.
        clients: how many send at once.
        deadline: the `time.monotonic()` past which none is tried again.
        on_accepted: called with the seconds from the first try of each to its acceptance.

    Returns:
        How many answers were 503 (or 502 or 504, of a load balancer), or none.

    Raises:
        AssertionError: one was refused, or not accepted in time.
    """
    local, refused, pause = threading.local(), Counter[str](), threading.Event()

    def session() -> requests.Session:
        if not hasattr(local, "session"):
            local.session = requests.Session()
            local.session.trust_env = False
            local.session.headers["Authorization"] = f"Bearer {TOKEN}"
        found: requests.Session = local.session
        return found

    def send_one(one: Asked) -> None:
        body = {"event_type": "pact_changed", "client_payload": {"pact_url": one.pact_url}}
        address = f"{url}/repos/{one.repository}/dispatches"
        began = time.monotonic()
        while True:
            try:
                status = session().post(address, json=body, timeout=60).status_code
            except (requests.ConnectionError, requests.Timeout):
                status = 0
            if status == 204:
                on_accepted(time.monotonic() - began)
                return
            assert status in {0, 502, 503, 504}, f"{one} was answered {status}"
            assert time.monotonic() < deadline, f"{one} was not accepted in time"
            refused[one.pact_url] += 1
            pause.wait(0.2)

    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(send_one, asked))
    return refused.total()


class WorkerKiller:
    """Kills a worker at random, again and again, in the `with` block.

    Args:
        receiver: whose workers.
        every: seconds between kills.
        most: how many kills at most; None for no limit.
        seed: of what is random.
    """

    def __init__(
        self, receiver: ReceiverProcess, *, every: float, most: int | None = None, seed: int = 4
    ) -> None:
        self.kills = 0
        self._receiver = receiver
        self._every = every
        self._most = most
        self._random = random.Random(seed)
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()

    @property
    def over(self) -> bool:
        """Whether it has killed as many as it may."""
        return self._most is not None and self.kills >= self._most

    def _run(self) -> None:
        while not self.over and not self._done.wait(self._every * self._random.uniform(0.5, 1.5)):
            if workers := self._receiver.workers():
                try:
                    self._random.choice(workers).kill()
                except psutil.NoSuchProcess:
                    continue
                self.kills += 1


@dataclass(frozen=True)
class Aftermath:
    """What came of the dispatches.

    Attributes:
        lost: numbers of the pacts without a run that passed, that their provider never was asked for, or that have no
            result in the broker.
        overlaps: of two runs of one provider.
        reruns: runs with more than one attempt.
        twice: pacts with more results in the broker than runs.
        asked_twice: pacts with more than one run, since the answer to a dispatch was lost, and it was sent again.
    """

    lost: tuple[int, ...]
    overlaps: tuple[str, ...]
    reruns: int
    twice: int
    asked_twice: int


def aftermath(
    receiver: ReceiverProcess, broker: EmbeddedBroker, providers: list[NotingProvider], asked: list[Asked]
) -> Aftermath:
    """Look at what the providers wrote down, at the broker's results, and last at the receiver's own runs."""
    verified = set[int]().union(*(provider.verified() for provider in providers))
    with closing(sqlite3.connect(broker.database)) as database:
        results: dict[str, int] = dict(
            database.execute(
                """
                SELECT consumer.name || '/' || provider.name, count(*)
                FROM verification_results JOIN pact_versions ON pact_versions.id = pact_version_id
                  JOIN pacticipants consumer ON consumer.id = pact_versions.consumer_id
                  JOIN pacticipants provider ON provider.id = pact_versions.provider_id
                WHERE verification_results.success GROUP BY 1
                """
            )
        )
    runs = receiver.runs()
    runs_of = Counter(run["pact_url"] for run in runs)
    passed = {run["pact_url"] for run in runs if (run["status"], run["outcome"]) == ("finished", "passed")}

    def has_result(one: Asked) -> int:
        parts = one.pact_url.split("/")
        return results.get(f"{parts[-3]}/{parts[-5]}", 0)

    return Aftermath(
        lost=tuple(
            one.number
            for one in asked
            if one.number not in verified or not has_result(one) or one.pact_url not in passed
        ),
        overlaps=tuple(overlap for provider in providers for overlap in provider.overlaps()),
        reruns=sum(run["attempt"] > 1 for run in runs),
        twice=sum(has_result(one) > max(1, runs_of[one.pact_url]) for one in asked),
        asked_twice=sum(runs_of[one.pact_url] > 1 for one in asked),
    )
