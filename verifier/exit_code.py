"""The exit codes of the `verify` command."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What the exit code of `verify` means."""

    PASSED = 0
    """Every interaction passed, and the result is in the broker if publishing was requested."""
    FAILED = 1
    """The contract is broken, and the result is in the broker if publishing was requested."""
    USAGE = 2
    """The command or its configuration is wrong."""
    COULD_NOT_VERIFY = 3
    """Nothing is known about the contract."""
    NOT_PUBLISHED = 4
    """The verification is done, but the broker did not accept the result."""
    INTERRUPTED = 130
    """A signal ended the run."""
