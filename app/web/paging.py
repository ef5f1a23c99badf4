"""The parameters of a list: its filters, the length of a page, and the cursor that leads to the next page.

A cursor is the place of the last item of a page (of a provider: its name), so that no item is shown twice or left out
when others are added or deleted meanwhile.
"""

from __future__ import annotations

import base64
import binascii
import re
import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlencode
from uuid import UUID

from app.database.storable import storable_text
from app.dispatch import MAX_REPOSITORY, MAX_URL
from app.records.deliveries import Source
from app.records.history import Place
from app.records.run import RunReason, RunStatus
from app.records.run_filters import (
    HIDDEN,
    LONGEST_TEXT,
    LONGEST_VERSION,
    MOST_SEARCHED,
    SHOWN,
    moment_of,
)
from app.web.problem import Fault, HttpProblem
from broker.http.names import LONGEST_NAME
from verifier.verification import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from werkzeug.datastructures import MultiDict

DEFAULT_LIMIT, MAX_LIMIT = 50, 200
DEFAULT_PROVIDERS = MAX_LIMIT
"""Providers of a page: whoever doesn't know of pages sees as many as a page can have."""
LONGEST_MOMENT = 40

_ID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_LIMIT = re.compile(r"[0-9]{1,3}")
_PLACE = struct.Struct(">q16s")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FOREIGN_CURSOR = "must be the one of a `next` that this receiver gave"

_After = TypeVar("_After", Place, str)


def cursor_of(place: Place) -> str:
    """Return a place in the form of a cursor, which means nothing to those who get it."""
    microseconds = (place.at - _EPOCH) // timedelta(microseconds=1)
    return base64.urlsafe_b64encode(_PLACE.pack(microseconds, place.id.bytes)).decode()


def place_of(cursor: str) -> Place:
    """Return the place of a cursor.

    Raises:
        ValueError: It is no cursor of `cursor_of`.
    """
    try:
        microseconds, identity = _PLACE.unpack(base64.b64decode(cursor.encode(), b"-_", validate=True))
        return Place(_EPOCH + timedelta(microseconds=microseconds), UUID(bytes=identity))
    except (binascii.Error, struct.error, OverflowError, UnicodeEncodeError) as error:
        raise ValueError(_FOREIGN_CURSOR) from error


def cursor_of_name(name: str) -> str:
    """Return a name in the form of a cursor."""
    return base64.urlsafe_b64encode(name.encode()).decode()


def name_of(cursor: str) -> str:
    """Return the name of a cursor.

    Raises:
        ValueError: It is no cursor of `cursor_of_name`.
    """
    try:
        return base64.b64decode(cursor.encode(), b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError) as error:
        raise ValueError(_FOREIGN_CURSOR) from error


@dataclass(frozen=True)
class Filter:
    """A parameter by which a list is filtered.

    Attributes:
        name: The name of the parameter, and of the column unless `app.records.run_filters` has a condition for it.
        choices: The values that it may have; any unless given.
        longest: The characters of a value, at most: those of what the column can have.
        check: Raises a ValueError unless a value can be used.
        meaning: What it does; that a column has the value unless given.
    """

    name: str
    choices: tuple[str, ...] = ()
    longest: int = LONGEST_NAME
    check: Callable[[str], object] | None = None
    meaning: str = ""

    def read(self, value: str) -> str:
        """Return a value if it can be one of this parameter.

        Raises:
            ValueError: It can't be one.
        """
        if self.choices and value not in self.choices:
            raise ValueError(f"must be one of {', '.join(self.choices)}")
        if not 1 <= len(value) <= self.longest or storable_text(value) != value:
            raise ValueError(f"must be a text of 1 to {self.longest} characters, without NUL")
        if self.check is not None:
            self.check(value)
        return value


def _check_moment(text: str) -> None:
    moment_of(text, datetime.now(UTC))
    moment_of(text, datetime.now(UTC), end=True)


def _check_id(text: str) -> None:
    if _ID.fullmatch(text) is None:
        raise ValueError("must be the id of a run")


RUN_FILTERS = (
    Filter("status", tuple(RunStatus)),
    Filter("outcome", tuple(Outcome)),
    Filter("provider"),
    Filter("consumer"),
    Filter("repository", longest=MAX_REPOSITORY),
    Filter("pact_url", longest=MAX_URL),
    Filter("reason", tuple(RunReason)),
    Filter("branch", meaning="The branch of the provider that was asked for, or that was verified."),
    Filter(
        "version", longest=LONGEST_VERSION, meaning="How a version of the consumer or the provider begins."
    ),
    Filter(
        "since",
        longest=LONGEST_MOMENT,
        check=_check_moment,
        meaning="Accepted at this time or later: 90min, 24h or 7d ago, a day, or a time, in UTC unless it says.",
    ),
    Filter(
        "until",
        longest=LONGEST_MOMENT,
        check=_check_moment,
        meaning="Accepted before this time, or until the end of this day; as `since`.",
    ),
    Filter(
        "text",
        longest=LONGEST_TEXT,
        meaning="A part of its error, names, versions, branch or pact URL, whatever the case. A page has those of "
        f"{MOST_SEARCHED} runs, which may be none: follow `next`.",
    ),
    Filter("parent", check=_check_id, meaning="The run for every pact that they are of."),
    Filter("pacts", (SHOWN, HIDDEN), meaning="Whether those of the pacts of runs for every pact are listed."),
)
DELIVERY_FILTERS = (
    Filter("source", tuple(Source)),
    Filter("refusal"),
    Filter("repository", longest=MAX_REPOSITORY),
)


@dataclass(frozen=True)
class PageRequest:
    """The page that a request asks for.

    Attributes:
        filters: The values that columns must have.
        limit: How many items the page has at most.
        after: The place after which the page begins; None for the first page.
    """

    filters: Mapping[str, str]
    limit: int = DEFAULT_LIMIT
    after: Place | None = None

    @classmethod
    def read(cls, parameters: MultiDict[str, str], filters: Iterable[Filter]) -> PageRequest:
        """Read the parameters of a request.

        Raises:
            HttpProblem: Some can't be used; each is named.
        """
        asked, faults = cls.parse(parameters, filters)
        if faults:
            raise HttpProblem.invalid(*faults)
        return asked

    @classmethod
    def parse(
        cls, parameters: MultiDict[str, str], filters: Iterable[Filter]
    ) -> tuple[PageRequest, list[Fault]]:
        """Read the parameters of a request as far as they can be used, and return what is wrong with the others."""
        values, limit, after, faults = _read(parameters, filters, DEFAULT_LIMIT, place_of)
        return cls(values, limit, after), faults

    def next_query(self, end: Place) -> str:
        """Return the query that asks for the page after a place."""
        return urlencode({**self.filters, "limit": self.limit, "cursor": cursor_of(end)})


@dataclass(frozen=True)
class ProvidersRequest:
    """The page of providers that a request asks for.

    Attributes:
        limit: How many the page has at most.
        after: The name after which the page begins; None for the first page.
    """

    limit: int = DEFAULT_PROVIDERS
    after: str | None = None

    @classmethod
    def read(cls, parameters: MultiDict[str, str]) -> ProvidersRequest:
        """Read the parameters of a request.

        Raises:
            HttpProblem: Some can't be used; each is named.
        """
        _, limit, after, faults = _read(parameters, (), DEFAULT_PROVIDERS, name_of)
        if faults:
            raise HttpProblem.invalid(*faults)
        return cls(limit, after)

    def next_query(self, end: str) -> str:
        """Return the query that asks for the page after a name."""
        return urlencode({"limit": self.limit, "cursor": cursor_of_name(end)})


def _read(
    parameters: MultiDict[str, str], filters: Iterable[Filter], limit: int, place: Callable[[str], _After]
) -> tuple[dict[str, str], int, _After | None, list[Fault]]:
    known: dict[str, Filter] = {one.name: one for one in filters}
    faults: list[Fault] = []
    values: dict[str, str] = {}
    after: _After | None = None
    for name, given in parameters.lists():
        if name not in {"limit", "cursor", *known}:
            there_are = ", ".join(["limit", "cursor", *known])
            faults.append(Fault(field=name[:100], message=f"is no parameter; there are {there_are}"))
            continue
        try:
            value = _only(given)
            if name == "limit":
                limit = _limit(value)
            elif name == "cursor":
                after = place(value)
            else:
                values[name] = known[name].read(value)
        except ValueError as error:
            faults.append(Fault(field=name, message=str(error)))
    return values, limit, after, faults


def _only(given: list[str]) -> str:
    if len(given) > 1:
        raise ValueError("must be given once")
    return given[0]


def _limit(text: str) -> int:
    if _LIMIT.fullmatch(text) is None or not 1 <= int(text) <= MAX_LIMIT:
        raise ValueError(f"must be a number from 1 to {MAX_LIMIT}")
    return int(text)
