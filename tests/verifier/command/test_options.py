"""The command line of `verify`: what is said of an option that there is not."""

from __future__ import annotations

import pytest

from verifier.command.names_of_pact_verifier import NAMES
from verifier.command.options import parse_options
from verifier.errors import UsageError


@pytest.mark.parametrize("theirs", sorted(NAMES))
def test_an_option_of_pact_verifier_is_told_its_name_here(theirs: str) -> None:
    with pytest.raises(UsageError, match=f"did you mean {NAMES[theirs]}\\?"):
        parse_options(["pact.json", f"{theirs}=x"])


@pytest.mark.parametrize("option", ["--publish", "--publish-result", "--publish-verification-result"])
def test_nothing_that_publishes_is_suggested(option: str) -> None:
    with pytest.raises(UsageError) as error:
        parse_options(["pact.json", option])
    assert "did you mean --publish" not in str(error.value)
