"""Links: those of the pages, and the pages that the product's own texts name."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest

from tests.support.pages import anchors, anchors_of, links
from tests.support.paths import ROOT

if TYPE_CHECKING:
    from pathlib import Path

PAGES = sorted(
    page.relative_to(ROOT).as_posix()
    for page in [
        *ROOT.glob("*.md"),
        *(found for name in ("docs", "examples") for found in (ROOT / name).rglob("*.md")),
    ]
)
ELSEWHERE = re.compile(r"(?:https?|mailto):")
OURS = re.compile(r"https://github\.com/[\w.-]+/pact-dispatch/(?:blob|tree|raw)/[\w.-]+/([^?\s]+)")
"""A file of this project, by its address on GitHub."""
NAMED = re.compile(r"(?<![\w/.-])((?:docs/)?[A-Za-z][\w-]*\.md)(?:#([\w-]*))?")
"""A page in a text of the product."""


def dead(link: str, page: Path) -> str | None:
    """Return what is wrong with a link of a page; None if it leads somewhere."""
    ours = OURS.fullmatch(link)
    if ELSEWHERE.match(link) and not ours:
        return None
    base = ROOT if ours else page.parent
    target, _, anchor = unquote(ours[1] if ours else link).partition("#")
    found = (base / target).resolve() if target else page
    if not found.is_relative_to(ROOT) or not found.exists():
        return f"{link}: there is no such file"
    if anchor and (found.suffix != ".md" or anchor not in anchors(found)):
        return f"{link}: {found.name} has no such heading"
    return None


@pytest.mark.parametrize("name", PAGES)
def test_each_link_of_a_page_leads_somewhere(name: str) -> None:
    page = ROOT / name
    assert [fault for link in links(page) if (fault := dead(link, page))] == []


def test_each_page_that_a_text_of_the_product_names_is_there_with_its_heading() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    names = [
        name
        for name in listed.splitlines()
        if name.startswith(
            ("app/", "broker/", "verifier/", "examples/", "docker/", "docs/images/", ".github/")
        )
        or "/" not in name
    ]
    wrong = []
    for name in names:
        file = ROOT / name
        if file.suffix in {".md", ".txt", ".png", ".svg", ".pem"}:
            continue
        for page, anchor in NAMED.findall(file.read_text(encoding="utf-8")):
            if not (ROOT / page).is_file() or (anchor and anchor not in anchors(ROOT / page)):
                wrong.append(f"{name}: {page}{anchor and '#' + anchor}")
    assert wrong == []


def test_an_anchor_is_what_github_makes_of_a_heading(tmp_path: Path) -> None:
    """The values are those that GitHub gives for these headings (github-slugger records them)."""
    expected = {
        "bravoCharlieDelta": "bravocharliedelta",
        "heading with a - dash": "heading-with-a---dash",
        "heading with an _ underscore": "heading-with-an-_-underscore",
        "heading with a period.txt": "heading-with-a-periodtxt",
        "exchange.bind_headers(exchange, routing [, bindCallback])": (
            "exchangebind_headersexchange-routing--bindcallback"
        ),
        "apostrophe\u2019s should be trimmed": "apostrophes-should-be-trimmed",
        "I ♥ unicode": "i--unicode",
        "Профили пользователей": "профили-пользователей",
        "Привет non-latin 你好": "привет-non-latin-你好",
        ":ok: No underscore": "ok-no-underscore",
    }
    assert anchors_of(expected) == list(expected.values())
    assert anchors_of(["echo", "echo", "echo 1", "echo-1", "echo"]) == [
        *("echo", "echo-1", "echo-1-1", "echo-1-2", "echo-2")
    ]
    page = tmp_path / "page.md"
    page.write_text(
        "# `verify`: [all](x) *of* it\n\nTwo\n---\n\n```sh\n# no heading\n```\n", encoding="utf-8"
    )
    assert anchors(page) == {"verify-all-of-it", "two"}


def test_a_dead_link_is_found(tmp_path: Path) -> None:
    page = ROOT / "docs" / "verify.md"
    assert dead("nowhere.md", page) == "nowhere.md: there is no such file"
    assert dead("../../../etc/passwd", page)
    assert dead("#no-such-heading", page) == "#no-such-heading: verify.md has no such heading"
    assert dead("https://github.com/acme/pact-dispatch/blob/v1.2.3/docs/nowhere.md", page)
    assert dead("https://github.com/acme/pact-dispatch/blob/v1.2.3/docs/verify.md#all-options", page) is None
    (tmp_path / "page.md").write_text(
        "[a](one.md)\n[b]\n\n[b]: two.md#x\n\n![c](three.png)\n\n`[d](four.md)`\n"
    )
    assert links(tmp_path / "page.md") == ["one.md", "two.md#x", "three.png"]
