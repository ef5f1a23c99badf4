"""Why an attempt has nothing to verify with."""

from __future__ import annotations


class RunFailed(Exception):
    """There is nothing to verify with.

    Attributes:
        kind: One word for it, for programs.
        retryable: Whether it may heal by itself.
        output: The last lines of what failed.
    """

    def __init__(self, message: str, *, kind: str, retryable: bool = False, output: str = "") -> None:
        super().__init__(message)
        self.kind = kind
        self.retryable = retryable
        self.output = output
