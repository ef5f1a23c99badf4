"""Who depends on whom, as tables of comma-separated values: of all pacticipants, or of those around one."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from flask import Blueprint, Response
from sqlalchemy import select

from broker.embedded.storage.records import CONSUMER, PROVIDER, pacticipant_named, session
from broker.embedded.storage.tables import PactVersion

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

blueprint = Blueprint("relationships", __name__)

Pair = tuple[int, str, int, str]
"""The ids and names of a consumer and a provider."""


@blueprint.get("/relationships")
def show_all() -> Response:
    """Answer a line for each pacticipant: its id, its name, four numbers for a drawing, and its providers' ids."""
    return _answer(_pairs())


@blueprint.get("/groups/<name:pacticipant>")
def show_group(pacticipant: str) -> Response:
    """Answer the same for a pacticipant, and for all that it is connected to by pacts, directly or not."""
    known = {pacticipant_named(pacticipant).id}
    pairs = _pairs()
    while True:
        around = known | {one for pair in pairs if known & {pair[0], pair[2]} for one in (pair[0], pair[2])}
        if around == known:
            return _answer([pair for pair in pairs if pair[0] in known])
        known = around


def _pairs() -> Sequence[Pair]:
    query = (
        select(CONSUMER.id, CONSUMER.name, PROVIDER.id, PROVIDER.name)
        .select_from(PactVersion)
        .join(CONSUMER, CONSUMER.id == PactVersion.consumer_id)
        .join(PROVIDER, PROVIDER.id == PactVersion.provider_id)
        .distinct()
        .order_by(CONSUMER.name, PROVIDER.name)
    )
    return [(row[0], row[1], row[2], row[3]) for row in session().execute(query)]


def _answer(pairs: Collection[Pair]) -> Response:
    lines: dict[int, list[object]] = {}
    for consumer_id, consumer, provider_id, provider in pairs:
        for number, name in ((consumer_id, consumer), (provider_id, provider)):
            lines.setdefault(number, [number, name, 1, 1, 0, len(lines) + 1])
        lines[consumer_id].append(provider_id)
    longest = max(map(len, lines.values()), default=0)
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(
        line + [0] * (longest - len(line)) for line in lines.values()
    )
    return Response(text.getvalue(), content_type="text/csv;charset=utf-8")
