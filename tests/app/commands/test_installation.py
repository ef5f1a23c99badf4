"""What the configuration says of the machine it is read on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from app.commands.installation import Installation
from app.config.file import load
from app.config.values import ConfigurationError
from tests.support.receiver import configuration

if TYPE_CHECKING:
    from pathlib import Path

STARTED = {"command": "run --port {port}", "version": "1"}


def installation(folder: Path, config: str) -> Installation:
    file = folder / "pact-dispatch.toml"
    file.write_text(config)
    return Installation(file, load(file, {}), folder, None)


def test_accounts_that_can_not_be_used_are_named_with_their_keys(tmp_path: Path) -> None:
    own = {"name": "Other", "repository": "acme/other", "user": "none-either"}
    config = configuration(
        "http://b", STARTED, {**STARTED, **own}, worker={"provider_user": "no-such-account"}
    )
    with pytest.raises(ConfigurationError) as raised:
        installation(tmp_path, config).provider_accounts()
    first, second = raised.value.mistakes
    assert first.startswith(f"{tmp_path}/pact-dispatch.toml: worker.provider_user: ")
    assert "no-such-account" in first
    assert second.startswith(f"{tmp_path}/pact-dispatch.toml: Other: user: ")


def test_a_provider_that_runs_already_needs_no_account(tmp_path: Path) -> None:
    config = configuration("http://b", {"base_url": "http://p", "version": "1"})
    assert installation(tmp_path, config).provider_accounts() == {}
