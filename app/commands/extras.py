"""How the rest of pact-dispatch is installed, with the tool that installed this one."""

from __future__ import annotations

import sys
from pathlib import Path

_TOOLS = (("uv-receipt.toml", "uv tool install"), ("pipx_metadata.json", "pipx install --force"))
"""What a tool leaves in an environment that it has made, and its command that replaces what is in there."""


def install_with(extra: str) -> str:
    """Return the command that installs pact-dispatch with an extra in the place of this one.

    In an environment of uv's or pipx's, pip would install into another one.
    """
    prefix = Path(sys.prefix)
    command = next((command for file, command in _TOOLS if (prefix / file).is_file()), "pip install")
    return f"{command} 'pact-dispatch[{extra}]'"
