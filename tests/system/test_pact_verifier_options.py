"""The options that `pact verifier` has, too: the same provider, asked by both."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.pact_verifier import pact_verifier
from tests.support.pacts import interaction, pact
from tests.support.request_log import logging_provider
from tests.support.running import verify

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.request_log import LoggingProvider

HEALTH = ("--provider-health-path", "/health")


@pytest.fixture
def provider() -> Iterator[LoggingProvider]:
    with logging_provider() as started:
        yield started


def written(folder: Path, *interactions: dict[str, Any]) -> Path:
    file = folder / "pact.json"
    file.write_text(json.dumps(pact(*interactions)), encoding="utf-8")
    return file


STATES = (
    interaction("without", "/without"),
    interaction("with none", "/none", providerStates=[]),
    interaction("with one", "/one", state="there is one"),
    interaction("without a name", "/nameless", state=""),
)


@pytest.mark.parametrize(
    ("options", "variables", "targets"),
    [
        (("--filter-no-state",), {}, ["/without", "/none"]),
        ((), {"PACT_PROVIDER_NO_STATE": "true"}, ["/without", "/none"]),
        ((), {"PACT_PROVIDER_NO_STATE": "false"}, ["/without", "/none", "/one", "/nameless"]),
        (("--filter-no-state", "--filter-description", "none"), {}, ["/none"]),
        (("--filter-state", "one"), {}, ["/one"]),
    ],
)
def test_filters_leave_what_those_of_pact_verifier_leave(
    options: tuple[str, ...],
    variables: dict[str, str],
    targets: list[str],
    provider: LoggingProvider,
    tmp_path: Path,
) -> None:
    file = written(tmp_path, *STATES)
    done = verify(tmp_path, file, "--provider-base-url", provider.url, *HEALTH, *options, **variables)
    assert done.code == 0, done
    assert provider.targets() == targets
    theirs = pact_verifier(file, provider.url, *options, **variables)
    assert theirs.returncode == 0, theirs.stdout
    assert provider.targets() == targets


def test_two_filters_by_state_that_contradict_each_other_are_refused(
    provider: LoggingProvider, tmp_path: Path
) -> None:
    both = ("--filter-no-state", "--filter-state", "one")
    file = written(tmp_path, *STATES)
    done = verify(tmp_path, file, "--provider-base-url", provider.url, *both)
    assert done.code == pact_verifier(file, provider.url, *both).returncode == 2
    assert "--filter-state and --filter-no-state" in done.err
    assert not provider.asked


def test_another_consumers_pact_is_no_green_run(provider: LoggingProvider, tmp_path: Path) -> None:
    """`pact verifier` ends with 0 where it has verified nothing; here 0 means that every interaction passed."""
    file = written(tmp_path, *STATES)
    others = ("--filter-consumer", "Billing", "--filter-consumer", "Search")
    assert pact_verifier(file, provider.url, *others).returncode == 0
    done = verify(tmp_path, file, "--provider-base-url", provider.url, *others)
    assert done.code == 3, done
    assert not provider.asked
    assert done.report["error"]["kind"] == "wrong-consumer"
    assert "of the consumer 'Storefront', which --filter-consumer leaves out" in done.out

    done = verify(
        tmp_path,
        file,
        "--provider-base-url",
        provider.url,
        *HEALTH,
        *others,
        "--filter-consumer",
        "Storefront",
    )
    assert done.code == 0, done
    assert len(done.report["interactions"]) == len(STATES)
