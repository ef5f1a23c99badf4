"""Variables in a webhook's request."""

from __future__ import annotations

import json
from urllib.parse import unquote, urlsplit

from hypothesis import given
from hypothesis import strategies as st

from broker.embedded.webhooks.template import Template, render

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda children: st.lists(children, max_size=3) | st.dictionaries(TEXT, children, max_size=3),
    max_leaves=8,
)
ANY = "${pactbroker.x}"


def of(**changes: object) -> Template:
    return Template(**{"method": "POST", "url": "http://h/", "headers": {}, **changes})  # type: ignore[arg-type]


@given(TEXT)
def test_a_value_in_a_url_stays_one_segment(value: str) -> None:
    url = render(of(url=f"http://h/a/{ANY}/b?q={ANY}"), {"pactbroker.x": value}).url
    parts = urlsplit(url)
    segments = parts.path.split("/")
    assert (parts.netloc, len(segments), unquote(segments[2]), unquote(parts.query)) == (
        "h",
        4,
        value,
        f"q={value}",
    )


@given(TEXT)
def test_a_value_in_a_json_body_stays_one_string(value: str) -> None:
    body = render(of(body={"a": [f"<{ANY}>"], ANY: 1}), {"pactbroker.x": value}).body
    assert json.loads(body or "") == {"a": [f"<{value}>"], value: 1}


@given(TEXT)
def test_a_value_in_a_header_makes_no_other_header(value: str) -> None:
    header = render(of(headers={"x": f"a{ANY}"}), {"pactbroker.x": value}).headers["x"]
    assert not {"\r", "\n", "\0"} & set(header)


@given(JSON.filter(lambda body: body is not None))
def test_a_body_without_known_variables_is_sent_as_it_is(body: object) -> None:
    sent = render(of(body=body), {}).body
    assert sent is not None
    assert (sent if isinstance(body, str) else json.loads(sent)) == body


@given(TEXT)
def test_a_value_is_not_searched_for_variables(value: str) -> None:
    values = {"pactbroker.x": "${user.secret}", "user.secret": value}
    assert render(of(body=f"{ANY} "), values).body == "${user.secret} "


def test_an_unknown_variable_stays_as_it_is() -> None:
    template = of(
        url="http://h/${pactbroker.nope}", headers={"a": "${user.nope}"}, body="${other.x} ${pactbroker.y"
    )
    rendered = render(template, {"pactbroker.x": "1"})
    assert (rendered.url, rendered.headers, rendered.body) == (template.url, template.headers, template.body)


def test_the_secrets_of_a_request_are_found_everywhere() -> None:
    template = of(
        url="http://h/${user.a}",
        headers={"x": "${user.b}"},
        body={"k": ["${user.c}"], "${user.d}": 1},
        username="${user.e}",
        password="${user.f}${pactbroker.x}",
    )
    assert template.secret_names() == set("abcdef")


def test_json_is_sent_compact_and_in_utf_8() -> None:
    assert render(of(body={"a": "é", "b": [1, None]}), {}).body == '{"a":"é","b":[1,null]}'
