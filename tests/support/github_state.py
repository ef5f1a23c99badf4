"""What GitHub knows, for the server in `tests/support/github_api.py`: repositories, tokens, Apps, workflow runs."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import yaml

WRITE, READ = "write", "read"


def listens_to(workflow: str, event: str, event_type: str | None = None) -> bool:
    """Tell whether a workflow file is triggered by an event."""
    try:
        document = yaml.safe_load(workflow)
    except yaml.YAMLError:
        return False
    triggers = (
        document.get("on", document.get(True)) if isinstance(document, dict) else None
    )  # YAML 1.1's "on"
    if isinstance(triggers, str | list):
        return event == triggers or event in triggers
    if not isinstance(triggers, dict) or event not in triggers:
        return False
    types = (triggers[event] or {}).get("types")
    return not types or event_type is None or event_type == types or event_type in types


@dataclass
class WorkflowRun:
    """A run of a workflow.

    Attributes:
        status: queued, in_progress or completed.
        conclusion: success or failure, of one that is completed.
    """

    id: int
    path: str
    event: str
    head_branch: str
    head_sha: str
    status: str = "completed"
    conclusion: str | None = "success"
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass
class Repository:
    """A repository; its files are those of the default branch.

    Attributes:
        commits: full ids; a status can only be set for one of them. None: for any.
        files: by path.
        disabled_workflows: paths of workflow files that are switched off.
        dispatches: the bodies taken.
        started: the bodies taken for workflows, each with its `workflow`.
        statuses: the bodies taken, each with its `sha`.
        next_run: how the next triggered runs look: `status` and `conclusion`.
        moved_to: the name it has now.
    """

    full_name: str
    default_branch: str = "main"
    private: bool = True
    archived: bool = False
    commits: set[str] | None = None
    files: dict[str, str] = field(default_factory=dict)
    disabled_workflows: set[str] = field(default_factory=set)
    dispatches: list[dict[str, Any]] = field(default_factory=list)
    started: list[dict[str, Any]] = field(default_factory=list)
    statuses: list[dict[str, Any]] = field(default_factory=list)
    runs: list[WorkflowRun] = field(default_factory=list)
    next_run: tuple[str, str | None] = ("completed", "success")
    moved_to: str | None = None
    head: str = "a" * 40

    def workflows(self) -> dict[str, str]:
        """Give the workflow files of the default branch, by path."""
        return {
            path: text
            for path, text in self.files.items()
            if path.startswith(".github/workflows/") and path.endswith((".yml", ".yaml"))
        }

    def status_of(self, sha: str, context: str) -> str | None:
        """Give the state that people see: the last one that was set."""
        states = [s["state"] for s in self.statuses if s["sha"] == sha and s.get("context") == context]
        return states[-1] if states else None

    def dispatch(self, body: dict[str, Any]) -> None:
        """Take a dispatch, and start the workflows that listen to it."""
        self.dispatches.append(body)
        for path, text in self.workflows().items():
            if path not in self.disabled_workflows and listens_to(
                text, "repository_dispatch", body["event_type"]
            ):
                self._run(path, "repository_dispatch")

    def start_workflow(self, path: str, body: dict[str, Any]) -> str | None:
        """Start a workflow by a `workflow_dispatch`; give GitHub's reason if that can't be."""
        text = self.workflows()[path]
        if not listens_to(text, "workflow_dispatch"):
            return "Workflow does not have 'workflow_dispatch' trigger"
        if path in self.disabled_workflows:
            return "Cannot trigger a 'workflow_dispatch' on a disabled workflow"
        document = yaml.safe_load(text)
        settings = (document.get("on") or document.get(True))["workflow_dispatch"] or {}
        declared, given = settings.get("inputs") or {}, body.get("inputs") or {}
        if unknown := sorted(set(given) - set(declared)):
            return f"Unexpected inputs provided: {unknown}"
        for name, about in declared.items():
            if (about or {}).get("required") and "default" not in about and not given.get(name):
                return f"Required input '{name}' not provided"
        self.started.append({"workflow": path, **body})
        self._run(path, "workflow_dispatch")
        return None

    def _run(self, path: str, event: str) -> None:
        number, (status, conclusion) = len(self.runs) + 1, self.next_run
        self.runs.append(WorkflowRun(number, path, event, self.default_branch, self.head, status, conclusion))


@dataclass
class Token:
    """A token, and what it may do.

    Attributes:
        repositories: the names that it sees; None: all.
        rights: `contents`, `statuses`, `actions`, `metadata`: read or write.
        classic: a classic token that lacks a scope is told "Not Found", a fine-grained one what it lacks.
        expires: None: never.
        revoked: it is not known (any more).
    """

    value: str
    repositories: set[str] | None = None
    rights: dict[str, str] = field(
        default_factory=lambda: {"contents": WRITE, "statuses": WRITE, "actions": READ, "metadata": READ}
    )
    classic: bool = False
    expires: datetime | None = None
    revoked: bool = False

    def sees(self, repository: Repository) -> bool:
        """Tell whether the repository is there for it."""
        names = self.repositories
        return not repository.private or names is None or repository.full_name in names

    def may(self, right: str, level: str) -> bool:
        """Tell whether it has a right: `write` includes `read`."""
        return self.rights.get(right) in {level, WRITE}


@dataclass
class App:
    """A GitHub App, installed on some repositories.

    Attributes:
        public_key: its JWTs are checked with it, in PEM.
        installations: the names of the repositories of each, by its id.
        issued: the tokens that it was given.
        lifetime: of these tokens.
    """

    id: str
    public_key: str
    installations: dict[int, set[str]]
    rights: dict[str, str] = field(default_factory=lambda: {"contents": WRITE, "statuses": WRITE})
    issued: list[Token] = field(default_factory=list)
    lifetime: timedelta = timedelta(hours=1)

    def installation_of(self, repository: str) -> int | None:
        """Find where it is installed on a repository."""
        return next((number for number, names in self.installations.items() if repository in names), None)

    def issue(
        self, installation: int, repositories: list[str] | None, rights: dict[str, str] | None
    ) -> Token:
        """Issue a token of an installation; it is for all its repositories, or for some of these names.

        Raises:
            LookupError: It has no such repository, or not that right.
        """
        names = self.installations[installation]
        if repositories is not None:
            chosen = {name for name in names if name.partition("/")[2] in repositories}
            if len(chosen) != len(repositories):
                raise LookupError(
                    "There is at least one repository that does not exist or is not accessible to the parent "
                    "installation."
                )
            names = chosen
        if any(self.rights.get(right) not in {level, WRITE} for right, level in (rights or {}).items()):
            raise LookupError("The permissions requested are not granted to this installation.")
        given = {"metadata": READ, **(self.rights if rights is None else rights)}
        expires = datetime.now(UTC) + self.lifetime
        token = Token(f"ghs_{secrets.token_hex(18)}", set(names), given, expires=expires)
        self.issued.append(token)
        return token
