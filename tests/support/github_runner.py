"""As much of GitHub's runner as the Action and the workflows of this project use, with real shells and processes.

It evaluates expressions, gives each step its environment and its files, runs `run:` with bash as the runner does, and
reads outputs back. `uses:` it knows for the actions of GitHub's that are used here, and for an action in the workspace.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from tests.support.paths import ROOT
from tests.verifier.report.test_github import outputs

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")
BASH = ("/bin/bash", "--noprofile", "--norc", "-eo", "pipefail")
STEP_SECONDS = 300
NETWORK = ("PIP_", "SSL_", "REQUESTS_CA_BUNDLE")
Context = dict[str, Any]


def value_of(expression: str, context: Context) -> Any:
    """Evaluate an expression: properties, texts, toJSON, `==`, `!=`, `&&`, `||`."""
    if "||" in expression:
        values = [value_of(part.strip(), context) for part in expression.split("||")]
        return next((value for value in values if value), values[-1])
    if "&&" in expression:
        values = [value_of(part.strip(), context) for part in expression.split("&&")]
        return next((value for value in values if not value), values[-1])
    if found := re.fullmatch(r"(.+?)\s*([!=]=)\s*(.+)", expression):
        same = value_of(found[1], context) == value_of(found[3], context)
        return same if found[2] == "==" else not same
    if found := re.fullmatch(r"toJSON\((.+)\)", expression):
        return json.dumps(value_of(found[1], context), indent=2)
    if found := re.fullmatch(r"'([^']*)'", expression):
        return found[1]
    assert re.fullmatch(r"[\w-]+(\.[\w-]+)*", expression), (
        f"an expression that this runner does not know: {expression}"
    )
    value: Any = context
    for name in expression.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return "" if value is None else value


def filled(text: Any, context: Context) -> str:
    """Fill the expressions of a value in."""
    return EXPRESSION.sub(lambda found: str(value_of(found[1], context)), str(text))


@dataclass
class Runner:
    """A machine with one job on it.

    Attributes:
        folder: where the job's own files are.
        temp: RUNNER_TEMP.
        path: PATH of the job.
        event_name: what started the run.
        event: the event's body.
        sha: the commit of the run.
        job_environment: `env:` of the job.
        origin: the provider's repository, for actions/checkout.
        log: everything the steps printed, in order.
    """

    folder: Path
    temp: Path
    path: str
    event_name: str
    event: dict[str, Any]
    sha: str = "f" * 40
    job_environment: dict[str, str] = field(default_factory=dict)
    origin: Path | None = None
    log: str = ""

    def __post_init__(self) -> None:
        self.workspace = self.folder / "work"
        self.workspace.mkdir(parents=True, exist_ok=True)
        self.event_path = self.folder / "event.json"
        self.event_path.write_text(json.dumps(self.event), encoding="utf-8")
        self._steps = 0

    @property
    def summary(self) -> str:
        """What the job's page shows."""
        return "".join(
            file.read_text(encoding="utf-8") for file in sorted(self.folder.glob("step-*/summary.md"))
        )

    @property
    def commands(self) -> list[str]:
        """The lines of the log that a runner obeys."""
        return [
            line.strip() for line in self.log.splitlines() if line.strip().startswith("::") or "##[" in line
        ]

    def context(self, **more: Any) -> Context:
        github = {"event": self.event, "event_name": self.event_name, "sha": self.sha}
        return {"github": github, "steps": {}, "vars": {}, "secrets": {}, "inputs": {}, "job": {}, **more}

    def use(self, action: Path, given: Mapping[str, str]) -> tuple[int, dict[str, str]]:
        """Run a composite action.

        Returns:
            The exit code of the step that failed, or 0, and the action's outputs.
        """
        document = yaml.safe_load((action / "action.yml").read_text(encoding="utf-8"))
        assert given.keys() <= document["inputs"].keys(), "the runner warns of other inputs"
        inputs = {
            name: given.get(name, about.get("default", "")) for name, about in document["inputs"].items()
        }
        context = self.context(inputs=inputs)
        code = self._run_steps(document["runs"]["steps"], context, {"GITHUB_ACTION_PATH": str(action)})
        return code, {name: filled(about["value"], context) for name, about in document["outputs"].items()}

    def run_job(self, workflow: Path, job: str, **contexts: Any) -> tuple[int, dict[str, str]]:
        """Run a job of a workflow; its contexts (inputs, secrets, vars) are as given."""
        document = yaml.safe_load(workflow.read_text(encoding="utf-8"))["jobs"][job]
        context = self.context(**contexts)
        code = self._run_steps(document["steps"], context, {})
        return code, {name: filled(text, context) for name, text in document.get("outputs", {}).items()}

    def _run_steps(self, steps: list[dict[str, Any]], context: Context, environment: dict[str, str]) -> int:
        for step in steps:
            if "if" in step and not value_of(step["if"], context):
                continue
            self._steps += 1
            code, found = self._run_step(step, context, environment)
            if "id" in step:
                context["steps"][step["id"]] = {"outputs": found}
            if code:
                return code
        return 0

    def _run_step(
        self, step: dict[str, Any], context: Context, environment: dict[str, str]
    ) -> tuple[int, dict[str, str]]:
        if "run" in step:
            own = {name: filled(text, context) for name, text in step.get("env", {}).items()}
            return self._shell(filled(step["run"], context), environment | own)
        given = {name: filled(text, context) for name, text in step.get("with", {}).items()}
        name = step["uses"].partition("@")[0]
        if name.startswith("actions/cache/"):  # a machine without a cache service
            return 0, {}
        if name == "actions/checkout":
            return self._check_out(given), {}
        assert name.startswith("./"), name
        return self.use(self.workspace / name, given)

    def _shell(self, script: str, environment: dict[str, str]) -> tuple[int, dict[str, str]]:
        files = self.folder / f"step-{self._steps:02}"
        files.mkdir()
        (files / "script.sh").write_text(script, encoding="utf-8")
        for name in ("output", "summary.md"):
            (files / name).touch()
        with (files / "log").open("w+b") as log:
            code = subprocess.run(
                [*BASH, str(files / "script.sh")],
                env=self._environment() | environment | _files(files),
                cwd=self.workspace,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                check=False,
                timeout=STEP_SECONDS,
            ).returncode
            log.seek(0)
            self.log += log.read().decode()
        return code, outputs_of(files / "output")

    def _environment(self) -> dict[str, str]:
        """A clean machine's, but for how it reaches the network."""
        network = {
            name: value
            for name, value in os.environ.items()
            if name.startswith(NETWORK) or "PROXY" in name.upper()
        }
        return network | {
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_EVENT_NAME": self.event_name,
            "GITHUB_EVENT_PATH": str(self.event_path),
            "GITHUB_REF_NAME": "main",
            "GITHUB_REF_TYPE": "branch",
            "GITHUB_REPOSITORY": "acme/products",
            "GITHUB_RUN_ID": "17",
            "GITHUB_SERVER_URL": "https://github.example.org",
            "GITHUB_SHA": self.sha,
            "GITHUB_WORKSPACE": str(self.workspace),
            "HOME": str(self.folder),
            "LANG": "C.UTF-8",
            "PATH": self.path,
            "RUNNER_OS": "Linux",
            "RUNNER_TEMP": str(self.temp),
            **self.job_environment,
        }

    def _check_out(self, given: Mapping[str, str]) -> int:
        folder = self.workspace / given.get("path", "")
        if "repository" in given:
            shutil.rmtree(folder, ignore_errors=True)  # whatever was there
            copy_of_this_project(folder)
            return 0
        commit = given["ref"] or self.sha
        git("clone", "--quiet", str(self.origin), str(folder))
        git("-C", str(folder), "fetch", "--quiet", "origin", commit)  # that of a pull request is in no branch
        git("-C", str(folder), "checkout", "--quiet", commit)
        return 0


def _files(folder: Path) -> dict[str, str]:
    return {"GITHUB_OUTPUT": str(folder / "output"), "GITHUB_STEP_SUMMARY": str(folder / "summary.md")}


def outputs_of(file: Path) -> dict[str, str]:
    """Read a step's outputs, in either of their two forms."""
    text = file.read_text(encoding="utf-8")
    if "<<" in text:
        return outputs(text)
    return dict(line.split("=", maxsplit=1) for line in text.splitlines())


def copy_of_this_project(folder: Path) -> None:
    """Make what a checkout of this project is: the files that are in the repository, or could be."""
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        check=True,
        capture_output=True,
        text=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)


def git(*arguments: str) -> str:
    """Run git, with no configuration but this."""
    command = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main"]
    done = subprocess.run([*command, *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()
