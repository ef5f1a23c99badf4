"""The document of `POST /contracts/publish`: read, or refused field by field (no I/O)."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from broker.embedded.http.bodies import parse_body
from broker.embedded.http.errors import invalid
from broker.http.strict_json import NotJson

if TYPE_CHECKING:
    from broker.embedded.pacts.content import Document

_CONTRACT_FIELDS = ("consumerName", "providerName", "content", "contentType", "specification")
"""The fields that must be there, in a real broker's order."""


MEDIA_TYPE = "application/json"
MUST_BE_FILLED, CANNOT_BE_BLANK = "must be filled", "cannot be blank"


@dataclass(frozen=True)
class Contract:
    """One pact to publish."""

    provider: str
    document: Document


@dataclass(frozen=True)
class PublicationRequest:
    """The pacts of a consumer version, with its branch, tags and build URL."""

    pacticipant: str
    version: str
    branch: str | None
    tags: tuple[str, ...]
    build_url: str | None
    contracts: tuple[Contract, ...]


def parse(body: dict[str, Any]) -> PublicationRequest:
    """Return the contracts and the version that a request publishes.

    Raises:
        Refusal: 400 with all mistakes.
    """
    errors: dict[str, list[str]] = {}
    for field in ("pacticipantName", "pacticipantVersionNumber"):
        mistake = _mistake_in_text(body, field)
        if mistake:
            errors[field] = [mistake]
    for field in ("branch", "buildUrl"):
        if body.get(field) is not None and (mistake := _mistake_in_text(body, field)):
            errors[field] = [mistake if mistake != MUST_BE_FILLED else CANNOT_BE_BLANK]
    tags = body.get("tags")
    tags = [] if tags is None else tags
    if not isinstance(tags, list):
        errors["tags"] = ["must be an array"]
    elif mistakes := [
        f"{text} (at index {index})" for index, tag in enumerate(tags) if (text := _mistake_in_value(tag))
    ]:
        errors["tags"] = mistakes
    contracts: list[Contract] = []
    items = body.get("contracts")
    if not isinstance(items, list):
        errors["contracts"] = ["is missing" if items is None else "must be an array"]
    else:
        mistakes = [
            f"{mistake} (at index {index})"
            for index, item in enumerate(items)
            for mistake in _read_contract(item, body.get("pacticipantName"), contracts)
        ]
        if mistakes:
            errors["contracts"] = mistakes
    if errors:
        raise invalid(errors)
    return PublicationRequest(
        pacticipant=body["pacticipantName"],
        version=body["pacticipantVersionNumber"],
        branch=body.get("branch"),
        tags=tuple(dict.fromkeys(tags)),
        build_url=body.get("buildUrl"),
        contracts=tuple(contracts),
    )


def name_of(document: Document, role: str) -> object:
    """Return the consumer's or the provider's name in a pact, or None if it has none."""
    party = document.get(role)
    return party.get("name") if isinstance(party, dict) else None


def _read_contract(item: object, pacticipant: object, contracts: list[Contract]) -> list[str]:
    """Return the mistakes in a contract; one without is appended to the contracts."""
    if not isinstance(item, dict):
        return ["must be an object"]
    mistakes = [
        f"{field} {mistake}" for field in _CONTRACT_FIELDS if (mistake := _mistake_in_text(item, field))
    ]
    consumer = item.get("consumerName")
    if item.get("contentType", MEDIA_TYPE) != MEDIA_TYPE:
        mistakes.append(f"contentType must be one of: {MEDIA_TYPE}")
    if item.get("specification", "pact") != "pact":
        mistakes.append("specification must be one of: pact")
    if isinstance(consumer, str) and isinstance(pacticipant, str) and pacticipant and consumer != pacticipant:
        mistakes.append(f"consumerName ('{consumer}') must match pacticipantName ('{pacticipant}')")
    document, unusable = _read_content(item)
    mistakes += unusable
    for role in ("consumer", "provider"):
        inside, outside = name_of(document, role), item.get(f"{role}Name")
        if inside is not None and isinstance(outside, str) and inside != outside:
            params = f"{role}Name in contract params ('{outside}')"
            mistakes.append(f"{role} name in contract content ('{inside}') must match {params}")
    if not mistakes:
        contracts.append(Contract(provider=item["providerName"], document=document))
    return mistakes


def _read_content(item: dict[str, Any]) -> tuple[Document, list[str]]:
    """Return the pact in a contract, and what is wrong with it."""
    text, is_json = item.get("content"), item.get("contentType") == MEDIA_TYPE
    try:
        content = base64.b64decode(text if isinstance(text, str) else "%", validate=True)
    except ValueError:
        unread = ["content could not be parsed as application/json"] if is_json else []
        return {}, ["is not valid Base64", *unread]
    try:
        document = parse_body(content)
    except NotJson as error:
        reason = f": it {error}" if content else ""
        return {}, [f"content could not be parsed as application/json{reason}"]
    if not isinstance(document, dict):
        return {}, ["content must be a JSON object"]
    return document, []


def _mistake_in_text(fields: dict[str, Any], name: str) -> str | None:
    if name not in fields:
        return "is missing"
    return _mistake_in_value(fields[name])


def _mistake_in_value(value: object) -> str | None:
    if value is None or value == "":
        return MUST_BE_FILLED
    if not isinstance(value, str):
        return "must be a string"
    return None if value.strip() else CANNOT_BE_BLANK
