"""What can go wrong, by the exit code that it leads to."""

from __future__ import annotations

from enum import StrEnum


class ErrorKind(StrEnum):
    """Why a verification could not be carried out."""

    PACT_UNAVAILABLE = "pact-unavailable"
    """The broker is away, refused, or has no such pact."""
    NOT_A_PACT = "not-a-pact"
    """What was fetched can't be verified."""
    WRONG_PROVIDER = "wrong-provider"
    """The pact is for another provider."""
    WRONG_CONSUMER = "wrong-consumer"
    """The pact is of a consumer that was filtered out."""
    NO_PACTS = "no-pacts"
    """The broker asks for no pact to be verified."""
    NOT_FOR_THIS_RUN = "not-for-this-run"
    """Verifying this one of many pacts takes what the run was not given: a transport, say."""
    PROVIDER_NOT_READY = "provider-not-ready"
    """The provider did not start, or did not answer."""
    PROVIDER_DIED = "provider-died"
    """The provider that was started ended during the run."""
    INTERACTIONS_NOT_VERIFIED = "interactions-not-verified"
    """Some interactions could not be verified: an outage, a timeout, TLS."""
    PACT_UNUSABLE = "pact-unusable"
    """The engine can't use something in the pact, whatever the provider does."""
    TIMED_OUT = "timed-out"
    """The whole run took too long."""
    OUT_OF_MEMORY = "out-of-memory"
    """The engine needed more memory than it may use: a provider's answer was too large."""
    STATES_NOT_SET_UP = "states-not-set-up"
    """Interactions failed whose provider states nothing set up: that may be the reason."""
    ENGINE_FAILED = "engine-failed"
    """The engine crashed, or could not load the pact."""
    NOT_REACHED = "not-reached"
    """The run of many pacts had ended at another one (--exit-on-first-error)."""


OF_THE_PACT = frozenset({ErrorKind.NOT_A_PACT, ErrorKind.PACT_UNUSABLE})
"""The kinds of errors that come from the pact alone, whatever the provider and the run are."""


class UsageError(Exception):
    """The command or its configuration is wrong (exit 2); the message names the option and says what to do."""


class CannotVerify(Exception):
    """The verification could not be carried out (exit 3): nothing is known about the contract.

    Attributes:
        kind: Why it could not.
        retryable: Whether the same verification may work later.
        output: The last lines that the provider or the engine printed, if they help.
    """

    def __init__(self, message: str, *, kind: ErrorKind, retryable: bool = False, output: str = "") -> None:
        super().__init__(message)
        self.kind = kind
        self.retryable = retryable
        self.output = output


class PortTaken(CannotVerify):
    """Another process listens on the port that the provider was told to use; another port may work."""

    def __init__(self, message: str, *, output: str = "") -> None:
        super().__init__(message, kind=ErrorKind.PROVIDER_NOT_READY, retryable=True, output=output)


class PublishFailed(Exception):
    """The verification is done, but the broker did not accept the result (exit 4).

    Attributes:
        retryable: Whether publishing the same verification may work later.
    """

    def __init__(self, message: str, *, retryable: bool) -> None:
        super().__init__(message)
        self.retryable = retryable
