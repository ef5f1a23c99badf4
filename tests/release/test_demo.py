"""`make demo KEEP=1`: what it leaves running can be looked at with what it prints."""

from __future__ import annotations

import importlib.util
import io
import signal
import sys
from typing import TYPE_CHECKING

from rich.console import Console

from tests.support.paths import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_what_it_leaves_running_is_told_with_a_token_to_sign_in_with(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    spec = importlib.util.spec_from_file_location("demo_under_test", ROOT / "examples" / "demo.py")
    assert spec is not None
    assert spec.loader is not None
    demo = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "demo_under_test", demo)  # dataclasses look for their module there
    spec.loader.exec_module(demo)
    printed = io.StringIO()

    def interrupt() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(signal, "pause", interrupt)
    monkeypatch.setattr(demo, "console", Console(file=printed, width=500, highlight=False))
    demo.keep(demo.Place("http://b", "http://p", "http://127.0.0.1:8000", "t" * 20, "a" * 20, tmp_path))
    assert (
        f"The dashboard is at http://127.0.0.1:8000/: sign in with the token {'a' * 20}\n"
        in printed.getvalue()
    )
