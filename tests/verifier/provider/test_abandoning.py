"""What was started doesn't outlive a process that leaves at once, as a worker's child does when its lease has ended."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from broker.text.redaction import Redaction
from tests.support.abandoning import TIME_LIMIT, abandoned_as_something_starts
from tests.support.killable import group_lives, wait_until
from verifier.engine.process import Engine
from verifier.progress import Progress
from verifier.request import ProviderUnderTest
from verifier.verifying.provider_session import ProviderSession

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.process


def test_a_provider_that_is_just_being_started_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = ProviderUnderTest(base_url=None, command="sleep 600", folder=tmp_path)
    with Engine() as engine, ExitStack() as stack:
        session = ProviderSession(
            provider, engine, Progress(), redaction=Redaction([]), deadline=time.monotonic() + TIME_LIMIT
        )
        with abandoned_as_something_starts(engine, monkeypatch):
            session.start(stack)
            assert session.started is not None
            group = session.started.group
            wait_until(lambda: not group_lives(group), "the provider has stopped")
            session.started.stop()


@pytest.mark.parametrize("has_ended", [False, True])
def test_a_provider_is_stopped_whether_or_not_the_engine_was_killed_before(*, has_ended: bool) -> None:
    with Engine() as engine:
        engine.wait_until_up()
        with subprocess.Popen(["sleep", "600"], start_new_session=True) as provider:
            try:
                engine.guard(provider.pid)
                if has_ended:
                    os.kill(engine.pid, signal.SIGKILL)
                engine.abandon(TIME_LIMIT)
                code = provider.wait(TIME_LIMIT)
            finally:
                provider.kill()
    assert code == -(signal.SIGKILL if has_ended else signal.SIGTERM)


def test_an_engine_that_is_closed_after_all_closes_no_file_of_others(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("whole")
    with ExitStack() as stack:
        with Engine() as engine:
            engine.wait_until_up()
            engine.abandon(TIME_LIMIT)
            files = [stack.enter_context((tmp_path / "one").open()) for _ in range(50)]
            engine.guard(None)
        assert {file.read() for file in files} == {"whole"}
