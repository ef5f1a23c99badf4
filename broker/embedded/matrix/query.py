"""The query of `/matrix`: `q[][pacticipant]=Foo&q[][version]=1&latestby=cvp&latest=true` (no I/O)."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from collections.abc import Mapping

_KEY = re.compile(r"(q|ignore)\[\]\[(\w+)\]")
_SELECTOR_KEYS = ("pacticipant", "version", "latest", "tag", "branch", "mainBranch", "environment")


class LatestBy(Enum):
    """The results that count, if there are several."""

    EVERY = None
    CONSUMER_VERSION_PROVIDER_VERSION = "cvpv"
    CONSUMER_VERSION_PROVIDER = "cvp"


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
class Ignored:
    """A pacticipant, or one version of it, without results that count."""

    pacticipant: str
    version: str | None

    def covers(self, pacticipant: str, version: str | None) -> bool:
        """Return whether a version of a pacticipant is meant; a version of None is one not known yet."""
        return self.pacticipant == pacticipant and self.version in {None, version}


@dataclass(frozen=True)
class MatrixQuery:
    """A query of the matrix."""

    selectors: tuple[tuple[str, Scope], ...]
    others: Scope
    latest_by: LatestBy
    ignored: tuple[Ignored, ...] = ()


class InvalidMatrixQuery(ValueError):
    """A query that can't be answered; the message is for the client."""


def parse(query: str) -> MatrixQuery:
    """Return the query in a query string.

    A selector ends where one of its keys comes a second time, as Ruby on the real broker's side reads it.

    Raises:
        InvalidMatrixQuery: There is no selector, or one without a pacticipant.
    """
    lists: dict[str, list[dict[str, str]]] = defaultdict(list)
    options: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        match = _KEY.fullmatch(name)
        if match is None:
            options[name] = value
        elif match[2] in _SELECTOR_KEYS:
            found = lists[match[1]]
            if not found or match[2] in found[-1]:
                found.append({})
            found[-1][match[2]] = value
    selectors, ignored = lists["q"], lists["ignore"]
    if not selectors:
        raise InvalidMatrixQuery("Please provide 1 or more version selectors.")
    if any(not selector.get("pacticipant") for selector in (*selectors, *ignored)):
        raise InvalidMatrixQuery("Please specify the pacticipant name")
    known = {member.value for member in LatestBy}
    latest_by = options.get("latestby")
    return MatrixQuery(
        selectors=tuple((selector["pacticipant"], _scope(selector)) for selector in selectors),
        others=_scope({key: value for key, value in options.items() if key != "version"}),
        latest_by=LatestBy(latest_by if latest_by in known else None),
        ignored=tuple(Ignored(one["pacticipant"], one.get("version") or None) for one in ignored),
    )


def _scope(fields: Mapping[str, str]) -> Scope:
    return Scope(
        version=fields.get("version") or None,
        latest=fields.get("latest") == "true",
        tag=fields.get("tag") or None,
        branch=fields.get("branch") or None,
        main_branch=fields.get("mainBranch") == "true",
        environment=fields.get("environment") or None,
    )
