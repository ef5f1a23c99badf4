"""What pydantic finds wrong with the configuration, in the words of a TOML file: the key, and what it must be."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel

from app.config.provider_table import ProviderTable
from app.config.settings import Settings
from app.config.values import MISTAKE_SEPARATOR, SECRET, TEXT
from verifier.environment import BROKER_PASSWORD, BROKER_TOKEN, BROKER_USERNAME

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import ValidationError

    from app.config.sources import Sources

TABLES_OF_VALUES = ("headers", "environment")
"""The keys of a provider whose tables have a text or a secret for each name."""

_CREDENTIALS = frozenset({"password", "token", "username"})
_WHOLE_NUMBER, _LIST, _TABLE = "must be a whole number", "must be a list", "must be a table"
_DATE = "must be a date, such as 2026-01-31"
_WORDS = {
    "missing": "is missing",
    "extra_forbidden": "is no key of the configuration",
    "invalid_key": "has a key that is no text",
    "string_type": "must be a text",
    "path_type": "must be a text",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "int_type": _WHOLE_NUMBER,
    "int_parsing": _WHOLE_NUMBER,
    "int_parsing_size": _WHOLE_NUMBER,
    "int_from_float": _WHOLE_NUMBER,
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "date_type": _DATE,
    "date_parsing": _DATE,
    "date_from_datetime_parsing": _DATE,
    "date_from_datetime_inexact": _DATE,
    "list_type": _LIST,
    "tuple_type": _LIST,
    "set_type": _LIST,
    "frozen_set_type": _LIST,
    "iterable_type": _LIST,
    "dict_type": _TABLE,
    "mapping_type": _TABLE,
    "model_type": _TABLE,
    "model_attributes_type": _TABLE,
}
"""What is said of each type of error whose own message names a type of Python."""


def lines_of(error: ValidationError, sources: Sources, *above: str | int) -> Iterator[str]:
    """Yield the lines of all that is wrong: the file, each key as the file has it, and why.

    Args:
        error: What pydantic found.
        sources: The files that were validated.
        above: The place of what was validated, as pydantic gives places; none of the whole file.
    """
    for detail in error.errors(include_url=False, include_input=False, include_context=False):
        if detail["loc"] == ("providers",) and not above and not sources.is_complete and not sources.places:
            continue  # there may be some in what can't be read, which is told
        file, location = sources.located([*above, *detail["loc"]])
        for line in _lines(location, detail["type"], words_of(detail["type"], detail["msg"])):
            yield f"{file}: {line}"


def words_of(kind: str, message: str) -> str:
    """Return one of pydantic's messages in words that name nothing of Python.

    Args:
        kind: The type of the error.
        message: Its message.
    """
    if kind in _WORDS:
        return _WORDS[kind]
    message = message.removeprefix("Value error, ")
    message = re.sub(r"^\w+ should (?=be|have|match)", "must ", message)
    return re.sub(r"(?<=item|tems) after validation, not .*", "", message)


def _lines(location: list[str | int], kind: str, message: str) -> Iterator[str]:
    key = ""
    # the tags of the provider's and the value's kind are no keys of the file
    if location[:1] == ["providers"] and len(location) > 2:
        del location[2]
    for place, part in enumerate(location[:-2]):
        if part in {*TABLES_OF_VALUES, "checkout"} and location[place + 2] in {TEXT, SECRET}:
            del location[place + 2]
            break
    for part in location:
        if isinstance(part, int):
            key += f"[{part + 1}]"
        else:
            key += f".{part}" if key else part
    if kind == "extra_forbidden":
        message += _meant(location)
        if _CREDENTIALS.intersection(location):
            message += (
                f": credentials come from the environment ({BROKER_TOKEN}, or {BROKER_USERNAME} and "
                f"{BROKER_PASSWORD}) or from files that it names"
            )
    for line in message.split(MISTAKE_SEPARATOR):
        yield f"{key}: {line}" if key else line


def _meant(location: list[str | int]) -> str:
    """Return which key of the same table may be meant by one that is none."""
    model: Any = Settings
    for part in location[:-1]:
        if isinstance(part, int):
            continue
        if part == "providers":
            model = ProviderTable
            continue
        annotation = model.model_fields[part].annotation if part in model.model_fields else None
        kinds = [annotation, *get_args(annotation)]
        model = next((one for one in kinds if isinstance(one, type) and issubclass(one, BaseModel)), None)
        if model is None:
            return ""
    near = get_close_matches(str(location[-1]), model.model_fields, n=1)
    return f"; is {near[0]} meant?" if near else ""
