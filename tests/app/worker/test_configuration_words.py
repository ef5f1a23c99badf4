"""The receiver's messages name keys of its configuration, and not options of `verify`."""

from __future__ import annotations

import ast
import re

import pytest

from app.worker.configuration_words import NOT_HERE, in_configuration, key_of
from tests.support.paths import ROOT

NEVER = frozenset(
    {
        "--build-url",
        "--exit-on-first-error",
        "--filter-consumer",
        "--filter-description",
        "--filter-no-state",
        "--filter-state",
        "--help",
        "--ignore-no-pacts-error",
        "--json",
        "--last-failed",
        "--log-file",
        "--no-publish-verification-results",
        "--pact-broker-alias",
        "--pact-url",
        "--provider-states-header",
        "--publish-verification-results",
        "--state-change-as-query",
    }
)
"""Options of what the receiver doesn't do, or can't be configured to do."""


def named_by_the_verifier() -> set[str]:
    """Return the options that texts of the verifier name, but for its command line."""
    found: set[str] = set()
    for file in (ROOT / "verifier").rglob("*.py"):
        if "command" not in file.parts and file.name != "github_action.py" and "report" not in file.parts:
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    found |= set(re.findall(r"(?<![\w-])--[a-z][a-z-]*[a-z]", node.value))
    return found


def test_each_option_that_a_message_names_has_a_key_or_is_none_of_the_receivers() -> None:
    options = named_by_the_verifier()
    assert len(options) > 20
    assert {option for option in options if key_of(option) is None} - NEVER - NOT_HERE == set()
    assert {option for option in NEVER if key_of(option) is not None} == set()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("(--provider-states-setup-url, --provider-states): x", "(states_setup_url): x"),
        ("(--provider-base-url, --provider-health-path, --wait)", "(base_url, health_path, wait)"),
        ("all the same (--publish-without-states)", "all the same (publish_without_states)"),
        ("give --transport message:PORT/path", "give transports message:PORT/path"),
        ("were verified at once (--jobs), on one", "were verified at once (jobs), on one"),
        ("a--jobs, ---jobs and --json stay", "a--jobs, ---jobs and --json stay"),
    ],
)
def test_a_message_is_told_in_the_words_of_the_configuration(text: str, said: str) -> None:
    assert in_configuration(text) == said
