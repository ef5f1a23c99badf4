from __future__ import annotations

import pytest

from broker.embedded.webhooks.events import Previous, detect

UNCHANGED = "pact content is the same as previous versions with tags {} and no new tags were applied"
CHANGED = "pact content has changed since"
TAGGED = "the last consumer version tagged with"
NEW_TAG = "first time any pact published for this consumer with consumer version tagged"


@pytest.mark.parametrize(
    ("previous", "changed", "comment"),
    [
        ([Previous(None, None)], True, "first time untagged pact published"),
        ([Previous(None, "old")], True, f"{CHANGED} previous untagged version"),
        ([Previous(None, "new")], False, UNCHANGED.format("")),
        (
            [Previous("main", None), Previous("dev", "old"), Previous("test", "new")],
            True,
            f"{NEW_TAG} main, {CHANGED} {TAGGED} dev",
        ),
        ([Previous("main", "new"), Previous("dev", "new")], False, UNCHANGED.format("main, dev")),
    ],
)
def test_content_is_compared_by_tag(previous: list[Previous], *, changed: bool, comment: str) -> None:
    detected = detect(sha="new", previous=previous, first_for_version=True, requires_verification=False)
    events = "contract_published, contract_content_changed" if changed else "contract_published"
    assert str(detected) == f"{events} ({comment})"


def test_the_same_content_for_the_same_version_is_no_change() -> None:
    detected = detect(
        sha="x", previous=[Previous(None, None)], first_for_version=False, requires_verification=False
    )
    assert str(detected) == "contract_published"


def test_content_without_a_result_requires_verification_again() -> None:
    detected = detect(
        sha="x", previous=[Previous(None, "x")], first_for_version=False, requires_verification=True
    )
    assert detected.events == ("contract_published", "contract_requiring_verification_published")
