"""Who may send a request: tokens, and the files that they are read from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from app.intake.credentials import BadCredentials, Tokens

if TYPE_CHECKING:
    from pathlib import Path

TOKEN = "abcdefghij0123456789"


def test_a_file_that_becomes_unusable_is_logged_once_and_used_again_once_it_is_right(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text(f"broker:{TOKEN}\n")
    tokens = Tokens("TOKENS", {"TOKENS_FILE": str(file)})
    assert tokens.token_of(f"Bearer {TOKEN}").name == "broker"

    file.write_text(f"broker:{TOKEN}\nme:short\n")
    with capture_logs() as logged:
        for _ in range(3):
            with pytest.raises(BadCredentials):
                tokens.token_of(f"Bearer {TOKEN}")
    assert [entry["event"] for entry in logged] == ["no token is right any more"]
    assert "the token of me has fewer than 20 characters" in logged[0]["error"]
    assert TOKEN not in str(logged)

    file.write_text(f"broker:{TOKEN}\n")
    assert tokens.token_of(f"Bearer {TOKEN}").name == "broker"
