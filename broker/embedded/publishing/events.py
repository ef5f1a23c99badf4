"""What the publication of a pact sets off: its events, and the webhooks that they trigger."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sqlalchemy import select

from broker.embedded.pacts.resource import with_tag, without_tags
from broker.embedded.storage.records import between, publications, session
from broker.embedded.storage.tables import Publication, Tag, Version
from broker.embedded.storage.webhook_tables import PublicationEvents
from broker.embedded.webhooks.events import Detected, Previous, detect
from broker.embedded.webhooks.required_verifications import versions_requiring_verification
from broker.embedded.webhooks.triggered_records import trigger
from broker.embedded.webhooks.variables import Occasion
from broker.events import WebhookEvent

if TYPE_CHECKING:
    from broker.embedded.storage.webhook_tables import TriggeredWebhook


def happened(publication: Publication, *, new: bool) -> tuple[Detected, list[TriggeredWebhook]]:
    """Trigger the webhooks for the publication of a pact."""
    required = versions_requiring_verification(publication.pact_version)
    detected = detect(
        sha=publication.pact_version.sha,
        previous=_previous(publication),
        first_for_version=new,
        requires_verification=bool(required),
    )
    names = json.dumps(detected.events)
    session().add(PublicationEvents(publication_id=publication.id, events=names, comment=detected.comment))
    occasions: list[Occasion] = []
    for event in detected.events:
        if event == WebhookEvent.REQUIRING_VERIFICATION:
            occasions += [Occasion(event, publication, required=one) for one in required]
        else:
            occasions.append(Occasion(event, publication))
    return detected, trigger(occasions)


def _previous(publication: Publication) -> list[Previous]:
    """Return the content that was published before, once for each tag of the consumer version."""
    pact = publication.pact_version
    version = publication.consumer_version
    earlier = between(publications(), provider=pact.provider.name, consumer=pact.consumer.name)
    earlier = earlier.where(Version.id < version.id).limit(1)

    tags = list(session().scalars(select(Tag.name).where(Tag.version == version).order_by(Tag.id)))
    found = {tag: session().scalar(with_tag(earlier, tag)) for tag in tags}
    if not found:
        untagged = session().scalar(without_tags(earlier))
        return [Previous(None, untagged.pact_version.sha if untagged else None)]
    return [Previous(tag, before.pact_version.sha if before else None) for tag, before in found.items()]
