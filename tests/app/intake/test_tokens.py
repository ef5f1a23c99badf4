"""What a token may do, as it is configured."""

from __future__ import annotations

import pytest

from app.config.values import ConfigurationError
from app.intake.tokens import Token, parse_tokens

TOKEN = "abcdefghij0123456789"
OTHER = "9876543210jihgfedcba"


def test_a_token_that_could_be_guessed_is_refused_with_the_way_to_make_one() -> None:
    with pytest.raises(ConfigurationError) as refused:
        parse_tokens("TOKENS", f"broker:{TOKEN},me:{TOKEN[1:]}")

    assert str(refused.value) == (
        "TOKENS: the token of me has fewer than 20 characters: make one with `openssl rand -hex 20`"
    )
    assert parse_tokens("TOKENS", f"broker:{TOKEN}") == {"broker": Token("broker", TOKEN)}


def test_a_token_is_limited_to_the_repositories_behind_it() -> None:
    tokens = parse_tokens("TOKENS", f"a:{TOKEN}@acme/products@Acme/Orders.v2,b:{OTHER}")

    assert tokens["a"] == Token("a", TOKEN, frozenset({"acme/products", "acme/orders.v2"}))
    assert tokens["a"].may_dispatch_for("ACME/Products")
    assert not tokens["a"].may_dispatch_for("acme/product")
    assert not tokens["a"].may_dispatch_for("acme/products2")
    assert tokens["b"].may_dispatch_for("acme/anything")


@pytest.mark.parametrize("value", [f"{TOKEN}@acme", f"{TOKEN}@acme/", f"{TOKEN}@acme/..", f"p@ss{TOKEN}"])
def test_what_is_no_limit_belongs_to_the_token_so_that_none_is_wider_than_was_meant(value: str) -> None:
    assert parse_tokens("TOKENS", f"a:{value}")["a"] == Token("a", value)


def test_the_limit_does_not_count_for_the_length_of_a_token() -> None:
    with pytest.raises(ConfigurationError, match="fewer than 20"):
        parse_tokens("TOKENS", "a:short@acme/products")


def test_a_token_of_the_api_may_be_read_only() -> None:
    tokens = parse_tokens("API", f"a:{TOKEN}@read-only\nb:{OTHER}", for_api=True)

    assert (tokens["a"].read_only, tokens["b"].read_only) == (True, False)


@pytest.mark.parametrize(
    ("text", "for_api", "mistake"),
    [
        (f"a:{TOKEN}@read-only", False, "the token of a is read-only, which only those of the API can be"),
        (f"a:{TOKEN}@acme/x", True, "the token of a is limited to repositories"),
        (f"a:{TOKEN}@acme/x,b:{TOKEN}", False, "a and b have the same token, and may not do the same"),
        (f"a:{TOKEN}@read-only,b:{TOKEN}", True, "a and b have the same token, and may not do the same"),
        (f"a:{TOKEN},a:{OTHER}", False, "there are two tokens with the name a"),
    ],
)
def test_a_limit_that_would_not_hold_is_a_mistake(text: str, for_api: bool, mistake: str) -> None:  # noqa: FBT001
    with pytest.raises(ConfigurationError, match=mistake) as refused:
        parse_tokens("TOKENS", text, for_api=for_api)

    assert TOKEN not in str(refused.value)
