"""Damaged event files of a GitHub workflow, from which `verify` takes the pact, the commit and the branch."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

from hypothesis import strategies as st

from broker.http.origin import Origin
from fuzz.choices import below
from fuzz.mutation import Damage, damages
from fuzz.outcomes import check_sentence
from fuzz.receiver.requests import deliveries
from fuzz.target import Target, Violation
from verifier.command.sources import build_request, collect
from verifier.commit_id import is_commit_id
from verifier.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fuzz.target import Check

BROKER = "http://broker.example.org/base"


@dataclass(frozen=True)
class EventFile:
    """An event file: which of GitHub's deliveries it was, and what was done to it."""

    original: int
    damage: Damage


@contextmanager
def _open() -> Iterator[Check]:
    with (
        tempfile.TemporaryDirectory() as folder,
        patch("verifier.command.sources.check_checkout", lambda *_: ()),
    ):
        file = Path(folder) / "event.json"
        environment = {
            "GITHUB_ACTIONS": "true",
            "GITHUB_EVENT_NAME": "repository_dispatch",
            "GITHUB_EVENT_PATH": str(file),
            "GITHUB_SHA": "0" * 40,
            "GITHUB_REF_NAME": "main",
            "PACT_BROKER_BASE_URL": BROKER,
            "PACT_PROVIDER_BASE_URL": "http://127.0.0.1:1",
            "PACT_BROKER_PUBLISH_VERIFICATION_RESULTS": "true",
        }

        def check(given: EventFile) -> None:
            originals = deliveries()
            file.write_bytes(given.damage.content(originals[given.original % len(originals)]))
            try:
                request = build_request(collect({}, environment))
            except UsageError as error:
                check_sentence(error)
                return
            if not Origin.of(BROKER).contains(request.pact_url):
                raise Violation("a pact of another broker", request.pact_url)
            version = request.provider_version or ""
            if not is_commit_id(version):
                raise Violation("a version that is no commit id", version)
            os.fsencode(request.provider_branch or "")

        yield check


EVENT_FILES = Target(
    name="payloads-event",
    about="event files of GitHub workflows, as verify reads them",
    share=40,
    kind=EventFile,
    inputs=st.builds(EventFile, original=below(9), damage=damages(800)),
    open=_open,
)
