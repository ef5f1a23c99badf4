"""What is to be verified, and how. Each value is checked, alone and together with the others."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from broker.http.access import BrokerAccess
from broker.http.addresses import Addresses
from broker.http.names import NAME_RULE, is_name
from broker.http.origin import Origin
from broker.http.tls import ORDINARY, Tls
from verifier.confinement import UNCONFINED, Confinement
from verifier.errors import UsageError
from verifier.log_level import LogLevel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from verifier.transport import Transport
    from verifier.verification import Verification

MAX_JOBS = 64
LEAST_MEMORY, MOST_MEMORY = 128, 1024 * 1024
"""The bounds of the limit on the engine's memory, in MB; 16 jobs take 60 MB with answers of an ordinary size."""
MAX_URL = 8000
"""Characters of the URL of a build, which is passed on and kept."""
BUILD_URL = r"(?ai:https?://(\[[\dA-F:.]+\])?([\w.~:/?#@!$&'()*+,;=-]|%[\dA-F]{2})*)"
"""The characters of such a URL, as a regular expression: a Pact Broker (2.120) takes what RFC 3986 does."""
PORT = "{port}"
"""Stands for the port of a provider that is started, in its command, its states URL and its transports."""


@dataclass(frozen=True)
class ProviderUnderTest:
    """The provider, running or to be started, and how to send requests to it.

    Attributes:
        base_url: The base URL of a provider that is running.
        command: The command that starts one, instead.
        folder: The directory that the command runs in.
        environment: Variables for the command, besides those of this process; the values may be secrets.
        health_path: The path that is requested to find out whether the provider is ready.
        wait: How many seconds it has to become ready.
        states_url: The URL that sets its provider states up.
        states_headers: Names and values of headers to send there; the values may be secrets.
        states_as_query: Whether a state is sent there as the query, and not as JSON.
        states_teardown: Whether states are torn down as well.
        states_file: The Python file that sets states up, instead, and the name of the handlers in it.
        headers: Names and values of headers to send with each request; the values may be secrets.
        secrets: Other values that no report and no log may show.
        transports: Transports other than the main HTTP one.
        jobs: How many interactions are verified at the same time.
        ends_at_first: Whether the first interaction that is not passed is the last one that is verified.
        request_timeout: The timeout of one request, in seconds.
        memory_limit: How much memory the engine's process may use, in MB.
        tls: How TLS connections to it, and to the states URL, are made.
        log_file: The file that the log of the engine's core is written to, if one is wanted.
        log_level: How much is written there.
        confinement: What the command may do to others.
    """

    base_url: str | None = None
    command: str | None = None
    folder: Path = field(default_factory=Path.cwd)
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    health_path: str = "/"
    wait: float = 30.0
    states_url: str | None = None
    states_headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    states_as_query: bool = False
    states_teardown: bool = False
    states_file: tuple[str, str] | None = None
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    transports: tuple[Transport, ...] = ()
    jobs: int = 1
    ends_at_first: bool = False
    request_timeout: float = 5.0
    memory_limit: int = 1024
    tls: Tls = ORDINARY
    log_file: Path | None = None
    log_level: LogLevel = LogLevel.DEBUG
    confinement: Confinement = UNCONFINED

    def __post_init__(self) -> None:
        """Check the values together.

        Raises:
            UsageError: They contradict each other, or one is out of its range.
        """
        self._check_which_provider()
        if self.base_url:
            check_base_url(self.base_url, "--provider-base-url")
        if self.states_url:
            check_url(
                self.states_url.replace(PORT, "1"),
                "--provider-states-setup-url",
                header="--provider-states-header",
            )
        needs_port = PORT in (self.states_url or "") or any(
            transport.port is None for transport in self.transports
        )
        if needs_port and not self.command:
            raise UsageError(f"{PORT} is the port of a provider that is started: it needs --provider-command")
        if self.states_url and self.states_file:
            raise UsageError(
                "--provider-states-setup-url and --provider-states are two ways of one thing: give one"
            )
        if self.states_headers and not self.states_url:
            raise UsageError(
                "--provider-states-header is for --provider-states-setup-url, which is not given"
            )
        if self.command and not self.folder.is_dir():
            raise UsageError(f"--provider-dir: there is no folder {self.folder}")
        if self.states_file and not Path(self.states_file[0]).is_file():
            raise UsageError(f"--provider-states: there is no file {self.states_file[0]}")
        self._check_ranges()

    def _check_ranges(self) -> None:
        if not 1 <= self.jobs <= MAX_JOBS:
            raise UsageError(f"--jobs must be from 1 to {MAX_JOBS}, not {self.jobs}")
        if not LEAST_MEMORY <= self.memory_limit <= MOST_MEMORY:
            raise UsageError(
                f"--memory-limit must be from {LEAST_MEMORY} to {MOST_MEMORY}, in MB, not {self.memory_limit}"
            )
        for option, seconds in (("--wait", self.wait), ("--request-timeout", self.request_timeout)):
            if not 0 < seconds < 86400:
                raise UsageError(
                    f"{option} must be more than 0 and less than a day, in seconds, not {seconds:g}"
                )

    def _check_which_provider(self) -> None:
        if self.base_url and self.command:
            raise UsageError(
                "--provider-base-url is for a provider that is running, --provider-command for one to start: "
                "give one of the two"
            )
        if not self.base_url and not self.command and not self.transports:
            raise UsageError(
                "which provider? Give --provider-base-url URL (PACT_PROVIDER_BASE_URL) of one that is running, or "
                "--provider-command CMD (PACT_PROVIDER_COMMAND) to start one"
            )


@dataclass(frozen=True)
class VerificationRequest:
    """One pact to verify.

    Attributes:
        pact_url: An http(s) URL, or the path of a file.
        provider: The provider under test.
        provider_name: The provider that the pact must be for; None for any.
        broker: The broker that the pact is on; None for a file, and for a broker that needs no credentials.
        provider_version: The version of the provider that will answer.
        provider_branch: Its branch.
        provider_tags: Tags to give that version.
        publish: Whether the result is to be published. `verify` doesn't publish; this is here to check what publishing
            needs before anything is verified.
        publish_without_states: Whether it is published, too, if an interaction fails whose provider states nothing set
            up; otherwise nothing is known then.
        build_url: The build, for the broker to show.
        filter_description: A regular expression that the descriptions of the interactions must match.
        filter_state: One that the name of a provider state must match; "" for interactions without states.
        filter_consumers: The consumers, one of which the pact must be of; none for any.
        last_failed: Whether only the interactions are verified that did not pass in `last_run`.
        last_run: The run before, for `last_failed`; None if there was none.
        timeout: How many seconds the whole run may take.
        notes: What the reader of the reports should know of the request.
    """

    pact_url: str
    provider: ProviderUnderTest
    provider_name: str | None = None
    broker: BrokerAccess | None = None
    provider_version: str | None = None
    provider_branch: str | None = None
    provider_tags: tuple[str, ...] = ()
    publish: bool = False
    publish_without_states: bool = False
    build_url: str | None = None
    filter_description: str | None = None
    filter_state: str | None = None
    filter_consumers: tuple[str, ...] = ()
    last_failed: bool = False
    last_run: Verification | None = None
    timeout: float = 1800.0
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check the values together.

        Raises:
            UsageError: They contradict each other, or one that is needed is missing.
        """
        if not self.pact_url:
            raise UsageError("which pact? Give --pact-url URL (PACT_URL), or a pact file for a dry run")
        if self.pact_file is None:
            self._check_pact_url()
        if self.publish:
            self._check_publishing()
        for option, expression in (
            ("--filter-description", self.filter_description),
            ("--filter-state", self.filter_state),
        ):
            try:
                re.compile(expression or "")
            except re.error as error:
                raise UsageError(f"{option} is not a regular expression: {error}") from error
        for option, value in (
            ("--provider-app-version", self.provider_version),
            ("--provider-version-branch", self.provider_branch),
            *(("--provider-version-tag", tag) for tag in self.provider_tags),
            *(("--filter-consumer", name) for name in self.filter_consumers),
        ):
            if value is not None and not is_name(value):
                raise UsageError(f"{option} {NAME_RULE}")
        if self.build_url:
            _check_build_url(self.build_url)
        if not 0 < self.timeout < 86400 * 7:
            raise UsageError(
                f"--timeout must be more than 0 and less than a week, in seconds, not {self.timeout:g}"
            )

    @property
    def pact_file(self) -> Path | None:
        """The path of the pact, if it is a file."""
        scheme, separator, rest = self.pact_url.partition("://")
        if not separator:
            return Path(self.pact_url)
        return Path(unquote(urlsplit(self.pact_url).path)) if scheme.lower() == "file" and rest else None

    @property
    def broker_access(self) -> BrokerAccess:
        """The broker of the pact: the configured one, else that of the pact's URL, without credentials."""
        return self.broker or BrokerAccess(str(Origin.of_pact_url(self.pact_url)))

    def _check_pact_url(self) -> None:
        try:
            Origin.of_pact_url(self.pact_url)
        except ValueError as error:
            raise UsageError(f"--pact-url is not usable: {error}") from error
        if self.broker is None:
            return
        try:
            addresses = Addresses.of(self.broker)
        except ValueError as error:
            raise UsageError(
                f"--pact-broker-base-url or --pact-broker-alias is not usable: {error}"
            ) from error
        if not addresses.contain(self.pact_url):
            raise UsageError(
                f"--pact-url {self.pact_url[:300]} is not on the configured broker {addresses.origin}, so it is "
                "refused: credentials and results go to that broker alone. Check --pact-broker-base-url "
                "(PACT_BROKER_BASE_URL); if the broker is known by that address, too, name it: --pact-broker-alias "
                "(PACT_BROKER_ALIASES)"
            )

    def _check_publishing(self) -> None:
        if self.pact_file is not None:
            raise UsageError(
                "--publish-verification-results: a pact from a file has no place in a broker to publish to; give its "
                "URL in the broker, or --no-publish-verification-results"
            )
        if self.filter_description is not None or self.filter_state is not None or self.last_failed:
            raise UsageError(
                "--publish-verification-results: a filtered run is never published, since it leaves interactions out; "
                "leave the filter out (--filter-description, PACT_DESCRIPTION, --filter-state, PACT_PROVIDER_STATE, "
                "--filter-no-state, PACT_PROVIDER_NO_STATE, --last-failed), or don't publish"
            )
        if not self.provider_version:
            raise UsageError(
                "--publish-verification-results needs to know which version of the provider answers: give "
                "--provider-app-version V (GIT_COMMIT), usually the commit's full id"
            )


def _check_build_url(url: str) -> None:
    """Make sure that a broker takes the URL of a build: it would refuse it when the version is recorded already.

    Raises:
        UsageError: It doesn't.
    """
    if not is_http_url(url) or len(url) > MAX_URL or re.fullmatch(BUILD_URL, url) is None:
        raise UsageError(
            f"--build-url must be an http:// or https:// URL of up to {MAX_URL} characters, with %20 for a space and "
            "the like: a broker takes no other one"
        )
    if "@" in urlsplit(url).netloc:
        raise UsageError("--build-url must not carry a user name or password: the broker shows it")


def check_base_url(url: str, option: str) -> None:
    """Make sure that the value of an option is a URL which paths can follow.

    Raises:
        UsageError: It is none.
    """
    check_url(url, option)
    if "?" in url or "#" in url:
        raise UsageError(f"{option} can't have a query or a fragment: the paths of the pact follow it")


def check_url(url: str, option: str, *, header: str = "--custom-provider-header") -> None:
    """Make sure that the value of an option is a URL of a provider.

    Args:
        url: The value.
        option: The option.
        header: The option by which credentials are sent there.

    Raises:
        UsageError: It is no URL, or it contains credentials, which would be printed with it.
    """
    if not is_http_url(url) or any(character.isspace() for character in url):
        raise UsageError(f"{option} must be an http:// or https:// URL")
    if urlsplit(url).username is not None:
        raise UsageError(
            f"{option} must not carry a user name or password: send them with "
            f"{header} 'Authorization: Basic ...'"
        )


def is_http_url(url: str) -> bool:
    """Return whether a text is an http(s) URL with a host, as far as it can be taken apart."""
    try:
        parts = urlsplit(url)
        return parts.scheme.lower() in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
