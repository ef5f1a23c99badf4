"""The routes of the page: Overview."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from flask import Blueprint, request

from app.config.provider import RelayedProvider
from app.records.outcomes import EVERY_PACT
from app.records.sightings import Seen
from app.web.context import database, receiver
from app.web.dashboard.overview.attention import lines_of
from app.web.dashboard.overview.chart import WORDS, chart_of
from app.web.dashboard.overview.query import DAYS, HOURS, read
from app.web.dashboard.rendering import show

if TYPE_CHECKING:
    from flask import Response

LONGEST_SEARCH = 200
LINES_AT_ONCE = 12
"""The lines of what needs attention that are not folded."""

blueprint = Blueprint("overview", __name__)


@blueprint.get("/")
def show_overview() -> Response:
    """Answer with the page."""
    search = request.args.get("q", "").strip()[:LONGEST_SEARCH]
    page = request.args.get("page", "")
    number = int(page) if page.isascii() and page.isdigit() and len(page) < 6 else 1
    return show(
        "overview/overview.html.jinja", lambda: _values(search, number), topics=("runs", "deliveries")
    )


def _values(search: str, number: int) -> dict[str, Any]:
    settings = receiver().settings
    now = datetime.now(UTC)
    with database() as connection:
        overview = read(
            connection,
            [provider.name for provider in settings.providers],
            stalled_seconds=settings.worker.stalled_seconds,
            now=now,
            search=search,
            page=number,
        )
    hour = now.replace(minute=0, second=0, microsecond=0)
    waited = overview.state.oldest_waiting_seconds
    return {
        "oldest": now - timedelta(seconds=waited) if waited else None,
        "overview": overview,
        "providers": overview.providers,
        "lines": lines_of(overview, settings.broker.url, now),
        "broker": overview.seen.get(Seen.BROKER),
        "charts": {
            "hours": chart_of(overview.hours, last=hour, step=timedelta(hours=1), number=HOURS, form="%H:%M"),
            "days": chart_of(
                overview.days, last=hour.replace(hour=0), step=timedelta(days=1), number=DAYS, form="%Y-%m-%d"
            ),
        },
        "at_once": LINES_AT_ONCE,
        "words": WORDS,
        "search": search,
        "every_pact": EVERY_PACT,
        "relayed": {one.name for one in settings.providers if isinstance(one, RelayedProvider)},
    }
