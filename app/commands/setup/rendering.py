"""The steps of a setup, for people and as JSON (no requests)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TextIO

from app.commands.setup.step import State
from verifier.report.text import inert_json, one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from app.commands.setup.request import Wanted
    from app.commands.setup.step import Step

_WORDS = {State.PLANNED: "planned, not done", State.UNKNOWN: "could not be tried"}


def write_step(step: Step, number: int, stream: TextIO, redacted: Callable[[str], str]) -> None:
    """Write a step as it ends."""
    said = [("found", step.found), ("done", step.done), *(("warning", text) for text in step.warnings)]
    said.append(("to do", step.to_do))
    stream.write(f"{number}. {step.title}: {_WORDS.get(step.state, step.state.value)}\n")
    for name, text in said:
        if text:
            stream.write(f"   {name + ':':<9}{one_line(redacted(text))}\n")
    stream.flush()


def write_end(steps: Sequence[Step], wanted: Wanted, stream: TextIO) -> None:
    """Write what it comes to."""
    problem = first_problem(steps)
    if problem is not None:
        number = steps.index(problem) + 1
        word = "failed" if problem.state is State.FAILED else "could not be tried"
        text = f"Not set up yet: step {number} ({problem.name}) {word}. What to do stands there."
    elif wanted.plan:
        text = "Nothing was changed. Without --plan, what is planned is done."
    elif any(step.state is State.CHANGED for step in steps):
        text = f"Set up: when a pact with {wanted.provider} changes, {wanted.repository} is told."
    else:
        text = f"All was set up already: when a pact with {wanted.provider} changes, {wanted.repository} is told."
    stream.write(f"{one_line(text)}\n")


def write_json(
    steps: Sequence[Step], wanted: Wanted, exit_code: int, stream: TextIO, redacted: Callable[[str], str]
) -> None:
    """Write all as one JSON document."""
    problem = first_problem(steps)
    document = {
        "target": wanted.target,
        "repository": wanted.repository,
        "provider": wanted.provider,
        "consumer": wanted.consumer,
        "plan": wanted.plan,
        "exit_code": exit_code,
        "first_problem": problem.name if problem else None,
        "steps": [_document(step) for step in steps],
    }
    text = json.dumps(_without_secrets(document, redacted), indent=2, ensure_ascii=True)
    stream.write(inert_json(text) + "\n")


def first_problem(steps: Sequence[Step]) -> Step | None:
    """Find the first step that did not work; those that are skipped follow from one."""
    return next((step for step in steps if step.state in {State.FAILED, State.UNKNOWN}), None)


def _document(step: Step) -> dict[str, Any]:
    return {
        "name": step.name,
        "title": step.title,
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
