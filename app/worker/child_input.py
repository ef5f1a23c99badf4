"""What child processes are asked for: requests with the secrets of one provider."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from app.config.provider import CheckoutProvider, RelayedProvider, secret_values
from app.config.values import values_of
from app.worker.protocol import AttemptRequest
from broker.text.redaction import Redaction
from broker.traces import propagation, spans

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from uuid import UUID

    from app.config.provider import VerifiedProvider
    from app.config.settings import Settings
    from app.records.run import Run
    from broker.http.access import BrokerAccess
    from verifier.confinement import Account


class ChildInputs:
    """Makes the requests to children.

    Args:
        settings: The configuration.
        access: The broker.
        data_dir: Where checkouts are.
        environment: Of this process, where secrets of providers are.
        accounts: Those that providers' commands run as, by the provider's name; that of this process for others.
        page_of: Returns the URL of the page of a run; that of the configuration unless given.
    """

    def __init__(
        self,
        settings: Settings,
        access: BrokerAccess,
        data_dir: Path,
        environment: Mapping[str, str],
        accounts: Mapping[str, Account],
        page_of: Callable[[UUID], str | None] | None = None,
    ) -> None:
        self._settings = settings
        self._access = access
        self._data_dir = data_dir
        self._environment = environment
        self._accounts = accounts
        self._page_of = page_of or settings.server.page_of_run

    def request(self, run: Run, provider: VerifiedProvider) -> AttemptRequest:
        """Return what a child is asked for.

        Raises:
            ValueError: A secret value isn't where the configuration says it is (any more).
        """
        return AttemptRequest(
            pact_url=run.pact_url,
            pact_urls=tuple(run.pact_urls or ()),
            provider=provider.model_dump(mode="json", exclude={"notify"}),
            broker=self._access,
            data_dir=str(self._data_dir),
            sha=run.sha,
            branch=run.branch,
            build_url=self.page_of(run.id),
            checkout_url=values_of({"url": provider.checkout.url}, self._environment)["url"]
            if isinstance(provider, CheckoutProvider)
            else None,
            headers=values_of(provider.headers, self._environment),
            environment=values_of(provider.environment, self._environment),
            secrets=tuple(secret_values(provider, self._environment)),
            account=self._accounts.get(provider.name),
            tls=provider.tls(self._environment),
            trace=None if (trace := spans.sampled()) is None else trace.traceparent,
            tells_trace=propagation.is_on(),
        )

    def page_of(self, run_id: UUID) -> str | None:
        """Return the URL of the page of a run; None unless it is known at which URL people reach the receiver."""
        return self._page_of(run_id)

    def redaction(self, run: Run) -> Redaction:
        """Return what hides the secrets of the broker and of a run's provider, as far as they can be read."""
        provider = self._settings.provider_named(run.provider)
        secrets = self._access.secrets
        with contextlib.suppress(ValueError):
            if provider is not None and not isinstance(provider, RelayedProvider):
                secrets += secret_values(provider, self._environment)
        return Redaction(secrets)
