"""Whether a consumer's version counts: the broker is asked for its branches, where a change depends on it.

A pact of a consumer's branch that isn't merged yet says nothing of the platform: that it fails is why it was verified.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.notifications.lines import USUAL_MAIN_BRANCHES, matches
from broker.client import BrokerClient
from broker.http.errors import BrokerError
from broker.http.json_values import objects_at, text_at

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from broker.http.access import BrokerAccess

ASK_SECONDS = 5.0
"""For how long the broker is asked again if it is away; later somebody looks again."""


def versions_that_count(
    access: BrokerAccess, versions: Iterable[tuple[str, str]], patterns: Collection[str] | None
) -> dict[tuple[str, str], bool]:
    """Return whether some consumers' versions count.

    A version counts that the broker doesn't know, or of which it knows no branch.

    Args:
        access: The broker.
        versions: The consumers with their versions.
        patterns: The names or patterns of the branches that count; None for each consumer's main branch.

    Raises:
        BrokerError: The broker could not be asked.
    """
    if patterns is not None and "*" in patterns:
        return dict.fromkeys(versions, True)
    with BrokerClient(access, retry_time=ASK_SECONDS) as client:
        return {one: _counts(client, *one, patterns) for one in versions}


def _counts(client: BrokerClient, consumer: str, version: str, patterns: Collection[str] | None) -> bool:
    try:
        url = client.url("pacticipants", consumer, "versions", version)
    except BrokerError:
        return True  # a name that no URL can have
    document = client.find_object(url)
    embedded = objects_at(document, "_embedded", "branchVersions") or []
    branches = [name for one in embedded if (name := text_at(one, "name"))]
    if not branches:
        return True
    if patterns is None:
        pacticipant = client.find_object(client.url("pacticipants", consumer))
        main = text_at(pacticipant, "mainBranch")
        patterns = USUAL_MAIN_BRANCHES if main is None else (main,)
        return any(branch in patterns for branch in branches)
    return matches(branches, patterns)
