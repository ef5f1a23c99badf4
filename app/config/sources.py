"""The files of a configuration: `pact-dispatch.toml`, and `conf.d/*.toml` beside it, which add providers."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import tomllib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from app.config.reading import NoSuchContent, read_file
from app.config.variables import CONFIG
from broker.http.reason import why

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

FOLDER = "conf.d"
"""The folder with further files, beside the configuration file."""
PROVIDERS = "providers"
MOST_BYTES = 8 * 1024 * 1024
"""The largest file: 10,000 providers are some 4 MB."""
MOST_FILES = 10_000
MOST_BYTES_IN_ALL = 32 * 1024 * 1024
OF_VERIFY = "verify"
"""The table of a file of this name that has options of the command `verify`, and nothing for the receiver."""
TRIES = 5
"""How often the files are read until none has changed meanwhile; then they are taken as they are."""


@dataclass(frozen=True)
class Place:
    """Where a provider stands.

    Attributes:
        file: The file.
        number: The number of the provider in that file, from 1.
    """

    file: Path
    number: int

    @property
    def key(self) -> str:
        """The key of the provider in its file."""
        return f"{PROVIDERS}[{self.number}]"

    def __str__(self) -> str:
        return f"{self.key} of {self.file}"


@dataclass(frozen=True)
class Sources:
    """What the files of a configuration have, taken together.

    Attributes:
        file: The configuration file.
        document: Its content, with the providers of all files.
        places: Where each of these providers stands.
        mistakes: What in the files themselves can't be used, each with its file.
        is_readable: Whether the configuration file itself could be read.
        is_complete: Whether all files beside it could be read; others may be in what can't be read.
    """

    file: Path
    document: dict[str, Any] = field(repr=False)
    places: tuple[Place, ...] = ()
    mistakes: tuple[str, ...] = ()
    is_readable: bool = True
    is_complete: bool = True

    @property
    def digest(self) -> str:
        """A digest of what the files say: neither comments and layout count, nor where the files are."""
        text = json.dumps(self.document, sort_keys=True, default=str)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]

    def located(self, location: Sequence[str | int]) -> tuple[Path, list[str | int]]:
        """Return the file of a place in the document, and the place in that file."""
        if location[0:1] != [PROVIDERS] or len(location) < 2 or not isinstance(location[1], int):
            return self.file, list(location)
        place = self.places[location[1]]
        return place.file, [PROVIDERS, place.number - 1, *location[2:]]


def read_sources(file: Path) -> Sources:
    """Read the files of a configuration; what is wrong with one of them is among the mistakes.

    Files that are exchanged meanwhile are read again, so that old and new ones are not mixed.
    """
    for _ in range(TRIES):
        before = _states(file)
        sources = _read(file)
        if _states(file) == before:
            break
    return sources


def _read(file: Path) -> Sources:
    mistakes: list[str] = []
    document = _document(file, mistakes, f". Name the file with --config FILE ({CONFIG})")
    is_readable = document is not None
    document = document or {}
    document.pop(OF_VERIFY, None)
    own = document.get(PROVIDERS)
    providers: list[Any] = list(own) if isinstance(own, list) else []
    places = [Place(file, number) for number in range(1, len(providers) + 1)]
    folder = file.parent / FOLDER
    own_mistakes = len(mistakes)
    size = 0
    try:
        names = _names(folder)
    except OSError as error:
        mistakes.append(f"{folder}: {why(error)}")
        names = []
    if len(names) > MOST_FILES:
        mistakes.append(f"{folder}: has more than {MOST_FILES} files")
        names = names[:MOST_FILES]
    for name in names:
        further = folder / name
        found = _providers_of(further, mistakes)
        size += _size(further)
        if size > MOST_BYTES_IN_ALL:
            mistakes.append(f"{folder}: its files have more than {MOST_BYTES_IN_ALL // 1024} KB together")
            break
        providers += found
        places += [Place(further, number) for number in range(1, len(found) + 1)]
    is_complete = len(mistakes) == own_mistakes
    if names and (own is None or isinstance(own, list)):
        document[PROVIDERS] = providers
    elif names:
        mistakes.append(f"{file}: {PROVIDERS}: must be a list")
        document[PROVIDERS] = providers
    return Sources(file, document, tuple(places), tuple(mistakes), is_readable, is_complete)


def _names(folder: Path) -> list[str]:
    """Return the names of the files in the folder that count, in their order; none if there is no such folder.

    Hidden files don't, nor those whose name ends in something else, such as an editor's copies.

    Raises:
        OSError: It can't be read.
    """
    try:
        names = os.listdir(folder)  # noqa: PTH208 - only names are wanted
    except FileNotFoundError:
        return []
    return sorted(name for name in names if name.endswith(".toml") and not name.startswith("."))


def _providers_of(file: Path, mistakes: list[str]) -> list[Any]:
    """Return the providers of one of the further files, and add what is wrong with it."""
    document = _document(file, mistakes)
    if document is None:
        return []
    mistakes += [
        f"{file}: {key}: only [[{PROVIDERS}]] may stand in a file of {FOLDER}: move it to the file beside {FOLDER}"
        for key in document
        if key != PROVIDERS
    ]
    found = document.get(PROVIDERS, [])
    if not isinstance(found, list):
        mistakes.append(f"{file}: {PROVIDERS}: must be a list: write [[{PROVIDERS}]]")
        return []
    return found


def _document(file: Path, mistakes: list[str], to_do: str = "") -> dict[str, Any] | None:
    """Return the content of a file; None if it has none, or can't be read, which is added to the mistakes then."""
    try:
        content = read_file(file, most=MOST_BYTES)
    except (OSError, ValueError) as error:
        if isinstance(error, FileNotFoundError) and not to_do and not os.path.lexists(file):
            return None  # it was there a moment ago
        mistakes.append(f"{file}: {why(error)}{'' if isinstance(error, NoSuchContent) else to_do}")
        return None
    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    except RecursionError:
        mistakes.append(f"{file}: is nested too deeply")
    except ValueError as error:  # also a number of more digits than Python reads
        mistakes.append(f"{file}: is no TOML: {error}")
    return None


def _size(file: Path) -> int:
    """Return the size of a file that was read; 0 for one that was too large."""
    try:
        size = file.stat().st_size
    except OSError:
        return 0
    return size if size <= MOST_BYTES else 0


def _states(file: Path) -> dict[Path, tuple[int, ...] | None]:
    """Return what shows whether one of the files was changed or exchanged."""
    try:
        further = [file.parent / FOLDER / name for name in _names(file.parent / FOLDER)[: MOST_FILES + 1]]
    except OSError:
        further = []
    return {one: _state(one) for one in (file, *further)}


def _state(file: Path) -> tuple[int, ...] | None:
    try:
        found = os.stat(file)  # noqa: PTH116 - it may be a path that can't be one
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(found.st_mode):
        return ()
    return found.st_ino, found.st_size, found.st_mtime_ns
