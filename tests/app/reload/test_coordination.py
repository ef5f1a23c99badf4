"""All processes of a data directory take a configuration, or none does; only those of the same account are asked."""

from __future__ import annotations

import os
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from app.process.locks import locked
from app.reload import control, coordination
from app.reload.control import Closed, Control, NotAnswered, ask, control_sockets
from app.reload.coordination import LOCK, NotReloaded, Report, reload, reload_and_log
from tests.support.receiver import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Process:
    """A process that answers what it is told to."""

    def __init__(self, **checked: Any) -> None:
        self.checked = {"digest": "aaa", "file": "f", **checked}
        self.asked: list[str] = []

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(request["do"])
        return {"process": "one", **(self.checked if request["do"] == "check" else {"digest": "aaa"})}


@contextmanager
def running(folder: Path, *processes: Process, kind: str = "worker") -> Iterator[None]:
    opened = [Control(folder, kind, process.answer) for process in processes]
    for one in opened:
        one.open()
    try:
        yield
    finally:
        for one in opened:
            one.close()


def test_every_process_takes_what_every_process_can_read(tmp_path: Path) -> None:
    processes = Process(restart=["data_dir"]), Process()
    with running(tmp_path, *processes):
        report = reload(tmp_path)
    assert report.is_done
    assert [(one.process, one.digest) for one in report.answers] == [("one", "aaa")] * 2
    assert [process.asked for process in processes] == [["check", "take"]] * 2
    assert control_sockets(tmp_path) == []


def test_the_mistakes_of_one_keep_all_from_taking_it(tmp_path: Path) -> None:
    processes = Process(), Process(mistakes=["a", "b"]), Process(mistakes=["b", "c"])
    with running(tmp_path, *processes), capture_logs() as logs:
        report = reload(tmp_path)
        reload_and_log(tmp_path)
    assert (sorted(report.mistakes), report.answers) == (["a", "b", "c"], [])
    assert not report.is_done
    assert [process.asked for process in processes] == [["check", "drop"] * 2] * 3
    said = [entry["mistake"] for entry in logs if entry["event"] == "a mistake in the configuration"]
    assert sorted(said) == ["a", "b", "c"]


def test_one_that_can_not_answer_keeps_all_from_taking_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, failing, hanging = Process(), Process(error="it could not"), Process()
    ending = threading.Event()

    def ask_soon(path: Path, request: dict[str, Any], *, seconds: float) -> dict[str, Any]:
        assert seconds == coordination.ANSWER_SECONDS
        # the others have their whole time: they may have to wait for a processor
        return ask(path, request, seconds=0.5 if path.name.startswith("worker-hanging") else seconds)

    monkeypatch.setattr(coordination, "ask", ask_soon)

    asked: list[str] = []

    def hang(request: dict[str, Any]) -> dict[str, Any]:
        asked.append(request["do"])
        ending.wait(60)
        return {}

    hanging.answer = hang  # type: ignore[method-assign]
    with running(tmp_path, good, failing), running(tmp_path, hanging, kind="worker-hanging"):
        report = reload(tmp_path)
        wait_until(lambda: asked, "what was sent has come")
        ending.set()
    assert sorted((one.process, str(one.error)) for one in report.answers) == [
        ("one", "it could not"),
        (f"worker {os.getpid()}", "it has not answered within 0.5 s"),
    ]
    assert not report.has_begun
    assert good.asked == ["check", "drop"]
    assert asked == ["check"], "it would be waited for twice"


def test_the_web_side_takes_it_after_the_workers(tmp_path: Path) -> None:
    order: list[str] = []

    def noting(name: str) -> Process:
        process = Process()
        answer = process.answer

        def note(request: dict[str, Any]) -> dict[str, Any]:
            if request["do"] == "take":
                order.append(name)
            return answer(request)

        process.answer = note  # type: ignore[method-assign]
        return process

    with running(tmp_path, noting("web"), kind="web-1"), running(tmp_path, noting("worker")):
        assert reload(tmp_path).is_done
        assert len(reload(tmp_path, "web-1").answers) == 1
    assert order == ["worker", "web", "web"]


def test_all_are_asked_again_where_the_files_change_meanwhile(tmp_path: Path) -> None:
    late = Process(digest="old")
    answer = late.answer

    def change(request: dict[str, Any]) -> dict[str, Any]:
        found = answer(request)
        late.checked["digest"] = "aaa"
        return found

    late.answer = change  # type: ignore[method-assign]
    other = Process(file="of its own", digest="bbb")
    with running(tmp_path, Process(), late, other):
        assert reload(tmp_path).is_done
    assert late.asked == ["check", "check", "take"]


def test_a_configuration_that_no_process_reads_is_not_taken_for_theirs(tmp_path: Path) -> None:
    theirs, other = tmp_path / "theirs.toml", tmp_path / "other.toml"
    theirs.touch()
    link = tmp_path / "link.toml"
    link.symlink_to(theirs)
    with running(tmp_path, process := Process(file=str(theirs)), Process(file="one of its own")):
        report = reload(tmp_path, file=other)
        assert process.asked == ["check", "drop"]
        assert reload(tmp_path, file=link).is_done
    assert report.mistakes == [f"no process reads {other}: they were started with {theirs}, one of its own"]


def test_one_reload_waits_for_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(tmp_path, process := Process()):
        with locked(tmp_path / LOCK):
            monkeypatch.setattr(coordination, "LOCK_SECONDS", 0.05)
            with pytest.raises(NotReloaded, match="another reload goes on"):
                reload(tmp_path)
            with capture_logs() as logs:
                reload_and_log(tmp_path)
        assert "another reload goes on" in logs[0]["error"]
        assert process.asked == []
        assert reload(tmp_path).is_done


def test_nobody_there_is_nobody_asked(tmp_path: Path) -> None:
    assert reload(tmp_path) == reload(tmp_path / "none") == Report()
    assert not (tmp_path / LOCK).exists()


def test_the_socket_of_a_process_that_was_killed_is_passed_over_and_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(tmp_path, Process()):
        stale = control_sockets(tmp_path)[0].with_name("worker-0-stale.sock")
        with socket.socket(socket.AF_UNIX) as left, control._short(stale) as address:
            left.bind(address)
        assert len(reload(tmp_path).answers) == 1
        assert stale.exists()  # it may have been made a moment ago
        monkeypatch.setattr(control, "STALE_SECONDS", -1.0)
        assert len(reload(tmp_path).answers) == 1
        assert not stale.exists()


def test_a_data_directory_may_have_a_long_path(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 120)
    deep.mkdir()
    with running(deep, Process()):
        assert reload(deep).is_done


def test_a_process_that_can_not_listen_goes_on_without(tmp_path: Path) -> None:
    (tmp_path / f"control-{os.geteuid()}").write_text("")
    with capture_logs() as logs, running(tmp_path, Process()):
        assert reload(tmp_path) == Report()
    assert logs[0]["event"] == "`pact-dispatch reload` does not reach this process; SIGHUP does"


def test_the_sockets_are_closed_to_other_accounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(tmp_path, Process()):
        [found] = control_sockets(tmp_path)
        assert found.parent.stat().st_mode & 0o777 == 0o700

        def refuse(*_: Any) -> Any:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(type(tmp_path), "iterdir", refuse)
        with pytest.raises(Closed, match="run it as that account, or as root"):
            reload(tmp_path)


@pytest.mark.parametrize("sent", [b"", b"no JSON\n", b"[]\n", b'{"do": "something else"}\n'])
def test_what_is_no_request_does_no_harm(tmp_path: Path, sent: bytes) -> None:
    process = Process()
    process.answer = lambda request: {"error": "unknown"} if "do" not in request else {}  # type: ignore[method-assign]
    with running(tmp_path, process):
        [path] = control_sockets(tmp_path)
        with socket.socket(socket.AF_UNIX) as client:
            with control._short(path) as address:
                client.connect(address)
            client.sendall(sent)
        assert ask(path, {"do": "check"}, seconds=60) == {}


def test_a_client_that_sends_nothing_holds_others_up_for_a_moment_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "READ_SECONDS", 1.0)
    with running(tmp_path, Process()):
        [path] = control_sockets(tmp_path)
        with socket.socket(socket.AF_UNIX) as silent:
            with control._short(path) as address:
                silent.connect(address)
            assert ask(path, {"do": "take"}, seconds=60)["digest"] == "aaa"


def test_an_answer_that_nobody_understands_is_none(tmp_path: Path) -> None:
    path = tmp_path / "one.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        with control._short(path) as address:
            listener.bind(address)
        listener.listen()

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(100)
                connection.sendall(b"[7]\n")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(NotAnswered, match="that nobody understands"):
            ask(path, {}, seconds=60)
        thread.join()
    path.unlink()
    with pytest.raises(NotAnswered) as caught:
        ask(path, {}, seconds=60)
    assert caught.value.is_gone
