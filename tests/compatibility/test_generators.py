"""Generators, V3 and V4: what the provider receives in place of the pact's own values."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.compatibility.contents import V3, V4, Content, as_json, as_text
from tests.compatibility.verifying import http, pact, reply_with
from tests.support.loopback import Received, Reply
from verifier.verification import Outcome

if TYPE_CHECKING:
    from tests.compatibility.verifying import Verified, Verifying

ORDER = as_json({"part": "an example", "count": 1})
HEX = "[0-9a-f]"
UUID = f"{HEX}{{8}}-{HEX}{{4}}-{HEX}{{4}}-{HEX}{{4}}-{HEX}{{12}}"

KINDS: dict[str, tuple[dict[str, Any], str]] = {
    "random integer": ({"type": "RandomInt", "min": 100, "max": 999}, r"[1-9]\d\d"),
    "random decimal": ({"type": "RandomDecimal", "digits": 7}, r"\d+\.\d+"),
    "random hexadecimal": ({"type": "RandomHexadecimal", "digits": 9}, '"[0-9A-Fa-f]{9}"'),
    "random string": ({"type": "RandomString", "size": 11}, '"[0-9A-Za-z]{11}"'),
    "regex": ({"type": "Regex", "regex": "[A-C]{2}-\\d{3}"}, r'"[A-C]{2}-\d{3}"'),
    "date": ({"type": "Date"}, r'"\d{4}-\d\d-\d\d"'),
    "date in a format": ({"type": "Date", "format": "dd.MM.yyyy"}, r'"\d\d\.\d\d\.\d{4}"'),
    "time": ({"type": "Time"}, r'"T?\d\d:\d\d:\d\d\S*"'),
    "date-time": ({"type": "DateTime"}, r'"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\S*"'),
    "UUID": ({"type": "Uuid"}, f'"{UUID}"'),
    "boolean": ({"type": "RandomBoolean"}, "true|false"),
}
"""The generators of V3, and the JSON that they make."""

EXAMPLES: dict[str, Any] = {"random integer": 1, "random decimal": 1.5, "boolean": True}
"""What stands for a text, since a generator doesn't make a number of one."""
UUID_FORMATS = {
    "simple": f"{HEX}{{32}}",
    "lower-case-hyphenated": UUID,
    "upper-case-hyphenated": UUID.replace("a-f", "A-F"),
    "URN": f"urn:uuid:{UUID}",
}


def order(version: str, generators: dict[str, Any], content: Content = ORDER, **parts: Any) -> dict[str, Any]:
    """Make a pact whose request has a body, a header and a query, and generators for them."""
    query = {"colour": ["red"], "size": ["8"]}
    headers = {**ORDER.headers, "X-Shelf": "A7"}
    request = {"method": "POST", "path": "/orders", "query": query, "headers": headers}
    request |= {"body": content.in_pact(version), "generators": generators}
    return pact(version, http(version, request=request, **parts))


def received(verifying: Verifying, document: dict[str, Any], states: Reply | None = None) -> Received:
    """Return the one request that the provider received."""
    found = verifying(document, reply_with(as_text("")), states=states)
    assert found.only.outcome == Outcome.PASSED
    [asked] = found.asked
    return asked


def part_of(asked: Received) -> str:
    """Return the JSON of what was generated in the body, and check that the rest is as it was."""
    match = re.fullmatch(r'\{"count":1,"part":(.*)\}|\{"part":(.*),"count":1\}', asked.body.decode())
    assert match is not None, asked.body
    return match[1] or match[2]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("version", [V3, V4])
def test_generator_for_a_value_of_the_body(kind: str, version: str, verifying: Verifying) -> None:
    """V3 `generators`: every kind; V3 `http_generators`: the request's body."""
    generator, form = KINDS[kind]
    example = as_json({"part": EXAMPLES.get(kind, "an example"), "count": 1})
    asked = received(verifying, order(version, {"body": {"$.part": generator}}, example))
    assert re.fullmatch(form, part_of(asked))


@pytest.mark.parametrize("form", UUID_FORMATS)
def test_format_of_a_uuid(form: str, verifying: Verifying) -> None:
    """V4 `generators`: each format of a UUID."""
    asked = received(verifying, order(V4, {"body": {"$.part": {"type": "Uuid", "format": form}}}))
    assert re.fullmatch(f'"{UUID_FORMATS[form]}"', part_of(asked))


@pytest.mark.parametrize("version", [V3, V4])
def test_generator_from_a_provider_state(version: str, verifying: Verifying) -> None:
    """V4 `generators`: a provider state's value."""
    generators = {"body": {"$.part": {"type": "ProviderState", "expression": "${id}"}}}
    document = order(version, generators, providerStates=[{"name": "a part is known"}])
    asked = received(verifying, document, Reply(body={"id": 4711}))
    assert part_of(asked) in {"4711", '"4711"'}


def test_generator_of_a_mock_servers_url_is_the_consumers(verifying: Verifying) -> None:
    """V4 `generators`: a mock server's URL; there is none when a provider is verified, and the example is sent."""
    generator = {"type": "MockServerURL", "regex": ".*(/orders)", "example": "http://localhost:1/orders"}
    asked = received(verifying, order(V4, {"body": {"$.part": generator}}))
    assert part_of(asked) == '"an example"'


@pytest.mark.parametrize("version", [V3, V4])
class TestGeneratorFor:
    def test_the_path(self, version: str, verifying: Verifying) -> None:
        """V3 `http_generators`: the request's path."""
        path = {"type": "ProviderState", "expression": "/parts/${id}/orders"}
        document = order(version, {"path": path}, providerStates=[{"name": "a part is known"}])
        asked = received(verifying, document, Reply(body={"id": 4711}))
        assert asked.path.partition("?")[0] == "/parts/4711/orders"

    def test_a_header(self, version: str, verifying: Verifying) -> None:
        """V3 `http_generators`: the request's headers."""
        asked = received(verifying, order(version, {"header": {"X-Shelf": KINDS["random integer"][0]}}))
        assert re.fullmatch(r"[1-9]\d\d", asked.headers["x-shelf"])

    def test_a_query_parameter(self, version: str, verifying: Verifying) -> None:
        """V3 `http_generators`: the request's query parameters."""
        asked = received(verifying, order(version, {"query": {"size": KINDS["random integer"][0]}}))
        assert re.fullmatch(r"/orders\?colour=red&size=[1-9]\d\d", asked.path)

    def test_the_answer_is_the_mock_servers(self, version: str, verifying: Verifying) -> None:
        """V3 `http_generators`: the response's status, headers and body.

        A mock server prepares them for a consumer. What a provider answers is compared with the pact's own values.
        """
        number = KINDS["random integer"][0]
        generators = {"status": number, "header": {"X-Shelf": number}, "body": {"$.part": number}}
        assert answered(verifying, version, generators).only.outcome == Outcome.PASSED

    def test_the_answer_from_a_provider_state(self, version: str, verifying: Verifying) -> None:
        """V4 `generators`: a provider state's value in an answer; the core compares with the pact's own there, too."""
        state = {"type": "ProviderState", "expression": "${id}"}
        generators = {"header": {"X-Shelf": state}, "body": {"$.part": state}}
        found = answered(verifying, version, generators, Reply(body={"id": "B12"}))
        assert found.only.outcome == Outcome.PASSED


def answered(
    verifying: Verifying, version: str, generators: dict[str, Any], states: Reply | None = None
) -> Verified:
    """Verify an answer as the pact has it, where the pact generates parts of it."""
    response = {"headers": {"X-Shelf": "A7"}, "generators": generators}
    given = [{"name": "a part is known"}]
    document = pact(version, http(version, response=response, content=ORDER, providerStates=given))
    return verifying(document, reply_with(ORDER, headers={"X-Shelf": "A7"}), states=states)
