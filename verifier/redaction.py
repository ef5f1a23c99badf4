"""What is reported of a verification: without its secrets, and no more of a text from elsewhere than anybody reads."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from broker.text.cut import beginning
from broker.text.redacted_lines import redacted_output
from broker.text.redaction import Redaction
from broker.text.secret_forms import in_header, in_url
from broker.text.secret_names import STARS, is_secret_name
from verifier.verification import (
    LONGEST_BODY,
    LONGEST_DESCRIPTION,
    LONGEST_MESSAGE,
    LONGEST_REASON,
    LONGEST_VALUE,
    Exchange,
    HttpMessage,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from verifier.request import VerificationRequest
    from verifier.verification import InteractionResult, Mismatch, Verification


_NAMED = re.compile(r'("([^"\\]{1,100})"\s*:\s*)"(?:[^"\\]|\\.)*(?:"|$)')


def named_secrets(headers: Iterable[tuple[str, str]], variables: Mapping[str, str]) -> list[str]:
    """Return the values of headers and environment variables that have the name of a secret."""
    found = [secret for name, value in headers if is_secret_name(name) for secret in in_header(name, value)]
    return found + [value for name, value in variables.items() if is_secret_name(name)]


def redaction_of(request: VerificationRequest) -> Redaction:
    """Return what hides the credentials of a request: the broker's, and those in headers, variables and URLs."""
    provider = request.provider
    broker = request.broker.secrets if request.broker is not None else []
    named = named_secrets((*provider.headers, *provider.states_headers), provider.environment)
    return Redaction(
        [*broker, *named, *in_url(provider.states_url or ""), *provider.secrets, *provider.tls.secrets]
    )


def redacted(redaction: Redaction, verification: Verification) -> Verification:
    """Return a verification without the secrets in what the provider and the engine reported."""
    error = verification.error
    return replace(
        verification,
        notes=tuple(beginning(redaction.own(note), LONGEST_MESSAGE) for note in verification.notes),
        error=error
        and replace(
            error,
            message=beginning(redaction.own(error.message), LONGEST_MESSAGE),
            output=redacted_output(redaction, error.output),
        ),
        interactions=tuple(redacted_result(redaction, result) for result in verification.interactions),
    )


def redacted_result(redaction: Redaction, result: InteractionResult) -> InteractionResult:
    """Return the result of an interaction without the secrets, in what the pact says and in what came of it."""
    return replace(
        result,
        description=redaction.own(result.description),
        request=redaction.own(result.request),
        states=tuple(map(redaction.own, result.states)),
        comments=tuple(map(redaction.own, result.comments)),
        test_name=redaction.own(result.test_name),
        reason=result.reason and redaction.cut(result.reason, LONGEST_REASON),
        mismatches=tuple(_redacted_mismatch(redaction, mismatch) for mismatch in result.mismatches),
        exchange=result.exchange and _redacted_exchange(redaction, result.exchange),
    )


def _redacted_exchange(redaction: Redaction, exchange: Exchange) -> Exchange:
    return replace(
        exchange,
        request=_redacted_message(redaction, exchange.request),
        response=exchange.response and _redacted_message(redaction, exchange.response),
    )


def _redacted_message(redaction: Redaction, message: HttpMessage) -> HttpMessage:
    """Return a request or response without known secrets, and what has the name of one."""
    return HttpMessage(
        redaction.cut(message.start, LONGEST_VALUE),
        tuple(
            (
                redaction.text(name),
                STARS if is_secret_name(name) else redaction.cut(_without_named(value), LONGEST_VALUE),
            )
            for name, value in message.headers
        ),
        redaction.cut(_without_named(message.body), LONGEST_BODY),
    )


def _without_named(body: str) -> str:
    """Return a body without the strings in JSON whose names are those of secrets."""
    return _NAMED.sub(lambda found: f'{found[1]}"{STARS}"' if is_secret_name(found[2]) else found[0], body)


def _redacted_mismatch(redaction: Redaction, mismatch: Mismatch) -> Mismatch:
    return replace(
        mismatch,
        identifier=redaction.cut(mismatch.identifier, LONGEST_DESCRIPTION),
        expected=mismatch.expected and redaction.cut(mismatch.expected, LONGEST_VALUE),
        actual=mismatch.actual and redaction.cut(mismatch.actual, LONGEST_VALUE),
        description=redaction.cut(mismatch.description, LONGEST_DESCRIPTION),
    )
