from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.processes import EmbeddedBroker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker(tmp_path_factory.mktemp("broker")) as started:
        yield started


@pytest.fixture
def published(broker: EmbeddedBroker, request: pytest.FixtureRequest) -> Callable[..., str]:
    """Publishes a pact under a consumer of the test's own; gives the path of its latest version."""

    def publish(document: dict[str, Any], version: str = "1.0.0") -> str:
        consumer = re.sub(r"\W+", "-", request.node.name)
        document = {**document, "consumer": {"name": consumer}}
        broker.publish(document, version, branch="main")
        return f"/pacts/provider/{document['provider']['name']}/consumer/{consumer}/latest"

    return publish
