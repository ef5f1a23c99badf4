"""Whether the rows of the matrix say that the selected versions go together, and the reasons (no I/O)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from broker.embedded.matrix.selected import Selected

if TYPE_CHECKING:
    from collections.abc import Sequence

    from broker.embedded.matrix.query import MatrixQuery
    from broker.embedded.matrix.rows import Row
    from broker.embedded.matrix.selection import Selection

SUCCESS = "All required verification results are published and successful"
NOTHING_TO_VERIFY = "There are no missing dependencies"
NO_ENVIRONMENT = (
    "WARN: It is recommended to specify the environment into which you are deploying. Without the environment, this "
    "result will not be reliable."
)
NO_VERSION = (
    "WARN: It is recommended to specify the version number (rather than the tag or branch) of the pacticipant you wish "
    "to deploy to avoid race conditions. Without a version number, this result will not be reliable."
)

Notice = tuple[str, str]
"""A kind and a text."""


def summarize(
    selection: Selection, query: MatrixQuery, counted: Sequence[Row], passed_over: Sequence[Row]
) -> tuple[dict[str, Any], list[Notice]]:
    """Return the summary of the answer, and the notices.

    Args:
        selection: What was selected.
        query: The query.
        counted: The rows that count.
        passed_over: Those of what is ignored.
    """
    outcomes = [row.success for row in counted]
    there = {row.pair for row in (*counted, *passed_over)}
    lacking = sorted(pair for pair in selection.required if pair not in there)
    missing = [one for one in selection.specified if one.missing and not _is_ignored(one, selection)]
    deployable: bool | None = all(outcomes)
    if missing:
        deployable = False
    elif None in outcomes or lacking:
        deployable = None  # not known yet: clients may wait for the result
    problems = [one.why_missing for one in missing] or _problems(selection, counted, lacking)
    notices = [("warning", text) for text in _warnings(selection, query)]
    notices += [("error", text) for text in problems]
    if not problems:
        notices.append(("success", SUCCESS if counted else NOTHING_TO_VERIFY))
    return {
        "deployable": deployable,
        "reason": "\n".join(text for _, text in notices),
        "success": outcomes.count(True),
        "failed": outcomes.count(False),
        "unknown": outcomes.count(None) + len(lacking),
        **({"ignored": len(passed_over)} if selection.ignored else {}),
    }, notices


def _is_ignored(one: Selected, selection: Selection) -> bool:
    return any(
        ignored.any_version and ignored.pacticipant_id == one.pacticipant_id for ignored in selection.ignored
    )


def _warnings(selection: Selection, query: MatrixQuery) -> list[str]:
    others, specified = query.others, selection.specified
    warnings = [f"WARN: Cannot ignore {one.description}" for one in selection.ignored if one.missing]
    if len(specified) == 1 and not (others.tag or others.environment or others.main_branch):
        warnings.append(NO_ENVIRONMENT)
    if not all(one.any_version for one in specified) and not any(one.scope.version for one in specified):
        warnings.append(NO_VERSION)
    return warnings


def _problems(selection: Selection, counted: Sequence[Row], lacking: Sequence[tuple[int, int]]) -> list[str]:
    failed = [
        f"The verification for the pact between {row.consumer.description} and {row.provider.description} failed"
        for row in counted
        if row.success is False
    ]
    unverified = [
        (row.consumer.description, row.provider.description) for row in counted if row.success is None
    ]
    without_row = [
        (_described(selection, consumer), _described(selection, provider)) for consumer, provider in lacking
    ]
    return [
        *(_unverified(*pair) for pair in without_row),
        *failed,
        *(_unverified(*pair) for pair in unverified),
    ]


def _unverified(consumer: str, provider: str) -> str:
    return f"There is no verified pact between {consumer} and {provider}"


def _described(selection: Selection, pacticipant_id: int) -> str:
    found = [one for one in selection.all if one.pacticipant_id == pacticipant_id]
    if len(found) == 1:
        return found[0].description
    name = found[0].pacticipant if found else "its provider"
    return Selected(name, pacticipant_id).description
