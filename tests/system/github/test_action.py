"""The Action, used by a workflow on a real runner (act) that a dispatch or a person started."""

from __future__ import annotations

import html
import json
import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.support.act import PROJECT, Machine, Run
from tests.support.faulty_broker import Fault, FaultyBroker
from tests.support.loopback import closed_port
from tests.support.pacts import interaction, pact
from tests.support.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tests.support.processes import EmbeddedBroker

pytestmark = pytest.mark.timeout(400)  # the first run installs from the package index

SECRET = "t0ken-of-the-broker"
PRODUCTS = json.loads((ROOT / "examples/storefront-products.json").read_text(encoding="utf-8"))
PROVIDER = {
    "provider-command": "python products.py",
    "provider-states-setup-url": "http://127.0.0.1:{port}/_states",
    "provider-health-path": "/health",
}
CHECKOUT = re.search(r"uses: (actions/checkout@\S+)", (ROOT / "README.md").read_text(encoding="utf-8"))
SEEN = "import json, os, sys\njson.dump([dict(os.environ), sys.path], open('seen.json', 'w'))\n"
KEEP = """
mkdir "$HOME/kept"
git status --porcelain >"$HOME/kept/status"
cp -R . "$HOME/kept/workspace"
echo "The outcome is '$OUTCOME', its report ${REPORT:+there}"
[ -z "$REPORT" ] || cp "$REPORT" "$HOME/kept/report.json"
"""
"""The last step, which runs whatever the outcome is; act removes the files of a job that succeeds."""


def used(
    inputs: Mapping[str, str],
    environment: Mapping[str, str] | None = None,
    before: tuple[dict[str, Any], ...] = (),
) -> str:
    """Write a workflow that checks the provider out, uses the Action and looks at its outputs."""
    assert CHECKOUT is not None
    outputs = {"OUTCOME": "${{ steps.pact.outputs.outcome }}", "REPORT": "${{ steps.pact.outputs.report }}"}
    steps = [
        {"uses": CHECKOUT[1]},
        *before,
        {"id": "pact", "uses": f"{PROJECT}@v1", "with": dict(inputs), "env": dict(environment or {})},
        {"if": "always()", "env": outputs, "run": KEEP},
    ]
    triggers = {"repository_dispatch": {"types": ["pact_changed"]}, "workflow_dispatch": {}}
    return json.dumps({"on": triggers, "jobs": {"verify": {"runs-on": "ubuntu-latest", "steps": steps}}})


def dispatched(url: str, **payload: str) -> dict[str, Any]:
    """Return the body of a dispatch."""
    return {"action": "pact_changed", "branch": "main", "client_payload": {"pact_url": url, **payload}}


def dispatch(
    machine: Machine, url: str, inputs: Mapping[str, str], environment: Mapping[str, str] | None = None
) -> Run:
    """Run the Action as a dispatch starts it."""
    return machine.run(used(inputs, environment), "repository_dispatch", dispatched(url))


def kept(run: Run) -> Path:
    """Return the folder with what the last step has kept."""
    return run.home / "kept"


def test_the_first_run_installs_it_and_keeps_it_whatever_comes_after(shared: Path) -> None:
    log = (shared / "first.log").read_text(encoding="utf-8")
    at = [
        log.index(text)
        for text in (
            "Cache not found for input keys: pact-dispatch-",
            "Installing pact-dispatch into ",
            "Cache saved with key: pact-dispatch-",
            "::error title=Could not verify the pact::",
        )
    ]
    assert at == sorted(at)


def test_a_dispatch_needs_no_input_but_how_to_start_the_provider(
    machine: Machine, broker: EmbeddedBroker, published: Callable[..., str]
) -> None:
    sha = machine.commit()
    run = dispatch(machine, broker.url + published(PRODUCTS), PROVIDER, {"PACT_BROKER_BASE_URL": broker.url})
    assert run.results == {"workflow.yml/verify": "success"}, run.text
    outputs = run.outputs("pact")
    assert outputs["outcome"] == "passed"
    assert outputs["consumer"].startswith("test_a_dispatch")
    assert outputs["consumer-version"] == "1.0.0"
    result = broker.get(outputs["result-url"]).json()
    assert result["success"] is True
    assert result["providerApplicationVersion"] == sha
    assert result["buildUrl"] == "https://github.com/acme/products/actions/runs/1"
    assert json.loads((kept(run) / "report.json").read_text(encoding="utf-8"))["outcome"] == "passed"
    assert (kept(run) / "status").read_text(encoding="utf-8") == ""  # nothing was left in the workspace
    assert run.commands == []
    summary = html.unescape(run.summary)
    assert "## ✅ Passed: 12 interactions" in summary
    assert f"(<{outputs['result-url']}>)" in summary
    assert "Cache restored from key: pact-dispatch-" in run.printed
    assert "pact-dispatch is installed already" in run.printed
    assert "Cache saved" not in run.printed


def test_by_hand_the_pact_is_an_input_and_the_commit_is_the_runs(
    machine: Machine, broker: EmbeddedBroker, published: Callable[..., str]
) -> None:
    sha = machine.commit()
    inputs = PROVIDER | {
        "pact-url": "${{ github.event.inputs.pact-url }}",
        "pact-broker-base-url": broker.url,
        "provider-version-tag": "a\nb\n",
    }
    event = {"inputs": {"pact-url": broker.url + published(PRODUCTS)}}
    run = machine.run(used(inputs), "workflow_dispatch", event)
    assert run.results == {"workflow.yml/verify": "success"}, run.text
    result = broker.get(run.outputs("pact")["result-url"]).json()
    assert result["providerApplicationVersion"] == sha
    for tag in ("a", "b"):
        assert broker.get(f"/pacticipants/Products/versions/{sha}/tags/{tag}").status_code == 200


def test_a_provider_that_an_earlier_step_started_is_asked(
    machine: Machine, broker: EmbeddedBroker, published: Callable[..., str]
) -> None:
    port = closed_port()
    # the trap is for act, which gives a step a terminal and hangs it up at the step's end
    start = f"trap '' HUP\nPORT={port} python products.py >provider.log 2>&1 &\necho $! >provider.pid"
    inputs = {
        "provider-base-url": f"http://127.0.0.1:{port}",
        "provider-states-setup-url": f"http://127.0.0.1:{port}/_states",
        "provider-health-path": "/health",  # it is waited for
        "pact-broker-base-url": broker.url,
    }
    workflow = json.loads(used(inputs, before=({"run": start},)))
    workflow["jobs"]["verify"]["steps"].append({"if": "always()", "run": "kill $(cat provider.pid)"})
    event = dispatched(broker.url + published(PRODUCTS))
    run = machine.run(json.dumps(workflow), "repository_dispatch", event)
    assert run.results == {"workflow.yml/verify": "success"}, run.text
    assert broker.get(run.outputs("pact")["result-url"]).json()["success"] is True


def test_a_broken_contract_is_shown_where_people_look(
    machine: Machine, broker: EmbeddedBroker, published: Callable[..., str]
) -> None:
    run = dispatch(
        machine,
        broker.url + published(PRODUCTS),
        PROVIDER | {"pact-broker-base-url": broker.url, "junit": "reports/junit.xml"},
        {"PRODUCTS_BREAK": "price"},
    )
    assert run.code == 1, run.text
    assert run.results == {"workflow.yml/verify": "failure"}
    outputs = run.outputs("pact")
    assert outputs["outcome"] == "failed"
    assert "The outcome is 'failed', its report there" in run.printed  # by the step with always()
    assert broker.get(outputs["result-url"]).json()["success"] is False
    assert run.commands
    assert all(line.startswith("::error title=Broken contract of test_") for line in run.commands)
    assert any("$.price" in line for line in run.commands)
    summary = html.unescape(run.summary)
    assert "## ❌ Failed:" in summary
    assert re.search(r"\| \$\.price \| [\d.]+ \| \"[\d.]+\" \|", summary)
    assert (kept(run) / "workspace/reports/junit.xml").exists()


def test_a_refused_result_is_no_success(
    machine: Machine, broker: EmbeddedBroker, published: Callable[..., str]
) -> None:
    path = published(PRODUCTS)
    with FaultyBroker(broker.url, Fault("POST", "verification-results", 403, body="read only")) as refusing:
        run = dispatch(machine, refusing.url + path, PROVIDER | {"pact-broker-base-url": refusing.url})
    assert run.code == 4, run.text
    outputs = run.outputs("pact")
    assert (outputs["outcome"], outputs["result-url"]) == ("passed", "")
    assert any(line.startswith("::error title=The result was not published") for line in run.commands)
    assert "403" in html.unescape(run.summary)


def test_an_outage_is_not_a_broken_contract(
    machine: Machine, broker: EmbeddedBroker, published: Callable[..., str]
) -> None:
    path = published(PRODUCTS)
    inputs = {"provider-command": "python -c 'raise SystemExit(7)'", "pact-broker-base-url": broker.url}
    run = dispatch(machine, broker.url + path, PROVIDER | inputs)
    assert run.code == 3, run.text
    outputs = run.outputs("pact")
    assert outputs["outcome"] == "error"
    assert outputs["result-url"] == ""
    [line] = run.commands
    assert line.startswith("::error title=Could not verify the pact of test_")
    assert "exit code 7" in line
    assert "## ⚠️ Could not verify" in html.unescape(run.summary)
    latest = broker.get(path).json()["_links"]["pb:latest-verification-results"]["href"]
    assert broker.get(latest).status_code == 404


@pytest.mark.parametrize("provider", ["", "Products"])
def test_a_dispatch_without_a_pact_says_what_is_missing(
    machine: Machine, broker: EmbeddedBroker, provider: str
) -> None:
    """And it is no wish to have every pact of the provider verified."""
    event = {"action": "pact_changed", "branch": "main", "client_payload": {}}
    inputs = PROVIDER | {"pact-broker-base-url": broker.url, "provider": provider}
    run = machine.run(used(inputs), "repository_dispatch", event)
    assert run.code == 2, run.text
    [line] = run.commands
    assert line.startswith("::error title=Could not verify the pact::")
    assert "client_payload.pact_url" in line
    assert run.outputs("pact")["outcome"] == "error"


def test_a_mistake_of_the_configuration_says_what_to_do(machine: Machine, broker: EmbeddedBroker) -> None:
    run = dispatch(machine, f"{broker.url}/pacts/x", {"wait": "soon"}, {"PACT_BROKER_BASE_URL": broker.url})
    assert run.code == 2, run.text
    assert run.outputs("pact")["outcome"] == "error"
    [line] = run.commands
    assert "argument --wait" in line
    assert "argument &#45;&#45;wait" in run.summary


@pytest.mark.parametrize("name", ["app", "broker", "verifier"])
def test_a_provider_may_have_a_package_of_our_name(
    machine: Machine, broker: EmbeddedBroker, published: Callable[..., str], name: str
) -> None:
    machine.commit(
        {
            f"{name}/__init__.py": "MARK = 'the own one of the provider'\n",
            f"{name}/__main__.py": SEEN
            + f"from {name} import MARK\nimport runpy\nrunpy.run_path('products.py', run_name='__main__')\n",
        }
    )
    environment = {
        "PACT_BROKER_BASE_URL": broker.url,
        "PACT_BROKER_TOKEN": SECRET,
        "PYTHONPATH": "${{ github.workspace }}",
    }
    inputs = PROVIDER | {"provider-command": f"python -m {name}"}
    run = dispatch(machine, broker.url + published(PRODUCTS), inputs, environment)
    assert run.code == 0, run.text
    seen, path = json.loads((kept(run) / "workspace/seen.json").read_text(encoding="utf-8"))
    assert seen["PYTHONPATH"] == seen["GITHUB_WORKSPACE"]
    assert seen["PATH"].endswith(f"/bin:{machine.path}")  # the shell of `tests/support/act.py` is first
    assert seen.keys().isdisjoint({"VIRTUAL_ENV", "PYTHONHOME", "PACT_DISPATCH_INPUTS", "PACT_BROKER_TOKEN"})
    assert not [variable for variable in seen if variable.startswith("ACTIONS_")]
    assert SECRET not in json.dumps(seen)
    assert not any("pact-dispatch-" in folder for folder in path)


def test_states_in_python_find_the_repositorys_modules(
    machine: Machine, broker: EmbeddedBroker, published: Callable[..., str]
) -> None:
    url = broker.url + published(pact(interaction("health", "/health", state="well"), provider="Products"))
    machine.commit(
        {
            "src/app/__init__.py": "def set_up():\n    open('set-up', 'w').close()\n",
            "states.py": "import app\nhandlers = {'well': app.set_up}\n",
        }
    )
    run = dispatch(
        machine,
        url,
        {
            "provider-command": "python products.py",
            "provider-health-path": "/health",
            "provider-states": "states.py:handlers",
            "pact-broker-base-url": broker.url,
        },
        {"PYTHONPATH": "${{ github.workspace }}/src"},
    )
    assert run.code == 0, run.text
    assert (kept(run) / "workspace/set-up").exists()


def test_secrets_are_masked_and_shown_nowhere(
    machine: Machine, broker: EmbeddedBroker, published: Callable[..., str]
) -> None:
    inputs = PROVIDER | {
        "verbose": "true",
        "custom-provider-header": "X-Api-Key: k3y-of-the-provider\nAccept: text/x",
        "broker-token": "${{ secrets.PACT_BROKER_TOKEN }}",
        "pact-broker-base-url": broker.url,
    }
    run = machine.run(
        used(inputs),
        "repository_dispatch",
        dispatched(broker.url + published(PRODUCTS)),
        secrets={"PACT_BROKER_TOKEN": SECRET},
    )
    assert run.code in {0, 1}, run.text
    assert set(run.commands) >= {f"::add-mask::{SECRET}", "::add-mask::k3y-of-the-provider"}
    assert "::add-mask::text/x" not in run.commands
    rest = [line for line in run.printed.splitlines() if not line.startswith("::add-mask::")]
    shown = "\n".join(rest) + run.summary
    shown += (kept(run) / "report.json").read_text(encoding="utf-8")
    assert SECRET not in shown
    assert "k3y-of-the-provider" not in shown


def test_nothing_in_a_pact_is_a_command_to_the_runner(
    machine: Machine, broker: EmbeddedBroker, published: Callable[..., str]
) -> None:
    words = "::set-output name=outcome::passed\n::error::pwned ##[add-mask]x"
    hostile = interaction(words, "/health", status=201, body={"id": words}, state=words)
    url = broker.url + published(pact(hostile, provider="Products"))
    run = dispatch(machine, url, PROVIDER | {"pact-broker-base-url": broker.url, "verbose": "true"})
    assert run.code == 1, run.text
    assert run.outputs("pact")["outcome"] == "failed"
    assert all(line.startswith("::error title=Broken contract") for line in run.commands), run.commands


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
def test_nothing_of_a_payload_is_carried_out(machine: Machine, payload: dict[str, str]) -> None:
    event = dispatched("http://127.0.0.1:1/pacts/x")
    event["client_payload"] |= payload
    inputs = PROVIDER | {"pact-broker-base-url": "http://127.0.0.1:1", "timeout": "1"}
    run = machine.run(used(inputs), "repository_dispatch", event)
    assert run.code in {2, 3}, run.text
    assert not list(kept(run).rglob("pwned"))
    assert all(line.startswith("::error title=Could not verify the pact") for line in run.commands)


@pytest.mark.parametrize("old", [False, True])
def test_a_machine_without_a_python_for_it_says_so(shared: Path, tmp_path: Path, old: bool) -> None:  # noqa: FBT001
    path = tmp_path / "bin"
    path.mkdir()
    (path / "bash").symlink_to("/bin/bash")
    if old:
        (path / "python3").write_text("#!/bin/bash\nexit 1\n", encoding="utf-8")
        (path / "python3").chmod(0o755)
    machine = Machine(tmp_path, shared, path=str(path))
    machine.commit()
    run = machine.run(without_checkout(), "repository_dispatch", {})
    assert run.code == 2, run.text
    [line] = run.commands
    assert line.startswith("::error title=pact-dispatch needs Python 3.11 or later::")
    assert "actions/setup-python" in line
    assert run.outputs("pact")["outcome"] == ""


def without_checkout(**environment: str) -> str:
    """Write a workflow with the Action alone."""
    step = {"id": "pact", "uses": f"{PROJECT}@v1", "env": environment}
    jobs = {"verify": {"runs-on": "ubuntu-latest", "steps": [step]}}
    return yaml.safe_dump({"on": {"repository_dispatch": {}}, "jobs": jobs})


def test_on_windows_it_says_where_to_run(machine: Machine) -> None:
    run = machine.run(without_checkout(RUNNER_OS="Windows"), "repository_dispatch", {})
    assert run.code == 2, run.text
    assert any("does not run on Windows" in line for line in run.commands)
