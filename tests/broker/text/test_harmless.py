"""JSON on a console: texts as they are, and yet no character of them controls anything."""

from __future__ import annotations

import io
import json
from typing import cast

import pytest

from broker.text.harmless import is_seen_as_it_is, write_json
from broker.text.terminal import LosableStream, TerminalStream

TEXTS = {
    "état créé": "été 日本語 😀 значение",
    "hostile": "\x00\x1b[2J\x7f\x85\x9b\u2028\u202e\u200b\ufeff\ud800",
    "CI": "::error::a\n##[group]b ##vso[c]",
}


def written(encoding: str) -> str:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="backslashreplace")
    guarded = TerminalStream(cast("io.TextIOWrapper", LosableStream(stream)))
    write_json(TEXTS, cast("io.TextIOWrapper", guarded))
    stream.seek(0)
    return stream.read()


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1", "cp1252"])
def test_json_is_equal_in_any_encoding_and_passes_a_terminals_guard(encoding: str) -> None:
    text = written(encoding)
    assert json.loads(text) == TEXTS
    assert all(line.isprintable() for line in text.splitlines())
    assert "##[" not in text
    assert "##vso[" not in text


def test_texts_are_shown_as_they_are_where_the_stream_takes_them() -> None:
    assert '"état créé": "été 日本語 😀 значение"' in written("utf-8")
    assert "\\u00e9t\\u00e9" in written("ascii")


def test_what_is_seen_as_it_is() -> None:
    utf8, ascii_only = (io.TextIOWrapper(io.BytesIO(), encoding=name) for name in ("utf-8", "ascii"))
    assert is_seen_as_it_is("été 日本語\n", utf8)
    assert is_seen_as_it_is("été", io.StringIO())
    assert not is_seen_as_it_is("été", ascii_only)
    assert not is_seen_as_it_is("a\u202eb", utf8)
    assert not is_seen_as_it_is("a\ud800", utf8)
