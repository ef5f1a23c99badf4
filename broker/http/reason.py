"""The reason why a request failed, in short."""

from __future__ import annotations

import errno
import os

from broker.text.cut import CUT

LONGEST = 300
"""The most characters of a reason: a library's error may quote what it was sent."""
NO_TLS = "it speaks no TLS there"
NO_CLIENT_CERTIFICATE = "it wants a client certificate"
DEEPEST = 10
_SAID = {
    errno.ECONNREFUSED: "it refused the connection",
    errno.ECONNRESET: "it reset the connection",
    errno.EPIPE: "it closed the connection",
    errno.EHOSTUNREACH: "there is no way to the host",
    errno.ENETUNREACH: "there is no way to its network",
    errno.ETIMEDOUT: "it did not take the connection in time",
}
"""What the system's errors of connections mean, said of the other side."""


def brief(text: str) -> str:
    """Return a reason, of which no more than the beginning is kept if it is long."""
    return text if len(text) <= LONGEST else text[:LONGEST] + CUT


def no_whole_answer(seconds: float) -> str:
    """Return the reason that there was none within a limit, as it is configured: whole seconds, or one decimal."""
    shown = f"{seconds:.0f}" if seconds >= 10 or seconds == int(seconds) else f"{max(seconds, 0.1):.1f}"
    return f"no whole answer within {shown} s"


def why(error: Exception) -> str:
    """Return the reason of an error of the system or of a library in words, without numbers of the system's.

    The name of a file is left out: whoever tells the reason knows it.
    """
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8 text"
    if not isinstance(error, OSError) or error.errno is None:
        return brief(str(error)) or type(error).__name__
    return _SAID.get(error.errno) or error.strerror or os.strerror(error.errno)


def innermost(error: BaseException) -> str:
    """Return the innermost reason of an HTTP library's error, without the object addresses around it."""
    inner = innermost_error(error)
    if isinstance(inner, OSError) and inner.errno is not None and type(inner).__module__ != "ssl":
        return why(inner)
    return tls_problem(inner) or brief(str(inner).split(">: ", 1)[-1].split("): ", 1)[-1])


def tls_problem(error: BaseException) -> str | None:
    """Return what is wrong with a TLS connection in words, without OpenSSL's codes; None for another error."""
    # the module `ssl` takes longer to import than all of what most runs do
    if type(error).__module__ != "ssl":
        return None
    why = getattr(error, "verify_message", None) or getattr(error, "reason", None)
    if not isinstance(why, str):
        return None
    if why == "WRONG_VERSION_NUMBER":
        return NO_TLS
    if "CERTIFICATE_REQUIRED" in why:
        return NO_CLIENT_CERTIFICATE
    return brief(why if " " in why else why.replace("_", " ").lower())


def innermost_error(error: BaseException) -> BaseException:
    """Return the error that an HTTP library's error is about."""
    for _ in range(DEEPEST):
        inner = getattr(error, "reason", None) or error.__cause__ or _of_the_request(error.__context__)
        if not isinstance(inner, BaseException) and error.args and isinstance(error.args[0], BaseException):
            inner = error.args[0]
        if not isinstance(inner, BaseException):
            break
        error = inner
    return error


def _of_the_request(context: BaseException | None) -> BaseException | None:
    """Return the error in whose handling another one arose, unless it was there before the request."""
    root = type(context).__module__.partition(".")[0]
    return context if isinstance(context, OSError) or root in {"http", "urllib3"} else None
