"""A process that leaves in the moment in which it starts something."""

from __future__ import annotations

import subprocess
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

    from verifier.engine.process import Engine

TIME_LIMIT = 60.0


@contextmanager
def abandoned_as_something_starts(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> Iterator[threading.Event]:
    """Abandon an engine once the first process is started, in the block, which is slow to say so to the engine.

    Yields:
        Set when the engine has been abandoned.
    """
    engine.wait_until_up()
    started, abandoned = threading.Event(), threading.Event()

    def abandon() -> None:
        assert started.wait(TIME_LIMIT)
        engine.abandon(TIME_LIMIT)
        abandoned.set()

    start = subprocess.Popen.__init__

    def slow_start(*args: Any, **options: Any) -> None:
        start(*args, **options)
        started.set()
        abandoned.wait(1)

    leaving = threading.Thread(target=abandon, daemon=True)
    leaving.start()
    try:
        with monkeypatch.context() as patch:
            patch.setattr(subprocess.Popen, "__init__", slow_start)
            yield abandoned
    finally:
        leaving.join(TIME_LIMIT)
