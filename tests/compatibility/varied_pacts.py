"""Pacts that nobody wrote, and answers that agree with them or not, as hypothesis draws them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from tests.compatibility.contents import V2, V3, V4, Content, as_form, as_json, as_text, as_xml
from tests.compatibility.verifying import http, message, message_pact, message_reply, pact, reply_with

if TYPE_CHECKING:
    from tests.support.loopback import Reply

REFUSED = "what the provider refuses"
"""The state that no provider takes."""
STATUSES = st.sampled_from([200, 201, 202, 400, 404, 500])
"""Without the redirects and the gateways' answers, which `verify` takes otherwise than the core on purpose."""
NAMES = st.sampled_from(["id", "name", "size", "tags", "état"])
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 99),
    st.sampled_from([1.5, 2.0, -0.25]),
    st.sampled_from(["", "bolt", "nut", "7", "1.0.0", "2024-02-29", "Größe", "a b&c"]),
)
JSON = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=3)),
    max_leaves=6,
)
OBJECTS = st.dictionaries(NAMES, JSON, min_size=1, max_size=4)
PARAMETERS = st.dictionaries(NAMES, LEAVES, max_size=2)
STATES = st.lists(
    st.builds(
        lambda name, params: {"name": name, "params": params} if params else {"name": name},
        st.sampled_from(["a part is known", "nothing is known", "été", "", REFUSED]),
        PARAMETERS,
    ),
    max_size=2,
)
HEADERS = st.dictionaries(
    st.sampled_from(["X-Shelf", "X-Tags", "ETag", "Cache-Control"]),
    st.sampled_from(["A7", "a, b", "b,a", "max-age=60", 'W/"7"', "1234"]),
    max_size=2,
)
PLACES = st.sampled_from(
    ["$", "$.id", "$.name", "$.size", "$.tags", "$.tags[*]", "$.*", "$['état']", "$.tags[0].id"]
)
MATCHERS = st.sampled_from(
    [
        {"match": "type"},
        {"match": "type", "min": 1},
        {"match": "type", "max": 2},
        {"match": "regex", "regex": "^[a-z]*$"},
        {"match": "regex", "regex": "\\d+"},
    ]
)
LATER_MATCHERS = st.one_of(
    MATCHERS,
    st.sampled_from(
        [
            {"match": "equality"},
            {"match": "include", "value": "o"},
            {"match": "number"},
            {"match": "integer"},
            {"match": "decimal"},
            {"match": "null"},
            {"match": "boolean"},
            {"match": "date", "format": "yyyy-MM-dd"},
            {"match": "values"},
        ]
    ),
)
V4_MATCHERS = st.one_of(
    LATER_MATCHERS,
    st.sampled_from(
        [
            {"match": "notEmpty"},
            {"match": "semver"},
            {"match": "eachKey", "rules": [{"match": "regex", "regex": "^[a-z]+$"}], "value": "id"},
            {"match": "eachValue", "rules": [{"match": "type"}], "value": "bolt"},
        ]
    ),
)


@dataclass(frozen=True)
class Case:
    """A pact, and what is answered to each of its interactions: by the path of a request, a message's description."""

    document: dict[str, Any]
    answers: dict[str, Reply]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    version = draw(st.sampled_from([V2, V3, V4]))
    only_messages = version == V3 and draw(st.integers(0, 3)) == 0
    interactions, answers = [], {}
    for place in range(draw(st.integers(1, 6))):
        if only_messages or (version == V4 and draw(st.integers(0, 3)) == 0):
            key = f"message {place}"
            interaction, answer = draw(_messages(version, key))
        else:
            key = f"/parts/{place}"
            interaction, answer = draw(_requests(version, key))
        interactions.append(interaction)
        answers[key] = answer
    made = message_pact(version, *interactions) if only_messages else pact(version, *interactions)
    return Case(made, answers)


@st.composite
def _requests(draw: st.DrawFn, version: str, path: str) -> tuple[dict[str, Any], Reply]:
    expected, answered = draw(_contents())
    headers, status = draw(HEADERS), draw(STATUSES)
    response: dict[str, Any] = {"status": status, "headers": headers} | draw(
        _rules(version, "header", headers)
    )
    request: dict[str, Any] = {"method": draw(st.sampled_from(["GET", "POST", "put"])), "path": path}
    if draw(st.booleans()):
        request["query"] = "b=2&a=x%20y" if version == V2 else {"b": ["2"], "a": ["x y", "ü"]}
    if request["method"] != "GET":
        sent, _ = draw(_contents())
        request |= {"headers": sent.headers, "body": sent.in_pact(version)}
    made = http(
        version,
        description=draw(st.sampled_from(["a part", "another part", "un été"])),
        request=request,
        response=response,
        content=draw(st.sampled_from([expected, expected, None])),
        **draw(_states(version)),
        **draw(_v4_parts()),
    )
    sent_back = answered if draw(st.booleans()) else expected
    answer = reply_with(
        sent_back,
        draw(st.sampled_from([status, status, status, 404])),
        headers if draw(st.integers(0, 3)) else draw(HEADERS),
    )
    return made, answer


@st.composite
def _messages(draw: st.DrawFn, version: str, description: str) -> tuple[dict[str, Any], Reply]:
    expected, answered = draw(_contents())
    metadata = draw(st.dictionaries(st.sampled_from(["queue", "tag"]), LEAVES, max_size=2))
    made = message(
        version,
        expected,
        description,
        metadata=metadata,
        **draw(_rules(version, "metadata", metadata)),
        **draw(_states(version)),
        **draw(_v4_parts()),
    )
    sent = answered if draw(st.booleans()) else expected
    sent_metadata = metadata if draw(st.integers(0, 3)) else {"queue": "another"}
    return made, message_reply(sent, sent_metadata)


@st.composite
def _contents(draw: st.DrawFn) -> tuple[Content, Content]:
    """Draw what is expected and what may be answered: nearly the same, or not at all."""
    kind = draw(st.sampled_from(["json", "json", "json", "text", "form", "xml"]))
    if kind == "json":
        expected = draw(OBJECTS)
        return as_json(expected), as_json(
            {**expected, **draw(OBJECTS)} if draw(st.booleans()) else draw(JSON)
        )
    name, other = draw(st.sampled_from(["bolt", "nut"])), draw(st.sampled_from(["bolt", "washer"]))
    if kind == "text":
        return as_text(f"a {name}"), as_text(f"a {other}")
    if kind == "form":
        return as_form(f"name={name}&size=8"), as_form(f"size=8&name={other}")
    return as_xml(f'<part id="7"><name>{name}</name></part>'), as_xml(
        f'<part id="8"><name>{other}</name></part>'
    )


@st.composite
def _rules(draw: st.DrawFn, version: str, where: str, named: dict[str, Any]) -> dict[str, Any]:
    matchers = {V2: MATCHERS, V3: LATER_MATCHERS, V4: V4_MATCHERS}[version]
    for_body = draw(st.dictionaries(PLACES, matchers, max_size=3))
    for_named = {name: draw(matchers) for name in named if draw(st.booleans())}
    if not for_body and not for_named:
        return {}
    if version == V2:
        flat = {place.replace("$", "$.body", 1): matcher for place, matcher in for_body.items()}
        return {"matchingRules": flat | {f"$.headers.{name}": rule for name, rule in for_named.items()}}
    rules = {"body": for_body, where: for_named}
    return {
        "matchingRules": {
            category: {place: {"matchers": [matcher], "combine": "AND"} for place, matcher in found.items()}
            for category, found in rules.items()
        }
    }


@st.composite
def _states(draw: st.DrawFn, version: str) -> dict[str, Any]:
    states = draw(STATES)
    if not states:
        return {}
    return {"providerState": states[0]["name"]} if version == V2 else {"providerStates": states}


@st.composite
def _v4_parts(draw: st.DrawFn) -> dict[str, Any]:
    """Draw what counts in V4 alone, and is in pacts of other versions too."""
    return draw(st.sampled_from([{}, {}, {}, {"pending": True}, {"comments": {"text": ["été"]}}]))
