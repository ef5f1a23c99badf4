"""The `verify` command: sources of values, progress, reports."""
