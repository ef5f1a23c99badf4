"""The descriptors of standard input, output and error, which may be closed when a process starts.

Nothing is imported but what Python has loaded at its start: `verify` does this before anything else.
"""

from __future__ import annotations

import os


def open_closed_descriptors() -> None:
    """Open the standard descriptors that are closed: a file or socket would get their numbers, and be written to."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
