"""The log of a process: what it must not show."""

from __future__ import annotations

import io
import json
import logging
import os
import pty
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import structlog

from app.process.logs import OWN_LOGGERS, configure
from broker.http.limited_request import send_request
from broker.http.limits import Limits
from broker.traces.spans import within
from tests.support.loopback import Loopback, Reply
from tests.support.paths import ROOT
from tests.support.processes import TIME_LIMIT
from tests.support.traces import ABOVE

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAM = """
import logging
import app.process.logs

def fail(word):
    secret = word * 2
    raise ValueError("it broke")

app.process.logs.configure()
try:
    fail("hush")
except ValueError:
    logging.getLogger("library").exception("failed")
"""


@pytest.fixture(autouse=True)
def _former_settings() -> Iterator[None]:
    """Put back what `configure` sets for the whole process."""
    former, root = structlog.get_config(), logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    yield
    structlog.configure(**former)
    root.setLevel(level)
    root.handlers[:] = handlers


def logged(*, on_terminal: bool) -> str:
    reader, writer = pty.openpty() if on_terminal else os.pipe()
    try:
        subprocess.run([sys.executable, "-c", PROGRAM], stderr=writer, check=True, timeout=TIME_LIMIT)
        return os.read(reader, 100_000).decode()
    finally:
        os.close(reader)
        os.close(writer)


@pytest.mark.parametrize("on_terminal", [False, True], ids=["json", "terminal"])
def test_a_traceback_shows_no_values_of_variables(*, on_terminal: bool) -> None:
    text = logged(on_terminal=on_terminal)
    assert "ValueError" in text
    assert "it broke" in text
    assert "hushhush" not in text


def test_a_line_of_json_can_be_read_as_it_is_and_controls_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "Grüße \N{HONEYBEE} \x1b[2J\n\x9b\u202e\ud800 ##[error]"
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    level = root.level
    try:
        configure()
        structlog.get_logger("worker").info("said", text=text)
    finally:
        root.setLevel(level)
    line = capsys.readouterr().err
    assert "Grüße \N{HONEYBEE}" in line
    assert line.count("\n") == 1
    assert line.rstrip("\n").isprintable()
    assert "##[" not in line
    assert json.loads(line)["text"] == text


def test_a_malformed_header_of_an_answer_is_not_logged_with_a_traceback(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("urllib3"), "level", logging.NOTSET)
    monkeypatch.setattr(logging.getLogger(), "level", logging.INFO)
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    configure()
    logging.getLogger().handlers = [caplog.handler]
    with Loopback(Reply(headers={"": ""})) as server:
        assert send_request("GET", server.url, limits=Limits(5, 100)).status == 200
    assert [record.name for record in caplog.records if record.name.startswith("urllib3")] == []


def test_a_logger_that_was_used_follows_a_later_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger(), "level", logging.INFO)
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    configure()
    log = structlog.get_logger("web")
    log.info("before")
    configured = structlog.get_config()
    try:
        structlog.configure(
            processors=[structlog.processors.JSONRenderer()],
            logger_factory=structlog.PrintLoggerFactory(later := io.StringIO()),
        )
        log.info("after")
    finally:
        structlog.configure(**configured)
    assert "after" in later.getvalue()


@pytest.mark.parametrize(
    ("level", "own", "queue", "others"),
    [
        ("debug", "DEBUG", "INFO", "INFO"),
        ("info", "INFO", "WARNING", "INFO"),
        ("warning", "WARNING", "WARNING", "WARNING"),
        ("critical", "CRITICAL", "CRITICAL", "CRITICAL"),
    ],
)
def test_the_level_is_that_of_the_own_loggers_and_lets_no_library_say_too_much(
    level: str, own: str, queue: str, others: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    loggers = {
        name: logging.getLogger(name) for name in (*OWN_LOGGERS, "procrastinate", "urllib3", "psycopg.pool")
    }
    for logger in (logging.getLogger(), *loggers.values()):
        monkeypatch.setattr(logger, "level", logger.level)
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    configure(level)
    [handler] = logging.getLogger().handlers
    effective = {
        name: logging.getLevelName(max(logging.getLogger(name).getEffectiveLevel(), handler.level))
        for name in (*OWN_LOGGERS, "procrastinate", "github.Requester")
    }
    assert effective == {
        **dict.fromkeys(OWN_LOGGERS, own),
        "procrastinate": queue,
        "github.Requester": others,
    }


def test_each_logger_of_the_receiver_has_the_level() -> None:
    texts = [file.read_text(encoding="utf-8") for file in (ROOT / "app").rglob("*.py")]
    names = {name for text in texts for name in re.findall(r'get_logger\("(\w+)"\)', text)}
    assert names == set(OWN_LOGGERS)


def test_a_line_within_a_span_has_its_ids(capsys: pytest.CaptureFixture[str]) -> None:
    before = structlog.get_config()
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    try:
        configure()
        with within(ABOVE):
            structlog.get_logger("web").info("accepted")
            logging.getLogger("a.library").warning("said")
        structlog.get_logger("web").info("alone")
    finally:
        structlog.configure(**before)
        root.handlers, root.level = handlers, level
    inside, library, alone = map(json.loads, capsys.readouterr().err.splitlines())
    assert (inside["trace_id"], inside["span_id"]) == (ABOVE.trace_id, ABOVE.span_id)
    assert library["trace_id"] == ABOVE.trace_id
    assert "trace_id" not in alone
