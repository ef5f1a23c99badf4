"""The routes that accept a dispatch; they answer as GitHub's own routes do.

A 204 is sent after the delivery, its run and the run's job are stored, in one transaction. While the database is away,
the answer is a 503, so that the broker sends the dispatch again.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qs

import structlog
from flask import Blueprint, Response, request
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import ClientDisconnected

from app.config.provider import VerifiedProvider
from app.dispatch import (
    DRY_RUN_HEADER,
    PUSH,
    STATES_HEADER,
    InvalidDispatch,
    from_api,
    from_delivery,
)
from app.intake import acceptance
from app.intake.credentials import BadCredentials, NoCredentials, check_signature, is_signature
from app.intake.kept_headers import kept_headers
from app.intake.redacted_payload import MAX_DEPTH, redacted
from app.intake.refusal import Refusal
from app.push import from_push, kept_of_push
from app.records.deliveries import LONGEST_GITHUB_ID, IncomingDelivery, Repeated, Source
from app.web.context import authorization, checking_credentials, receiver
from app.web.dispatch_span import DispatchSpan
from app.web.problem import RETRY_AFTER_SECONDS
from broker.http.reason import why
from broker.http.strict_json import NotJson, is_nested_deeper, parse_json
from broker.text.redaction import Redaction
from broker.text.secret_names import STARS

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from app.config.provider import ProviderSettings
    from app.dispatch import Dispatch
    from app.intake.tokens import Token
    from app.web.context import Receiver

MAX_BYTES = 64 * 1024
"""GitHub's limit of a dispatch: of the body that its API is sent, and of the client payload of what it delivers."""
MAX_DELIVERED_BYTES = 1024 * 1024
"""The largest event that is read: what GitHub delivers is longer than what it was sent.

It adds the repository, the organisation and the sender, and escapes characters: one byte of a client payload may take
eight (`%5Cu003c` for `<`, in a form).
"""
MAX_PUSH_BYTES = 5 * 1024 * 1024
"""The largest push that is read, which lists its commits; a longer one is left to the search for missing results."""
IGNORED_EVENTS = frozenset(
    {
        "github_app_authorization",
        "installation",
        "installation_repositories",
        "installation_target",
        "marketplace_purchase",
        "meta",
        "ping",
    }
)
"""The events that GitHub sends an App or a webhook about itself: subscribed or not, and nothing to do about them."""
JSON_TYPES = frozenset({"application/json", "text/json"})
FORM_TYPE = "application/x-www-form-urlencoded"

Parsed = TypeVar("Parsed")

_DELIVERY_ID = re.compile(rf"[!-~]{{1,{LONGEST_GITHUB_ID}}}")

log = structlog.get_logger("web")
blueprint = Blueprint("dispatches", __name__)


@blueprint.post("/repos/<owner>/<repository>/dispatches")
def create_dispatch(owner: str, repository: str) -> Response:
    """Accept a dispatch as GitHub's API does."""
    name = f"{owner}/{repository}"
    incoming = _IncomingRequest(Source.API, repository=name)
    incoming.is_dry_run = request.headers.get(DRY_RUN_HEADER) == "true"

    def accept() -> None:
        token = _token(incoming.receiver)
        incoming.note(sender=token.name)
        acceptance.check_token(token, name)
        # before anything of the body is read
        incoming.provider = acceptance.provider_of(incoming.receiver.settings, name)
        document = _json(_body(), form=False)
        own = Redaction([token.value], stars=STARS)  # a sender may put its token into the payload as well
        incoming.note(event_type=_event_type(document, "event_type"), payload=redacted(document, own))
        incoming.accept(_parsed(from_api, name, document), document)

    return incoming.answer(accept)


@blueprint.post("/github/events")
def receive_event() -> Response:
    """Accept a `repository_dispatch` or a `push` as GitHub delivers it to an App or a webhook."""
    delivery_id = request.headers.get("X-GitHub-Delivery")
    incoming = _IncomingRequest(Source.GITHUB, github_id=delivery_id)

    def accept() -> None:
        event = request.headers.get("X-GitHub-Event", "")
        most = MAX_PUSH_BYTES if event == PUSH else MAX_DELIVERED_BYTES
        body = _signed_body(incoming.receiver.webhook_secret, most)
        incoming.note(sender="github")
        if event in IGNORED_EVENTS:
            return
        document = _json(body, form=True)
        if event == PUSH:
            document = kept_of_push(document) if isinstance(document, dict) else document
            incoming.note(event_type=PUSH, payload=redacted(document))
        else:
            incoming.note(event_type=_event_type(document, "action"), payload=redacted(document))
        if event not in {"repository_dispatch", PUSH}:
            raise Refusal.invalid(
                "other-event",
                "X-GitHub-Event",
                f"is {event[:100]!r}, neither repository_dispatch nor push: subscribe the App or the webhook to these "
                "events alone",
            )
        if delivery_id is not None and _DELIVERY_ID.fullmatch(delivery_id) is None:
            raise Refusal.invalid(
                "invalid", "X-GitHub-Delivery", f"must have 1 to {LONGEST_GITHUB_ID} characters"
            )
        if event == PUSH:
            _accept_push(incoming, document)
            return
        if _size(document) > MAX_BYTES:
            raise _too_large(f"the client payload has more than {MAX_BYTES // 1024} KB")
        dispatch = _parsed(from_delivery, document)
        incoming.note(repository=dispatch.repository)
        incoming.accept(dispatch, document)

    return incoming.answer(accept)


def _accept_push(incoming: _IncomingRequest, document: Any) -> None:
    """Accept a push, unless it is none that has a provider verified: then nothing is stored of it."""
    push = _parsed(from_push, document)
    if push is None:
        return
    incoming.note(repository=push.dispatch.repository)
    provider = incoming.receiver.settings.provider_of(push.dispatch.repository)
    dispatch = None if provider is None else acceptance.dispatch_of_push(provider, push)
    if dispatch is not None:
        incoming.accept(dispatch, document)
    else:  # an App may be installed for more repositories than those of providers
        log.info("push left out", repository=push.dispatch.repository, branch=push.branch)


class _IncomingRequest:
    """A request that carries a dispatch; its delivery is filled in as the request is read.

    Attributes:
        receiver: The receiver that it came to.
        is_dry_run: Whether the dispatch is only checked: nothing of it is stored or counted, except for a request whose
            credentials are wrong.
        provider: The provider that it is for, once that is known.
    """

    def __init__(self, source: Source, **known: Any) -> None:
        self.receiver = receiver()
        self.is_dry_run = False
        self.provider: ProviderSettings | None = None
        self._run_id: UUID | None = None
        self._span = DispatchSpan()
        agent = request.headers.get("User-Agent")
        self._delivery = IncomingDelivery(
            source,
            address=request.remote_addr,
            user_agent=agent,
            headers=kept_headers(request.headers.get),
            **known,
        )

    def note(self, **known: Any) -> None:
        """Fill in fields of the delivery."""
        self._delivery = replace(self._delivery, **known)
        if self._delivery.sender is not None and not self.is_dry_run:
            self._span.begin()

    def accept(self, dispatch: Dispatch, document: dict[str, Any]) -> None:
        """Store and queue a dispatch, unless it was accepted before."""
        if self.is_dry_run:
            acceptance.check(self.receiver.settings, self._delivery, dispatch)
            return
        accepted = acceptance.accept(
            self.receiver.pool,
            self.receiver.settings,
            self._delivery,
            dispatch,
            client_payload=document.get("client_payload", {}),
        )
        self._run_id = accepted.run_id
        if isinstance(accepted, Repeated):
            self.receiver.refusal_log.add_repetition(self._delivery, accepted)
            return
        log.info(
            "accepted",
            delivery=str(self._delivery.id),
            run=str(accepted.run_id),
            coalesced=accepted.coalesced,
            detail=accepted.detail,
            repository=dispatch.repository,
            event_type=dispatch.event_type,
            sender=self._delivery.sender,
        )

    def answer(self, accept: Callable[[], None]) -> Response:
        """Accept or refuse the request, and return the answer."""
        with self._span:
            response = self._answer(accept)
            self._span.note(
                response.status_code,
                pact_dispatch__delivery__id=str(self._delivery.id),
                pact_dispatch__run__id=None if self._run_id is None else str(self._run_id),
                pact_dispatch__sender=self._delivery.sender,
                vcs__repository__name=self._delivery.repository,
            )
        return response

    def _answer(self, accept: Callable[[], None]) -> Response:
        try:
            accept()
        except Refusal as refusal:
            if not (self.is_dry_run and self._delivery.sender):
                self.receiver.refusal_log.add(self._delivery, refusal)
            response = Response(
                json.dumps(refusal.document()), refusal.status, content_type="application/json; charset=utf-8"
            )
            if refusal.status == 503:
                response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
        else:
            response = Response(status=204)
            del response.headers["Content-Type"]
            if self._run_id is not None:  # where the sender's log of the request leads to
                response.headers["Location"] = self.receiver.settings.server.address(f"/runs/{self._run_id}")
        response.headers["X-GitHub-Request-Id"] = str(self._delivery.id)
        if self.is_dry_run:
            response.headers[DRY_RUN_HEADER] = "true"
            if isinstance(self.provider, VerifiedProvider) and self.provider.keeps_failures_back:
                response.headers[STATES_HEADER] = "none"
        return response


def _token(receiver: Receiver) -> Token:
    given = authorization()
    try:
        with checking_credentials():
            return receiver.tokens.token_of(given)
    except NoCredentials:
        detail = (
            "the Authorization header still has the variable of a secret in it: the broker has no secret of that name"
            if "${" in (given or "")
            else "there is no token in the Authorization header"
        )
        raise Refusal.not_found("no-token", detail) from None
    except BadCredentials:
        raise Refusal.bad_credentials("bad-token", "the token is none of PACT_DISPATCH_TOKENS") from None


def _signed_body(secret: str | None, most: int) -> bytes:
    """Return the body, which GitHub has signed; none of it is read where it can't be."""
    if secret is None:
        raise Refusal.not_found("no-secret", "PACT_DISPATCH_WEBHOOK_SECRET is not set")
    signature = request.headers.get("X-Hub-Signature-256")
    if not is_signature(signature):
        raise Refusal.bad_credentials("bad-signature", "X-Hub-Signature-256 is missing, or no signature")
    body = _body(most)
    try:
        with checking_credentials():
            check_signature(secret, body, signature)
    except BadCredentials:
        raise Refusal.bad_credentials(
            "bad-signature", "X-Hub-Signature-256 is not that of the body"
        ) from None
    return body


def _body(most: int = MAX_BYTES) -> bytes:
    """Return the body, which has at most so many bytes."""
    length = request.content_length
    try:
        body = b"" if length is not None and length > most else request.stream.read(most + 1)
    except (OSError, ClientDisconnected) as error:
        raise Refusal(
            408, "incomplete", "Request Timeout", f"the body did not arrive: {why(error)}"
        ) from error
    except ParseException as error:
        raise Refusal(400, "incomplete", "Bad Request", f"the body can't be read: {error}") from error
    if (length or 0) > most or len(body) > most:
        raise _too_large(f"the body has more than {most // 1024} KB")
    if length is not None and len(body) < length:
        raise Refusal(400, "incomplete", "Bad Request", f"{len(body)} of {length} bytes of the body arrived")
    return body


def _too_large(detail: str) -> Refusal:
    return Refusal(413, "too-large", "Payload Too Large", detail)


def _size(delivered: Any) -> int:
    """Return the bytes of the client payload of what GitHub delivers, as a program sends one, without escapes."""
    payload = delivered.get("client_payload") if isinstance(delivered, dict) else None
    text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
    return len(text.encode(errors="surrogatepass"))


def _json(body: bytes, *, form: bool) -> Any:
    media_type = request.mimetype
    if form and media_type == FORM_TYPE:
        try:
            values = parse_qs(body.decode(), strict_parsing=True, max_num_fields=10).get("payload", [])
        except ValueError:
            values = []
        if len(values) != 1:
            raise Refusal.invalid("invalid", "payload", "must be in the form, once")
        body = values[0].encode()
    elif media_type not in JSON_TYPES and not media_type.endswith("+json"):
        detail = f"Content-Type is {media_type[:100]!r}, and must be application/json"
        raise Refusal(415, "media-type", "Unsupported Media Type", detail)
    try:
        document = parse_json(body)
    except NotJson as error:
        raise Refusal(400, "not-json", "Problems parsing JSON", f"the body {error}") from error
    if is_nested_deeper(document, MAX_DEPTH):
        raise Refusal.invalid("invalid", "body", f"must not be nested more than {MAX_DEPTH} levels deep")
    return document


def _event_type(document: Any, field: str) -> str | None:
    value = document.get(field) if isinstance(document, dict) else None
    return redacted(value[:100]) if isinstance(value, str) else None


def _parsed(parse: Callable[..., Parsed], *arguments: Any) -> Parsed:
    try:
        return parse(*arguments)
    except InvalidDispatch as error:
        raise Refusal(422, "invalid", "Validation Failed", str(error), error.errors) from error
