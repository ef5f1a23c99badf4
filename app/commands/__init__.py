"""The commands of `pact-dispatch`, a folder each.

The `parser` of a command adds its options and texts, and imports nothing that `--help` can do without. Its `command`
has the function `run`, which takes the parsed options and the messages, and returns the exit code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import argparse

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 - argparse has no other name for it
