"""The Action and the reusable workflow, step by step as a runner runs them, on a machine that is clean."""

from __future__ import annotations

import fcntl
import html
import json
import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.support.github_runner import Runner, copy_of_this_project, git
from tests.support.pacts import interaction, pact
from tests.support.paths import ROOT
from tests.support.running import BIN
from verifier.command.options import build_parser
from verifier.errors import UsageError
from verifier.github_action import LISTS, SWITCHES, header_secrets, to_arguments

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.processes import EmbeddedBroker

pytestmark = pytest.mark.timeout(400)  # the first run installs from PyPI

SECRET = "t0ken-of-the-broker"
PRODUCTS = json.loads((ROOT / "examples/storefront-products.json").read_text(encoding="utf-8"))
PROVIDER = {
    "provider-command": "python products.py",
    "provider-states-setup-url": "http://127.0.0.1:{port}/_states",
    "provider-health-path": "/health",
}
WORKFLOW = ROOT / ".github/workflows/verify_changed_pact.yml"
WORKFLOWS = [
    *sorted((ROOT / ".github/workflows").glob("*.yml")),
    *sorted((ROOT / "examples/workflows").glob("*.yml")),
]
SEEN = "import json, os, sys\njson.dump([dict(os.environ), sys.path], open('seen.json', 'w'))\n"


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What every job of these tests shares, in each worker of pytest-xdist: RUNNER_TEMP, and the Action's checkout."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "machine"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "ready").exists():
            copy_of_this_project(folder / "action")
            (folder / "temp").mkdir()
            runner = Runner(folder / "first", folder / "temp", _path(), "workflow_dispatch", {})
            code, _ = runner.use(folder / "action", {})
            assert code == 2, runner.log  # nothing is configured: but it is installed
            assert "Installing pact-dispatch into" in runner.log
            (folder / "ready").touch()
    return folder


def _path() -> str:
    # the provider's Python is the one on the PATH, with Flask
    return f"{BIN}:/usr/bin:/bin"


class Job:
    """A provider's repository, and a run of the Action in it."""

    def __init__(self, machine: Path, folder: Path) -> None:
        self.machine = machine
        self.folder = folder
        self.runner: Runner

    def start(
        self, event_name: str, event: dict[str, Any], files: dict[str, str] | None = None, **environment: str
    ) -> Runner:
        self.runner = Runner(
            self.folder, self.machine / "temp", _path(), event_name, event, job_environment=environment
        )
        work = self.runner.workspace
        shutil.copyfile(ROOT / "examples/products.py", work / "products.py")
        for name, text in (files or {}).items():
            (work / name).parent.mkdir(parents=True, exist_ok=True)
            (work / name).write_text(text, encoding="utf-8")
        git("-C", str(work), "init", "--quiet")
        git("-C", str(work), "add", "--all")
        git("-C", str(work), "commit", "--quiet", "--message", "The provider")
        self.runner.sha = git("-C", str(work), "rev-parse", "HEAD")
        return self.runner

    def use(self, **inputs: str) -> tuple[int, dict[str, str]]:
        return self.runner.use(
            self.machine / "action", {name.replace("_", "-"): value for name, value in inputs.items()}
        )


@pytest.fixture
def job(machine: Path, tmp_path: Path) -> Job:
    return Job(machine, tmp_path / "job")


def dispatched(url: str, **payload: str) -> dict[str, Any]:
    return {"action": "pact_changed", "branch": "main", "client_payload": {"pact_url": url, **payload}}


def test_a_dispatch_needs_no_input_but_how_to_start_the_provider(
    job: Job, broker: EmbeddedBroker, published: Callable[..., str]
) -> None:
    url = broker.url + published(PRODUCTS)
    runner = job.start("repository_dispatch", dispatched(url), PACT_BROKER_BASE_URL=broker.url)
    code, outputs = job.use(**PROVIDER)
    assert code == 0, runner.log
    assert outputs["outcome"] == "passed"
    assert outputs["consumer"].startswith("test_a_dispatch")
    assert outputs["consumer-version"] == "1.0.0"
    result = broker.get(outputs["result-url"]).json()
    assert result["success"] is True
    assert result["providerApplicationVersion"] == runner.sha
    assert result["buildUrl"] == "https://github.example.org/acme/products/actions/runs/17"
    report = Path(outputs["report"])
    assert json.loads(report.read_text(encoding="utf-8"))["outcome"] == "passed"
    assert not report.is_relative_to(runner.workspace)
    assert git("-C", str(runner.workspace), "status", "--porcelain") in {"", "?? __pycache__/"}
    assert runner.commands == []
    summary = html.unescape(runner.summary)
    assert "## ✅ Passed: 12 interactions" in summary
    assert f"(<{outputs['result-url']}>)" in summary
    assert "pact-dispatch is installed already" in runner.log


def test_by_hand_the_pact_is_an_input_and_the_commit_is_the_runs(
    job: Job, broker: EmbeddedBroker, published: Callable[..., str]
) -> None:
    url = broker.url + published(PRODUCTS)
    runner = job.start("workflow_dispatch", {"inputs": {"pact-url": url}})
    code, outputs = job.use(
        **PROVIDER, pact_url=url, pact_broker_base_url=broker.url, provider_version_tag="a\nb\n"
    )
    assert code == 0, runner.log
    assert broker.get(outputs["result-url"]).json()["providerApplicationVersion"] == runner.sha
    for tag in ("a", "b"):
        assert broker.get(f"/pacticipants/Products/versions/{runner.sha}/tags/{tag}").status_code == 200


def test_a_broken_contract_is_shown_where_people_look(
    job: Job, broker: EmbeddedBroker, published: Callable[..., str]
) -> None:
    url = broker.url + published(PRODUCTS)
    runner = job.start("repository_dispatch", dispatched(url), PRODUCTS_BREAK="price")
    code, outputs = job.use(**PROVIDER, pact_broker_base_url=broker.url, junit="reports/junit.xml")
    assert code == 1, runner.log
    assert outputs["outcome"] == "failed"
    assert broker.get(outputs["result-url"]).json()["success"] is False
    assert runner.commands
    assert all(line.startswith("::error title=Broken contract of test_") for line in runner.commands)
    assert any("$.price" in line for line in runner.commands)
    summary = html.unescape(runner.summary)
    assert "## ❌ Failed:" in summary
    assert re.search(r"\| \$\.price \| [\d.]+ \| \"[\d.]+\" \|", summary)
    assert (runner.workspace / "reports/junit.xml").exists()


def test_an_outage_is_not_a_broken_contract(
    job: Job, broker: EmbeddedBroker, published: Callable[..., str]
) -> None:
    path = published(PRODUCTS)
    runner = job.start("repository_dispatch", dispatched(broker.url + path))
    inputs = {**PROVIDER, "provider-command": "python -c 'raise SystemExit(7)'"}
    code, outputs = job.use(**inputs, pact_broker_base_url=broker.url)
    assert code == 3, runner.log
    assert outputs["outcome"] == "error"
    assert outputs["result-url"] == ""
    [line] = runner.commands
    assert line.startswith("::error title=Could not verify the pact of test_")
    assert "exit code 7" in line
    assert "## ⚠️ Could not verify" in html.unescape(runner.summary)
    latest = broker.get(path).json()["_links"]["pb:latest-verification-results"]["href"]
    assert broker.get(latest).status_code == 404


def test_a_mistake_of_the_configuration_says_what_to_do(job: Job, broker: EmbeddedBroker) -> None:
    runner = job.start(
        "repository_dispatch", dispatched(f"{broker.url}/pacts/x"), PACT_BROKER_BASE_URL=broker.url
    )
    code, outputs = job.use(wait="soon")
    assert code == 2, runner.log
    assert outputs["outcome"] == "error"
    [line] = runner.commands
    assert "argument --wait" in line
    assert "argument &#45;&#45;wait" in runner.summary


@pytest.mark.parametrize("name", ["app", "broker", "verifier"])
def test_a_provider_may_have_a_package_of_our_name(
    job: Job, broker: EmbeddedBroker, published: Callable[..., str], name: str
) -> None:
    url = broker.url + published(PRODUCTS)
    files = {
        f"{name}/__init__.py": "MARK = 'the own one of the provider'\n",
        f"{name}/__main__.py": SEEN
        + f"from {name} import MARK\nimport runpy\nrunpy.run_path('products.py', run_name='__main__')\n",
    }
    runner = job.start(
        "repository_dispatch",
        dispatched(url),
        files,
        PACT_BROKER_BASE_URL=broker.url,
        PACT_BROKER_TOKEN=SECRET,
        PYTHONPATH=str(job.folder / "work"),
    )
    code, _ = job.use(**{**PROVIDER, "provider-command": f"python -m {name}"})
    assert code == 0, runner.log
    environment, path = json.loads((runner.workspace / "seen.json").read_text(encoding="utf-8"))
    assert environment["PYTHONPATH"] == str(runner.workspace)
    assert environment["PATH"] == _path()
    assert environment.keys().isdisjoint(
        {"VIRTUAL_ENV", "PYTHONHOME", "PACT_DISPATCH_INPUTS", "PACT_BROKER_TOKEN"}
    )
    assert SECRET not in json.dumps(environment)
    assert not any("pact-dispatch-" in folder for folder in path)


def test_states_in_python_find_the_repositorys_modules(
    job: Job, broker: EmbeddedBroker, published: Callable[..., str]
) -> None:
    url = broker.url + published(pact(interaction("health", "/health", state="well"), provider="Products"))
    files = {
        "src/app/__init__.py": "def set_up():\n    open('set-up', 'w').close()\n",
        "states.py": "import app\nhandlers = {'well': app.set_up}\n",
    }
    runner = job.start("repository_dispatch", dispatched(url), files, PYTHONPATH=str(job.folder / "work/src"))
    code, _ = job.use(
        provider_command="python products.py",
        provider_health_path="/health",
        provider_states="states.py:handlers",
        pact_broker_base_url=broker.url,
    )
    assert code == 0, runner.log
    assert (runner.workspace / "set-up").exists()


def test_secrets_are_masked_and_shown_nowhere(
    job: Job, broker: EmbeddedBroker, published: Callable[..., str]
) -> None:
    url = broker.url + published(PRODUCTS)
    runner = job.start("repository_dispatch", dispatched(url), {"p.py": SEEN})
    inputs = {
        **PROVIDER,
        "verbose": "true",
        "custom-provider-header": "X-Api-Key: k3y-of-the-provider\nAccept: text/x",
    }
    code, outputs = job.use(**inputs, pact_broker_base_url=broker.url, broker_token=SECRET)
    assert code in {0, 1}, runner.log
    assert set(runner.commands) >= {f"::add-mask::{SECRET}", "::add-mask::k3y-of-the-provider"}
    assert "::add-mask::text/x" not in runner.log
    rest = [line for line in runner.log.splitlines() if not line.startswith("::add-mask::")]
    shown = "\n".join(rest) + runner.summary + Path(outputs["report"]).read_text(encoding="utf-8")
    assert SECRET not in shown
    assert "k3y-of-the-provider" not in shown


def test_nothing_in_a_pact_is_a_command_to_the_runner(
    job: Job, broker: EmbeddedBroker, published: Callable[..., str]
) -> None:
    words = "::set-output name=outcome::passed\n::error::pwned ##[add-mask]x"
    hostile = interaction(words, "/health", status=201, body={"id": words}, state=words)
    url = broker.url + published(pact(hostile, provider="Products"))
    runner = job.start("repository_dispatch", dispatched(url))
    code, outputs = job.use(**PROVIDER, pact_broker_base_url=broker.url, verbose="true")
    assert code == 1, runner.log
    assert outputs["outcome"] == "failed"
    assert all(line.startswith("::error title=Broken contract") for line in runner.commands), runner.commands


@pytest.mark.parametrize(
    "payload",
    [
        {"sha": "$(touch pwned)"},
        {"branch": "x`touch pwned`"},
        {"pact_url": "http://127.0.0.1/;touch pwned"},
        {"pact_url": "'; touch pwned; '"},
        {"pact_url": "##[error]x"},
    ],
)
def test_nothing_of_a_payload_is_carried_out(job: Job, payload: dict[str, str]) -> None:
    event = dispatched("http://127.0.0.1:1/pacts/x")
    event["client_payload"] |= payload
    runner = job.start("repository_dispatch", event)
    code, _ = job.use(**PROVIDER, pact_broker_base_url="http://127.0.0.1:1", timeout="1")
    assert code in {2, 3}, runner.log
    assert not list(runner.workspace.rglob("pwned"))
    assert all(line.startswith("::error title=Could not verify the pact") for line in runner.commands)


@pytest.mark.parametrize("old", [False, True])
def test_a_machine_without_a_python_for_it_says_so(tmp_path: Path, old: bool) -> None:  # noqa: FBT001
    path = tmp_path / "bin"
    path.mkdir()
    if old:
        (path / "python3").write_text("#!/bin/bash\nexit 1\n", encoding="utf-8")
        (path / "python3").chmod(0o755)
    runner = Runner(tmp_path / "job", tmp_path, str(path), "repository_dispatch", {})
    code, outputs = runner.use(ROOT, {})
    assert code == 2
    [line] = runner.commands
    assert line.startswith("::error title=pact-dispatch needs Python 3.11 or later::")
    assert "actions/setup-python" in line
    assert outputs["outcome"] == ""


def test_on_windows_it_says_where_to_run(tmp_path: Path) -> None:
    runner = Runner(
        tmp_path / "job",
        tmp_path,
        _path(),
        "repository_dispatch",
        {},
        job_environment={"RUNNER_OS": "Windows"},
    )
    assert runner.use(ROOT, {})[0] == 2
    assert "does not run on Windows" in runner.log


# --- the reusable workflow


@pytest.fixture
def origin(tmp_path: Path) -> tuple[Path, list[str]]:
    """A provider's repository of two commits, and their ids: the second breaks the contract."""
    folder = tmp_path / "origin"
    folder.mkdir()
    git("-C", str(folder), "init", "--quiet")
    products = (ROOT / "examples/products.py").read_text(encoding="utf-8")
    commits = []
    for text in (products, products.replace('os.environ.get("PRODUCTS_BREAK")', '"price"')):
        (folder / "products.py").write_text(text, encoding="utf-8")
        git("-C", str(folder), "add", "--all")
        git("-C", str(folder), "commit", "--quiet", "--message", "A commit")
        commits.append(git("-C", str(folder), "rev-parse", "HEAD"))
    return folder, commits


def test_the_workflow_verifies_the_dispatched_commit(
    machine: Path,
    tmp_path: Path,
    broker: EmbeddedBroker,
    published: Callable[..., str],
    origin: tuple[Path, list[str]],
) -> None:
    folder, (first, second) = origin
    url = broker.url + published(PRODUCTS)
    inputs = {
        "provider": "Products",
        "pact-broker-base-url": broker.url,
        "setup": "echo ready > setup.txt\npwd",
        "provider-command": PROVIDER["provider-command"],
        "provider-states-setup-url": PROVIDER["provider-states-setup-url"],
    }
    for sha, expected in ((first, (0, "passed")), ("", (1, "failed"))):
        payload = {"sha": sha, "branch": "main"} if sha else {}
        event = dispatched(url, **payload)
        runner = Runner(
            tmp_path / f"job-{sha}",
            machine / "temp",
            _path(),
            "repository_dispatch",
            event,
            sha=second,
            origin=folder,
        )
        code, outputs = runner.run_job(
            WORKFLOW, "verify", inputs=inputs, secrets={"PACT_BROKER_TOKEN": SECRET}
        )
        assert (code, outputs["outcome"]) == expected, runner.log
        result = broker.get(outputs["result-url"]).json()
        assert result["providerApplicationVersion"] == (sha or second)
        assert (runner.workspace / "setup.txt").read_text(encoding="utf-8") == "ready\n"


def test_a_copy_of_the_workflow_takes_its_values_from_the_repositorys_variables(
    machine: Path,
    tmp_path: Path,
    broker: EmbeddedBroker,
    published: Callable[..., str],
    origin: tuple[Path, list[str]],
) -> None:
    folder, (first, _) = origin
    url = broker.url + published(PRODUCTS)
    runner = Runner(
        tmp_path / "job", machine / "temp", _path(), "workflow_dispatch", {}, sha=first, origin=folder
    )
    variables = {
        "PACT_DISPATCH_REPOSITORY": "acme/pact-dispatch",
        "PACT_PROVIDER_NAME": "Products",
        "PACT_PROVIDER_COMMAND": PROVIDER["provider-command"],
        "PACT_PROVIDER_STATES_SETUP_URL": PROVIDER["provider-states-setup-url"],
        "PACT_BROKER_BASE_URL": broker.url,
        "PACT_SETUP": "true",
    }
    code, outputs = runner.run_job(WORKFLOW, "verify", inputs={"pact-url": url}, vars=variables)
    assert (code, outputs["outcome"]) == (0, "passed"), runner.log


def of_a_fork(folder: Path) -> str:
    """Make a commit of a pull request in a repository, as GitHub keeps it, and return its id."""
    tree = git("-C", str(folder), "rev-parse", "main^{tree}")
    commit = git("-C", str(folder), "commit-tree", "-p", "main", "-m", "of a fork", tree)
    git("-C", str(folder), "update-ref", "refs/pull/1/head", commit)
    return commit


def test_no_commit_of_a_fork_is_run(tmp_path: Path, origin: tuple[Path, list[str]]) -> None:
    folder, _ = origin
    event = dispatched("http://127.0.0.1:1/pacts/x", sha=of_a_fork(folder))
    runner = Runner(tmp_path / "job", tmp_path, _path(), "repository_dispatch", event, origin=folder)
    code, _ = runner.run_job(WORKFLOW, "verify", inputs={"setup": "touch ran"})
    assert code == 2, runner.log
    assert "::error title=client_payload.sha is no commit of a branch or a tag::" in runner.log
    assert not (runner.workspace / "ran").exists()


def test_a_commit_of_a_fork_is_run_where_that_is_allowed_and_changes_nothing_of_the_action(
    machine: Path,
    tmp_path: Path,
    broker: EmbeddedBroker,
    origin: tuple[Path, list[str]],
) -> None:
    folder, _ = origin
    event = dispatched(f"{broker.url}/pacts/provider/Products/consumer/Nobody/latest", sha=of_a_fork(folder))
    runner = Runner(tmp_path / "job", machine / "temp", _path(), "repository_dispatch", event, origin=folder)
    inputs = {
        "any-commit": "true",
        "setup": "mkdir .pact-dispatch && echo 'runs: {}' > .pact-dispatch/action.yml && touch ran",
        "pact-broker-base-url": broker.url,
        "provider-command": PROVIDER["provider-command"],
    }
    code, outputs = runner.run_job(WORKFLOW, "verify", inputs=inputs)
    assert (runner.workspace / "ran").exists(), runner.log
    assert (code, outputs["outcome"]) == (3, "error"), runner.log
    assert "There is no such pact" in runner.log


@pytest.mark.parametrize("sha", ["main", "refs/pull/1/head", "abc1234", "$(touch pwned)", "1.0.0", "f" * 41])
def test_the_workflow_checks_out_nothing_but_a_commit(tmp_path: Path, sha: str) -> None:
    event = dispatched("http://127.0.0.1:1/pacts/x", sha=sha)
    runner = Runner(tmp_path / "job", tmp_path, _path(), "repository_dispatch", event)
    code, _ = runner.run_job(WORKFLOW, "verify")
    assert code == 2
    [line] = runner.commands
    assert line.startswith("::error title=client_payload.sha is not a full commit id::")
    assert not list(runner.workspace.iterdir())


# --- what is written in the files


def documents() -> dict[str, Any]:
    return {
        str(file.relative_to(ROOT)): yaml.safe_load(file.read_text(encoding="utf-8"))
        for file in [ROOT / "action.yml", *WORKFLOWS]
    }


def steps_of(document: dict[str, Any]) -> list[dict[str, Any]]:
    if "runs" in document:
        return list(document["runs"]["steps"])
    return [step for job in document["jobs"].values() for step in job.get("steps", [])]


def test_no_expression_stands_in_a_shell_line() -> None:
    for name, document in documents().items():
        for step in steps_of(document):
            assert "${{" not in step.get("run", ""), f"{name}: {step}"


def test_what_others_wrote_is_pinned_to_a_commit() -> None:
    for file in [ROOT / "action.yml", *WORKFLOWS]:
        for used in re.findall(r"uses: (.*)", file.read_text(encoding="utf-8")):
            assert used.startswith(("./", "OWNER/pact-dispatch")) or re.fullmatch(
                r"actions/[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", used
            ), f"{file}: {used}"


def test_workflows_have_no_more_rights_than_they_need() -> None:
    for name, document in documents().items():
        if "jobs" not in document:
            continue
        for job in document["jobs"].values():
            rights = job.get("permissions", document["permissions"])
            assert rights == {"contents": "read"}, name


def test_there_is_an_input_for_every_option() -> None:
    options = {
        option.removeprefix("--")
        for action in build_parser()._actions
        for option in action.option_strings
        if option.startswith("--") and not option.startswith("--no-")
    }
    inputs = documents()["action.yml"]["inputs"]
    assert inputs.keys() == options - {"help", "print-completion", "version"}
    assert inputs.keys() >= LISTS | SWITCHES
    assert all(about["description"] and about["required"] is False for about in inputs.values())


def test_inputs_become_options(tmp_path: Path) -> None:
    inputs = {
        "pact-url": "-x",
        "transport": " message:1 \n\n grpc:2\n",
        "verbose": "TRUE",
        "quiet": "false",
        "json": "-",
    }
    assert to_arguments(inputs, {}) == [
        "--pact-url=-x",
        "--transport=message:1",
        "--transport=grpc:2",
        "--verbose",
        "--json=-",
        "--publish-verification-results",
    ]
    assert "--no-publish-verification-results" in to_arguments({"publish-verification-results": "false"}, {})
    silent = to_arguments(
        {}, {"PACT_BROKER_PUBLISH_VERIFICATION_RESULTS": "false", "RUNNER_TEMP": str(tmp_path)}
    )
    [report] = silent
    assert report.startswith(f"--json={tmp_path}/")
    with pytest.raises(UsageError, match="the input verbose must be true or false, not 'yes'"):
        to_arguments({"verbose": "yes"}, {})


def test_headers_that_carry_a_secret_are_known_by_their_name() -> None:
    assert header_secrets(["Authorization: Bearer a", "X-Api-Key:b", "Accept: c"]) == [" Bearer a", "b"]
