"""Pages of a list, newest first: what a request asks for, and the cursor that leads to the next page.

A cursor is the place of the last item that was shown, so that no item is shown twice or left out when others are added
or deleted meanwhile.
"""

from __future__ import annotations

import base64
import binascii
import re
import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlencode
from uuid import UUID

from app.web.problem import Fault, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from werkzeug.datastructures import MultiDict

DEFAULT_LIMIT, MAX_LIMIT = 50, 200
LONGEST_FILTER = 2000
"""Of a value that is looked for; a URL can't be much longer."""

_LIMIT = re.compile(r"[0-9]{1,3}")
_PLACE = struct.Struct(">q16s")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Place:
    """Where an item stands in a list.

    Attributes:
        at: its time.
        id: tells items of one time apart.
    """

    at: datetime
    id: UUID

    def cursor(self) -> str:
        """Write it as a cursor, which means nothing to whom it is given."""
        microseconds = (self.at - _EPOCH) // timedelta(microseconds=1)
        return base64.urlsafe_b64encode(_PLACE.pack(microseconds, self.id.bytes)).decode()

    @classmethod
    def of(cls, cursor: str) -> Place:
        """Read a cursor.

        Raises:
            ValueError: it is none.
        """
        try:
            microseconds, identity = _PLACE.unpack(base64.b64decode(cursor.encode(), b"-_", validate=True))
            return cls(_EPOCH + timedelta(microseconds=microseconds), UUID(bytes=identity))
        except (binascii.Error, struct.error, OverflowError, UnicodeEncodeError) as error:
            raise ValueError("must be the one of a `next` that this receiver gave") from error


@dataclass(frozen=True)
class Filter:
    """A parameter by which a list is filtered.

    Attributes:
        name: its own, and that of the column.
        choices: what it may be; anything unless given.
    """

    name: str
    choices: tuple[str, ...] = ()

    def read(self, value: str) -> str:
        """Check a value.

        Raises:
            ValueError: it can't be one.
        """
        if self.choices and value not in self.choices:
            raise ValueError(f"must be one of {', '.join(self.choices)}")
        if not 1 <= len(value) <= LONGEST_FILTER or "\0" in value:
            raise ValueError(f"must be a text of 1 to {LONGEST_FILTER} characters, without NUL")
        return value


@dataclass(frozen=True)
class PageRequest:
    """What is asked for.

    Attributes:
        filters: the values of columns.
        limit: the most items.
        after: the place after which the page begins; None for the first page.
    """

    filters: Mapping[str, str]
    limit: int = DEFAULT_LIMIT
    after: Place | None = None

    @classmethod
    def read(cls, parameters: MultiDict[str, str], filters: Iterable[Filter]) -> PageRequest:
        """Read the parameters of a request.

        Raises:
            Problem: some can't be used; each is named.
        """
        known = {known.name: known for known in filters}
        faults = []
        values: dict[str, str] = {}
        limit, after = DEFAULT_LIMIT, None
        for name, given in parameters.lists():
            if name not in {"limit", "cursor", *known}:
                there_are = ", ".join(["limit", "cursor", *known])
                faults.append(Fault(name[:100], f"is no parameter; there are {there_are}"))
                continue
            try:
                value = _only(given)
                if name == "limit":
                    limit = _limit(value)
                elif name == "cursor":
                    after = Place.of(value)
                else:
                    values[name] = known[name].read(value)
            except ValueError as error:
                faults.append(Fault(name, str(error)))
        if faults:
            raise Problem.invalid(*faults)
        return cls(values, limit, after)

    def next_query(self, last: Place) -> str:
        """Give the query that asks for the page after the one that ends at a place."""
        return urlencode({**self.filters, "limit": self.limit, "cursor": last.cursor()})


def _only(given: list[str]) -> str:
    if len(given) > 1:
        raise ValueError("must be given once")
    return given[0]


def _limit(text: str) -> int:
    if _LIMIT.fullmatch(text) is None or not 1 <= int(text) <= MAX_LIMIT:
        raise ValueError(f"must be a number from 1 to {MAX_LIMIT}")
    return int(text)
