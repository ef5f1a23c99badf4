"""The configuration of one provider: a type for each of the four kinds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TypeAlias

from pydantic import BeforeValidator, Field

from app.config.provider_values import (
    BrokerName,
    BrokerNames,
    Command,
    EventType,
    Folder,
    Headers,
    JsonPointer,
    PathsInside,
    RemoteUrl,
    RepositoryName,
    Transports,
    Url,
    UrlOfRunning,
    UrlPath,
    Variables,
)
from app.config.values import Count, Flag, Seconds, SecretSource, Section, UserName
from app.provider.version import ask
from verifier.request import LEAST_MEMORY, MAX_JOBS, MOST_MEMORY

if TYPE_CHECKING:
    from collections.abc import Mapping


class CheckoutSettings(Section):
    """A provider's source, checked out at the dispatched commit.

    Attributes:
        url: What `git clone` takes; a `SecretSource` if it holds a user name or a token.
        setup: The command that makes it ready to run; run without a shell, in the checkout.
        command: The command that starts the provider, with `{port}` or `$PORT`.
        cache_key_files: Lock files; while their content is the same, what the setup made is used again.
        cache_paths: What the setup makes: `.venv`, `node_modules`.
        default_branch: What is verified when a dispatch names no commit; the remote's HEAD unless given.
        any_commit: Whether commits that no branch and no tag contains, as those of forks' pull requests, are run, too.
    """

    url: RemoteUrl
    setup: Command | None = None
    command: Command
    cache_key_files: PathsInside = ()
    cache_paths: PathsInside = ()
    default_branch: str | None = None
    any_commit: Flag = False


class RelaySettings(Section):
    """How dispatches are passed on to GitHub.

    Attributes:
        repository: OWNER/REPO there; the provider's own unless given.
        event_type: The event type that they get; the one they came with unless given.
    """

    repository: RepositoryName | None = None
    event_type: EventType | None = None


class Provider(Section):
    """What every provider has.

    Attributes:
        name: The pacticipant in the broker.
        repository: OWNER/REPO of `POST /repos/OWNER/REPO/dispatches`.
    """

    name: BrokerName
    repository: RepositoryName


class VerifiedProvider(Provider):
    """A provider that is verified here.

    Attributes:
        statuses: Whether its commits get statuses; as in `github.statuses` unless given.
        branch: The branch that results are for, where the dispatch names none.
        tags: The tags that its version gets.
        states_setup_url: The URL that sets up provider states.
        states_teardown: Whether they are torn down there too.
        publish_without_states: Whether a failure with provider states that nothing set up is published.
        headers: Sent with each request to the provider.
        transports: Other transports, `NAME:PORT[/path]`.
        health_path: The path that is requested to see whether it is ready.
        wait: Seconds that it has to become ready.
        jobs: Interactions that are verified at once.
        timeout: Seconds for a whole run.
        request_timeout: Seconds for one request.
        memory_limit: MB that the process which replays a pact may use.
        environment: Variables for the command and the setup.
        parallel: Whether it may be verified several times at once; provider states are shared, so no.
        unconfined: Whether its set-up and command may read other processes, and gain rights, by sudo for instance.
        user: The account that its set-up and command run as, where root runs the worker; `worker.provider_user` unless
            given.
    """

    statuses: Flag | None = None
    branch: BrokerName | None = None
    tags: BrokerNames = ()
    states_setup_url: Url | None = None
    states_teardown: Flag = False
    publish_without_states: Flag = False
    headers: Headers = Field(default_factory=dict)
    transports: Transports = ()
    health_path: UrlPath = "/"
    wait: Seconds = 30.0
    jobs: Count = Field(default=1, ge=1, le=MAX_JOBS)
    timeout: Seconds = 1800.0
    request_timeout: Seconds = 5.0
    memory_limit: Count = Field(default=1024, ge=LEAST_MEMORY, le=MOST_MEMORY)
    environment: Variables = Field(default_factory=dict)
    parallel: Flag = False
    unconfined: Flag = False
    user: UserName | None = None

    @property
    def keeps_failures_back(self) -> bool:
        """Whether a failure with provider states is not published, since nothing sets them up."""
        return self.states_setup_url is None and not self.publish_without_states

    def running_version(self) -> str | None:
        """Return the version that is verified whatever a dispatch asks for; None for a checkout.

        Raises:
            VersionUnknown: The provider doesn't tell it.
        """
        return None

    @property
    def secret_sources(self) -> list[SecretSource]:
        """Where its secret values are."""
        values = [*self.headers.values(), *self.environment.values()]
        return [value for value in values if isinstance(value, SecretSource)]


class RunningProvider(VerifiedProvider):
    """A provider that runs already.

    Attributes:
        base_url: Its URL.
        version: The version that runs.
        version_url: Or the URL where it tells its version.
        version_pointer: The JSON pointer to it in the answer; the whole answer as text unless given.
    """

    base_url: UrlOfRunning
    version: BrokerName | None = None
    version_url: UrlOfRunning | None = None
    version_pointer: JsonPointer | None = None

    def running_version(self) -> str:
        """Return the version that runs, as it is configured or as the provider tells it.

        Raises:
            VersionUnknown: The provider doesn't tell it.
        """
        if self.version_url is None:
            return str(self.version)  # one of the two is given
        return ask(self.version_url, self.version_pointer)


class CommandProvider(VerifiedProvider):
    """A provider that is started by a command.

    Attributes:
        command: The command, with `{port}` or `$PORT`.
        folder: The folder that the command runs in.
        version: The version that it starts.
    """

    command: Command
    folder: Folder | None = None
    version: BrokerName

    def running_version(self) -> str:
        """Return the configured version."""
        return self.version


class CheckoutProvider(VerifiedProvider):
    """A provider that is started from its source, at the dispatched commit.

    Attributes:
        checkout: Its source.
    """

    checkout: CheckoutSettings

    @property
    def secret_sources(self) -> list[SecretSource]:
        """Where its secret values are."""
        url = self.checkout.url
        return [*super().secret_sources, *([url] if isinstance(url, SecretSource) else [])]


def _relay(relay: Any) -> Any:
    if not isinstance(relay, bool | dict | RelaySettings | None):
        raise ValueError("must be true, or a table with repository, event_type or both")  # noqa: TRY004 - pydantic's
    return {} if relay is True else relay


class RelayedProvider(Provider):
    """A provider that is verified elsewhere: its dispatches are passed on to GitHub.

    Attributes:
        relay: How; `true` in the file where nothing differs.
    """

    parallel: ClassVar[bool] = False
    secret_sources: ClassVar[tuple[SecretSource, ...]] = ()

    relay: Annotated[RelaySettings, BeforeValidator(_relay)]


ProviderSettings: TypeAlias = RunningProvider | CommandProvider | CheckoutProvider | RelayedProvider


def secret_values(provider: VerifiedProvider, environment: Mapping[str, str]) -> list[str]:
    """Return the values of a provider that are secret.

    Raises:
        ValueError: One of them isn't where the configuration says it is.
    """
    return [source.read(environment) for source in provider.secret_sources]
