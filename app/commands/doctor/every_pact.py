"""Runs for every pact of a provider that has changed: which of them answer a pact (no I/O).

A receiver lists them under no consumer. What pacts such a run verifies is known where it names them; otherwise the
broker says it when the run begins, by selectors that only the receiver's configuration has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from app.dispatch import consumer_of
from app.provider.version import is_same
from app.records.run import RunStatus
from broker.client.for_verification import content_of
from broker.http.json_values import text_at
from verifier.report.amounts import count

if TYPE_CHECKING:
    from collections.abc import Iterable

    from app.commands.doctor.pact_state import PactState


def why_no_answer(run: dict[str, Any], state: PactState, of_pact: Iterable[dict[str, Any]]) -> str | None:
    """Return why a run for every pact, that waited or ran, does not answer a pact; None if it is still to do so.

    Args:
        run: The whole document of the run.
        state: The pact.
        of_pact: The runs of the pact, those that such runs have made among them.

    Raises:
        BrokerError: The broker could not be asked which versions of the provider need a result.
    """
    if not _verifies(run, state):
        return "is for other pacts"
    if _has_answered(run, of_pact):
        return "has verified this pact already"
    if run.get("status") in {RunStatus.FINISHED, RunStatus.CANCELLED}:
        return f"has ended meanwhile: {run.get('error') or run.get('outcome') or run.get('status')}"
    return None if _is_of_needed_version(run, state) else "is for a version that needs no result"


def described(run: dict[str, Any]) -> str:
    """Return which run it is, and what it verifies."""
    urls, sha, branch = run.get("pact_urls"), text_at(run, "sha"), text_at(run, "branch")
    pacts = (
        count(len(urls), "pact")
        if isinstance(urls, list)
        else f"every pact of {run.get('provider')} that the broker asks for"
    )
    of = " of ".join(filter(None, (sha and sha[:12], branch)))
    return f"run {run.get('id')} for {pacts}{f' at {of}' if of else ''}"


def _verifies(run: dict[str, Any], state: PactState) -> bool:
    urls = run.get("pact_urls")
    return not isinstance(urls, list) or any(_is_of(url, state) for url in urls)


def _is_of(url: Any, state: PactState) -> bool:
    if not isinstance(url, str):
        return False
    try:
        path, consumer = urlsplit(url).path, consumer_of(url)
    except ValueError:  # it is no URL
        return False
    if consumer != state.case.consumer:
        return False
    content = content_of(url)
    if content is not None:
        return content == state.content
    return path.endswith(f"/version/{quote(state.case.version, safe='')}")


def _has_answered(run: dict[str, Any], of_pact: Iterable[dict[str, Any]]) -> bool:
    """Tell whether the pact's run of this run is there, for the commit that this run is for now."""
    return any(
        one.get("parent_id") == run.get("id") and one.get("sha") == run.get("sha")
        for one in of_pact
        if run.get("id") is not None
    )


def _is_of_needed_version(run: dict[str, Any], state: PactState) -> bool:
    """Tell whether the version that a run verifies needs a result, or is going to be the one that needs it."""
    sha, lacking = text_at(run, "sha"), state.lacking
    if sha is None or not lacking:
        return True
    if any(version.number is not None and is_same(sha, version.number) for version in lacking):
        return True
    main = state.needed.main_branch
    return main is not None and run.get("branch") == main and any(one.branch == main for one in lacking)
