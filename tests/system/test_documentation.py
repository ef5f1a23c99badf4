"""The documentation's examples, run as they stand, but for the ports."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.support.paths import DOCS, ROOT
from tests.support.processes import EmbeddedBroker
from tests.support.running import BIN, environment
from verifier.command.names_of_pact_verifier import NAMES
from verifier.command.options import build_parser
from verifier.command.sources import ENVIRONMENT, REQUEST_TIMEOUT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LONGEST_PAGE = 260
"""The lines of a page, at most."""
PAGES = (
    "README.md",
    "docs/verify.md",
    "docs/verify-all.md",
    "docs/coming-from-pact-verifier.md",
    "docs/reports.md",
    "docs/python-api.md",
)


def blocks(page: str, language: str) -> list[str]:
    text = (ROOT / page).read_text(encoding="utf-8")
    return [block for found, block in BLOCK.findall(text) if found == language]


@contextmanager
def example_provider() -> Iterator[str]:
    """The example's provider, on a free port."""
    program = (
        "import sys; sys.path.insert(0, 'examples'); from products import app\n"
        "from werkzeug.serving import make_server\n"
        "server = make_server('127.0.0.1', 0, app, threaded=True)\n"
        "print(server.server_port, flush=True); server.serve_forever()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.kill()


@pytest.mark.parametrize("page", PAGES)
def test_examples_work_as_they_stand(page: str, tmp_path: Path) -> None:
    examples = blocks(page, "console") + blocks(page, "python")
    assert examples
    with EmbeddedBroker(tmp_path) as broker, example_provider() as port:
        pact = json.loads((ROOT / "examples/storefront-products.json").read_text(encoding="utf-8"))
        broker.publish(pact, "1.0.0", branch="main")
        variables = environment(PATH=f"{BIN}:{os.environ['PATH']}")
        for block in examples:
            here = block.replace("http://127.0.0.1:9292", broker.url).replace("--port 8080", f"--port {port}")
            here = here.replace("127.0.0.1:8080", f"127.0.0.1:{port}")
            here = re.sub(r"\b(verification\.(json|xml|html))", rf"{tmp_path}/\1", here)
            command = [sys.executable, "-c", here]
            if block.startswith("$ "):
                script = re.sub(r"^\$ ", "", here, flags=re.MULTILINE)
                command = ["bash", "-euo", "pipefail", "-c", script]
            done = subprocess.run(
                command, capture_output=True, text=True, env=variables, cwd=ROOT, check=False, timeout=60
            )
            assert done.returncode == 0, here + done.stdout + done.stderr


def test_the_help_in_the_documentation_is_the_real_one() -> None:
    [shown] = re.findall(
        r"<!-- verify --help -->\n```text\n(.*?)```", (ROOT / "docs/verify-options.md").read_text(), re.DOTALL
    )
    command = [str(BIN / "verify"), "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment(COLUMNS="100"))
    assert shown == done.stdout


def rows_of_pact_verifiers_options() -> dict[str, tuple[list[str], str, str]]:
    """What the page for its users says of each option: its variables, and what it is here."""
    text = (DOCS / "coming-from-pact-verifier.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(--[\w-]+)` \| (.*?) ?\| (.*?) ?\| .*\|$", text, re.MULTILINE)
    assert len(rows) == len({option for option, *_ in rows})
    return {option: (re.findall(r"`([A-Z_]+)`", theirs), theirs, ours) for option, theirs, ours in rows}


def test_the_page_for_users_of_pact_verifier_has_each_of_its_options() -> None:
    command = [str(BIN / "pact"), "verifier", "--help"]
    text = subprocess.run(command, capture_output=True, text=True, check=True, env=environment()).stdout
    parts = re.split(r"^ +(?:-\w, +|)(--[a-z-]+)", text, flags=re.MULTILINE)[1:]
    real = {
        option: re.findall(r"\[env: (\w+)=", about)
        for option, about in zip(parts[::2], parts[1::2], strict=True)
    }
    assert len(real) > 50
    assert {option: variables for option, (variables, *_) in rows_of_pact_verifiers_options().items()} == real


def test_the_page_for_users_of_pact_verifier_knows_our_options_and_variables() -> None:
    variables = {f"--{name.replace('_', '-')}": variable for name, variable in ENVIRONMENT.items()}
    variables["--request-timeout"] = REQUEST_TIMEOUT
    known = {option for action in build_parser()._actions for option in action.option_strings}
    for option, (theirs, _, ours) in rows_of_pact_verifiers_options().items():
        for here, variable in re.findall(r"`(--[\w-]+)`(?: \(`([A-Z_]+)`\))?", ours):
            assert here in known, option
            assert variables.get(here) in ([variable] if variable else [None, *theirs]), option
        if option in NAMES:
            assert f"`{NAMES[option]}`" in ours
        elif option in known:
            assert f"`{option}`" in ours or option == "--transport"


def test_the_examples_of_the_help_can_be_parsed() -> None:
    parser = build_parser()
    examples = re.split(r"^  \w.*:$", (parser.epilog or "").split("exit codes:")[0], flags=re.MULTILINE)[1:]
    assert len(examples) == 4
    for example in examples:
        words = (
            textwrap.dedent(example).strip().replace('"$(git rev-parse HEAD)"', "abc").replace("\\\n", " ")
        )
        shell = ["bash", "-c", 'verify() { printf "%s\\0" "$@"; }; ' + words]
        done = subprocess.run(shell, capture_output=True, text=True, check=True)
        assert parser.parse_args(done.stdout.split("\0")[:-1])


@pytest.mark.parametrize("page", ["README.md", "docs/github.md"])
def test_workflows_in_the_documentation_give_the_action_what_it_knows(page: str) -> None:
    inputs = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))["inputs"]
    found = [yaml.safe_load(block) for block in blocks(page, "yaml")]
    steps = [
        step
        for document in found
        for step in document.get("steps", document.get("jobs", {}).get("verify", {}).get("steps", []))
    ]
    assert not [step for step in steps if "${{" in step.get("run", "")]
    [given] = [step["with"] for step in steps if "/pact-dispatch@" in step.get("uses", "")]
    assert given.keys() <= inputs.keys()


@pytest.mark.parametrize(
    ("section", "file", "path"),
    [
        ("inputs", "action.yml", ("inputs",)),
        ("outputs", "action.yml", ("outputs",)),
        ("workflow", ".github/workflows/verify_changed_pact.yml", (True, "workflow_call", "inputs")),  # `on`
        ("secrets", ".github/workflows/verify_changed_pact.yml", (True, "workflow_call", "secrets")),
    ],
)
def test_tables_of_inputs_and_outputs_are_those_of_the_files(
    section: str, file: str, path: tuple[Any, ...]
) -> None:
    described = yaml.safe_load((ROOT / file).read_text(encoding="utf-8"))
    for name in path:
        described = described[name]
    text = "".join((DOCS / page).read_text(encoding="utf-8") for page in ("github.md", "github-workflows.md"))
    table = text.split(f"<!-- {section} -->\n")[1].split(f"<!-- /{section} -->")[0]
    rows = dict(re.findall(r"^\| `([^`]+)` \| (.*) \|$", table, re.MULTILINE))
    assert rows == {name: about["description"].replace("|", "\\|") for name, about in described.items()}


def test_bodies_of_the_webhooks_are_json_that_the_receiver_takes() -> None:
    bodies = [json.loads(block) for block in blocks("docs/github.md", "json")]
    assert {body["event_type"] for body in bodies} == {
        "contract_requiring_verification_published",
        "pact_changed",
    }
    assert all("pact_url" in body["client_payload"] for body in bodies)


def test_each_action_is_pinned_to_one_version_everywhere() -> None:
    files = [
        ROOT / "action.yml",
        ROOT / "README.md",
        *ROOT.glob(".github/workflows/*.yml"),
        *ROOT.glob("examples/workflows/*.yml"),
        *DOCS.glob("*.md"),
    ]
    pins: dict[str, set[str]] = {}
    for file in files:
        for owner, name, pin in re.findall(
            r"uses: (actions)/([\w-]+)[\w/-]*@(.*)", file.read_text(encoding="utf-8")
        ):
            pins.setdefault(f"{owner}/{name}", set()).add(pin.strip())
    assert pins.keys() >= {"actions/checkout", "actions/cache", "actions/setup-python"}
    for action, found in pins.items():
        assert len(found) == 1, (action, found)
        assert re.fullmatch(r"[0-9a-f]{40} # v\d+\.\d+\.\d+", found.pop()), action


def test_examples_write_to_no_folder_that_is_not_there() -> None:
    tracked = {path.name for path in ROOT.iterdir() if path.is_dir()} - {"build", "dist"}
    for page in [*DOCS.glob("*.md"), ROOT / "README.md"]:
        for language, block in BLOCK.findall(page.read_text(encoding="utf-8")):
            if language in {"console", "python"}:
                written = re.findall(r"(?:> ?|--(?:json|junit|html|body) |Path\(\")([\w-]+)/[\w.-]+", block)
                assert set(written) <= tracked, (page.name, written)


@pytest.mark.parametrize("page", sorted([ROOT / "README.md", *DOCS.glob("*.md")]), ids=lambda page: page.name)
def test_nobody_is_told_to_install_into_the_environment_of_a_provider(page: Path) -> None:
    """Only into an environment that the page has just made, or that exists."""
    for before, after in re.findall(
        r"(\S*)pip install( (?:--upgrade )?'?pact-dispatch\S*)", page.read_text("utf-8")
    ):
        assert before.endswith("/bin/") or "--upgrade" in after, (before, after)


@pytest.mark.parametrize("page", sorted([*ROOT.glob("*.md"), *DOCS.glob("*.md")]), ids=lambda page: page.name)
def test_what_is_copied_works_in_zsh_as_in_bash(page: Path) -> None:
    """A `#` begins no comment where zsh, the shell of macOS, is typed at; `jobs -p` shows more than ids there."""
    text = page.read_text(encoding="utf-8")
    lines = [
        line
        for language, block in BLOCK.findall(text)
        if language in {"sh", "bash"}
        for line in block.split("\n")
    ]
    assert not [line for line in lines if "jobs -p" in line]
    if "setopt interactive_comments" not in text:
        assert not [line for line in lines if re.search(r"(^|\s)#(\s|$)", line)]


@pytest.mark.parametrize("page", sorted([ROOT / "README.md", *DOCS.glob("*.md")]), ids=lambda page: page.name)
def test_no_page_is_long(page: Path) -> None:
    lines = page.read_text(encoding="utf-8").count("\n")
    assert lines <= LONGEST_PAGE, f"{lines} lines: split it by what its readers look for"


def test_each_way_into_the_documentation_leads_to_each_page() -> None:
    """The front page leads to every page of the index, and the receiver's overview to all that a platform needs."""

    def links(text: str) -> set[str]:
        return set(re.findall(r"\]\((?:docs/)?([\w-]+\.md)[)#]", text))

    index = (DOCS / "README.md").read_text(encoding="utf-8")
    front = links((ROOT / "README.md").read_text(encoding="utf-8"))
    assert links(index) - front == set()
    platform = index[index.index("## I run a platform") :].split("\n## ", 1)[0].split("\n", 1)[1]
    assert links(platform) - links((DOCS / "receiver.md").read_text(encoding="utf-8")) == {"receiver.md"}


def test_a_version_of_the_changelog_has_each_heading_and_each_line_once() -> None:
    """Merges that keep both sides have put old entries back."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    for version in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        headings = re.findall(r"^### .*$", version, re.MULTILINE)
        assert len(headings) == len(set(headings)), headings
    entries = re.findall(r"^- .*(?:\n  .*)*", text, re.MULTILINE)
    assert [entry for entry in entries if entries.count(entry) > 1] == []


def test_the_pages_give_one_formula_of_the_database_s_size() -> None:
    formulas = {
        page: re.findall(
            r"dispatches a day . `?retention\.days`? . ([\d.]+ KB)", (DOCS / page).read_text("utf-8")
        )
        for page in ("receiver-operating.md", "scaling.md")
    }
    assert formulas == {"receiver-operating.md": ["8.4 KB"], "scaling.md": ["8.4 KB"]}
