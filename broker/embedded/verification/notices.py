"""The notices that a verifier shows beside a pact (no I/O)."""

from __future__ import annotations


def chosen(pact_version_url: str, criteria: list[str]) -> dict[str, str]:
    """Return the notice with the reason why a pact is verified."""
    what = (
        "consumer version matching the following criterion"
        if len(criteria) == 1
        else "consumer versions matching the following criteria"
    )
    listed = "".join(f"\n    * {criterion}" for criterion in criteria)
    text = f"The pact at {pact_version_url} is being verified because the pact content belongs to the {what}:{listed}"
    return {"when": "before_verification", "text": text}
