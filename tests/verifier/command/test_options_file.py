"""The file of options of `verify`."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from app.config import sections
from app.config.settings import Settings
from app.config.values import Section
from tests.support.pacts import pact, things
from tests.support.paths import DOCS
from tests.support.running import PROVIDER, READY, start_verify
from verifier.command.many_sources import build_many
from verifier.command.option_values import parse_transports
from verifier.command.options import build_parser, parse_options
from verifier.command.options_file import OF_A_RECEIVER
from verifier.command.sources import build_request, collect
from verifier.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from verifier.request import VerificationRequest

PYPROJECT = ("pyproject.toml", "[tool.pact-dispatch]\n")
OWN_FILE = ("pact-dispatch.toml", "[verify]\n")
SOURCES = {
    "pyproject.toml": "[tool.pact-dispatch] of pyproject.toml",
    "pact-dispatch.toml": "[verify] of pact-dispatch.toml",
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def built(*words: str, **variables: str) -> tuple[VerificationRequest, dict[str, str]]:
    """The request, and where each value comes from."""
    options = vars(parse_options(list(words)))
    file = options.pop("from_file")
    others = {"quiet", "verbose", "json", "junit", "html"}
    settings = collect({name: value for name, value in options.items() if name not in others}, variables)
    if file is not None:
        settings = file.complete(settings)
    return build_request(settings), {setting.name: setting.source for setting in settings}


def refused(text: str, *words: str, file: str = "pyproject.toml", **variables: str) -> str:
    with open(file, "w", encoding="utf-8") as stream:  # noqa: PTH123
        stream.write(text)
    with pytest.raises(UsageError) as caught:
        built("pact.json", *words, **variables)
    return str(caught.value)


@pytest.mark.parametrize(("name", "head"), [PYPROJECT, OWN_FILE])
def test_an_option_comes_before_a_variable_before_the_file(folder: Path, name: str, head: str) -> None:
    text = (
        'pact-url = "pacts/a.json"\nprovider-base-url = "http://127.0.0.1:1"\nprovider = "File"\nwait = 3\n'
        'transport = ["message:8081"]\ncustom-provider-header = "X-Tenant: 1"\nprovider-states-teardown = true\n'
        'provider-states-setup-url = "http://127.0.0.1:1/s"\njobs = 2\nrequest-timeout = 0.5\n'
    )
    (folder / name).write_text(f"{head}{text}")
    request, sources = built()
    provider = request.provider
    assert (request.pact_url, request.provider_name, provider.wait) == ("pacts/a.json", "File", 3.0)
    assert (provider.jobs, provider.request_timeout, provider.states_teardown) == (2, 0.5, True)
    assert provider.headers == (("X-Tenant", "1"),)
    assert provider.transports == parse_transports(["message:8081"])
    assert set(sources.values()) == {SOURCES[name]}

    request, sources = built("b.json", "--wait", "4", PACT_PROVIDER_NAME="Variable")
    assert (request.pact_url, request.provider_name, request.provider.wait) == ("b.json", "Variable", 4.0)
    assert sources["pact_url"] == "--pact-url"
    assert sources["provider"] == "PACT_PROVIDER_NAME"
    assert sources["jobs"] == SOURCES[name]


def test_the_github_event_comes_before_the_file(folder: Path) -> None:
    (folder / "pyproject.toml").write_text(
        '[tool.pact-dispatch]\npact-url = "a.json"\nprovider-base-url = "http://127.0.0.1:1"\n'
        'pact-broker-base-url = "http://broker.example"\n'
    )
    event = {"client_payload": {"pact_url": "http://broker.example/pacts/1"}}
    (folder / "event.json").write_text(json.dumps(event))
    github = {"GITHUB_EVENT_NAME": "repository_dispatch", "GITHUB_EVENT_PATH": "event.json"}
    assert built(**github)[0].pact_url == "http://broker.example/pacts/1"


@pytest.mark.parametrize(
    ("in_file", "words", "left_out"),
    [
        ('provider-command = "x"', ("--provider-base-url", "http://127.0.0.1:2"), "provider_command"),
        (
            'provider-base-url = "http://127.0.0.1:1"\nprovider-states = "states.py:x"',
            ("--provider-states-setup-url", "http://127.0.0.1:2/s"),
            "provider_states",
        ),
        (
            'provider-base-url = "http://127.0.0.1:1"\nfilter-no-state = true',
            ("--filter-state", "x"),
            "filter_no_state",
        ),
    ],
)
def test_what_is_given_takes_the_place_of_its_rival_in_the_file(
    folder: Path, in_file: str, words: tuple[str, ...], left_out: str
) -> None:
    (folder / "pyproject.toml").write_text(f"[tool.pact-dispatch]\n{in_file}\n")
    (folder / "states.py").write_text("x = {}\n")
    assert left_out not in built("a.json", *words)[1]
    if "base-url" in in_file:
        assert left_out in built("a.json")[1]


@pytest.mark.parametrize("name", ["broker-token", "broker-username", "broker-password"])
def test_a_secret_is_refused_and_not_shown(name: str) -> None:
    said = refused(f'[tool.pact-dispatch]\n{name} = "hidden"\n')
    assert "is a secret: it belongs into the environment" in said
    assert "hidden" not in said


def test_a_header_with_a_secret_is_refused_and_not_shown() -> None:
    for option in ("custom-provider-header", "provider-states-header"):
        said = refused(f'[tool.pact-dispatch]\n{option} = ["X-A: 1", "Authorization: Bearer hidden"]\n')
        assert f"{option} Authorization is a secret" in said
        assert "hidden" not in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            'provider-comand = "x"',
            "'provider-comand' is no option that can stand there; did you mean provider-command?",
        ),
        ('provider_command = "x"', "did you mean provider-command?"),
        ("quiet = true", "'quiet' is no option"),
        ("nothing-like-it-at-all = 1", "takes options of verify, without the dashes"),
        ('provider-app-version = "1"', "is another at each run"),
        ("unconfined-provider = true", "lets the provider read the broker's credentials"),
        ('wait = "soon"', "wait must be a number"),
        ("wait = true", "wait must be a number"),
        ("jobs = 1.5", "jobs must be a whole number"),
        ("provider = 1", "provider must be a text"),
        ("transport = [1]", "transport must be a text, or a list of texts"),
        ('exit-on-first-error = "yes"', "exit-on-first-error must be true or false"),
        ('log-level = "loud"', "log-level must be one of"),
        ('pact-url = "x', "pyproject.toml is no TOML that can be read"),
    ],
)
def test_what_is_wrong_is_said_with_the_file_and_the_key(text: str, said: str) -> None:
    message = refused(f"[tool.pact-dispatch]\n{text}\n")
    assert said in message
    assert "pyproject.toml" in message


def test_the_file_does_not_say_where_credentials_go() -> None:
    text = '[tool.pact-dispatch]\nprovider-base-url = "http://127.0.0.1:1"\npact-broker-base-url = "http://evil"\n'
    for variables in (
        {"PACT_BROKER_TOKEN": "hidden"},
        {"PACT_BROKER_USERNAME": "u", "PACT_BROKER_PASSWORD": "hidden"},
    ):
        said = refused(text, **variables)
        assert "would decide where the broker credentials are sent to" in said
        assert "hidden" not in said
    assert "would decide" in refused(text, "--broker-token", "hidden")
    request, _ = built("pact.json", PACT_BROKER_TOKEN="t", PACT_BROKER_BASE_URL="http://good.example")
    assert request.broker is not None
    assert request.broker.base_url == "http://good.example"
    assert built("pact.json")[1]["pact_broker_base_url"] == SOURCES["pyproject.toml"]


def test_two_files_are_one_too_many(folder: Path) -> None:
    for name, head in (PYPROJECT, OWN_FILE):
        (folder / name).write_text(f"{head}jobs = 1\n")
    with pytest.raises(UsageError, match="keep one of the two"):
        parse_options(["pact.json"])


def test_files_without_options_of_verify_change_nothing(folder: Path) -> None:
    (folder / "pyproject.toml").write_text('[project]\nname = "pact-dispatch"\n[tool.other]\nx = 1\n')
    (folder / "pact-dispatch.toml").write_text('[broker]\nurl = "http://x"\n# verify\n')
    assert parse_options(["pact.json"]).from_file is None
    (folder / "pyproject.toml").write_text("[tool.ruff]\n= no TOML, and none of our business\n")
    assert parse_options(["pact.json"]).from_file is None


RECEIVER = '[broker]\nurl = "http://x"\n[[providers]]\nname = "P"\n[providers.environment]\nwait = "x"\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('provider-command = "x"', "provider-command is an option of verify, and stands outside of [verify]"),
        ("jobs = 2\n[verify]\nwait = 1", "jobs is an option of verify, and stands outside of [verify]"),
        ('provider_command = "x"', "provider_command is an option of verify, and stands outside of [verify]"),
        ("[verfy]\njobs = 2", "'verfy' is not [verify], where options stand; did you mean verify?"),
        ("[Verify]\njobs = 2", "'Verify' is not [verify], where options stand; did you mean verify?"),
        (
            "[brokers]\n[verify]\njobs = 1",
            "'brokers' is not [verify], where options stand; did you mean broker?",
        ),
        ("zzz = 1", "'zzz' is not [verify], where options stand, nor anything of a receiver's configuration"),
        ("[tool.pact-dispatch]\njobs = 1", "[tool.pact-dispatch] is for pyproject.toml"),
        (
            'pact-broker-base-url = "http://x"\n',
            "pact-broker-base-url is an option of verify, and stands in [broker], which is a receiver's",
        ),
    ],
)
def test_an_option_outside_of_its_table_is_refused(text: str, said: str) -> None:
    if "stands in [broker]" in said:
        text = f"[broker]\n{text}"
    message = refused(text, "--provider-base-url", "http://127.0.0.1:1", file="pact-dispatch.toml")
    assert message.startswith("pact-dispatch.toml: ")
    assert said in message


@pytest.mark.parametrize("table", ["tool.pact_dispatch", "tool.PactDispatch", "pact-dispatch"])
def test_a_table_that_almost_has_the_name_is_refused(table: str) -> None:
    message = refused(f"[{table}]\njobs = 1\n", "--provider-base-url", "http://127.0.0.1:1")
    assert message == (
        f"pyproject.toml: [{table}] is read by nothing: options of verify stand in [tool.pact-dispatch]"
    )


def test_the_configuration_of_a_receiver_may_be_the_same_file(folder: Path) -> None:
    file = folder / "pact-dispatch.toml"
    file.write_text(RECEIVER)
    assert parse_options(["pact.json"]).from_file is None
    file.write_text(f"{RECEIVER}[verify]\njobs = 3\n")
    from_file = parse_options(["pact.json"]).from_file
    assert from_file is not None
    assert from_file.values == {"jobs": 3}


def test_what_a_receiver_may_have_is_what_its_configuration_has() -> None:
    assert Settings.model_fields.keys() == OF_A_RECEIVER
    models = [one for one in vars(sections).values() if isinstance(one, type) and issubclass(one, Section)]
    keys = {key.replace("_", "-") for model in models for key in model.model_fields}
    options = {
        option.removeprefix("--") for action in build_parser()._actions for option in action.option_strings
    }
    assert not keys & options, "an option in a receiver's table would be taken for a mistake"


def test_a_file_that_is_not_there_costs_no_import(folder: Path) -> None:
    program = (
        "import sys; from verifier.command.options import parse_options; parse_options(['pact.json'])\n"
        "print([name for name in sys.modules if 'tomllib' in name or 'options_file' in name])"
    )

    def loaded() -> str:
        return subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=folder
        ).stdout.strip()

    assert loaded() == "[]"
    (folder / "pyproject.toml").write_text("[project]\nname = 'products'\n")
    assert "tomllib" not in loaded()
    (folder / "pyproject.toml").write_text("[tool.pact-dispatch]\njobs = 1\n")
    assert "tomllib" in loaded()


def selection_of(text: str) -> dict[str, Any]:
    """What the broker is asked, for a run for every pact with these options in the file."""
    with open("pyproject.toml", "w", encoding="utf-8") as stream:  # noqa: PTH123
        stream.write(f"[tool.pact-dispatch]\n{text}\n")
    flags = {
        "provider": "Products",
        "pact_broker_base_url": "http://b",
        "provider_base_url": "http://p",
        "provider_version_branch": "main",
    }
    file = parse_options([]).from_file
    assert file is not None
    selection = build_many(file.complete(collect(flags, {})), flags, {}).selection
    assert selection is not None
    return selection.to_question()


@pytest.mark.parametrize(
    "selectors",
    [
        """[{mainBranch = true}, {tag = "prod", latest = true}]""",
        """['{"mainBranch": true}', {tag = "prod", latest = true}]""",
        """'[{"mainBranch": true}, {"tag": "prod", "latest": true}]'""",
    ],
    ids=["tables", "both", "text"],
)
def test_selectors_and_dates_may_be_written_as_in_a_receiver_s_configuration(selectors: str) -> None:
    wip = "enable-pending = true\ninclude-wip-pacts-since = 2026-01-31"
    asked = selection_of(f"consumer-version-selectors = {selectors}\n{wip}")
    assert asked["consumerVersionSelectors"] == [{"mainBranch": True}, {"tag": "prod", "latest": True}]
    assert asked["includeWipPactsSince"] == "2026-01-31"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            """consumer-version-selectors = {latest = true}\nconsumer-version-tags = "prod\"""",
            "pyproject.toml: consumer-version-selectors and .* pyproject.toml: consumer-version-tags are two ways",
        ),
        ("consumer-version-selectors = {at = 2026-01-31}", "consumer-version-selectors: selector 1 can't be used"),
        ("enable-pending = true\ninclude-wip-pacts-since = 'soon'", "include-wip-pacts-since must be a date"),
        ("include-wip-pacts-since = 2026-01-31T10:00:00", "include-wip-pacts-since must be a text"),
    ],
)  # fmt: skip
def test_which_pacts_is_refused_with_the_key(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        selection_of(text)


def test_verify_runs_by_its_file_alone(folder: Path) -> None:
    (folder / "pact.json").write_text(json.dumps(pact(*things(2))))
    options: dict[str, Any] = {"pact-url": "pact.json", "provider-command": PROVIDER, "json": "report.json"}
    options |= {name.removeprefix("--"): value for name, value in zip(READY[::2], READY[1::2], strict=True)}
    lines = [f"{name} = {json.dumps(value)}" for name, value in options.items()]
    (folder / "pact-dispatch.toml").write_text("\n".join(["[verify]", *lines]))
    with start_verify("-v") as running:
        shown, said = running.communicate(timeout=60)
    assert running.returncode == 0, shown + said
    assert "--pact-url = pact.json  (from [verify] of pact-dispatch.toml)" in said
    assert json.loads((folder / "report.json").read_text())["outcome"] == "passed"


def test_the_example_of_the_documentation_can_be_used(folder: Path) -> None:
    [example] = re.findall(
        r"```toml\n(\[tool\.pact-dispatch\].*?)```", (DOCS / "verify.md").read_text(), re.DOTALL
    )
    (folder / "pyproject.toml").write_text(example)
    request, _ = built("pact.json")
    assert request.provider_name == "Products"
    assert request.provider.request_timeout == 10
