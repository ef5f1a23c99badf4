"""The query of `/matrix`: `q[][pacticipant]=Foo&q[][version]=1&latestby=cvp&latest=true` (no I/O)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

from broker.embedded.http import nested_query

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from broker.embedded.http.nested_query import Item

MOST_ROWS = 100
"""The rows that are answered where the query has no limit."""


class LatestBy(Enum):
    """The results that count, if there are several."""

    EVERY = None
    CONSUMER_VERSION_PROVIDER_VERSION = "cvpv"
    CONSUMER_VERSION_PROVIDER = "cvp"
    CONSUMER_PROVIDER = "cp"


_LATEST_BY = frozenset(member.value for member in LatestBy if member.value is not None)


@dataclass(frozen=True)
class Scope:
    """The versions of a pacticipant in a query: one by its number, the latest of some, or any."""

    version: str | None = None
    latest: bool = False
    tag: str | None = None
    branch: str | None = None
    main_branch: bool = False
    environment: str | None = None

    @property
    def given(self) -> bool:
        """Whether it excludes any version."""
        return self != Scope()


@dataclass(frozen=True)
class Selector:
    """Versions of a pacticipant; one without a name is a mistake."""

    pacticipant: str | None
    scope: Scope = Scope()


@dataclass(frozen=True)
class MatrixQuery:
    """A query of the matrix.

    Attributes:
        selectors: The versions in question.
        others: The versions of what they are integrated with; if given, these are looked for.
        latest_by: The results that count.
        ignored: What needs no result.
        successes: The outcomes of the rows to answer, None for a row without a result; all if empty.
        limit: The most rows; None for all.
    """

    selectors: tuple[Selector, ...]
    others: Scope = Scope()
    latest_by: LatestBy = LatestBy.EVERY
    ignored: tuple[Selector, ...] = ()
    successes: frozenset[bool | None] = frozenset()
    limit: int | None = None


class InvalidMatrixQuery(ValueError):
    """A query that can't be answered; the messages are for the client."""

    def __init__(self, *messages: str) -> None:
        super().__init__(*messages)
        self.messages = list(messages)


def parse(query: str) -> MatrixQuery:
    """Return the query in a query string, with at least one selector.

    Raises:
        InvalidMatrixQuery: With all mistakes that can be found without the broker's data.
    """
    plain, lists = nested_query.parse(query)
    parsed = replace(
        options(plain, lists),
        selectors=tuple(map(_selector, lists["q"])),
        ignored=tuple(map(_selector, lists["ignore"])),
    )
    mistakes = [
        *_mistakes_in(parsed.selectors, "Please specify the pacticipant name", ""),
        *([] if parsed.selectors else ["Please provide 1 or more version selectors."]),
        *_mistakes_in(parsed.ignored, "Please specify the pacticipant name to ignore", " to ignore"),
    ]
    others = parsed.others
    if sum((others.tag is not None, others.environment is not None, "mainBranch" in plain)) > 1:
        mistakes.append("Cannot specify more than one of tag, environment and mainBranch.")
    if others.latest and others.environment is not None:
        mistakes.append("Cannot specify both latest=true and an environment.")
    if parsed.limit is not None and parsed.limit < 1:
        mistakes.append("The limit must be 1 or greater.")
    if not mistakes and plain.get("latestby", "") not in {"", *_LATEST_BY}:
        mistakes.append(f"latestby must be one of: {', '.join(sorted(_LATEST_BY))}")
    if mistakes:
        raise InvalidMatrixQuery(*mistakes)
    return parsed


def options(plain: Mapping[str, str], lists: Mapping[str, list[Item]]) -> MatrixQuery:
    """Return the query without selectors that the parameters beside the selectors make."""
    latest_by = plain.get("latestby") or None
    limit = plain.get("limit") or str(MOST_ROWS)
    outcomes = lists.get("success", [])
    if "success" in plain:
        outcomes = [plain["success"]]
    return MatrixQuery(
        (),
        # A branch of the others is not among what a real broker reads.
        others=_scope({key: value for key, value in plain.items() if key not in {"version", "branch"}}),
        latest_by=LatestBy(latest_by if latest_by in _LATEST_BY else None),
        successes=frozenset(None if one == "" else one == "true" for one in outcomes),
        limit=int(limit) if limit.isascii() and limit.isdigit() and len(limit) < 10 else 0,
    )


def _mistakes_in(selectors: Iterable[Selector], nameless: str, what_for: str) -> list[str]:
    mistakes = []
    for one in selectors:
        if one.pacticipant is None:
            mistakes.append(nameless)
        elif one.scope.version is not None and one.scope.latest:
            mistakes.append(
                f"A version number and latest flag cannot both be specified for {one.pacticipant}{what_for}"
            )
    return mistakes


def _selector(item: Item) -> Selector:
    if isinstance(item, str):
        return Selector(None)
    return Selector(item.get("pacticipant") or None, _scope(item))


def _scope(fields: Mapping[str, str]) -> Scope:
    return Scope(
        version=fields.get("version") or None,
        latest=fields.get("latest") == "true",
        tag=fields.get("tag") or None,
        branch=fields.get("branch") or None,
        main_branch=fields.get("mainBranch") == "true",
        environment=fields.get("environment") or None,
    )
