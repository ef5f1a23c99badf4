"""The forms in which a secret can stand in a text: as it is, and as programs write it into URLs, JSON, HTML and base64.

No I/O.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit

from broker.text.secret_names import is_secret_name

SHORTEST = 4
"""A shorter value is no secret, and hiding it would make any text unreadable."""
LONG = 8
"""A shorter secret is only hidden where no letter or digit is next to it, so that no word is torn apart."""
SCHEMES = frozenset({"basic", "bearer", "token", "digest", "negotiate", "apikey", "api-key"})
"""The first words of the values of headers that carry credentials, in lower case; they are no secrets."""

_WORDS = re.compile(r"[A-Za-z_.:/' -]*")
_ARMOUR = re.compile(r"-{4,}[A-Z0-9 ]*-{4,}")
"""The first and the last line of a key in the PEM format."""


def parts_of(secret: str) -> set[str]:
    """Return what is secret of a configured value: the value, and what of it may be shown alone.

    That is what follows the scheme in `Bearer abc`, the password in `Basic dTpw`, the password and the tokens of a
    URL, and each line of a value that has several, such as a key in the PEM format.
    """
    secret = secret.strip()
    parts = {secret}
    scheme, _, rest = secret.partition(" ")
    if scheme.lower() in SCHEMES and rest.strip():
        parts |= {rest.strip(), *(_basic(rest.strip()) if scheme.lower() == "basic" else ())}
    if "://" in secret:
        parts |= in_url(secret)
    lines = secret.splitlines()
    if len(lines) > 1:
        parts |= {
            line.strip()
            for line in lines
            if len(line.strip()) >= LONG and not _ARMOUR.fullmatch(line.strip())
        }
    return {part for part in parts if len(part) >= SHORTEST and part.lower() not in SCHEMES}


def in_header(name: str, value: str) -> set[str]:
    """Return what is secret in a header that carries credentials; of cookies the value of each of them."""
    cookies = set()
    if name.lower() in {"cookie", "set-cookie"}:
        cookies = {pair.partition("=")[2].strip() for pair in value.split(";") if "=" in pair}
    return {value, *cookies}


def in_url(url: str) -> set[str]:
    """Return what is secret in a URL: the password, or a token in its place, and parameters that are called so."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return set()
    user = parts.netloc.rpartition("@")[0]
    name, _, password = user.partition(":")
    alone = password or (
        name if parts.scheme in {"http", "https"} else ""
    )  # a token is often the user's name
    queries = [value for name, value in parse_qsl(parts.query) if is_secret_name(name)]
    return {part for part in (alone, unquote(alone), *queries) if part}


def is_ordinary(secret: str) -> bool:
    """Return whether a secret may be a part of an ordinary sentence: it is short, or has letters only."""
    return len(secret) < LONG or _WORDS.fullmatch(secret) is not None


def spelt(secret: str) -> list[str]:
    """Return a secret as it stands in plain text, JSON, URLs and HTML; the plain form is the first."""
    import html  # noqa: PLC0415 - its table of entities is large, and without secrets not needed

    percent = quote(secret, safe="")
    text = json.dumps(secret)[1:-1]
    forms = [
        secret,
        text,
        text.replace("/", r"\/"),
        json.dumps(secret, ensure_ascii=False)[1:-1],
        percent,
        _lower_hex(percent),
        quote(secret),
        quote_plus(secret),
        html.escape(secret),
    ]
    if not secret.isascii():
        with suppress(UnicodeError):  # as it looks if it was written in another encoding than UTF-8
            forms.append(secret.encode("latin-1").decode(errors="replace"))
    return list(dict.fromkeys(forms))


def in_base64(secret: str) -> list[str]:
    """Return the characters of base64 that a secret alone decides, for each place that it may have in what is encoded.

    Three bytes become four characters, so there are three such places. The characters next to these are decided
    by the secret and by what is beside it.
    """
    import base64  # noqa: PLC0415 - only where there are secrets

    content = secret.encode(errors="surrogatepass")
    found = []
    for before, undecided in ((0, 0), (1, 2), (2, 3)):
        decided = (before + len(content)) * 8 // 6
        core = base64.b64encode(bytes(before) + content).decode()[undecided:decided]
        found += [core, core.translate({43: "-", 47: "_"})]
    return [core for core in dict.fromkeys(found) if len(core) >= SHORTEST]


def _lower_hex(percent: str) -> str:
    return re.sub("%..", lambda match: match[0].lower(), percent)


def _basic(encoded: str) -> tuple[str, ...]:
    import base64  # noqa: PLC0415 - likewise
    import binascii  # noqa: PLC0415

    with suppress(binascii.Error, UnicodeDecodeError):
        user, colon, password = base64.b64decode(encoded, validate=True).decode().partition(":")
        if colon:
            return f"{user}:{password}", password
    return ()
