"""The plugins that a pact needs, and whether they are installed.

The core downloads and runs a plugin that a pact names and that it doesn't find (seen with pact-python 4.2). A pact
comes from elsewhere: it must not decide what is installed and run here. So a missing plugin is found first.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

MANIFEST = "pact-plugin.json"


def missing_plugins(plugins: tuple[tuple[str, str], ...], environment: Mapping[str, str]) -> list[str]:
    """List the plugins that are not installed in exactly the version that the pact names.

    Args:
        plugins: names and versions.
        environment: where `PACT_PLUGIN_DIR` may say where plugins are; else they are in `~/.pact/plugins`.
    """
    if not plugins:
        return []
    folder = Path(
        environment.get("PACT_PLUGIN_DIR")
        or Path(environment.get("HOME", "~")).expanduser() / ".pact/plugins"
    )
    installed = {_identity(manifest) for manifest in folder.glob(f"*/{MANIFEST}")}
    return [f"{name} {version}".strip() for name, version in plugins if (name, version) not in installed]


def _identity(manifest: Path) -> tuple[str, str] | None:
    try:
        document = json.loads(manifest.read_text(encoding="utf-8"))
        return str(document["name"]), str(document["version"])
    except (OSError, ValueError, TypeError, KeyError):
        return None
