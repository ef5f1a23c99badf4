"""The lines of a provider: its main branch, and each further branch that the configuration lets count. No I/O."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from app.config.provider import CheckoutProvider, VerifiedProvider

if TYPE_CHECKING:
    from collections.abc import Collection

    from app.config.notify import NotifySettings
    from app.config.provider import ProviderSettings

MAIN_LINE = ""
"""The line of a provider's main branch, and of runs whose branch nobody named."""
USUAL_MAIN_BRANCHES = ("main", "master", "trunk", "develop")


def main_branches_of(provider: ProviderSettings) -> tuple[str, ...]:
    """Return the names that the main branch of a provider may have."""
    branch = provider.branch if isinstance(provider, VerifiedProvider) else None
    if branch is None and isinstance(provider, CheckoutProvider):
        branch = provider.checkout.default_branch
    return USUAL_MAIN_BRANCHES if branch is None else (branch,)


def line_of(provider: ProviderSettings, settings: NotifySettings, branch: str | None) -> str | None:
    """Return the line of a run; None if it is none that counts.

    Args:
        provider: The provider.
        settings: Who is told of its changes, and of which.
        branch: The branch of the provider that was verified, as far as it is known.
    """
    names = main_branches_of(provider)
    is_main = not branch or branch in names
    candidates = names if not branch else (branch,)
    if settings.branches is None:
        return MAIN_LINE if is_main else None
    if not matches(candidates, settings.branches):
        return None
    return MAIN_LINE if is_main else branch


def matches(branches: Collection[str], patterns: Collection[str]) -> bool:
    """Return whether one of some branches matches one of some patterns."""
    return any(fnmatchcase(branch, pattern) for branch in branches for pattern in patterns)
