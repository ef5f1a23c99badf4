"""What can go wrong, by the exit code that it leads to."""

from __future__ import annotations


class UsageError(Exception):
    """The command or its configuration is wrong (exit 2); the message names the option and the mend."""


class CannotVerify(Exception):
    """The verification could not be carried out (exit 3): nothing is known about the contract.

    Attributes:
        kind: what could not be had, one of `verification.ERROR_KINDS`.
        retryable: whether the same verification may work later (a broker or a provider that is away).
        output: the last lines that the provider or the engine printed, if they help.
    """

    def __init__(self, message: str, *, kind: str, retryable: bool = False, output: str = "") -> None:
        super().__init__(message)
        self.kind = kind
        self.retryable = retryable
        self.output = output


class PublishFailed(Exception):
    """The verification is done, but the broker did not take the result (exit 4).

    Attributes:
        retryable: whether publishing the same verification may work later.
    """

    def __init__(self, message: str, *, retryable: bool) -> None:
        super().__init__(message)
        self.retryable = retryable
