"""Damaged pacts, read and reported by `verify`: with an engine that only passes messages on, and with the real one."""

from __future__ import annotations

import io
import json
import os
import tempfile
import xml.etree.ElementTree as ET
from contextlib import contextmanager, nullcontext, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import jsonschema
from hypothesis import strategies as st

from fuzz.answering import Asked, Change, DamagedServer, Right, maybe_changes
from fuzz.campaign import ROOT
from fuzz.choices import below
from fuzz.mutation import Damage, damages
from fuzz.originals import pacts
from fuzz.outcomes import check_output, check_sentence, check_text
from fuzz.target import Target, Violation
from fuzz.targets.broker_answers import right_answer
from verifier.cli import run
from verifier.engine.core_results import interaction_result
from verifier.engine.process import Engine
from verifier.engine.protocol import Job, Results, decode_command, decode_event, encode
from verifier.errors import ErrorKind, UsageError
from verifier.exit_code import ExitCode
from verifier.publishing import result_document
from verifier.report.console import ConsoleReport
from verifier.report.github import GitHubReport
from verifier.report.html import HtmlReport
from verifier.report.interface import Findings
from verifier.report.json import JsonReport
from verifier.report.junit import JunitReport
from verifier.request import ProviderUnderTest, VerificationRequest
from verifier.run import verify
from verifier.transport import Transport
from verifier.verification import Outcome, Verification

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from fuzz.target import Check
    from verifier.verification import InteractionResult

ENGINE_SECONDS = 4.0
SECRET = "a-token-of-the-broker"
PACT_PATH = "/pacts/provider/Bar/consumer/Foo/latest"
LINKS = {
    "pb:publish-verification-results": "/pacts/provider/Bar/consumer/Foo/pact-version/abc/verification-results",
    "pb:latest-verification-results": "/pacts/provider/Bar/consumer/Foo/pact-version/abc/verification-results/latest",
    "pb:provider": "/pacticipants/Bar",
}
SCHEMA = jsonschema.Draft202012Validator(
    json.loads((ROOT / "verifier" / "report" / "verification.schema.json").read_text(encoding="utf-8"))
)


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


def check_verification(verification: Verification, *, healthy: bool) -> None:
    """Raise unless a verification is what it should be, and can be reported, stored and published.

    Args:
        verification: The verification.
        healthy: Whether the provider was up, so that nothing about it can heal.

    Raises:
        Violation: It is not.
    """
    error = verification.error
    if error is not None:
        check_text(error.message, "the message of a verification")
        check_text(error.output, "the engine's output")
        if not error.message.strip():
            raise Violation("a verification's error without a message", error.kind)
        if error.kind == ErrorKind.NOT_A_PACT and error.retryable:
            raise Violation("what is no pact is tried again", error.message)
        if healthy and error.retryable:
            raise Violation(f"what can't heal is tried again: {error.kind}", error.message)
    if verification.outcome != Outcome.ERROR:
        json.dumps(result_document(verification), allow_nan=False)
    _check_reports(
        Findings(verification, publishing=True, publish_error="the broker did not take the result")
    )


def _check_reports(findings: Findings) -> None:
    def written(report: Any) -> str:
        stream = io.StringIO()
        report.write(findings, stream)
        text = stream.getvalue()
        text.encode("utf-8", "backslashreplace")
        check_text(text, f"{type(report).__name__}")
        return text

    document = json.loads(written(JsonReport()))
    SCHEMA.validate(document)
    if Verification.from_dict(document) != findings.verification:
        raise Violation("a saved verification is another one when it is loaded")
    ET.fromstring(written(JunitReport()))
    summary = Path(tempfile.gettempdir()) / f"summary-{os.getpid()}.md"
    files = {"GITHUB_STEP_SUMMARY": str(summary), "GITHUB_OUTPUT": os.devnull}
    try:
        texts = [written(one) for one in (ConsoleReport(quiet=False), HtmlReport(), GitHubReport(files))]
        texts.append(summary.read_text(encoding="utf-8"))
    finally:
        summary.unlink(missing_ok=True)
    for text in texts:
        check_text(text, "a report")
        if "\x1b" in text:
            raise Violation("an escape sequence in a report", text[:2000])


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
            request_timeout=1,
        )
        request = VerificationRequest(str(file), provider, provider_version="1", timeout=ENGINE_SECONDS)
        try:
            verification = verify(request, engine=engine)
        except UsageError as error:
            check_sentence(error)
            return
        check_verification(verification, healthy=healthy)

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
