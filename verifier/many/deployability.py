"""Whether the broker lets the provider's version be deployed, asked once all of its results are there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from broker.client import BrokerClient
from broker.client.deployability import Verdict, deployability
from broker.client.environments import environment_names
from broker.http.errors import BrokerError
from verifier.report.run_findings import EnvironmentAnswer

if TYPE_CHECKING:
    from broker.client.deployability import Deployability, Pair
    from broker.http.access import BrokerAccess

ASK_SECONDS = 10.0
"""For how long the broker is asked again if it is away: the answer is for people, and the results are there."""
MOST_ENVIRONMENTS = 20
"""The most environments that are asked for."""


def environment_answers(
    access: BrokerAccess, provider: str, version: str
) -> tuple[tuple[EnvironmentAnswer, ...], str | None]:
    """Ask for each environment that the broker knows.

    Returns:
        The answers, and a note if the broker could not be asked.
    """
    found: list[EnvironmentAnswer] = []
    try:
        with BrokerClient(access, retry_time=ASK_SECONDS) as client:
            names = environment_names(client)
            for name in names[:MOST_ENVIRONMENTS]:
                answer = deployability(client, provider, version, name)
                blockers = dict.fromkeys(
                    _blocker(pair, provider) for pair in answer.pairs if pair.passed is not True
                )
                found.append(_answer(name, answer, tuple(blockers)))
    except BrokerError as error:
        return tuple(found), f"the broker could not be asked what may be deployed: {error}"
    if len(names) > MOST_ENVIRONMENTS:
        return tuple(found), (
            f"the broker knows {len(names)} environments: the first {MOST_ENVIRONMENTS} were asked for"
        )
    return tuple(found), None


def _answer(name: str, answer: Deployability, blockers: tuple[str, ...]) -> EnvironmentAnswer:
    deployable = answer.verdict == Verdict.DEPLOYABLE
    return EnvironmentAnswer(name, deployable, () if deployable else blockers, answer.reasons)


def _blocker(pair: Pair, provider: str) -> str:
    """Return the other party of a row, and what is wrong."""
    party, version = pair.consumer if pair.provider[0] == provider else pair.provider
    known = f"{party} {version}" if version else party
    return f"{known} ({'failed' if pair.passed is False else 'no result'})"
