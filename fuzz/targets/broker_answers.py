"""Damaged answers of a Pact Broker, and all that asks one: fetching, publishing, webhooks, missing results."""

from __future__ import annotations

import json
import re
import time
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache, partial
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from hypothesis import strategies as st

from app.config.settings import Settings
from app.intake import missed
from broker.client import MAX_BYTES, BrokerAccess, BrokerClient, BrokerError
from broker.client.missing_results import Pact, ProviderVersion, Questions
from broker.client.pact_results import results_of
from broker.http.errors import UnexpectedAnswer
from broker.http.limits import Limits
from broker.webhooks import TriggeredWebhooks, UserSecrets, Webhooks
from broker.webhooks.definition import Scope, Webhook, WebhookRequest
from broker.webhooks.delivery_log import execution_of
from broker.webhooks.hidden_secrets import hidden_headers, in_the_clear, redacted, secret_names
from fuzz.answering import Asked, Change, DamagedServer, Right, maybe_changes
from fuzz.choices import pick
from fuzz.originals import RECORDED_URL, REPOSITORY, exchange
from fuzz.outcomes import check_text, expect
from fuzz.target import Target, Violation
from verifier.errors import CannotVerify, ErrorKind, PublishFailed
from verifier.fetch import fetch
from verifier.pact_document import NotAPact, parse_pact
from verifier.publishing import publish
from verifier.request import ProviderUnderTest, VerificationRequest
from verifier.verification import InteractionResult, Outcome, Verification

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from fuzz.target import Check

SECONDS = 2.0
"""The deadline of the clients: an answer that drips is given up then."""
RECORDED_TARGET = "http://127.0.0.1:9480/hook"
"""Where the recorded webhooks send to."""
ROUTES = (
    ("GET", r"/", "pacts/01-index"),
    ("GET", r"/pacts/provider/[^/]+/consumer/[^/]+/(latest|version/[^/]+)", "pacts/05-pact-latest"),
    ("GET", r"/pacts/provider/[^/]+/consumer/[^/]+/pact-version/[^/]+(/metadata/.+)?",
     "pacts/07-pact-by-pact-version-sha"),
    ("GET", r"/pacts/provider/[^/]+/latest", "pacts/259-provider-pacts-latest"),
    ("POST", r"/pacts/.+/verification-results", "pacts/51-verification-publish-success"),
    ("GET", r"/pacts/.+/verification-results/.+", "pacts/52-verification-get"),
    ("GET", r"/pacticipants/[^/]+/branches/[^/]+", "pacts/261-pacticipant-branches"),
    ("GET", r"/pacticipants/[^/]+/versions/[^/]+", "pacts/197-pacticipant-version-get"),
    ("GET", r"/pacticipants/[^/]+", "pacts/195-pacticipant-get"),
    ("PUT", r"/pacticipants/[^/]+/branches/[^/]+/versions/[^/]+", "pacts/71-branch-version-put"),
    ("PUT", r"/pacticipants/[^/]+/versions/[^/]+/tags/[^/]+", "pacts/251-tag-put"),
    ("POST", r"/pacts/provider/[^/]+/for-verification", "pacts/95-provider-pacts-for-verification"),
    ("GET", r"/matrix", "pacts/63-matrix-query-latestby-cvpv"),
    ("GET", r"/environments", "deployments/79-environments-list"),
    ("GET", r"/environments/[^/]+/deployed-versions/currently-deployed", "deployments/256-currently-deployed"),
    ("GET", r"/environments/[^/]+/released-versions/currently-supported", "deployments/256-currently-deployed"),
    ("GET", r"/webhooks", "webhooks/13-webhooks-list-all"),
    ("GET", r"/webhooks/[^/]+", "webhooks/12-webhook-get"),
    ("PUT", r"/webhooks/[^/]+", "webhooks/31-webhook-update"),
    ("DELETE", r"/webhooks/[^/]+", "webhooks/40-webhook-delete"),
    ("POST", r"/webhooks/[^/]+/execute", "webhooks/25-webhook-execute"),
    ("GET", r"/pacts/.+/webhooks/status", "webhooks/18-pact-webhooks-status-after-success"),
    ("GET", r"/pacts/.+/triggered-webhooks", "webhooks/19-pact-triggered-webhooks"),
    ("GET", r"/(webhooks/.+|triggered-webhooks/.+)/logs", "webhooks/20-triggered-webhook-logs"),
)  # fmt: skip
"""Which recorded answer belongs to which request; the last one that fits."""
SECRETS = {"_embedded": {"secrets": [{"uuid": "u" * 16, "name": "githubToken", "description": "d"}]}}
INTEGRATIONS = {"_embedded": {"integrations": [{"consumer": {"name": "Foo"}, "provider": {"name": "Bar"}}]}}


@cache
def _recorded(url: str, name: str) -> Right:
    answer = exchange(name)["response"]
    text = json.dumps(answer.get("body")).replace(RECORDED_URL, url)
    document = json.loads(text.replace(RECORDED_TARGET, f"{url}/repos/{REPOSITORY}/dispatches"))
    kept = {"location", "x-pact-broker-version", "content-type"}
    headers = [
        (header.encode(), value.replace(RECORDED_URL, url).encode())
        for header, value in answer["headers"]
        if header.lower() in kept - {"content-type"}
    ]
    return Right(answer["status"], document, tuple(headers))


def right_answer(url: str, asked: Asked) -> Right:
    """Return what a real broker answered to such a request."""
    path = asked.path.partition("?")[0]
    if path.startswith("/secrets"):
        return Right(200, SECRETS)
    if path == "/integrations":
        return Right(200, INTEGRATIONS)
    names = [n for method, pattern, n in ROUTES if method == asked.method and re.fullmatch(pattern, path)]
    if not names:
        return Right(404, {"error": "The requested document was not found on this server."})
    return _recorded(url, names[-1])


@dataclass(frozen=True)
class BrokerAnswers:
    """What is asked of a broker, and how its answers differ from the right ones, one after the other."""

    operation: str
    changes: tuple[Change | None, ...]


def _fetched(server: DamagedServer) -> tuple[Any, dict[str, str]]:
    request = VerificationRequest(
        f"{server.url}/pacts/provider/Bar/consumer/Foo/latest",
        ProviderUnderTest(base_url="http://127.0.0.1:1"),
        broker=BrokerAccess(server.url, token="a-token-of-the-broker"),
    )
    return fetch(request, deadline=time.monotonic() + SECONDS, on_retry=lambda _: None)


def _fetch(server: DamagedServer) -> None:
    try:
        document, _ = _fetched(server)
        parse_pact(document)
    except CannotVerify as error:
        if error.kind == ErrorKind.NOT_A_PACT and error.retryable:
            raise Violation("what is no pact is tried again", str(error)) from error
        raise
    except NotAPact as error:
        raise CannotVerify(str(error), kind=ErrorKind.NOT_A_PACT) from error


def _publish(server: DamagedServer) -> None:
    base = f"{server.url}/pacts/provider/Bar/consumer/Foo"
    result = InteractionResult(
        index=0, id="a", description="a thing", kind="Synchronous/HTTP", request="GET /", states=(), pending=False,
        outcome=Outcome.PASSED,
    )  # fmt: skip
    verification = Verification(
        id="v", pact_url=f"{base}/latest", started_at=datetime.now(UTC), consumer="Foo", provider="Bar",
        provider_version="1", provider_branch="main", provider_tags=("t",), interactions=(result,),
        interactions_in_pact=1,
        links={
            "publish": f"{base}/pact-version/abc/verification-results",
            "latest": f"{base}/pact-version/abc/verification-results/latest",
            "matrix": f"{server.url}/matrix?q",
            "provider": f"{server.url}/pacticipants/Bar",
        },
    )  # fmt: skip
    try:
        publish(verification, BrokerAccess(server.url), retry_time=0.0, deadline=time.monotonic() + SECONDS)
    except PublishFailed as error:
        if "unexpectedly" in str(error):
            raise Violation(
                f"an unexpected error of publishing: {type(error.__cause__).__name__}", str(error)
            ) from error
        raise


def _client(server: DamagedServer) -> BrokerClient:
    access = BrokerAccess(server.url, username="ci", password="a-password-of-ci")
    return BrokerClient(access, retry_time=0.0, deadline=time.monotonic() + SECONDS)


def _with_client(operation: Callable[[BrokerClient], object]) -> Callable[[DamagedServer], None]:
    def carried_out(server: DamagedServer) -> None:
        with _client(server) as client:
            operation(client)

    return carried_out


def _questions(client: BrokerClient) -> None:
    questions = Questions(client, "Bar")
    pacts = questions.pacts()
    versions = questions.versions("main")
    for version in versions[:2]:
        questions.lacking(pacts[:2], version)


def _lacks(client: BrokerClient) -> None:
    pact = Pact(f"{client.origin}/pacts/provider/Bar/consumer/Foo/pact-version/1", "Foo", "1", "1")
    many = [replace(pact, consumer_version=digit * 4000) for digit in "123"]  # more than one request holds
    for asked in ([pact], many):
        Questions(client, "Bar").lacking(asked, ProviderVersion("1", "main", "the version that runs"))


def _show(webhook: Webhook) -> None:
    hidden_headers(webhook)
    secret_names(webhook)
    in_the_clear(webhook)
    json.dumps(redacted(webhook).document())
    str(webhook.scope)


def _webhooks(client: BrokerClient) -> None:
    webhooks = Webhooks(client)
    for webhook in webhooks.matching(consumer="Foo", provider="Bar"):
        _show(webhook)
    webhooks.keeps_hidden_values()


def _put_webhook(client: BrokerClient) -> None:
    webhook = Webhook("w" * 16, Scope(), ("contract_published",), WebhookRequest("POST", "http://a.example/"))
    _show(Webhooks(client).put(webhook)[0])


def _execute(client: BrokerClient) -> None:
    json.dumps(Webhooks(client).execute("w" * 16).body)


def _triggered(client: BrokerClient) -> None:
    triggered = TriggeredWebhooks(client)
    triggered.pairs()
    for one in (*triggered.latest("Foo", "Bar"), *triggered.of_version("Foo", "Bar", "1")):
        for attempt in one.attempts:
            execution_of(attempt)


def _reconcile(server: DamagedServer) -> None:
    provider = {
        "name": "Bar",
        "repository": REPOSITORY,
        "base_url": server.url,
        "version": "1",
        "branch": "main",
    }
    settings = Settings.model_validate({"broker": {"url": server.url}, "providers": [provider]})
    report = missed.reconcile(settings, BrokerAccess(server.url), _no_database, dry_run=True)
    for text in (*report.problems, *report.notes):
        check_text(text, "what reconcile says")


def _no_database() -> AbstractContextManager[Any]:
    return nullcontext()


def _not_queued(_: object, __: object, missing: Iterable[object], **___: object) -> list[object]:
    """Stand for the receiver's database, which says nothing of a broker's answer."""
    return list(missing)


OPERATIONS: dict[str, Callable[[DamagedServer], None]] = {
    "fetch": _fetch,
    "publish": _publish,
    "get": _with_client(lambda client: client.find_object(f"{client.origin}/pacticipants/Bar")),
    "put": _with_client(lambda client: client.put(f"{client.origin}/pacticipants/Bar", {})),
    "post": _with_client(lambda client: client.post_once(f"{client.origin}/pacticipants", {"name": "Bar"})),
    "delete": _with_client(lambda client: client.delete(f"{client.origin}/webhooks/1")),
    "links": _with_client(lambda client: client.index_link("pb:pacticipant", pacticipant="Bar")),
    "results": _with_client(lambda client: results_of(client, "Foo", "1", "Bar")),
    "missing results": _with_client(_questions),
    "reconcile": _reconcile,
    "lacks": _with_client(_lacks),
    "webhooks": _with_client(_webhooks),
    "webhook": _with_client(lambda client: _show(Webhooks(client).get("w" * 16))),
    "put webhook": _with_client(_put_webhook),
    "delete webhook": _with_client(lambda client: Webhooks(client).delete("w" * 16)),
    "execute webhook": _with_client(_execute),
    "triggered webhooks": _with_client(_triggered),
    "secrets": _with_client(lambda client: UserSecrets(client).put("githubToken", "value", "d")),
}
EXPECTED = (BrokerError, CannotVerify, PublishFailed)


@contextmanager
def _open() -> Iterator[Check]:
    # without retries, of which each would take a quarter of a second
    with (
        DamagedServer(lambda asked: right_answer(server.url, asked)) as server,
        patch("verifier.fetch.FETCH_SECONDS", 0.0),
        patch("app.intake.missed.RETRY_SECONDS", 0.0),
        patch("app.intake.missed.BrokerClient", partial(BrokerClient, limits=Limits(SECONDS, MAX_BYTES))),
        patch("app.intake.missed._queue_what_is_due", _not_queued),
    ):

        def check(given: BrokerAnswers) -> None:
            server.tell(given.changes)
            error = expect(lambda: OPERATIONS[given.operation](server), *EXPECTED)
            if isinstance(error, UnexpectedAnswer) and error.transient:
                raise Violation("an answer that can't be used is asked for again", str(error))

        yield check


BROKER_ANSWERS = Target(
    name="broker-answers",
    about="answers of a Pact Broker, to each of our questions",
    share=150,
    kind=BrokerAnswers,
    inputs=st.builds(
        BrokerAnswers,
        operation=pick(sorted(OPERATIONS)),
        changes=maybe_changes(4),
    ),
    open=_open,
)
