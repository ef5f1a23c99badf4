"""The meaning of a configuration without its secrets, and what of it is perhaps not intended."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, TypeVar

from app.commands.finding import Finding, State
from app.commands.options import data_dir_of
from app.config.broker_access import broker_access
from app.config.file import load
from app.config.provider import (
    CheckoutProvider,
    RelayedProvider,
    RunningProvider,
    VerifiedProvider,
)
from app.config.shown_configuration import document_of
from app.config.shown_provider import shown_provider
from app.config.tls import TlsFiles
from app.config.values import ConfigurationError, secret
from app.config.variables import (
    API_TOKENS,
    BROKER_AT_HOME,
    KNOWN,
    SECRETS,
    TOKENS,
    WEBHOOK_SECRET,
)
from app.database.connections import in_words
from app.database.database_url import DatabaseUnusable, check_url
from app.github.access import github_access
from app.intake.credentials import Tokens, check_secrets
from app.intake.tokens import READ_ONLY
from app.process.environment import DATABASE_URL
from broker.http.origin import Origin
from broker.text.secret_names import is_secret_name
from verifier.command.sources import ENVIRONMENT
from verifier.environment import BROKER_BASE_URL, OWN_PREFIX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from app.config.provider import ProviderSettings
    from app.config.settings import Settings
    from app.intake.tokens import Token
    from broker.http.access import BrokerAccess

T = TypeVar("T")


@dataclass(frozen=True)
class Summary:
    """A configuration that can be used.

    Attributes:
        settings: The configuration.
        access: The address of the broker and the credentials for it.
        document: All of it as JSON values, without a secret.
        warnings: What can be used, and is perhaps not intended.
    """

    settings: Settings
    access: BrokerAccess
    document: dict[str, Any]
    warnings: list[Finding]


def understand(file: Path, data_dir: Path | None, environment: Mapping[str, str]) -> Summary:
    """Read all that the receiver reads when it starts.

    Args:
        file: The configuration file.
        data_dir: The data directory, if an option or the environment names it.
        environment: The environment of the receiver.

    Raises:
        ConfigurationError: Something can't be used; every mistake is named, and no secret is shown.
    """
    mistakes: list[str] = []

    def read(what: Callable[[], T]) -> T | None:
        try:
            return what()
        except ConfigurationError as error:
            mistakes.extend(error.mistakes)
        except DatabaseUnusable as error:
            mistakes.append(str(error))
        return None

    settings = read(lambda: load(file, environment))
    tokens = read(lambda: Tokens(TOKENS, environment).all()) or []
    api_tokens = read(lambda: Tokens(API_TOKENS, environment, for_api=True).all()) or []
    webhook_secret = read(lambda: secret(WEBHOOK_SECRET, environment))
    database_url = read(lambda: secret(DATABASE_URL, environment))
    if database_url is not None:
        database_url = read(lambda: check_url(str(database_url)))
    access = read(lambda: broker_access(settings, environment)) if settings else None
    github = read(lambda: github_access(settings, environment)) if settings else None
    if mistakes or settings is None or access is None:
        raise ConfigurationError(*dict.fromkeys(mistakes))
    shown = document_of(
        settings,
        tokens={token.name: token.repositories for token in tokens},
        api_tokens={token.name: token.read_only for token in api_tokens},
        webhook_secret=webhook_secret is not None,
        github=None if github is None else {"url": github.api_url, "login": _github_login(github)},
        database=in_words(database_url, data_dir_of(data_dir, settings)),
    )
    document = {
        "file": str(file.absolute()),
        "broker": {**shown.pop("broker"), "login": _login(access)},
        "providers": [
            {
                **shown_provider(provider, settings.worker.provider_user),
                "file": str((settings.file_of(number) or file).absolute()),
            }
            for number, provider in enumerate(settings.providers, start=1)
        ],
        **shown,
    }
    warnings = [*_warnings(settings, access, environment), *_about_tokens(tokens, api_tokens, settings)]
    return Summary(settings, access, document, warnings)


def _login(access: BrokerAccess) -> str:
    if access.token is not None:
        return "with a token"
    return "without credentials" if access.username is None else f"as {access.username}, with a password"


def _github_login(github: Any) -> str:
    return "with a token" if github.app_id is None else f"as the App {github.app_id}"


def _warnings(settings: Settings, access: BrokerAccess, environment: Mapping[str, str]) -> Iterator[Finding]:
    for text in check_secrets(environment):
        yield Finding(State.WARNING, text, name="environment")
    yield from _empty_files(environment)
    yield from _unread(environment)
    origin = Origin.of(settings.broker.url)
    if origin.scheme == "http" and access.has_credentials and not _is_here(origin.host):
        yield _warning(
            "broker.url", f": the credentials for the broker go to {origin.host} unencrypted: use https"
        )
    elsewhere = environment.get(BROKER_BASE_URL)
    if elsewhere and elsewhere.rstrip("/") != settings.broker.url.rstrip("/"):
        yield _warning(BROKER_BASE_URL, " is not read here, and is another one than broker.url")
    yield from _tls_variables(settings, environment)
    if settings.server.public_url is None:
        yield _warning("server.public_url", " is missing: results in the broker will not lead to their runs")
    if not settings.reconcile.minutes:
        yield _warning(
            "reconcile.minutes",
            " is 0: what a webhook missed stays missed, unless `pact-dispatch reconcile` is run",
        )
    for number, provider in enumerate(settings.providers, start=1):
        for text in _about(provider):
            yield _warning(settings.name_of(number), text)


def _tls_variables(settings: Settings, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Yield a warning for each variable of `verify` for TLS whose key is not in the configuration."""
    verified = [provider for provider in settings.providers if isinstance(provider, VerifiedProvider)]
    for whose, sections in (("broker", [settings.broker]), ("provider", verified)):
        for key in TlsFiles.model_fields:
            variable = ENVIRONMENT[f"{whose}_{key}"]
            if environment.get(variable) and not any(getattr(section, key) for section in sections):
                yield _warning(variable, f" is not read here: give {key} of the {whose} in the configuration")


def _about_tokens(tokens: list[Token], api_tokens: list[Token], settings: Settings) -> Iterator[Finding]:
    for variable, given, limit in (
        (TOKENS, tokens, "@OWNER/REPO"),
        (API_TOKENS, api_tokens, f"@{READ_ONLY}"),
    ):
        for token in given:
            if "@" in token.value:
                yield _warning(
                    variable,
                    f": the token of {token.name} has an @ in it, and what follows is no limit ({limit})",
                )
    for token in tokens:
        for repository in sorted(token.repositories or ()):
            if settings.provider_of(repository) is None:
                yield _warning(
                    TOKENS, f": {token.name} may dispatch for {repository}, which is no provider's repository"
                )


def _warning(name: str, text: str) -> Finding:
    return Finding(State.WARNING, f"{name}{text}", name=name)


def _about(provider: ProviderSettings) -> Iterator[str]:
    if isinstance(provider, RelayedProvider):
        return
    if isinstance(provider, RunningProvider) and provider.environment:
        yield ".environment is for a provider that is started: this one runs, and doesn't get it"
    if isinstance(provider, RunningProvider) and provider.user:
        yield ".user is for a provider that is started: this one runs as whoever started it"
    if provider.branch is None and not isinstance(provider, CheckoutProvider):
        yield ": has no branch, so its results don't count for the latest version of a branch"
    if isinstance(provider, CheckoutProvider) and provider.checkout.any_commit:
        yield ".checkout.any_commit: whoever may open a pull request, and whoever may dispatch, has code run here"
    for key, values in (("headers", provider.headers), ("environment", provider.environment)):
        for name, value in values.items():
            if isinstance(value, str) and is_secret_name(name):
                yield f'.{key}.{name}: if it is a secret, it should not stand in the file: {{ env = "NAME" }}'


def _empty_files(environment: Mapping[str, str]) -> Iterator[Finding]:
    for name in SECRETS:
        if environment.get(f"{name}_FILE") and secret(name, environment) is None:
            file = environment[f"{name}_FILE"]
            yield _warning(f"{name}_FILE", f": {file} is empty, which is the same as no {name}")


def _unread(environment: Mapping[str, str]) -> Iterator[Finding]:
    for name in sorted(environment):
        if name.startswith(OWN_PREFIX) and name not in KNOWN and not name.startswith(BROKER_AT_HOME):
            yield _warning(name, " is set, and nothing reads it: is it spelt right?")


def _is_here(host: str) -> bool:
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
