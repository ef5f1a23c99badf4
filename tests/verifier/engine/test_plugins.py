from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from verifier.engine.plugins import MANIFEST, missing_plugins

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    folder = tmp_path / ".pact" / "plugins" / "csv-0.0.6"
    folder.mkdir(parents=True)
    (folder / MANIFEST).write_text(json.dumps({"name": "csv", "version": "0.0.6"}), encoding="utf-8")
    (folder.parent / "broken").mkdir()
    (folder.parent / "broken" / MANIFEST).write_text("[", encoding="utf-8")
    return tmp_path


def test_pact_without_plugins_needs_none() -> None:
    assert missing_plugins((), {}) == []


def test_plugin_in_its_version_is_found_at_home_and_in_its_own_folder(installed: Path) -> None:
    assert missing_plugins((("csv", "0.0.6"),), {"HOME": str(installed)}) == []
    assert missing_plugins((("csv", "0.0.6"),), {"PACT_PLUGIN_DIR": str(installed / ".pact/plugins")}) == []


def test_other_version_and_other_plugin_are_missing(installed: Path) -> None:
    wanted = (("csv", "0.0.7"), ("csv", "0.0.6"), ("protobuf", "0.3.0"))
    assert missing_plugins(wanted, {"HOME": str(installed)}) == ["csv 0.0.7", "protobuf 0.3.0"]


def test_folder_that_is_not_there_has_none(tmp_path: Path) -> None:
    assert missing_plugins((("csv", "0.0.6"),), {"HOME": str(tmp_path / "nobody")}) == ["csv 0.0.6"]
