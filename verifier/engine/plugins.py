"""The plugins that a pact needs, and whether they are installed.

The core downloads and runs a plugin that a pact names and that is not installed (seen with pact-python 4.2). A pact
comes from elsewhere and must not decide what is installed and run here. So missing plugins are found first.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from broker.http.json_values import value_at
from broker.http.strict_json import NotJson, parse_json

if TYPE_CHECKING:
    from collections.abc import Mapping

MANIFEST = "pact-plugin.json"


def missing_plugins(plugins: tuple[tuple[str, str], ...], environment: Mapping[str, str]) -> list[str]:
    """Return the plugins that are not installed in exactly the version that the pact names.

    Args:
        plugins: Names and versions.
        environment: `PACT_PLUGIN_DIR` in it may say where plugins are; else they are in `~/.pact/plugins`.
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
        document = parse_json(manifest.read_bytes())
    except (OSError, NotJson):
        return None
    return str(value_at(document, "name")), str(value_at(document, "version"))
