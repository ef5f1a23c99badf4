"""Where the commit of a run is seen. No I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from app.config.provider import CheckoutProvider, RelayedProvider
from verifier.commit_id import is_full_commit_id

if TYPE_CHECKING:
    from app.config.provider import ProviderSettings
    from app.config.settings import Settings
    from app.records.run import Run

GITHUB_API = "https://api.github.com"


def commit_link(run: Run, settings: Settings) -> str | None:
    """Return the page of a run's commit on GitHub.

    Returns:
        None if the commit is not known, or if nothing says that the repository is on GitHub.
    """
    commit = next(
        (one for one in (run.provider_version, run.sha) if one is not None and is_full_commit_id(one)), None
    )
    provider = settings.provider_named(run.provider)
    host = _host(settings)
    if commit is None or provider is None or not _is_on_github(provider, host, settings):
        return None
    return f"https://{host}/{quote(run.repository)}/commit/{commit}"


def _host(settings: Settings) -> str:
    """Return the host of GitHub's pages, for that of its API."""
    url = settings.github.api_url
    return "github.com" if url == GITHUB_API else urlsplit(url).netloc


def _is_on_github(provider: ProviderSettings, host: str, settings: Settings) -> bool:
    if isinstance(provider, RelayedProvider) or settings.sets_statuses(provider):
        return True
    if not isinstance(provider, CheckoutProvider) or not isinstance(provider.checkout.url, str):
        return False
    return f"{host}/{provider.repository}".lower() in provider.checkout.url.lower().replace(":", "/")
