"""Bodies of answers, which every version of the specification has (V1 `http_provider`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.compatibility.contents import (
    PDF,
    V1,
    V2,
    V3,
    V4,
    Content,
    as_binary,
    as_form,
    as_json,
    as_multipart,
    as_text,
    as_xml,
    png,
)
from tests.compatibility.verifying import http, pact, reply_with
from verifier.verification import Outcome

if TYPE_CHECKING:
    from tests.compatibility.verifying import Verifying

PARTS = {
    "plain text": (as_text("Twelve bolts, M8."), as_text("Twelve nuts, M8.")),
    "JSON": (as_json({"name": "bolt", "size": 8}), as_json({"name": "bolt", "size": "8"})),
    "XML": (
        as_xml("<part><name>bolt</name><size>8</size></part>"),
        as_xml("<part><name>bolt</name></part>"),
    ),
    "binary": (as_binary(png(20), "image/png"), as_binary(png(200), "image/png")),
    "binary of another kind": (as_binary(png(20), "image/png"), as_binary(PDF, "image/png")),
    "form": (as_form("name=bolt&size=8"), as_form("name=bolt&size=10")),
    "multipart": (
        as_multipart(("text/plain", "a drawing follows"), ("application/json", '{"size": 8}')),
        as_multipart(("text/plain", "a drawing follows"), ("application/json", '{"size": 9}')),
    ),
}
"""What is expected, and what is not that."""


@pytest.mark.parametrize("version", [V1, V2, V3, V4])
@pytest.mark.parametrize("kind", PARTS)
class TestBody:
    def test_that_is_expected(self, kind: str, version: str, verifying: Verifying) -> None:
        """Pass the positive cases of V1 `http_provider`: plain text, JSON, XML, binary, form post, multipart."""
        expected, _ = PARTS[kind]
        found = verifying(pact(version, http(version, content=expected)), reply_with(expected))
        assert found.only.outcome == Outcome.PASSED

    def test_that_differs(self, kind: str, version: str, verifying: Verifying) -> None:
        """Fail the negative cases of V1 `http_provider`, by the body alone."""
        expected, other = PARTS[kind]
        found = verifying(pact(version, http(version, content=expected)), reply_with(other))
        assert found.only.outcome == Outcome.FAILED
        assert found.differing == {"body"}


@pytest.mark.parametrize("version", [V1, V2, V3, V4])
def test_a_body_that_is_sent_reaches_the_provider(version: str, verifying: Verifying) -> None:
    """Send what the interactions of V1 `http_provider` have in their requests."""
    for content, _ in PARTS.values():
        request = {"method": "PUT", "headers": content.headers, "body": content.in_pact(version)}
        found = verifying(pact(version, http(version, request=request)), reply_with(as_text("")))
        [asked] = found.asked
        assert found.only.outcome == Outcome.PASSED
        assert asked.headers["content-type"] == content.content_type
        assert same(asked.body, content)


def same(sent: bytes, content: Content) -> bool:
    """Compare by value where the spaces of JSON don't matter."""
    if content.content_type.endswith("json"):
        return (
            as_json(content.in_pact(V1)).sent == as_json(Content("application/json", sent).in_pact(V1)).sent
        )
    return sent == content.sent
