"""The step that waits for the run that the test started, as GitHub shows it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from app.commands.finding import Finding, State
from app.commands.polling import polls
from app.github.answers import GitHubAway, GitHubRefused

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from app.github.repository import GitHubRepository, Run
    from broker.client.pact_results import Result

_RUN_RIGHT = "The token may not see workflow runs: give it Actions: read as well, or run it without --wait."
_FAILS = "Everything works. The latest pact fails: the run's page and the result in the broker say how."


class GitHubRun:
    """The run that one dispatch starts.

    Args:
        repository: The repository of the provider.
        event: The event that the run is of.
        now: The time, with its zone.
    """

    def __init__(self, repository: GitHubRepository, event: str, *, now: datetime) -> None:
        self._repository = repository
        self._event = event
        self._now = now
        self._listening: Sequence[str] = ()
        self._before: frozenset[int] | None = None
        self._newest: datetime | None = None

    def note_earlier(self) -> None:
        """Remember the runs that there are before the test starts another one."""
        try:
            earlier = self._repository.runs(self._event)
        except (GitHubAway, GitHubRefused):
            return  # the step itself will ask again, and say why not
        self._before = frozenset(run.id for run in earlier)
        self._newest = max((run.created_at for run in earlier), default=None)

    def wait(
        self,
        listening: Sequence[str],
        seconds: float,
        progress: Callable[[str], None],
        published: Callable[[], Result | None],
    ) -> Finding:
        """Wait for the run that the test started, until its end.

        Args:
            listening: The paths of the workflow files that the test may have started.
            seconds: How long, at most.
            progress: Receives a text at each change.
            published: Returns the result of the pact that was published since the test; None if there is none.
        """
        self._listening = listening
        told, problem = "", ""
        run: Run | None = None
        for _ in polls(seconds):
            try:
                run = self._new_run() if run is None else self._repository.run(run.id)
                problem = ""
            except GitHubAway as error:
                problem = str(error)
            except GitHubRefused as error:
                if error.status in {403, 404} and run is None:
                    return Finding(State.FAILED, found=str(error), to_do=_RUN_RIGHT)
                raise
            if run is not None and run.completed:
                return _ended(run, published())
            now = problem or ("no run yet" if run is None else f"run {run.id} of {run.path}: {run.status}")
            if now != told:
                progress(told := now)
        return self._too_late(run, seconds, problem)

    def _new_run(self) -> Run | None:
        """Return the oldest run of the listening workflows that wasn't there before."""
        before = self._before or frozenset()
        since = None if self._before is not None else self._now - timedelta(minutes=1)
        new = [
            run
            for run in self._repository.runs(self._event, since=since)
            if run.id not in before
            and run.path in self._listening
            # only the latest are listed: an older one follows where one of these was deleted
            and (self._newest is None or run.created_at >= self._newest)
        ]
        return new[-1] if new else None

    def _too_late(self, run: Run | None, seconds: float, problem: str) -> Finding:
        if problem:
            return Finding(
                State.UNKNOWN,
                found=problem,
                to_do="Look at the runs when GitHub is back, or run it again.",
            )
        if run is None:
            return Finding(
                State.FAILED,
                found=f"No run of {', '.join(self._listening)} appeared within {seconds:g} s.",
                to_do="Look at GitHub's Actions page: are Actions allowed in this repository and its organisation, and "
                "is GitHub's status page clean? Then run it again.",
            )
        return Finding(
            State.FAILED,
            found=f"{run.url} is {run.status} after {seconds:g} s.",
            to_do="Look at it: a run that stays queued waits for a runner with its label (runs-on). Or --wait longer.",
            facts=_facts_of(run),
        )


def _ended(run: Run, result: Result | None) -> Finding:
    """Judge a run that has ended, by the result that was published since the test: only a broken contract has one."""
    found = f"{run.url} ({run.path}) ended: {run.conclusion}."
    facts = {**_facts_of(run), "outcome": None if result is None else "passed" if result.passed else "failed"}
    if result is not None:
        found += f" The broker has a result since: {facts['outcome']}, for {result.provider_version}."
    if run.succeeded:
        return Finding(State.OK, found=found, facts=facts)
    if result is not None and not result.passed:
        return Finding(State.WARNING, found=found, to_do=_FAILS, facts=facts)
    if result is not None:
        to_do = "The pact was verified, and something else in the workflow failed: look at the run's page."
    else:
        found += " The broker has no result of it."
        to_do = (
            "The way to the workflow works, but nothing was verified or published: fix what the run's page and its "
            "summary say. That is no broken contract."
        )
    return Finding(State.FAILED, found=found, to_do=to_do, facts=facts)


def _facts_of(run: Run) -> dict[str, object]:
    return {"run": run.id, "url": run.url, "status": run.status, "conclusion": run.conclusion}
