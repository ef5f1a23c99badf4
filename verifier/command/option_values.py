"""Parsing the values of options."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from broker.http.access import BrokerAccess
from broker.http.origin import Origin
from broker.http.tls import ORDINARY, Tls
from verifier.errors import UsageError
from verifier.request import PORT
from verifier.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\x20-\x7e]*)")
_TRANSPORT = re.compile(r"([A-Za-z][\w.+-]*):(\d{1,5}|{port})(/[^\s]*)?")


def parse_headers(
    values: Iterable[str], option: str = "--custom-provider-header"
) -> tuple[tuple[str, str], ...]:
    """Parse the values of an option for headers.

    Raises:
        UsageError: One isn't `Name: value`; it is not shown, since it may be a secret.
    """
    headers = []
    for number, value in enumerate(values, start=1):
        match = _HEADER.fullmatch(value)
        if match is None:
            raise UsageError(
                f"{option} number {number} is not 'Name: value' in printable ASCII, as in "
                "'Authorization: Bearer abc'"
            )
        headers.append((match[1], match[2]))
    return tuple(headers)


def parse_milliseconds(variable: str, text: str) -> float:
    """Return the seconds that a variable has in milliseconds.

    Raises:
        UsageError: It has something else.
    """
    if not (text.strip().isdecimal() and text.strip().isascii() and int(text) > 0):
        raise UsageError(f"{variable} must be a whole number of milliseconds, as in 5000, not {text!r}")
    return int(text) / 1000


def with_port_placeholder(text: str | None) -> str | None:
    """Return a text with `{port}` for `$PORT`: in the provider's command both work."""
    return text and text.replace("${PORT}", PORT).replace("$PORT", PORT)


def parse_transports(values: Iterable[str | None]) -> tuple[Transport, ...]:
    """Parse the values of `--transport`.

    Raises:
        UsageError: One isn't `NAME:PORT[/path]`.
    """
    transports = []
    for value in values:
        match = _TRANSPORT.fullmatch(value or "")
        port = None if match is None or match[2] == PORT else int(match[2])
        if match is None or (port is not None and not 0 < port < 65536):
            raise UsageError(
                f"--transport {value!r} is not NAME:PORT or NAME:PORT/path, as in message:8081/_messages"
            )
        transports.append(Transport(match[1], port, match[3]))
    return tuple(transports)


def parse_tls(
    whose: str,
    ca_file: str | None,
    certificate: str | None,
    key: str | None,
    key_password: str | None,
    *,
    checks: bool = True,
) -> Tls:
    """Return how TLS connections to the broker, or to the provider, are made.

    Args:
        whose: `broker` or `provider`.
        ca_file: The value of the option for it, as the others.
        certificate: The certificate.
        key: Its key.
        key_password: The password of that.
        checks: Whether certificates are checked.

    Raises:
        UsageError: The values contradict each other, or a file can't be used.
    """
    if certificate is None and (key or key_password):
        raise UsageError(
            f"--{whose}-client-key and --{whose}-client-key-password are for --{whose}-client-certificate, which is "
            "not given"
        )
    if ca_file is not None and not checks:
        raise UsageError(
            f"--{whose}-ca-file says what to check certificates against, and --disable-ssl-verification not to check: "
            "give one of the two"
        )
    if ca_file is None and certificate is None and checks:
        return ORDINARY
    ca_file, certificate, key = (path and str(Path(path).resolve()) for path in (ca_file, certificate, key))
    if key_password:
        key_password = key_password.strip()  # it often has the line end of the file that it was read from
    tls = Tls(ca_file, certificate, key, key_password or None, checks)
    options = {"ca_file": "ca-file", "certificate": "client-certificate"}
    for name, why in tls.mistakes():
        raise UsageError(f"--{whose}-{options[name]}: {why}")
    return tls


def parse_states_file(value: str) -> tuple[str, str]:
    """Parse the value of `--provider-states`.

    Raises:
        UsageError: It isn't `FILE.py:NAME`.
    """
    file, _, name = value.rpartition(":")
    if not file or not name.isidentifier():
        raise UsageError(f"--provider-states {value!r} is not FILE.py:NAME, as in pact/states.py:handlers")
    return str(Path(file).resolve()), name


def parse_access(
    base_url: str | None,
    username: str | None,
    password: str | None,
    token: str | None,
    *,
    aliases: str | Sequence[str] = (),
    tls: Tls = ORDINARY,
) -> BrokerAccess | None:
    """Return the broker's base URL with its credentials, or None if there is no URL.

    Aliases are a list, or what a variable has: URLs with spaces or commas between them.

    Raises:
        UsageError: There are two kinds of credentials, half of one, or credentials without a URL, or one can't be sent.
            None is shown.
    """
    # a secret often has the line end of the file that it was read from
    token, username, password = (value and value.strip() for value in (token, username, password))
    if token and (username or password):
        raise UsageError(
            "there are two kinds of credentials: a token (--broker-token, PACT_BROKER_TOKEN), and a user name and "
            "password (--broker-username, --broker-password): give the one that the broker wants"
        )
    if bool(username) != bool(password):
        missing = (
            "--broker-password (PACT_BROKER_PASSWORD)"
            if username
            else "--broker-username (PACT_BROKER_USERNAME)"
        )
        raise UsageError(f"basic auth wants both a user name and a password: {missing} is missing")
    if not base_url:
        if token or username or tls != ORDINARY:
            raise UsageError(
                "there are broker credentials, or files for its TLS, but not whose: give --pact-broker-base-url "
                "(PACT_BROKER_BASE_URL), so that they are sent to that broker and nowhere else"
            )
        if aliases:
            raise UsageError(
                "--pact-broker-alias (PACT_BROKER_ALIASES) is another address of a broker, and none is given: give "
                "--pact-broker-base-url (PACT_BROKER_BASE_URL)"
            )
        return None
    aliases = tuple(re.findall(r"[^\s,]+", aliases) if isinstance(aliases, str) else aliases)
    for option, url in (
        ("--pact-broker-base-url", base_url),
        *(("--pact-broker-alias", one) for one in aliases),
    ):
        try:
            Origin.of(url)
        except ValueError as error:
            raise UsageError(f"{option} is not usable: {error}") from error
    try:
        return BrokerAccess(
            base_url, username or None, password or None, token or None, aliases=aliases, tls=tls
        )
    except ValueError as error:
        raise UsageError(f"the broker credentials can't be used: {error}") from error
