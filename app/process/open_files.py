"""The limit of open files, which each connection counts against."""

from __future__ import annotations

import resource


def allow_open_files(wanted: int) -> int:
    """Raise this process's limit of open files to `wanted`, as far as it may, and return the limit.

    Its children inherit it. Many systems start a process with 1024, although it may have many more.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted
    limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    while limit > soft:  # macOS has a lower limit of its own, which getrlimit doesn't tell
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
        except (ValueError, OSError):
            limit -= (limit - soft + 1) // 2
        else:
            return limit
    return soft
