"""Why the provider gave no answer, in words that say what to do next.

The core says "error sending request" whatever it was, as of pact-python 4.2. So what can be seen from here is looked at
when it does: how long it took, and whether a connection can be made. Nothing is sent: a request may have effects.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from broker.http.limits import Limits
from broker.http.no_reply import BrokeOff, NoReply, NotTrusted, Refused, TooSlow
from broker.http.reason import NO_TLS, no_whole_answer
from broker.http.tls import ORDINARY
from verifier.engine.core_results import FAILED_REQUEST
from verifier.engine.relay_limit import was_too_slow
from verifier.verification import Outcome

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from broker.http.tls import Tls
    from verifier.verification import InteractionResult

CONNECT_SECONDS = 2.0
"""How long making a connection may take, when it is tried why a request failed."""
ITS_LOG = "The provider's own log may say why"
OWN_AUTHORITY = (
    "If its certificate is signed by an authority of your own, give that one's PEM file: --provider-ca-file"
)


def why_no_reply(error: NoReply, *, seconds: float, option: str) -> str:
    """Return what happened to a request of ours, and what to do.

    Args:
        error: What happened.
        seconds: How long the request could take.
        option: The option that says where it is sent.
    """
    if isinstance(error, TooSlow):
        return _too_slow(seconds)
    if isinstance(error, Refused):
        return f"the connection was refused, so nothing listens there. Is {option} right, and is it still running?"
    if isinstance(error, NotTrusted):
        return _no_tls(error)
    if isinstance(error, BrokeOff):
        return f"the answer broke off. {ITS_LOG}"
    return f"{error}. Is {option} right? {ITS_LOG}"


def _too_slow(seconds: float) -> str:
    return f"timed out: {no_whole_answer(seconds)}. If it may take so long, allow more (--request-timeout)"


def _no_tls(error: NotTrusted) -> str:
    if str(error) == NO_TLS:
        return f"{NO_TLS}. Should the URL begin with http://?"
    return f"no TLS connection that is trusted: {error}. {OWN_AUTHORITY}"


class FailedRequests:
    """Explains the results of requests that the core could not send, or not get a whole answer to.

    Each server is looked at once; make a new one for each shard, as a provider may end at any time.

    Args:
        seconds: How long a request of the core could take.
        connect: Connects to the server of a URL, and raises `NoReply` if that doesn't work.
        tls: How that makes TLS connections, unless it is given.
        context: What they are made with, if that is there already.
    """

    def __init__(
        self,
        seconds: float,
        connect: Callable[[str], None] | None = None,
        tls: Tls = ORDINARY,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self._seconds = seconds
        self._connect = connect or partial(_connect, tls=tls, context=context)
        self._found: dict[str, NoReply | None] = {}

    def explained(self, result: InteractionResult, states_seconds: float) -> InteractionResult:
        """Return a result with what happened in the place of the core's words.

        Args:
            result: The result.
            states_seconds: How much of its duration was spent on states.
        """
        found = FAILED_REQUEST.search(result.reason or "")
        if result.outcome != Outcome.ERROR or found is None:
            return result
        doing, url = found.groups()
        took = (result.duration or 0.0) - states_seconds
        reason = f"the request to {url}: {self._why(doing, url, took)}"
        return replace(result, reason=reason)

    def _why(self, doing: str, url: str, took: float) -> str:
        server = url.split("/", 3)[:3][-1]
        if server not in self._found:
            self._found[server] = self._try_to_connect(url)
        error = self._found[server]
        if isinstance(error, Refused):
            return f"the connection was refused, though the provider was ready before. {ITS_LOG}"
        if error is not None:
            return why_no_reply(error, seconds=self._seconds, option="--provider-base-url")
        if was_too_slow(took, self._seconds):
            return _too_slow(self._seconds)
        return f"{_guess(doing, url)}. {ITS_LOG}"

    def _try_to_connect(self, url: str) -> NoReply | None:
        try:
            self._connect(url)
        except NoReply as error:
            return error
        return None


def _guess(doing: str, url: str) -> str:
    """Return what can have happened where a connection can be made."""
    if doing == "following redirect":
        return "it redirects again and again, or to what is no URL"
    if doing == "decoding response body":
        return "the answer broke off, or can't be read"
    if url.startswith("https:"):
        return (
            "a TLS connection can be made, but none that the engine takes (it takes no version before 1.2, and no "
            "certificate that is its own authority, CA:TRUE, unless --provider-ca-file has it), or it wants a client "
            "certificate (--provider-client-certificate), or it was closed without an answer"
        )
    return (
        "the connection was closed without an answer, or what came is not HTTP, or a redirect leads to where nothing "
        "answers"
    )


def _connect(url: str, tls: Tls, context: ssl.SSLContext | None) -> None:
    from broker.http.kept_connection import try_to_connect  # noqa: PLC0415 - few runs need it

    try_to_connect(url, Limits(CONNECT_SECONDS, 0), tls, context)
