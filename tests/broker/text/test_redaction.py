"""No form of a known secret is left in a text from elsewhere, and no sentence of ours is spoilt."""

from __future__ import annotations

import base64
import html
import json
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus, urlencode

import pytest

from broker.text.cut import CUT, LONGEST_READ, shortened
from broker.text.redacted_lines import RedactedLines, redacted_output
from broker.text.redaction import Redaction

if TYPE_CHECKING:
    from collections.abc import Callable

SECRETS = (
    "s3cret-token-of-ASCII-only",
    'p\u00e4ss/w"o\\rd+ <1>&',
    "snow\u2603man \U0001f600/key=42",
    "back\\slashes\\\\and 'quotes'",
    "100%25 escaped &lt;already&gt;",
)


def lower_hex(text: str) -> str:
    return "".join(f"%{byte:02x}" for byte in text.encode())


def in_json(text: str) -> str:
    return json.dumps({"echo": text})


FORMS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "JSON": in_json,
    "JSON without \\u": lambda text: json.dumps({"echo": text}, ensure_ascii=False),
    "JSON with \\/": lambda text: in_json(text).replace("/", "\\/"),
    "JSON in JSON": lambda text: in_json(in_json(text)),
    "JSON in JSON in JSON": lambda text: in_json(in_json(in_json(text))),
    "URL": quote,
    "URL, all of it": lambda text: quote(text, safe=""),
    "URL, all of it in lower case": lower_hex,
    "URL in a URL": lambda text: quote(quote(text)),
    "form": lambda text: urlencode({"echo": text}),
    "JSON in a URL": lambda text: quote(in_json(text)),
    "HTML": html.escape,
    "HTML, numbers": lambda text: "".join(f"&#{ord(c)};" for c in text),
    "HTML, hexadecimal numbers": lambda text: "".join(f"&#x{ord(c):X};" for c in text),
    "JSON in HTML": lambda text: html.escape(in_json(text)),
    "Python": lambda text: ascii({"echo": text}),
    "Python's bytes": lambda text: repr(text.encode()),
    "basic auth": lambda text: base64.b64encode(f"ada:{text}".encode()).decode(),
    **{
        f"base64 behind {before} bytes": lambda text, before=before: (  # type: ignore[misc]
            base64.b64encode(bytes(before) + text.encode() + b"...").decode()
        )
        for before in range(4)
    },
    "base64 for URLs": lambda text: base64.urlsafe_b64encode(f"??{text}".encode()).decode(),
    "base64 in a form": lambda text: quote_plus(base64.b64encode(text.encode()).decode()),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("secret", SECRETS)
def test_no_form_of_a_secret_is_left(secret: str, form: str) -> None:
    written = FORMS[form](secret)
    shown = Redaction([secret]).text(f"before [{written}] after")
    assert "***" in shown
    assert shown.startswith("before [")
    assert shown.endswith("] after")
    longest = max(range(len(written)), key=lambda end: end if written[:end] in shown else 0)
    assert longest <= len(FORMS[form]("")) + 8, shown


def test_what_is_beside_an_escaped_secret_stays() -> None:
    text = '{"a": "x\\ny", "token": "\\u0070\\u0061ss\\/word-123", "b": "50% &amp; more"}'
    expected = '{"a": "x\\ny", "token": "***", "b": "50% &amp; more"}'
    assert Redaction(["pass/word-123"]).text(text) == expected


def test_secret_in_another_encoding_than_utf8_is_hidden() -> None:
    printed = "caf\u00e9-passw\u00f6rd".encode("latin-1").decode(errors="replace")
    assert Redaction(["caf\u00e9-passw\u00f6rd"]).text(f"<{printed}>") == "<***>"


@pytest.mark.parametrize(
    ("configured", "told"),
    [
        ("Bearer abcdefgh-1", "abcdefgh-1"),
        ("Basic " + base64.b64encode(b"ada:hunter2-hunter2").decode(), "hunter2-hunter2"),
        ("postgres://ada:hunter2%2F2@db/products", "hunter2/2"),
        ("https://ghp_0123456789@github.com/acme/products", "ghp_0123456789"),
        ("http://127.0.0.1/_states?token=abcdefgh-2", "abcdefgh-2"),
        ("-----BEGIN KEY-----\nMIIEowIBAAKCAQEA1\nxYz012345678\n-----END KEY-----\n", "MIIEowIBAAKCAQEA1"),
    ],
)
def test_part_of_a_secret_that_can_stand_alone_is_hidden(configured: str, told: str) -> None:
    assert Redaction([configured]).text(f"got {told}!") == "got ***!"


def test_words_of_a_pass_phrase_are_no_secrets() -> None:
    assert Redaction(["correct horse battery"]).text("a horse, of course") == "a horse, of course"


def test_overlapping_secrets_are_hidden_together() -> None:
    assert Redaction(["abcdefgh", "efghijkl"]).text("x abcdefghijkl y") == "x *** y"


def test_short_secret_is_hidden_where_it_stands_alone() -> None:
    redaction = Redaction(["wrong"])
    shown = redaction.text('ada:wrong@host, {"p": "\\nwrong"}, ?p=%20wrong&x, wrongly, hardwrongs')
    assert shown == 'ada:***@host, {"p": "\\n***"}, ?p=%20***&x, wrongly, hardwrongs'


@pytest.mark.parametrize(
    "password", ["wrong", "credentials", "expired", "PACT_BROKER_TOKEN", "The credentials"]
)
def test_sentence_of_ours_is_left_alone(password: str) -> None:
    ours = "The credentials are wrong or expired (PACT_BROKER_TOKEN)"
    assert Redaction([password]).own(ours) == ours


def test_secret_that_is_no_word_is_hidden_in_our_sentences_too() -> None:
    redaction = Redaction(["s3cret-t0ken"])
    assert redaction.own("it failed: s3cret-t0ken, czNjcmV0LXQwa2Vu") == "it failed: ***, ***"


# --- cuts


SECRET = "".join(f"{number:04d}-" for number in range(240))


@pytest.mark.parametrize("secret", [SECRET, f'{SECRET}"\u00e4'])
@pytest.mark.parametrize("form", [form for form in FORMS if "in HTML" not in form and "number" not in form])
def test_beginning_of_a_secret_at_a_cut_is_hidden(secret: str, form: str) -> None:
    written = FORMS[form](secret)
    redaction = Redaction([secret])
    for length in range(60, 400, 17):
        shown = redaction.cut(written[:length] + CUT, 500)
        assert shown.endswith(CUT)
        assert len(shown) <= len(FORMS[form]("")) + 12, shown


def test_secret_across_a_cut_is_hidden_before_it_is_cut() -> None:
    line = "x" * 490 + SECRET + "y"
    assert Redaction([SECRET]).cut(line, 500) == "x" * 490 + "***y"
    assert Redaction([SECRET]).cut(shortened("x" * (LONGEST_READ - 5) + SECRET), 500) == "x" * 499 + CUT


def test_many_secrets_do_not_bring_a_cut_one_to_light() -> None:
    text = shortened(SECRET * 100)
    assert text.endswith(CUT)
    assert "0001" not in Redaction([SECRET]).cut(text, 500)


# --- lines


@pytest.mark.parametrize("width", [5, 20, 76, 77, 78, 80, 400])
@pytest.mark.parametrize("form", ["plain", "JSON", "URL, all of it", "basic auth", "base64 behind 2 bytes"])
def test_secret_that_is_wrapped_is_hidden(form: str, width: int) -> None:
    secret = f'{SECRET}"'
    text = f"the token is {FORMS[form](secret)} and so on"
    wrapped = "\n".join(text[start : start + width] for start in range(0, len(text), width))
    shown = redacted_output(Redaction([secret]), f"before\n{wrapped}\nafter")
    assert shown.startswith("before\n")
    assert shown.endswith("\nafter")
    told = shown.replace("\n", "").replace("***", "")
    assert len(told) < len(f"beforethe token is and so onafter{FORMS[form]('')}") + 24, told
    for start in range(20, len(secret) - 20, 8):
        assert FORMS[form](secret)[start : start + 8] not in told


def test_line_waits_only_for_what_goes_on() -> None:
    shown: list[str] = []
    lines = RedactedLines(Redaction(["s3cret-t0ken"]), shown.append, 20)
    lines.add("a line")
    assert shown == ["a line"]
    lines.add("ends with s3cret")
    assert shown == ["a line"]
    lines.add("and was no secret")
    assert shown == ["a line", "ends with s3cret", "and was no secret"]
    lines.add("ends with s3cret-t")
    lines.close()
    assert shown[3:] == ["ends with s3cret-t"]
    lines.add("x" * 30)
    assert shown[4:] == ["x" * 19 + CUT]
