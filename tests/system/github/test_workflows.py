"""The reusable workflow, and the workflows of the examples and the documentation, on a real runner (act)."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.act import PROJECT, Machine, Run, git
from tests.support.loopback import closed_port
from tests.support.paths import ROOT
from tests.support.processes import EmbeddedBroker
from tests.system.github.test_action import PRODUCTS, PROVIDER, SECRET, dispatched

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

pytestmark = pytest.mark.timeout(400)  # the first run installs from the package index

EXAMPLES = ROOT / "examples/workflows"
REUSABLE = ROOT / ".github/workflows/verify_changed_pact.yml"
WHERE = {"PACT_DISPATCH_REPOSITORY": PROJECT, "PACT_DISPATCH_REF": "v1"}
"""What GitHub tells a called workflow by itself, and act doesn't."""
COPY = WHERE | {
    "PACT_PROVIDER_NAME": "Products",
    "PACT_PROVIDER_COMMAND": PROVIDER["provider-command"],
    "PACT_PROVIDER_STATES_SETUP_URL": PROVIDER["provider-states-setup-url"],
}


@pytest.fixture
def commits(machine: Machine) -> list[str]:
    """The two commits of the provider: the second, which is its branch's head, breaks the contract."""
    products = (ROOT / "examples/products.py").read_text(encoding="utf-8")
    breaking = products.replace('os.environ.get("PRODUCTS_BREAK")', '"price"')
    return [
        git("-C", str(machine.repository), "rev-parse", "HEAD"),
        machine.commit({"products.py": breaking}),
    ]


def example(name: str, broker: EmbeddedBroker) -> str:
    """Return the text of a workflow of the examples, with the broker's address."""
    return at(broker, (EXAMPLES / name).read_text(encoding="utf-8"))


def at(broker: EmbeddedBroker, text: str) -> str:
    """Put the broker's address into a workflow."""
    assert "https://broker.example.org" in text
    return text.replace("https://broker.example.org", broker.url)


def result_of(run: Run, broker: EmbeddedBroker) -> dict[str, Any]:
    """Return the result that a run has published."""
    [url] = {entry["arg"] for entry in run.log if entry.get("name") == "result-url"}
    result: dict[str, Any] = broker.get(url).json()
    return result


def test_the_called_workflow_verifies_the_dispatched_commit(
    machine: Machine, broker: EmbeddedBroker, published: Callable[..., str], commits: list[str]
) -> None:
    called = {
        "uses": f"{PROJECT}/.github/workflows/verify_changed_pact.yml@v1",
        "with": {
            "pact-broker-base-url": broker.url,
            "setup": "echo ready > setup.txt\ntest -f products.py",
            "provider-command": "bash -c 'test -f setup.txt && exec python products.py'",
            "provider-states-setup-url": PROVIDER["provider-states-setup-url"],
        },
        "secrets": "inherit",
    }
    after = {
        "needs": "pact",
        "if": "always()",
        "runs-on": "ubuntu-latest",
        "steps": [{"run": 'echo "was $OUTCOME"', "env": {"OUTCOME": "${{ needs.pact.outputs.outcome }}"}}],
    }
    run = machine.run(
        json.dumps({"on": {"repository_dispatch": {}}, "jobs": {"pact": called, "after": after}}),
        "repository_dispatch",
        dispatched(broker.url + published(PRODUCTS), sha=commits[0], branch="main"),
        variables=WHERE,
    )
    assert set(run.results.values()) == {"success"}, run.text
    assert "was passed" in run.printed
    result = result_of(run, broker)
    assert (result["success"], result["providerApplicationVersion"]) == (True, commits[0])


def test_the_example_that_calls_it_verifies_the_head_where_no_commit_is_dispatched(
    machine: Machine, broker: EmbeddedBroker, published: Callable[..., str], commits: list[str]
) -> None:
    run = machine.run(
        example("contract_requiring_verification_published.yml", broker),
        "repository_dispatch",
        dispatched(broker.url + published(PRODUCTS)),
        secrets={"PACT_BROKER_TOKEN": SECRET},
        variables=WHERE,
    )
    assert run.code == 1, run.text
    result = result_of(run, broker)
    assert (result["success"], result["providerApplicationVersion"]) == (False, commits[1])


def test_a_copy_of_the_workflow_takes_its_values_from_the_repositorys_variables(
    machine: Machine, broker: EmbeddedBroker, published: Callable[..., str]
) -> None:
    run = machine.run(
        REUSABLE,
        "workflow_dispatch",
        {"inputs": {"pact-url": broker.url + published(PRODUCTS)}},
        variables=COPY | {"PACT_BROKER_BASE_URL": broker.url, "PACT_SETUP": "true"},
    )
    assert set(run.results.values()) == {"success"}, run.text
    assert result_of(run, broker)["success"] is True


def test_a_copy_without_its_variables_says_which_are_missing(machine: Machine) -> None:
    run = machine.run(
        REUSABLE,
        "workflow_dispatch",
        {"inputs": {"pact-url": "http://127.0.0.1:1/pacts/x"}},
        variables={"PACT_PROVIDER_NAME": "Products", "PACT_SETUP": 'touch "$HOME/ran"'},
    )
    assert run.code == 2, run.text
    [line] = run.commands
    names = "PACT_DISPATCH_REPOSITORY PACT_BROKER_BASE_URL PACT_PROVIDER_COMMAND"
    assert line.startswith(f"::error title=Variables are missing::{names}: in the repository's settings")
    assert not (run.home / "ran").exists()


def test_a_workflow_dispatch_verifies_the_commit_that_its_input_names(
    machine: Machine, broker: EmbeddedBroker, published: Callable[..., str], commits: list[str]
) -> None:
    """What a webhook of `setup --target workflow-dispatch` sends: the head breaks the contract, that commit doesn't."""
    run = machine.run(
        example("contract_requiring_verification_published.yml", broker),
        "workflow_dispatch",
        {"inputs": {"pact-url": broker.url + published(PRODUCTS), "sha": commits[0], "branch": "main"}},
        secrets={"PACT_BROKER_TOKEN": SECRET},
        variables=WHERE,
    )
    assert set(run.results.values()) == {"success"}, run.text
    result = result_of(run, broker)
    assert (result["success"], result["providerApplicationVersion"]) == (True, commits[0])


def test_the_called_workflow_passes_everything_on(
    machine: Machine, broker: EmbeddedBroker, published: Callable[..., str]
) -> None:
    """And a secret of the set-up is in its environment and in no other step's."""
    products = (ROOT / "examples/products.py").read_text(encoding="utf-8")
    machine.commit({"services/products/products.py": products})
    start = "trap '' HUP; cd services/products\nenv >seen.txt; python products.py >provider.log 2>&1 &"
    port = closed_port()
    address = f"http://127.0.0.1:{port}"
    called = {
        "uses": f"{PROJECT}/.github/workflows/verify_changed_pact.yml@v1",
        "with": {
            "pact-broker-base-url": broker.url,
            "provider-dir": "services/products",
            "provider-version-branch": "release/1",
            "provider-health-path": "/health",
            "provider-base-url": address,
            "provider-states-setup-url": f"{address}/_states",
            "setup": f"export PORT={port}\n{start}\ncp seen.txt $HOME; echo $! >$HOME/provider.pid",
            "transport": "message:8080/messages",
            "wait": 60,
            "timeout": 600,
            "timeout-minutes": 15,
        },
        "secrets": {"PACT_SETUP_ENVIRONMENT": "NPM_TOKEN=${{ secrets.NPM_TOKEN }}\nEMPTY=\nEQUALS=a=b%c\n"},
    }
    run = machine.run(
        json.dumps({"on": {"repository_dispatch": {}}, "jobs": {"pact": called}}),
        "repository_dispatch",
        dispatched(broker.url + published(PRODUCTS)),
        secrets={"NPM_TOKEN": "n0t-for-the-log"},
        variables=WHERE,
    )
    os.kill(int((run.home / "provider.pid").read_text(encoding="utf-8")), signal.SIGTERM)
    assert set(run.results.values()) == {"success"}, run.text
    seen = (run.home / "seen.txt").read_text(encoding="utf-8").splitlines()
    assert {"NPM_TOKEN=n0t-for-the-log", "EMPTY=", "EQUALS=a=b%c"} <= set(seen)
    assert not any(line.startswith("SETUP_ENVIRONMENT=") for line in seen)
    assert {"::add-mask::n0t-for-the-log", "::add-mask::a=b%25c"} <= set(run.commands)
    assert run.printed.count("n0t-for-the-log") == 1  # as it is masked
    version = result_of(run, broker)["providerApplicationVersion"]
    assert broker.get(f"/pacticipants/Products/branches/release%2F1/versions/{version}").status_code == 200


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({"PACT_TIMEOUT": "2400"}, "must be 45 at least for a timeout (PACT_TIMEOUT) of 2400 seconds"),
        ({"PACT_TIMEOUT_MINUTES": "34"}, "must be 35 at least for a timeout (PACT_TIMEOUT) of 1800 seconds"),
        ({"PACT_TIMEOUT": "x[$(touch pwned)]"}, "A time limit is no number"),
    ],
)
def test_limits_by_which_github_would_end_the_job_first_are_refused(
    machine: Machine, limits: dict[str, str], said: str
) -> None:
    event = dispatched("http://127.0.0.1:1/pacts/x")
    run = machine.run(REUSABLE, "repository_dispatch", event, variables=COPY | limits)
    assert run.code == 2, run.text
    assert [said in line for line in run.commands] == [True], run.text
    assert "Checked out" not in run.printed
    assert not list(machine.folder.rglob("pwned"))


def of_a_fork(folder: Path) -> str:
    """Make a commit of a pull request in a repository, as GitHub keeps it, and return its id."""
    tree = git("-C", str(folder), "rev-parse", "main^{tree}")
    commit = git("-C", str(folder), "commit-tree", "-p", "main", "-m", "of a fork", tree)
    git("-C", str(folder), "update-ref", "refs/pull/1/head", commit)
    return commit


def test_no_commit_of_a_fork_is_run(machine: Machine) -> None:
    event = dispatched("http://127.0.0.1:1/pacts/x", sha=of_a_fork(machine.repository))
    variables = COPY | {"PACT_SETUP": 'touch "$HOME/ran"'}
    run = machine.run(REUSABLE, "repository_dispatch", event, variables=variables)
    assert run.code == 2, run.text
    assert any("client_payload.sha is no commit of a branch or a tag" in line for line in run.commands)
    assert not (run.home / "ran").exists()


def test_a_commit_of_a_fork_is_run_where_that_is_allowed_and_changes_nothing_of_the_action(
    machine: Machine, broker: EmbeddedBroker
) -> None:
    event = dispatched(
        f"{broker.url}/pacts/provider/Products/consumer/Nobody/latest", sha=of_a_fork(machine.repository)
    )
    variables = COPY | {
        "PACT_ANY_COMMIT": "true",
        "PACT_BROKER_BASE_URL": broker.url,
        "PACT_SETUP": "mkdir .pact-dispatch && echo 'runs: {}' > .pact-dispatch/action.yml && touch \"$HOME/ran\"",
    }
    run = machine.run(REUSABLE, "repository_dispatch", event, variables=variables)
    assert (run.home / "ran").exists(), run.text
    assert run.code == 3, run.text
    assert any("There is no such pact" in line for line in run.commands)


@pytest.mark.parametrize("sha", ["main", "refs/pull/1/head", "abc1234", "$(touch pwned)", "1.0.0", "f" * 41])
def test_the_workflow_checks_out_nothing_but_a_commit(machine: Machine, sha: str) -> None:
    event = dispatched("http://127.0.0.1:1/pacts/x", sha=sha)
    run = machine.run(REUSABLE, "repository_dispatch", event, variables=COPY)
    assert run.code == 2
    [line] = run.commands
    assert line.startswith("::error title=client_payload.sha is not a full commit id::")
    assert "Checked out" not in run.printed
    assert not list(machine.folder.rglob("pwned"))


def test_the_example_for_a_changed_pact_takes_a_dispatch_and_a_start_by_hand(
    machine: Machine, broker: EmbeddedBroker, published: Callable[..., str]
) -> None:
    url = broker.url + published(PRODUCTS)
    events: Mapping[str, dict[str, Any]] = {
        "repository_dispatch": dispatched(url),
        "workflow_dispatch": {"inputs": {"pact-url": url}},
    }
    for name, event in events.items():
        run = machine.run(example("pact_changed.yml", broker), name, event)
        assert set(run.results.values()) == {"success"}, run.text
        assert result_of(run, broker)["success"] is True


def test_the_same_example_verifies_every_pact_when_its_provider_is_pushed(
    machine: Machine, broker: EmbeddedBroker, published: Callable[..., str]
) -> None:
    url = broker.url + published(PRODUCTS)
    sha = git("-C", str(machine.repository), "rev-parse", "HEAD")
    push = {"ref": "refs/heads/main", "after": sha, "repository": {"default_branch": "main"}}
    run = machine.run(example("pact_changed.yml", broker), "push", push)
    assert set(run.results.values()) == {"success"}, run.text
    result = broker.get(broker.get(url).json()["_links"]["pb:latest-verification-results"]["href"]).json()
    assert (result["success"], result["providerApplicationVersion"]) == (True, sha)
    version = broker.get(f"/pacticipants/Products/versions/{sha}").json()
    assert [branch["name"] for branch in version["_embedded"]["branchVersions"]] == ["main"]


@pytest.mark.skipif(shutil.which("npm") is None, reason="there is no Node.js")
def test_the_example_in_node(machine: Machine, broker: EmbeddedBroker, published: Callable[..., str]) -> None:
    package = {"name": "products", "version": "1.0.0", "private": True}
    lock = {**package, "lockfileVersion": 3, "packages": {"": package}}
    machine.commit(
        {
            "products.js": (ROOT / "examples/products.js").read_text(encoding="utf-8"),
            "package.json": json.dumps(package),
            "package-lock.json": json.dumps(lock),
        }
    )
    npm = Path(str(shutil.which("npm"))).parent
    machine.path += f":{npm}"
    event = dispatched(broker.url + published(PRODUCTS))
    run = machine.run(example("node.yml", broker), "repository_dispatch", event)
    assert set(run.results.values()) == {"success"}, run.text
    assert result_of(run, broker)["success"] is True


def test_the_example_of_a_monorepo_verifies_the_provider_whose_pact_it_is(
    machine: Machine, broker: EmbeddedBroker, published: Callable[..., str]
) -> None:
    products = (ROOT / "examples/products.py").read_text(encoding="utf-8")
    machine.commit(
        {"services/products/products.py": products, "services/products/requirements.txt": "flask\n"}
    )
    workflow = example("monorepo.yml", broker)
    event = dispatched(broker.url + published(PRODUCTS))
    run = machine.run(workflow, "repository_dispatch", event, variables=WHERE)
    assert {name for name, result in run.results.items() if result == "success"} == {
        "Products/Verify changed pact/Verify"
    }, run.text
    assert result_of(run, broker)["success"] is True
    other = machine.run(workflow, "repository_dispatch", dispatched(f"{broker.url}/pacts/provider/Carts/x"))
    assert other.code == 1, other.text
    assert "::error title=No provider of this repository::" in other.printed


def test_the_example_of_every_night_verifies_what_has_no_result(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "broker").mkdir()
    with EmbeddedBroker(tmp_path / "broker") as broker:
        for consumer in ("Storefront", "Till"):
            broker.publish({**PRODUCTS, "consumer": {"name": consumer}}, "1.0.0", branch="main")
        run = machine.run(example("reconcile.yml", broker), "schedule", {"schedule": "23 3 * * *"})
        assert set(run.results.values()) == {"success"}, run.text
        for consumer in ("Storefront", "Till"):
            pact = broker.get(f"/pacts/provider/Products/consumer/{consumer}/latest").json()
            latest = broker.get(pact["_links"]["pb:latest-verification-results"]["href"]).json()
            assert latest["success"] is True


@pytest.mark.parametrize("page", ["README.md", "docs/github.md"])
def test_the_workflow_of_the_documentation(
    machine: Machine, broker: EmbeddedBroker, published: Callable[..., str], page: str
) -> None:
    """A list of steps is what a job has under `steps`."""
    text = (ROOT / page).read_text(encoding="utf-8")
    blocks = re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    [block] = [block for block in blocks if f"uses: {PROJECT}@v1" in block]
    if not block.startswith("on:"):
        steps = block.replace("\n", "\n    ")
        block = f"on: repository_dispatch\njobs:\n  verify:\n    runs-on: ubuntu-latest\n    {steps}"
    machine.commit({"examples/products.py": (ROOT / "examples/products.py").read_text(encoding="utf-8")})
    event = dispatched(broker.url + published(PRODUCTS))
    run = machine.run(at(broker, block), "repository_dispatch", event)
    assert set(run.results.values()) == {"success"}, run.text
    assert result_of(run, broker)["success"] is True
