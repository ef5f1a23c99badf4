"""Long lists in pages: `pageSize` and `pageNumber`, or `size` and `page`, and `q` for a part of the name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from flask import request
from sqlalchemy import func, select

from broker.embedded.http.errors import invalid
from broker.embedded.http.hal import link

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Select
    from sqlalchemy.orm import InstrumentedAttribute, Session

T = TypeVar("T")

PAGE_SIZE = 100
"""The size of a page where only its number is asked for."""

_NUMBER, _SIZE = ("pageNumber", "page"), ("pageSize", "size")


@dataclass(frozen=True)
class Page:
    """The part of a list that a request asks for."""

    number: int
    size: int

    def of(self, query: Select[T]) -> Select[T]:
        """Return the query narrowed to the page."""
        return query.limit(self.size).offset((self.number - 1) * self.size)

    def document(self, query: Select[Any], session: Session) -> dict[str, int]:
        """Return what the answer says of the page, which is one of the whole query."""
        counted = select(func.count()).select_from(query.order_by(None).subquery())
        total = session.scalar(counted) or 0
        pages = -(-total // self.size)
        return {"number": self.number, "size": self.size, "totalElements": total, "totalPages": pages}

    def links(self, document: dict[str, int], href: str) -> dict[str, Any]:
        """Return the links to the pages beside this one."""
        found = {}
        for relation, number, there, title in (
            ("next", self.number + 1, self.number < document["totalPages"], "Next page"),
            ("previous", self.number - 1, self.number > 1, "Previous page"),
        ):
            if there:
                found[relation] = link(f"{href}?size={self.size}&page={number}", title=title)
        return found


@overload
def asked_page(*, always: Literal[True]) -> Page: ...
@overload
def asked_page() -> Page | None: ...
def asked_page(*, always: bool = False) -> Page | None:
    """Return the page that the request asks for; None for all, unless there is always one.

    Raises:
        Refusal: 400 for what is no such number.
    """
    errors: dict[str, list[str]] = {}
    number, size = (_positive(names, errors) for names in (_NUMBER, _SIZE))
    if errors:
        raise invalid(errors)
    if number is None and size is None and not always:
        return None
    return Page(number or 1, size or PAGE_SIZE)


def matching(name: InstrumentedAttribute[str]) -> ColumnElement[bool] | None:
    """Return the condition that the request's `q` is part of a name, whatever the case; None without one."""
    wanted = request.args.get("q")
    return name.icontains(wanted, autoescape=True) if wanted else None


def with_query(href: str) -> str:
    """Return the URL of a list with the query that it was asked for with."""
    query = request.query_string.decode("ascii", errors="replace")
    return f"{href}?{query}" if query else href


def _positive(names: tuple[str, ...], errors: dict[str, list[str]]) -> int | None:
    for name in names:
        text = request.args.get(name)
        if text is None:
            continue
        if not (text.isascii() and text.removeprefix("-").isdigit() and len(text) < 10):
            errors[name] = ["must be an integer"]
        elif int(text) < 1:
            errors[name] = ["must be greater than or equal to 1"]
        else:
            return int(text)
    return None
