"""The configuration of one provider: a type for each of the four kinds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self, TypeAlias

from pydantic import BeforeValidator, Field, model_validator

from app.config.notify import NotifySettings
from app.config.provider_changes import ProviderChanges
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
    WorkflowFile,
)
from app.config.tls import ProviderTls
from app.config.values import Count, Flag, Kind, Seconds, SecretSource, Section, UserName
from app.provider.version import ask
from broker.http.tls import ORDINARY
from verifier.request import LEAST_MEMORY, MAX_JOBS, MOST_MEMORY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from broker.http.tls import Tls

MOST_RUNS = 10_000


class CheckoutSettings(Section):
    """The source of a provider that is checked out at the dispatched commit.

    Attributes:
        url: What `git clone` takes; a secret if it holds a user name or a token.
        setup: The command that prepares a checkout, as by installing what the provider needs. It runs in the checkout,
            without a shell.
        command: The command that starts the provider, without a shell; `{port}` and `$PORT` are a free port.
        cache_key_files: Lock files. While their content stays the same, what `setup` made is used again.
        cache_paths: What `setup` makes and is kept for that, such as `.venv` or `node_modules`.
        default_branch: The branch that is verified where a dispatch names no commit; the repository's default branch
            unless given.
        any_commit: Whether commits that no branch and no tag contains are run, too, as those of forks' pull requests.
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
        repository: The repository that they are sent to; that of the provider unless given.
        event_type: The event type that they are sent with; the one they came with unless given.
        workflow: The workflow file that a `workflow_dispatch` starts there, in the place of a `repository_dispatch`.
        ref: The branch that the workflow runs on; the default branch unless given.
    """

    repository: RepositoryName | None = None
    event_type: EventType | None = None
    workflow: WorkflowFile | None = None
    ref: BrokerName | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.workflow is not None and self.event_type is not None:
            raise ValueError(
                "event_type is of a repository_dispatch, and workflow of a workflow_dispatch: give one"
            )
        if self.ref is not None and self.workflow is None:
            raise ValueError("ref is the branch that a workflow runs on, and there is no workflow")
        return self


class Provider(Section):
    """What every provider has.

    Attributes:
        name: The pacticipant's name in the broker; letter case counts.
        repository: The repository in `POST /repos/OWNER/REPO/dispatches`, which a webhook names the provider by.
        notify: The table `[providers.notify]`.
    """

    name: BrokerName
    repository: RepositoryName
    notify: NotifySettings | None = None


class VerifiedProvider(ProviderTls, ProviderChanges, Provider):
    """A provider that is verified here.

    Attributes:
        statuses: Whether its commits get statuses; as `github.statuses` says unless given.
        branch: The branch that results are for, where the dispatch names none.
        tags: Tags that the provider's version gets.
        states_setup_url: The URL that provider states are set up at; it may have `{port}` for a provider that is
            started.
        states_teardown: Whether provider states are torn down there, too.
        publish_without_states: Whether a failure is published where an interaction has provider states and there is no
            `states_setup_url`. Otherwise the run ends with the error `states-not-set-up`.
        headers: Headers of each request to the provider.
        transports: Where messages, and the protocols of plugins, are asked for.
        health_path: The path that is requested until the provider is ready: until it answers with a status under 500.
        wait: How long the provider has to become ready.
        jobs: The number of interactions that are verified at once; 1, since they share the provider's states.
        timeout: How long a whole run may take.
        request_timeout: How long one request to the provider may take.
        memory_limit: The memory, in MB, that the process which replays a pact may use.
        environment: Environment variables for `setup` and `command`. They get no other variables whose name says that
            they are secrets.
        parallel: Whether several runs of the provider go on at once. They would share its provider states.
        max_runs: How many of these go on at once, over all workers; as many as there is room for unless given.
        unconfined: Whether `setup` and `command` may read other processes of their account, and gain rights (by sudo,
            for example).
        user: The account that `setup` and `command` run as, where root runs the worker; `worker.provider_user` unless
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
    max_runs: Count | None = Field(default=None, ge=1, le=MOST_RUNS)
    unconfined: Flag = False
    user: UserName | None = None

    @property
    def keeps_failures_back(self) -> bool:
        """Whether a failure with provider states is not published, since nothing sets them up."""
        return self.states_setup_url is None and not self.publish_without_states

    def running_version(self, tls: Tls = ORDINARY) -> str | None:  # noqa: ARG002 - others ask for it
        """Return the version that is verified whatever a dispatch asks for; None for a checkout.

        Args:
            tls: How TLS connections to the provider are made.

        Raises:
            VersionUnknown: The provider doesn't tell it.
        """
        return None

    @property
    def secret_sources(self) -> list[SecretSource]:
        """Where its secret values are."""
        values = [*self.headers.values(), *self.environment.values(), self.client_key_password]
        return [value for value in values if isinstance(value, SecretSource)]


class RunningProvider(VerifiedProvider):
    """A provider that runs already.

    Attributes:
        base_url: Its base URL.
        version: The version that runs.
        version_url: Or the URL where it tells its version, which is requested before and after each run.
        version_pointer: The JSON pointer to the version in that answer, such as `/build/commit`; the whole answer
            unless given.
    """

    base_url: UrlOfRunning
    version: BrokerName | None = None
    version_url: UrlOfRunning | None = None
    version_pointer: JsonPointer | None = None

    def running_version(self, tls: Tls = ORDINARY) -> str:
        """Return the version that runs, as it is configured or as the provider tells it.

        Args:
            tls: How TLS connections to the provider are made.

        Raises:
            VersionUnknown: The provider doesn't tell it.
        """
        if self.version_url is None:
            return str(self.version)  # one of the two is given
        return ask(self.version_url, self.version_pointer, tls)


class CommandProvider(VerifiedProvider):
    """A provider that is started by a command.

    Attributes:
        command: The command that starts the provider, without a shell; `{port}` and `$PORT` are a free port.
        folder: The folder that `command` runs in; the one that the worker was started in unless given.
        version: The version that is started.
    """

    command: Command
    folder: Folder | None = None
    version: BrokerName

    def running_version(self, tls: Tls = ORDINARY) -> str:  # noqa: ARG002 - nobody is asked
        """Return the configured version."""
        return self.version


class CheckoutProvider(VerifiedProvider):
    """A provider that is started from its source, at the dispatched commit.

    Attributes:
        checkout: The table `[providers.checkout]`.
    """

    checkout: CheckoutSettings

    @property
    def secret_sources(self) -> list[SecretSource]:
        """Where its secret values are."""
        url = self.checkout.url
        return [*super().secret_sources, *([url] if isinstance(url, SecretSource) else [])]


def _relay(relay: Any) -> Any:
    if not isinstance(relay, bool | dict | RelaySettings | None):
        raise ValueError("must be true, or a table with repository, event_type, workflow or ref")  # noqa: TRY004 - pydantic's
    return {} if relay is True else relay


class RelayedProvider(Provider):
    """A provider that is verified elsewhere: its dispatches are passed on to GitHub.

    Attributes:
        relay: `true`, or the table `[providers.relay]`.
    """

    parallel: ClassVar[bool] = False
    max_runs: ClassVar[int | None] = None
    secret_sources: ClassVar[tuple[SecretSource, ...]] = ()

    relay: Annotated[RelaySettings, BeforeValidator(_relay), Kind("boolean or table")]


ProviderSettings: TypeAlias = RunningProvider | CommandProvider | CheckoutProvider | RelayedProvider


def secret_values(provider: VerifiedProvider, environment: Mapping[str, str]) -> list[str]:
    """Return the values of a provider that are secret.

    Raises:
        ValueError: One of them isn't where the configuration says it is.
    """
    return [source.read(environment) for source in provider.secret_sources]
