"""Damaged pacts, read and reported by `verify`: with an engine that only passes messages on, and with the real one."""

from __future__ import annotations

import io
import json
import tempfile
from contextlib import contextmanager, nullcontext, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from hypothesis import strategies as st

from fuzz.answering import Asked, Change, DamagedServer, Right, maybe_changes
from fuzz.choices import below
from fuzz.mutation import Damage, damages
from fuzz.originals import pacts
from fuzz.outcomes import check_output, check_sentence
from fuzz.stopwatch import Stopwatch
from fuzz.target import Target, Violation
from fuzz.targets.broker_answers import right_answer
from fuzz.verifications import check_verification
from verifier.cli import run
from verifier.engine.core_results import interaction_result
from verifier.engine.process import Engine
from verifier.engine.protocol import Job, Results, decode_command, decode_event, encode
from verifier.errors import UsageError
from verifier.exit_code import ExitCode
from verifier.request import ProviderUnderTest, VerificationRequest
from verifier.run import verify
from verifier.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from fuzz.target import Check
    from verifier.verification import InteractionResult

ENGINE_SECONDS = 4.0
REQUEST_SECONDS = 1.0
SECRET = "a-token-of-the-broker"
PACT_PATH = "/pacts/provider/Bar/consumer/Foo/latest"
LINKS = {
    "pb:publish-verification-results": "/pacts/provider/Bar/consumer/Foo/pact-version/abc/verification-results",
    "pb:latest-verification-results": "/pacts/provider/Bar/consumer/Foo/pact-version/abc/verification-results/latest",
    "pb:provider": "/pacticipants/Bar",
}


@dataclass(frozen=True)
class DamagedPact:
    """A pact.

    Attributes:
        original: Which of the real pacts it was.
        damage: What was done to it.
        states: Whether there is a URL that sets provider states up.
    """

    original: int
    damage: Damage
    states: bool

    @property
    def content(self) -> bytes:
        """The document."""
        originals = pacts()
        return self.damage.content(originals[self.original % len(originals)])


class PassingEngine(Engine):
    """An engine without a process: what crosses the pipe is encoded and decoded, and every other interaction passes."""

    def __init__(self) -> None:
        pass  # nothing is started

    def close(self) -> None:
        """Do nothing."""

    def restart(self) -> None:
        """Do nothing."""

    def guard(self, group: int | None) -> None:
        """Do nothing."""

    def run(
        self,
        job: Job,
        *,
        deadline: float,  # noqa: ARG002 - the engine's
        on_results: Callable[[Sequence[InteractionResult]], None],
        on_note: Callable[[str], None],  # noqa: ARG002 - the engine's
        watch: Callable[[], None],  # noqa: ARG002 - the engine's
        meanwhile: Callable[[], None] = lambda: None,  # noqa: ARG002 - the engine's
    ) -> None:
        """Answer a job with results that the core could have given."""
        received = decode_command(encode(job))
        assert isinstance(received, Job)
        interactions = [received.pact.interactions[index] for index in received.indexes]
        json.loads(received.pact.shard(tuple(interactions)))
        results = tuple(
            interaction_result(
                one, {"result": "OK", "duration": "1ms"} if one.index % 2 else _mismatch(one.document)
            )
            for one in interactions
        )
        event = decode_event(encode(Results(results)))
        assert isinstance(event, Results)
        on_results(event.results)


def _mismatch(document: dict[str, Any]) -> dict[str, Any]:
    """Return a result of the core, with texts of the pact in it."""
    text = json.dumps(document.get("response"))[:3000]
    mismatch = {"type": "BodyMismatch", "path": "$.id", "expected": text, "actual": text, "mismatch": text}
    return {"result": "Error", "mismatch": {"type": "mismatches", "mismatches": [mismatch]}}


def _right(asked: Asked) -> Right:
    """Answer as the provider of the pacts."""
    if asked.method == "POST":
        return Right(200, {})
    last = asked.path.rpartition("/")[2]
    return Right(200, {"id": int(last) if last.isdecimal() and len(last) < 9 else 1, "name": "thing"})


def _check_of(server: DamagedServer, file: Path, engine: Engine, *, healthy: bool) -> Check:
    def check(given: DamagedPact) -> None:
        file.write_bytes(given.content)
        server.tell(())
        provider = ProviderUnderTest(
            base_url=server.url,
            states_url=f"{server.url}/_states" if given.states else None,
            transports=(Transport("message", int(server.url.rpartition(":")[2]), "/_messages"),),
            wait=ENGINE_SECONDS,
            request_timeout=REQUEST_SECONDS,
        )
        request = VerificationRequest(str(file), provider, provider_version="1", timeout=ENGINE_SECONDS)
        stopwatch = Stopwatch()
        try:
            verification = verify(request, engine=engine)
        except UsageError as error:
            check_sentence(error)
            return
        is_retryable = verification.error is not None and verification.error.retryable
        # on a busy machine a healthy provider, too, may answer too late
        check_verification(
            verification, healthy=healthy and not (is_retryable and stopwatch.waited() > REQUEST_SECONDS)
        )

    return check


@contextmanager
def _open() -> Iterator[Check]:
    with tempfile.TemporaryDirectory() as folder, DamagedServer(_right) as server:
        yield _check_of(server, Path(folder) / "pact.json", PassingEngine(), healthy=True)


@contextmanager
def _open_with_engine() -> Iterator[Check]:
    with tempfile.TemporaryDirectory() as folder, DamagedServer(_right) as server, Engine() as engine:
        check = _check_of(server, Path(folder) / "pact.json", engine, healthy=True)

        def check_and_restart(given: DamagedPact) -> None:
            try:
                check(given)
            finally:
                if engine._child.poll() is not None:  # noqa: SLF001 - it crashed, or time ran out
                    engine.restart()

        yield check_and_restart


@dataclass(frozen=True)
class CommandAnswers:
    """A pact that `verify` fetches, and how the broker's answers differ: first the pact, then what publishing asks."""

    original: int
    passes: bool
    changes: tuple[Change | None, ...]


@contextmanager
def _open_command() -> Iterator[Check]:
    document: list[Any] = [{}]

    def answer(asked: Asked) -> Right:
        if asked.method == "GET" and asked.path == PACT_PATH:
            links = {name: {"href": broker.url + path} for name, path in LINKS.items()}
            return Right(200, {**document[0], "_links": links})
        return right_answer(broker.url, asked)

    with (
        DamagedServer(answer) as broker,
        DamagedServer(_right) as server,
        Engine() as engine,
        patch("verifier.cli.SpawnedChild", nullcontext),
        patch("verifier.command.execution.Engine", lambda _: nullcontext(engine)),
        patch("verifier.fetch.FETCH_SECONDS", 0.0),
        patch("verifier.command.verify.PUBLISH_SECONDS", 0.0),
    ):

        def check(given: CommandAnswers) -> None:
            document[0] = pacts()[given.original % len(pacts())]
            broker.tell(given.changes)
            server.tell(() if given.passes else (None, Change(status="404")))
            try:
                _run_command(broker.url, server.url)
            finally:
                if engine._child.poll() is not None:  # noqa: SLF001 - it crashed, or time ran out
                    engine.restart()

        yield check


def _run_command(broker: str, provider: str) -> None:
    environment = {
        "PACT_BROKER_BASE_URL": broker,
        "PACT_BROKER_TOKEN": SECRET,
        "PACT_PROVIDER_BASE_URL": provider,
        "GIT_COMMIT": "3f2c9d1e5a7b8c9d0e1f2a3b4c5d6e7f8a9b0c1d",
        "GIT_BRANCH": "main",
    }
    out = io.StringIO()
    with patch.dict("os.environ", environment, clear=True), redirect_stdout(out), redirect_stderr(out):
        code = run(
            [
                "--pact-url",
                broker + PACT_PATH,
                "--publish-verification-results",
                "--timeout",
                f"{ENGINE_SECONDS:g}",
            ]
        )
    text = out.getvalue()
    check_output(text, "verify", SECRET)
    if code not in set(ExitCode) - {ExitCode.INTERRUPTED}:
        raise Violation(f"exit code {code} of verify", text)


INPUTS = st.builds(DamagedPact, original=below(6), damage=damages(2000), states=st.booleans())

PACTS = Target(
    name="pacts",
    about="pacts, read and reported by verify",
    share=220,
    kind=DamagedPact,
    inputs=INPUTS,
    open=_open,
)
PACTS_ENGINE = Target(
    name="pacts-engine",
    about="pacts, replayed by the engine against a provider",
    share=15,
    kind=DamagedPact,
    inputs=INPUTS,
    open=_open_with_engine,
)
PACTS_COMMAND = Target(
    name="pacts-command",
    about="pacts that the verify command fetches from a broker, replays and publishes",
    share=15,
    kind=CommandAnswers,
    inputs=st.builds(
        CommandAnswers,
        original=below(6),
        passes=st.booleans(),
        changes=maybe_changes(8, drips=False),
    ),
    open=_open_command,
)
