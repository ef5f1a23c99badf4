"""Old and new versions run side by side for one release: until then a migration only adds."""

from __future__ import annotations

import re

import pytest

from app.database.schema import WORKS_SINCE
from tests.support.paths import ROOT

FOLDER = ROOT / "app" / "database" / "migrations"
NAME = r"(?:IF\s+(?:NOT\s+)?EXISTS\s+)?(?:ONLY\s+)?(\w+)"
WITHOUT_DEFAULT = r"(?:(?!\bDEFAULT\b)[^,;])*"
TAKES_AWAY = {
    r"\bDROP\s+(?!CONSTRAINT|INDEX|NOT\s+NULL)\w+": "an older version may use it",
    r"\bRENAME\b": "an older version uses the old name",
    r"\bALTER\s+(?:COLUMN\s+)?\w+\s+(?:SET\s+DATA\s+)?TYPE\b": "an older version writes the old type",
    r"\bSET\s+NOT\s+NULL\b": "an older version may write none",
    r"\bTRUNCATE\b": "an older version may use it",
    rf"\bADD\s+COLUMN\s+{NAME}{WITHOUT_DEFAULT}\bNOT\s+NULL\b{WITHOUT_DEFAULT}(?=[,;])": (
        "an older version writes none: it needs a default"
    ),
}
"""What breaks an older version, whatever it is done to."""
REFUSES = {
    rf"\bCREATE\s+UNIQUE\s+INDEX\s+(?:CONCURRENTLY\s+)?{NAME}\s+ON\s+{NAME}": 2,
    rf"\bALTER\s+TABLE\s+{NAME}\s[^;]*\bADD\s+(?:CONSTRAINT|CHECK|UNIQUE|FOREIGN|EXCLUDE|PRIMARY)\b": 1,
    rf"\bALTER\s+TABLE\s+{NAME}\s[^;]*\bADD\s+COLUMN\s[^,;]*\b(?:REFERENCES|UNIQUE|CHECK)\b": 1,
}
"""What may refuse a row that an older version writes, and which group names the table."""


def not_additive(*migrations: str) -> list[str]:
    """Return what of these migrations an older version can't live with."""
    plain = [re.sub(r"--[^\n]*|/\*.*?\*/", "", text, flags=re.DOTALL) for text in migrations]
    made = {
        table.lower()
        for text in plain
        for table in re.findall(rf"\bCREATE\s+TABLE\s+{NAME}", text, re.IGNORECASE)
    }
    found = []
    for text in plain:
        for pattern, why in TAKES_AWAY.items():
            found += [f"{_line(match)}: {why}" for match in re.finditer(pattern, text, re.IGNORECASE)]
        for pattern, group in REFUSES.items():
            found += [
                f"{_line(match)}: what an older version writes to {match[group]} may be refused"
                for match in re.finditer(pattern, text, re.IGNORECASE)
                if match[group].lower() not in made
            ]
    return found


def _line(match: re.Match[str]) -> str:
    return " ".join(match[0].split())


def test_migrations_since_the_last_release_only_add() -> None:
    newer = [file for file in sorted(FOLDER.glob("*.sql")) if f"app/{file.name}" > WORKS_SINCE]

    assert not_additive(*(file.read_text(encoding="utf-8") for file in newer)) == []


def test_no_migration_needs_a_newer_postgresql_than_is_promised() -> None:
    newer_syntax = re.compile(
        r"\b0[xob][0-9a-f]+\b|\d_\d|\bMERGE\s+INTO\b|\bNULLS\s+NOT\s+DISTINCT\b", re.IGNORECASE
    )
    found = {
        file.name: newer_syntax.findall(file.read_text(encoding="utf-8")) for file in FOLDER.glob("*.sql")
    }

    assert {name: words for name, words in found.items() if words} == {}


def test_the_oldest_version_that_works_with_these_tables_is_one_that_was() -> None:
    assert (FOLDER / WORKS_SINCE.removeprefix("app/")).is_file()


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE runs;",
        "ALTER TABLE runs DROP COLUMN branch;",
        "ALTER TABLE runs RENAME COLUMN branch TO head;",
        "ALTER TABLE runs ALTER COLUMN attempt TYPE bigint;",
        "ALTER TABLE runs ALTER branch SET NOT NULL;",
        "ALTER TABLE runs ADD COLUMN weight int NOT NULL, ADD COLUMN other int NOT NULL DEFAULT 1;",
        "CREATE UNIQUE INDEX runs_once ON runs (provider);",
        "ALTER TABLE runs ADD CONSTRAINT a CHECK (attempt > 0);",
        "ALTER TABLE runs ADD COLUMN parent uuid REFERENCES runs;",
    ],
)
def test_what_an_older_version_cannot_live_with_is_found(statement: str) -> None:
    assert len(not_additive(statement)) == 1


def test_what_only_adds_is_let_through() -> None:
    assert (
        not_additive(
            "CREATE TABLE notices (id bigint PRIMARY KEY, at timestamptz NOT NULL); -- DROP TABLE\n"
            "CREATE UNIQUE INDEX notices_at ON notices (at); CREATE INDEX runs_at ON runs (created_at);\n"
            "ALTER TABLE runs ADD COLUMN weight int NOT NULL DEFAULT 1, ADD COLUMN note text;\n"
            "ALTER TABLE runs ALTER COLUMN branch DROP NOT NULL; DROP INDEX runs_old;"
        )
        == []
    )
