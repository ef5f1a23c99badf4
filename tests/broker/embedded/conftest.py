from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.processes import BrokerProcess, EmbeddedBroker

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[EmbeddedBroker]:
    """An empty broker of one's own."""
    with EmbeddedBroker(tmp_path) as running:
        yield running


@pytest.fixture(scope="module")
def shared_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedBroker]:
    """A broker for tests that don't mind what others leave behind."""
    with EmbeddedBroker(tmp_path_factory.mktemp("broker")) as running:
        yield running


@pytest.fixture(scope="module")
def broker_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    """A broker as users run it, with gunicorn, for tests that don't mind what others leave behind."""
    with BrokerProcess(tmp_path_factory.mktemp("broker")) as running:
        yield running


def example() -> dict[str, Any]:
    """Return a pact of Foo with Bar."""
    return {
        "consumer": {"name": "Foo"},
        "provider": {"name": "Bar"},
        "interactions": [
            {
                "description": "a request for a thing",
                "request": {"method": "GET", "path": "/thing"},
                "response": {
                    "status": 200,
                    "headers": {"Content-Type": "application/json"},
                    "body": {"id": 1},
                },
            }
        ],
        "metadata": {"pactSpecification": {"version": "2.0.0"}},
    }


@pytest.fixture
def pact() -> dict[str, Any]:
    """A pact of Foo with Bar."""
    return example()
