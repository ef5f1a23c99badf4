"""`verify` on a pact, with a provider that answers as a scenario says, and what the provider saw of it."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.compatibility.contents import V4, Content
from tests.support.commands import verify_command
from tests.support.examples import pact_document
from tests.support.loopback import Loopback, Received, Reply
from verifier.request import ProviderUnderTest, VerificationRequest
from verifier.run import verify
from verifier.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from subprocess import CompletedProcess

    from verifier.engine.process import Engine
    from verifier.verification import InteractionResult, Verification

STATES, MESSAGES, HEALTH = "/_states", "/_messages", "/_health"
METADATA_HEADER = "Pact-Message-Metadata"


def pact(version: str, *interactions: dict[str, Any], **parts: Any) -> dict[str, Any]:
    return pact_document(*interactions, metadata={"pactSpecification": {"version": version}}, **parts)


def http(
    version: str,
    *,
    request: dict[str, Any] | None = None,
    response: dict[str, Any] | None = None,
    content: Content | None = None,
    **parts: Any,
) -> dict[str, Any]:
    """Make an HTTP interaction, whose answer has the content if there is one."""
    expected = {"status": 200, **(response or {})}
    if content is not None:
        expected["headers"] = {**content.headers, **expected.get("headers", {})}
        expected["body"] = content.in_pact(version)
    kind = {"type": "Synchronous/HTTP"} if version == V4 else {}
    asked = {"method": "GET", "path": "/parts", **(request or {})}
    return {**kind, "description": "parts in stock", "request": asked, "response": expected, **parts}


def message(
    version: str, content: Content, description: str = "a part was sold", **parts: Any
) -> dict[str, Any]:
    """Make a message; its metadata is given in `parts`, as a pact of V4 spells it."""
    metadata = {"contentType": content.content_type, **parts.pop("metadata", {})}
    kind = {"type": "Asynchronous/Messages"} if version == V4 else {}
    name = "metadata" if version == V4 else "metaData"
    contents = content.in_pact(version)
    return {**kind, "description": description, "contents": contents, name: metadata, **parts}


def message_pact(version: str, *messages: dict[str, Any]) -> dict[str, Any]:
    if version == V4:
        return pact(V4, *messages)
    document = pact(version, messages=list(messages))
    del document["interactions"]
    return document


def reply_with(content: Content, status: int = 200, headers: dict[str, str] | None = None) -> Reply:
    return Reply(status, content.sent, headers={**content.headers, **(headers or {})})


def message_reply(content: Content, metadata: dict[str, Any] | None = None) -> Reply:
    """Answer a message: its metadata are base64-encoded JSON in a header."""
    encoded = base64.b64encode(json.dumps(metadata or {}).encode()).decode()
    return Reply(body=content.sent, headers={**content.headers, METADATA_HEADER: encoded})


@dataclass(frozen=True)
class StateCall:
    """A state change as the provider's handler was asked for it."""

    action: str
    state: str
    params: dict[str, Any]


@dataclass(frozen=True)
class Verified:
    """A verification, and what the provider received meanwhile.

    Attributes:
        verification: What `verify` returned.
        received: All requests, in their order.
    """

    verification: Verification
    received: tuple[Received, ...]

    @property
    def only(self) -> InteractionResult:
        """The result of the only interaction."""
        [result] = self.verification.interactions
        return result

    @property
    def differing(self) -> set[str]:
        """What of the answer differs."""
        return {mismatch.attribute for mismatch in self.only.mismatches}

    @property
    def asked(self) -> tuple[Received, ...]:
        """The requests of the interactions."""
        return tuple(request for request in self.received if request.path not in {STATES, HEALTH})

    @property
    def order(self) -> list[str]:
        """What the provider was asked for, one after the other: paths, and state changes."""
        return [
            "{action} {state}".format_map(request.json) if request.path == STATES else request.path
            for request in self.received
            if request.path != HEALTH
        ]

    @property
    def calls(self) -> list[StateCall]:
        """The state changes."""
        changes = [request.json for request in self.received if request.path == STATES]
        return [StateCall(change["action"], change["state"], change.get("params", {})) for change in changes]


class Verifying:
    """A provider on a port of its own, and an engine, for one verification after the other."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self._engine = engine
        self._folder = folder
        self._answer: Callable[[Received], Reply] = lambda _: Reply()
        self._state_reply: Reply = Reply()
        self.server = Loopback(self._reply)

    def __call__(
        self, document: dict[str, Any] | str, answer: Reply | Callable[[Received], Reply], **options: Any
    ) -> Verified:
        """Verify a pact.

        Args:
            document: The pact, or its URL.
            answer: What the provider answers.
            options: `states` is what the states handler answers, if there is one; `request` are values of the
                `VerificationRequest`; the others those of the `ProviderUnderTest`.
        """
        states: Reply | None = options.pop("states", None)
        self._expect(answer, states)
        url = document if isinstance(document, str) else self._written(document)
        if states is not None:
            options |= {"states_url": self.server.url + STATES, "states_teardown": True}
        if not isinstance(document, str) and _has_messages(document):
            options["transports"] = (Transport("message", self.server.port, MESSAGES),)
        request = options.pop("request", {})
        provider = ProviderUnderTest(base_url=self.server.url, health_path=HEALTH, **options)
        verification = verify(VerificationRequest(url, provider, **request), engine=self._engine)
        return Verified(verification, tuple(self.server.received))

    def by_command(
        self, document: dict[str, Any], answer: Reply | Callable[[Received], Reply], *arguments: str
    ) -> CompletedProcess[str]:
        """Verify a pact by the command `verify`."""
        self._expect(answer)
        options = ["--provider-base-url", self.server.url, "--provider-health-path", HEALTH, *arguments]
        if _has_messages(document):
            options += ["--transport", f"message:{self.server.port}{MESSAGES}"]
        return verify_command(self._written(document), *options, environment={}, engine=self._engine)

    def _expect(self, answer: Reply | Callable[[Received], Reply], states: Reply | None = None) -> None:
        self._answer = answer if callable(answer) else lambda _: answer
        self._state_reply = states or Reply()
        self.server.received.clear()

    def _written(self, document: dict[str, Any]) -> str:
        file = self._folder / "pact.json"
        file.write_text(json.dumps(document), encoding="utf-8")
        return str(file)

    def _reply(self, request: Received) -> Reply:
        if request.path == HEALTH:
            return Reply()
        return self._state_reply if request.path == STATES else self._answer(request)


def _has_messages(document: dict[str, Any]) -> bool:
    kinds = {interaction.get("type") for interaction in document.get("interactions", ())}
    return "messages" in document or "Asynchronous/Messages" in kinds
