"""The configuration: every mistake in a line of its own, with file and key; no traceback, and no secret shown."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.config.broker_access import broker_access
from app.config.file import MOST_MISTAKES, load
from app.config.provider import CheckoutProvider, CommandProvider, RelayedProvider, RunningProvider
from app.config.provider_table import ProviderTable, read_provider
from app.config.settings import Settings
from app.config.values import ConfigurationError, secret

if TYPE_CHECKING:
    from pathlib import Path

BROKER = '[broker]\nurl = "http://127.0.0.1:9292"\n'
PROVIDER = '[[providers]]\nname = "Products"\nrepository = "acme/products"\n'
RUNS = 'base_url = "http://127.0.0.1:8080"\nversion = "1"\n'
MINIMAL = BROKER + PROVIDER + RUNS
HIDDEN = "a-secret-value"


def written(folder: Path, text: str | bytes) -> Path:
    file = folder / "pact-dispatch.toml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def mistakes(folder: Path, text: str | bytes, environment: dict[str, str] | None = None) -> list[str]:
    """The mistakes of a configuration, each without the file that it begins with."""
    file = written(folder, text)
    with pytest.raises(ConfigurationError) as caught:
        load(file, environment or {})
    found = caught.value.mistakes
    assert all(mistake.startswith(f"{file}: ") and "\n" not in mistake for mistake in found), found
    assert HIDDEN not in str(caught.value)
    return [mistake.removeprefix(f"{file}: ") for mistake in found]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[brokers]\n", "brokers: is no key of the configuration; is broker meant?"),
        (
            "[worker]\nconcurency = 2\n",
            "worker.concurency: is no key of the configuration; is concurrency meant?",
        ),
        (
            '[[providers]]\nname = "P"\nrepository = "a/b"\nbase_url = "http://p"\nversion = "1"\nbrnch = "main"\n',
            "providers[1].brnch: is no key of the configuration; is branch meant?",
        ),
        ("[worker]\nzzz = 2\n", "worker.zzz: is no key of the configuration"),
    ],
)
def test_a_key_that_is_none_is_told_with_the_one_that_may_be_meant(
    tmp_path: Path, text: str, said: str
) -> None:
    file = tmp_path / "pact-dispatch.toml"
    file.write_text(text)
    with pytest.raises(ConfigurationError) as error:
        load(file, {})
    assert f"{file}: {said}" in error.value.mistakes


def test_the_least_that_works(tmp_path: Path) -> None:
    read = load(written(tmp_path, MINIMAL), {})
    [provider] = read.providers
    assert isinstance(provider, RunningProvider)
    assert (provider.name, provider.repository, provider.version) == ("Products", "acme/products", "1")
    assert read.event_types == {
        "pact_changed",
        "contract_requiring_verification_published",
        "provider_changed",
    }
    assert read.provider_of("ACME/Products") is provider
    assert read.provider_of("acme/other") is None
    assert (read.provider_named("Products"), read.provider_named("products")) == (provider, None)


def test_options_of_verify_in_the_file_are_none_of_the_receivers(tmp_path: Path) -> None:
    read = load(written(tmp_path, f'{MINIMAL}\n[verify]\nprovider-command = "x"\n'), {})
    assert read == load(written(tmp_path, MINIMAL), {})


@pytest.mark.parametrize(
    ("key", "value", "mistake"),
    [
        ("name", '""', "must have at least 1 character"),
        ("name", "7", "must be a text"),
        ("name", r'"a\u0000b"', "printable characters"),
        ("name", '".."', "more than dots"),
        ("name", json.dumps("x" * 256), "at most 255"),
        ("repository", '"products"', "must be OWNER/REPO"),
        ("repository", '"acme/.."', "must be OWNER/REPO"),
        ("repository", '"acme/a b"', "must be OWNER/REPO"),
        ("base_url", '"127.0.0.1:8080"', "must be an http:// or https:// URL"),
        ("base_url", '"ftp://127.0.0.1"', "must be an http:// or https:// URL"),
        ("base_url", f'"http://joe:{HIDDEN}@127.0.0.1"', "without a user name or password"),
        ("base_url", '"http://127.0.0.1:{port}"', "the port of a provider that is started"),
        ("base_url", '"http://[::1"', "must be an http:// or https:// URL"),
        ("base_url", "true", "must be a text"),
        ("version", '""', "at least 1 character"),
        ("version", "1.2", "must be a text"),
        ("branch", r'"a\nb"', "printable characters"),
        ("tags", '"prod"', "must be a list"),
        ("tags[1]", None, ""),
        ("states_setup_url", '"states"', "must be an http:// or https:// URL"),
        ("states_teardown", '"yes"', "must be true or false"),
        ("states_teardown", "1", "must be true or false"),
        ("headers", '"X: y"', "must be a table"),
        ("headers", '{ "a b" = "c" }', "can't be sent"),
        ("headers", r'{ X = "a\nb" }', "can't be sent"),
        ("headers", '{ X = "ä" }', "can't be sent"),
        ("headers.X", None, ""),
        ("transports", '["message"]', "is not NAME:PORT"),
        ("transports", '["message:99999"]', "is not NAME:PORT"),
        ("health_path", '"health"', "must be a path"),
        ("wait", "0", "must be greater than 0"),
        ("wait", "nan", "must be a finite number"),
        ("wait", "inf", "must be a finite number"),
        ("wait", '"30"', "must be a number"),
        ("wait", "true", "must be a number"),
        ("timeout", "-1", "must be greater than 0"),
        ("timeout", "9999999", "must be less than"),
        ("jobs", "0", "must be greater than or equal to 1"),
        ("jobs", "100000", "must be less than or equal to"),
        ("jobs", "1.5", "must be a whole number"),
        ("jobs", "true", "must be a whole number"),
        ("jobs", '"2"', "must be a whole number"),
        ("environment", '{ "A-B" = "c" }', "can't be the name of a variable"),
        ("environment", '{ "" = "c" }', "can't be the name of a variable"),
        ("environment", r'{ A = "a\u0000" }', "has a NUL"),
        ("parallel", "0", "must be true or false"),
        ("max_runs", "0", "must be greater than or equal to 1"),
        ("max_runs", "true", "must be a whole number"),
        ("pararell", "true", "is no key of the configuration"),
        ("checkout", "true", "must be a table"),
    ],
)
def test_a_mistake_in_a_provider_names_the_key(
    tmp_path: Path, key: str, value: str | None, mistake: str
) -> None:
    if value is None:
        key, value, mistake = (
            ("tags", '["ok", 7]', "must be a text")
            if key.startswith("tags")
            else ("headers", "{ X = [1] }", "must be a text, or { env")
        )
    keys = {"name": '"Products"', "repository": '"acme/products"', "version": '"1"'}
    keys |= {"base_url": '"http://127.0.0.1:8080"', "states_setup_url": '"http://127.0.0.1:8080"', key: value}
    text = BROKER + "[[providers]]\n" + "".join(f"{name} = {one}\n" for name, one in keys.items())
    found = [line for line in mistakes(tmp_path, text) if line.startswith(f"providers[1].{key}")]
    assert len(found) == 1, mistakes(tmp_path, text)
    assert mistake in found[0]


@pytest.mark.parametrize(
    ("keys", "mistake"),
    [
        ('version = "1"\n', "needs one of base_url, command, checkout and relay; there is none of them"),
        (RUNS + 'command = "serve"\n', "there is base_url and command"),
        ('base_url = "http://127.0.0.1:8080"\n', "which version answers?"),
        (RUNS + 'version_url = "http://127.0.0.1:8080/version"\n', "which version answers?"),
        ('command = "serve"\nversion_url = "http://127.0.0.1/v"\n', "with command, give version"),
        (RUNS + 'version_pointer = "/a"\n', "version_url, which is missing"),
        (
            'base_url = "http://127.0.0.1"\nversion_url = "http://127.0.0.1/v"\nversion_pointer = "a"\n',
            "must be a JSON pointer",
        ),
        (RUNS + "relay = true\n", "there is base_url and relay"),
        ("relay = true\njobs = 2\n", "jobs is for verifying, and a relayed provider is verified elsewhere"),
        ("relay = false\n" + 'version = "1"\n', "there is none of them"),
        ("relay = 7\n", "relay: must be true, or a table"),
        (RUNS + "max_runs = 2\n", "max_runs needs parallel = true"),
        (RUNS + 'folder = "."\n', "folder is where command runs"),
        ('command = "serve"\nversion = "1"\nfolder = "nowhere"\n', "there is no folder"),
        (RUNS + 'states_setup_url = "http://127.0.0.1:{port}/s"\n', "the port of a provider that is started"),
        (RUNS + 'states_setup_url = "http://127.0.0.1:$PORT/s"\n', "the port of a provider that is started"),
        (RUNS + "states_teardown = true\n", "states_setup_url, which is missing"),
        (RUNS + 'client_key = "k"\n', "client_key is for client_certificate, which is missing"),
        (RUNS + 'ca_file = "nowhere.pem"\n', "providers[1].ca_file: there is no file "),
        (
            RUNS + 'ca_file = "pact-dispatch.toml"\n',
            "pact-dispatch.toml has no certificates in PEM that can be read",
        ),
        (
            RUNS + 'client_certificate = "c"\nclient_key_password = "k"\n',
            "providers[1].client_key_password: must be { env",
        ),
        (
            RUNS + 'client_certificate = "c"\nclient_key_password = { env = "NOT_SET" }\n',
            "providers[1].client_key_password: the environment variable NOT_SET is not set",
        ),
        (
            "relay = true\ndisable_ssl_verification = true\n",
            "disable_ssl_verification is for verifying, and a relayed provider is verified elsewhere",
        ),
        ('command = ""\nversion = "1"\n', "command: is empty"),
        ('command = "a | b"\nversion = "1"\n', "command: runs without a shell"),
        ('command = "a \'b"\nversion = "1"\n', "command: can't be split into words"),
        ('version = "1"\n[providers.checkout]\nurl = "u"\ncommand = "c"\n', "are not for a checkout"),
        ('[providers.checkout]\ncommand = "c"\n', "providers[1].checkout.url: is missing"),
        ('[providers.checkout]\nurl = "--upload-pack=x"\ncommand = "c"\n', "checkout.url: "),
        (
            f'[providers.checkout]\nurl = "https://x:{HIDDEN}@git.example.org/a"\ncommand = "c"\n',
            "checkout.url: must not carry a user name or password",
        ),
        (
            "[providers.checkout]\nurl = { env = 'NOT_SET' }\ncommand = 'c'\n",
            "providers[1].checkout.url: the environment variable NOT_SET is not set",
        ),
        ("[providers.checkout]\nurl = 7\ncommand = 'c'\n", "checkout.url: must be a text, or { env"),
        (
            "[providers.checkout]\nurl = { env = 7 }\ncommand = 'c'\n",
            "providers[1].checkout.url.env: must be a text",
        ),
        (
            '[providers.checkout]\nurl = "u"\ncommand = "c"\ncache_paths = ["../x"]\n',
            "'../x' must be a path inside the checkout",
        ),
    ],
)
def test_what_does_not_go_together_is_said(tmp_path: Path, keys: str, mistake: str) -> None:
    found = mistakes(tmp_path, BROKER + PROVIDER + keys)
    assert len(found) == 1, found
    assert mistake in found[0]
    assert found[0].startswith("providers[1]")


@pytest.mark.parametrize("password", ['{ env = "NOT_SET" }', '"s3cret"'])
def test_all_mistakes_of_tls_are_told_at_once(tmp_path: Path, password: str) -> None:
    keys = f'client_certificate = "c"\nclient_key_password = {password}\nca_file = "nowhere.pem"\nclient_key = 7\n'
    found = mistakes(tmp_path, BROKER + PROVIDER + RUNS + keys)
    assert sorted(line.partition(": ")[0] for line in found) == [
        "providers[1].ca_file",
        "providers[1].client_key",
        "providers[1].client_key_password",
    ]


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("", "broker"),
        (PROVIDER + RUNS, "broker"),
        (BROKER, "providers"),
        (BROKER + "providers = 7\n", "broker.providers"),
        ("providers = []\n" + BROKER, "providers"),
        ("providers = 7\n" + BROKER, "providers"),
        ("providers = [7]\n" + BROKER, "providers[1]"),
        ("broker = 7\n" + PROVIDER + RUNS, "broker"),
        (MINIMAL.replace("http://127.0.0.1:9292", "127.0.0.1"), "broker.url"),
        (MINIMAL.replace("http://127", f"http://joe:{HIDDEN}@127"), "broker.url"),
        (MINIMAL.replace("9292", "9292?x=1"), "broker.url"),
        (MINIMAL.replace('9292"', f'9292"\naliases = ["http://joe:{HIDDEN}@b"]', 1), "broker.aliases"),
        (MINIMAL.replace('9292"', '9292"\naliases = ["b/base"]', 1), "broker.aliases"),
        (MINIMAL.replace('9292"', '9292"\naliases = "http://b"', 1), "broker.aliases"),
        ("[brocker]\n" + MINIMAL, "brocker"),
        (MINIMAL + "[server]\npublic_url = 'x'\n", "server.public_url"),
        (MINIMAL + "[server]\nprocesses = 0\n", "server.processes"),
        (MINIMAL + "[worker]\nconcurrency = true\n", "worker.concurrency"),
        (MINIMAL + "[worker]\nretry_seconds = [-1]\n", "worker.retry_seconds[1]"),
        (MINIMAL + "[worker]\npublish_retry_seconds = []\n", "worker.publish_retry_seconds"),
        (MINIMAL + "[retention]\ndays = inf\n", "retention.days"),
        (MINIMAL + f"[retention]\ndays = 1{'0' * 400}\n", "retention.days"),
        (MINIMAL + "[reconcile]\nminutes = nan\n", "reconcile.minutes"),
        (MINIMAL + "[dispatches]\nevent_types = ['']\n", "dispatches.event_types[1]"),
        (MINIMAL + '[dispatches]\nevent_types = ["a\\u0000"]\n', "dispatches.event_types"),
        (MINIMAL + "[retention]\ndays = 1979-05-27\n", "retention.days"),
    ],
)
def test_a_mistake_elsewhere_names_the_key(tmp_path: Path, text: str, key: str) -> None:
    found = mistakes(tmp_path, text)
    assert any(line.startswith(f"{key}: ") for line in found), found


@pytest.mark.parametrize(
    ("content", "mistake"),
    [
        (b"[broker", "is no TOML"),
        (b"\xff\xfe", "is no TOML"),
        (b"a = " + b"[" * 100_000, "is nested too deeply"),
        (b"a = " + b"9" * 5000, "is no TOML"),
        (b"x" * 9_000_000, "it has more than 8192 KB"),
    ],
)
def test_what_is_no_toml_is_said(tmp_path: Path, content: bytes, mistake: str) -> None:
    [found] = mistakes(tmp_path, content)
    assert found.startswith(mistake)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    for file in (tmp_path / "none.toml", tmp_path):
        with pytest.raises(ConfigurationError, match=r"Name the file with --config FILE"):
            load(file, {})


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    assert load(written(tmp_path, b"\xef\xbb\xbf" + MINIMAL.encode()), {})


def test_every_mistake_is_named_at_once(tmp_path: Path) -> None:
    text = (
        '[broker]\nurl = "nowhere"\ntoken = "a-secret-value"\n'
        '[[providers]]\nname = "A"\nrepository = "a"\nheaders = { X = { env = "NOT_SET" } }\n'
        '[[providers]]\nname = "a"\nrepository = "acme/a"\njobs = 0\ncommand = "a | b"\nbase_url = "x"\n'
        'environment = { Y = { file = "not-there" } }\n'
        '[[providers]]\nname = "C"\nrepository = "ACME/A"\nversion = "1"\nbase_url = "http://127.0.0.1"\n'
        "[retention]\ndays = 0\n[workers]\n"
    )
    found = mistakes(tmp_path, text)
    expected = [
        "broker.url: it must be an http:// or https:// URL",
        "broker.token: is no key of the configuration: credentials come from the environment (PACT_BROKER_TOKEN, ",
        "providers[1].repository: must be OWNER/REPO",
        "providers[1]: needs one of base_url, command, checkout and relay",
        "providers[1]: which version answers?",
        "providers[1].headers.X: the environment variable NOT_SET is not set",
        "providers[2].jobs: ",
        "providers[2].command: runs without a shell",
        "providers[2].base_url: must be an http:// or https:// URL",
        "providers[2]: needs one of base_url, command, checkout and relay; there is base_url and command",
        "providers[2]: which version answers?",
        "providers[2].environment.Y: ",
        "two providers have the name 'A', since 'a' is the same: letter case doesn't count",
        "two providers have the repository 'acme/a', since 'ACME/A' is the same: letter case doesn't count",
        "retention.days: ",
        "workers: is no key of the configuration",
    ]
    for beginning in expected:
        assert len([line for line in found if line.startswith(beginning)]) == 1, (beginning, found)
    assert len(found) == len(expected)


def test_a_file_full_of_mistakes_is_not_all_shown(tmp_path: Path) -> None:
    found = mistakes(tmp_path, "".join(f"key{number} = 1\n" for number in range(200)))
    assert len(found) == MOST_MISTAKES + 1
    assert found[-1] == f"and {202 - MOST_MISTAKES} more"


@pytest.mark.parametrize(
    ("value", "mistake"),
    [
        ("{ env = 'A', file = 'b' }", "must be { env = "),
        ("{}", "must be { env = "),
        ("{ env = 7 }", "env: must be a text"),
        ("{ variable = 'A' }", "variable: is no key of the configuration"),
        ("{ file = 'not-there' }", "can't be read"),
        ("{ file = '.' }", "can't be read"),
        (r'{ file = "a\u0000b" }', "null byte"),
        ("{ env = 'TWO_LINES' }", "the value of TWO_LINES can't be sent in a header"),
        ("{ file = 'binary' }", "can't be read"),
    ],
)
def test_a_secret_that_cannot_be_had_is_said(tmp_path: Path, value: str, mistake: str) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    found = mistakes(tmp_path, MINIMAL + f"headers = {{ X = {value} }}\n", {"TWO_LINES": f"{HIDDEN}\nX: y"})
    assert any(line.startswith("providers[1].headers.X") and mistake in line for line in found), found


def test_certificates_are_checked_against_something_or_not_at_all(tmp_path: Path) -> None:
    found = mistakes(tmp_path, MINIMAL + 'ca_file = "nowhere.pem"\ndisable_ssl_verification = true\n')
    assert len(found) == 2
    assert "that they are not: give one of the two" in found[0]
    assert "there is no file" in found[1]


def test_a_certificate_that_is_not_there_is_named_alone(tmp_path: Path) -> None:
    [found] = mistakes(tmp_path, MINIMAL + 'client_certificate = "nowhere.pem"\n')
    assert found == f"providers[1].client_certificate: there is no file {tmp_path / 'nowhere.pem'}"


def test_a_header_may_be_called_as_it_likes(tmp_path: Path) -> None:
    for name in ("str", "secret", "text", "SecretSource"):
        [found] = mistakes(tmp_path, MINIMAL + f"headers = {{ {name} = 7 }}\n")
        assert found.startswith(f"providers[1].headers.{name}: must be a text, or {{ env")


def test_files_are_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "token").write_text(f"{HIDDEN}\n")
    keys = 'command = "serve"\nversion = "1"\nfolder = "source"\nheaders = { X = { file = "token" } }\n'
    [provider] = load(written(tmp_path, BROKER + PROVIDER + keys), {}).providers
    assert isinstance(provider, CommandProvider)
    assert provider.folder == tmp_path / "source"
    source = provider.headers["X"]
    assert not isinstance(source, str)
    assert source.read({}) == HIDDEN


SECRETS = 'headers = { X = { env = "A" }, Y = "z" }\ntags = ["a"]\nwait = 5\nparallel = true\n'


@pytest.mark.parametrize(
    ("keys", "kind"),
    [
        (RUNS + SECRETS, RunningProvider),
        (RUNS + "relay = false\n", RunningProvider),
        ('command = "serve"\nversion = "1"\nfolder = "."\n' + SECRETS, CommandProvider),
        (SECRETS + '[providers.checkout]\nurl = { env = "A" }\ncommand = "c"\n', CheckoutProvider),
        ("relay = true\n", RelayedProvider),
        ('[providers.relay]\nrepository = "acme/other"\n', RelayedProvider),
    ],
)
def test_a_provider_survives_the_way_to_a_child(tmp_path: Path, keys: str, kind: type) -> None:
    read = load(written(tmp_path, BROKER + PROVIDER + keys), {"A": "b"})
    [provider] = read.providers
    assert isinstance(provider, kind)
    assert read_provider(json.loads(json.dumps(provider.model_dump(mode="json")))) == provider
    assert Settings.model_validate(json.loads(json.dumps(read.model_dump(mode="json")))) == read


@pytest.mark.parametrize(
    ("environment", "mistake"),
    [
        ({"PACT_BROKER_TOKEN": "t", "PACT_BROKER_USERNAME": "u"}, "two kinds of credentials"),
        ({"PACT_BROKER_USERNAME": "u"}, "PACT_BROKER_PASSWORD is missing"),
        ({"PACT_BROKER_PASSWORD": HIDDEN}, "PACT_BROKER_USERNAME is missing"),
        ({"PACT_BROKER_TOKEN": f"{HIDDEN}\nX: y"}, "can't be sent"),
        ({"PACT_BROKER_TOKEN": "t", "PACT_BROKER_TOKEN_FILE": "f"}, "are both set"),
        ({"PACT_BROKER_TOKEN_FILE": "/not/there"}, "can't be read"),
        (
            {"PACT_BROKER_CLIENT_KEY_PASSWORD": HIDDEN},
            "is for the key of broker.client_certificate, which is missing",
        ),
    ],
)
def test_credentials_that_cannot_be_used_are_said(
    tmp_path: Path, environment: dict[str, str], mistake: str
) -> None:
    read = load(written(tmp_path, MINIMAL), {})
    with pytest.raises(ConfigurationError) as caught:
        broker_access(read, environment)
    assert mistake in str(caught.value)
    assert HIDDEN not in str(caught.value)


def test_a_secret_comes_from_a_file_too(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("from-the-file\n")
    assert secret("A", {"A_FILE": str(file)}) == "from-the-file"
    assert secret("A", {"A": "from-here", "A_FILE": ""}) == "from-here"
    assert secret("A", {}) is None


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["http://127.0.0.1", "a/b", "{port}", "http://[", "/x", "-", "\0"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
KEYS = st.sampled_from([*ProviderTable.model_fields, "unknown"])
SECTIONS = st.sampled_from([*Settings.model_fields, "unknown"])


def toml(value: Any) -> str:
    """Write a value as TOML does."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(key)} = {toml(one)}" for key, one in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, float):
        return repr(value)
    return "1979-05-27" if value is None else json.dumps(value)


@settings(
    deadline=None,
    max_examples=300,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    provider=st.dictionaries(KEYS, VALUES, max_size=6),
    sections=st.dictionaries(SECTIONS, VALUES, max_size=3),
)
def test_nothing_but_a_configuration_error_comes_of_anything(
    tmp_path: Path, provider: dict[str, Any], sections: dict[str, Any]
) -> None:
    whole: dict[str, Any] = {
        "broker": {"url": "http://127.0.0.1:9292"},
        "providers": [{"name": "P", "repository": "a/b", "version": "1", "command": "serve", **provider}],
        **sections,
    }
    file = written(tmp_path, "".join(f"{key} = {toml(value)}\n" for key, value in whole.items()))
    with contextlib.suppress(ConfigurationError):
        assert load(file, {}).providers
