"""The way of docs/github.md with GitHub Actions, walked literally: its commands in their order, from nothing."""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING

from tests.support.github_api import GitHubApi
from tests.support.github_state import Repository, Token
from tests.support.paths import DOCS, ROOT
from tests.support.processes import BIN, EmbeddedBroker
from tests.support.running import environment
from tests.support.webhook_documents import OPEN

if TYPE_CHECKING:
    from pathlib import Path

TOKEN = "github_pat_11AAAAAAA0123456789abcdef"
GIT = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "A"), ("EMAIL", "a@example.org"))
}


def git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], capture_output=True, text=True, check=True).stdout


def pushed(origin: Path) -> dict[str, str]:
    """The files that GitHub has on the default branch."""
    at = ("-C", str(origin))
    if not git(*at, "for-each-ref", "refs/heads/main"):
        return {}
    names = git(*at, "ls-tree", "-r", "--name-only", "main").split()
    return {name: git(*at, "show", f"main:{name}") for name in names}


def test_each_command_works_in_the_order_in_which_it_stands(tmp_path: Path) -> None:
    text = (DOCS / "github.md").read_text(encoding="utf-8")
    way = text.split("## With GitHub Actions")[1].split("\n## ")[0]
    blocks = re.findall(r"^```sh\n(.*?)^```", way, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 3
    origin, checkout = tmp_path / "origin.git", tmp_path / "checkout"
    git("init", "--quiet", "--bare", "--initial-branch", "main", str(origin))
    git("clone", "--quiet", str(origin), str(checkout))
    git("-C", str(checkout), "switch", "--quiet", "--orphan", "main")
    repository = Repository("acme/products")
    with GitHubApi(repository, tokens=(Token(TOKEN),)) as api, EmbeddedBroker(tmp_path, *OPEN) as broker:
        pact = json.loads((ROOT / "examples/storefront-products.json").read_text(encoding="utf-8"))
        broker.publish(pact, "1.0.0", branch="main")
        variables = environment(
            **GIT, PATH=f"{BIN}:{environment()['PATH']}", PACT_DISPATCH_GITHUB_TOKEN=TOKEN
        )
        exports = ""
        for block in blocks:
            script = block.replace("https://broker.example.org", broker.url).replace(
                "setup --repository", f"setup --github-url {api.url} --repository"
            )
            repository.files = pushed(origin)
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", exports + script],
                cwd=checkout,
                env=variables,
                capture_output=True,
                text=True,
                timeout=240,
                check=False,
            )
            assert done.returncode == 0, script + done.stdout + done.stderr
            exports += "".join(re.findall(r"^export .*\n", script, re.MULTILINE))
    assert done.stdout.startswith("Set up: when a pact with Products changes, acme/products is told.\n")
    assert [run.path for run in repository.runs] == [".github/workflows/pact_changed.yml"]
    assert "provider: Products\n" in repository.files[".github/workflows/pact_changed.yml"]
