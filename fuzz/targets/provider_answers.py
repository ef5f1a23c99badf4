"""Damaged answers of a provider and of a receiver: readiness, states, version; and interactions by the engine."""

from __future__ import annotations

import json
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from hypothesis import strategies as st

from app.provider import version
from app.receiver_client import NoReceiver, ReceiverAway, ReceiverClient, ReceiverRefused
from broker.http.limits import Limits
from broker.text.cut import LONGEST_READ
from fuzz.answering import Asked, Change, DamagedServer, Right, Sent, changes, maybe_changes
from fuzz.choices import below, pick, several
from fuzz.originals import pacts
from fuzz.outcomes import check_sentence, expect
from fuzz.target import Target, Violation
from fuzz.verifications import check_verification
from tests.support.pacts import interaction, pact
from verifier.engine.core_results import GATEWAY_STATUSES
from verifier.engine.process import Engine
from verifier.engine.states.change import StateChange, StateChangeFailed
from verifier.engine.states.handlers import UrlHandler
from verifier.errors import CannotVerify
from verifier.provider.readiness import wait_until_ready
from verifier.request import ProviderUnderTest, VerificationRequest
from verifier.run import verify
from verifier.transport import Transport
from verifier.verification import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fuzz.target import Check
    from verifier.verification import Verification

SECONDS = 1.0
READY_SECONDS = 0.05
STATES, MESSAGES = "/_states", "/_messages"
REDIRECTED = pact(
    interaction("moved", "/moved", status=302),
    interaction("a thing", "/things/1", body={"id": 1}),
)
RUN = {"id": "1", "status": "finished", "outcome": "passed", "provider": "Things", "deliveries": ["1"]}
DOCUMENTS = {
    "/version": {"version": {"sha": "3f2c9d1e5a7b8c9d0e1f2a3b4c5d6e7f8a9b0c1d", "list": ["1", 2]}},
    STATES: {"id": 1},
    "/readyz": {"ready": True, "problems": [], "details": [], "queue": {"workers": 1, "waiting": 0}},
    "/api/deliveries": {"items": [{"id": "1", "payload": {}}], "next": None},
    "/api/runs": {"items": [RUN], "next": None},
    "/api/runs/1": RUN,
    "/api/deliveries/1": {"id": "1", "payload": {}},
    "/api/runs/1/log": "a line of the log",
    "/api/runs/1/verification": {"schema_version": 1, "outcome": "passed"},
    "/api/runs/1/cancel": RUN,
    "/api/deliveries/1/redeliver": {"id": "2", "payload": {}},
}


@dataclass(frozen=True)
class ProviderAnswers:
    """What is asked of a provider or a receiver, and how the answers differ from the right ones."""

    operation: str
    changes: tuple[Change | None, ...]


@dataclass(frozen=True)
class InteractionAnswers:
    """How a provider's answers to the interactions of a pact differ; the first one is to the health check."""

    original: int
    states: bool
    changes: tuple[Change | None, ...]


def right(asked: Asked) -> Right:
    """Return the answer of a provider, or of a receiver."""
    path = asked.path.partition("?")[0]
    if path in DOCUMENTS:
        return Right(200, DOCUMENTS[path])
    if path == "/moved":
        return Right(302, headers=((b"Location", b"/things/1"),))
    if path.endswith("/dispatches"):
        return Right(422, {"message": "Validation Failed", "status": "422"})
    last = path.rpartition("/")[2]
    return Right(200, {"id": int(last) if last.isdecimal() and len(last) < 9 else 1, "name": "thing"})


def _ready(server: DamagedServer) -> None:
    wait_until_ready(
        (server.url,),
        "/health",
        wait=READY_SECONDS,
        deadline=time.monotonic() + SECONDS,
        check_alive=lambda: None,
    )


def _state(server: DamagedServer) -> None:
    handler = UrlHandler(f"{server.url}{STATES}?token=abc", timeout=SECONDS)
    for action in ("setup", "teardown"):
        change = StateChange("a thing", action, {}, b'{"state": "a thing"}')
        try:
            values = handler(change)
        except StateChangeFailed as error:
            # the engine passes what the handler said on, to where its secrets are known and it is cut
            check_sentence(error, longest=LONGEST_READ + 1000)
            return
        if not isinstance(values, bytes):
            raise Violation("a state handler's answer is not bytes")


def _version(pointer: str | None) -> Callable[[DamagedServer], None]:
    def ask(server: DamagedServer) -> None:
        found = version.ask(f"{server.url}/version", pointer)
        if not found or not found.isprintable() or len(found) > 255:
            raise Violation("a version that is none", repr(found))

    return ask


def _receiver(ask: Callable[[ReceiverClient], object]) -> Callable[[DamagedServer], object]:
    return lambda server: ask(ReceiverClient(server.url, "a-token-of-the-api"))


OPERATIONS: dict[str, Callable[[DamagedServer], object]] = {
    "readiness": _ready,
    "states": _state,
    "version": _version("/version/sha"),
    "version in a list": _version("/version/list/1"),
    "version as text": _version(None),
    "receiver's health": _receiver(lambda client: client.health()),
    "receiver's status": _receiver(lambda client: client.status("/readyz")),
    "receiver's dispatches": _receiver(lambda client: client.check_token("acme/things", "a-token")),
    "receiver's deliveries": _receiver(lambda client: client.deliveries("acme/things")),
    "receiver's runs": _receiver(lambda client: client.runs("Things", "Storefront")),
    "receiver's run": _receiver(lambda client: client.run("1")),
    "receiver's delivery": _receiver(lambda client: client.delivery("1")),
    "receiver's log": _receiver(lambda client: client.log("1")),
    "receiver's verification": _receiver(lambda client: client.verification("1")),
    "receiver's cancelling": _receiver(lambda client: client.cancel("1")),
    "receiver's redelivery": _receiver(lambda client: client.redeliver("1")),
}
EXPECTED = (
    CannotVerify,
    version.VersionUnknown,
    ReceiverAway,
    NoReceiver,
    ReceiverRefused,
)


@contextmanager
def _open() -> Iterator[Check]:
    limits = Limits(seconds=SECONDS, max_bytes=1024 * 1024)
    with (
        DamagedServer(right) as server,
        patch("app.provider.version.LIMITS", limits),
        patch("app.receiver_client.LIMITS", limits),
    ):

        def check(given: ProviderAnswers) -> None:
            server.tell(given.changes)
            expect(lambda: OPERATIONS[given.operation](server), *EXPECTED)

        yield check


def check_outages(verification: Verification, sent: list[Sent]) -> None:
    """Raise if anything is said of an interaction of which nothing but outages was seen.

    Args:
        verification: The verification.
        sent: The answers to all requests but the health check's.

    Raises:
        Violation: It is.
    """
    for result in verification.interactions:
        path = MESSAGES if result.request == "message" else result.request.partition(" ")[2].partition("?")[0]
        own = [one for one in sent if one.path == path or (one.path == STATES and one.change != Change())]
        if result.outcome != Outcome.ERROR and own and all(map(is_outage, own)):
            raise Violation("an outage is taken for the provider's word", repr(result)[:2000])


def is_outage(sent: Sent) -> bool:
    """Return whether an answer was a gateway's, or not whole when its connection ended or its time was over.

    One that was whole before its connection was reset is the provider's word.
    """
    at_most = 2 * SECONDS / sent.change.drip if sent.change.drip else 0
    return sent.change.status in GATEWAY_STATUSES or sent.missing > at_most


@contextmanager
def _open_with_engine() -> Iterator[Check]:
    with tempfile.TemporaryDirectory() as folder, DamagedServer(right) as server, Engine() as engine:
        files = [
            _written(Path(folder) / f"{number}.json", document)
            for number, document in enumerate((*pacts(), REDIRECTED))
        ]
        port = int(server.url.rpartition(":")[2])

        def check(given: InteractionAnswers) -> None:
            server.tell((None, *given.changes))
            provider = ProviderUnderTest(
                base_url=server.url,
                states_url=server.url + STATES if given.states else None,
                transports=(Transport("message", port, MESSAGES),),
                wait=SECONDS,
                request_timeout=SECONDS,
            )
            file = files[given.original % len(files)]
            request = VerificationRequest(str(file), provider, provider_version="1", timeout=3 * SECONDS)
            try:
                verification = verify(request, engine=engine)
            finally:
                if engine._child.poll() is not None:  # noqa: SLF001 - it crashed, or time ran out
                    engine.restart()
            check_verification(verification, healthy=False)
            check_outages(verification, list(server.sent)[1:])

        yield check


def _written(file: Path, document: dict[str, Any]) -> Path:
    file.write_text(json.dumps(document), encoding="utf-8")
    return file


PROVIDER_ANSWERS = Target(
    name="provider-answers",
    about="answers of a provider (readiness, states, version) and of a receiver",
    share=120,
    kind=ProviderAnswers,
    inputs=st.builds(
        ProviderAnswers,
        operation=pick(sorted(OPERATIONS)),
        changes=several(changes(), 2),
    ),
    open=_open,
)
PROVIDER_ANSWERS_ENGINE = Target(
    name="provider-answers-engine",
    about="answers of a provider to the interactions that the engine replays",
    share=10,
    kind=InteractionAnswers,
    inputs=st.builds(
        InteractionAnswers,
        original=below(7),
        states=st.booleans(),
        changes=maybe_changes(6),
    ),
    open=_open_with_engine,
)
