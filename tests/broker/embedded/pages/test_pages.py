"""The pages, as they are sent and as a real Chromium shows them."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import broker.embedded.pages
from broker.embedded.pages.interactions import interactions_in, outcomes
from tests.broker.embedded.conftest import example
from tests.support.browser import needs_chromium
from tests.support.chromium import chromium
from tests.support.processes import EmbeddedBroker

if TYPE_CHECKING:
    from collections.abc import Iterator

    import requests


SENTENCE = "Expected 'EUR' (String) to be equal to 'USD' (String)"
BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"}
TEMPLATES = Path(broker.embedded.pages.__file__).with_name("templates")
HOSTILE = "<script>document.title='owned'</script>/\"'&"
PACT = "/pacts/provider/Bar/consumer/Foo/version/1"
AGO = r"(?:just now|\d+ \w+ ago)"


def verify(broker: EmbeddedBroker, pact_path: str, *, success: bool, **fields: Any) -> str:
    """Publish a result for a pact, and return its URL."""
    found = broker.get(pact_path).json()
    answer = broker.request(
        "POST",
        found["_links"]["pb:publish-verification-results"]["href"],
        json={"success": success, "providerApplicationVersion": "9", **fields},
    )
    assert answer.status_code == 201, answer.text
    return answer.headers["Location"]


@pytest.fixture(scope="module")
def result_url(shared_broker: EmbeddedBroker) -> str:
    """Return the URL of a failed result in a broker with a pact, a deployment, and a hostile pact."""
    shared_broker.publish(
        example(), "1", branch="main", tags=("dev",), build_url="https://ci.example.org/1?a=1&b=2"
    )
    hostile = example()
    hostile["consumer"]["name"] = hostile["provider"]["name"] = HOSTILE
    hostile["interactions"][0]["description"] = HOSTILE
    shared_broker.publish(hostile, HOSTILE, branch=HOSTILE, tags=(HOSTILE,), build_url="javascript:alert(1)")
    environment = shared_broker.request(
        "POST", "/environments", json={"name": "production", "production": True}
    ).json()
    shared_broker.request("PUT", "/pacticipants/Bar/versions/9")
    shared_broker.request(
        "POST", f"/pacticipants/Bar/versions/9/deployed-versions/environment/{environment['uuid']}"
    )
    (one,) = shared_broker.get(PACT).json()["interactions"]
    mismatches = [
        {"attribute": "body", "identifier": "$.id", "description": "Expected 1 but got 2"},
        {"attribute": "status", "description": HOSTILE},
    ]
    tests = [
        {"interactionId": one["_id"], "success": False, "mismatches": mismatches},
        {"interactionDescription": "another request", "success": True},
        {"interactionDescription": "a third", "success": False, "exceptions": [{"message": "no answer"}]},
    ]
    return verify(shared_broker, PACT, success=False, testResults=tests, buildUrl="https://ci.example.org/9")


def page(broker: EmbeddedBroker, path: str, status: int = 200) -> requests.Response:
    answer = broker.get(path, headers=BROWSER)
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "text/html;charset=utf-8"
    return answer


def text(answer: requests.Response) -> str:
    return html.unescape(answer.text)


@pytest.mark.parametrize(
    "accept",
    [
        None,
        "*/*",
        "application/hal+json, application/json",
        "application/json",
        "application/hal+json, */*",
        "application/json;q=0.9, text/html",
        "text/html;q=0",
    ],
)
def test_who_asks_for_json_never_gets_a_page(shared_broker: EmbeddedBroker, accept: str | None) -> None:
    for path in ("/", PACT):
        answer = shared_broker.get(path, headers={"Accept": accept})
        assert answer.status_code == 406 or answer.headers["Content-Type"].startswith("application/")
        assert b"<html" not in answer.content


def test_the_first_page_lists_the_pacts(shared_broker: EmbeddedBroker, result_url: str) -> None:
    first = page(shared_broker, "/")
    for expected in ("Foo", "Bar", "main", "failed", "not verified", f'href="{result_url}"'):
        assert expected in first.text
    assert f'href="{shared_broker.url}{PACT}"' in first.text


def test_a_narrow_list_of_pacts_has_a_label_before_each_value(
    shared_broker: EmbeddedBroker, result_url: str
) -> None:
    assert result_url
    shown = page(shared_broker, "/").text
    for label in ("Consumer", "Provider", "Latest version", "Last result", "Verified by"):
        assert f'data-label="{label}"' in shown


@pytest.mark.parametrize("template", sorted(TEMPLATES.glob("*.html")), ids=lambda path: path.stem)
def test_each_table_becomes_cards_on_a_narrow_window(template: Path) -> None:
    source = template.read_text(encoding="utf-8")
    assert source.count("<table") == source.count('<table class="cards">')
    for cell in re.findall(r"<td[^>]*>", source):
        assert "data-label=" in cell or cell == '<td class="none">', cell


def test_a_commit_id_is_shortened_where_its_whole_is_a_title(
    shared_broker: EmbeddedBroker, result_url: str
) -> None:
    assert result_url
    sha = "2f3c9d1e5a7b8c9d0e1f2a3b4c5d6e7f8a9b0c1d"
    document = example()
    document["consumer"]["name"] = "Foo by commits"
    shared_broker.publish(document, sha)
    assert f'title="{sha}">2f3c9d1e</a>' in page(shared_broker, "/").text


def test_a_time_in_a_list_says_how_long_ago_and_its_title_when(
    shared_broker: EmbeddedBroker, result_url: str
) -> None:
    assert result_url
    day_and_time = r"\d{4}-\d\d-\d\d \d\d:\d\d UTC"
    assert re.search(
        rf'<time datetime="[^"]+" title="{day_and_time}">{AGO}</time>', page(shared_broker, "/").text
    )
    shown = page(shared_broker, PACT).text
    assert re.search(
        rf'<time datetime="[^"]+">{day_and_time}</time> <span class="soft">\({AGO}\)</span>', shown
    )


def test_the_pages_of_the_matrix(shared_broker: EmbeddedBroker, result_url: str) -> None:
    pair = "/matrix/provider/Bar/consumer/Foo"
    assert f'href="{shared_broker.url}{pair}"' in page(shared_broker, "/matrix").text
    shown = page(shared_broker, pair).text
    assert "Matrix of Foo and Bar" in shown
    assert result_url.rpartition("/")[2] in shown
    query = "/matrix?q[][pacticipant]=Foo&q[][version]=1&q[][pacticipant]=Bar&q[][version]=9&latestby=cvpv"
    shown = page(shared_broker, query).text
    assert "they don't go together" in html.unescape(shown)
    assert "The verification for the pact between" in shown
    page(shared_broker, "/matrix?q[][pacticipant]=Nobody", 400)


def test_the_page_of_the_environments(shared_broker: EmbeddedBroker, result_url: str) -> None:
    assert result_url
    shown = page(shared_broker, "/environments").text
    for expected in ("Production", '<span class="word">production</span>', "Bar", "deployed"):
        assert expected in shown


def test_what_is_not_there_is_a_page_for_a_browser(shared_broker: EmbeddedBroker) -> None:
    assert "Not found" in page(shared_broker, "/nothing", 404).text
    assert shared_broker.get("/nothing").headers["Content-Type"].startswith("application/")


def test_a_pact_marks_the_interactions_that_failed_last(
    shared_broker: EmbeddedBroker, result_url: str
) -> None:
    assert f'in the <a href="{result_url}">last result</a>' in page(shared_broker, PACT).text


def test_the_page_of_a_pact(shared_broker: EmbeddedBroker, result_url: str) -> None:
    shown = page(shared_broker, PACT)
    for expected in ("a request for a thing", "GET /thing → 200", "https://ci.example.org/1?a=1&b=2", "dev"):
        assert expected in text(shown)
    assert result_url in shown.text
    document = shared_broker.get(PACT).json()["_links"]
    content = document["pb:pact-version"]["href"]
    for same in ("/pacts/provider/Bar/consumer/Foo/latest", content, f"{content}/metadata/Y3ZuPTE"):
        assert re.sub(AGO, "", page(shared_broker, same).text) == re.sub(AGO, "", shown.text)


def test_the_page_of_a_result(shared_broker: EmbeddedBroker, result_url: str) -> None:
    shown = text(page(shared_broker, result_url))
    for expected in (
        "a request for a thing",
        "GET /thing → 200",
        "$.id: Expected 1 but got 2",
        "another request",
        "no answer",
        "https://ci.example.org/9",
    ):
        assert expected in shown


def test_the_page_of_a_pacticipant(shared_broker: EmbeddedBroker, result_url: str) -> None:
    assert result_url
    shown = page(shared_broker, "/pacticipants/Bar").text
    for expected in ("Production", "deployed", "<h2>Pacts</h2>"):
        assert expected in shown
    shown = page(shared_broker, "/pacticipants/Foo").text
    for expected in ("main", "dev", "https://ci.example.org/1?a=1&amp;b=2"):
        assert expected in shown


def test_what_is_not_there_is_a_page_too(shared_broker: EmbeddedBroker) -> None:
    assert "Not found" in page(shared_broker, "/pacticipants/Nobody", 404).text
    assert "Not found" in page(shared_broker, "/pacts/provider/Bar/consumer/Foo/version/99", 404).text


def hostile_paths(broker: EmbeddedBroker) -> Iterator[str]:
    yield "/"
    for relation in ("self", "pb:consumer"):
        for one in broker.get("/pacts/latest").json()["pacts"]:
            if one["_embedded"]["consumer"]["name"] == HOSTILE:
                pact = broker.get(one["_links"]["self"][1]["href"]).json()
                yield pact["_links"][relation]["href"]


def test_hostile_names_stay_text(shared_broker: EmbeddedBroker, result_url: str) -> None:
    for path in (*hostile_paths(shared_broker), result_url):
        shown = page(shared_broker, path)
        assert "<script" not in shown.text, path
        assert 'href="javascript:' not in shown.text, path
        assert HOSTILE in text(shown), path
        policy = shown.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; style-src 'sha256-")


def test_an_empty_broker_says_how_to_begin(broker: EmbeddedBroker) -> None:
    assert f"--broker-base-url {broker.url} " in page(broker, "/").text


@needs_chromium
def test_chromium_shows_the_pages_and_runs_no_script_of_a_hostile_name(
    shared_broker: EmbeddedBroker, result_url: str
) -> None:
    with chromium() as browser:
        shown = browser.new_page()
        for path in (*hostile_paths(shared_broker), result_url):
            shown.goto(path if path.startswith("http") else f"{shared_broker.url}{path}")
            assert HOSTILE in shown.inner_text("main")
            assert "owned" not in shown.title().replace(HOSTILE, "")
        shown.goto(result_url)
        assert "$.id: Expected 1 but got 2" in shown.inner_text("main")


@pytest.mark.parametrize(
    "content",
    [None, [], {}, {"interactions": 1}, {"interactions": [1, None, {"request": 1}], "messages": [{}]}],
)
def test_any_content_can_be_shown(content: Any) -> None:
    assert all(one.description for one in interactions_in(content))


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (None, []),
        ([1, {}], [("(unnamed)", None)]),
        ({"tests": [{"description": "x", "success": True}]}, [("x", True)]),
        (
            {"examples": [{"description": "x", "status": "failed", "exception": {"message": "m"}}]},
            [("x", False)],
        ),
        ({"summary": {}}, []),
    ],
)
def test_results_of_any_verifier_are_read(told: Any, expected: list[tuple[str, bool | None]]) -> None:
    assert [(one.description, one.success) for one in outcomes(told, [])] == expected


def test_a_result_shows_both_values_and_a_cause_once(tmp_path: Path) -> None:
    wrong = {"attribute": "body", "identifier": "$.price", "description": SENTENCE}
    tests = [
        {
            "interactionDescription": name,
            "success": False,
            "mismatches": [wrong | {"expected": '"EUR"', "actual": '"USD"'}],
        }
        for name in ("a first", "a second")
    ]
    with EmbeddedBroker(tmp_path) as broker:
        broker.publish(example(), "1")
        shown = text(page(broker, verify(broker, PACT, success=False, testResults=tests)))
    assert shown.count('$.price: expected "EUR", got "USD"') == 1
    assert "The same as with: a first" in shown
