"""The verification results of pacts, from the broker's matrix.

A consumer version has the result of its pact's content, also where another version was verified with it.

What a Pact Broker 2.120 makes of the questions here: with one selector alone it looks at the latest pacts of all its
pacticipants, no more than the limit, and only then for those that were verified, so that a row that is not there proves
nothing. With several, and with those that it adds for `latest` and `mainBranch`, it answers a row without a result
(`verificationResult` is null) for each consumer version that lacks one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import urlencode

from broker.http.json_values import object_at, text_at, value_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from broker.client.session import BrokerClient

Version: TypeAlias = "tuple[str, str | None]"
"""The name of a pacticipant, and the number of a version of it; None for any version."""
ConsumerVersion: TypeAlias = "tuple[str, str]"
"""The name of a consumer, and the number of its version."""

MOST_ROWS = 10_000
"""The rows that are asked for; a broker answers 100 of them unless it is told otherwise."""
LONGEST_QUERY = 6_000
"""The characters of a question; servers and proxies commonly refuse a line of 8 KB."""
MAIN_BRANCHES = (("latest", "true"), ("mainBranch", "true"))
"""What has a broker add the latest version of the main branch of each pacticipant that the named one goes with."""


@dataclass(frozen=True)
class Result:
    """The latest result of one provider version.

    Attributes:
        provider_version: The number of the provider version.
        passed: False if the verification failed.
        verified_at: The time, as the broker gives it.
    """

    provider_version: str
    passed: bool
    verified_at: str | None


def results_of(client: BrokerClient, consumer: str, version: str, provider: str) -> list[Result]:
    """Fetch the latest result of each provider version for a consumer version's pact, as the broker orders them.

    Raises:
        BrokerError: The broker could not be asked.
    """
    rows = _rows(client, [(consumer, version), (provider, None)], [("latestby", "cvpv")])
    return [result for row in rows if (result := _result(row)) is not None]


def lacking(
    client: BrokerClient, consumers: Sequence[ConsumerVersion], provider: Version
) -> set[ConsumerVersion]:
    """Return which consumer versions' pacts lack a result of a provider version.

    That is one request where the consumer versions have room in it. Where there are more, the first one asks for the
    main branches of all consumers, since most are the latest there; then those are asked for by their numbers, as many
    at once as have room, that the answer says nothing of.

    Args:
        client: The session with the broker.
        consumers: The consumer versions; each has a pact with the provider.
        provider: The provider; if any version will do, a result of any counts.

    Raises:
        BrokerError: The broker could not be asked.
    """
    found: dict[ConsumerVersion, bool] = {}
    if len(list(_batches(consumers))) > 1:
        found |= _answers(client, provider, [], MAIN_BRANCHES)
    for batch in list(_batches([one for one in consumers if one not in found])):
        found |= _answers(client, provider, batch)
        silent = [one for one in batch if one not in found]
        for one in silent:
            alone = _answers(client, provider, [one]) if len(batch) > 1 else {}
            found[one] = alone.get(one, False)
    return {one for one in consumers if not found[one]}


def _batches(consumers: Iterable[ConsumerVersion]) -> Iterator[list[ConsumerVersion]]:
    """Yield the consumer versions in lists, each of which has room in a query."""
    batch: list[ConsumerVersion] = []
    length = 0
    for one in consumers:
        more = len(urlencode(_selectors([one])))
        if batch and length + more > LONGEST_QUERY:
            yield batch
            batch, length = [], 0
        batch.append(one)
        length += more
    if batch:
        yield batch


def _answers(
    client: BrokerClient,
    provider: Version,
    consumers: Iterable[ConsumerVersion],
    others: Iterable[tuple[str, str]] = (),
) -> dict[ConsumerVersion, bool]:
    """Return the consumer versions that an answer tells of, and whether their pacts have a result."""
    name, version = provider
    # one row for each consumer version will do where any result counts
    query = [("latestby", "cvp" if version is None else "cvpv"), *others, ("limit", str(MOST_ROWS))]
    found: dict[ConsumerVersion, bool] = {}
    for row in _rows(client, [provider, *consumers], query):
        consumer, number = text_at(row, "consumer", "name"), text_at(row, "consumer", "version", "number")
        if consumer is None or number is None or text_at(row, "provider", "name") != name:
            continue
        has_result = bool(object_at(row, "verificationResult"))
        counts = version in {None, text_at(row, "provider", "version", "number")}
        found[consumer, number] = found.get((consumer, number), False) or (has_result and counts)
    return found


def _rows(
    client: BrokerClient, versions: Iterable[Version], query: Iterable[tuple[str, str]]
) -> list[dict[str, Any]]:
    return client.get(f"{client.origin}/matrix?{urlencode([*_selectors(versions), *query])}").objects_at(
        "matrix"
    )


def _selectors(versions: Iterable[Version]) -> list[tuple[str, str]]:
    asked = []
    for name, version in versions:
        asked.append(("q[][pacticipant]", name))
        if version is not None:
            asked.append(("q[][version]", version))
    return asked


def _result(row: dict[str, Any]) -> Result | None:
    version = text_at(row, "provider", "version", "number")
    passed = value_at(row, "verificationResult", "success")
    if version is None or not isinstance(passed, bool):
        return None
    return Result(version, passed, text_at(row, "verificationResult", "verifiedAt"))
