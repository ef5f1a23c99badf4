"""Which runs for every pact answer a pact, by their documents and by which versions need a result."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from app.commands.doctor.chain import Case
from app.commands.doctor.every_pact import described, why_no_answer
from broker.client.missing_results import ProviderVersion

CONTENT = "abc123"
PAIR = "http://broker.example.org/pacts/provider/P/consumer/C"
OTHER = "http://broker.example.org/pacts/provider/P/consumer/D"
OLD, NEW = "a" * 40, "b" * 40
ON_MAIN = ProviderVersion(OLD, "main", "latest from main branch")
DEPLOYED = ProviderVersion(OLD, "release/1", "deployed in production")


def state(*lacking: ProviderVersion, main: str | None = "main") -> Any:
    needed = SimpleNamespace(main_branch=main)
    return SimpleNamespace(case=Case("C", "1.0", "P"), content=CONTENT, lacking=list(lacking), needed=needed)


def run(**values: Any) -> dict[str, Any]:
    return {"id": "7", "provider": "P", "pact_urls": None, "sha": None, "branch": None, **values}


@pytest.mark.parametrize(
    ("urls", "answers"),
    [
        (None, True),
        ([f"{OTHER}/pact-version/{CONTENT}", f"{PAIR}/pact-version/{CONTENT}"], True),
        ([f"{PAIR}/version/1.0"], True),
        ([f"{PAIR}/pact-version/{CONTENT}/metadata/xyz"], True),
        ([f"{OTHER}/pact-version/{CONTENT}"], False),
        ([f"{PAIR}/pact-version/other", f"{PAIR}/version/2.0"], False),
        (["http://[", 7, "no url"], False),
        ([], False),
    ],
)
def test_a_run_for_several_pacts_answers_those_that_it_names(urls: Any, *, answers: bool) -> None:
    assert why_no_answer(run(pact_urls=urls), state(), []) == (None if answers else "is for other pacts")


@pytest.mark.parametrize(
    ("it", "needed", "answers"),
    [
        # the version that runs, whichever that is
        (run(), state(DEPLOYED), True),
        # any version will do
        (run(sha=NEW, branch="feature"), state(main=None), True),
        (run(sha=OLD[:7], branch="feature"), state(DEPLOYED), True),
        # it is going to be the latest of the main branch
        (run(sha=NEW, branch="main"), state(ON_MAIN), True),
        (run(sha=NEW, branch="feature"), state(ON_MAIN), False),
        (run(sha=NEW, branch="main"), state(DEPLOYED), False),
    ],
)
def test_a_run_of_a_version_that_needs_no_result_answers_nothing(
    it: dict[str, Any], needed: Any, *, answers: bool
) -> None:
    why_not = "is for a version that needs no result"
    assert why_no_answer(it, needed, []) == (None if answers else why_not)


def test_a_run_that_has_answered_the_pact_is_not_waited_for_unless_a_newer_commit_was_asked_for() -> None:
    member = {"parent_id": "7", "sha": OLD}
    assert why_no_answer(run(sha=OLD), state(), [member]) == "has verified this pact already"
    assert why_no_answer(run(sha=NEW), state(), [member]) is None
    assert why_no_answer(run(id="8", sha=OLD), state(), [member]) is None


def test_it_is_told_what_a_run_verifies() -> None:
    assert described(run()) == "run 7 for every pact of P that the broker asks for"
    assert described(run(sha=NEW, branch="main")).endswith(f"asks for at {NEW[:12]} of main")
    named = run(pact_urls=["a", "b"])
    assert described(named) == "run 7 for 2 pacts"
