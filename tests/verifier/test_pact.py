"""The pact document: every specification read, every wrong document refused, shards that change nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.examples import http_interaction, pact_document
from tests.support.paths import ROOT
from verifier.pact import HTTP, MESSAGE, SYNCHRONOUS_MESSAGE, Pact, ProviderState
from verifier.pact_document import NotAPact, parse_pact

EXAMPLE = ROOT / "examples" / "storefront-products.json"


def message(description: str = "a product was sold", **parts: Any) -> dict[str, Any]:
    return {"description": description, "contents": {"id": 7}, **parts}


def four() -> Pact:
    """Read a document with four interactions and an empty list of messages."""
    return parse_pact(
        pact_document(
            *(http_interaction(description) for description in ("one", "two", "three", "four")),
            messages=[],
            _links={"self": {"href": "http://broker.example"}},
            createdAt="2026-01-01",
            extra={"kept": True},
        )
    )


def chosen(pact: Pact, *indexes: int) -> dict[str, Any]:
    shard: dict[str, Any] = json.loads(pact.shard(tuple(pact.interactions[index] for index in indexes)))
    return shard


def test_example_pact_is_read() -> None:
    pact = parse_pact(json.loads(EXAMPLE.read_text()))
    assert (pact.consumer, pact.provider, pact.specification) == ("Storefront", "Products", "3.0.0")
    assert [interaction.index for interaction in pact.interactions] == list(range(len(pact.interactions)))
    assert {interaction.kind for interaction in pact.interactions} == {HTTP}
    assert str(pact.interactions[3].states[0]) == 'a product exists (id: 7, name: "Kettle")'


@pytest.mark.parametrize(
    ("metadata", "version"),
    [
        ({"pactSpecificationVersion": "1.0.0"}, "1.0.0"),
        ({"pact-specification": {"version": "2.0.0"}}, "2.0.0"),
        ({"pactSpecification": {"version": "3.0.0"}}, "3.0.0"),
        ({"pactSpecification": {"version": 3.0}}, "3.0"),
        ({"pactSpecification": "4.0"}, ""),
        ({}, ""),
        (None, ""),
        ("4.0", ""),
    ],
)
def test_specification_is_found_under_each_of_its_names(metadata: Any, version: str) -> None:
    assert parse_pact(pact_document(http_interaction(), metadata=metadata)).specification == version


@pytest.mark.parametrize(
    ("parts", "states"),
    [
        ({}, ()),
        ({"provider_state": "a product exists"}, (ProviderState("a product exists", {}),)),
        ({"providerState": "a product exists"}, (ProviderState("a product exists", {}),)),
        ({"providerState": ""}, ()),
        ({"providerState": None}, ()),
        ({"providerStates": []}, ()),
        ({"providerStates": None, "providerState": "one"}, ()),
        (
            {"providerStates": [{"name": "one", "params": {"id": 7}}, {"name": "two"}]},
            (ProviderState("one", {"id": 7}), ProviderState("two", {})),
        ),
        ({"providerStates": [{"name": "one", "params": None}]}, (ProviderState("one", {}),)),
    ],
)
def test_states_of_every_specification_are_read(
    parts: dict[str, Any], states: tuple[ProviderState, ...]
) -> None:
    [interaction] = parse_pact(pact_document(http_interaction(**parts))).interactions
    assert interaction.states == states


def test_state_is_shown_with_its_parameters() -> None:
    assert str(ProviderState("one", {})) == "one"
    assert str(ProviderState("one", {"id": 7, "name": "Kettle", "tags": [1]})) == (
        'one (id: 7, name: "Kettle", tags: [1])'
    )


def test_messages_of_v3_are_read() -> None:
    pact = parse_pact(pact_document(messages=[message("one"), message("two")]))
    assert [(i.index, i.description, i.kind, i.request) for i in pact.interactions] == [
        (0, "one", MESSAGE, "message"),
        (1, "two", MESSAGE, "message"),
    ]


def v4_document(*interactions: Any) -> dict[str, Any]:
    return pact_document(*interactions, metadata={"pactSpecification": {"version": "4.0"}})


def test_v4_kinds_keys_and_pending_are_read() -> None:
    pact = parse_pact(
        v4_document(
            http_interaction("http", type=HTTP, key="k1", pending=True),
            message("message", type=MESSAGE, pending=False, key=5),
            {
                "type": SYNCHRONOUS_MESSAGE,
                "description": "sync",
                "request": {},
                "response": [],
                "pending": "yes",
            },
        )
    )
    assert [i.kind for i in pact.interactions] == [HTTP, MESSAGE, SYNCHRONOUS_MESSAGE]
    assert [i.key for i in pact.interactions] == ["k1", "", ""]
    assert [i.pending for i in pact.interactions] == [True, False, False]
    assert [i.request for i in pact.interactions] == ["GET /products", "message", "synchronous message"]


@pytest.mark.parametrize(
    ("comments", "texts", "test_name"),
    [
        ({"text": ["é", "b"], "testname": "StockTest"}, ("é", "b"), "StockTest"),
        ({"text": "a", "testname": None}, ("a",), ""),
        ({"text": ["a", 5, None, {"b": 1}], "testname": 5}, ("a", "5", '{"b":1}'), "5"),
        ({"references": {}}, (), ""),
        ("a", (), ""),
        (None, (), ""),
    ],
)
def test_comments_of_v4_are_read(comments: Any, texts: tuple[str, ...], test_name: str) -> None:
    [interaction] = parse_pact(v4_document(http_interaction(type=HTTP, comments=comments))).interactions
    assert (interaction.comments, interaction.test_name) == (texts, test_name)


def test_only_v4_has_pending_and_comments() -> None:
    parts: dict[str, Any] = {"type": HTTP, "pending": True, "comments": {"text": ["a"], "testname": "b"}}
    [interaction] = parse_pact(pact_document(http_interaction(**parts))).interactions
    assert (interaction.pending, interaction.comments, interaction.test_name) == (False, (), "")


@pytest.mark.parametrize(
    ("request_part", "line"),
    [
        ({"method": "post", "path": "/orders"}, "POST /orders"),
        ({"path": "/orders"}, "GET /orders"),
        ({}, "GET /"),
        ({"path": "/orders", "query": "page=2&size=5"}, "GET /orders?page=2&size=5"),
        ({"path": "/orders", "query": {"page": ["2"], "tag": ["a", "b"]}}, "GET /orders?page=2&tag=a&tag=b"),
        ({"path": "/orders", "query": {"page": "2", "all": [None], "n": [1]}}, "GET /orders?page=2&all&n=1"),
        ({"path": "/orders", "query": {}}, "GET /orders"),
        ({"path": "/orders", "query": 7}, "GET /orders"),
    ],
)
def test_request_line(request_part: dict[str, Any], line: str) -> None:
    [interaction] = parse_pact(pact_document(http_interaction(request=request_part))).interactions
    assert interaction.request == line


def test_id_of_the_broker_is_kept() -> None:
    pact = parse_pact(pact_document(http_interaction(_id="abc"), http_interaction(_id=5), http_interaction()))
    assert [i.id for i in pact.interactions] == ["abc", "", ""]


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ([], "a JSON array"),
        ("a pact", "a JSON string"),
        (None, "a JSON null"),
        (True, "a JSON boolean"),
        (4.5, "a JSON number"),
        ({}, "neither 'interactions' nor 'messages'"),
        ({"consumer": {"name": "A"}, "provider": {"name": "B"}}, "neither 'interactions' nor 'messages'"),
        (pact_document() | {"interactions": {"one": 1}}, "its interactions is a JSON object, not an array"),
        (pact_document(messages="none"), "its messages is a JSON string, not an array"),
        (pact_document(5), "interactions[0] is a JSON number"),
        (pact_document(messages=[message(), []]), "messages[1] is a JSON array"),
        (v4_document(http_interaction(type="Synchronous/Smoke")), "is of type 'Synchronous/Smoke'"),
        (v4_document(http_interaction("a", type=None)), "interactions[0] ('a') has no type"),
        (v4_document(http_interaction(type=["Synchronous/HTTP"])), "is of type '[\"Synchronous/HTTP\"]'"),
    ],
)
def test_wrong_document_is_refused_with_what_is_wrong(document: Any, said: str) -> None:
    with pytest.raises(NotAPact) as error:
        parse_pact(document)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("document", "note"),
    [
        (pact_document(http_interaction(), consumer={}), "the pact doesn't name its consumer"),
        (pact_document(http_interaction(), provider={"name": 5}), "the pact doesn't name its provider"),
        (
            pact_document(http_interaction(request="GET /")),
            "interactions[0] has no request that is an object",
        ),
        (pact_document({"request": {}}), "interactions[0] has no response that is an object"),
        (v4_document() | {"messages": [message()]}, "the pact has 'messages', which a V4 pact"),
    ],
)
def test_what_could_be_read_otherwise_is_noted(document: Any, note: str) -> None:
    [found] = parse_pact(document).notes
    assert note in found


SELECTABLE = parse_pact(
    pact_document(
        http_interaction("a product", providerStates=[{"name": "there are products"}]),
        http_interaction("all products"),
        http_interaction(
            "an order", providerStates=[{"name": "there are products"}, {"name": "an order exists"}]
        ),
    )
)


@pytest.mark.parametrize(
    ("filters", "indexes"),
    [
        ({}, [0, 1, 2]),
        ({"description": "product"}, [0, 1]),
        ({"description": "^a product$"}, [0]),
        ({"description": "PRODUCT"}, []),
        ({"description": ""}, [0, 1, 2]),
        ({"state": "products"}, [0, 2]),
        ({"state": "order exists$"}, [2]),
        ({"state": ""}, [1]),
        ({"description": "an? ", "state": "products"}, [0, 2]),
        ({"description": "all", "state": "products"}, []),
    ],
)
def test_filters_choose_as_the_pact_verifiers_do(filters: dict[str, str], indexes: list[int]) -> None:
    assert [interaction.index for interaction in SELECTABLE.select(**filters)] == indexes


def test_shard_keeps_names_and_metadata_and_drops_links() -> None:
    shard = chosen(four(), 0)
    assert shard["consumer"] == {"name": "Storefront"}
    assert shard["provider"] == {"name": "Products"}
    assert shard["metadata"] == {"pactSpecification": {"version": "3.0.0"}}
    assert shard["extra"] == {"kept": True}
    assert "_links" not in shard
    assert "createdAt" not in shard


def test_shard_keeps_the_order_given_and_no_empty_list() -> None:
    shard = chosen(four(), 3, 1)
    assert [i["description"] for i in shard["interactions"]] == ["four", "two"]
    assert "messages" not in shard


def test_shard_gives_each_interaction_its_index_as_id() -> None:
    pact = parse_pact(pact_document(*(http_interaction("twins", _id="broker's") for _ in range(3))))
    assert [i["_id"] for i in chosen(pact, 0, 2)["interactions"]] == ["0", "2"]
    assert pact.interactions[0].document["_id"] == "broker's", "the pact itself stays as it was"


def test_shard_of_a_message_pact_has_no_interactions() -> None:
    document = pact_document(messages=[message("one"), message("two", _id="x")])
    del document["interactions"]
    shard = chosen(parse_pact(document), 1)
    assert "interactions" not in shard
    assert [(m["description"], m["_id"]) for m in shard["messages"]] == [("two", "1")]


def test_shard_changes_nothing_else_in_an_interaction() -> None:
    document = json.loads(EXAMPLE.read_text())
    pact = parse_pact(document)
    shard = chosen(pact, *range(len(pact.interactions)))
    for interaction in shard["interactions"]:
        del interaction["_id"]
    assert shard == document


@pytest.mark.parametrize(
    ("links", "version"),
    [
        ({"pb:consumer-version": {"name": "1.2.3", "href": "http://b"}}, "1.2.3"),
        ({"pb:consumer-version": {"href": "http://b"}}, None),
        ({"pb:consumer-version": {"name": 5}}, None),
        ({"pb:consumer-version": []}, None),
        ({}, None),
        ([], None),
        (None, None),
    ],
)
def test_consumer_version_comes_from_the_links(links: Any, version: str | None) -> None:
    assert parse_pact(pact_document(http_interaction(), _links=links)).consumer_version == version
