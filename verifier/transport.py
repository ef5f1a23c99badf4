"""The ways to reach a provider besides its base URL: messages, and the protocols of plugins."""

from __future__ import annotations

from dataclasses import dataclass, replace

MESSAGE = "message"
"""The protocol of message interactions."""


@dataclass(frozen=True)
class Transport:
    """A protocol that the provider serves on a port of this machine.

    Attributes:
        protocol: `message`, or a plugin's.
        port: The port; None for that of the provider that is started.
        path: The path, if any.
    """

    protocol: str
    port: int | None
    path: str | None = None

    def at(self, port: int) -> Transport:
        """Return this transport with the port of the provider that was started, if that is its port."""
        return replace(self, port=port) if self.port is None else self
