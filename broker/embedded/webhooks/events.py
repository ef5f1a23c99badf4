"""The events of the publication of a pact or of a verification result (no I/O)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from broker.events import WebhookEvent

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Previous:
    """The content that was published before this one with the same tag, or, without tags, before it."""

    tag: str | None
    sha: str | None


@dataclass(frozen=True)
class Detected:
    """The events of one publication, and why the content counts as changed or not."""

    events: tuple[WebhookEvent, ...]
    comment: str | None

    def __str__(self) -> str:
        return ", ".join(self.events) + (f" ({self.comment})" if self.comment else "")


def detect(
    *, sha: str, previous: Sequence[Previous], first_for_version: bool, requires_verification: bool
) -> Detected:
    """Return the events of a publication.

    A real broker compares by tag, never by branch: unchanged content on a new branch is no change, unchanged
    content with a new tag is one.

    Args:
        sha: The hash of the published content.
        previous: One for each tag of the consumer version, or a single one without a tag where it has none.
        first_for_version: False when the same content was published for the same consumer version before.
        requires_verification: Whether a version of the provider that matters lacks a result for the content.
    """
    reasons = [_reason(one) for one in previous if one.sha != sha] if first_for_version else []
    events = [WebhookEvent.CONTRACT_PUBLISHED]
    if requires_verification:
        events.append(WebhookEvent.REQUIRING_VERIFICATION)
    if reasons:
        events.append(WebhookEvent.CONTENT_CHANGED)
        return Detected(tuple(events), ", ".join(reasons))
    if not first_for_version:
        return Detected(tuple(events), None)
    tags = ", ".join(one.tag for one in previous if one.tag is not None)
    unchanged = f"pact content is the same as previous versions with tags {tags} and no new tags were applied"
    return Detected(tuple(events), unchanged)


def of_result(*, success: bool) -> tuple[WebhookEvent, WebhookEvent]:
    """Return the events of the publication of a verification result."""
    outcome = WebhookEvent.VERIFICATION_SUCCEEDED if success else WebhookEvent.VERIFICATION_FAILED
    return WebhookEvent.VERIFICATION_PUBLISHED, outcome


def _reason(previous: Previous) -> str:
    if previous.tag is None:
        if previous.sha is None:
            return "first time untagged pact published"
        return "pact content has changed since previous untagged version"
    if previous.sha is None:
        return f"first time any pact published for this consumer with consumer version tagged {previous.tag}"
    return f"pact content has changed since the last consumer version tagged with {previous.tag}"
