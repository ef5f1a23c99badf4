"""The interactions of a pact, and their outcomes in a verification, for a page (no I/O)."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

from broker.text.differences import Found, differences

MAX_SHOWN = 20_000
"""The most characters of a body; a page is for reading."""


@dataclass(frozen=True)
class Interaction:
    """An interaction, or a message.

    Attributes:
        id: The hash that results name it by.
        summary: `GET /thing -> 200`, or nothing for a message.
        parts: The parts to unfold: a heading and JSON.
    """

    id: str | None
    description: str
    states: tuple[str, ...]
    summary: str
    parts: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Outcome:
    """The outcome of an interaction.

    Attributes:
        summary: The summary of the interaction, or nothing if the pact has none of its id.
        problems: What was wrong.
        same_as: The interaction that the same was wrong with, of which it is said; "" unless there is one before.
    """

    description: str
    summary: str
    success: bool | None
    problems: tuple[str, ...]
    same_as: str = ""


def interactions_in(content: Any) -> list[Interaction]:
    """Return the interactions and messages of a pact's content, whatever shape it has."""
    if not isinstance(content, dict):
        return []
    lists = (content.get("interactions"), content.get("messages"))
    return [_interaction(one) for items in lists if isinstance(items, list) for one in items]


def outcomes(test_results: Any, known: list[Interaction]) -> list[Outcome]:
    """Return the outcome of each interaction, as far as the verifier sent it, those that failed first.

    Verifiers send a list of results, or an object with `tests` or `examples` in it; each names its interaction
    by id or by description.
    """
    if isinstance(test_results, dict):
        test_results = next(
            (test_results[key] for key in ("tests", "examples") if isinstance(test_results.get(key), list)),
            [],
        )
    if not isinstance(test_results, list):
        return []
    by_id = {one.id: one for one in known if one.id}
    found = [_outcome(one, by_id) for one in test_results if isinstance(one, dict)]
    ordered = sorted(found, key=lambda one: one.success is not False)
    first: dict[tuple[str, ...], str] = {}
    told = []
    for one in ordered:
        before = first.get(one.problems)
        if one.problems and before is None:
            first[one.problems] = one.description
        told.append(one if before is None else replace(one, problems=(), same_as=before))
    return told


def shown(value: Any) -> str:
    """Return a value as indented JSON, cut where it gets too long."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}\n…"


def _interaction(item: Any) -> Interaction:
    if not isinstance(item, dict):
        return Interaction(None, str(item), (), "", ())
    request, response = item.get("request"), item.get("response")
    summary = ""
    if isinstance(request, dict) and "method" in request:
        summary = f"{str(request['method']).upper()} {request.get('path', '/')}"
        if isinstance(response, dict) and "status" in response:
            summary += f" → {response['status']}"
    keys = ("request", "response", "contents", "metadata", "matchingRules", "comments")
    parts = tuple((key, shown(item[key])) for key in keys if item.get(key))
    identifier = item.get("_id")
    return Interaction(
        identifier if isinstance(identifier, str) else None,
        str(item.get("description", "(no description)")),
        _states(item),
        summary,
        parts,
    )


def _states(item: dict[str, Any]) -> tuple[str, ...]:
    states = item.get("providerStates", item.get("providerState", item.get("provider_state")))
    if isinstance(states, str):
        return (states,)
    if not isinstance(states, list):
        return ()
    return tuple(str(one.get("name", "")) if isinstance(one, dict) else str(one) for one in states)


def _outcome(test: dict[str, Any], by_id: dict[str, Interaction]) -> Outcome:
    identifier = test.get("interactionId")
    known = by_id.get(identifier) if isinstance(identifier, str) else None
    description = (
        (known.description if known else None)
        or test.get("interactionDescription")
        or test.get("description")
        or identifier
    )
    success = test.get("success")
    if not isinstance(success, bool):
        success = {"passed": True, "failed": False}.get(str(test.get("status")))
    problems = [
        *_mismatches(test.get("mismatches")),
        *map(_problem, test["exceptions"] if isinstance(test.get("exceptions"), list) else ()),
    ]
    if isinstance(test.get("exception"), dict):
        problems.append(_problem(test["exception"]))
    return Outcome(str(description or "(unnamed)"), known.summary if known else "", success, tuple(problems))


def _mismatches(mismatches: Any) -> list[str]:
    """Return mismatches as lines, alike ones once."""
    if not isinstance(mismatches, list):
        return []
    found, other = [], []
    for mismatch in mismatches:
        sentence = _first_of(mismatch, "description", "mismatch", "message")
        if sentence:
            kind = _first_of(mismatch, "attribute", "type") or "mismatch"
            place = _first_of(mismatch, "identifier", "path")
            values = (mismatch.get(name) for name in ("expected", "actual"))
            expected, actual = (value if isinstance(value, str) else None for value in values)
            found.append(Found(kind, place, expected, actual, sentence))
        else:
            other.append(_problem(mismatch))
    alike, left_out = differences(found)
    lines = [f"{one.where}: {one.what}" for one in alike] + other
    return [*lines, f"... and {left_out} more"] if left_out else lines


def _first_of(problem: Any, *keys: str) -> str:
    if not isinstance(problem, dict):
        return ""
    return next((str(problem[key]) for key in keys if problem.get(key)), "")


def _problem(problem: Any) -> str:
    if not isinstance(problem, dict):
        return str(problem)
    text = _first_of(problem, "description", "mismatch", "message")
    where = _first_of(problem, "identifier", "path")
    kind = _first_of(problem, "attribute", "type")
    start = " ".join(part for part in (kind, where) if part)
    if not text:
        return start or shown(problem)
    return f"{start}: {text}" if start else text
