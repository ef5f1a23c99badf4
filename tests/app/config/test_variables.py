"""Each environment variable's name stands once in the code."""

from __future__ import annotations

import ast
import re
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from app.config import variables
from tests.support.paths import ROOT

if TYPE_CHECKING:
    from pathlib import Path

NAME = re.compile(r"PACT_(DISPATCH|BROKER)_[A-Z_]+|DATABASE_URL")


def literals(file: Path) -> list[str]:
    """The texts in a module that are nothing but a name."""
    return [
        node.value
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and NAME.fullmatch(node.value)
    ]


def test_each_name_is_written_once() -> None:
    files = [file for package in ("app", "verifier") for file in (ROOT / package).rglob("*.py")]
    found = Counter(name for file in files for name in literals(file))
    assert found.keys() >= {*variables.SECRETS, *variables.OTHERS}
    assert [name for name, times in found.items() if times > 1] == []


@pytest.mark.parametrize("name", [*variables.SECRETS, *variables.OTHERS])
def test_each_name_that_the_receiver_reads_is_known_once(name: str) -> None:
    assert [*variables.SECRETS, *variables.OTHERS].count(name) == 1
