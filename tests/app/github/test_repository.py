"""`app.github_repository` against GitHub's API on loopback, and `app.workflow_triggers` by plain text."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from app.github.access import GitHubAccess
from app.github.answers import GitHubAway, GitHubRefused
from app.github.client import GitHub
from app.github.repository import GitHubRepository
from app.github.workflows import Triggers
from tests.support.github_api import Fault, GitHubApi
from tests.support.github_state import READ, WRITE, Repository, Token
from tests.support.loopback import Loopback, Reply

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = "github_pat_11AAAAAAA0123456789abcdef"
FILE = ".github/workflows/pact_changed.yml"
LISTENS = "on:\n  repository_dispatch:\n    types: [pact_changed]\n"


@pytest.fixture
def api() -> Iterator[GitHubApi]:
    with GitHubApi(Repository("acme/products", files={FILE: LISTENS}), tokens=(Token(SECRET),)) as server:
        yield server


def repository_of(api: GitHubApi, token: str = SECRET, name: str = "acme/products") -> GitHubRepository:
    return GitHubRepository(GitHub(GitHubAccess(api.url, token)), name, token=token)


def dispatch(api: GitHubApi, event_type: str = "pact_changed") -> None:
    GitHub(GitHubAccess(api.url, SECRET)).dispatch("acme/products", event_type, {})


def test_a_repository_shows_what_it_is_and_when_the_token_ends(api: GitHubApi) -> None:
    api.tokens[0].expires = datetime(2100, 1, 2, 3, 4, 5, tzinfo=UTC)
    facts = repository_of(api).facts()
    assert (facts.full_name, facts.default_branch, facts.private) == ("acme/products", "main", True)
    assert facts.token.expires == api.tokens[0].expires
    assert facts.token.scopes is None


@pytest.mark.parametrize(
    ("classic", "rights", "private", "archived", "may"),
    [
        (True, {"contents": WRITE}, True, False, True),
        (True, {"contents": WRITE}, True, True, False),
        (True, {"statuses": WRITE}, False, False, False),
        (False, {"contents": WRITE}, True, False, None),  # GitHub doesn't show a fine-grained token's rights
        (False, {"contents": READ, "metadata": READ}, True, False, False),
    ],
)
def test_whether_a_token_may_dispatch_is_said_as_far_as_github_shows_it(
    api: GitHubApi,
    *,
    classic: bool,
    rights: dict[str, str],
    private: bool,
    archived: bool,
    may: bool | None,
) -> None:
    repository = api.repository("acme/products")
    repository.private, repository.archived = private, archived
    api.tokens[0].classic, api.tokens[0].rights = classic, {"metadata": READ, **rights}
    assert repository_of(api).facts().may_dispatch is may


def test_the_token_of_an_app_is_known_by_its_name(api: GitHubApi) -> None:
    api.tokens.append(Token("ghs_1234567890"))
    facts = repository_of(api, "ghs_1234567890").facts()
    assert facts.token.of_installation
    assert facts.may_dispatch is None


def test_a_renamed_repository_is_known_by_its_name(api: GitHubApi) -> None:
    api.repositories["acme/catalogue"] = Repository("acme/catalogue")
    api.repository("acme/products").moved_to = "acme/catalogue"
    assert repository_of(api).facts().full_name == "acme/catalogue"


def test_what_is_not_there_or_not_seen_is_a_refusal(api: GitHubApi) -> None:
    for name, token, status in (("acme/nothing", SECRET, 404), ("acme/products", "ghp_unknown", 401)):
        with pytest.raises(GitHubRefused, match=f"look at {name}: GitHub answered {status}") as caught:
            repository_of(api, token, name).facts()
        assert caught.value.status == status
        assert token not in str(caught.value)
    api.stop()
    with pytest.raises(GitHubAway, match="can't be reached"):
        repository_of(api).facts()
    api.start()


def test_workflow_files_say_what_they_listen_to(api: GitHubApi) -> None:
    files = api.repository("acme/products").files
    files[".github/workflows/ci.yaml"] = "on: push\n"
    files[".github/workflows/all.yml"] = "on: [push, repository_dispatch]\n"
    files[".github/workflows/notes.md"] = LISTENS
    files["README.md"] = "a provider"
    api.repository("acme/products").disabled_workflows = {FILE}
    found = {workflow.path: workflow for workflow in repository_of(api).workflows()}
    assert sorted(found) == [".github/workflows/all.yml", ".github/workflows/ci.yaml", FILE]
    assert [path for path, one in found.items() if one.listens_to("pact_changed")] == [
        ".github/workflows/all.yml",
        FILE,
    ]
    assert [path for path, one in found.items() if one.listens_to("another")] == [".github/workflows/all.yml"]
    assert [path for path, one in found.items() if one.disabled] == [FILE]


def test_a_token_that_may_not_see_the_actions_sees_the_files(api: GitHubApi) -> None:
    api.tokens[0].rights = {"contents": WRITE, "metadata": READ}
    [workflow] = repository_of(api).workflows()
    assert (workflow.state, workflow.disabled) == (None, False)
    assert workflow.listens_to("pact_changed")
    with pytest.raises(GitHubRefused, match="Actions: read"):
        repository_of(api).runs()


def test_a_repository_without_workflows_has_none(api: GitHubApi) -> None:
    api.repository("acme/products").files.clear()
    assert repository_of(api).workflows() == []


def test_runs_are_those_of_dispatches_since_then_the_newest_first(api: GitHubApi) -> None:
    repository = api.repository("acme/products")
    dispatch(api)
    repository.runs[0].created_at -= timedelta(minutes=5)
    since = datetime.now(UTC)
    repository.next_run = ("queued", None)
    dispatch(api)
    assert [run.id for run in repository_of(api).runs()] == [2, 1]
    assert [run.id for run in repository_of(api).runs(limit=1)] == [2]
    [run] = repository_of(api).runs(since=since)
    assert (run.path, run.completed, run.succeeded) == (FILE, False, False)
    assert run.url == "https://github.com/acme/products/actions/runs/2"
    repository.runs[1].status, repository.runs[1].conclusion = "completed", "success"
    assert repository_of(api).run(2).succeeded
    with pytest.raises(GitHubRefused, match="workflow run 3 of acme/products"):
        repository_of(api).run(3)


def test_an_outage_in_the_middle_is_one(api: GitHubApi) -> None:
    api.faults.append(Fault("GET", "/contents/", 502))
    with pytest.raises(GitHubAway, match="read the workflow files of acme/products"):
        repository_of(api).workflows()


@pytest.mark.parametrize(
    "body",
    [
        "<html>a page</html>",
        "",
        b"\xff",
        "null",
        "12",
        [],
        {},
        {"full_name": 1},
        {"full_name": "acme/products", "default_branch": "main", "private": True, "permissions": [1]},
        {"workflows": [1], "workflow_runs": [{"created_at": "now"}], "default_branch": "main"},
    ],
)
def test_what_is_not_githubs_api_is_a_refusal_that_says_so(body: Any) -> None:
    with Loopback(Reply(body=body)) as page:
        repository = GitHubRepository(GitHub(GitHubAccess(page.url, SECRET)), "acme/products")
        for ask in (repository.facts, repository.workflows, repository.runs):
            with pytest.raises(GitHubRefused, match=r"not one of GitHub's API \(.*Check its URL"):
                ask()


@pytest.mark.parametrize(
    ("text", "listens"),
    [
        ("on: repository_dispatch", True),
        ("'on': repository_dispatch", True),
        ("on: [push, repository_dispatch]", True),
        ("on:\n  repository_dispatch:", True),
        ("on:\n  repository_dispatch:\n    types: pact_changed", True),
        ("on: {repository_dispatch: {types: [other, pact_changed]}}", True),
        ("on: {repository_dispatch: {types: [Pact_Changed]}}", False),
        ("on: {repository_dispatch: {types: [other]}, push: }", False),
        ("on: {workflow_dispatch: {}, push: {branches: [main]}}", False),
        ("on: push", False),
    ],
)
def test_each_form_of_on_is_read(text: str, *, listens: bool) -> None:
    triggers = Triggers.read(f"name: x\n{text}\njobs: {{}}\n")
    assert triggers.listen_to("pact_changed") is listens
    assert triggers.problem is None


def test_types_are_text_even_where_yaml_has_other_ideas() -> None:
    assert Triggers.read("on: {repository_dispatch: {types: [yes, 1.10]}}").dispatch_types == ("yes", "1.10")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("on: [", r"it is no YAML \(line 1\)"),
        ("a: b\nc: d: e", r"it is no YAML \(line 2\)"),
        ("[" * 5000, "it is no YAML"),
        ("\0", "it is no YAML"),
        ("", "it has no triggers"),
        ("- on", "it has no triggers"),
        ("jobs: {}", "it has no triggers"),
        ("on: {}", "it has no triggers"),
    ],
)
def test_a_file_that_github_could_not_read_either_is_a_problem(text: str, problem: str) -> None:
    triggers = Triggers.read(text)
    assert not triggers.listen_to("pact_changed")
    assert triggers.problem is not None
    assert re.match(problem, triggers.problem)
