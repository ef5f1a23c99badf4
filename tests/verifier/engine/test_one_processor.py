"""Threads that take turns are kept on one processor, for as long as they do."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.examples import pact_document
from verifier.engine import one_processor
from verifier.engine.one_processor import on_one_processor
from verifier.engine.protocol import Job
from verifier.pact_document import parse_pact
from verifier.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Iterator

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux can do it")


@contextmanager
def idle_thread() -> Iterator[int]:
    """Have another thread wait, and give its id."""
    over = threading.Event()
    waiting = threading.Thread(target=over.wait)
    waiting.start()
    assert waiting.native_id is not None
    try:
        yield waiting.native_id
    finally:
        over.set()
        waiting.join()


@LINUX
def test_all_threads_are_on_one_and_free_again_afterwards() -> None:
    allowed = os.sched_getaffinity(0)
    with idle_thread() as before:
        with on_one_processor(), idle_thread() as new:
            one = os.sched_getaffinity(0)
            assert len(one) == 1
            assert one <= allowed
            assert os.sched_getaffinity(before) == os.sched_getaffinity(new) == one
        with pytest.raises(LookupError), on_one_processor():
            raise LookupError
        assert os.sched_getaffinity(0) == os.sched_getaffinity(before) == allowed


@LINUX
def test_thread_that_began_meanwhile_is_free_afterwards() -> None:
    allowed = os.sched_getaffinity(0)
    with on_one_processor():
        other = idle_thread()
        new = other.__enter__()
    try:
        assert os.sched_getaffinity(new) == allowed
    finally:
        other.__exit__(None, None, None)


def test_where_it_can_not_be_done_it_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one_processor, "_STAT", Path("/nowhere"))
    with on_one_processor():
        pass
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    with on_one_processor():
        pass


def test_only_the_engine_s_own_threads_that_wait_for_each_other_are() -> None:
    job = Job(parse_pact(pact_document()), (), "http://p")
    assert job.takes_turns
    assert not job._replace(jobs=2).takes_turns
    # what others start may run on, on the processor that it began on
    assert not job._replace(states_file=("states.py", "handlers")).takes_turns
    assert not job._replace(transports=(Transport("grpc", 5000),)).takes_turns
    plugins = {"metadata": {"pactSpecification": {"version": "4.0"}, "plugins": [{"name": "csv"}]}}
    assert not job._replace(pact=parse_pact(pact_document(**plugins))).takes_turns
