"""Which pacts a run verifies: those that are named, or those that the broker asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from broker.client import BrokerClient
from broker.client.for_verification import (
    SelectionRefused,
    UnknownProvider,
    address_of_content,
    pacts_for_verification,
)
from broker.http.errors import BrokerError
from verifier.errors import CannotVerify, ErrorKind, UsageError
from verifier.fetch import FETCH_SECONDS
from verifier.many.fetching import PlannedPact
from verifier.report.amounts import count

if TYPE_CHECKING:
    from collections.abc import Callable

    from broker.client.for_verification import PactForVerification
    from verifier.many.request import ManyRequest


def planned(
    request: ManyRequest, *, deadline: float, on_retry: Callable[[str], None]
) -> tuple[list[PlannedPact], list[str]]:
    """Return the pacts to verify, and notes.

    Args:
        request: What is to be verified.
        deadline: The `time.monotonic()` after which nothing is tried.
        on_retry: Called with a sentence before each wait for a broker that is away.

    Raises:
        UsageError: The broker refused the selectors.
        CannotVerify: The broker could not be asked.
    """
    if request.selection is None:
        urls = [
            url
            for url in dict.fromkeys(request.pact_urls)
            if address_of_content(url) not in request.leave_out
        ]
        return [PlannedPact(request.for_pact(url)) for url in urls], []
    asked, notes = _asked(request, deadline=deadline, on_retry=on_retry)
    wanted = request.template.filter_consumers
    asked = [pact for pact in asked if address_of_content(pact.url) not in request.leave_out]
    chosen = [pact for pact in asked if not wanted or pact.consumer in wanted]
    if len(chosen) < len(asked):
        left_out = count(len(asked) - len(chosen), "pact")
        notes.append(f"{left_out} of other consumers left out (--filter-consumer)")
    return [PlannedPact(request.for_pact(pact), pact) for pact in chosen], notes


def _asked(
    request: ManyRequest, *, deadline: float, on_retry: Callable[[str], None]
) -> tuple[list[PactForVerification], list[str]]:
    template, selection = request.template, request.selection
    assert selection is not None  # noqa: S101 - as was looked at
    try:
        with BrokerClient(
            template.broker_access, retry_time=FETCH_SECONDS, deadline=deadline, on_retry=on_retry
        ) as client:
            return pacts_for_verification(client, template.provider_name or "", selection), []
    except UnknownProvider as error:
        return [], [f"{error}: check --provider, unless no consumer has published a pact yet"]
    except SelectionRefused as error:
        raise UsageError(f"--consumer-version-selectors: the broker can't answer that: {error}") from error
    except BrokerError as error:
        raise CannotVerify(
            f"the broker could not be asked which pacts are to be verified: {error}",
            kind=ErrorKind.PACT_UNAVAILABLE,
            retryable=error.transient,
        ) from error
