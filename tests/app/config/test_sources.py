"""The files of `conf.d`: they add providers, each mistake names its file, and nothing else than files counts."""

from __future__ import annotations

import os
import shutil
import ssl
import stat
from pathlib import Path
from typing import Any

import pytest

from app.config import sources
from app.config.file import load
from app.config.reading import NoSuchContent, read_file
from app.config.values import ConfigurationError

BROKER = '[broker]\nurl = "http://127.0.0.1:9292"\n'


def provider(name: str, more: str = "") -> str:
    repository = name.lower().replace(" ", "-")
    keys = f'name = "{name}"\nrepository = "acme/{repository}"\n'
    return f'[[providers]]\n{keys}base_url = "http://127.0.0.1:1"\nversion = "1"\n{more}'


def written(folder: Path, main: str, **further: str) -> Path:
    """Write a configuration, and files of `conf.d` by their names without `.toml`."""
    (folder / "conf.d").mkdir(exist_ok=True)
    for name, text in further.items():
        (folder / "conf.d" / f"{name}.toml").write_text(text)
    file = folder / "pact-dispatch.toml"
    file.write_text(main)
    return file


def mistakes(file: Path, environment: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load(file, environment or {})
    return [mistake.replace(f"{file.parent}/", "") for mistake in caught.value.mistakes]


def names(file: Path) -> list[str]:
    return [one.name for one in load(file, {}).providers]


def test_each_file_adds_providers_in_the_order_of_the_names(tmp_path: Path) -> None:
    file = written(
        tmp_path, BROKER + provider("A"), z=provider("B"), m=provider("C") + provider("D"), empty=""
    )
    settings = load(file, {})
    assert [one.name for one in settings.providers] == ["A", "C", "D", "B"]
    assert settings.provider_of("ACME/B") is settings.provider_named("B") is settings.providers[3]
    assert settings.file_of(1) == file
    assert settings.file_of(3) == tmp_path / "conf.d" / "m.toml"
    assert settings.name_of(3) == f"{tmp_path / 'conf.d' / 'm.toml'}: providers[2] (D)"


def test_the_file_itself_needs_no_provider_then(tmp_path: Path) -> None:
    assert names(written(tmp_path, BROKER, a=provider("A"))) == ["A"]
    assert mistakes(written(tmp_path, BROKER, a="")) == [
        "pact-dispatch.toml: providers: there must be one at least"
    ]


def test_paths_are_relative_to_the_folder_of_the_configuration_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("x")
    file = written(tmp_path, BROKER, a=provider("A", 'headers = { X = { file = "token" } }\n'))
    assert [str(one.file) for one in load(file, {}).providers[0].secret_sources] == [str(tmp_path / "token")]


def test_all_mistakes_of_all_files_are_told_at_once_each_with_its_file_and_key(tmp_path: Path) -> None:
    secret = 'headers = { X = { env = "NOT_SET" } }\n'
    file = written(
        tmp_path,
        '[broker]\nurl = "nowhere"\n' + provider("A"),
        a=provider("B") + provider("C", "jobs = 0\n"),
        b="[[providers]\n",
        c="[worker]\nconcurrency = 2\n" + provider("D", secret),
        d='providers = "x"\n',
        e=provider("E", 'ca_file = "nowhere.pem"\n'),
    )
    found = mistakes(file)
    expected = [
        "pact-dispatch.toml: broker.url: it must be an http:// or https:// URL",
        "conf.d/a.toml: providers[2].jobs: must be greater than or equal to 1",
        "conf.d/b.toml: is no TOML: ",
        "conf.d/c.toml: worker: only [[providers]] may stand in a file of conf.d: move it to the file beside conf.d",
        "conf.d/c.toml: providers[1].headers.X: the environment variable NOT_SET is not set",
        "conf.d/d.toml: providers: must be a list: write [[providers]]",
        "conf.d/e.toml: providers[1].ca_file: there is no file ",
    ]
    for beginning in expected:
        assert len([line for line in found if line.startswith(beginning)]) == 1, (beginning, found)
    assert len(found) == len(expected), found


def test_a_file_that_is_none_hides_no_mistake_of_the_others(tmp_path: Path) -> None:
    found = mistakes(written(tmp_path, "[broker", a="[[providers]\n", b="[broker]\n"))
    assert [line.split(": ")[0] for line in found] == [
        "pact-dispatch.toml",
        "conf.d/a.toml",
        "conf.d/b.toml",
    ]


def test_twins_name_both_files(tmp_path: Path) -> None:
    file = written(tmp_path, BROKER + provider("A"), x=provider("B") + provider("a"), y=provider("b"))
    a = "providers[1] of pact-dispatch.toml and providers[2] of conf.d/x.toml"
    b = "providers[1] of conf.d/x.toml and providers[1] of conf.d/y.toml"
    other = "is the same: letter case doesn't count"
    assert mistakes(file) == [
        f"conf.d/x.toml: two providers have the name 'A', since 'a' {other}: {a}",
        f"conf.d/y.toml: two providers have the name 'B', since 'b' {other}: {b}",
        f"conf.d/x.toml: two providers have the repository 'acme/a': {a}",
        f"conf.d/y.toml: two providers have the repository 'acme/b': {b}",
    ]


def test_providers_that_could_not_be_read_are_not_told_to_be_missing(tmp_path: Path) -> None:
    (tmp_path / "pact-dispatch.toml").write_text(BROKER)
    (tmp_path / "conf.d").write_text("")
    assert mistakes(tmp_path / "pact-dispatch.toml") == ["conf.d: Not a directory"]
    (tmp_path / "conf.d").unlink()
    file = written(tmp_path, BROKER, a="[[providers]\n")
    [mistake] = mistakes(file)
    assert mistake.startswith("conf.d/a.toml: is no TOML: ")
    assert mistakes(written(tmp_path, BROKER, a="")) == [
        "pact-dispatch.toml: providers: there must be one at least"
    ]


def test_hidden_files_and_copies_of_editors_dont_count(tmp_path: Path) -> None:
    file = written(tmp_path, BROKER, a=provider("A"))
    folder = tmp_path / "conf.d"
    for name in (".a.toml.swp", ".a.toml", "a.toml~", "#a.toml#", "a.toml.bak", "a.toml.dpkg-old", "README"):
        (folder / name).write_text("[[")
    (folder / ".#a.toml").symlink_to("somebody@somewhere.1234")
    (folder / "further").mkdir()
    assert names(file) == ["A"]


def test_the_links_of_a_config_map_are_followed_and_each_file_read_once(tmp_path: Path) -> None:
    file = written(tmp_path, BROKER)
    folder = tmp_path / "conf.d"
    for version, name in (("..2026_01", "A"), ("..2026_02", "B")):
        (folder / version).mkdir()
        (folder / version / "team.toml").write_text(provider(name))
    (folder / "..data").symlink_to("..2026_01")
    (folder / "team.toml").symlink_to("..data/team.toml")
    assert names(file) == ["A"]
    (folder / "..data_tmp").symlink_to("..2026_02")
    (folder / "..data_tmp").replace(folder / "..data")
    assert names(file) == ["B"]


def test_files_that_are_exchanged_meanwhile_are_not_mixed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(tmp_path, BROKER, a=provider("A"), b=provider("B"))
    done: list[bool] = []

    def exchange(one: Path, **options: Any) -> bytes:
        content = read_file(one, **options)
        if one.name == "a.toml" and not done:
            done.append(True)
            written(tmp_path, BROKER, a=provider("New A"), b=provider("New B"))
        return content

    monkeypatch.setattr(sources, "read_file", exchange)
    assert names(file) == ["New A", "New B"]


def test_a_file_that_vanishes_meanwhile_is_as_if_it_had_never_been(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(tmp_path, BROKER, a=provider("A"), b=provider("B"))

    def remove(one: Path, **options: Any) -> bytes:
        if one.name == "b.toml":
            one.unlink(missing_ok=True)
        return read_file(one, **options)

    monkeypatch.setattr(sources, "read_file", remove)
    assert names(file) == ["A"]


def test_what_is_no_file_is_told_and_nothing_waits_for_it(tmp_path: Path) -> None:
    file = written(tmp_path, BROKER + provider("A"))
    folder = tmp_path / "conf.d"
    os.mkfifo(folder / "pipe.toml")
    (folder / "folder.toml").mkdir()
    (folder / "gone.toml").symlink_to("nowhere.toml")
    with (folder / "huge.toml").open("wb") as huge:
        huge.truncate(2**30)
    assert mistakes(file) == [
        "conf.d/folder.toml: Is a directory",
        "conf.d/gone.toml: No such file or directory",
        "conf.d/huge.toml: it has more than 8192 KB",
        "conf.d/pipe.toml: it is no regular file",
    ]
    file.unlink()
    os.mkfifo(file)
    shutil.rmtree(folder)
    assert mistakes(file) == ["pact-dispatch.toml: it is no regular file"]


def test_a_file_of_the_kernel_that_has_nothing_to_say_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "kmsg"
    os.mkfifo(file)
    monkeypatch.setattr(stat, "S_ISREG", lambda _: True)  # as /proc/kmsg says of itself
    writer = os.open(file, os.O_RDWR)
    try:
        with pytest.raises(NoSuchContent, match="it is no regular file"):
            read_file(file, most=100)
    finally:
        os.close(writer)


def test_a_secret_in_what_is_no_file_is_told_and_nothing_waits_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    file = written(tmp_path, BROKER + provider("A", 'headers = { X = { file = "pipe" } }\n'))
    [found] = mistakes(file)
    assert found.endswith("pipe can't be read: it is no regular file")


def test_a_folder_that_is_none_is_told(tmp_path: Path) -> None:
    file = tmp_path / "pact-dispatch.toml"
    file.write_text(BROKER + provider("A"))
    assert names(file) == ["A"]
    (tmp_path / "conf.d").write_text("")
    assert mistakes(file) == ["conf.d: Not a directory"]


def test_a_configuration_may_come_through_a_pipe() -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as opened:
        opened.write(BROKER + provider("A"))
    try:
        assert names(Path(f"/dev/fd/{reading}")) == ["A"]
    finally:
        os.close(reading)


def test_authorities_are_read_only_where_they_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of the system take a tenth of a second, for each of a thousand providers."""

    def read(*_: Any, **__: Any) -> Any:
        raise AssertionError("nobody has named any")

    monkeypatch.setattr(ssl, "create_default_context", read)
    certificate = 'client_certificate = "none.pem"\n'
    assert names(written(tmp_path, BROKER + provider("A"), a=provider("B"))) == ["A", "B"]
    [found] = mistakes(written(tmp_path, BROKER + provider("A", certificate)))
    assert "there is no file" in found


def test_the_digest_is_that_of_what_the_files_say(tmp_path: Path) -> None:
    first = load(written(tmp_path, BROKER + provider("A"), a=provider("B")), {}).digest
    (tmp_path / "conf.d" / "a.toml").rename(tmp_path / "conf.d" / "b.toml")
    assert load(written(tmp_path, f"# comment\n{BROKER}\n{provider('A')}"), {}).digest == first
    assert load(written(tmp_path, BROKER + provider("A"), b=provider("B", "wait = 5\n")), {}).digest != first


def test_a_copy_of_the_settings_finds_its_own_providers(tmp_path: Path) -> None:
    settings = load(written(tmp_path, BROKER + provider("A")), {})
    assert settings.provider_named("A") is not None
    other = settings.model_copy(
        update={"providers": (settings.providers[0].model_copy(update={"name": "B"}),)}
    )
    assert (other.provider_named("A"), other.provider_named("B")) == (None, other.providers[0])
    assert settings.provider_named("A") is settings.providers[0]
