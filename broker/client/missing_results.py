"""Which pacts of a provider lack a verification result; asked of its Pact Broker.

What is asked is what a Pact Broker 2.120 offers: the pacts for verification (the latest of each consumer's main branch,
and those deployed or released), the versions on a branch and in the environments, and the matrix.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlencode, urlsplit

from broker.http.errors import BrokerRefused, OffOrigin, UnexpectedAnswer

if TYPE_CHECKING:
    from broker.client.session import BrokerClient

MOST_PACTS = 1000
"""So many pacts of one provider are looked at; each is a small question to the broker for each version."""
MOST_VERSIONS = 50
"""So many versions of one provider: an app's old releases may be many, and each asks for all pacts."""

_SELECTORS = [{"mainBranch": True}, {"deployedOrReleased": True}]
_CONTENT = re.compile(
    r"/pacts/provider/(?P<provider>[^/]+)/consumer/(?P<consumer>[^/]+)/pact-version/(?P<content>[^/]+)"
)


@dataclass(frozen=True)
class ProviderVersion:
    """A version of a provider that shall have a result for each pact.

    Attributes:
        number: in the broker; None for any version: the broker knows none that matters more.
        branch: its branch.
        why: it matters: `latest from main branch`, `deployed in production`.
    """

    number: str | None
    branch: str | None
    why: str


@dataclass(frozen=True)
class Pact:
    """A pact's content, and a consumer version that has it.

    Attributes:
        url: to verify.
        consumer: its name.
        consumer_version: its number.
        content: the broker's id of the content.
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


def content_of(pact_url: str) -> str | None:
    """Give the broker's id of a pact's content, where the URL names it."""
    try:
        match = _CONTENT.search(urlsplit(pact_url).path)
    except ValueError:  # no URL
        return None
    return match["content"] if match else None


class Questions:
    """What is asked of a broker about one provider.

    Args:
        client: of the broker.
        provider: the pacticipant's name.
    """

    def __init__(self, client: BrokerClient, provider: str) -> None:
        self._client = client
        self._provider = provider
        self._index: Any = None

    def pacts(self) -> list[Pact]:
        """Find the pacts that matter: of main branches, deployed, released; each content once.

        Returns:
            At most `MOST_PACTS`; none where the broker doesn't know the provider.

        Raises:
            BrokerError: the broker could not be asked.
        """
        url = self._index_link("pb:provider-pacts-for-verification", provider=self._provider)
        body = {"consumerVersionSelectors": _SELECTORS, "includePendingStatus": False}
        try:
            document = self._client.query(url, body).document
        except BrokerRefused as error:
            if error.status == 404:
                return []
            raise
        links = [self._self_link(item) for item in _embedded(document, "pacts")]
        found = {(pact.consumer, pact.content): pact for pact in map(self._pact, links)}
        return list(found.values())[:MOST_PACTS]

    def versions(self, branch: str | None) -> list[ProviderVersion]:
        """Find the versions that matter: the latest of the main branch, those deployed, those released.

        Args:
            branch: the main branch where the broker knows none.

        Returns:
            At most `MOST_VERSIONS`, each once, with all that makes it matter.

        Raises:
            BrokerError: the broker could not be asked.
        """
        pacticipant = self._if_there(self._index_link("pb:pacticipant", pacticipant=self._provider))
        if pacticipant is None:
            return []
        main = pacticipant.get("mainBranch")
        found: dict[str, list[str]] = {}
        branches: dict[str, str | None] = {}
        name = main if isinstance(main, str) and main else branch
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

    def lacks(self, pact: Pact, version: ProviderVersion) -> bool:
        """Tell whether the pact has no result of the version.

        Raises:
            BrokerError: the broker could not be asked.
        """
        asked = [
            ("q[][pacticipant]", pact.consumer),
            ("q[][version]", pact.consumer_version),
            ("q[][pacticipant]", self._provider),
        ]
        if version.number is not None:
            asked.append(("q[][version]", version.number))
        url = f"{self._client.origin}/matrix?{urlencode([*asked, ('latestby', 'cvpv')])}"
        document = self._client.get(url).document
        rows = document.get("matrix") if isinstance(document, dict) else None
        if not isinstance(rows, list):
            raise UnexpectedAnswer(f"the answer of {self._client.origin}/matrix has no list of rows")
        return not any(self._has_result(row, version.number) for row in rows)

    def _has_result(self, row: Any, number: str | None) -> bool:
        if not isinstance(row, dict) or not isinstance(row.get("verificationResult"), dict):
            return False
        return number is None or _number(row.get("provider")) == number

    def _latest_of(self, branch: str) -> str | None:
        """Give the number of the latest version on a branch."""
        document = self._if_there(
            self._index_link("pb:pacticipant-branch", pacticipant=self._provider, branch=branch)
        )
        link = self._client.link(document, "pb:latest-version")
        latest = self._if_there(link) if link else None
        number = latest.get("number") if latest else None
        return number if isinstance(number, str) else None

    def _in_environments(self) -> list[tuple[str, str | None, str]]:
        """Give the number, the URL and the place of each version that is deployed or released."""
        link = self._client.link(self._read_index(), "pb:environments")
        if link is None:  # a broker older than environments
            return []
        found = []
        for environment in _embedded(self._client.get(link).document, "environments"):
            for rel, kind, what in (
                ("pb:currently-deployed-deployed-versions", "deployedVersions", "deployed"),
                ("pb:currently-supported-released-versions", "releasedVersions", "released"),
            ):
                url = self._client.link(environment, rel)
                if url is None:
                    continue
                document = self._client.get(f"{url}?{urlencode({'pacticipant': self._provider})}").document
                for item in _embedded(document, kind):
                    inner = item.get("_embedded")
                    of = inner.get("pacticipant") if isinstance(inner, dict) else None
                    version = inner.get("version") if isinstance(inner, dict) else None
                    number = version.get("number") if isinstance(version, dict) else None
                    if isinstance(number, str) and isinstance(of, dict) and of.get("name") == self._provider:
                        where = f"{what} in {environment.get('name')}"
                        found.append((number, self._client.link(version, "self"), where))
        return found

    def _branch_of(self, version_url: str | None) -> str | None:
        document = self._if_there(version_url) if version_url else None
        for branch in _embedded(document, "branchVersions"):
            name = branch.get("name")
            if isinstance(name, str):
                return name
        return None

    def _pact(self, link: dict[str, Any]) -> Pact:
        """Read a link to a pact: its URL names consumer and content, its name the consumer's version.

        Raises:
            BrokerError: it isn't a link to a pact of this broker.
        """
        url, name = link.get("href"), link.get("name")
        match = _CONTENT.search(urlsplit(url).path) if isinstance(url, str) else None
        if match is None or not isinstance(url, str) or unquote(match["provider"]) != self._provider:
            raise UnexpectedAnswer(
                f"the broker has a pact for verification without a URL of its own: {url!r}"
            )
        if not self._client.origin.contains(url):
            raise OffOrigin(
                f"the broker names {url}, which is not on {self._client.origin}: set the broker's url to the address "
                "that it uses for itself, or have it use this one (PACT_BROKER_BASE_URL in its own configuration)"
            )
        consumer = unquote(match["consumer"])
        before, after = f"Pact between {consumer} (", f") and {self._provider}"
        if not isinstance(name, str) or not name.startswith(before) or not name.endswith(after):
            raise UnexpectedAnswer(f"the broker doesn't say whose version has the pact {url}: {name!r}")
        return Pact(url, consumer, name[len(before) : -len(after)], match["content"])

    def _self_link(self, item: dict[str, Any]) -> dict[str, Any]:
        links = item.get("_links")
        found = links.get("self") if isinstance(links, dict) else None
        return found if isinstance(found, dict) else {}

    def _read_index(self) -> Any:
        if self._index is None:
            self._index = self._client.get(f"{self._client.origin}/").document
        return self._index

    def _index_link(self, rel: str, **parameters: str) -> str:
        found = self._client.link(self._read_index(), rel, **parameters)
        if found is None:
            raise UnexpectedAnswer(
                f"the index of {self._client.origin} has no link {rel}: it is no Pact Broker, or one too old for this"
            )
        return found

    def _if_there(self, url: str) -> dict[str, Any] | None:
        try:
            document = self._client.get(url).document
        except BrokerRefused as error:
            if error.status == 404:
                return None
            raise
        return document if isinstance(document, dict) else None


def _embedded(document: Any, name: str) -> list[dict[str, Any]]:
    inner = document.get("_embedded") if isinstance(document, dict) else None
    items = inner.get(name) if isinstance(inner, dict) else None
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _number(side: Any) -> Any:
    version = side.get("version") if isinstance(side, dict) else None
    return version.get("number") if isinstance(version, dict) else None
