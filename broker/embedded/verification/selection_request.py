"""The request for pacts to verify, as JSON or as the query string of old clients: read, or refused field by field."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from broker.embedded.http import nested_query
from broker.embedded.http.errors import invalid
from broker.embedded.verification.selector_mistakes import mistakes_in
from broker.text.times import read_time

BLANK_BRANCH = (
    "when pending or WIP pacts are enabled and there are no tags provided, the provider version branch must not be an "
    "empty string, as it is used in the calculations for WIP/pending. A value must be provided (recommended), or it "
    "must not be set at all."
)

Errors = dict[str, list[str]]

_OLD_KEYS = {"tag": "tag", "latest": "latest", "fallback_tag": "fallbackTag", "consumer": "consumer"}
_TRUTH = {"true": True, "false": False}


@dataclass(frozen=True)
class SelectionRequest:
    """What a provider asks for.

    Attributes:
        selectors: The consumer version selectors; without any, those that matter to every provider are meant.
        branch: The branch of the provider's version that is going to verify.
        tags: Its tags.
        pending: Whether to tell which pacts are pending.
        wip_since: The time from which on pacts may be work in progress; without it none is.
        by_query: Whether the deprecated form was used.
    """

    selectors: list[dict[str, Any]] = field(default_factory=list)
    branch: str | None = None
    tags: tuple[str, ...] = ()
    pending: bool = True
    wip_since: str | None = None
    by_query: bool = False


def from_document(fields: dict[str, Any]) -> SelectionRequest:
    """Return the request in a JSON document.

    Raises:
        Refusal: 400 with all mistakes.
    """
    errors: Errors = {}
    branch, tags = fields.get("providerVersionBranch"), fields.get("providerVersionTags")
    since, pending = fields.get("includeWipPactsSince"), fields.get("includePendingStatus", True)
    if "includePendingStatus" in fields and not isinstance(pending, bool):
        errors["includePendingStatus"] = ["must be one of: true, false"]
    if branch is not None and not isinstance(branch, str):
        errors["providerVersionBranch"] = ["must be a string"]
    elif branch and not branch.strip():
        errors["providerVersionBranch"] = ["cannot be blank"]
    elif branch == "" and not tags and (since or fields.get("includePendingStatus")):
        errors["providerVersionBranch"] = [BLANK_BRANCH]
    if tags is not None and not isinstance(tags, list):
        errors["providerVersionTags"] = ["must be an array"]
    elif not all(isinstance(tag, str) for tag in tags or ()):
        errors["providerVersionTags"] = ["must be an array of strings"]
    if "includeWipPactsSince" in fields and (mistake := _mistake_in_time(since)):
        errors["includeWipPactsSince"] = [mistake]
    selectors = fields.get("consumerVersionSelectors")
    if mistakes := _mistakes_in_all(selectors, branch):
        errors["consumerVersionSelectors"] = mistakes
    if errors:
        raise invalid(errors)
    return SelectionRequest(
        selectors=selectors or [],
        branch=branch or None,
        tags=tuple(tags or ()),
        pending=pending,
        wip_since=_in_tables(since),
    )


def from_query(query: str) -> SelectionRequest:
    """Return the request in a query string: `consumer_version_selectors[][tag]=dev&provider_version_tags[]=main`.

    Raises:
        Refusal: 400 with all mistakes.
    """
    plain, lists = nested_query.parse(query)
    errors: Errors = {}
    pending, since = plain.get("include_pending_status", "true"), plain.get("include_wip_pacts_since")
    if pending not in _TRUTH:
        errors["include_pending_status"] = ["must be one of: true, false"]
    if since is not None and (mistake := _mistake_in_time(since)):
        errors["include_wip_pacts_since"] = [mistake]
    selectors = [item for item in lists["consumer_version_selectors"] if isinstance(item, dict)]
    mistakes = [
        f"tag is missing (at index {index})" for index, item in enumerate(selectors) if not item.get("tag")
    ]
    if mistakes:
        errors["consumer_version_selectors"] = mistakes
    if errors:
        raise invalid(errors)
    return SelectionRequest(
        selectors=[
            {
                new: item[old] == "true" if old == "latest" else item[old]
                for old, new in _OLD_KEYS.items()
                if old in item
            }
            for item in selectors
        ],
        tags=tuple(tag for tag in lists["provider_version_tags"] if isinstance(tag, str)),
        pending=_TRUTH[pending],
        wip_since=_in_tables(since),
        by_query=True,
    )


def _mistakes_in_all(selectors: object, branch: object) -> list[str]:
    if selectors is None:
        return []
    if not isinstance(selectors, list):
        return ["must be an array"]
    return [
        f"{text} (at index {index})"
        for index, one in enumerate(selectors)
        for text in mistakes_in(one, with_branch=bool(branch))
    ]


def _mistake_in_time(since: object) -> str | None:
    if not since:
        return "must be filled"
    return "must be a date" if read_time(since) is None else None


def _in_tables(since: Any) -> str | None:
    """Return a time in the form of the tables, so that the two can be compared as texts."""
    time = read_time(since)
    return None if time is None else time.isoformat(timespec="seconds")
