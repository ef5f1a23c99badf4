"""Rows that are copied from one database into another one, as roles that may not do it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from app.database.database_url import DatabaseUnusable
from app.database.transfer.restore import copy_between
from tests.support.databases import fresh_database

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def as_user(database_url: str) -> Iterator[str]:
    """The URL of a role that may do what `web` and `worker` do, with the grants that the documentation gives."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("CREATE ROLE processes LOGIN")
        connection.execute(
            "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO processes;"
            "GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO processes"
        )
        try:
            yield database_url.replace("postgres@", "processes@")
        finally:
            connection.execute("DROP OWNED BY processes")
            connection.execute("DROP ROLE processes")


@pytest.mark.parametrize("reads", [True, False])
def test_a_role_that_lacks_a_right_is_told_which_one_has_it(
    as_user: str, postgres: str, *, reads: bool
) -> None:
    with fresh_database(postgres) as other:
        source, target = (as_user, other) if reads else (other, as_user)
        with pytest.raises(DatabaseUnusable, match="role that owns the tables") as raised:
            copy_between(source, target, lambda _: None)
    assert "permission denied for " in str(raised.value)
    assert "user processes" in str(raised.value)
