"""The marker `process`, for each test that starts a process: by itself, by a fixture or by a helper.

It is found by reading the code of the test: whether it, or a function of `tests` that it calls, uses something of
`STARTERS`. A test that starts a process in a way that isn't found so fails, and is to be marked by hand.
"""

from __future__ import annotations

import inspect
import multiprocessing
import subprocess
import sys
from collections import Counter
from types import CodeType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

import procrastinate  # noqa: F401 - a library that it imports starts a process at that: not in the midst of a test
import pytest

from app.database.connections import database
from app.database.embedded import server as embedded_postgres
from tests.support.browser import Browser
from tests.support.chromium import chromium
from verifier.confinement import Confinement
from verifier.engine.process import Engine
from verifier.provider.process import StartedProvider
from verifier.run import verify

if TYPE_CHECKING:
    from collections.abc import Iterator

STARTERS: tuple[Any, ...] = (
    subprocess,
    multiprocessing,
    database,
    embedded_postgres,
    Engine,
    StartedProvider,
    Confinement,
    verify,
    Browser,
    chromium,
)
_STARTING = frozenset({"subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn"})

_known: dict[int, bool] = {}
_forbidden = False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests, and begin with the modules that take longest, so that none is left over at the end."""
    marked: Counter[str] = Counter()
    for item in items:
        if isinstance(item, pytest.Function) and any(_starts(made) for made in _functions(item)):
            item.add_marker("process")
            marked[item.location[0]] += 1
    items.sort(key=lambda item: (not item.location[0].startswith("tests/system/"), -marked[item.location[0]]))


def pytest_configure(config: pytest.Config) -> None:
    """Watch for processes that are started without the marker."""
    config.addinivalue_line("markers", "process: starts a process (found by itself)")
    sys.addaudithook(_watch)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Let a test start processes only if it is marked so."""
    global _forbidden  # noqa: PLW0603 - an audit hook can't be taken away
    _forbidden = item.get_closest_marker("process") is None
    try:
        return (yield)
    finally:
        _forbidden = False


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown() -> None:
    """Let the last test's teardown stop what the session's fixtures have started."""
    global _forbidden  # noqa: PLW0603 - see above
    _forbidden = False


def _watch(event: str, _: Any) -> None:
    if _forbidden and event in _STARTING:
        raise AssertionError("a process is started without @pytest.mark.process")


def _functions(item: pytest.Function) -> Iterator[Any]:
    yield inspect.unwrap(item.function)
    for fixtures in item._fixtureinfo.name2fixturedefs.values():
        for fixture in fixtures:
            yield inspect.unwrap(fixture.func)


def _starts(made: Any) -> bool:
    """Tell whether an object of a test's module starts processes when it is used."""
    if any(made is starter for starter in STARTERS):
        return True
    made = inspect.unwrap(made) if callable(made) else made
    if not getattr(made, "__module__", "").startswith("tests.") or isinstance(made, ModuleType):
        return False
    if id(made) not in _known:
        _known[id(made)] = False  # one that calls itself
        _known[id(made)] = any(map(_starts, _used(made)))
    return _known[id(made)]


def _used(made: Any) -> Iterator[Any]:
    """Give what a function uses of its module, or what the methods of a class use."""
    if isinstance(made, type):
        yield from made.__bases__
        for member in vars(made).values():
            yield from _used(inspect.unwrap(getattr(member, "__func__", getattr(member, "fget", member))))
    elif isinstance(made, FunctionType):
        yield from (made.__globals__[name] for name in _names(made.__code__) if name in made.__globals__)


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)
