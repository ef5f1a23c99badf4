"""What stands between the core of one thread and the provider: relays for states, messages, redirects, and a recorder.

Most jobs need none of them, and their modules take longer to import than such a job takes. So each is imported by the
job that needs it.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from broker.traces.context import parse_traceparent
from verifier.engine.recorder import Recorder

if TYPE_CHECKING:
    import ssl
    from types import TracebackType

    from verifier.engine.message_relay import MessageRelay
    from verifier.engine.protocol import Job
    from verifier.engine.redirect_relay import RedirectRelay
    from verifier.engine.states.change import StateFailure
    from verifier.engine.states.handlers import StateHandler
    from verifier.engine.states.relay import RelayedChange, StateRelay
    from verifier.engine.tls_relay import TlsRelay
    from verifier.pact import Interaction


def state_handler(job: Job) -> StateHandler | None:
    """Return what carries out the state changes of a job, or None if nothing does.

    Raises:
        HandlersUnusable: The provider state handlers can't be loaded.
    """
    if job.states_url:
        from verifier.engine.states.handlers import UrlHandler  # noqa: PLC0415

        return UrlHandler(
            job.states_url,
            timeout=job.request_timeout,
            headers=job.states_headers,
            as_query=job.states_as_query,
            tls=job.tls,
        )
    if job.states_file:
        from verifier.engine.states.handlers import PythonHandler  # noqa: PLC0415
        from verifier.engine.states.handlers_file import load_handlers  # noqa: PLC0415

        return PythonHandler(load_handlers(*job.states_file))
    return None


class Relays:
    """The relays of one thread.

    Use it as a context manager: leaving it stops them.

    Args:
        job: The job.
        handler: What carries out state changes, if anything does.
        messages_url: Where the provider takes requests for messages, if it takes any.
        context: What TLS connections to the provider are made with, if it is reached by relays.

    Attributes:
        states_seconds: How long the states of each interaction took that was asked about last, by its index.
        changes: The state changes of each of these, in the order of the interactions.
    """

    def __init__(
        self,
        job: Job,
        handler: StateHandler | None,
        messages_url: str | None,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self._job = job
        self._handler = handler
        self.context = context
        self._trace = parse_traceparent(job.trace) if job.tells_trace else None
        self._stack = ExitStack()
        self.states = None if handler is None else self._state_relay(handler)
        self.messages = None if messages_url is None else self._message_relay(messages_url)
        self._redirects: RedirectRelay | None = None
        self._tls: TlsRelay | None = None
        self.states_seconds: dict[int, float] = {}
        self.changes: list[tuple[RelayedChange, ...]] = []
        self._recorder: Recorder | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def states_url(self, *, by_recorder: bool) -> str | None:
        """Return where the core asks for state changes; None if it asks for none.

        Args:
            by_recorder: Whether it asks the recorder for all else.
        """
        if self.states is None:
            return None
        # Python handlers are called in one thread, whatever is asked, and a connection that the provider may close is
        # none for a teardown
        if by_recorder and self._job.states_url and not self._job.states_teardown:
            return self.recorder.states_url
        return self.states.url

    def failures(self, shard: list[Interaction]) -> list[StateFailure | None]:
        """Return the state change of each interaction that failed, if one did, since the last call."""
        if self.states is None:
            self.changes = [()] * len(shard)
            return [None] * len(shard)
        from verifier.engine.states.relay import by_interaction  # noqa: PLC0415

        names = [tuple(state.name for state in interaction.states) for interaction in shard]
        found = by_interaction(self.states.take(), names)
        self.states_seconds = {one.index: states.seconds for one, states in zip(shard, found, strict=True)}
        self.changes = [states.changes for states in found]
        return [states.failure for states in found]

    @property
    def redirects(self) -> RedirectRelay:
        """The relay for redirects, which is started when it is first needed."""
        if self._redirects is None:
            from verifier.engine.redirect_relay import RedirectRelay  # noqa: PLC0415

            self._redirects = RedirectRelay(
                self._job.origin,
                timeout=self._job.request_timeout,
                tls=self._job.tls,
                context=self.context,
                trace=self._trace,
            )
            self._stack.callback(self._redirects.close)
        return self._redirects

    @property
    def recorder(self) -> Recorder:
        """What records the exchanges with the provider, which is started when it is first needed."""
        if self._recorder is None:
            parts = urlsplit(self._job.base_url or "")
            self._recorder = Recorder(
                parts.hostname or "127.0.0.1",
                parts.port or 80,
                parts.netloc.rpartition("@")[2],
                connect_seconds=self._job.request_timeout,
                states=self.states,
                let_go=getattr(self._handler, "let_go", None),
                trace=self._trace,
            )
            self._stack.callback(self._recorder.close)
        return self._recorder

    @property
    def tls(self) -> TlsRelay:
        """The relay by TLS, which is started when it is first needed."""
        if self._tls is None:
            from verifier.engine.tls_relay import TlsRelay  # noqa: PLC0415

            self._tls = TlsRelay(
                self._job.origin,
                timeout=self._job.request_timeout,
                tls=self._job.tls,
                context=self.context,
                trace=self._trace,
            )
            self._stack.callback(self._tls.close)
        return self._tls

    def _state_relay(self, handler: StateHandler) -> StateRelay:
        from verifier.engine.states.relay import StateRelay  # noqa: PLC0415

        relay = StateRelay(handler, self._trace)
        self._stack.callback(relay.close)
        return relay

    def _message_relay(self, url: str) -> MessageRelay:
        from verifier.engine.message_relay import MessageRelay  # noqa: PLC0415

        relay = MessageRelay(url, timeout=self._job.request_timeout, trace=self._trace)
        self._stack.callback(relay.close)
        return relay
