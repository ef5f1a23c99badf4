from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.support.act import Machine, prepare
from tests.support.paths import ROOT

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What all runs of all tests share, in each worker of pytest-xdist; the first to come installs the Action."""
    base = tmp_path_factory.getbasetemp()
    return prepare(base.parent if "PYTEST_XDIST_WORKER" in os.environ else base)


@pytest.fixture
def machine(shared: Path, tmp_path: Path) -> Machine:
    """A runner, and the repository of the example's provider."""
    machine = Machine(tmp_path, shared)
    products = (ROOT / "examples/products.py").read_text(encoding="utf-8")
    machine.commit({"products.py": products, "requirements.txt": "flask\n", ".gitignore": "__pycache__/\n"})
    return machine
