"""What many pacts are asked for, from the options, the environment and the GitHub event."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from verifier.command.many_sources import build_many
from verifier.command.sources import check_selection_unused, collect, names_many
from verifier.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from verifier.many.request import ManyRequest

BROKER = "http://127.0.0.1:9292"
ALL: dict[str, Any] = {
    "provider": "My/Things",
    "pact_broker_base_url": f"{BROKER}/",
    "provider_base_url": "http://127.0.0.1:8080",
}
PACTS = [f"{BROKER}/pacts/a", f"{BROKER}/pacts/b"]
TAGGED = {"tag": "a", "latest": True}
DEFAULT = [{"mainBranch": True}, {"deployedOrReleased": True}]


def request(environment: dict[str, str] | None = None, **flags: Any) -> ManyRequest:
    variables = environment or {}
    settings = collect(ALL | flags, variables)
    check_selection_unused(settings)
    assert names_many(settings)
    return build_many(settings, ALL | flags, variables)


def question(environment: dict[str, str] | None = None, **flags: Any) -> dict[str, Any]:
    """Return what the broker is asked."""
    selection = request(environment, **flags).selection
    assert selection is not None
    return selection.to_question()


def test_without_options_the_documented_selectors_are_asked_for() -> None:
    assert question() == {"consumerVersionSelectors": DEFAULT, "includePendingStatus": False}
    assert question({"GIT_BRANCH": "feat"}) == {
        "consumerVersionSelectors": [*DEFAULT, {"matchingBranch": True}],
        "includePendingStatus": False,
        "providerVersionBranch": "feat",
    }


def test_the_request_that_the_pacts_share_is_on_the_broker() -> None:
    assert request().template.pact_url == f"{BROKER}/pacts/provider/My%2FThings/for-verification"


@pytest.mark.parametrize(
    ("environment", "flags", "asked"),
    [
        ({}, {"consumer_version_selectors": ['{"latest": true}']}, [{"latest": True}]),
        ({}, {"consumer_version_selectors": ['[{"tag": "a"}]', '{"tag": "b"}']}, [{"tag": "a"}, {"tag": "b"}]),
        ({"PACT_CONSUMER_VERSION_SELECTORS": '{"branch": "x"}'}, {}, [{"branch": "x"}]),
        ({}, {"consumer_version_tags": ["a, b", "a"]}, [TAGGED, {"tag": "b", "latest": True}]),
        ({"PACT_CONSUMER_VERSION_SELECTORS": "no JSON"}, {"consumer_version_tags": ["a"]}, [TAGGED]),
        ({"PACT_CONSUMER_VERSION_TAGS": ","}, {"consumer_version_selectors": ['{"latest": true}']}, [{"latest": True}]),
    ],
)  # fmt: skip
def test_selectors_and_tags(environment: dict[str, str], flags: dict[str, Any], asked: list[Any]) -> None:
    assert question(environment, **flags)["consumerVersionSelectors"] == asked


def test_pending_and_work_in_progress() -> None:
    flags: dict[str, Any] = {
        "enable_pending": True,
        "include_wip_pacts_since": "2026-01-31",
        "provider_version_tag": ["dev"],
    }
    asked = question(**flags)
    assert asked["includePendingStatus"]
    assert (asked["includeWipPactsSince"], asked["providerVersionTags"]) == ("2026-01-31", ["dev"])
    variables = {
        "PACT_ENABLE_PENDING": "yes",
        "PACT_INCLUDE_WIP_PACTS_SINCE": "2026-01-31",
        "GIT_BRANCH": "main",
    }
    assert question(variables)["includeWipPactsSince"] == "2026-01-31"


@pytest.mark.parametrize(
    ("environment", "flags", "problem"),
    [
        ({}, {"consumer_version_selectors": ['{"mainbranch": true}']}, "'mainbranch'; did you mean mainBranch"),
        ({}, {"consumer_version_selectors": ['{"tag": "a"}', "[1]"]}, "selector 2 .* must be a JSON object"),
        ({}, {"consumer_version_selectors": ["main"]}, "--consumer-version-selectors: 'main' "),
        ({"PACT_CONSUMER_VERSION_SELECTORS": "[]"}, {}, "is a list without a selector"),
        ({}, {"consumer_version_selectors": ['{"matchingBranch": true}']}, "matchingBranch needs to know"),
        ({}, {"consumer_version_tags": ["dev,,test"]}, "a tag is empty"),
        ({}, {"consumer_version_tags": ["a"], "consumer_version_selectors": ["{}"]}, "two ways of one thing"),
        ({}, {"include_wip_pacts_since": "2026-01-31"}, "needs --enable-pending"),
        ({}, {"include_wip_pacts_since": "2026-01-31", "enable_pending": True}, "needs --provider-version-branch"),
        ({}, {"include_wip_pacts_since": "yesterday", "enable_pending": True}, "must be a date"),
        ({"PACT_ENABLE_PENDING": "perhaps"}, {}, "PACT_ENABLE_PENDING must be true or false"),
        ({}, {"last_failed": True}, "--last-failed is for one pact"),
        ({}, {"publish_verification_results": True}, "which version of the provider answers"),
        ({}, {"pact_url": [""]}, "--pact-url is empty"),
        ({"PACT_URL": ""}, {}, "PACT_URL is set, and empty"),
        ({"GITHUB_EVENT_NAME": "repository_dispatch"}, {}, "has no client_payload.pact_url"),
        ({}, {"pact_url": PACTS, "enable_pending": True}, "is about the pacts"),
        ({}, {"pact_url": [PACTS[0], "http://elsewhere.example/pacts/b"]}, "not on the configured broker"),
    ],
)  # fmt: skip
def test_what_can_not_be_used_is_a_mistake(
    environment: dict[str, str], flags: dict[str, Any], problem: str
) -> None:
    with pytest.raises(UsageError, match=problem):
        request(environment, **flags)


def test_a_dispatch_that_tells_of_a_changed_provider_has_every_pact_verified(tmp_path: Path) -> None:
    event = tmp_path / "event.json"
    environment = {"GITHUB_EVENT_NAME": "repository_dispatch", "GITHUB_EVENT_PATH": str(event)}
    event.write_text(
        '{"action": "provider_changed", "client_payload": {"sha": "0123456789abcdef0123456789abcdef01234567"}}',
        encoding="utf-8",
    )
    found = request(environment)
    assert (found.pact_urls, found.selection is not None) == ((), True)
    for action in ("pact_changed", "deployed", 7):
        event.write_text(json.dumps({"action": action, "client_payload": {}}), encoding="utf-8")
        with pytest.raises(UsageError, match="which pact"):
            request(environment)


def test_variables_about_selectors_do_not_matter_where_pacts_are_named() -> None:
    variables = {"PACT_CONSUMER_VERSION_SELECTORS": "no JSON", "PACT_ENABLE_PENDING": "true"}
    found = request(variables, pact_url=[f"{BROKER}/pacts/a", f"{BROKER}/pacts/b"])
    assert (found.selection, found.pact_urls) == (None, (f"{BROKER}/pacts/a", f"{BROKER}/pacts/b"))


def test_a_folder_stands_for_its_files(tmp_path: Path) -> None:
    for name in ("b.json", "a.json", "readme.md"):
        (tmp_path / name).write_text("{}", encoding="utf-8")
    found = request(pact_url=[str(tmp_path)])
    assert found.pact_urls == (str(tmp_path / "a.json"), str(tmp_path / "b.json"))
    assert found.in_folders == set(found.pact_urls)


@pytest.mark.parametrize("missing", ["provider", "pact_broker_base_url"])
def test_without_provider_or_broker_one_pact_is_wanted(missing: str) -> None:
    settings = collect({name: value for name, value in ALL.items() if name != missing}, {})
    assert not names_many(settings)
