"""`pact-dispatch verify` in the list of commands.

`app.cli` hands its words to the command `verify`, which has its own parser: this module is what the help lists.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.commands import Commands


def add_to(commands: Commands) -> None:
    """Add the command's name and text."""
    commands.add_parser(
        "verify", help="verify one pact, or all of a provider: the command verify", add_help=False
    )
