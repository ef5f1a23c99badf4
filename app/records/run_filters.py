"""What the list of runs can be filtered by beyond the value of a column, as conditions in SQL."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any, LiteralString

from psycopg import sql

from broker.text.times import read_time

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from psycopg import Connection

TEXT = "text"
"""The filter that is looked for in the texts of a run."""
MOST_SEARCHED = 5000
"""In so many runs a text is looked for at once: no index has it."""
LONGEST_TEXT = 100
LONGEST_VERSION = 255
"""The characters of a version that an index has."""
HIDDEN, SHOWN = "hidden", "shown"
"""Whether a list has the runs of the single pacts of runs for every pact."""

_AGO = re.compile(r"([0-9]{1,5})(min|h|d)")
_UNITS = {"min": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}

VERSION = "version"
"""The filter by the beginning of a version."""
RARE = 2000
"""Up to so many runs of a version are looked up one by one."""
_PREFIXES: tuple[LiteralString, ...] = (
    f"left(consumer_version, {LONGEST_VERSION}) LIKE {{value}}",
    f"left(provider_version, {LONGEST_VERSION}) LIKE {{value}}",
    "sha LIKE {value}",
)
"""What has an index each."""
_RARE_VERSION: LiteralString = (
    "id = ANY(ARRAY(" + " UNION ALL ".join("SELECT id FROM runs WHERE " + one for one in _PREFIXES) + "))"  # noqa: S608 - constants
)
"""The condition in a form that is never met by reading all runs, newest first, until enough are found."""
_CONDITIONS: dict[str, LiteralString] = {
    # what may be too long for an index, which has the beginning of it
    "pact_url": "left(pact_url, 500) = left({value}, 500) AND pact_url = {value}",
    "branch": "(branch = {value} OR provider_branch = {value})",
    VERSION: "(" + " OR ".join(_PREFIXES) + ")",
    "parent": "parent_id = {value}::uuid",
    "since": "created_at >= {value}",
    "until": "created_at < {value}",
}
_SEARCHED: LiteralString = (
    "strpos(lower(concat_ws(E'\\n', provider, consumer, error, publish_error, consumer_version, provider_version, sha, "
    "branch, provider_branch, repository, event_type, pact_url)), lower({value})) > 0"
)


def moment_of(text: str, now: datetime, *, end: bool = False) -> datetime:
    """Return the moment that a text means.

    Args:
        text: `90min`, `24h` or `7d` ago; a day such as 2026-11-27, or a time such as 2026-11-27T13:00, in UTC unless it
            says otherwise.
        now: The time.
        end: Whether a day means its end, and not its beginning.

    Raises:
        ValueError: It means none.
    """
    try:
        if (ago := _AGO.fullmatch(text)) is not None:
            return now - int(ago[1]) * _UNITS[ago[2]]
        moment = read_time(text)
        if moment is not None:
            return moment + timedelta(days=int(end and len(text) <= len("2026-11-27")))
    except OverflowError:
        pass
    raise ValueError(
        "must be how long ago (90min, 24h, 7d), a day (2026-11-27), or a time in UTC (2026-11-27T13:00)"
    )


def is_rare(connection: Connection[Any], version: str) -> bool:
    """Return whether few runs have a version that begins so.

    The database can't tell that by itself: its statistics know no more of the beginnings of a million versions than
    that each has about a hundredth of them. By that it would read all runs for the page of one version.
    """
    limited = sql.SQL("(SELECT FROM runs WHERE {} LIMIT {})")
    value = sql.Placeholder(VERSION)
    found = [limited.format(sql.SQL(one).format(value=value), RARE + 1) for one in _PREFIXES]
    query = sql.SQL("SELECT count(*) <= {} FROM ({}) AS found").format(
        RARE, sql.SQL(" UNION ALL ").join(found)
    )
    row = connection.execute(query, {VERSION: _prefix(version)}).fetchone()
    return bool(row and row[0])


def conditions_of(
    filters: Mapping[str, str], now: datetime, *, rare_version: bool = False
) -> tuple[list[sql.Composable], dict[str, datetime | str]]:
    """Return the conditions of filters, and their values.

    Args:
        filters: The filters but `TEXT`; those that are none of this module's are names of columns.
        now: The time.
        rare_version: Whether few runs have the version that is asked for, if one is.
    """
    conditions: list[sql.Composable] = []
    values: dict[str, datetime | str] = {}
    for name, value in filters.items():
        if name == "pacts":
            if value == HIDDEN:
                conditions.append(sql.SQL("parent_id IS NULL"))
            continue
        text = (
            _RARE_VERSION if rare_version and name == VERSION else _CONDITIONS.get(name, "{column} = {value}")
        )
        condition = sql.SQL(text)
        conditions.append(condition.format(column=sql.Identifier(name), value=sql.Placeholder(name)))
        values[name] = _value(name, value, now)
    return conditions, values


def search_condition(text: str) -> tuple[sql.Composable, dict[str, Any]]:
    """Return the condition that a run has a text, whatever its case, and its value."""
    return sql.SQL(_SEARCHED).format(value=sql.Placeholder(TEXT)), {TEXT: text}


def _value(name: str, value: str, now: datetime) -> datetime | str:
    if name in {"since", "until"}:
        return moment_of(value, now, end=name == "until")
    return _prefix(value) if name == VERSION else value


def _prefix(version: str) -> str:
    """Return the pattern of what begins so."""
    return re.sub(r"([\\%_])", r"\\\1", version) + "%"
