"""The words for what is wrong with the configuration: those of a TOML file, whatever pydantic calls things."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from app.config import provider, sections
from app.config.file import load
from app.config.mistakes import words_of
from app.config.provider_table import ProviderTable
from app.config.settings import Settings
from app.config.values import ConfigurationError, Section

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PYTHON = re.compile(
    r"\b(tuple|(frozen)?set|dict(ionary)?|NoneType|None|bytes|str(ing)?|instance|iterable|mapping|integer|boolean|float"
    r"|Path|pathlib|Input|Value error|valid|class)\b"
)
"""What somebody who writes TOML need not know."""
VALUES = (
    "7",
    "1.5",
    '"x"',
    "true",
    "[]",
    "{}",
    "[[]]",
    "[{}]",
    '["x", 7]',
    '{ "a" = [1] }',
    "2026-01-31T10:11:12Z",
)
"""A value of each kind that TOML has."""
TABLES: dict[str, type[Section]] = {
    "broker": sections.BrokerSettings,
    "dispatches": sections.DispatchSettings,
    "server": sections.ServerSettings,
    "worker": sections.WorkerSettings,
    "github": sections.GitHubSettings,
    "retention": sections.RetentionSettings,
    "reconcile": sections.ReconcileSettings,
    "providers.checkout": provider.CheckoutSettings,
    "providers.relay": provider.RelaySettings,
}


def documents() -> Iterator[str]:
    """Configurations in which one key has a value of one kind."""
    for value in VALUES:
        yield from (f"{key} = {value}\n" for key in Settings.model_fields)
        for key in ProviderTable.model_fields:
            yield f'[[providers]]\nname = "P"\nrepository = "a/b"\n{key} = {value}\n'
        for table, model in TABLES.items():
            above = "[[providers]]\n" if table.startswith("providers") else ""
            yield from (f"{above}[{table}]\n{key} = {value}\n" for key in model.model_fields)


def test_no_mistake_in_any_key_names_a_type_of_python(tmp_path: Path) -> None:
    file = tmp_path / "pact-dispatch.toml"
    found = set()
    for text in documents():
        try:
            file.write_text(text)
            load(file, None)
        except ConfigurationError as error:
            found |= {mistake.removeprefix(f"{file}: ") for mistake in error.mistakes}
    assert len(found) > 150
    assert {mistake for mistake in found if PYTHON.search(mistake.partition(": ")[2])} == set()
    assert "providers[1].branches: must be a list" in found


@pytest.mark.parametrize(
    ("kind", "value", "words"),
    [
        (tuple[str, ...], "x", "must be a list"),
        (list[str], "x", "must be a list"),
        (set[str], "x", "must be a list"),
        (frozenset[str], "x", "must be a list"),
        (dict[str, str], "x", "must be a table"),
        (Settings, "x", "must be a table"),
        (str, 7, "must be a text"),
        (bool, 7, "must be true or false"),
        (int, "x", "must be a whole number"),
        (int, 1.5, "must be a whole number"),
        (float, "x", "must be a number"),
    ],
)
def test_a_kind_of_value_is_called_what_toml_calls_it(kind: Any, value: Any, words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(kind).validate_python(value)
    [detail] = caught.value.errors()
    assert words_of(detail["type"], detail["msg"]) == words


def test_how_many_items_a_list_may_have_is_said_without_its_type() -> None:
    class Few(BaseModel):
        names: tuple[str, ...] = Field(min_length=1, max_length=2)

    told = []
    for names in ([], ["a", "b", "c"]):
        with pytest.raises(ValidationError) as caught:
            Few.model_validate({"names": names})
        [detail] = caught.value.errors()
        told.append(words_of(detail["type"], detail["msg"]))
    assert told == ["must have at least 1 item", "must have at most 2 items"]
