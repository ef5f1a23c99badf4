"""Which pacts a broker wants a provider to verify, and why (`provider-pacts-for-verification`)."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from broker.http.errors import BrokerError, BrokerRefused, NotFound, OffOrigin, UnexpectedAnswer
from broker.http.json_values import object_at, objects_at, text_at, value_at
from broker.http.shown_url import shown_url

if TYPE_CHECKING:
    from broker.client.selectors import Selector
    from broker.client.session import BrokerClient

LONGEST_NOTICE = 2000
"""The most characters of a notice that are kept."""
MOST_NOTICES = 50
BEFORE = "before_verification"
"""When most notices are shown."""
_CONTENT = re.compile(
    r"/pacts/provider/(?P<provider>[^/]+)/consumer/(?P<consumer>[^/]+)/pact-version/(?P<content>[^/]+)"
)


class UnknownProvider(BrokerError):
    """The broker has no such provider."""


class SelectionRefused(BrokerError):
    """The broker refused the question, a selector in it most likely; the message has its words."""


@dataclass(frozen=True)
class Selection:
    """Which pacts a broker is asked for.

    Attributes:
        selectors: The consumer version selectors.
        branch: The branch of the provider's version, which `matchingBranch`, pending and work in progress go by.
        tags: Its tags, which these go by where there is no branch.
        pending: Whether a pact may be pending: it doesn't break the build until the provider has once fulfilled it.
        wip_since: The date since which pacts in progress are asked for, too, whatever the selectors say.
    """

    selectors: tuple[Selector, ...]
    branch: str | None = None
    tags: tuple[str, ...] = ()
    pending: bool = False
    wip_since: str | None = None

    def to_question(self) -> dict[str, Any]:
        """Return the body of the request."""
        question: dict[str, Any] = {
            "consumerVersionSelectors": list(self.selectors),
            # a broker leaves it out only if it is told so
            "includePendingStatus": self.pending,
        }
        if self.branch:
            question["providerVersionBranch"] = self.branch
        if self.tags:
            question["providerVersionTags"] = list(self.tags)
        if self.wip_since:
            question["includeWipPactsSince"] = self.wip_since
        return question


@dataclass(frozen=True)
class Notice:
    """What a broker has to say about a pact.

    Attributes:
        when: `before_verification`, or for which end: `after_verification:success_true_published_false`.
        text: The text, which may have several lines.
    """

    when: str
    text: str


@dataclass(frozen=True)
class PactForVerification:
    """A pact that is to be verified.

    Attributes:
        url: Its URL.
        consumer: The consumer's name.
        consumer_version: The version that has it; None if the broker doesn't say.
        content: The broker's id of the content.
        reason: Why it is to be verified, in short.
        pending: Whether its failure doesn't break the build.
        wip: Whether it is work in progress, and pending as that.
        notices: What the broker has to say about it.
    """

    url: str
    consumer: str
    consumer_version: str | None
    content: str
    reason: str = ""
    pending: bool = False
    wip: bool = False
    notices: tuple[Notice, ...] = ()

    def before(self) -> list[str]:
        """Return the notices to show before it is verified."""
        return [notice.text for notice in self.notices if notice.when == BEFORE]

    def after(self, *, success: bool, published: bool) -> list[str]:
        """Return the notices to show after it was verified."""
        general = "after_verification"
        when = f"{general}:success_{str(success).lower()}_published_{str(published).lower()}"
        return [notice.text for notice in self.notices if notice.when in {general, when}]


def pacts_for_verification(
    client: BrokerClient, provider: str, selection: Selection
) -> list[PactForVerification]:
    """Ask a broker which pacts are to be verified, each content once.

    Returns:
        All of them, in the broker's order: one that were left out would be taken for verified.

    Raises:
        UnknownProvider: The broker has no such provider.
        SelectionRefused: It refused the question.
        BrokerError: It could not be asked, or its answer can't be used.
    """
    url = client.index_link("pb:provider-pacts-for-verification", provider=provider)
    try:
        answer = client.query(url, selection.to_question())
    except NotFound as error:
        raise UnknownProvider(f"the broker {client.origin} has no provider {provider!r}") from error
    except BrokerRefused as error:
        if error.status in {400, 422}:
            raise SelectionRefused(str(error)) from error
        raise
    found: dict[tuple[str, str], PactForVerification] = {}
    for item in answer.objects_at("_embedded", "pacts"):
        pact = _pact(client, provider, item)
        key = pact.consumer, pact.content
        found[key] = _together(found[key], pact) if key in found else pact
    return list(found.values())


def content_of(pact_url: str) -> str | None:
    """Return the broker's id of a pact's content, or None if the URL doesn't name it."""
    match = _match(pact_url)
    return match["content"] if match else None


def address_of_content(pact_url: str) -> str:
    """Return the URL of a pact without what a broker adds to it to know later why it was asked for."""
    return pact_url.partition("/metadata/")[0]


def _pact(client: BrokerClient, provider: str, item: dict[str, Any]) -> PactForVerification:
    """Return the pact of an entry: its URL names consumer and content, the link's name the consumer's version.

    Raises:
        BrokerError: It isn't a link to a pact of this broker.
    """
    link = object_at(item, "_links", "self")
    url, name = client.addresses.at_origin(text_at(link, "href") or ""), text_at(link, "name") or ""
    match = _match(url)
    if match is None or unquote(match["provider"]) != provider:
        raise UnexpectedAnswer(
            f"the broker has a pact for verification without a URL of its own: {shown_url(url)!r}"
        )
    if not client.origin.contains(url):
        raise OffOrigin(
            f"the broker names {shown_url(url)}, which is not on {client.origin}: set the broker's url to the address "
            "that it uses for itself, or have it use this one (PACT_BROKER_BASE_URL in its own configuration), or "
            "name the other one (--pact-broker-alias, broker.aliases)"
        )
    consumer = unquote(match["consumer"])
    properties = object_at(item, "verificationProperties")
    wip = value_at(properties, "wip") is True
    return PactForVerification(
        url,
        consumer,
        _version(name, consumer, provider),
        match["content"],
        (text_at(item, "shortDescription") or "")[:LONGEST_NOTICE],
        wip or value_at(properties, "pending") is True,
        wip,
        tuple(_notices(properties)),
    )


def _version(name: str, consumer: str, provider: str) -> str | None:
    before, after = f"Pact between {consumer} (", f") and {provider}"
    if not name.startswith(before) or not name.endswith(after):
        return None
    return name[len(before) : -len(after)] or None


def _notices(properties: dict[str, Any] | None) -> list[Notice]:
    notices = (objects_at(properties, "notices") or [])[:MOST_NOTICES]
    texts = [(text_at(notice, "when"), text_at(notice, "text")) for notice in notices]
    return [Notice(when or BEFORE, text[:LONGEST_NOTICE]) for when, text in texts if text]


def _together(one: PactForVerification, other: PactForVerification) -> PactForVerification:
    """Return two entries of the same content as one, which is pending only if both are."""
    reasons = dict.fromkeys(filter(None, (one.reason, other.reason)))
    return replace(
        one,
        reason=", ".join(reasons),
        pending=one.pending and other.pending,
        wip=one.wip and other.wip,
        notices=tuple(dict.fromkeys((*one.notices, *other.notices))),
    )


def _match(pact_url: str) -> re.Match[str] | None:
    try:
        return _CONTENT.search(urlsplit(pact_url).path)
    except ValueError:  # it is no URL
        return None
