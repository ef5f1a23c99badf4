"""A file of provider state handlers that can't be used is a mistake that is told before anything is verified."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from verifier.engine.protocol import HandlersUnusable
from verifier.engine.states.handlers_file import load_handlers

if TYPE_CHECKING:
    from pathlib import Path

ONE = "Write it as def handler(action, parameters), or with fewer of these arguments"
ALL = "Write it as def handler(state, action, parameters), or with fewer of these arguments"


@pytest.fixture(autouse=True)
def _own_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Modules are looked for beside a file of handlers, as long as its test goes on."""
    monkeypatch.setattr(sys, "path", list(sys.path))


def loaded(folder: Path, text: str) -> object:
    file = folder / "states.py"
    file.write_text(text, encoding="utf-8")
    return load_handlers(str(file), "handlers")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("def handlers(a, b, c, d): ...", f"can't be called: missing a required argument: 'd'. {ALL}"),
        ("def handlers(*, name): ...", f"can't be called: missing a required argument: 'name'. {ALL}"),
        ("handlers = {'a b': lambda state, action, parameters: 0}", ONE),
        ("handlers = {'a b': lambda x, y, z: 0}", "the handler of state 'a b' can't be called: "),
        ("handlers = dict.fromkeys(['a b'], dict)", ONE),
        (
            "async def handlers(state): ...",
            "is a coroutine function (async def), whose call does nothing yet: ",
        ),
        ("def handlers(state): yield", "is a generator function (yield), whose call does nothing yet: "),
        ("async def handlers(state): yield", "is an asynchronous generator function"),
        ("class C:\n async def __call__(self, state): ...\nhandlers = C()", "is a coroutine function"),
        ("handlers = {'a b': 5}", "is neither a function nor a dict of functions by state name"),
        ("handlers = 5", "is neither a function nor a dict of functions by state name"),
        ("other = 5", "there is no handlers in "),
        ("1 / 0", "raised ZeroDivisionError: division by zero"),
        ("raise SystemExit('no')", "raised SystemExit: no"),
    ],
)
def test_what_is_wrong_is_told_with_what_is_expected(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(HandlersUnusable) as unusable:
        loaded(tmp_path, text)
    assert str(unusable.value).startswith("--provider-states: ")
    assert told in str(unusable.value)


@pytest.mark.parametrize(
    "text",
    [
        "def handlers(state, action, parameters): ...",
        "def handlers(state, params): ...",
        "def handlers(x, y): ...",
        "def handlers(*args): ...",
        "def handlers(**values): ...",
        "def handlers(state, /, *, action='setup'): ...",
        "def handlers(state, speed=5): ...",
        "handlers = {'': print, 'a b': lambda: 0, 'c': lambda parameters: 0}",
        "from functools import partial\ndef f(database, state): ...\nhandlers = partial(f, 'memory')",
        "class C:\n def __call__(self, state): ...\nhandlers = C()",
        "from unittest.mock import MagicMock\nhandlers = MagicMock()",
    ],
)
def test_what_can_be_called_is_taken(tmp_path: Path, text: str) -> None:
    assert callable(loaded(tmp_path, text)) or "handlers = {" in text
