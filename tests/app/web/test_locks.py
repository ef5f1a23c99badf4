"""No lock of the web side is made before gevent has patched the library: it would stop all greenlets at once."""

from __future__ import annotations

import importlib
import pkgutil
import queue
import threading
import time
from dataclasses import fields, is_dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any

import app.web
from app.web.dashboard.short_cache import ShortCache

if TYPE_CHECKING:
    from collections.abc import Iterator

FOUND_TOO_EARLY = (threading.Lock, threading.RLock, time.sleep)
"""What has another meaning once gevent has patched it, and must be looked up when it is called."""
MADE_TOO_EARLY = (
    type(threading.Lock()),
    type(threading.RLock()),
    threading.Condition,
    threading.Event,
    threading.Semaphore,
    queue.Queue,
    queue.SimpleQueue,
)


def test_no_lock_is_made_or_found_at_import() -> None:
    modules = [
        importlib.import_module(found.name) for found in pkgutil.walk_packages(app.web.__path__, "app.web.")
    ]
    assert len(modules) > 20
    assert [found for module in modules for found in _too_early(module)] == []


def test_the_lock_of_a_cached_content_is_of_its_time(monkeypatch: Any) -> None:
    made = []

    def lock() -> threading.Lock:
        made.append("a lock")
        return threading._allocate_lock()  # type: ignore[attr-defined,no-any-return]

    monkeypatch.setattr(threading, "Lock", lock)
    assert ShortCache(1.0).get("key", lambda: "content") == "content"
    assert made == ["a lock"]


def _too_early(module: ModuleType) -> Iterator[str]:
    """Return what was made or looked up when a module was imported: its values, and those of its classes."""
    for name, value in vars(module).items():
        where = f"{module.__name__}.{name}"
        if isinstance(value, ModuleType) or getattr(value, "__module__", module.__name__) != module.__name__:
            continue
        if isinstance(value, MADE_TOO_EARLY) or any(
            isinstance(member, MADE_TOO_EARLY) for member in getattr(value, "__dict__", {}).values()
        ):
            yield f"{where}: is made at import"
        functions = [value, *(vars(value).values() if isinstance(value, type) else ())]
        for function in functions:
            defaults = (*(getattr(function, "__defaults__", None) or ()),)
            defaults += (*(getattr(function, "__kwdefaults__", None) or {}).values(),)
            if any(default in FOUND_TOO_EARLY for default in defaults):
                yield f"{where}: is a default that is looked up at import"
        if (
            isinstance(value, type)
            and is_dataclass(value)
            and any(field.default_factory in FOUND_TOO_EARLY for field in fields(value))
        ):
            yield f"{where}: has a field whose default is looked up at import"
