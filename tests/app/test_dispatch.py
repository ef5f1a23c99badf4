"""The forms of a dispatch's parts, with plain values."""

from __future__ import annotations

import pytest

from app.dispatch import is_repository
from verifier.commit_id import is_commit_id, is_full_commit_id


@pytest.mark.parametrize(
    "text",
    ["acme/products", "mona-cat_octo/products", f"{'a' * 39}/{'b' * 100}", "acme/.github", "4/a.b-c_d"],
)
def test_name_that_github_gives_is_a_repository(text: str) -> None:
    assert is_repository(text)


@pytest.mark.parametrize(
    "text",
    [
        "acme",
        "acme/",
        "/products",
        "acme/..",
        "acme/.",
        "../products",
        "_acme/products",
        "ac.me/products",
        "acme/pro/ducts",
        "acme/products\n",
        f"{'a' * 40}/products",
        f"acme/{'b' * 101}",
        "acme/prödukte",
    ],
)
def test_other_text_is_no_repository(text: str) -> None:
    assert not is_repository(text)


def test_commit_id_is_whole_or_shortened() -> None:
    assert is_commit_id("abc1234")
    assert is_commit_id("ABC1234")
    assert is_commit_id("a" * 64)
    for text in ("", "abc123", "a" * 65, "main-12", "-abc1234", "abc1234\n"):
        assert not is_commit_id(text)


def test_whole_commit_id_is_a_sha1_or_a_sha256() -> None:
    assert is_full_commit_id("a" * 40)
    assert is_full_commit_id("a" * 64)
    for text in ("abc1234", "a" * 41, "g" * 40):
        assert not is_full_commit_id(text)
