"""`pact-dispatch notify`: print who is told of changes of outcome, and try it."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from app.commands.finding import listed
from app.commands.installation import failures_explained
from app.commands.runner import ExitCode
from app.config.file import load
from app.config.values import ConfigurationError
from app.notifications.message import trial_content
from app.notifications.sending import NotSent, send
from broker.text.harmless import one_line, write_json

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator

    from app.commands.runner import Messages
    from app.config.notify import NotifyTarget
    from app.config.provider import ProviderSettings
    from app.config.settings import Settings


@dataclass(frozen=True)
class Told:
    """A target, and what came back from it.

    Attributes:
        providers: The providers that it is told of.
        target: The target.
        host: Its host, if it was sent to.
        taken: Whether it took the message; None if none was sent.
        answer: What came back, in a sentence; "" if nothing was sent.
    """

    providers: tuple[str, ...]
    target: NotifyTarget
    host: str | None = None
    taken: bool | None = None
    answer: str = ""

    @property
    def document(self) -> dict[str, Any]:
        """It as JSON values."""
        return {
            "provider": self.providers[0],
            "providers": list(self.providers),
            "target": self.target.name,
            "kind": self.target.kind.value,
            "events": list(self.target.events),
            "host": self.host,
            "taken": self.taken,
            "answer": self.answer or None,
        }

    @property
    def line(self) -> str:
        """It for people."""
        text = f"{listed(self.providers)}: {self.target.name} is told of {', '.join(self.target.events)}"
        return f"{text}: {self.answer}" if self.answer else text


@failures_explained()
def run(options: argparse.Namespace, messages: Messages) -> int:
    """Print who is told, and send each a test message if that is asked for."""
    settings = load(options.config, os.environ)
    providers = _providers(settings, options.provider)
    found = list(_targets(settings, providers))
    told_of = {name for told in found for name in told.providers}
    untold = [provider.name for provider in providers if provider.name not in told_of]
    if options.test:
        found = [_tried(told, settings) for told in found]
    if options.json:
        document = {
            "test": options.test,
            "targets": [told.document for told in found],
            "told_to_nobody": untold,
        }
        write_json(document, sys.stdout)
    else:
        for told in found:
            print(one_line(told.line))
    if untold:
        messages.say(f"nobody is told of {listed(untold)}: name somebody in [notify] or [providers.notify]")
    return ExitCode.COULD_NOT if any(told.taken is False for told in found) else ExitCode.DONE


def _providers(settings: Settings, name: str | None) -> list[ProviderSettings]:
    """Return the provider of a name, or all of them.

    Raises:
        ConfigurationError: There is none of this name.
    """
    providers = [one for one in settings.providers if name is None or one.name == name]
    if not providers:
        raise ConfigurationError(f"--provider: there is no provider {name!r} in the configuration")
    return providers


def _targets(settings: Settings, providers: Iterable[ProviderSettings]) -> Iterator[Told]:
    """Yield the targets, each with all of these providers that it is told of."""
    found: list[tuple[NotifyTarget, list[str]]] = []
    for provider in providers:
        for target in settings.notify_of(provider).targets:
            names = next((names for other, names in found if other == target), None)
            if names is None:
                names = []
                found.append((target, names))
            if provider.name not in names[-1:]:
                names.append(provider.name)
    for target, names in found:
        yield Told(tuple(names), target)


def _tried(told: Told, settings: Settings) -> Told:
    content = trial_content(told.providers, settings.server)
    try:
        sent = send(
            told.target,
            content,
            uuid4(),
            created_at=datetime.now(UTC).isoformat(),
            environment=os.environ,
        )
    except NotSent as error:
        return Told(told.providers, told.target, error.host, taken=False, answer=f"not taken: {error}")
    answer = f"{sent.host} took it ({sent.status})"
    return Told(told.providers, told.target, sent.host, taken=True, answer=answer)
