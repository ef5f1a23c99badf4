"""What is wrong with those who are told of changes, whatever else is wrong with the same table.

Pydantic looks at what goes together only where each key can be used, and a secret can be read only where it is named
rightly. So this looks at the keys as they stand in the file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from app.config.notify import TargetKind, misplaced, name_of, repeated, url_mistake
from app.config.values import SecretSource
from verifier.command.option_values import parse_headers
from verifier.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

NOTIFY = "notify"
"""The table, in the configuration file and in a provider."""
HEADERS, SIGNING_SECRET = "headers", "signing_secret"


def misfits_of_targets(above: Mapping[str, Any], context: dict[str, Any]) -> Iterator[str]:
    """Yield what does not go together, each with its key, as it is said where nothing else is wrong.

    Args:
        above: The document or the provider that has the table, as it stands in the file.
        context: That of the validation.
    """
    names = []
    for key, target in _targets(above):
        kinds = [kind for kind in TargetKind if kind in target]
        mistake = misplaced(kinds, has_more=bool(target.get(HEADERS) or target.get(SIGNING_SECRET)))
        if mistake:
            yield f"{key}: {mistake}"
            continue
        [kind] = kinds
        source = _source(target[kind], context)
        if source is not None:
            names.append(name_of(kind, source))
    mistake = repeated(names)
    if mistake:
        yield f"{NOTIFY}: {mistake}"


def unusable_targets(
    above: Mapping[str, Any], context: dict[str, Any], environment: Mapping[str, str]
) -> Iterator[str]:
    """Yield the mistakes for secrets that don't exist where the configuration says, or that can't be used.

    Args:
        above: The document or the provider that has the table, as it stands in the file.
        context: That of the validation.
        environment: The environment variables.
    """
    for target_key, target in _targets(above):
        for key, value in _secrets(target):
            source = _source(value, context)
            if source is None:
                continue  # reported already
            mistake = _unusable(key, source, environment, allow_http=target.get("allow_http", False))
            if mistake:
                yield f"{target_key}.{key}: {mistake}"


def _targets(above: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the targets that are tables, each with its key."""
    table = above.get(NOTIFY)
    targets = table.get("targets") if isinstance(table, dict) else None
    for number, target in enumerate(targets if isinstance(targets, list) else [], start=1):
        if isinstance(target, dict):
            yield f"{NOTIFY}.targets[{number}]", target


def _secrets(target: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the keys of what may be the secrets of a target, each with its value in the file."""
    for key in (*TargetKind, SIGNING_SECRET):
        if key in target:
            yield key, target[key]
    headers = target.get(HEADERS)
    for name, value in headers.items() if isinstance(headers, dict) else ():
        yield f"{HEADERS}.{name}", value


def _source(value: Any, context: dict[str, Any]) -> SecretSource | None:
    """Return where a secret is, if a value says it."""
    try:
        return SecretSource.model_validate(value, context=context)
    except ValidationError:
        return None


def _unusable(
    key: str, source: SecretSource, environment: Mapping[str, str], *, allow_http: Any
) -> str | None:
    try:
        value = source.read(environment)
    except ValueError as error:
        return str(error)
    where = f"the value of {source.env or source.file}"
    if key in set(TargetKind):
        # what is no flag is reported already, and may be meant to allow it
        mistake = url_mistake(value, allow_http=allow_http is not False)
        return None if mistake is None else f"{where} {mistake}"
    if key.startswith(f"{HEADERS}."):
        try:
            parse_headers([f"{key.removeprefix(f'{HEADERS}.')}: {value}"])
        except UsageError:
            return f"{where} can't be sent in a header: it must be printable ASCII, in one line"
    return None
