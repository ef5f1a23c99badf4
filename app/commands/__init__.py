"""The commands of `pact-dispatch`, one module each.

A module adds its parser with `add_to` and sets `run`, which takes the parsed options and returns the exit code. What
a command needs is imported when it runs: the extra `server` may be missing, and `--help` needs none of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import argparse

COULD_NOT_START = 3
"""The exit code of a command that could not do what it is for."""

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 - argparse has no other name for it
