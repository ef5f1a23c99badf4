"""Refuses what a page of another site has a browser send: see `broker.http.browsers`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import request

from app.web.problem import HttpProblem
from broker.http.browsers import foreign_page

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Flask


def refuse_other_sites(app: Flask, *, public_url: Callable[[], str | None]) -> None:
    """Have the application refuse a foreign page's requests that change something.

    A browser that knows the password of the receiver's pages adds it to such requests, too. A foreign host needs no
    check, since everything but what is public anyway wants credentials, and a browser has none for that host.

    Args:
        app: The application.
        public_url: Returns the URL at which people reach the receiver, as it now is.
    """

    @app.before_request
    def check() -> None:
        page = foreign_page(
            request.method,
            host=request.host,
            origin=request.headers.get("Origin"),
            fetch_site=request.headers.get("Sec-Fetch-Site"),
            base_url=public_url(),
        )
        if page is not None:
            raise HttpProblem(
                403,
                f"a page of {page} may change nothing here: if the receiver itself is reached there, set "
                "server.public_url",
            )
