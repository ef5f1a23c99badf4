"""The reasons why a checkout fails."""

from __future__ import annotations

CHECKOUT_FAILED = "checkout-failed"
REMOTE_UNAVAILABLE = "remote-unavailable"
REMOTE_REFUSED = "remote-refused"
BAD_COMMIT = "bad-commit"
NO_SUCH_COMMIT = "no-such-commit"
COMMIT_OF_NO_BRANCH = "commit-of-no-branch"
SETUP_FAILED = "setup-failed"
CONFIGURATION = "configuration"
TIMED_OUT = "timed-out"


class CheckoutFailed(Exception):
    """There is no checkout; the message says why and what to do.

    Attributes:
        kind: `remote-unavailable`, `remote-refused`, `bad-commit` (not an id, or an ambiguous one),
            `no-such-commit`, `commit-of-no-branch` (that of a fork, say), `setup-failed`, `configuration`,
            `timed-out`, or `checkout-failed` for the rest.
        retryable: Whether a later attempt may succeed.
        output: The last lines that git or the setup printed.
    """

    def __init__(
        self, message: str, *, kind: str = CHECKOUT_FAILED, retryable: bool = False, output: str = ""
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.retryable = retryable
        self.output = output
