"""Findings that are the same of many providers, in one line for people (no I/O)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.commands.finding import Finding, State, listed
from verifier.report.amounts import count

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from app.config.settings import Settings

MOST_ALIKE = 3
"""So many findings that are the same, but for the provider, have a line each; of more there is one line."""


def in_few_lines(findings: Iterable[Finding], settings: Settings) -> Iterator[Finding]:
    """Yield findings, and one in the place of those that are the same of more than `MOST_ALIKE` providers."""
    owners = owners_of(settings)
    alike: dict[tuple[State, str], list[Finding]] = {}
    for finding in findings:
        text = finding.found
        if (owner := owners.get(finding.name)) is not None:
            text = text.removeprefix(finding.name).lstrip(" :.").replace(repr(owner), "of its name")
        alike.setdefault((finding.state, text), []).append(finding)
    for (state, text), found in alike.items():
        if len(found) <= MOST_ALIKE:
            yield from found
        else:
            names = listed([owners.get(one.name, one.name) for one in found], MOST_ALIKE)
            yield Finding(state, f"{count(len(found), 'provider')} ({names}), each: {text}")


def owners_of(settings: Settings) -> dict[str, str]:
    """Return the providers' names by the names of the findings that are about them."""
    return {
        name: provider.name
        for number, provider in enumerate(settings.providers, start=1)
        for name in (settings.name_of(number), f"{settings.key_of(number)}.name")
    }
