"""The messages between the engine and its child process, each a line of JSON that names its type.

The child is sent `Job` and `Guard`. It sends `Ready`, then for each job `Begun`, `Results`, `Note` and `Spans` until
`Done`, `Failed` or `OutOfMemory`.

They are named tuples, which Python makes five times as fast as dataclasses: both processes do so at each start.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from broker.http.tls import ORDINARY, Tls
from broker.traces.spans import FinishedSpan
from verifier.log_level import LogLevel
from verifier.pact_document import NotAPact, parse_pact
from verifier.transport import MESSAGE, Transport
from verifier.verification import InteractionResult

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verifier.pact import Pact

CORE_LOG = "core.log"
"""The file of the core's log in the engine's folder; a child that replaces another one appends to it."""


class Job(NamedTuple):
    """What the engine is to verify, and how.

    Attributes:
        pact: The pact.
        indexes: The indexes of the interactions to verify.
        base_url: The provider's base URL; None if it has only other transports. The attributes that follow are those of
            `verifier.request.ProviderUnderTest`.
        tls: How TLS connections to the provider are made.
        log_level: The level of the core's log, which is in the engine's folder; None for no log.
        singly: Whether each interaction is verified alone, so that it is known which one is too much.
        trace: The span that its own ones are below, as a `traceparent`; None if there are none.
        tells_trace: Whether requests to the provider say which span they belong to.
    """

    pact: Pact
    indexes: tuple[int, ...]
    base_url: str | None
    transports: tuple[Transport, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    states_url: str | None = None
    states_headers: tuple[tuple[str, str], ...] = ()
    states_as_query: bool = False
    states_teardown: bool = False
    states_file: tuple[str, str] | None = None
    jobs: int = 1
    ends_at_first: bool = False
    request_timeout: float = 5.0
    memory_limit: int = 1024
    tls: Tls = ORDINARY
    log_level: LogLevel | None = None
    singly: bool = False
    trace: str | None = None
    tells_trace: bool = False

    @property
    def has_plugin_transports(self) -> bool:
        """Whether the core reaches the provider by a plugin's protocol, too."""
        return any(transport.protocol != MESSAGE for transport in self.transports)

    @property
    def can_record(self) -> bool:
        """Whether the provider speaks plain HTTP and no plugin's protocol, so that bytes can be recorded."""
        return (self.base_url or "").startswith("http://") and not self.has_plugin_transports

    @property
    def origin(self) -> str:
        """The provider's scheme, host and port."""
        parts = urlsplit(self.base_url or "")
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def needs_tls_relay(self) -> bool:
        """Whether the provider is reached by TLS, and the core can't do that."""
        return self.tls != ORDINARY and (self.base_url or "").lower().startswith("https:")

    @property
    def has_tls_relay(self) -> bool:
        """Whether the provider is reached by TLS with the relay, where the core could do it as well or not.

        The core tells neither what it sent nor what came, and takes six times as long.
        """
        return self.needs_tls_relay or (
            (self.base_url or "").lower().startswith("https:") and not self.has_plugin_transports
        )

    @property
    def runs_nothing_else(self) -> bool:
        """Whether the engine's process neither runs nor starts what is not its own.

        That is plugins, and provider state handlers in Python.
        """
        return self.states_file is None and not self.has_plugin_transports and not self.pact.plugins

    @property
    def takes_turns(self) -> bool:
        """Whether the threads of the engine's process wait for each other, so that one processor is enough for them."""
        return self.jobs == 1 and self.runs_nothing_else

    @property
    def small_trust_store(self) -> bool:
        """Whether the core can do without the system's certificate authorities.

        It can if every URL that it requests is plain HTTP, and nothing else makes requests.
        """
        urls = (None if self.has_tls_relay else self.base_url, self.states_url)
        return self.runs_nothing_else and not any(
            url is not None and url.lower().startswith("https:") for url in urls
        )


class Guard(NamedTuple):
    """The process group that the child stops if its parent is killed; None if there is none."""

    group: int | None


class Ready(NamedTuple):
    """The child has imported what it needs."""


class Begun(NamedTuple):
    """The interactions with these indexes are being verified."""

    indexes: tuple[int, ...]


class OutOfMemory(NamedTuple):
    """The child has used more memory than it may, and ends."""


class Results(NamedTuple):
    """Some interactions of the job are verified."""

    results: tuple[InteractionResult, ...]


class Note(NamedTuple):
    """Something that the reader of the report should know."""

    text: str


class Spans(NamedTuple):
    """Spans that have ended."""

    spans: tuple[FinishedSpan, ...]


class Done(NamedTuple):
    """The job is finished."""


class Failed(NamedTuple):
    """The job can't be run, since the provider state handlers can't be loaded."""

    message: str


Command = Job | Guard
Event = Ready | Begun | Results | Note | Spans | Done | Failed | OutOfMemory


class HandlersUnusable(Exception):
    """The file with provider state handlers, or the object in it, can't be used; the message says why."""


class BrokenMessage(Exception):
    """A line is none of the messages that are expected."""


def encode(message: Command | Event) -> bytes:
    """Return a message as a line."""
    values = message._asdict()
    if isinstance(message, Job):
        values["pact"] = message.pact.document
    return json.dumps({"type": type(message).__name__, **values}, default=vars).encode() + b"\n"


@contextmanager
def _reading() -> Iterator[None]:
    """Raise `BrokenMessage` for whatever is raised because a line has another form than expected."""
    try:
        yield
    except (KeyError, TypeError, ValueError, RecursionError, NotAPact) as error:
        raise BrokenMessage(f"a message that can't be read: {error}") from error


@_reading()
def decode_command(line: bytes) -> Command:
    """Read a message to the child.

    Raises:
        BrokenMessage: The line is no such message.
    """
    match json.loads(line):
        case {"type": "Guard", "group": int() | None as group}:
            return Guard(group)
        case {"type": "Job", **values}:
            return _job({name: values[name] for name in Job._fields})
        case message:
            raise BrokenMessage(f"not a message to the engine: {str(message)[:200]}")


_WITHOUT_VALUES: dict[str, type[Ready | Done | OutOfMemory]] = {
    kind.__name__: kind for kind in (Ready, Done, OutOfMemory)
}


@_reading()
def decode_event(line: bytes) -> Event:
    """Read a message from the child.

    Raises:
        BrokenMessage: The line is no such message.
    """
    match json.loads(line):
        case {"type": str(name)} if name in _WITHOUT_VALUES:
            return _WITHOUT_VALUES[name]()
        case {"type": "Begun", "indexes": list(indexes)}:
            return Begun(tuple(indexes))
        case {"type": "Results", "results": list(results)}:
            return Results(tuple(map(InteractionResult.from_dict, results)))
        case {"type": "Note", "text": str(text)}:
            return Note(text)
        case {"type": "Spans", "spans": list(spans)}:
            return Spans(tuple(FinishedSpan(*span) for span in spans))
        case {"type": "Failed", "message": str(message)}:
            return Failed(message)
        case message:
            raise BrokenMessage(f"not a message of the engine: {str(message)[:200]}")


def _job(values: dict[str, Any]) -> Job:
    states_file = values["states_file"]
    converted = {
        "pact": parse_pact(values["pact"]),
        "indexes": tuple(values["indexes"]),
        "transports": tuple(Transport(**transport) for transport in values["transports"]),
        **{
            kind: tuple((name, value) for name, value in values[kind])
            for kind in ("headers", "states_headers")
        },
        "tls": Tls(**values["tls"]),
        "log_level": None if values["log_level"] is None else LogLevel(values["log_level"]),
        "states_file": None if states_file is None else tuple(states_file),
    }
    return Job(**values | converted)
