"""Pages for people: what a browser sees at some of the URLs where a client sees JSON.

A page is answered to who asks for HTML and not for JSON, at the very URL of the resource. Pages are rendered from
templates that escape everything, with one stylesheet inside, no script, and a policy that lets nothing else in.
"""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

from flask import request

from broker.embedded.http.errors import Refusal
from broker.embedded.pages import environments, matrix, pact, pacticipant, pacts, result, webhooks
from broker.embedded.pages.rendering import render

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Flask, Response
    from flask.typing import ResponseReturnValue

PAGES: dict[str, Callable[..., Response]] = {
    "index.show": pacts.show,
    "pacts.by_consumer_version": pact.show_version,
    "pacts.latest": pact.show_latest,
    "pacts.by_content": pact.show_content,
    "pacts.by_content_for_versions": pact.show_content,
    "verification_results.show": result.show,
    "pacticipants.show": pacticipant.show,
    "matrix.show": matrix.show,
    "matrix.show_pair": matrix.show_pair,
    "environments.show_all": environments.show_all,
    "webhooks.show_all": webhooks.show_all,
    "webhooks.show": webhooks.show,
}
"""The page of each endpoint that has one."""


def register(app: Flask) -> None:
    """Have the application answer pages to browsers; its blueprints are registered already."""
    for endpoint, page in PAGES.items():
        app.view_functions[endpoint] = _either(page, app.view_functions[endpoint])

    @app.after_request
    def page_of_nothing(response: Response) -> Response:
        """Answer a browser that followed a link to nothing with a page."""
        if response.status_code != 404 or response.mimetype == "text/html" or not wants_html():
            return response
        page = render("refusal.html", status=404, reason="There is nothing at this address.")
        response.set_data(page.get_data())
        response.headers.update(page.headers)
        return response


def wants_html() -> bool:
    """Return whether the request asks for HTML and not for JSON, as browsers do; `*/*` asks for neither."""
    types = [accepted for accepted, quality in request.accept_mimetypes if quality > 0]
    return "text/html" in types and not any(name.endswith(("/json", "+json")) for name in types)


def _either(
    page: Callable[..., Response], resource: Callable[..., Any]
) -> Callable[..., ResponseReturnValue]:
    @wraps(resource)
    def view(**names: Any) -> ResponseReturnValue:
        if not wants_html():
            answer: ResponseReturnValue = resource(**names)
            return answer
        try:
            return page(**names)
        except Refusal as refusal:
            return render("refusal.html", status=refusal.status, reason=refusal.body.get("error", ""))

    return view
