"""The steps of a setup, for people and as JSON (no I/O but to the stream)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TextIO

from app.commands.finding import State
from app.commands.setup.request import RECEIVER
from broker.text import harmless
from broker.text.harmless import one_line
from verifier.report.paint import Paint

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from app.commands.finding import Finding
    from app.commands.setup.request import SetupRequest

TITLES = {
    "token": "The token for GitHub",
    "receiver": "The receiver",
    "secret": "The token, as a secret of the broker",
    "webhook": "The webhook",
    "test": "A test: the broker sends the webhook's request",
    "workflow": "The workflow on the default branch",
    "run": "The run that the test started",
}
"""The steps by their names."""
_WORDS = {State.PLANNED: "planned, not done", State.UNKNOWN: "could not be tried"}
_COLOURS = {
    State.OK: "green",
    State.CHANGED: "green",
    State.PLANNED: "cyan",
    State.WARNING: "yellow",
    State.UNKNOWN: "yellow",
    State.FAILED: "red",
    State.SKIPPED: "dim",
}


def write_text(
    steps: Sequence[Finding], request: SetupRequest, stream: TextIO, redacted: Callable[[str], str]
) -> None:
    """Write the outcome, and then each step."""
    paint = Paint(stream)
    text, state = verdict(steps, request)
    lines = [paint(one_line(text), f"bold {_COLOURS[state]}")]
    for number, step in enumerate(steps, start=1):
        word = _WORDS.get(step.state, step.state.value)
        lines.append(f"{number}. {title(step, request)}: {paint(word, _COLOURS[step.state])}")
        texts = [("found", step.found), ("done", step.done), *(("warning", text) for text in step.warnings)]
        for name, said in (*texts, ("to do", step.to_do)):
            if said:
                label = f"{name}:".ljust(9)
                if name in {"warning", "to do"}:
                    label = paint(label, "yellow" if name == "warning" else "bold")
                lines.append(f"   {label}{one_line(redacted(said))}")
    stream.writelines(f"{line}\n" for line in paint.fitted(lines))
    stream.flush()


def verdict(steps: Sequence[Finding], request: SetupRequest) -> tuple[str, State]:
    """Return the outcome in a sentence or two, and what it means."""
    problem = first_problem(steps)
    if problem is not None:
        number = steps.index(problem) + 1
        word = "failed" if problem.state is State.FAILED else "could not be tried"
        text = f"Not set up yet: step {number} ({problem.name}) {word}. What to do stands there."
        return text, problem.state
    fails = any(step.state is State.WARNING for step in steps)
    state = State.WARNING if fails else State.OK
    if request.plan:
        text, state = "Nothing was changed. Without --plan, what is planned is done.", State.PLANNED
    elif any(step.facts.get("event_happens") is False for step in steps):
        text = f"Set up, but nothing is sent yet: {request.provider} has no version that the event could be about."
        state = State.WARNING
    elif any(step.state is State.CHANGED for step in steps):
        text = f"Set up: when a pact with {request.provider} changes, {request.repository} is told."
    else:
        text = f"All was set up already: when a pact with {request.provider} changes, {request.repository} is told."
    if fails:
        text += " The latest pact fails: that is the contract, and not the setup."
    return text, state


def write_json(
    steps: Sequence[Finding],
    request: SetupRequest,
    exit_code: int,
    stream: TextIO,
    redacted: Callable[[str], str],
) -> None:
    """Write the outcome as one JSON document."""
    problem = first_problem(steps)
    document = {
        "target": request.target,
        "repository": request.repository,
        "provider": request.provider,
        "consumer": request.consumer,
        "plan": request.plan,
        "exit_code": exit_code,
        "verdict": verdict(steps, request)[0],
        "first_problem": problem.name if problem else None,
        "steps": [_document(step, request) for step in steps],
    }
    harmless.write_json(_without_secrets(document, redacted), stream)


def title(step: Finding, request: SetupRequest) -> str:
    """Return the title of a step."""
    if step.name == "run" and request.target == RECEIVER:
        return "The receiver's run that the test started"
    return TITLES[step.name]


def first_problem(steps: Sequence[Finding]) -> Finding | None:
    """Return the first step that did not work; those that are skipped follow from one."""
    return next((step for step in steps if step.state in {State.FAILED, State.UNKNOWN}), None)


def _document(step: Finding, request: SetupRequest) -> dict[str, Any]:
    return {
        "name": step.name,
        "title": title(step, request),
        "state": step.state.value,
        "found": step.found,
        "done": step.done,
        "to_do": step.to_do,
        "warnings": list(step.warnings),
        **step.facts,
    }


def _without_secrets(value: Any, redacted: Callable[[str], str]) -> Any:
    if isinstance(value, dict):
        return {name: _without_secrets(part, redacted) for name, part in value.items()}
    if isinstance(value, list):
        return [_without_secrets(part, redacted) for part in value]
    return redacted(value) if isinstance(value, str) else value
