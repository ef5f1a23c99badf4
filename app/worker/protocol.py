"""The messages between a worker and its child processes: typed values, which travel as lines of JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any, TypeAlias

from app.database.storable import storable
from app.records.run import Failure
from app.records.run_moments import MomentName
from broker.http.access import BrokerAccess
from broker.http.tls import ORDINARY, Tls
from broker.text.redaction import Redaction
from broker.text.secret_forms import in_url
from broker.traces.spans import FinishedSpan
from verifier.confinement import Account
from verifier.redaction import named_secrets
from verifier.verification import Verification

LEASE_ENDED = 75
"""The exit code of a child that has stopped since its worker's lease has run out (EX_TEMPFAIL of `sysexits.h`)."""


@dataclass(frozen=True)
class AttemptRequest:
    """What a child is asked to verify. The values may be secrets: it travels by a pipe.

    Attributes:
        pact_url: The pact; None for every pact that the broker asks for.
        pact_urls: Those that are verified, in the place of every one.
        done: The URLs of pacts that an earlier attempt has verified, each with the provider's version.
        provider: The provider's settings, in JSON.
        broker: The broker, with its credentials.
        data_dir: Where checkouts are.
        checkout_url: Of the provider's source; it may hold a token.
        sha: The commit to verify, where one was named.
        branch: Its branch.
        build_url: The page of the run, for the broker to show.
        headers: Of requests to the provider, with their values.
        environment: Of the provider's command and setup, with their values.
        account: The account that the provider's commands run as; None for that of the child.
        secrets: Those of the values that came from the environment or from files: no log may show them.
        tls: How TLS connections to the provider are made.
        trace: The span that those of the child are below, as a `traceparent`; None if nothing is traced.
        tells_trace: Whether requests say which span they belong to.
    """

    pact_url: str | None
    provider: dict[str, Any]
    broker: BrokerAccess = field(repr=False)
    data_dir: str
    checkout_url: str | None = field(default=None, repr=False)
    sha: str | None = None
    branch: str | None = None
    build_url: str | None = None
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    environment: dict[str, str] = field(default_factory=dict, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    account: Account | None = None
    tls: Tls = field(default=ORDINARY, repr=False)
    done: tuple[tuple[str, str], ...] = ()
    pact_urls: tuple[str, ...] = ()
    trace: str | None = None
    tells_trace: bool = False

    def to_line(self) -> str:
        """Return it as a line of JSON."""
        return json.dumps(asdict(self)) + "\n"

    @classmethod
    def from_line(cls, line: str) -> AttemptRequest:
        """Read it from a line of JSON."""
        values = json.loads(line)
        account, broker, tls, done = (values.pop(name) for name in ("account", "broker", "tls", "done"))
        pact_urls = tuple(values.pop("pact_urls"))
        return cls(
            **values,
            account=account and Account(**account),
            broker=BrokerAccess(**{**broker, "tls": Tls(**broker["tls"])}),
            tls=Tls(**tls),
            done=tuple((url, version) for url, version in done),
            pact_urls=pact_urls,
        )

    def redaction(self) -> Redaction:
        """Return what hides its secrets in texts."""
        named = named_secrets(self.headers.items(), self.environment)
        urls = (self.checkout_url, self.provider.get("states_setup_url"), self.provider.get("version_url"))
        in_urls = [secret for url in urls if isinstance(url, str) for secret in in_url(url)]
        return Redaction([*self.broker.secrets, *self.secrets, *named, *in_urls])


@dataclass(frozen=True)
class LeaseUntil:
    """How long the worker may carry out what it has asked for, unless it sends another one.

    Attributes:
        end: When that ends, by `app.process.lease.now`.
    """

    end: float

    def to_line(self) -> str:
        """Return it as a line of JSON."""
        return json.dumps({"lease_until": self.end}) + "\n"


def order_from_line(line: str) -> AttemptRequest | LeaseUntil:
    """Read what a worker sends from a line of JSON."""
    values = json.loads(line)
    return LeaseUntil(values["lease_until"]) if "lease_until" in values else AttemptRequest.from_line(line)


@dataclass(frozen=True)
class Ready:
    """The child has started."""


@dataclass(frozen=True)
class LogLine:
    """A line for the run's log."""

    text: str


@dataclass(frozen=True)
class Reached:
    """Something has happened that the page of the run has the time of."""

    moment: MomentName


@dataclass(frozen=True)
class SpansEnded:
    """Spans of the attempt that have ended."""

    spans: tuple[FinishedSpan, ...]


@dataclass(frozen=True)
class Verified:
    """The attempt has ended with a verification."""

    verification: Verification


@dataclass(frozen=True)
class PactVerified:
    """One of all pacts has an outcome.

    Attributes:
        verification: Its verification.
        pending: Whether a failure of it doesn't fail the run.
    """

    verification: Verification
    pending: bool


@dataclass(frozen=True)
class AllVerified:
    """The attempt has ended: each of the pacts has an outcome.

    Attributes:
        pacts: How many the broker asked for.
    """

    pacts: int


ChildMessage: TypeAlias = (
    Ready | LogLine | Reached | SpansEnded | Verified | PactVerified | AllVerified | Failure
)
"""What a child sends."""
LastMessage: TypeAlias = Verified | AllVerified | Failure
"""What ends an attempt."""

_TYPES = {
    "ready": Ready,
    "log": LogLine,
    "reached": Reached,
    "spans": SpansEnded,
    "verified": Verified,
    "pact-verified": PactVerified,
    "all-verified": AllVerified,
    "failed": Failure,
}
_NAMES = {kind: name for name, kind in _TYPES.items()}


class NotAMessage(Exception):
    """A line is none of the messages."""


def to_line(message: ChildMessage) -> str:
    """Return a child's message as a line of JSON."""
    values: dict[str, Any] = {"type": _NAMES[type(message)]}
    if isinstance(message, Verified | PactVerified):  # a verification has a saved form of its own
        values |= vars(message) | {"verification": message.verification.to_dict()}
    elif isinstance(message, SpansEnded):
        values |= {"spans": message.spans}
    else:
        values |= asdict(message)
    return json.dumps(values) + "\n"


def from_line(line: bytes | str) -> ChildMessage:
    """Read a child's message from a line of JSON. What no database could store in its texts is replaced.

    Raises:
        NotAMessage: It is none.
    """
    try:
        values = storable(json.loads(line))
        kind = _TYPES[values.pop("type")]
        if kind in {Verified, PactVerified}:
            values["verification"] = Verification.from_dict(values["verification"])
        if kind is Reached:
            values["moment"] = MomentName(values["moment"])
        if kind is SpansEnded:
            values["spans"] = tuple(FinishedSpan(*one) for one in values["spans"])
        message: ChildMessage = kind(**values)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NotAMessage(f"{type(error).__name__}: {error}") from error
    return message
