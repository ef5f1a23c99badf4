"""The settings of the embedded PostgreSQL."""

from __future__ import annotations

SETTINGS = {
    "listen_addresses": "",
    "port": "5432",
    "unix_socket_permissions": "0700",
    "timezone": "UTC",
    # A file for each day of the week: a week of logs, and no more.
    "logging_collector": "on",
    "log_directory": "log",
    "log_filename": "postgresql-%a.log",
    "log_rotation_age": "1d",
    "log_rotation_size": "0",
    "log_truncate_on_rotation": "on",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    # Rows and statements hold data that others sent, which doesn't belong into the log.
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
    # In the data, not in /dev/shm: that is small in containers, and systemd's RemoveIPC empties it at logout.
    "dynamic_shared_memory_type": "mmap",
    # No processes that a database of this size doesn't need.
    "io_method": "sync",
    "max_wal_senders": "0",
    "max_wal_size": "256MB",
    "shared_buffers": "32MB",
}
"""What differs from PostgreSQL's defaults. It is set at each start, so that a new version can change it."""
SINCE = {"io_method": 18}
"""The versions that brought settings which older ones refuse."""


def settings_for(major: int) -> dict[str, str]:
    """Return the settings that a version of PostgreSQL knows."""
    return {name: value for name, value in SETTINGS.items() if SINCE.get(name, 0) <= major}
