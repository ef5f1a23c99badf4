"""Which pacts of a provider lack a verification result, by what its Pact Broker answers.

The questions are those that a Pact Broker 2.120 answers: the pacts for verification (the latest of each consumer's main
branch, and those deployed or released), the versions on a branch and in the environments, and the matrix.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from broker.client.environments import environments
from broker.client.for_verification import Selection, UnknownProvider, content_of, pacts_for_verification
from broker.client.pact_results import lacking
from broker.client.selectors import DEPLOYED_OR_RELEASED, MAIN_BRANCH
from broker.http.errors import UnexpectedAnswer
from broker.http.json_values import objects_at, text_at

if TYPE_CHECKING:
    from collections.abc import Sequence

    from broker.client.for_verification import PactForVerification
    from broker.client.session import BrokerClient

MOST_PACTS = 1000
"""The most pacts of one provider that are looked at."""
MOST_VERSIONS = 50
"""The most versions of one provider; an app may have many old releases, and each needs all pacts."""

_SELECTION = Selection(({MAIN_BRANCH: True}, {DEPLOYED_OR_RELEASED: True}))


@dataclass(frozen=True)
class ProviderVersion:
    """A version of a provider that should have a result for each pact.

    Attributes:
        number: The number in the broker; None for any version, if the broker knows none that matters.
        branch: The version's branch.
        why: The reason why it matters: `latest from main branch`, `deployed in production`.
    """

    number: str | None
    branch: str | None
    why: str


@dataclass(frozen=True)
class Pact:
    """A pact's content, and a consumer version that has it.

    Attributes:
        url: The URL to verify.
        consumer: The consumer's name.
        consumer_version: The number of the consumer version.
        content: The broker's id of the content.
    """

    url: str
    consumer: str
    consumer_version: str
    content: str


@dataclass(frozen=True)
class MissingResult:
    """A pact that lacks a result of a version."""

    pact: Pact
    version: ProviderVersion


class Questions:
    """Questions to a broker about one provider.

    Args:
        client: The session with the broker.
        provider: The pacticipant's name.
    """

    def __init__(self, client: BrokerClient, provider: str) -> None:
        self._client = client
        self._provider = provider

    def pacts(self) -> list[Pact]:
        """Return the pacts that matter: of main branches, deployed, released; each content once.

        Returns:
            At most `MOST_PACTS`; none if the broker doesn't know the provider.

        Raises:
            BrokerError: The broker could not be asked.
        """
        try:
            found = pacts_for_verification(self._client, self._provider, _SELECTION)
        except UnknownProvider:
            return []
        return [_pact(pact) for pact in found[:MOST_PACTS]]

    def pact_of(self, consumer: str, version: str) -> Pact | None:
        """Return the pact that a consumer version has with the provider; None if it has none.

        Raises:
            BrokerError: The broker could not be asked.
        """
        url = self._client.index_link(
            "pb:publish-pact",
            provider=self._provider,
            consumer=consumer,
            consumerApplicationVersion=version,
        )
        document = self._client.find_object(url)
        content = self._client.link(document, "pb:pact-version")
        if document is None or content is None:
            return None
        return Pact(
            self._client.link(document, "self") or url, consumer, version, content_of(content) or content
        )

    def versions(self, branch: str | None) -> list[ProviderVersion]:
        """Return the versions that matter: the latest of the main branch, those deployed, those released.

        Args:
            branch: The main branch, if the broker knows none.

        Returns:
            At most `MOST_VERSIONS`, each once, with all reasons why it matters.

        Raises:
            BrokerError: The broker could not be asked.
        """
        pacticipant = self._client.find_object(
            self._client.index_link("pb:pacticipant", pacticipant=self._provider)
        )
        if pacticipant is None:
            return []
        found: dict[str, list[str]] = {}
        branches: dict[str, str | None] = {}
        name = text_at(pacticipant, "mainBranch") or branch
        latest = self._latest_of(name) if name else None
        if latest is not None:
            found[latest] = ["latest from main branch"]
            branches[latest] = name
        for number, url, why in self._in_environments():
            if number not in found and len(found) >= MOST_VERSIONS:
                continue
            found.setdefault(number, []).append(why)
            if number not in branches:
                branches[number] = self._branch_of(url)
        return [
            ProviderVersion(number, branches[number], ", ".join(dict.fromkeys(reasons)))
            for number, reasons in found.items()
        ]

    def lacking(self, pacts: Sequence[Pact], version: ProviderVersion) -> list[Pact]:
        """Return those of the pacts that lack a result of the version.

        Raises:
            BrokerError: The broker could not be asked.
        """
        consumers = [(pact.consumer, pact.consumer_version) for pact in pacts]
        missing = lacking(self._client, consumers, (self._provider, version.number))
        return [pact for pact in pacts if (pact.consumer, pact.consumer_version) in missing]

    def _latest_of(self, branch: str) -> str | None:
        """Return the number of the latest version on a branch, or None if there is none."""
        document = self._client.find_object(
            self._client.index_link("pb:pacticipant-branch", pacticipant=self._provider, branch=branch)
        )
        link = self._client.link(document, "pb:latest-version")
        return text_at(self._client.find_object(link), "number") if link else None

    def _in_environments(self) -> list[tuple[str, str | None, str]]:
        """Return the number, the URL and the place of each version that is deployed or released."""
        found = []
        for environment in environments(self._client):
            for rel, kind, what in (
                ("pb:currently-deployed-deployed-versions", "deployedVersions", "deployed"),
                ("pb:currently-supported-released-versions", "releasedVersions", "released"),
            ):
                url = self._client.link(environment, rel)
                if url is None:
                    continue
                document = self._client.get(f"{url}?{urlencode({'pacticipant': self._provider})}").document
                for item in _embedded(document, kind):
                    number = text_at(item, "_embedded", "version", "number")
                    name = text_at(item, "_embedded", "pacticipant", "name")
                    if number is not None and name == self._provider:
                        link = self._client.link(item["_embedded"]["version"], "self")
                        found.append((number, link, f"{what} in {environment.get('name')}"))
        return found

    def _branch_of(self, version_url: str | None) -> str | None:
        document = self._client.find_object(version_url) if version_url else None
        names = (text_at(branch, "name") for branch in _embedded(document, "branchVersions"))
        return next(filter(None, names), None)


def _pact(pact: PactForVerification) -> Pact:
    """Return a pact with the consumer version that results are looked for.

    Raises:
        UnexpectedAnswer: The broker doesn't say which it is.
    """
    if pact.consumer_version is None:
        raise UnexpectedAnswer(f"the broker doesn't say whose version has the pact {pact.url}")
    return Pact(pact.url, pact.consumer, pact.consumer_version, pact.content)


def _embedded(document: Any, name: str) -> list[dict[str, Any]]:
    return objects_at(document, "_embedded", name) or []
