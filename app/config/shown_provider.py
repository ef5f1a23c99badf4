"""A provider's configuration as it was understood, without its secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.config.provider import CheckoutProvider, CommandProvider, VerifiedProvider

if TYPE_CHECKING:
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
    if isinstance(provider, CheckoutProvider) and not isinstance(provider.checkout.url, str):
        given["checkout"]["url"] = _source(provider.checkout.url)
    return given


def _source(value: Value) -> str:
    if isinstance(value, str):
        return "in the file"
    return f"from the variable {value.env}" if value.env else f"from {value.file}"
