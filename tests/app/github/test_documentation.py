"""The pages on the relay and on commit statuses: their examples are read, and what they quote is what is said."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from app.config.file import load
from app.config.provider import RelayedProvider
from app.config.variables import GITHUB_PRIVATE_KEY, GITHUB_TOKEN
from app.github.answers import explain
from app.github.right import DISPATCH_RIGHT
from app.records.commit_statuses import CommitState
from app.worker.relay import MOVED
from tests.support.paths import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from app.config.settings import Settings

RELAY, STATUSES = "docs/relay.md", "docs/commit-statuses.md"
BLOCK = re.compile(r"^```toml\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def examples(page: str, folder: Path) -> list[Settings]:
    file = folder / "pact-dispatch.toml"
    found = []
    for block in BLOCK.findall(text_of(page)):
        file.write_text(block, encoding="utf-8")
        found.append(load(file, {}))
    return found


def test_the_examples_of_the_relay_are_what_they_say(tmp_path: Path) -> None:
    plain, elsewhere, workflow, enterprise = examples(RELAY, tmp_path)
    assert plain.relay_targets == {"acme/products"}
    assert elsewhere.relay_targets == {"acme/ci"}
    assert isinstance(workflow.providers[0], RelayedProvider)
    assert workflow.providers[0].relay.workflow == "pact_changed.yml"
    assert enterprise.github.app_id == "12345"
    assert enterprise.github.model_copy(
        update={"api_url": plain.github.api_url, "app_id": None, "installation_id": None}
    ) == (plain.github)


def test_the_example_of_statuses_is_what_it_says(tmp_path: Path) -> None:
    [settings] = examples(STATUSES, tmp_path)
    assert [settings.sets_statuses(provider) for provider in settings.providers] == [True, False]


def test_every_variable_and_every_state_is_named() -> None:
    assert GITHUB_TOKEN in text_of(RELAY)
    assert GITHUB_PRIVATE_KEY in text_of(RELAY)
    for state in CommitState:
        assert f"| `{state}` |" in text_of(STATUSES)


@pytest.mark.parametrize("status", [401, 403, 404, 422, 429, 502])
def test_the_table_quotes_what_a_run_says_and_whether_it_is_tried_again(status: int) -> None:
    error = explain("pass a dispatch on to acme/products", status, {}, {}, right=DISPATCH_RIGHT, now=0)
    quoted = f"`GitHub answered {status}`"
    [row] = [line for line in text_of(RELAY).splitlines() if quoted in line]
    assert quoted.strip("`") in str(error)
    assert ("run `waiting`" in row) == error.retryable


def test_a_moved_repository_is_quoted() -> None:
    assert f"`{MOVED}`" in text_of(RELAY)
