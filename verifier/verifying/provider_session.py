"""The provider under test during a run: started if there is a command for it, waited for, guarded by the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from broker.traces.spans import span, within
from verifier.interruption import held
from verifier.provider.readiness import wait_until_ready

if TYPE_CHECKING:
    from contextlib import ExitStack

    from broker.text.redaction import Redaction
    from verifier.engine.process import Engine
    from verifier.progress import Progress
    from verifier.provider.process import StartedProvider
    from verifier.request import ProviderUnderTest

PORT_TRIES = 3
"""How many ports are tried if another process takes the one that the provider was told to use."""


class ProviderSession:
    """The provider of a run.

    Args:
        options: The provider.
        engine: The engine, which stops a provider that was started if this process is killed.
        progress: What shows the progress.
        redaction: What hides the secrets in what the provider prints.
        deadline: The `time.monotonic()` by which the whole run must be done.

    Attributes:
        started: The provider, if it was started.
    """

    def __init__(
        self,
        options: ProviderUnderTest,
        engine: Engine,
        progress: Progress,
        *,
        redaction: Redaction,
        deadline: float,
    ) -> None:
        self.started: StartedProvider | None = None
        self._options = options
        self._engine = engine
        self._progress = progress
        self._redaction = redaction
        self._deadline = deadline

    def start(self, stack: ExitStack) -> None:
        """Start the provider, if there is a command for it; it stops when the stack is left.

        Raises:
            CannotVerify: It could not be started.
        """
        options = self._options
        if options.command is None:
            return
        from verifier.provider.process import StartedProvider  # noqa: PLC0415 - not for one that is running

        self._progress.step("Starting the provider")
        stack.callback(self._engine.guard, None)
        # held, or it would run on, since neither the stack nor the engine would know of it
        with held(), span("start provider"), self._engine.starting:
            self.started = stack.enter_context(
                StartedProvider(
                    options.command,
                    options.folder,
                    on_output=self._progress.provider_output,
                    environment=options.environment,
                    redaction=self._redaction,
                    confinement=options.confinement,
                )
            )
            self._engine.guard(self.started.group)

    def wait_until_ready(self) -> str | None:
        """Wait until the provider answers.

        Returns:
            Its base URL; None if it has no HTTP.

        Raises:
            CannotVerify: It did not answer in time, or ended.
        """
        options, started = self._options, self.started
        candidates = started.candidates if started else (options.base_url,) if options.base_url else ()
        if not candidates:
            return None
        self._progress.step("Waiting for the provider")
        hint = "Is it running there? (--provider-base-url, --provider-health-path, --wait)"
        if started is not None:
            hint = f"The command was told to listen on port {started.port} ({{port}}, $PORT): does it?"
        elif candidates[0].lower().startswith("https:") and options.tls.certificate is None:
            hint += ". Does it want a client certificate? (--provider-client-certificate)"
        with span("wait for provider"), within(None):  # its health checks are many, and alike
            ready = wait_until_ready(
                candidates,
                options.health_path,
                wait=options.wait,
                deadline=self._deadline,
                check_alive=self.check_alive,
                tls=options.tls,
                hint=hint,
            )
        self._progress.provider_ready()
        return ready

    def check_alive(self) -> None:
        """Make sure that a provider that was started is still running.

        Raises:
            CannotVerify: It ended.
        """
        if self.started is not None:
            self.started.check_alive()

    def check_port(self) -> None:
        """Make sure that no other process than a provider that was started answers on its port, as far as can be told.

        Raises:
            PortTaken: Another one does.
        """
        if self.started is not None:
            self.started.check_listener()

    def stop(self) -> list[str]:
        """Stop a provider that was started, and make sure that it was the one that answered.

        Returns:
            A note, if that can't be told.

        Raises:
            CannotVerify: It had ended before, or another process listens on its port.
        """
        if self.started is None:
            return []
        self.started.check_alive()
        self.started.stop()
        return self.started.check_port()

    def output(self) -> str:
        """Return the last lines that a provider that was started printed."""
        return self.started.output() if self.started else ""
