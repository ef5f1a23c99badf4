"""The phrases that the reports of many pacts share. No I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING

from broker.text.brief import short_version
from verifier.report.amounts import count
from verifier.report.interface import publication, summary
from verifier.verification import Outcome

if TYPE_CHECKING:
    from verifier.report.run_findings import EnvironmentAnswer, PactFindings, RunFindings


def name_of(pact: PactFindings, *, short: bool = False) -> str:
    """Return the consumer with its version, else where the pact comes from.

    Args:
        pact: The pact.
        short: Whether the version is shortened, as for a list.
    """
    consumer, version = pact.verification.consumer, pact.verification.consumer_version or ""
    named = " ".join(filter(None, [consumer, short_version(version) if short else version]))
    return named or pact.verification.pact_url


def word_of(pact: PactFindings) -> str:
    """Return the word for how a pact ended."""
    if pact.is_pending_failure:
        return "pending"
    return {"passed": "passed", "failed": "failed", "error": "not verified"}[pact.verification.outcome.value]


def outcome_of(pact: PactFindings) -> str:
    """Return how a pact ended, in a sentence."""
    text = summary(pact.findings)
    if not pact.pending:
        return text
    kind = "work in progress" if pact.asked is not None and pact.asked.wip else "pending"
    return f"{text} ({kind}{', so it does not count' if pact.is_pending_failure else ''})"


def total(findings: RunFindings) -> str:
    """Return the outcome of the run, in a sentence."""
    pacts = findings.pacts
    words = [word_of(pact) for pact in pacts]
    pending = words.count("pending")
    aside = f", {pending} of them pending and failing" if pending else ""
    if findings.interrupted:
        return f"Interrupted: {len(pacts)} of {count(findings.planned, 'pact')} were verified"
    failed, unknown = words.count("failed"), words.count("not verified")
    uncounted = f" (beside {pending} pending that failed)" if pending else ""
    of_all = f"of {count(len(pacts), 'pact')}"
    if findings.outcome == Outcome.FAILED:
        more = f", and {unknown} not verified" if unknown else ""
        return f"Failed: {failed} {of_all}{more}{uncounted}"
    if findings.outcome == Outcome.ERROR:
        return f"Could not verify: {unknown} {of_all}{uncounted}" if unknown else "Could not verify"
    return f"Passed: {count(len(pacts), 'pact')}{aside}" if pacts else "No pacts to verify"


def publications(findings: RunFindings) -> list[str]:
    """Return what became of the results: a sentence for those that the broker has, one for each that it lacks."""
    pacts = findings.pacts
    if not any(pact.findings.publishing for pact in pacts):
        return ["Not published: --publish-verification-results was not given"] if pacts else []
    published = sum(pact.findings.published is not None for pact in pacts)
    lines = [f"Published, and confirmed by the broker: {published} of {count(len(pacts), 'result')}"]
    return lines + [
        f"{name_of(pact)}: {publication(pact.findings)}"
        for pact in pacts
        if pact.findings.publish_error is not None
    ]


def deployable(findings: RunFindings) -> str | None:
    """Return the broker's answers for the provider's version in a line; None if there are none."""
    if not findings.environments:
        return None
    answers = "; ".join(map(_answer, findings.environments))
    return f"Can {findings.provider} {findings.provider_version} be deployed? {answers}"


def _answer(environment: EnvironmentAnswer) -> str:
    if environment.deployable:
        return f"{environment.name}: yes"
    why = ", ".join(environment.blocked_by) or " ".join(environment.reasons) or "the broker doesn't say why"
    return f"{environment.name}: no, blocked by {why}" if environment.blocked_by else (
        f"{environment.name}: no ({why})"
    )  # fmt: skip


def parties(findings: RunFindings) -> list[tuple[str, str]]:
    """Return what was verified, as labels and values."""
    provider = " ".join(filter(None, [findings.provider, findings.provider_version]))
    if findings.provider_branch:
        provider += f" on {findings.provider_branch}"
    rows = [("Provider", provider), ("Pacts", str(len(findings.pacts)))]
    return [(label, value) for label, value in rows if value]
