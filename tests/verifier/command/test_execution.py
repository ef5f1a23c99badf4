"""What `verify` says of an error of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from verifier.command import execution

if TYPE_CHECKING:
    from verifier.engine.spawn import SpawnedChild

NO_CHILD = cast("SpawnedChild", None)


@pytest.mark.parametrize(
    ("arguments", "shows_where"),
    [
        ([], False),
        (["--log-level", "info"], False),
        (["--log-level", "debug"], True),
        (["--log-level=trace", "p.json"], True),
        (["debug", "--log-level"], False),
    ],
)
def test_a_mistake_is_told_in_a_sentence_and_is_no_broken_contract(
    arguments: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    shows_where: bool,
) -> None:
    def fail(_: list[str]) -> None:
        raise ZeroDivisionError("by s3cret-value\nand more")

    monkeypatch.setattr(execution, "parse_options", fail)
    monkeypatch.setenv("PACT_BROKER_TOKEN", "s3cret-value")
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    assert execution.execute(arguments, NO_CHILD) == 3
    lines = capsys.readouterr().err.splitlines()
    said = (
        "verify: this is a mistake in verify itself (ZeroDivisionError: by ***\\nand more); nothing is known"
    )
    assert lines[-1].startswith(said)
    assert ("Traceback" in lines[0]) == shows_where
    assert (len(lines) > 1) == shows_where
    assert not any("s3cret" in line for line in lines)
