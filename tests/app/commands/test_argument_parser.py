"""Words that begin with a dash, where argparse takes them for options."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from app.command_line import parser

if TYPE_CHECKING:
    import argparse

UUID = "-Fr4pnPqZ1x8wTZjhgJzVg"
TWO_DASHES = "--r4pnPqZ1x8wTZjhgJzVg"


def parse(*words: str) -> argparse.Namespace:
    return parser().parse_args(words)


@pytest.mark.parametrize("command", ["show", "update", "delete", "test", "logs"])
@pytest.mark.parametrize("uuid", [UUID, TWO_DASHES])
def test_a_uuid_may_begin_with_a_dash(command: str, uuid: str) -> None:
    assert parse("webhooks", command, uuid).uuid == uuid
    options = parse("webhooks", command, uuid, "--broker-token", "-t")
    assert (options.uuid, options.broker_token) == (uuid, "-t")
    assert parse("webhooks", command, "--broker-token", "t", uuid).uuid == uuid
    assert parse("webhooks", command, "--", uuid).uuid == uuid


@pytest.mark.parametrize(
    "words",
    [
        ("webhooks", "list", "--provider", "P", "--consumer", "-x"),
        ("webhooks", "create", "--consumer", "-x", "--disabled"),
        ("webhooks", "logs", UUID, "--consumer", "-x"),
        ("setup", "--consumer", "-x"),
        ("doctor", "--consumer", "-x", "--version", "-1a"),
    ],
)
def test_a_name_may_begin_with_a_dash(words: tuple[str, ...]) -> None:
    assert parse(*words).consumer == "-x"


def test_the_other_commands_take_such_names_too() -> None:
    assert parse("reconcile", "--provider", "-x", "--json").provider == "-x"
    assert parse("webhooks", "create", "--uuid", UUID, "--header", "-a: b").uuid == UUID


@pytest.mark.parametrize(
    ("words", "mistake"),
    [
        (("webhooks", "list", "--consumer", "--provider", "P"), "argument --consumer: expected one argument"),
        (("webhooks", "list", "--consumer", "--proivder", "P"), "argument --consumer: expected one argument"),
        (("webhooks", "show", "--pact-broker-base-ulr=x"), "the following arguments are required: UUID"),
        (("webhooks", "show", "-x"), "the following arguments are required: UUID"),
        (("webhooks", "list", UUID), f"unrecognized arguments: {UUID}"),
        (("doctor", "-x"), "unrecognized arguments: -x"),
    ],
)
def test_a_mistyped_option_is_still_refused(
    words: tuple[str, ...], mistake: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        parse(*words)
    assert left.value.code == 2
    assert mistake in capsys.readouterr().err


def test_the_short_option_for_help_stays_one(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        parse("webhooks", "show", "-h")
    assert left.value.code == 0
    assert "usage: pact-dispatch webhooks show" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (("rns", "list"), "runs"),
        (("runs", "lst"), "list"),
        (("runs", "list", "--provder", "x"), "--provider"),
        (("runs", "list", "--outcome", "pased"), "passed"),
        (("webhooks", "create", "--templte=github"), "--template"),
        (("serve", "--bnd", "127.0.0.1:1"), "--bind"),
    ],
)
def test_what_may_be_meant_is_named(
    words: tuple[str, ...], meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        parse(*words)
    assert left.value.code == 2
    assert f"; did you mean {meant}?" in capsys.readouterr().err.splitlines()[-1]


def test_what_is_like_nothing_is_not_guessed_at(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (
        ("xyzzy",),
        ("runs", "list", "--xyzzy", "1"),
        ("serve", "--workers", "99"),
        ("doctor", "x"),
    ):
        with pytest.raises(SystemExit):
            parse(*words)
        assert "did you mean" not in capsys.readouterr().err
