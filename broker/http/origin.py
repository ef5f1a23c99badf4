"""The origin of a broker: the scheme, host, port and base path that credentials and results are sent to."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote

DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Origin:
    """The scheme, host, port and base path that make up one broker.

    A URL is on the origin only if all four agree. Both sides are read by the parser that the HTTP
    library itself uses (urllib3's, which also resolves dot segments), so that no spelling of a URL
    means one thing here and another one on the wire.
    """

    scheme: str
    host: str
    port: int
    path: str

    @classmethod
    def of(cls, url: str) -> Origin:
        """Return the origin of a broker's base URL.

        Raises:
            ValueError: It is no http(s) URL, or it carries credentials, a query or a fragment.
        """
        scheme, host, port, path, _ = _split(url)
        if "?" in url or "#" in url:
            raise ValueError("a base URL has no query and no fragment")
        return cls(scheme, host, port, path.rstrip("/"))

    @classmethod
    def of_pact_url(cls, url: str) -> Origin:
        """Return the origin that a pact's URL suggests: the part before `/pacts/`.

        Raises:
            ValueError: It is no http(s) URL, or it carries credentials.
        """
        scheme, host, port, path, _ = _split(url)
        return cls(scheme, host, port, path.split("/pacts/", 1)[0].rstrip("/") if "/pacts/" in path else "")

    def contains(self, url: str) -> bool:
        """Return whether the URL is on this origin, at or below its base path."""
        try:
            scheme, host, port, path, _ = _split(url)
        except ValueError:
            return False
        return (scheme, host, port) == (self.scheme, self.host, self.port) and (
            path == self.path or path.startswith(self.path + "/")
        )

    def rest_of(self, url: str) -> str:
        """Return what follows the base path in a URL on this origin: the rest of the path, and the query."""
        *_, path, query = _split(url)
        return path[len(self.path) :] + ("" if query is None else f"?{query}")

    def __str__(self) -> str:
        port = "" if DEFAULT_PORTS[self.scheme] == self.port else f":{self.port}"
        return f"{self.scheme}://{self.host}{port}{self.path}"


def _split(url: str) -> tuple[str, str, int, str, str | None]:
    """Return the scheme, host, port, normalised path and query of a URL.

    Raises:
        ValueError: It is no http(s) URL, or it carries credentials.
    """
    # a run whose pact is a file, without a broker, needs no HTTP library, which takes long to import
    from urllib3.exceptions import LocationParseError  # noqa: PLC0415
    from urllib3.util import parse_url  # noqa: PLC0415

    if any(ord(c) <= 0x20 or c in '\\"<>^`|' or ord(c) == 0x7F for c in url):
        raise ValueError("it has a space or another character that a URL can't have")
    try:
        parts = parse_url(url)
    except LocationParseError as error:
        raise ValueError("it can't be read as a URL") from error
    scheme = (parts.scheme or "").lower()
    if scheme not in DEFAULT_PORTS or not parts.host:
        raise ValueError("it must be an http:// or https:// URL")
    if parts.auth is not None:
        raise ValueError("it must not carry a user name or password")
    path = parts.path or ""
    # urllib3 resolves "." and "..", but not what a server behind it may take for them
    decoded = unquote(unquote(path)).replace("\\", "/")
    if any(segment.partition(";")[0] in {".", ".."} for segment in decoded.split("/")):
        raise ValueError("its path must not contain '.' or '..' segments")
    return scheme, parts.host.lower(), parts.port or DEFAULT_PORTS[scheme], path, parts.query
