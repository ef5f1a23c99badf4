"""The tables of `pact-dispatch.toml`, but for those of the providers.

The docstrings are what `docs/receiver-reference.md` says of each key: `make reference` writes it from them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Field, field_validator, model_validator

from app.config.tls import TlsFiles, tls_misfits
from app.config.values import (
    MISTAKE_SEPARATOR,
    Count,
    Flag,
    HeaderName,
    Kind,
    Network,
    Number,
    Seconds,
    Section,
    UserName,
    Waits,
)
from broker.http.origin import Origin
from broker.http.waits import RetryPlan

if TYPE_CHECKING:
    from uuid import UUID

    from broker.traces.context import TraceContext


TRACE_ID = "{trace_id}"
"""What stands for the id of a trace in `server.trace_url`."""


class BrokerSettings(TlsFiles):
    """The Pact Broker. Its credentials come from the environment.

    Attributes:
        url: Its base URL. Pacts are fetched only from there, and results are published there.
        aliases: Other base URLs that the broker uses in its links, such as `http` behind an https proxy, or an internal
            name. Pacts under them are accepted, and requested from `url`; nothing is sent to an alias.
    """

    url: Annotated[str, Kind("URL")]
    aliases: Annotated[tuple[str, ...], Field(max_length=20), Kind("list of URLs")] = ()

    @model_validator(mode="after")
    def _tls_goes_together(self) -> Self:
        if mistakes := tls_misfits(self.model_fields_set):
            raise ValueError(MISTAKE_SEPARATOR.join(mistakes))
        return self

    @field_validator("url")
    @classmethod
    def _is_a_base_url(cls, url: str) -> str:
        Origin.of(url)
        return url

    @field_validator("aliases")
    @classmethod
    def _are_base_urls(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        for url in urls:
            Origin.of(url)
        return urls


class DispatchSettings(Section):
    """Which dispatches are accepted.

    Attributes:
        event_types: Event types that are accepted besides `pact_changed`,
            `contract_requiring_verification_published` and `provider_changed`.
    """

    event_types: tuple[Annotated[str, Field(min_length=1, max_length=100)], ...] = ()

    @field_validator("event_types")
    @classmethod
    def _can_be_sent(cls, types: tuple[str, ...]) -> tuple[str, ...]:
        for one in types:
            if not one.isprintable():
                raise ValueError(f"{one!r} can't be an event type: it must be printable")
        return types


class ServerSettings(Section):
    """The web side.

    Attributes:
        public_url: The URL at which people reach the receiver, with its path if a proxy serves it under one. Links to
            runs begin with it: those of results in the broker, and those of commit statuses.
        processes: The number of web processes.
        connections: The number of connections to the database from each web process, at most.
        anonymous_connections: The number of connections to each web process, at most, whose client has not sent a right
            token or signature. Beyond that the oldest ones are closed.
        trusted_proxies: The proxies in front of the receiver. The address of a client is then the one that they give in
            `X-Forwarded-For`.
        user_header: A header in which the trusted proxies say who has signed in with them, such as `X-Forwarded-User`.
            Whoever they name may use the dashboard. They must take it out of what clients send.
        user_operators: Those of these users who may change something; all of them may unless given.
        share_links: Whether the links that results in the broker and commit statuses have open the page of their run
            without a sign-in.
        trace_url: Where people look at a trace, with `{trace_id}` for its id: the page of a run has the link.
    """

    public_url: Annotated[str, Field(max_length=1000), Kind("URL")] | None = None
    processes: Count = Field(default=2, ge=1, le=64)
    connections: Count = Field(default=8, ge=1, le=100)
    anonymous_connections: Count = Field(default=1500, ge=10, le=100_000)
    trusted_proxies: tuple[Network, ...] = Field(default=(), max_length=100)
    user_header: HeaderName | None = None
    user_operators: tuple[Annotated[str, Field(min_length=1, max_length=200)], ...] | None = None
    share_links: Flag = False
    trace_url: Annotated[str, Field(max_length=2000), Kind("URL")] | None = None

    @model_validator(mode="after")
    def _somebody_sets_the_header(self) -> Self:
        if self.user_header is not None and not self.trusted_proxies:
            raise ValueError("user_header needs trusted_proxies: only what these say in it counts")
        if self.user_operators is not None and self.user_header is None:
            raise ValueError("user_operators needs user_header: they are users that the proxy names")
        return self

    @model_validator(mode="after")
    def _links_lead_somewhere(self) -> Self:
        if self.share_links and self.public_url is None:
            raise ValueError("share_links needs public_url: links go out only with it")
        return self

    @field_validator("public_url")
    @classmethod
    def _is_a_base_url(cls, url: str | None) -> str | None:
        if url is not None:
            Origin.of(url)
        return url

    @field_validator("trace_url")
    @classmethod
    def _leads_to_a_trace(cls, url: str | None) -> str | None:
        if url is not None:
            if TRACE_ID not in url:
                raise ValueError(f"{TRACE_ID} must be in it, in the place of a trace's id")
            Origin.of(re.split("[?#]", url, maxsplit=1)[0])
        return url

    def page_of_trace(self, context: TraceContext | None) -> str | None:
        """Return the URL at which people look at a trace; None if none is configured, or it is not kept."""
        if self.trace_url is None or context is None or not context.is_sampled:
            return None
        return self.trace_url.replace(TRACE_ID, context.trace_id)

    def address(self, path: str) -> str:
        """Return the URL of a path of the receiver: from its root, and absolute where `public_url` is configured.

        The Host header would not do: behind a proxy it has neither the scheme nor the path that people use.
        """
        return (self.public_url or "").rstrip("/") + path

    def page_of_run(self, run_id: UUID) -> str | None:
        """Return the URL of a run's page for others; None if it isn't known."""
        return None if self.public_url is None else self.address(f"/runs/{run_id}")


class WorkerSettings(Section):
    """The worker.

    Attributes:
        concurrency: The number of runs at once, of different providers.
        warm: The number of child processes that are kept ready.
        stop_seconds: How long runs may go on after SIGTERM, before they are left to another worker.
        stalled_seconds: The time without a heartbeat after which a worker's runs are taken over by another: the same on
            all machines. A worker that is cut off from the database for four fifths of it stops its runs, and one whose
            database is away for that long ends.
        retry_seconds: The waits between the attempts of a run that failed for a reason that may pass.
        publish_retry_seconds: The waits between attempts to publish; the last one is repeated.
        publish_hours: For how many hours publishing is tried.
        provider_user: The account that the `setup` and `command` of providers run as, where root runs the worker.
            Without it `pact-provider` is used, or else `nobody`.
    """

    concurrency: Count = Field(default=4, ge=1, le=64)
    warm: Count = Field(default=1, ge=0, le=16)
    stop_seconds: Seconds = 20.0
    stalled_seconds: Annotated[Number, Field(ge=1, le=3600), Kind("seconds")] = 10.0
    retry_seconds: tuple[Annotated[Number, Field(ge=0, lt=86400 * 7), Kind("seconds")], ...] = Field(
        default=(10, 30, 60, 180, 600), max_length=20
    )
    publish_retry_seconds: Waits = Field(default=(5, 15, 30, 60, 120, 300, 600), min_length=1, max_length=20)
    publish_hours: Annotated[Number, Field(gt=0, le=24 * 30), Kind("hours")] = 12.0
    provider_user: UserName | None = None

    @property
    def retry_plan(self) -> RetryPlan:
        """The waits between attempts of a run."""
        return RetryPlan(self.retry_seconds)

    @property
    def publish_retry_plan(self) -> RetryPlan:
        """The waits between attempts to publish."""
        return RetryPlan(self.publish_retry_seconds, self.publish_hours * 3600)


class GitHubSettings(Section):
    """GitHub's API: for commit statuses and for the relay.

    The token, or the App's private key, comes from the environment.

    Attributes:
        api_url: The URL of the API; `https://HOST/api/v3` for a GitHub Enterprise Server.
        app_id: The id of a GitHub App, in the place of a token.
        installation_id: The App's installation; found by the repository unless given.
        statuses: Whether the commits that are verified get statuses.
        retry_seconds: The waits between attempts while GitHub is away; the last one is repeated.
        retry_hours: For how many hours it is tried.
    """

    api_url: Annotated[str, Kind("URL")] = "https://api.github.com"
    app_id: Annotated[str, Field(min_length=1, coerce_numbers_to_str=True), Kind("text or number")] | None = (
        None
    )
    installation_id: Count | None = Field(default=None, ge=1)
    statuses: Flag = False
    retry_seconds: Waits = Field(default=(5, 15, 30, 60, 120, 300, 600), min_length=1, max_length=20)
    retry_hours: Annotated[Number, Field(gt=0, le=24 * 30), Kind("hours")] = 12.0

    @field_validator("api_url")
    @classmethod
    def _is_a_base_url(cls, url: str) -> str:
        Origin.of(url)
        return url.rstrip("/")

    @property
    def retry_plan(self) -> RetryPlan:
        """The waits while GitHub is away."""
        return RetryPlan(self.retry_seconds, self.retry_hours * 3600)


class RetentionSettings(Section):
    """How long and how much of the history is kept.

    Attributes:
        days: How many days deliveries, runs, their logs and what people did are kept.
        log_kilobytes: The size of each run's log, at most, in KB.
    """

    days: Annotated[Number, Field(gt=0, le=36500), Kind("days")] = 30.0
    log_kilobytes: Count = Field(default=256, ge=1, le=16384)


class ReconcileSettings(Section):
    """The search for missed dispatches: pacts that have no result.

    Attributes:
        minutes: The time between two searches; 0 for none.
    """

    minutes: Annotated[Number, Field(ge=0, le=60 * 24 * 30), Kind("minutes")] = 15.0
