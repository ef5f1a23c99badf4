"""Whatever is sent, the answer is a refusal with a reason, never a 500, and the broker goes on."""

from __future__ import annotations

import base64
import json
import socket
from itertools import product
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit
from uuid import uuid4

import pytest

from broker.embedded.application import MAX_BODY_BYTES
from broker.embedded.http.bodies import MAX_DEPTH

if TYPE_CHECKING:
    from tests.support.processes import EmbeddedBroker

JSON = {"Content-Type": "application/json"}
PACT_PATH = "/pacts/provider/Bar/consumer/Foo/version/1"

BAD_BODIES = {
    "empty": b"",
    "not JSON": b"{",
    "array": b"[]",
    "string": b'"text"',
    "null": b"null",
    "number": b"1",
    "not UTF-8": b'{"a": "\xff"}',
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "half of a surrogate pair": b'{"pacticipantName": "\\ud800"}',
    "NaN": b'{"a": NaN}',
    "infinite number": b'{"a": 1e999}',
    "huge integer": b'{"a": ' + b"9" * 5000 + b"}",
    "deep array": b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "deep object": b'{"a":' * 5000 + b"1" + b"}" * 5000,
    "just too deep": b'{"a":' * (MAX_DEPTH + 1) + b"1" + b"}" * (MAX_DEPTH + 1),
}
TARGETS = {
    "publish contracts": ("POST", "/contracts/publish"),
    "put pact": ("PUT", PACT_PATH),
    "create pacticipant": ("POST", "/pacticipants"),
    "for verification": ("POST", "/pacts/provider/Bar/for-verification"),
}


def refused(broker: EmbeddedBroker, method: str, path: str, **options: Any) -> Any:
    """Send a request; return what the refusal says."""
    answer = broker.request(method, path, **options)
    assert 400 <= answer.status_code < 500, f"{answer.status_code} {answer.text}"
    assert broker.get("/diagnostic/status/heartbeat").json()["ok"] is True
    return answer.json()


@pytest.mark.parametrize(
    ("target", "body"),
    # No body means no selectors.
    [pair for pair in product(TARGETS, BAD_BODIES) if pair != ("for verification", "empty")],
)
def test_unusable_bodies_are_refused(broker_process: EmbeddedBroker, target: str, body: str) -> None:
    method, path = TARGETS[target]
    answer = refused(broker_process, method, path, data=BAD_BODIES[body], headers=JSON)
    assert answer.get("error") or answer["errors"]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    "media_type", ["text/plain", "application/x-www-form-urlencoded", "application/xml", "", "x"]
)
def test_other_media_types_are_refused(broker_process: EmbeddedBroker, target: str, media_type: str) -> None:
    method, path = TARGETS[target]
    answer = broker_process.request(method, path, data=b"{}", headers={"Content-Type": media_type})
    assert (answer.status_code, answer.json()) == (
        415,
        {"error": "The Content-Type must be application/json."},
    )


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_limit_is_refused(broker_process: EmbeddedBroker, *, chunked: bool) -> None:
    body = b'{"a": "' + b"x" * MAX_BODY_BYTES + b'"}'
    pieces = (body[start : start + 1_000_000] for start in range(0, len(body), 1_000_000))
    answer = broker_process.request("PUT", PACT_PATH, data=pieces if chunked else body, headers=JSON)
    assert (answer.status_code, answer.json()) == (413, {"error": "The body is larger than 20 MB."})


@pytest.mark.parametrize("body", [body for body in BAD_BODIES if body != "empty"])
def test_unusable_content_of_a_contract_is_refused(broker_process: EmbeddedBroker, body: str) -> None:
    errors = refused(
        broker_process,
        "POST",
        "/contracts/publish",
        json=publication(base64.b64encode(BAD_BODIES[body]).decode()),
    )["errors"]
    assert list(errors) == ["contracts"]


@pytest.mark.parametrize("value", [None, 1, True, [], {}, "", "  "])
@pytest.mark.parametrize(
    "field", ["pacticipantName", "pacticipantVersionNumber", "branch", "buildUrl", "tags", "contracts"]
)
def test_fields_of_the_wrong_type_are_refused(
    broker_process: EmbeddedBroker, field: str, value: object
) -> None:
    content = base64.b64encode(b'{"interactions": []}').decode()
    body = {**publication(content), field: value}
    answer = broker_process.request("POST", "/contracts/publish", json=body)
    if (field, value) in (("tags", []), ("contracts", [])) or (
        value is None and field in {"branch", "buildUrl", "tags"}
    ):
        assert answer.status_code == 200
    else:
        assert answer.status_code == 400
        assert field in answer.json()["errors"]


@pytest.mark.parametrize("value", [None, 1, [], {}, "", "%%%"])
@pytest.mark.parametrize("field", ["consumerName", "providerName", "specification", "contentType", "content"])
def test_fields_of_a_contract_of_the_wrong_type_are_refused(
    broker_process: EmbeddedBroker, field: str, value: object
) -> None:
    body = publication(base64.b64encode(b"{}").decode())
    body["contracts"][0][field] = value
    if (field, value) == ("providerName", "%%%"):
        assert broker_process.request("POST", "/contracts/publish", json=body).status_code == 200
    else:
        assert refused(broker_process, "POST", "/contracts/publish", json=body)["errors"]["contracts"]


@pytest.mark.parametrize("contract", [None, 1, "x", [], {}])
def test_contracts_that_are_none_are_refused(broker_process: EmbeddedBroker, contract: object) -> None:
    body = {**publication(""), "contracts": [contract]}
    assert refused(broker_process, "POST", "/contracts/publish", json=body)["errors"]["contracts"]


@pytest.mark.parametrize(
    "strange",
    [
        {"consumer": None, "provider": "x", "interactions": None, "metadata": []},
        {"interactions": [1, None, [], {}, {"_id": 1}]},
        {"interactions": {}, "messages": "x", "_links": 1, "createdAt": []},
        {"metadata": {"pactSpecification": [{}]}, "messages": [{"description": "\u0000 \U0001f600 \u2028"}]},
        {},
    ],
)
def test_strange_pacts_are_kept_as_they_are(broker_process: EmbeddedBroker, strange: dict[str, Any]) -> None:
    path = f"/pacts/provider/Bar/consumer/Strange/version/{uuid4()}"
    assert broker_process.request("PUT", path, json=strange).status_code == 201
    found = broker_process.get(path)
    assert found.status_code == 200
    for key in strange.keys() - {"interactions", "messages", "_links", "createdAt"}:
        assert found.json()[key] == strange[key]


@pytest.mark.parametrize(
    "name",
    [
        "a/b",
        "a b",
        "a+b",
        "100%",
        "%2F",
        "%252F",
        "a%b",
        "ä/ö ü",
        "名前",
        "\U0001f600",
        "a?b#c",
        "a&b=c",
        "{name}",
        "..",
        "'\"<script>",
        "a\tb\nc\rd",
        "\u0000",
        "a;b,c",
        "latest",
        "x" * 300,
    ],
)
def test_any_name_can_be_used_everywhere(
    broker_process: EmbeddedBroker, pact: dict[str, Any], name: str
) -> None:
    broker = broker_process
    pact["consumer"]["name"], pact["provider"]["name"] = name, f"{name} provider"
    published = broker.publish(pact, name, branch=name, tags=(name,))

    # requests would resolve "..", so these go over a plain socket.
    for relation in ("pb:pacticipant", "pb:pacticipant-version"):
        assert raw_status(broker, published["_links"][relation]["href"]) == 200
    found = raw_get(broker, published["_links"]["pb:contracts"][0]["href"])
    assert found["interactions"][0]["description"] == "a request for a thing"
    for relation in (
        "pb:consumer-version",
        "pb:pact-version",
        "pb:latest-pact-version",
        "pb:all-pact-versions",
    ):
        assert raw_status(broker, found["_links"][relation]["href"]) == 200, relation
    branch = (
        f"{broker.url}/pacticipants/{quote(name, safe='')}/branches/{quote(name, safe='')}/latest-version"
    )
    assert raw_get(broker, branch)["number"] == name
    result = broker.request(
        "POST",
        found["_links"]["pb:pact-version"]["href"].replace("/../", "/%2E%2E/") + "/verification-results",
        json={"success": True, "providerApplicationVersion": name},
    )
    if name != "..":
        assert raw_status(broker, result.headers["Location"]) == 200
        matrix = broker.get(
            "/matrix", params={"q[][pacticipant]": name, "q[][version]": name, "latestby": "cvp"}
        )
        assert matrix.json()["summary"]["deployable"] is True


@pytest.mark.parametrize(
    "path",
    [
        "/%ff",
        "/pacticipants/%ff",
        "/pacticipants/%00%01",
        "/pacticipants/%ED%A0%80",
        "/pacticipants//versions",
        "/pacticipants/a%2Fversions",
        "/pacts/provider/Bar/consumer/Foo/pact-version/%ff/metadata/%ff",
        "/pacts/provider/Bar/consumer/Foo/pact-version/0/verification-results/" + "9" * 3000,
        "/pacts/provider/Bar/consumer/Foo/pact-version/0/verification-results/-1",
        "/pacts/provider/Bar/consumer/Foo/version/" + "x" * 7000,
        "http://elsewhere.example.org/pacticipants/x",
        "/../../etc/passwd",
    ],
)
def test_strange_paths_are_not_found(broker_process: EmbeddedBroker, path: str) -> None:
    assert raw_status(broker_process, path) == 404


@pytest.mark.parametrize(
    "segment", ["x", "%ff", "====", "_-_-", "Y3Y9OTk5OTk5OTk5OTk5OTk5OTk5OTk5", "Y3Y9LTE", "a" * 5000]
)
def test_unreadable_metadata_says_nothing(
    broker_process: EmbeddedBroker, pact: dict[str, Any], segment: str
) -> None:
    broker = broker_process
    pact["consumer"]["name"] = "Unreadable"
    broker.publish(pact, "1")
    content = broker.get("/pacts/provider/Bar/consumer/Unreadable/latest").json()["_links"][
        "pb:pact-version"
    ]["href"]
    status = raw_status(broker, f"{content}/metadata/{segment}")
    assert status == (404 if segment == "%ff" else 200)


@pytest.mark.parametrize(
    "query",
    [
        "",
        "q",
        "q[]",
        "q[][pacticipant]",
        "q[][version]=1",
        "q[][pacticipant]=",
        "q[][pacticipant]=Nope",
        "q%5B%5D%5Bpacticipant%5D=%ff",
        "q[][pacticipant]=Nope&latestby=x&limit=-1",
        "&&&===",
        "%",
    ],
)
def test_strange_matrix_queries_are_refused(broker_process: EmbeddedBroker, query: str) -> None:
    assert raw_status(broker_process, f"/matrix?{query}") == 400


@pytest.mark.parametrize("host", ["a b", 'evil"><script>', "a/b", "a@b", "x:y", "[::1"])
def test_a_host_header_that_is_none_never_comes_back_in_links(
    broker_process: EmbeddedBroker, host: str
) -> None:
    assert raw_status(broker_process, "/", host=host) == 400


def test_forwarding_headers_change_nothing(broker_process: EmbeddedBroker) -> None:
    headers = {
        "X-Forwarded-Host": "evil.example.org",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Prefix": "/x",
        "X-Forwarded-For": "1.2.3.4",
        "Forwarded": "host=evil.example.org;proto=https",
    }
    index = broker_process.get("/", headers=headers).json()
    assert index["_links"]["self"]["href"] == broker_process.url


@pytest.mark.parametrize("method", ["TRACE", "PROPFIND", "PATCH", "DELETE", "OPTIONS", "HEAD"])
def test_other_methods_are_answered(broker_process: EmbeddedBroker, method: str) -> None:
    answer = broker_process.request(method, "/pacts/latest")
    assert answer.status_code == (200 if method in {"OPTIONS", "HEAD"} else 405)
    if answer.status_code == 405:
        assert (answer.headers["Allow"], answer.text) == ("GET, HEAD, OPTIONS", "")


@pytest.mark.parametrize(
    "selectors",
    [
        1,
        "x",
        {},
        [1],
        [None],
        [{"branch": 1}],
        [{"mainBranch": "x"}],
        [{"tag": []}],
        [{"environment": "production"}],
    ],
)
def test_strange_selectors_are_refused(broker_process: EmbeddedBroker, selectors: object) -> None:
    body = {"consumerVersionSelectors": selectors}
    answer = refused(broker_process, "POST", "/pacts/provider/Bar/for-verification", json=body)
    assert answer["errors"]["consumerVersionSelectors"]


def publication(content: str) -> dict[str, Any]:
    return {
        "pacticipantName": "Foo",
        "pacticipantVersionNumber": "1",
        "contracts": [
            {
                "consumerName": "Foo",
                "providerName": "Bar",
                "specification": "pact",
                "contentType": "application/json",
                "content": content,
            }
        ],
    }


def raw_answer(broker: EmbeddedBroker, url: str, host: str | None = None) -> tuple[int, bytes]:
    """Send a GET for exactly that path, and return the status and the body."""
    base = urlsplit(broker.url)
    target = url.removeprefix(broker.url)
    with socket.create_connection((base.hostname, base.port), timeout=30) as connection:
        request = f"GET {target} HTTP/1.1\r\nHost: {host or base.netloc}\r\nConnection: close\r\n\r\n"
        connection.sendall(request.encode("latin-1"))
        head, _, body = connection.makefile("rb").read().partition(b"\r\n\r\n")
    return int(head.split()[1]), body


def raw_status(broker: EmbeddedBroker, url: str, host: str | None = None) -> int:
    return raw_answer(broker, url, host)[0]


def raw_get(broker: EmbeddedBroker, url: str) -> Any:
    status, body = raw_answer(broker, url)
    assert status == 200, body
    return json.loads(body)
