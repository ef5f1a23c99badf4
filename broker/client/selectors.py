"""Consumer version selectors: what chooses the consumer versions whose pacts are verified. No I/O.

Their keys: https://docs.pact.io/pact_broker/advanced_topics/consumer_version_selectors
"""

from __future__ import annotations

from typing import Any, TypeAlias

Selector: TypeAlias = dict[str, Any]
"""A selector, as JSON has it."""

MAIN_BRANCH, DEPLOYED_OR_RELEASED, MATCHING_BRANCH = "mainBranch", "deployedOrReleased", "matchingBranch"
TEXTS = frozenset({"branch", "consumer", "environment", "fallbackBranch", "fallbackTag", "tag"})
"""The keys whose value is a text."""
FLAGS = frozenset({MAIN_BRANCH, DEPLOYED_OR_RELEASED, MATCHING_BRANCH, "deployed", "latest", "released"})
"""The keys whose value is true; `latest` may be false."""
NO_CRITERIA = frozenset({"consumer", "fallbackBranch", "fallbackTag"})
"""The keys that choose nothing by themselves."""


class NoSelector(ValueError):
    """Something is no consumer version selector; the message names the key."""


def check_selector(selector: Any) -> Selector:
    """Return a selector, once it is known to be one that a broker understands.

    What keys a broker takes together, it says itself.

    Raises:
        NoSelector: It is none.
    """
    if not isinstance(selector, dict):
        raise NoSelector('it must be a JSON object, as in {"mainBranch": true}')
    for key, value in selector.items():
        if key in TEXTS:
            if not isinstance(value, str) or not value.strip():
                raise NoSelector(f"its {key} must be a text that is not empty")
        elif key in FLAGS:
            if value is not True and (key != "latest" or value is not False):
                raise NoSelector(f"its {key} must be true")
        else:
            from difflib import get_close_matches  # noqa: PLC0415 - only for one that is wrong

            near = get_close_matches(key, TEXTS | FLAGS, n=1)
            meant = f"did you mean {near[0]}?" if near else f"it has {', '.join(sorted(TEXTS | FLAGS))}"
            raise NoSelector(f"it has no key {key[:100]!r}; {meant}")
    if not any(value for key, value in selector.items() if key not in NO_CRITERIA):
        keys = ", ".join(sorted(selector))
        raise NoSelector(f"{keys} alone chooses nothing" if keys else "it is empty, so it chooses nothing")
    return selector


def for_tag(tag: str) -> Selector:
    """Return the selector of the latest version of each consumer with a tag."""
    return {"tag": tag, "latest": True}


def documented_default(branch: str | None) -> list[Selector]:
    """Return the selectors that the Pact documentation recommends.

    Args:
        branch: The provider's branch; a broker refuses `matchingBranch` where there is none.
    """
    selectors: list[Selector] = [{MAIN_BRANCH: True}, {DEPLOYED_OR_RELEASED: True}]
    return [*selectors, {MATCHING_BRANCH: True}] if branch else selectors
