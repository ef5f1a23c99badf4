"""Refuses what a page of another site has a browser send: see `broker.http.browsers`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import request

from broker.embedded.http.errors import Refusal, bad_request
from broker.http.browsers import foreign_page, is_host

if TYPE_CHECKING:
    from flask import Flask

    from broker.http.browsers import ServedHosts


def refuse_other_sites(app: Flask, hosts: ServedHosts, *, base_url: str | None) -> None:
    """Have the application refuse requests to a foreign host, and a foreign page's requests that change something.

    Args:
        app: The broker.
        hosts: The host names that it is reached by.
        base_url: The URL that it is reached at, if that is configured.
    """

    @app.before_request
    def check() -> None:
        host = request.host
        if not is_host(host):
            raise bad_request("The Host header is not a host name.")
        if not hosts.include(host):
            raise _forbidden(
                f"This broker is not known as {host}. If that is a name of its own, start it with --base-url and the "
                "URL that clients use, or with --allowed-hosts; if not, a page of another site sent this."
            )
        page = foreign_page(
            request.method,
            host=host,
            origin=request.headers.get("Origin"),
            fetch_site=request.headers.get("Sec-Fetch-Site"),
            base_url=base_url,
        )
        if page is not None:
            raise _forbidden(
                f"A page of {page} may change nothing here. If the broker itself is reached there, start it with "
                "--base-url and that URL."
            )


def _forbidden(reason: str) -> Refusal:
    return Refusal(403, {"error": reason})
