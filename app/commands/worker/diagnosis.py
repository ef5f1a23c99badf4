"""What `doctor` finds of a provider of this receiver, for its page: a worker asks, which has the credentials."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from app.commands.worker.own_receiver import OwnReceiver
from broker.client.reading import ReadingClient
from broker.text.redaction import Redaction

if TYPE_CHECKING:
    from app.config.settings import Settings
    from app.github.access import GitHubAccess
    from app.intake.missed import Connect
    from broker.http.access import BrokerAccess

RETRY_SECONDS = 3.0
LONGEST_SECONDS = 120.0
"""How long the broker is asked in all."""


class Diagnosis:
    """Examines providers as `doctor` does.

    Args:
        settings: The configuration.
        access: The broker.
        github: The credentials for GitHub; None if there are none.
    """

    def __init__(self, settings: Settings, access: BrokerAccess, github: GitHubAccess | None) -> None:
        self._settings = settings
        self._access = access
        self._github = github

    def of(self, provider: str, connect: Connect) -> dict[str, Any]:
        """Return what is found of the latest pact of each consumer of a provider.

        Args:
            provider: The provider's name.
            connect: Opens a connection to the receiver's database, as a context manager.

        Returns:
            The document that `doctor --json` prints, with the words for each link.
        """
        # most workers are never asked, and would start later
        from app.commands.doctor.chain import LINKS  # noqa: PLC0415
        from app.commands.doctor.examination import Question, examine  # noqa: PLC0415
        from app.commands.doctor.report import document_of  # noqa: PLC0415

        settings, token = self._settings, None if self._github is None else self._github.token
        question = Question(
            None,
            None,
            provider,
            github_url=settings.github.api_url,
            github_token=token,
            own_receiver=OwnReceiver(
                connect,
                base_url=settings.server.public_url,
                stalled_seconds=settings.worker.stalled_seconds,
            ),
        )
        deadline = time.monotonic() + LONGEST_SECONDS
        with ReadingClient(self._access, retry_time=RETRY_SECONDS, deadline=deadline) as client:
            report = examine(client, question)
        redaction = Redaction([*self._access.secrets, *([token] if token else [])])
        document = document_of(report, redaction.text)
        for chain in document["chains"]:
            for check in chain["checks"]:
                check["link"] = LINKS[check["id"]]
        return document
