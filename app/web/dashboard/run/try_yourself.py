"""The command by which somebody verifies the same at their own machine. No I/O."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from app.config.provider import CheckoutProvider, CommandProvider, RunningProvider
from app.web.dashboard.run.query import MOST_UNMET
from broker.text.secret_forms import in_url
from verifier.report.filter_expression import expression_of
from verifier.verification import Outcome

if TYPE_CHECKING:
    from app.config.settings import Settings
    from app.records.run import Run
    from app.web.dashboard.run.query import Interactions

AT_HOME = "http://127.0.0.1:8080"
"""Where the provider is, where the configuration does not say how to reach it."""
_CONTENT, _RESULTS = "/pact-version/", "/verification-results"
"""What stands in the URL of a pact's content, and after that in the one of its results."""


def command_for(run: Run, interactions: Interactions | None, settings: Settings | None) -> str:
    """Return the command. It publishes nothing.

    Args:
        run: The run.
        interactions: Those of its verification.
        settings: The configuration; None for somebody who is not to know it.
    """
    words = ["verify"]
    if run.pact_url is not None:
        words += ["--pact-url", _verified_pact(run.pact_url, interactions)]
    elif settings is not None:
        words += ["--pact-broker-base-url", settings.broker.url]
    words += ["--provider", run.provider]
    if run.pact_url is None and (branch := run.provider_branch or run.branch):
        words += ["--provider-version-branch", branch]
    words += _provider(run, settings)
    if interactions is not None and interactions.passed and 0 < len(_unmet(interactions)) < MOST_UNMET:
        expression = expression_of(_unmet(interactions))
        if expression is not None:
            words += ["--filter-description", expression]
    return shlex.join(words)


def _verified_pact(asked: str, interactions: Interactions | None) -> str:
    """Return the URL of the pact that was verified: what was asked for may be whichever is the latest one.

    A broker's link for results is below the content that they are of, with the versions that it was chosen for.
    """
    content, _, rest = (interactions.publish_url or "" if interactions else "").rpartition(_RESULTS)
    return content if _CONTENT in content and not rest else asked


def _provider(run: Run, settings: Settings | None) -> list[str]:
    provider = None if settings is None else settings.provider_named(run.provider)
    words = ["--provider-base-url", AT_HOME]
    if isinstance(provider, RunningProvider):
        words = ["--provider-base-url", provider.base_url]
    elif isinstance(provider, CommandProvider):
        words = ["--provider-command", provider.command]
    elif isinstance(provider, CheckoutProvider):
        words = ["--provider-command", provider.checkout.command]
    states = getattr(provider, "states_setup_url", None)
    if states is not None:
        words += ["--provider-states-setup-url", states]
    return words if not any(map(in_url, words)) else ["--provider-base-url", AT_HOME]


def _unmet(interactions: Interactions) -> list[str]:
    return [one.description for one in interactions.unmet if one.outcome is not Outcome.PASSED]
