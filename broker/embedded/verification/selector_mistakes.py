"""What is wrong with a consumer version selector, in a real broker's words."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

from broker.embedded.storage.deployment_records import find_environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_TEXTS = ("tag", "fallbackTag", "fallbackBranch", "consumer", "environment")
_TRUE_ONLY = ("mainBranch", "matchingBranch", "deployed", "released", "deployedOrReleased")
_VERSION_KEYS = ("latest", "tag", "fallbackTag", "branch", "fallbackBranch", "matchingBranch", "mainBranch")
_ENVIRONMENT_KEYS = ("environment", "deployed", "released", "deployedOrReleased")
_FLAGS = ("deployed", "released", "deployedOrReleased")

CHOOSES_NOTHING = (
    "must specify a value for environment or tag or branch, or specify mainBranch=true, matchingBranch=true, "
    "latest=true, deployed=true, released=true or deployedOrReleased=true"
)


def mistakes_in(selector: object, *, with_branch: bool) -> list[str]:
    """Return what is wrong with a selector.

    Args:
        selector: The JSON value.
        with_branch: Whether the request tells the branch that `matchingBranch` means.
    """
    if not isinstance(selector, dict):
        return ["must be a hash"]
    return list(_in_fields(selector)) or list(_in_combination(selector, with_branch=with_branch))


def _in_fields(selector: Mapping[str, Any]) -> Iterator[str]:
    for name, value in selector.items():
        if name in _TEXTS or name == "branch":
            mistake = _mistake_in_text(name, value)
        elif name in _TRUE_ONLY:
            mistake = None if value is True else "must be one of: true"
        elif name == "latest":
            mistake = None if isinstance(value, bool) else "must be one of: true, false"
        else:
            mistake = None
        if mistake is not None:
            yield f"{name} {mistake}"


def _mistake_in_text(name: str, value: object) -> str | None:
    if value is None or value == "":
        return "must be filled"
    if name == "branch" and not isinstance(value, str):
        return None if value is True else "must be a string or must be equal to true"
    if not isinstance(value, str):
        return "must be a string"
    return "cannot be blank" if name == "consumer" and not value.strip() else None


def _in_combination(selector: Mapping[str, Any], *, with_branch: bool) -> Iterator[str]:
    latest = selector.get("latest")
    keys = {name for name in (*_VERSION_KEYS, *_ENVIRONMENT_KEYS) if name in selector}
    if not keys - {"latest", "fallbackTag", "fallbackBranch"} and latest is not True:
        yield CHOOSES_NOTHING
    if "mainBranch" in keys and keys - {"mainBranch", "latest"}:
        yield "cannot specify mainBranch=true with any other criteria apart from consumer"
    if "mainBranch" in keys and latest is False:
        yield "cannot specify mainBranch=true with latest=false"
    if "matchingBranch" in keys and keys - {"matchingBranch"}:
        yield "cannot specify matchingBranch=true with any other criteria apart from consumer"
    if "matchingBranch" in keys and not with_branch:
        yield "the providerVersionBranch must be specified when the selector matchingBranch=true is used"
    if {"tag", "branch"} <= keys:
        yield "cannot specify both a tag and a branch"
    yield from _in_fallbacks(keys, latest)
    yield from _about_environments(selector, keys)


def _about_environments(selector: Mapping[str, Any], keys: set[str]) -> Iterator[str]:
    of_versions, of_environments = (
        sorted(keys.intersection(some)) for some in (_VERSION_KEYS, _ENVIRONMENT_KEYS)
    )
    if of_versions and of_environments:
        yield f"cannot specify the {_fields(of_versions)} with the {_fields(of_environments)}"
    environment = selector.get("environment")
    if environment and find_environment(environment) is None:
        yield f"environment with name '{environment}' does not exist"
    for one, other in combinations(_FLAGS, 2):
        if {one, other} <= keys:
            yield f"cannot specify both {one}=true and {other}=true"


def _in_fallbacks(keys: set[str], latest: object) -> Iterator[str]:
    if "fallbackTag" in keys and not latest:
        yield "fallbackTag can only be set if latest is true"
    if "fallbackTag" in keys and "tag" not in keys:
        yield "a tag must be specified when a fallbackTag is specified"
    if "fallbackBranch" in keys and "branch" not in keys:
        yield "a branch must be specified when a fallbackBranch is specified"
    if "fallbackBranch" in keys and latest is False:
        yield "fallbackBranch can only be set if latest is true"
    if "branch" in keys and latest is False:
        yield "cannot specify a branch with latest=false"


def _fields(names: list[str]) -> str:
    return f"{'field' if len(names) == 1 else 'fields'} {'/'.join(names)}"
