"""Requests for the pages of the dashboard: hostile names, parameters, forms and headers, by everybody who may come."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote_from_bytes, urlencode

from hypothesis import strategies as st

from fuzz.choices import below, either, pick, several, sometimes
from fuzz.mutation import pieces, texts
from fuzz.target import Bytes

MARK = "<x-mark"
"""What stands in many inputs, and in no page unless it was not escaped."""
LONGEST_TARGET = 8000
"""The characters of a path and a query, about as many as gunicorn takes."""
VIEWERS = ("operator", "reader", "stranger")
PAGES = (
    "/", "/runs", "/runs/{run}", "/runs/{run}/report", "/deliveries", "/deliveries/{delivery}", "/providers",
    "/providers/{name}", "/pairs", "/queue", "/system", "/sign-in", "/static/{name}", "/runs/{name}", "/{name}",
)  # fmt: skip
FORMS = (
    "/sign-in", "/sign-out", "/runs/{run}/cancel", "/runs/{run}/run-again", "/runs/{run}/publish-again",
    "/deliveries/{delivery}/redeliver", "/providers/{name}/pause", "/providers/{name}/resume",
    "/providers/{name}/look", "/queue/start-now",
)  # fmt: skip
NAMES = ("provider", "consumer", "repository", "pact_url", "reason", "branch", "version", "since", "until", "text",
    "parent", "pacts", "status", "outcome", "limit", "cursor", "top", "source", "refusal", "sender", "answer", "q",
    "page", "after", "state", "next", "shared", "path", "endpoint", "self", "x")  # fmt: skip
FIELDS = ("token", "next", "run", "queue", "form_token", "x")
VALUES = (
    "", "passed", "waiting", "Products", "24h", "99999d", "9999-12-31", "0001-01-01", "2026-W01-1", "shown", "2xx",
    "yes", "9" * 5000, "-1", "1e9", "\0", "\ud800", MARK, f'"{MARK} onload=x', "//elsewhere", "/\\elsewhere",
    "/runs?a=b", "%00", "a" * 255, "a" * 6000, "\u202e", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "_" * 32,
)  # fmt: skip
HEADERS: dict[str, tuple[str, ...]] = {
    "HX-Request": ("true", "false", ""),
    "HX-Current-URL": ("http://[", "//[", "http://127.0.0.1/runs?a=b", "\xff", MARK),
    "Referer": ("http://[", "http://127.0.0.1/runs", MARK),
    "X-Change": ("", "a" * 5000, MARK),
    "X-Form-Token": ("", "\xff", "a" * 40),
    "Cookie": ("pact_dispatch_session=", "pact_dispatch_session=\xff.\xff.\xff", "=" * 3000),
    "Accept": ("", "*/*", "application/json", "text/html;q=nan"),
    "Origin": ("null", "http://elsewhere.example", "http://["),
    "Sec-Fetch-Site": ("cross-site", "same-origin"),
    "X-Forwarded-User": ("ann",),
    "Host": ("[", "", "elsewhere.example"),
}


@dataclass(frozen=True)
class Visit:
    """A request for a page, or of a form.

    Attributes:
        who: The place in `VIEWERS` of the one who sends it.
        is_form: Whether it is a form.
        path: The place of its path in `PAGES` or `FORMS`.
        name: What stands for a name in the path.
        parameters: Names and values of the query, or fields of the form.
        headers: Further headers.
        has_form_token: Whether the form is one that was shown to the sender.
        by_header: Whether a token is sent with the request, instead of a cookie.
    """

    who: int
    is_form: bool
    path: int
    name: Bytes
    parameters: tuple[tuple[Bytes, Bytes], ...]
    headers: tuple[tuple[str, str], ...]
    has_form_token: bool
    by_header: bool

    @property
    def viewer(self) -> str:
        """Who sends it."""
        return VIEWERS[self.who % len(VIEWERS)]

    def target(self, run: str, delivery: str) -> str:
        """Return the path and the query as they are sent."""
        paths = FORMS if self.is_form else PAGES
        path = paths[self.path % len(paths)].format(
            run=run, delivery=delivery, name=quote_from_bytes(self.name, safe="")
        )
        target = path if self.is_form or not self.parameters else f"{path}?{urlencode(self.parameters)}"
        return target[:LONGEST_TARGET]


def visits() -> st.SearchStrategy[Visit]:
    """Return requests, most of them by somebody who is known."""
    text = either(pick(VALUES), texts()).map(lambda text: text.encode("utf-8", "surrogatepass"))
    value = either(text, text, pieces()).map(lambda content: content[:6000])
    known = pick((*NAMES, *FIELDS)).map(str.encode)
    parameter = st.tuples(either(known, known, known, value), value)
    header = pick(sorted(HEADERS)).flatmap(lambda name: st.tuples(st.just(name), pick(HEADERS[name])))
    return st.builds(
        Visit,
        who=either(st.just(0), below(len(VIEWERS))),
        is_form=sometimes(st.just(value=True), otherwise=False, one_in=3),
        path=below(len(PAGES)),
        name=either(st.just(b"Products"), value),
        parameters=sometimes(st.just(()), otherwise=None, one_in=5).flatmap(
            lambda none: several(parameter, 4) if none is None else st.just(())
        ),
        headers=sometimes(several(header, 3), (), one_in=2),
        has_form_token=sometimes(st.just(value=False), otherwise=True, one_in=4),
        by_header=sometimes(st.just(value=True), otherwise=False, one_in=4),
    )
