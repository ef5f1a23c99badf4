"""What a run of many pacts has found. No I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from verifier.errors import OF_THE_PACT
from verifier.exit_code import ExitCode
from verifier.verification import Outcome

if TYPE_CHECKING:
    from datetime import datetime

    from broker.client.for_verification import PactForVerification
    from verifier.report.interface import Findings
    from verifier.verification import Verification, VerificationError

WORST_FIRST = (ExitCode.FAILED, ExitCode.NOT_PUBLISHED, ExitCode.COULD_NOT_VERIFY, ExitCode.PASSED)
"""The exit codes of the pacts: the first of them that a pact has is that of the run."""


@dataclass(frozen=True)
class PactFindings:
    """One pact of a run.

    Attributes:
        findings: Its verification, and what became of its publication.
        asked: What the broker says of it, if it was the broker that asked for it.
    """

    findings: Findings
    asked: PactForVerification | None = None

    @property
    def verification(self) -> Verification:
        """Its verification."""
        return self.findings.verification

    @property
    def pending(self) -> bool:
        """Whether a failure of it doesn't fail the run."""
        return self.asked is not None and self.asked.pending

    @property
    def is_pending_failure(self) -> bool:
        """Whether it failed, or can't be verified for its own sake, and is pending."""
        verification = self.verification
        if not self.pending:
            return False
        if verification.error is not None:
            return verification.error.kind in OF_THE_PACT
        return verification.outcome == Outcome.FAILED

    @property
    def exit_code(self) -> ExitCode:
        """What it means for the exit code."""
        if self.is_pending_failure and self.findings.publish_error is None:
            return ExitCode.PASSED
        return self.findings.exit_code

    @property
    def before(self) -> list[str]:
        """The broker's notices about why it was verified."""
        return self.asked.before() if self.asked is not None else []

    @property
    def after(self) -> list[str]:
        """The broker's notices about what that means."""
        verification = self.verification
        if self.asked is None or verification.outcome == Outcome.ERROR:
            return []
        success = verification.outcome == Outcome.PASSED
        return self.asked.after(success=success, published=self.findings.published is not None)


@dataclass(frozen=True)
class EnvironmentAnswer:
    """Whether the broker lets the provider's version be deployed to an environment.

    Attributes:
        name: The environment.
        deployable: Whether it may be deployed there.
        blocked_by: The consumers (and providers) that block it, each with what is wrong.
        reasons: Why, in the broker's words.
    """

    name: str
    deployable: bool
    blocked_by: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class RunFindings:
    """A run of many pacts.

    Attributes:
        pacts: The pacts, in the order of their end.
        planned: How many pacts there were to verify.
        provider: The provider's name, if it is known.
        provider_version: The version that answered.
        provider_branch: Its branch.
        started_at: When the run started, in UTC.
        duration: How many seconds it took.
        environments: The broker's answers for the provider's version.
        error: Why the run as a whole could not be carried out, if it could not.
        notes: What else the reader should know.
        interrupted: Whether a signal ended the run before all pacts were verified.
    """

    started_at: datetime
    pacts: tuple[PactFindings, ...] = ()
    planned: int = 0
    provider: str = ""
    provider_version: str | None = None
    provider_branch: str | None = None
    duration: float = 0.0
    environments: tuple[EnvironmentAnswer, ...] = ()
    error: VerificationError | None = None
    notes: tuple[str, ...] = field(default=())
    interrupted: bool = False

    @property
    def exit_code(self) -> ExitCode:
        """The exit code of `verify`: the worst of all."""
        codes = {pact.exit_code for pact in self.pacts}
        if self.error is not None:
            codes.add(ExitCode.COULD_NOT_VERIFY)
        if self.interrupted:
            return ExitCode.INTERRUPTED
        return next((code for code in WORST_FIRST if code in codes), ExitCode.PASSED)

    @property
    def outcome(self) -> Outcome:
        """The outcome of all pacts together, whatever became of the publication."""
        outcomes = {Outcome.PASSED if p.is_pending_failure else p.verification.outcome for p in self.pacts}
        if Outcome.FAILED in outcomes:
            return Outcome.FAILED
        unknown = self.error is not None or self.interrupted or Outcome.ERROR in outcomes
        return Outcome.ERROR if unknown else Outcome.PASSED

    def worst_last(self) -> list[PactFindings]:
        """Return the pacts in the order in which people read them: what passed first, failures last."""
        ranks = {ExitCode.PASSED: 0, ExitCode.COULD_NOT_VERIFY: 2, ExitCode.NOT_PUBLISHED: 3}
        return sorted(
            self.pacts, key=lambda pact: 1 if pact.is_pending_failure else ranks.get(pact.exit_code, 4)
        )
