"""GitHub Actions' workflows on a real runner: nektos/act, with jobs on this machine and nothing from GitHub.

Each run has its own home, cache folder and workspace below the test's folder, and opens no port. What is replaced:

- GitHub's own actions, by those in `tests/support/actions`; this project, as `OWNER/pact-dispatch@v1`, by a copy of
  the files as they are now.
- GitHub's repositories: git's configuration turns `https://github.com/OWNER/REPO` into a folder.
- GitHub's cache, by a folder that all tests of a session share: the first run installs the Action from its lock (with
  pip, from where this machine's configuration says), the others restore what it saved.

What act doesn't do, and so isn't seen by these tests: `permissions`, `concurrency` and `run-name` are read and not
carried out (`tests/system/github/test_workflow_files.py` looks at them); `job.workflow_repository` and
`job.workflow_sha` are empty, so that the repository's variables PACT_DISPATCH_REPOSITORY and PACT_DISPATCH_REF stand
for them; it starts no service containers, and no job after one that failed; a step has a terminal, whose end hangs up
what it left running. The last that a failing step prints may not reach act's log: what steps print is read elsewhere.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.support.paths import ROOT
from tests.support.running import BIN

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ACTIONS = ROOT / "tests/support/actions"
PROJECT = "OWNER/pact-dispatch"
NETWORK = ("PIP_", "SSL_", "REQUESTS_CA_BUNDLE")
RUN_SECONDS = 300
FIRST = f"on: workflow_dispatch\njobs: {{first: {{runs-on: ubuntu-latest, steps: [{{uses: {PROJECT}@v1}}]}}}}"
SHELL = """#!/bin/bash
case "${{!#}}" in
  */act/workflow/*.sh) /bin/bash "$@" 2>&1 | {tee} -a "{file}"; exit "${{PIPESTATUS[0]}}" ;;
  *) exec /bin/bash "$@" ;;
esac
"""
"""The shell of a step, which keeps what it prints; and is no terminal for it, as on GitHub."""
NOT_COPIED = ("tests/", "docs/images/", "fuzz/", "benchmarks/")
"""Parts of this project that no workflow uses."""
LINKED = ("app", "broker", "verifier")
"""What the Action only reads: act copies an action's files more than once for each use of it."""
PIN = re.compile(r"uses: (actions/[\w-]+)[\w/-]*@(\S+)")


@dataclass(frozen=True)
class Run:
    """A run of a workflow that has ended.

    Attributes:
        log: what act logged, one object a line.
        printed: what the steps printed.
        home: HOME of its jobs.
    """

    log: list[dict[str, Any]]
    printed: str
    home: Path

    @property
    def text(self) -> str:
        """All that was logged, for the message of a test that fails."""
        return "".join(f"{entry.get('msg', '').rstrip()}\n" for entry in self.log) + self.printed

    @property
    def results(self) -> dict[str, str]:
        """How each job ended: success, failure or skipped; a job of a called workflow is `NAME/JOB`."""
        return {entry["job"]: entry["jobResult"] for entry in self.log if "jobResult" in entry}

    @property
    def code(self) -> int:
        """The exit code of the first step that failed, or 0."""
        codes = [re.fullmatch(r"exit status (\d+)", entry.get("msg", "")) for entry in self.log]
        return next((int(code[1]) for code in codes if code), 0)

    @property
    def summary(self) -> str:
        """What the pages of the jobs show; act logs that of a composite action's step again at the action's end."""
        contents = [entry["content"] for entry in self.log if entry.get("command") == "summary"]
        return "".join(dict.fromkeys(contents))

    @property
    def commands(self) -> list[str]:
        """The lines for the runner that the steps printed (outputs and summaries come by files)."""
        lines = [line.strip() for line in self.printed.splitlines()]
        return [line for line in lines if line.startswith("::") or "##[" in line]

    def outputs(self, *step: str) -> dict[str, str]:
        """Return the outputs of a step, by its id; of a step in an action that it uses, by both."""
        return {
            entry["name"]: entry["arg"]
            for entry in self.log
            if entry.get("command") == "set-output" and entry.get("stepID") == list(step)
        }


@dataclass
class Machine:
    """What the runs of one test share: the provider's repository, and HOME.

    Args:
        folder: the test's own.
        shared: of all tests of the session; see `prepare`.
        name: of the provider's repository.
        path: PATH of the jobs.
    """

    folder: Path
    shared: Path
    name: str = "acme/products"
    path: str = f"{BIN}:/usr/bin:/bin"

    def __post_init__(self) -> None:
        self.home = self.folder / "home"
        self.home.mkdir(parents=True)
        (self.home / "cache").symlink_to(self.shared / "cache")
        self.repository = self.folder / "github" / self.name
        self.repository.mkdir(parents=True)
        project = self.folder / "github" / PROJECT
        project.parent.mkdir(parents=True, exist_ok=True)
        project.symlink_to(self.shared / "project")
        (self.home / ".gitconfig").write_text(
            f'[url "file://{self.folder}/github/"]\n\tinsteadOf = https://github.com/\n'
            "[safe]\n\tdirectory = *\n[advice]\n\tdetachedHead = false\n",
            encoding="utf-8",
        )
        prepare_repository(self.repository, f"https://github.com/{self.name}")

    def commit(self, files: Mapping[str, str] | None = None) -> str:
        """Write the provider's files and commit them on its branch main; return the commit's id."""
        for name, text in (files or {}).items():
            (self.repository / name).parent.mkdir(parents=True, exist_ok=True)
            (self.repository / name).write_text(text, encoding="utf-8")
        return commit_all(self.repository)

    def run(
        self,
        workflow: Path | str,
        event_name: str,
        event: Mapping[str, Any],
        *,
        secrets: Mapping[str, str] | None = None,
        variables: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
        job: str | None = None,
    ) -> Run:
        """Run a workflow of the provider's repository.

        Args:
            workflow: Its file, or its text.
            event_name: What starts it.
            event: The event's body.
            secrets: The repository's.
            variables: The repository's.
            environment: What all steps of all jobs have besides what act gives them.
            job: The one job to run.
        """
        text = workflow if isinstance(workflow, str) else workflow.read_text(encoding="utf-8")
        number = len(list(self.folder.glob("run-*")))
        own = self.folder / f"run-{number}"
        own.mkdir()
        (own / "workflow.yml").write_text(text, encoding="utf-8")
        (own / "event.json").write_text(json.dumps(event), encoding="utf-8")
        for name, values in (("secrets", secrets), ("vars", variables), ("env", environment)):
            # JSON texts are YAML's; the values are in no command line
            (own / f"{name}.yml").write_text(json.dumps(dict(values or {})), encoding="utf-8")
        command = [str(BIN / "act"), event_name, "--workflows", str(own / "workflow.yml")]
        command += [
            "--eventpath",
            str(own / "event.json"),
            "--json",
            "--insecure-secrets",
            "--no-skip-checkout",
        ]
        command += ["--platform", "ubuntu-latest=-self-hosted", "--no-cache-server", "--action-offline-mode"]
        command += ["--secret-file", str(own / "secrets.yml"), "--var-file", str(own / "vars.yml")]
        command += ["--env-file", str(own / "env.yml"), "--input-file", os.devnull]
        command += ["--job", job] if job else []
        for replaced, folder in self._replaced().items():
            command += ["--local-repository", f"{replaced}={folder}"]
        printed, shell = own / "printed", own / "bin/bash"
        printed.touch()
        shell.parent.mkdir()
        shell.write_text(SHELL.format(tee=shutil.which("tee"), file=printed), encoding="utf-8")
        shell.chmod(0o755)
        with (own / "log").open("w+b") as log:
            subprocess.run(
                command,
                cwd=self.repository,
                env=self._environment(own),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                check=False,
                timeout=RUN_SECONDS,
            )
            log.seek(0)
            lines = log.read().decode().splitlines()
        entries = [json.loads(line) if line.startswith("{") else {"msg": line} for line in lines]
        shown = printed.read_text(encoding="utf-8").replace("\r\n", "\n")
        run = Run([entry for entry in entries if entry.get("level") != "debug"], shown, self.home)
        assert "git clone" not in run.text, run.text  # of an action that nothing stands for
        assert run.results, run.text
        return run

    def _environment(self, folder: Path) -> dict[str, str]:
        """A clean machine's, but for how it reaches the network."""
        network = {
            name: value
            for name, value in os.environ.items()
            if name.startswith(NETWORK) or "PROXY" in name.upper()
        }
        return network | {
            "ACT_DISABLE_VERSION_CHECK": "1",
            "DO_NOT_TRACK": "1",
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "PATH": f"{folder}/bin:{self.path}",
            "XDG_CACHE_HOME": str(folder / "cache"),
            "XDG_CONFIG_HOME": str(folder / "config"),
        }

    def _replaced(self) -> dict[str, Path]:
        pins = {f"{PROJECT}@v1": self.shared / "action"}
        for file in workflow_files():
            for action, pin in PIN.findall(file.read_text(encoding="utf-8")):
                stand_in = ACTIONS / action.removeprefix("actions/")
                if stand_in.is_dir():
                    pins[f"{action}@{pin}"] = stand_in
        return pins


def workflow_files() -> list[Path]:
    """Return the Action, all workflows, and the pages that show one."""
    return [
        ROOT / "action.yml",
        *sorted((ROOT / ".github/workflows").glob("*.yml")),
        *sorted((ROOT / "examples/workflows").glob("*.yml")),
        ROOT / "README.md",
        ROOT / "docs/github.md",
    ]


def prepare(base: Path) -> Path:
    """Return the folder that all tests of a session share, with this project and the filled cache in it.

    The Action's first run, which installs it, leaves its log in `first.log`.

    Args:
        base: A folder that all processes of the session have in common.
    """
    folder = base / "act"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "first.log").exists():
            copy_of_this_project(folder / "project")
            prepare_repository(folder / "project", f"https://github.com/{PROJECT}")
            commit_all(folder / "project")
            git("-C", str(folder / "project"), "tag", "v1")
            shutil.copytree(
                folder / "project", folder / "action", ignore=shutil.ignore_patterns(".git", "docs", *LINKED)
            )
            for name in LINKED:
                (folder / "action" / name).symlink_to(folder / "project" / name)
            (folder / "cache").mkdir()
            machine = Machine(folder / "first", folder)
            machine.commit()
            run = machine.run(FIRST, "workflow_dispatch", {})
            assert any((folder / "cache").iterdir()), run.text
            (folder / "first.log").write_text(run.text, encoding="utf-8")
    return folder


def prepare_repository(folder: Path, url: str) -> None:
    """Make a folder a repository as GitHub serves it: any commit of it can be fetched, and without the files."""
    git("-C", str(folder), "init", "--quiet")
    git("-C", str(folder), "remote", "add", "origin", url)
    for setting in ("uploadpack.allowFilter", "uploadpack.allowAnySHA1InWant"):
        git("-C", str(folder), "config", setting, "true")


def commit_all(folder: Path) -> str:
    """Commit all that is in a repository, and return the commit's id."""
    git("-C", str(folder), "add", "--all")
    git("-C", str(folder), "commit", "--quiet", "--allow-empty", "--message", "A commit")
    return git("-C", str(folder), "rev-parse", "HEAD")


def copy_of_this_project(folder: Path) -> None:
    """Make what a checkout of this project is, less what no workflow uses of it."""
    listed = git("-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard", "-z")
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file() and not name.startswith(NOT_COPIED):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)


def git(*arguments: str) -> str:
    """Run git, with no configuration but this."""
    command = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main"]
    done = subprocess.run([*command, *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()
