"""What a worker has one of its children do, and what the child says of it; both travel as lines of JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from verifier.redaction import Redaction


@dataclass(frozen=True)
class Order:
    """One run, as its child needs to know it. The values may be secrets: it travels by a pipe.

    Attributes:
        pact_url: which pact.
        provider: the provider's settings, in JSON.
        broker: base_url, username, password, token.
        data_dir: where checkouts are.
        checkout_url: of the provider's source; it may hold a token.
        sha: the commit asked for.
        branch: its branch.
        build_url: the run, for the broker to show.
        headers: of requests to the provider, with their values.
        environment: of the provider's command and setup, with their values.
        secrets: those of the values that came from the environment or from files: no log may show them.
    """

    pact_url: str
    provider: dict[str, Any]
    broker: dict[str, Any] = field(repr=False)
    data_dir: str
    checkout_url: str | None = field(default=None, repr=False)
    sha: str | None = None
    branch: str | None = None
    build_url: str | None = None
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    environment: dict[str, str] = field(default_factory=dict, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Give it in JSON values."""
        return asdict(self)

    def redaction(self) -> Redaction:
        """Give what hides its secrets in texts."""
        return Redaction([self.broker.get("password"), self.broker.get("token"), *self.secrets])


LOG, TOTAL, VERIFICATION, FAILED, READY = (
    "log",  # text: a line of the run's log
    "total",  # interactions: so many will be verified
    "verification",  # verification: in its saved form; the end
    "failed",  # kind, message, retryable, output: there is no verification; the end
    "ready",  # the child has started
)
"""The events that a child sends, by the value of `event`."""
ENDS = frozenset({VERIFICATION, FAILED})
