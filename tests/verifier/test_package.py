"""What `import verifier` offers."""

from __future__ import annotations

import subprocess
import sys

import pytest

import verifier


@pytest.mark.parametrize("name", verifier.__all__)
def test_each_name_can_be_had(name: str) -> None:
    assert getattr(verifier, name).__name__ == name


def test_other_names_can_not() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'verfy'"):
        _ = verifier.verfy


def test_import_alone_loads_nothing_that_takes_time() -> None:
    code = "import sys, verifier; print(sorted({'requests', 'pact', 'rich', 'jinja2'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
