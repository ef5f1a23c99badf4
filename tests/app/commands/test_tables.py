"""Tables for people, on terminals of several widths and elsewhere."""

from __future__ import annotations

import io
import re
import secrets
import sys
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from app.commands.deliveries.command import write_list as write_deliveries
from app.commands.runs.rendering import write_list as write_runs
from app.commands.tables import write_table
from app.commands.webhooks.rendering import write_list as write_webhooks
from app.commands.webhooks.rendering import write_triggered
from broker.webhooks.definition import Scope, Webhook, WebhookRequest
from broker.webhooks.triggered import Attempt, Triggered
from tests.support.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

BOLD_OR_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
HEADS = ("RUN", "STATE", "WHEN", "CONSUMER")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def written(
    rows: Sequence[tuple[str, ...]], stream: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    monkeypatch.setattr(sys, "stdout", stream)
    write_table(HEADS, rows, stream, unbroken=("RUN", "WHEN"))
    return BOLD_OR_COLOUR.sub("", stream.getvalue()).splitlines()


@pytest.mark.parametrize("width", [60, 80, 120])
def test_an_id_can_be_copied_at_any_width(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm")
    ids = [str(uuid4()) for _ in range(3)]
    rows = [(one, "passed, not published", "3 min ago", "Storefront of a long name 1.0.0+abc") for one in ids]
    lines = written(rows, Terminal(), monkeypatch)
    assert max(map(len, lines)) <= width
    for one in ids:
        assert sum(one in line for line in lines) == 1


UUIDS = [str(uuid4()) for _ in range(3)]
SHORT = [secrets.token_urlsafe(16) for _ in range(3)]
"""As a Pact Broker makes them."""
LONG_NAME = "The storefront of the whole company"
EVENT = "contract_requiring_verification_published"
URL = "https://dispatch.example.org/repos/acme/products-of-the-whole-company/dispatches"
AT = "2026-01-02T03:04:05+00:00"
TABLES: dict[str, tuple[Callable[..., None], list[Any]]] = {
    "runs": (
        write_runs,
        [
            {
                "id": one,
                "status": "finished",
                "outcome": "failed",
                "publishing": "refused",
                "created_at": AT,
                "consumer": LONG_NAME,
                "provider": LONG_NAME,
                "provider_version": "a" * 40,
            }
            for one in UUIDS
        ],
    ),
    "deliveries": (
        write_deliveries,
        [
            {
                "id": one,
                "status": 204,
                "received_at": AT,
                "source": "redelivery",
                "sender": "broker",
                "event_type": EVENT,
                "repository": "acme/products-of-the-whole-company",
            }
            for one in UUIDS
        ],
    ),
    "webhooks": (
        write_webhooks,
        [
            Webhook(one, Scope(), (EVENT, "provider_verification_failed"), WebhookRequest("POST", URL), LONG_NAME)
            for one in (*UUIDS, *SHORT)
        ],
    ),
    "triggered": (
        write_triggered,
        [
            Triggered(
                LONG_NAME, LONG_NAME, "", EVENT, "retrying", AT, 3, one,
                (Attempt(False, AT, None, "Failed to open TCP connection to dispatch.example.org:443", ""),),
            )
            for one in (*UUIDS, *SHORT)
        ],
    ),
}  # fmt: skip
"""What each command writes that prints a table with ids, and of what."""


@pytest.mark.parametrize("name", TABLES)
def test_each_command_keeps_ids_and_words_whole(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    for width in range(60, 203, 2):  # what is left over differs, also by how long ago something was
        monkeypatch.setenv("COLUMNS", str(width))
        ids_and_words_are_whole(name, width, monkeypatch)


def ids_and_words_are_whole(name: str, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    write, rows = TABLES[name]
    stream = Terminal()
    monkeypatch.setattr(sys, "stdout", stream)
    write(rows, stream)
    lines = BOLD_OR_COLOUR.sub("", stream.getvalue()).splitlines()
    assert max(map(len, lines)) <= width
    for one in (*UUIDS, *SHORT):
        assert sum(one in line.split() for line in lines) == (one in str(rows))
    for text in (LONG_NAME, EVENT):
        for word in text.split() if text in str(rows) else ():
            assert any(re.search(rf"(?<![\w-]){word}(?![\w-])", line) for line in lines), word


def test_each_command_writes_its_table_by_one_function() -> None:
    users = set()
    for room in ("app", "broker", "verifier"):
        for file in (ROOT / room).rglob("*.py"):
            text = file.read_text(encoding="utf-8")
            if "rich.table" in text or "write_table(" in text:
                users.add(str(file.relative_to(ROOT)))
    assert users == {
        "app/commands/tables.py",
        "app/commands/deliveries/command.py",
        "app/commands/providers/command.py",  # has no ids
        "app/commands/runs/rendering.py",
        "app/commands/wait/command.py",  # has no ids
        "app/commands/webhooks/rendering.py",
    }, "a new table: show above that ids in it are whole"


def test_elsewhere_a_row_is_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    lines = written([("1" * 36, "failed", "now", "C" * 300)], io.StringIO(), monkeypatch)
    assert [len(line.split()) for line in lines] == [4, 4]


def test_a_cell_controls_no_terminal_and_is_no_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = written([("1", "[red]x[/red]", "\x1b[2J", "a\nb")], io.StringIO(), monkeypatch)
    assert len(lines) == 2
    assert "[red]x[/red]" in lines[1]
    assert "\x1b" not in lines[1]
