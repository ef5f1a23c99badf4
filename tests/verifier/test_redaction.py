"""No secret of a request is left in what is reported."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from broker.http.access import BrokerAccess
from broker.text.cut import CUT
from broker.text.redaction import Redaction
from tests.support.examples import ERROR, FAILED, PASSED, verification
from verifier.redaction import redacted, redacted_result, redaction_of
from verifier.request import ProviderUnderTest, VerificationRequest
from verifier.verification import (
    LONGEST_BODY,
    LONGEST_DESCRIPTION,
    LONGEST_MESSAGE,
    LONGEST_REASON,
    LONGEST_VALUE,
    Exchange,
    HttpMessage,
    Mismatch,
    Outcome,
    Verification,
    VerificationError,
)

BROKER = "http://broker.example"
PASSWORD, TOKEN, HEADER, COOKIE = "pass-word-1", "broker-token-2", "header-secret-3", "sid=cookie-4"


def request(broker: BrokerAccess | None) -> VerificationRequest:
    return VerificationRequest(
        pact_url=f"{BROKER}/pacts/provider/P/consumer/C/latest",
        provider=ProviderUnderTest(
            base_url="http://127.0.0.1:1",
            folder=Path(),
            headers=(
                ("Authorization", f"Bearer {HEADER}"),
                ("Cookie", COOKIE),
                ("X-Api-Key", "key-value-5"),
                ("Accept-Language", "en-GB"),
            ),
        ),
        broker=broker,
    )


def with_header(name: str) -> VerificationRequest:
    made = request(None)
    return replace(made, provider=replace(made.provider, headers=((name, HEADER),)))


def telling(*secrets: str) -> Verification:
    """Make a verification in which each text that came from elsewhere tells the secrets."""
    told = " and ".join(secrets)
    mismatch = Mismatch("body", "$", f"expected {told}", f"actual {told}", f"description {told}")
    return verification(
        PASSED,
        replace(FAILED, mismatches=(mismatch, replace(mismatch, expected=None, actual=None))),
        replace(ERROR, reason=f"reason {told}"),
        error=VerificationError("provider-died", f"message {told}", output=f"output {told}"),
        notes=(f"note {told}",),
    )


@pytest.mark.parametrize(
    ("broker", "secrets"),
    [
        (None, []),
        (BrokerAccess(BROKER, "ada", PASSWORD), [PASSWORD]),
        (BrokerAccess(BROKER, token=TOKEN), [TOKEN]),
    ],
    ids=["none", "basic", "bearer"],
)
def test_no_secret_survives(broker: BrokerAccess | None, secrets: list[str]) -> None:
    secrets = [*secrets, HEADER, COOKIE, "key-value-5"]
    shown = redacted(redaction_of(request(broker)), telling(*secrets, "en-GB"))
    text = json.dumps(shown.to_dict())
    for secret in secrets:
        assert secret not in text
    assert "***" in text
    assert "en-GB" in text, "not every header is a secret"


def test_nothing_else_is_changed() -> None:
    made = telling("nothing")
    assert redacted(redaction_of(request(None)), made) == made
    assert redacted(Redaction([]), made) == made


@pytest.mark.parametrize("secrets", [[], [PASSWORD]], ids=["no secrets", "a secret"])
def test_no_text_from_elsewhere_is_endless(secrets: list[str]) -> None:
    shown = redacted(Redaction(secrets), telling("y" * 200_000))
    [failed, could_not] = [result for result in shown.interactions if result.outcome != Outcome.PASSED]
    assert shown.error is not None
    for text, longest in (
        (shown.error.message, LONGEST_MESSAGE),
        (shown.notes[0], LONGEST_MESSAGE),
        (could_not.reason, LONGEST_REASON),
        *((mismatch.description, LONGEST_DESCRIPTION) for mismatch in failed.mismatches),
        (failed.mismatches[0].expected, LONGEST_VALUE),
        (failed.mismatches[0].actual, LONGEST_VALUE),
    ):
        assert len(str(text)) == longest
        assert str(text).endswith(CUT)


def test_longest_secret_goes_first_so_that_no_tail_is_left() -> None:
    assert Redaction(["abcd", "abcdefgh"]).text("x abcdefgh y abcd") == "x *** y ***"


@pytest.mark.parametrize("text", ["Bearer", "basic", "abc", "token"])
def test_words_that_are_no_secrets_stay(text: str) -> None:
    assert Redaction(["Bearer", "Basic x", "abc", "Token"]).text(text) == text


def test_value_of_a_header_is_hidden_with_and_without_its_scheme() -> None:
    redaction = Redaction(["Bearer s3cret-value"])
    assert redaction.text("got s3cret-value") == "got ***"
    assert redaction.text("Authorization: Bearer s3cret-value!") == "Authorization: ***!"


@pytest.mark.parametrize(
    "name",
    [
        "Authorization",
        "proxy-authorization",
        "Cookie",
        "X-API-Key",
        "X-Auth-Token",
        "Client-Secret",
        "X-Password",
    ],
)
def test_header_that_names_credentials_is_hidden(name: str) -> None:
    hiding = redaction_of(with_header(name))
    assert hiding.text(f"got {HEADER}") == "got ***"


def test_header_for_authentication_under_another_name_is_hidden() -> None:
    assert redaction_of(with_header("X-Auth")).text(f"got {HEADER}") == "got ***"


def test_secret_in_escaped_json_is_hidden() -> None:
    secret = 'pass"word\\1'
    shown = Redaction([secret]).text(json.dumps({"echo": secret}))
    assert json.dumps(secret)[1:-1] not in shown


def test_basic_credentials_of_the_broker_are_hidden_in_their_encoded_form() -> None:
    shown = redaction_of(request(BrokerAccess(BROKER, "ada", PASSWORD))).text("Basic YWRhOnBhc3Mtd29yZC0x")
    assert "YWRhOnBhc3Mtd29yZC0x" not in shown


def test_sentence_of_ours_is_not_spoilt_by_a_password_that_is_a_word() -> None:
    ours = "the pact could not be fetched: GET http://b was answered with 401. The credentials are wrong or expired"
    made = verification(error=VerificationError("pact-unavailable", ours, output="login failed: ada:wrong"))
    shown = redacted(redaction_of(request(BrokerAccess(BROKER, "ada", "wrong"))), made)
    assert shown.error is not None
    assert shown.error.message == ours
    assert shown.error.output == "login failed: ***"


def test_an_exchange_shows_no_secret_and_no_value_that_is_named_like_one() -> None:
    made = HttpMessage(
        f"GET /?token={HEADER} HTTP/1.1",
        (("authorization", "Basic another"), ("x-a", f"b {HEADER}"), ("set-cookie", "sid=new")),
        json.dumps({"id": 7, "access_token": 'new "one', "text": HEADER}) + "x" * 5000,
    )
    redaction = redaction_of(request(None))
    result = redacted_result(redaction, replace(FAILED, exchange=Exchange(made, made)))
    assert result.exchange is not None
    assert result.exchange.request == result.exchange.response
    shown = result.exchange.request
    for secret in (HEADER, "another", "sid=new", "new", "one"):
        assert secret not in json.dumps([shown.start, shown.headers, shown.body.replace("x", "")])
    assert shown.headers[1][1].startswith("b ")
    assert shown.body.startswith('{"id": 7, "access_token": "**')
    assert len(shown.body) <= LONGEST_BODY
