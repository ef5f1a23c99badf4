"""A provider's configuration as it was understood, without its secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.config.provider import CheckoutProvider, CommandProvider, VerifiedProvider

if TYPE_CHECKING:
    from app.config.notify import NotifySettings, NotifyTarget
    from app.config.provider import ProviderSettings
    from app.config.values import Value


def shown_provider(provider: ProviderSettings, default_user: str | None) -> dict[str, Any]:
    """Return the settings of a provider with the sources of its secrets in place of their values."""
    given = provider.model_dump(mode="json", exclude_none=True)
    if isinstance(provider, CommandProvider | CheckoutProvider) and (user := provider.user or default_user):
        given["user"] = user
    if isinstance(provider, VerifiedProvider):
        if provider.client_key_password is not None:
            given["client_key_password"] = _source(provider.client_key_password)
        for key, values in (("headers", provider.headers), ("environment", provider.environment)):
            given[key] = {name: _source(value) for name, value in values.items()}
    if provider.notify is not None:
        given["notify"] = shown_notify(provider.notify)
    if isinstance(provider, CheckoutProvider) and not isinstance(provider.checkout.url, str):
        given["checkout"]["url"] = _source(provider.checkout.url)
    return given


def shown_notify(settings: NotifySettings) -> dict[str, Any]:
    """Return who is told of changes, with the sources of their secrets in place of the secrets."""
    given = settings.model_dump(mode="json", exclude_unset=True)
    if "targets" in given:
        given["targets"] = [_shown_target(target) for target in settings.targets]
    return given


def _shown_target(target: NotifyTarget) -> dict[str, Any]:
    shown: dict[str, Any] = {target.kind.value: _source(target.source), "events": list(target.events)}
    if target.headers:
        shown["headers"] = {name: _source(value) for name, value in target.headers.items()}
    if target.signing_secret is not None:
        shown["signing_secret"] = _source(target.signing_secret)
    return shown


def _source(value: Value) -> str:
    if isinstance(value, str):
        return "in the file"
    return f"from the variable {value.env}" if value.env else f"from {value.file}"
