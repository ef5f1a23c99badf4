"""The OpenAPI document says what there is, and what is sent along its lines never ends in a 500."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, status_code_conformance

from broker.embedded.application import create_app
from broker.embedded.openapi import document
from broker.embedded.openapi.operations import OPERATIONS
from broker.embedded.storage.database import Database
from broker.embedded.storage.encryption import Vault
from tests.broker.embedded.conftest import example
from tests.support.processes import BrokerProcess
from tests.support.webhook_documents import webhook

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schemathesis import Case

EXAMPLES = 10
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance]

APP = create_app(Database(Path("not-opened")), vault=Vault(None, Path("not-made")))
with APP.test_request_context("http://127.0.0.1:9292/"):
    DOCUMENT = document(APP)
METHODS = {"get", "post", "put", "patch", "delete"}
DESCRIBED = [
    (method, path) for path, item in DOCUMENT["paths"].items() for method in item if method in METHODS
]


class Fuzzed:
    """A broker, its own description as schemathesis reads it, and the names of what is in it."""

    def __init__(self, broker: BrokerProcess) -> None:
        self.broker = broker
        self.schema: Any = schemathesis.openapi.from_url(f"{broker.url}/openapi.json")
        self._known: dict[str, list[str]] = {}
        self._version = 0

    def known(self) -> dict[str, list[str]]:
        """Return names by path parameter; what is called so is put there if need be."""
        if not self._known:
            self._version += 1  # what was sent may have published another pact with the version before
            self._known = names_of_what_is_there(self.broker, f"{self._version}.0.0")
        return self._known

    def forget(self) -> None:
        """Say that what was there may be gone."""
        self._known = {}


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fuzzed]:
    options = ("--webhook-hosts", "127.0.0.1", "--webhook-schemes", "http", "--webhook-retry-seconds", "none")
    with BrokerProcess(tmp_path_factory.mktemp("fuzzed"), *options) as running:
        yield Fuzzed(running)


def names_of_what_is_there(broker: BrokerProcess, version: str) -> dict[str, list[str]]:
    """Put one of everything there, with a new version of the consumer, and return its names by path parameter."""
    broker.publish(example(), version, branch="main", tags=("dev",))
    pact = broker.get("/pacts/provider/Bar/consumer/Foo/latest").json()
    result = broker.request(
        "POST",
        pact["_links"]["pb:publish-verification-results"]["href"],
        json={"success": True, "providerApplicationVersion": "9"},
    )
    broker.request("PUT", "/pacticipants/Foo/labels/team-a")
    uuid = "0123456789abcdef"
    broker.request("PUT", f"/webhooks/{uuid}", json=webhook("http://127.0.0.1:9/x")).raise_for_status()
    broker.request("POST", "/secrets", json={"name": "token", "value": "hidden"})
    broker.request("POST", "/environments", json={"name": "production", "production": True})
    secrets = broker.get("/secrets").json()["_embedded"]["secrets"]
    environments = broker.get("/environments").json()["_embedded"]["environments"]
    environment = environments[0]["uuid"]
    deployed = broker.request(
        "POST", f"/pacticipants/Foo/versions/{version}/deployed-versions/environment/{environment}"
    ).json()["uuid"]
    released = broker.request(
        "POST", f"/pacticipants/Foo/versions/{version}/released-versions/environment/{environment}"
    ).json()["uuid"]
    pact_version = pact["_links"]["pb:pact-version"]
    return {
        "consumer": ["Foo"],
        "provider": ["Bar"],
        "name": ["Foo", "Bar"],
        "pacticipant": ["Foo", "Bar"],
        "version": [version],
        "number": [version, "9", result.headers["Location"].rpartition("/")[2]],
        "branch": ["main"],
        "tag": ["dev"],
        "to": ["dev"],
        "environment": ["production"],
        "label": ["team-a"],
        "sha": [pact_version["name"]],
        "segment": ["Y3ZuPTEmdz10cnVl"],
        "uuid": [uuid, environment, deployed, released, *(one["uuid"] for one in secrets)],
    }


def test_every_route_is_described() -> None:
    routes = {
        (method.lower(), re.sub(r"<\w+:(\w+)>", r"{\1}", rule.rule))
        for rule in APP.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert set(DESCRIBED) == routes
    assert len(routes) > 100
    assert {rule.endpoint for rule in APP.url_map.iter_rules()} == OPERATIONS.keys()
    for method, path in DESCRIBED:
        assert DOCUMENT["paths"][path][method]["summary"].endswith((".", ":")), path


def test_the_schemas_are_schemas() -> None:
    for schema in DOCUMENT["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_the_document_is_served_with_the_brokers_own_address(shared_broker: BrokerProcess) -> None:
    answer = shared_broker.get("/openapi.json")
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json() == {**DOCUMENT, "servers": [{"url": shared_broker.url}]}


@pytest.mark.parametrize(("method", "path"), DESCRIBED, ids=str)
def test_what_is_sent_along_the_document_is_answered_as_it_says(
    fuzzed: Fuzzed, method: str, path: str
) -> None:
    known = fuzzed.known()
    operation = fuzzed.schema[path][method]
    cases = st.one_of([operation.as_strategy(generation_mode=mode) for mode in schemathesis.GenerationMode])

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases, data=st.data())
    def send(case: Case[Any], data: st.DataObject) -> None:
        for name in case.path_parameters:
            if data.draw(st.integers(0, 3)):
                case.path_parameters[name] = data.draw(st.sampled_from(known[name]))
        case.call_and_validate(checks=CHECKS)

    send()
    if method == "delete":
        fuzzed.forget()
    assert fuzzed.broker.log.read_text() == ""
