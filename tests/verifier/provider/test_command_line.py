"""Command lines: split as a shell splits them, and refused if they need one."""

from __future__ import annotations

import pytest

from verifier.errors import UsageError
from verifier.provider.command_line import split_command


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("npm start", ["npm", "start"]),
        ("flask run --port {port}", ["flask", "run", "--port", "8123"]),
        ("serve -p $PORT -q ${PORT}", ["serve", "-p", "8123", "-q", "8123"]),
        ("serve --bind=127.0.0.1:{port}", ["serve", "--bind=127.0.0.1:8123"]),
        ("sh -c 'cd x && exec serve $PORT'", ["sh", "-c", "cd x && exec serve 8123"]),
        ('"/opt/my apps/serve" --name "a b"', ["/opt/my apps/serve", "--name", "a b"]),
        ("serve a\\ b", ["serve", "a b"]),
        ("serve ''", ["serve", ""]),
        ("serve $HOME {host}", ["serve", "$HOME", "{host}"]),
    ],
)
def test_command_is_split_as_a_shell_splits_words(command: str, words: list[str]) -> None:
    assert split_command(command, 8123) == words


@pytest.mark.parametrize("word", ["&&", "||", "|", ";", "&", ">", ">>", "<", "2>", "2>&1"])
def test_command_that_needs_a_shell_is_refused(word: str) -> None:
    with pytest.raises(UsageError, match=r"--provider-command .*sh -c"):
        split_command(f"one {word} two", 1)


@pytest.mark.parametrize(
    ("command", "said"), [("", "empty"), ("   ", "empty"), ("serve 'a", "No closing quotation")]
)
def test_command_that_is_none_is_refused(command: str, said: str) -> None:
    with pytest.raises(UsageError, match=f"--provider-command .*{said}"):
        split_command(command, 1)
