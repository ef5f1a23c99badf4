"""All targets, by their names."""

from __future__ import annotations

from fuzz.targets.broker_answers import BROKER_ANSWERS
from fuzz.targets.event_files import EVENT_FILES
from fuzz.targets.github_answers import COMMAND_ANSWERS, GITHUB_ANSWERS
from fuzz.targets.pacts import PACTS, PACTS_COMMAND, PACTS_ENGINE
from fuzz.targets.pages import PAGES
from fuzz.targets.payloads import PAYLOADS, PAYLOADS_AWAY
from fuzz.targets.payloads_socket import PAYLOADS_SOCKET
from fuzz.targets.provider_answers import PROVIDER_ANSWERS, PROVIDER_ANSWERS_ENGINE

TARGETS = {
    target.name: target
    for target in (
        PAYLOADS,
        PAYLOADS_SOCKET,
        PAYLOADS_AWAY,
        PAGES,
        EVENT_FILES,
        PACTS,
        PACTS_ENGINE,
        PACTS_COMMAND,
        BROKER_ANSWERS,
        PROVIDER_ANSWERS,
        PROVIDER_ANSWERS_ENGINE,
        GITHUB_ANSWERS,
        COMMAND_ANSWERS,
    )
}
