"""The receiver does what its OpenAPI document says, whatever it is sent."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import one_of
from openapi_spec_validator import validate
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from app.config.settings import Settings
from app.intake.credentials import Tokens
from app.web.api.openapi import document
from app.web.application import create_app
from app.web.context import Receiver
from tests.support.history_rows import add_history
from tests.support.processes import TIME_LIMIT
from tests.support.receiver import (
    API_TOKEN,
    PROVIDER,
    REPOSITORY,
    TOKEN,
    LocalReceiver,
    ReceiverProcess,
    configuration,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hypothesis.strategies import SearchStrategy
    from schemathesis import APIOperation, Case

BROKER = "http://broker.example.org/base"
PACT = f"{BROKER}/pacts/provider/Products/consumer/Storefront/latest"
SECRET = "the-secret-of-the-webhook"
OPERATIONS = sorted(
    (method.upper(), path)
    for path, item in document()["paths"].items()
    for method in item
    if method != "parameters"
)
PLAIN = {
    "/healthz",
    "/readyz",
    "/metrics",
    "/openapi.json",
    "/api/providers/{name}/notifications",
    "/api/providers/{name}/pause",
    "/api/providers/{name}/resume",
}
"""What takes no parameters, or any text, so that there are no wrong ones."""
CASES = [
    pytest.param(method, path, mode, id=f"{method}-{path}-{mode.value}")
    for method, path in OPERATIONS
    for mode in GenerationMode
    if mode is GenerationMode.POSITIVE or path not in PLAIN
]
SHAPE = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
EXAMPLES = settings(
    max_examples=25,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


class Credentials(requests.auth.AuthBase):
    """Gives each request what its path asks for; what is sent to `/github/events` is signed as GitHub does."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        path = request.path_url
        body = request.body or b""
        content = body.encode() if isinstance(body, str) else bytes(body)
        if path.startswith("/github/"):
            signature = hmac.new(SECRET.encode(), content, hashlib.sha256).hexdigest()
            request.headers["X-Hub-Signature-256"] = f"sha256={signature}"
        else:
            request.headers["Authorization"] = f"Bearer {TOKEN if path.startswith('/repos/') else API_TOKEN}"
        return request


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory, module_database_url: str) -> Iterator[ReceiverProcess]:
    config = configuration(BROKER, {"base_url": "http://127.0.0.1:1", "version": "abc"})
    with LocalReceiver(
        tmp_path_factory.mktemp("web"),
        config,
        command="web",
        database_url=module_database_url,
        environment={"PACT_DISPATCH_WEBHOOK_SECRET": SECRET},
    ) as process:
        add_history(module_database_url, runs=3, refused=2)
        yield process


def test_the_document_is_an_openapi_document(web: ReceiverProcess) -> None:
    served = web.session.get(f"{web.url}/openapi.json", timeout=TIME_LIMIT).json()
    assert served == document()
    validate(served)


def test_every_route_and_method_is_in_the_document() -> None:
    app = create_app(
        Receiver(
            settings=Settings.model_validate(
                {
                    "broker": {"url": BROKER},
                    "providers": [
                        {"name": "A", "repository": "a/b", "base_url": "http://127.0.0.1:1", "version": "1"}
                    ],
                }
            ),
            pool=None,  # type: ignore[arg-type] # no request is made
            tokens=Tokens("TOKENS", {}),
            api_tokens=Tokens("API_TOKENS", {}, for_api=True),
        )
    )
    routes = {
        (method, rule.rule.replace("<uuid:run_id>", "{id}").replace("<uuid:delivery_id>", "{id}"))
        for rule in app.url_map.iter_rules()
        if not rule.endpoint.startswith(("dashboard", "files.", "live."))  # those are for people
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert {
        (method, path.replace("<name:", "<").replace("<", "{").replace(">", "}")) for method, path in routes
    } == set(OPERATIONS)


@pytest.mark.parametrize(("method", "path", "mode"), CASES)
def test_answers_are_those_of_the_document(
    web: ReceiverProcess, method: str, path: str, mode: GenerationMode
) -> None:
    schema = schemathesis.openapi.from_dict(without_security())
    schema.config.update(base_url=web.url)
    operation = schema[path][method]
    session = requests.Session()
    session.trust_env = False
    session.auth = Credentials()

    @EXAMPLES
    @given(case=cases(web, operation, mode))
    def check(case: Case[Any]) -> None:
        response = case.call(session=session, timeout=TIME_LIMIT)
        expected = [*SHAPE]
        if path != "/readyz":  # no worker is alive
            expected.append(not_a_server_error)
        if path.startswith("/api/") and response.status_code != 414:
            expected.append(checks.negative_data_rejection)
        case.validate_response(response, checks=expected)

    with session:
        check()


def without_security() -> dict[str, Any]:
    """Leave the credentials to the session: a request without them is tested in test_api.py and test_dispatches.py."""
    without = document()
    del without["components"]["securitySchemes"]
    for item in without["paths"].values():
        for method in item.keys() - {"parameters"}:
            del item[method]["security"]
    return without


def cases(
    web: ReceiverProcess, operation: APIOperation[Any, Any, Any, Any], mode: GenerationMode
) -> SearchStrategy[Any]:
    """Make requests; those for one thing name things that there are, too."""
    strategies = [operation.as_strategy(generation_mode=mode)]
    if mode is GenerationMode.POSITIVE and "{id}" in operation.path:
        web.dispatch(PACT)
        table = "runs" if "/runs/" in operation.path else "deliveries"
        ids = [str(row["id"]) for row in web.rows(f"SELECT id FROM {table}")]
        strategies += [operation.as_strategy(path_parameters={"id": one}) for one in ids]
    if "{name}" in operation.path:
        strategies.append(operation.as_strategy(path_parameters={"name": PROVIDER}))
    if mode is GenerationMode.POSITIVE and operation.path.startswith("/repos/"):
        owner, repository = REPOSITORY.split("/")
        strategies.append(operation.as_strategy(path_parameters={"owner": owner, "repository": repository}))
    return one_of(*strategies)
