"""One engine and one provider for each module: starting them takes longer than a scenario."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.compatibility.verifying import Verifying
from verifier.engine.process import Engine

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def verifying(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Verifying]:
    with Engine() as engine:
        made = Verifying(engine, tmp_path_factory.mktemp("pacts"))
        with made.server:
            yield made
