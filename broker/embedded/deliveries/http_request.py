"""The request of a webhook, and its answer."""

from __future__ import annotations

import base64
import http.client
import os
from contextlib import closing
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from requests.utils import get_environ_proxies
from urllib3.exceptions import HTTPError, ReadTimeoutError
from urllib3.util import SKIP_HEADER

from broker.embedded.http.bodies import parse_body
from broker.http.deadline import Deadline
from broker.http.limited_connections import LimitedAdapter
from broker.http.strict_json import NotJson

if TYPE_CHECKING:
    from broker.embedded.webhooks.template import Rendered

USER_AGENT = f"Pact Broker (pact-dispatch/{version('pact-dispatch')})"
SUCCESSES = range(200, 207)

MAX_ANSWER_BYTES = 100_000
"""The most that is read and shown of an answer's headers; of its body, `MAX_ANSWER_BYTES`."""
MAX_HEADER_CHARACTERS = 10_000
MAX_REASON = 200

CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
"""The variables with the file of other certificate authorities; the first that is set counts."""

_NULL = "null"
_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Answer:
    """The target's answer."""

    status: int
    reason: str
    headers: dict[str, str]
    text: str

    @property
    def is_success(self) -> bool:
        """Whether the webhook counts as delivered."""
        return self.status in SUCCESSES

    def body(self) -> Any:
        """Return the body: parsed if it is JSON, else as text."""
        return parsed(self.text)


@dataclass(frozen=True)
class Failure:
    """There was no answer."""

    kind: str
    message: str
    connected: bool


@dataclass(frozen=True)
class Message:
    """A request as it is sent, with more headers than the configured ones."""

    method: str
    url: str
    headers: dict[str, str] = field(repr=False)
    body: str | None = field(repr=False)

    @property
    def sent_body(self) -> str:
        """The body that is sent: `null` for none, as a real broker does, but nothing for GET and HEAD."""
        return self.body if self.body is not None else "" if self.method in {"GET", "HEAD"} else _NULL


def parsed(text: str) -> Any:
    """Return the JSON in a text, or the text if it isn't JSON that could be passed on."""
    try:
        return parse_body(text.encode())
    except NotJson:
        return text


def message(rendered: Rendered) -> Message:
    """Return the request that is sent for a webhook, in the order of a real broker's headers."""
    headers = {"accept": "*/*", "user-agent": USER_AGENT, **rendered.headers}
    if rendered.username is not None or rendered.password is not None:
        credentials = f"{rendered.username or ''}:{rendered.password or ''}"
        headers["authorization"] = f"Basic {base64.b64encode(credentials.encode()).decode()}"
    return Message(rendered.method, rendered.url, headers, rendered.body)


def framing(sent: Message) -> dict[str, str]:
    """Return the headers that sending adds, for the logs."""
    headers = {"host": urlsplit(sent.url).netloc, "content-length": str(len(sent.sent_body.encode()))}
    if "content-type" not in sent.headers:
        headers["content-type"] = _FORM  # whatever the body is, as a real broker's library has it
    return headers


def send(sent: Message, timeout: float) -> Answer | Failure:
    """Send a request once, and read the answer. Redirects are not followed.

    Args:
        sent: The request.
        timeout: In seconds: to connect, and for each part of the answer; twice as long for all of it.
    """
    headers: dict[str, str | bytes] = {
        _title(name): value.encode() for name, value in {**sent.headers, **framing(sent)}.items()
    }
    del headers["Content-Length"], headers["Host"]  # requests and urllib3 write these
    headers.setdefault("Accept-Encoding", SKIP_HEADER)
    deadline = Deadline(2 * timeout)
    # Not by a session: it would add credentials of a .netrc, and read all of a redirect's body.
    with closing(LimitedAdapter(deadline)) as adapter:
        try:
            request = requests.Request(
                sent.method, sent.url, headers=headers, data=sent.sent_body.encode()
            ).prepare()
            with adapter.send(
                request,
                stream=True,
                timeout=timeout,
                verify=next((path for name in CA_VARIABLES if (path := os.environ.get(name))), True),
                proxies=get_environ_proxies(sent.url),
            ) as answer:
                text = _read(answer)
        except requests.ConnectTimeout:
            return Failure(
                "OpenTimeout",
                f"Timed out after {timeout:g} seconds while connecting to {_host(sent)}",
                connected=False,
            )
        except (requests.Timeout, ReadTimeoutError, TimeoutError):
            if deadline.is_over:
                message = f"No whole answer within {2 * timeout:g} seconds"
            else:
                message = f"No answer within {timeout:g} seconds"
            return Failure("ReadTimeout", message, connected=True)
        except (requests.RequestException, HTTPError, OSError, ValueError) as error:
            return _failure(sent, error)
    return Answer(answer.status_code, answer.reason or "", _headers(answer), text)


def _read(answer: requests.Response) -> str:
    encoding = answer.headers.get("Content-Encoding", "identity").lower()
    if encoding != "identity":  # a few bytes could become gigabytes
        return f"(not shown: its Content-Encoding is {encoding[:MAX_REASON]})"
    read = bytearray()
    while len(read) < MAX_ANSWER_BYTES:
        part = answer.raw.read1(MAX_ANSWER_BYTES - len(read), decode_content=False)
        if not part:
            break
        read += part
    return read.decode("utf-8", "replace")


def _headers(answer: requests.Response) -> dict[str, str]:
    """Return the headers by their names in lower case, without what is too long."""
    left, found = MAX_HEADER_CHARACTERS, {}
    for name, value in answer.headers.items():
        left -= len(name) + len(value)
        if left < 0:
            break
        found[name.lower()] = value
    return found


def _failure(sent: Message, error: Exception) -> Failure:
    """Return the reason of a failure without the request, which may hold secrets."""
    cause = _innermost(error)
    reason = cause.strerror if isinstance(cause, OSError) and cause.strerror else type(cause).__name__
    kind = type(cause).__name__
    if isinstance(error, requests.exceptions.SSLError):
        # "certificate verify failed: self-signed certificate (_ssl.c:1006)"
        detail = getattr(cause, "verify_message", None) or getattr(cause, "reason", None) or reason
        return Failure(
            kind,
            f"No trusted TLS connection to {_host(sent)} ({detail}). If its certificate is signed by an authority of "
            "your own, start the broker with REQUESTS_CA_BUNDLE set to that authority's PEM file",
            connected=False,
        )
    if type(cause) is OSError and cause.errno is None:  # requests: the file of certificates isn't there
        return Failure(kind, f"The request to {_host(sent)} was not sent ({cause})", connected=False)
    if isinstance(cause, http.client.IncompleteRead | http.client.RemoteDisconnected):
        message = f"The connection to {_host(sent)} ended before the answer did ({kind})"
        return Failure(kind, message, connected=True)
    if isinstance(error, requests.ConnectionError):
        return Failure(kind, f"Failed to open TCP connection to {_host(sent)} ({reason})", connected=False)
    return Failure(kind, f"The request to {_host(sent)} failed ({reason})", connected=False)


def _innermost(error: BaseException) -> BaseException:
    while error.__context__ is not None:
        error = error.__context__
    return error


def _host(sent: Message) -> str:
    parts = urlsplit(sent.url)
    return f"{parts.hostname}:{parts.port or {'http': 80}.get(parts.scheme, 443)}"


def _title(name: str) -> str:
    return "-".join(part.capitalize() for part in name.split("-"))
