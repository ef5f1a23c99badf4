"""The URL of a remote repository, and the credentials in it."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from app.provider.checkout.failure import CONFIGURATION, CheckoutFailed

SCHEMES = ("https", "http", "ssh", "git", "file")
"""The protocols that git may use; `ext` and other helpers run commands that a URL names."""
MAX_NAME = 40
_SCP_LIKE = re.compile(r"[^/:]+:(?!:)")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True)
class Remote:
    """A remote repository.

    Attributes:
        url: The URL without credentials, which may be shown.
        name: A name for folders, from the last part of the path.
        username: The user name for https and http, if the configured URL has one.
        password: The password likewise; "" with only a user name, as for a token.
        secrets: What must not be printed.
    """

    url: str
    name: str
    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)

    @classmethod
    def of(cls, url: str) -> Remote:
        """Return the remote of a configured URL.

        Raises:
            CheckoutFailed: It is not passed to git.
        """
        if not url or url.startswith("-") or _CONTROL.search(unquote(url)):
            raise _unusable("is empty, starts with a dash, or has a line break or the like in it")
        name = re.sub(r"[^A-Za-z0-9._-]+", "-", re.split(r"[/:]", url.rstrip("/"))[-1])
        name = name.removesuffix(".git").strip(".-")[:MAX_NAME] or "repository"
        if "://" not in url:
            if _SCP_LIKE.match(url):
                return cls(url, name)
            if "::" in url.partition("/")[0]:
                raise _unusable("names a helper program")
            return cls(str(Path(url).expanduser().absolute()), name)
        try:
            parts = urlsplit(url)
        except ValueError:
            raise _unusable("is no URL") from None
        if parts.scheme.lower() not in SCHEMES:
            raise _unusable(f"starts with {parts.scheme!r}://, and only {', '.join(SCHEMES)} are taken")
        user, at, host = parts.netloc.rpartition("@")
        name_part, _, password_part = user.partition(":")
        secrets = tuple(filter(None, (password_part, unquote(password_part))))
        if parts.scheme.lower() not in {"https", "http"}:
            netloc = f"{name_part}@{host}" if name_part else host
            return cls(urlunsplit(parts._replace(netloc=netloc)), name, secrets=secrets)
        return cls(
            urlunsplit(parts._replace(netloc=host)),
            name,
            unquote(name_part) if at else None,
            unquote(password_part) if at else None,
            secrets or tuple(filter(None, (name_part, unquote(name_part)))),
        )

    @property
    def origin(self) -> str:
        """Scheme, host and port, to which its credentials are sent."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def by_ssh(self) -> bool:
        """Whether git connects to it by ssh."""
        return self.url.lower().startswith("ssh:") or ("://" not in self.url and not self.url.startswith("/"))

    @property
    def folder_name(self) -> str:
        """A name for the remote's folder, different for each remote."""
        return f"{self.name}-{hashlib.sha256(self.url.encode()).hexdigest()[:10]}"


def _unusable(why: str) -> CheckoutFailed:
    return CheckoutFailed(
        f"the checkout's url {why}: write it as https://, ssh:// or file:// URL, HOST:PATH, or a folder",
        kind=CONFIGURATION,
    )
