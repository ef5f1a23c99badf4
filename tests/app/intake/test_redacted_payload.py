"""What is stored of a payload is without what may be a secret, also at the cut of a long text."""

from __future__ import annotations

from app.intake.redacted_payload import LONGEST, redacted


def test_token_across_the_cut_is_hidden_before_it_is_cut() -> None:
    token = "ghp_" + "0a1B" * 9
    stored = redacted({"note": "x" * (LONGEST - 12) + token})
    assert "ghp_" not in stored["note"]
    assert len(stored["note"]) == LONGEST - 2
