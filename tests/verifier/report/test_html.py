"""The HTML report: one page that needs nothing from elsewhere, and in which no text becomes markup."""

from __future__ import annotations

import hashlib
import io
import re
from base64 import b64encode
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from tests.support.examples import (
    COMMENTED,
    ERROR,
    FAILED,
    MANY_MISMATCHES,
    PASSED,
    PENDING_FAILED,
    PRICE,
    verification,
)
from verifier.report.html import HtmlReport
from verifier.report.interface import Findings
from verifier.verification import PublishedResult, Verification, VerificationError

HOSTILE = "<script>alert('x')</script><img src=x onerror=\"y\">&amp;{{ 7 * 7 }}"
PUBLISHED = PublishedResult("http://broker.example/results/1", success=True, provider_version="abc1234")


class Page(HTMLParser):
    """The elements and the text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.html = html
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in {"meta", "br", "input"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data: str) -> None:
        if not {"style", "script"} & set(self.open):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def page(made: Verification, **values: object) -> Page:
    stream = io.StringIO()
    HtmlReport().write(Findings(made, **values), stream)  # type: ignore[arg-type]
    return Page(stream.getvalue())


def hostile() -> Verification:
    return verification(
        replace(
            FAILED,
            description=HOSTILE,
            request=HOSTILE,
            states=(HOSTILE,),
            comments=(HOSTILE,),
            test_name=HOSTILE,
            mismatches=(
                replace(PRICE, identifier=HOSTILE, description=HOSTILE, expected=HOSTILE, actual=None),
            ),
        ),
        replace(ERROR, reason=HOSTILE),
        replace(PASSED, description=HOSTILE),
        consumer=HOSTILE,
        provider=HOSTILE,
        provider_version=HOSTILE,
        pact_url=f"javascript:{HOSTILE}",
        build_url=f"javascript:{HOSTILE}",
        error=VerificationError("provider-died", HOSTILE, output=HOSTILE),
        notes=(HOSTILE,),
    )


CASES = {
    "passed": verification(PASSED),
    "all": verification(PASSED, FAILED, PENDING_FAILED, ERROR),
    "hostile": hostile(),
    "no pact": Verification(
        id="x",
        pact_url="pact.json",
        started_at=verification().started_at,
        error=VerificationError("not-a-pact", "it is no pact"),
    ),
}


@pytest.mark.parametrize("made", CASES.values(), ids=CASES.keys())
def test_page_is_well_formed_and_self_contained(made: Verification) -> None:
    found = page(made, publish_error=HOSTILE)
    assert found.open == []
    assert {tag for tag, _ in found.elements}.isdisjoint(
        {"img", "link", "iframe", "object", "embed", "base", "form", "audio", "video", "image", "use"}
    )
    assert [tag for tag, _ in found.elements].count("script") == 1
    for tag, attributes in found.elements:
        assert attributes.keys().isdisjoint(
            {"src", "srcset", "action", "style", "onerror", "onload", "onclick"}
        )
        if "href" in attributes:
            assert tag == "a"
            assert re.match(r"#failure-\d+$|https?://", attributes["href"] or "")
    style = re.search(r"<style>(.*?)</style>", found.html, re.DOTALL)
    assert style is not None
    assert "url(" not in found.html
    assert "@import" not in found.html
    assert not re.search(r"https?:", style[1])


def test_policy_of_the_page_allows_nothing_but_its_style_and_its_script() -> None:
    made = page(verification(PASSED), publish_error=HOSTILE)
    style, script = (
        b64encode(
            hashlib.sha256(made.html.partition(f"<{tag}>")[2].partition(f"</{tag}>")[0].encode()).digest()
        ).decode()
        for tag in ("style", "script")
    )
    policies = [a for tag, a in page(verification(PASSED)).elements if tag == "meta" and "http-equiv" in a]
    assert policies == [
        {
            "http-equiv": "Content-Security-Policy",
            "content": "default-src 'none'; base-uri 'none'; form-action 'none'; "
            f"style-src 'sha256-{style}'; script-src 'sha256-{script}'",
        }
    ]


def test_hostile_text_stays_text() -> None:
    found = page(hostile(), publish_error=HOSTILE)
    assert found.html.count("<script") == 1
    assert "<img" not in found.html
    assert found.text.count("<script>alert('x')</script>") >= 10
    assert "49" not in found.text.replace("34.9", ""), "a template in a text is not carried out"


def test_nothing_turns_the_direction_of_writing_or_is_unseen() -> None:
    found = page(verification(replace(FAILED, description="a\u202eb\u200bc\x00d"), consumer="\u2066x"))
    assert "a\\u202eb\\u200bc\N{REPLACEMENT CHARACTER}d" in found.text
    assert not set("\u202e\u2066\u200b\x00") & set(found.html)


def test_page_leads_to_the_cause() -> None:
    text = page(verification(PASSED, FAILED)).text
    for part in ("Failed: 1 of 2 interactions", "$.price", "34.9", '"34.90"'):
        assert part in text
    for part in ("the price", "GET /products/7", "given a product exists (id: 7)", "12 ms", "1.5 s"):
        assert part in text


def test_where_a_sentence_says_what_is_wrong_both_values_stand_beside_it() -> None:
    sentence = "Expected '34.90' (String) to be a decimal number"
    html = page(verification(replace(FAILED, mismatches=(replace(PRICE, description=sentence),)))).html
    assert '<td class="gone" data-of="expected">34.9</td>' in html
    assert '<td class="come" data-of="answered">&#34;34.90&#34;<br><span class="legend">Expected' in html
    unknown = replace(PRICE, description=sentence, expected=None, actual=None)
    html = page(verification(replace(FAILED, mismatches=(unknown,)))).html
    assert "expected by the consumer" not in html


def test_page_shows_what_the_consumer_says_of_an_interaction() -> None:
    text = page(verification(COMMENTED)).text
    for words in (
        "test: StockTest.reads()",
        "comment: Asked for by every page",
        "comment: and by the shop's till",
    ):
        assert words in text


def test_differences_that_were_left_out_are_counted() -> None:
    assert "... and 49900 more differences" in page(verification(MANY_MISMATCHES)).text


def test_page_names_who_was_verified() -> None:
    text = page(verification(PASSED, build_url="http://ci.example/1", notes=("a note",))).text
    for part in ("Storefront", "1.2.3", "Products", "abc1234", "main", "prod", "specification 4.0"):
        assert part in text
    for part in ("http://ci.example/1", "a note", "2026-01-02 03:04:05 UTC", verification().pact_url):
        assert part in text


def test_page_says_what_became_of_the_result() -> None:
    assert PUBLISHED.url in page(verification(PASSED), publishing=True, published=PUBLISHED).text
    assert "Not published: 403" in page(verification(PASSED), publishing=True, publish_error="403").text


def test_page_says_why_nothing_is_known() -> None:
    error = VerificationError("provider-died", "the provider was killed", output="last words")
    text = page(verification(PASSED, error=error)).text
    for part in (
        "Could not verify",
        "Nothing is known about the contract.",
        "the provider was killed",
        "last words",
    ):
        assert part in text
