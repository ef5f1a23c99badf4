"""Every pact that the broker asks a provider for, verified in a worker's child: what came of each is sent at once."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from app.worker.configuration_words import in_configuration, verification_in_configuration
from app.worker.protocol import AllVerified, PactVerified
from app.worker.run_failed import RunFailed
from broker.client.for_verification import Selection, address_of_content
from broker.client.selectors import documented_default
from verifier.many.request import ManyRequest
from verifier.many.run import verify_many
from verifier.verification import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.config.provider import VerifiedProvider
    from app.worker.connection import WorkerConnection
    from app.worker.protocol import AttemptRequest
    from verifier.engine.process import Engine
    from verifier.many.fetching import PlannedPact
    from verifier.request import VerificationRequest
    from verifier.verification import Verification


def every_pact_of(request: AttemptRequest) -> str:
    """Return the URL that stands for every pact of a provider in a request."""
    provider = quote(request.provider["name"], safe="")
    return f"{request.broker.base_url.rstrip('/')}/pacts/provider/{provider}/for-verification"


def selection_of(provider: VerifiedProvider, branch: str | None) -> Selection:
    """Return which pacts the broker is asked for.

    Args:
        provider: The provider's settings.
        branch: The branch of the version that is verified. Where there is none, no work in progress is asked for: what
            that is depends on it.
    """
    wip_since = provider.include_wip_pacts_since
    return Selection(
        tuple(provider.consumer_version_selectors) or tuple(documented_default(branch)),
        branch,
        provider.tags,
        provider.enable_pending,
        wip_since.isoformat() if wip_since and (branch or provider.tags) else None,
    )


def verify_all(
    request: AttemptRequest,
    template: VerificationRequest,
    selection: Selection,
    worker: WorkerConnection,
    engine: Engine,
    check_after: Callable[[], None],
) -> AllVerified:
    """Verify every pact, and send what came of each.

    Args:
        request: What the worker asks for.
        template: The request of each pact, but for its URL.
        selection: Which pacts the broker is asked for.
        worker: The worker, which is shown the progress.
        engine: The engine.
        check_after: Called after each pact that has an outcome; raises if it is not known any more which version has
            answered.

    Raises:
        RunFailed: The broker could not be asked.
        UsageError: The configuration can't be used.
    """
    done = frozenset(
        address_of_content(url) for url, version in request.done if version == template.provider_version
    )

    def keep(pact: PlannedPact, verification: Verification) -> None:
        if (
            verification.outcome is not Outcome.ERROR
        ):  # of one that could not be verified nothing is published
            check_after()
        pending = pact.asked is not None and pact.asked.pending
        worker.send(PactVerified(verification_in_configuration(verification), pending))
        worker.log(f"{pact.name}: {verification.outcome}")

    asked = ManyRequest(
        template,
        request.pact_urls,
        selection=None if request.pact_urls else selection,
        needs_pacts=False,
        leave_out=done,
    )
    found = verify_many(asked, engine, worker, keep)
    for note in found.notes:
        worker.log(in_configuration(note))
    if found.error is not None:
        error = found.error
        raise RunFailed(
            in_configuration(error.message), kind=error.kind, retryable=error.retryable, output=error.output
        )
    return AllVerified(found.planned)
