"""The building blocks of the configuration's sections: types of values, and secrets."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PlainValidator,
    StringConstraints,
    Tag,
    ValidationInfo,
    field_validator,
    model_validator,
)

from app.config.reading import read_secret
from broker.http.names import LONGEST_NAME
from broker.http.reason import why

if TYPE_CHECKING:
    from collections.abc import Mapping

BASE = "base"
"""The folder of the configuration file, in the context of the validation: paths are relative to it."""
MISTAKE_SEPARATOR = "\n"


@dataclass(frozen=True)
class Kind:
    """What kind of value a type takes, in a word or two for the documentation.

    Attributes:
        words: Those words.
    """

    words: str


Count = Annotated[int, Field(strict=True)]
Flag = Annotated[bool, Field(strict=True)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Seconds = Annotated[Number, Field(gt=0, lt=86400 * 7), Kind("seconds")]
Waits = tuple[Seconds, ...]
Name = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_NAME)]
"""A text that the broker keeps; `app.config.provider_values` checks its characters."""

UserName = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]*\$?$", max_length=32), Kind("account")
]
"""The name of an account of the system."""


_HEADER_NAME = re.compile(r"[A-Za-z0-9-]{1,100}")


def _header_name(value: str) -> str:
    if _HEADER_NAME.fullmatch(value) is None:
        raise ValueError(
            "must be the name of a header: letters, digits and hyphens, such as X-Forwarded-User"
        )
    return value


HeaderName = Annotated[str, AfterValidator(_header_name), Kind("header")]
"""The name of a header."""


def _network(value: Any) -> IPv4Network | IPv6Network:
    try:
        return ip_network(value if isinstance(value, str) else "")
    except ValueError:
        raise ValueError(
            "must be an address or a network, such as 10.0.0.7 or 10.0.0.0/8, without bits beyond the network's"
        ) from None


Network = Annotated[IPv4Network | IPv6Network, PlainValidator(_network), Kind("address or network")]
"""An address, or a network in CIDR notation."""


class ConfigurationError(Exception):
    """The configuration can't be used.

    Attributes:
        mistakes: A line for each mistake, with the file and the key, or the variable.
    """

    def __init__(self, *mistakes: str) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = list(mistakes)


class Section(BaseModel):
    """A table of the configuration. Unknown keys are refused, and no error message has a value in it."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class SecretSource(Section):
    """Where a secret value is: an environment variable or a file.

    Attributes:
        env: The name of the variable.
        file: The path of the file; a line end at its end doesn't count.
    """

    env: str | None = None
    file: Path | None = None

    @field_validator("file")
    @classmethod
    def _beside_the_configuration(cls, file: Path | None, info: ValidationInfo) -> Path | None:
        return None if file is None else resolved(file, info)

    @model_validator(mode="after")
    def _one_of_the_two(self) -> Self:
        if (self.env is None) == (self.file is None):
            raise ValueError('must be { env = "NAME" } or { file = "PATH" }')
        return self

    def read(self, environment: Mapping[str, str]) -> str:
        """Return the value.

        Raises:
            ValueError: It isn't there.
        """
        if self.file is not None:
            try:
                return read_secret(self.file).strip("\r\n")
            except (OSError, UnicodeDecodeError) as error:
                raise ValueError(f"{self.file} can't be read: {why(error)}") from error
        value = environment.get(self.env or "")
        if not value:
            raise ValueError(f"the environment variable {self.env} is not set")
        return value


def _no_text(value: Any) -> Any:
    if not isinstance(value, dict | SecretSource):
        raise ValueError('must be { env = "NAME" } or { file = "PATH" }')  # noqa: TRY004 - pydantic's
    return value


Secret = Annotated[SecretSource, BeforeValidator(_no_text), Kind("secret")]
"""Where a secret value is, which may not stand in the configuration itself."""
TEXT, SECRET = "text", "secret"
Value = Annotated[
    Annotated[str, Tag(TEXT)] | Annotated[SecretSource, Tag(SECRET)],
    Discriminator(
        lambda value: (
            TEXT if isinstance(value, str) else SECRET if isinstance(value, dict | SecretSource) else None
        ),
        custom_error_type="neither_text_nor_secret",
        custom_error_message='must be a text, or { env = "NAME" } or { file = "PATH" }',
    ),
]
"""A value, or where a secret value is."""


def secret(name: str, environment: Mapping[str, str]) -> str | None:
    """Return a secret from the variable `name`, or from the file that `name_FILE` names; None if neither is set.

    Raises:
        ConfigurationError: Both are set, or the file can't be read.
    """
    value, file = environment.get(name), environment.get(f"{name}_FILE")
    if value and file:
        raise ConfigurationError(f"{name} and {name}_FILE are both set: give one of them")
    if not file:
        return value or None
    try:
        return read_secret(Path(file)).strip() or None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{name}_FILE: {file} can't be read: {why(error)}") from error


def values_of(values: Mapping[str, Value], environment: Mapping[str, str]) -> dict[str, str]:
    """Return values by name, the secret ones read from where they are.

    Raises:
        ValueError: One of them isn't there.
    """
    return {
        name: value if isinstance(value, str) else value.read(environment) for name, value in values.items()
    }


def resolved(path: Path, info: ValidationInfo) -> Path:
    """Return a path of the configuration file, which is relative to that file's folder."""
    base = (info.context or {}).get(BASE)
    return path if base is None else base / path
