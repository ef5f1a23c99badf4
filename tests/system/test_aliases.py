"""A broker whose links have another address than the one that it is reached at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.pacts import pact, things
from tests.support.processes import EmbeddedBroker
from tests.support.running import PROVIDER, READY, verify
from tests.system.test_verify import publishing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ALIAS = "http://pact-broker.internal:9292/app"
PACT = "/pacts/provider/Things/consumer/App/latest"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker(tmp_path, "--base-url", ALIAS) as started:
        started.publish({**pact(*things(2)), "consumer": {"name": "App"}}, "1")
        yield started


@pytest.mark.parametrize("by_option", [True, False])
def test_a_pact_is_fetched_and_its_result_published(
    tmp_path: Path, broker: EmbeddedBroker, *, by_option: bool
) -> None:
    base = ALIAS if by_option else broker.url
    done = verify(
        tmp_path,
        *(base + PACT, "--provider-command", PROVIDER, *READY, *publishing(broker.url)),
        *(("--pact-broker-alias", ALIAS) if by_option else ()),
        PACT_BROKER_ALIASES="" if by_option else f"http://another.example.org {ALIAS}/",
    )
    assert done.code == 0, done
    assert done.report["published"]["url"].startswith(f"{broker.url}/pacts/")
    assert broker.get(done.report["published"]["url"]).json()["success"] is True


def test_without_the_alias_it_is_named_before_anything_is_verified(
    tmp_path: Path, broker: EmbeddedBroker
) -> None:
    wanted = (PROVIDER, *READY, *publishing(broker.url))
    done = verify(tmp_path, broker.url + PACT, "--provider-command", *wanted)
    assert done.code == 3, done
    assert "--pact-broker-alias" in done.out
    done = verify(tmp_path, ALIAS + PACT, "--provider-command", *wanted)
    assert done.code == 2, done
    assert "--pact-broker-alias (PACT_BROKER_ALIASES)" in done.err
    done = verify(tmp_path, "pact.json", "--provider-command", PROVIDER, "--pact-broker-alias", ALIAS)
    assert done.code == 2, done
    assert "none is given: give --pact-broker-base-url" in done.err
    hidden = ("--pact-broker-alias", "http://ci:s3cret-word@b")
    done = verify(tmp_path, broker.url + PACT, "--provider-command", *wanted, *hidden, "-v")
    assert done.code == 2, done
    assert "--pact-broker-alias is not usable: it must not carry a user name or password" in done.err
    assert "s3cret" not in done.out + done.err
