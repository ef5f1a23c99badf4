"""What a message says, whatever form its target takes: a title, and a line for each change. No I/O.

The content is stored when the changes are, and each target's module makes its own form of it when it is sent. All names
and texts in it may be hostile: nothing here is markup, and none of those modules lets it become any.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from app.config.notify import NotifiedEvent
from broker.text.brief import short_version
from broker.text.cut import beginning
from broker.text.harmless import one_line
from verifier.report.amounts import count

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from uuid import UUID

    from app.config.sections import ServerSettings
    from app.notifications.change import Change

SCHEMA_VERSION = 1
MOST_CHANGES = 100
"""The changes that a message has one by one; the others are counted."""
MOST_LINES = 20
"""The changes that a message for people has a line for."""
MOST_BYTES = 10_000
"""The size of these lines: Slack refuses some 13,000 characters in blocks, and Teams a message of more than 28 KB."""
LONGEST_NAME = 120
LONGEST_WHY = 300
LONGEST_TITLE = 150


def content_of(
    provider: str,
    changes: Sequence[Change],
    *,
    server: ServerSettings,
    page_of: Callable[[UUID], str | None],
) -> dict[str, Any]:
    """Return the content of a message, as JSON values.

    Args:
        provider: The provider's name.
        changes: The changes; the worst come first in the message.
        server: Where people reach the receiver.
        page_of: Returns the URL of the page of a run; None where none is known.
    """
    order = list(NotifiedEvent)
    ordered = sorted(
        changes, key=lambda one: (order.index(one.event), one.over, one.consumer, one.line, one.reason or "")
    )
    base = server.public_url
    return {
        "schema_version": SCHEMA_VERSION,
        "provider": provider,
        "title": _title(provider, ordered),
        "events": [event.value for event in NotifiedEvent if any(one.event is event for one in ordered)],
        "url": None if base is None else server.address(f"/providers/{quote(provider, safe='')}"),
        "changes": [_document(one, server, page_of) for one in ordered[:MOST_CHANGES]],
        "more_changes": max(0, len(ordered) - MOST_CHANGES),
    }


def trial_content(providers: Sequence[str], server: ServerSettings) -> dict[str, Any]:
    """Return the content of a message that only shows that messages arrive; it is of the first of some providers."""
    provider, others = providers[0], len(providers) - 1
    more = f" and {count(others, 'other provider')}" if others else ""
    return {
        "schema_version": SCHEMA_VERSION,
        "provider": provider,
        "title": f"{_short(provider)}{more}: this is a test, nothing has changed",
        "events": ["test"],
        "url": None
        if server.public_url is None
        else server.address(f"/providers/{quote(provider, safe='')}"),
        "changes": [],
        "more_changes": 0,
    }


def lines_of(content: Mapping[str, Any]) -> list[tuple[str, str, str | None]]:
    """Return the lines of a message for people: what it is about, what is said of that, and a link."""
    changes, lines, left = content["changes"], [], MOST_BYTES
    for one in changes[:MOST_LINES]:
        line = (_subject(one), _said(one), one["url"])
        left -= len("".join(filter(None, line)).encode())
        if left < 0:
            break
        lines.append(line)
    more = len(changes) - len(lines) + content["more_changes"]
    if more > 0:
        lines.append((f"{more} more", "", content["url"]))
    return lines


def _document(
    change: Change, server: ServerSettings, page_of: Callable[[UUID], str | None]
) -> dict[str, Any]:
    url = None if change.run_id is None else page_of(change.run_id)
    if change.delivery_id is not None and server.public_url is not None:
        url = server.address(f"/deliveries/{change.delivery_id}")
    return {
        "event": change.event.value,
        "consumer": change.consumer or None,
        "consumer_version": change.consumer_version,
        "provider_version": change.provider_version,
        "branch": change.line or None,
        "changed": list(change.changed),
        "failed_interactions": change.failed,
        "interactions": change.interactions,
        "since": None if change.since is None else change.since.astimezone(UTC).isoformat(timespec="seconds"),
        "over": change.over,
        "reason": change.reason,
        "why": None if change.why is None else beginning(one_line(change.why), LONGEST_WHY),
        "to_do": change.to_do,
        "run_id": None if change.run_id is None else str(change.run_id),
        "delivery_id": None if change.delivery_id is None else str(change.delivery_id),
        "url": url,
    }


def _title(provider: str, changes: Sequence[Change]) -> str:
    kinds = Counter((one.event, one.over) for one in changes)
    words = {
        (NotifiedEvent.BROKEN, False): "{} broken",
        (NotifiedEvent.HEALED, False): "{} healed",
        (NotifiedEvent.UNVERIFIABLE, False): "{} can't be verified",
        (NotifiedEvent.UNVERIFIABLE, True): "{} can be verified again",
    }
    parts = [text.format(count(kinds[kind], "pact")) for kind, text in words.items() if kinds[kind]]
    if kinds[NotifiedEvent.REFUSED, False]:
        parts.append("dispatches are refused")
    return f"{_short(provider)}: {', '.join(parts)}"


def _subject(change: Mapping[str, Any]) -> str:
    if change["event"] == NotifiedEvent.REFUSED:
        return "Dispatches"
    name = "Every pact" if change["consumer"] is None else _short(change["consumer"])
    version = change["consumer_version"]
    return f"{name} {_short(short_version(version))}" if version and change["consumer"] else name


def _said(change: Mapping[str, Any]) -> str:
    if change["event"] == NotifiedEvent.REFUSED:
        return f"are refused ({change['reason']}): {change['why'] or ''} {change['to_do'] or ''}".rstrip()
    version, branch = change["provider_version"], change["branch"]
    of = f" with version {_short(short_version(version))}" if version else ""
    of += f" of the branch {_short(branch)}" if branch else ""
    if change["event"] == NotifiedEvent.BROKEN:
        failed, interactions = (
            change["failed_interactions"],
            count(change["interactions"] or 0, "interaction"),
        )
        changed = f"; changed: {' and '.join(change['changed'])}" if change["changed"] else ""
        return f"is broken{of}: {failed or 'some'} of {interactions} failed{changed}"
    if change["event"] == NotifiedEvent.HEALED:
        return f"has healed{of}"
    if change["over"]:
        return f"can be verified again{of}"
    return f"can't be verified since {(change['since'] or '?')[:16].replace('T', ' ')} UTC: {change['why'] or ''}"


def _short(text: str) -> str:
    return beginning(one_line(text), LONGEST_NAME)
