"""Accounts of the embedded broker: one that may write, one that may read."""

from __future__ import annotations

PASSWORD = "rw-passw0rd"
"""Of `ci`, who may write; the reader `dev` has `ro-passw0rd`."""
ACCOUNTS = f"""
[[users]]
name = "ci"
password = "{PASSWORD}"
access = "read-write"

[[users]]
name = "dev"
password = "ro-passw0rd"
access = "read-only"
"""
