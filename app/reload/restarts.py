"""The keys of the configuration that count when a process starts, and that no reload changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.config.settings import Settings

KEYS = {
    "server": ("processes", "connections", "anonymous_connections"),
    "worker": ("concurrency", "warm", "stop_seconds", "stalled_seconds"),
}
"""These keys, by their table; `data_dir` is one, too."""


def after_reload(running: Settings, read: Settings) -> tuple[Settings, list[str]]:
    """Return what a process goes by that has read its configuration again.

    Args:
        running: What it goes by now.
        read: What it has read.

    Returns:
        What was read, with the values of these keys as they are; and those of them that were changed, for people.
    """
    kept: dict[str, object] = {"data_dir": running.data_dir}
    changed = [] if running.data_dir == read.data_dir else ["data_dir"]
    for table, keys in KEYS.items():
        old, new = getattr(running, table), getattr(read, table)
        kept[table] = new.model_copy(update={key: getattr(old, key) for key in keys})
        changed += [
            f"{table}.{key} ({getattr(old, key):g}, now {getattr(new, key):g})"
            for key in keys
            if getattr(old, key) != getattr(new, key)
        ]
    return read.model_copy(update=kept), changed
