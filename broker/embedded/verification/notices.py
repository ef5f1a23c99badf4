"""The notices that a verifier shows beside a pact (no I/O)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

DEPRECATED = (
    "WARNING - this version of the Pact library uses a beta version of the API which will be removed in the future. "
    "Please upgrade your Pact library. See https://docs.pact.io/pact_broker/advanced_topics/provider_verification_results/"
    "#pacts-for-verification for minimum required versions."
)
READ_MORE_OF_WIP = "Read more at https://docs.pact.io/go/wip"


def before(text: str) -> dict[str, str]:
    """Return a notice that is shown before the verification."""
    return {"when": "before_verification", "text": text}


def chosen(pact_version_url: str, criteria: list[str], *, versions: int) -> dict[str, str]:
    """Return the notice with the reasons why a pact is verified.

    Args:
        pact_version_url: The URL of its content.
        criteria: The reasons.
        versions: How many consumer versions were chosen; reasons of a kind share a line.
    """
    what = (
        "consumer version matching the following criterion"
        if versions == 1
        else "consumer versions matching the following criteria"
    )
    listed = "".join(f"\n    * {criterion}" for criterion in criteria)
    return before(
        f"The pact at {pact_version_url} is being verified because the pact content belongs to the {what}:{listed}"
    )


def in_progress(
    pact_version_url: str, consumer: str, branches: Sequence[str], tags: Sequence[str], verifier: str
) -> dict[str, str]:
    """Return the notice with the reason why work in progress is verified.

    Args:
        pact_version_url: The URL of the content, with metadata.
        consumer: The consumer's name.
        branches: The branches that the content is the latest of.
        tags: The tags likewise.
        verifier: The provider versions that have not verified it.
    """
    parts = []
    if branches:
        parts.append(f"from {'branch' if len(branches) == 1 else 'branches'} {quoted(branches)}")
    if tags:
        parts.append(f"tagged with {quoted(tags)}")
    versions = "version" if 1 in {len(branches), len(tags)} else "versions"
    number = len(branches) + len(tags)
    same = "" if number == 1 else f" ({'both' if number == 2 else 'all'} have the same content)"
    return before(
        f"The pact at {pact_version_url} is being verified because it is a 'work in progress' pact (ie. it is the pact "
        f"for the latest {versions} of {consumer} {' and '.join(parts)}{same} and it has not yet been successfully "
        f"verified by {verifier} when the pact's application version was explicitly specified in the consumer version "
        f"selectors). {READ_MORE_OF_WIP}"
    )


def quoted(names: Sequence[str]) -> str:
    """Return names in a sentence: `'a', 'b' and 'c'`."""
    return joined([f"'{name}'" for name in names])


def joined(texts: Sequence[str]) -> str:
    """Return texts in a sentence: `a, b and c`."""
    return " and ".join(filter(None, [", ".join(texts[:-1]), texts[-1]]))
