"""Comparing an answer with the recorded one of a real broker, where hashes, numbers and times differ."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

if TYPE_CHECKING:
    from collections.abc import Collection

RECORDED_BASE = "http://127.0.0.1:9292"

# What a real broker has and this one hasn't (yet): deployments, labels, diffs, badges, documentation
# pages, and listings by branch.
LATER_LINKS = {
    "curies",
    "pb:branch-pact-versions",
    "pb:can-i-deploy-badge",
    "pb:can-i-deploy-branch-to-environment-badge",
    "pb:can-i-deploy-pacticipant-version-to-environment",
    "pb:deployed-environments",
    "pb:diff",
    "pb:diff-previous-distinct",
    "pb:environment",
    "pb:environments",
    "pb:integrations",
    "pb:label",
    "pb:latest-branch-pact-versions",
    "pb:latest-main-branch-pact-versions",
    "pb:latest-provider-pacts-with-branch",
    "pb:latest-provider-pacts-with-main-branch",
    "pb:main-branch-pact-versions",
    "pb:metrics",
    "pb:pacticipants-with-label",
    "pb:provider-pacts-with-branch",
    "pb:provider-pacts-with-main-branch",
    "pb:provider-pacts-with-tag",
    "pb:record-deployment",
    "pb:record-release",
    "pb:tagged-pact-versions",
}
# Notices about webhooks, and the headline that stands over the one asking for a webhook: compared only where the
# recorded webhooks are there too.
WEBHOOK_NOTICES = re.compile(r"  Webhook \"|  No enabled webhooks|    \* Configure separate|  Next steps:")

# What stands for the same thing on both sides, under different names.
_TOKEN = re.compile(
    r"(?P<uuid>\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b)"
    r"|(?P<sha>\b[0-9a-f]{40}\b)"
    r"|(?<=verification-results/)(?P<number>\d+)"
    r"|(?<=erification result )(?P<named_number>\d+)"
    r"|(?<=/metadata/)(?P<metadata>[A-Za-z0-9_-]+)"
)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00")
_DAY = re.compile(r"\d\d/\d\d/\d{4}")
_PARSER_ERROR = re.compile(r"(JSON::ParserError - ).*", re.DOTALL)


class Dictionary:
    """What is called how: a hash or a number of the recording, and what it is here. It must be one-to-one."""

    def __init__(
        self,
        base: str,
        *,
        with_webhooks: bool = False,
        recorded_base: str = RECORDED_BASE,
        left_out: Collection[str] = LATER_LINKS,
    ) -> None:
        self.base = base
        self._with_webhooks = with_webhooks
        self._recorded_base = recorded_base
        self._left_out = left_out
        self._ours: dict[tuple[str, str], str] = {}
        self._recorded: dict[tuple[str, str], str] = {}

    def translate(self, text: str) -> str:
        """Return a recorded text with our names in it."""
        return _TOKEN.sub(self._translate, text.replace(self._recorded_base, self.base))

    def differences(self, recorded: Any, ours: Any, path: str = "") -> list[str]:
        """Return where our answer differs from the recorded one, learning names on the way."""
        recorded, ours = self._without_later(recorded), self._without_later(ours)
        if isinstance(recorded, dict) and isinstance(ours, dict):
            found = []
            if recorded.keys() != ours.keys():
                missing, more = sorted(recorded.keys() - ours.keys()), sorted(ours.keys() - recorded.keys())
                found.append(f"{path}: recorded {missing}, ours {more}")
            for key in recorded.keys() & ours.keys():
                found += self.differences(recorded[key], ours[key], f"{path}.{key}")
            return found
        if isinstance(recorded, list) and isinstance(ours, list):
            if len(recorded) != len(ours):
                return [f"{path}: recorded {len(recorded)} items, ours {len(ours)}: {recorded} {ours}"]
            pairs = zip(recorded, ours, strict=True)
            return [
                text
                for index, pair in enumerate(pairs)
                for text in self.differences(*pair, f"{path}[{index}]")
            ]
        if isinstance(recorded, str) and isinstance(ours, str):
            return self._text_differences(recorded, ours, path)
        return (
            [] if recorded == ours and type(recorded) is type(ours) else [f"{path}: {recorded!r} != {ours!r}"]
        )

    def _without_later(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: item for key, item in value.items() if key not in self._left_out}
        if isinstance(value, list) and not self._with_webhooks:
            return [item for item in value if not _is_about_webhooks(item)]
        return value

    def _text_differences(self, recorded: str, ours: str, path: str) -> list[str]:
        shape, names = _read(recorded, self._recorded_base)
        our_shape, our_names = _read(ours, self.base)
        if shape != our_shape or [kind for kind, _ in names] != [kind for kind, _ in our_names]:
            return [f"{path}: {recorded!r} != {ours!r}"]
        return [
            f"{path}: recorded {kind} {name} is {our_name} here, but was {self._ours[kind, name]}"
            for (kind, name), (_, our_name) in zip(names, our_names, strict=True)
            if not self._learn(kind, name, our_name)
        ]

    def _learn(self, kind: str, recorded: str, ours: str) -> bool:
        return (
            self._ours.setdefault((kind, recorded), ours) == ours
            and self._recorded.setdefault((kind, ours), recorded) == recorded
        )

    def _translate(self, match: re.Match[str]) -> str:
        if match["metadata"]:
            pairs = [
                (key, self._ours.get((key, value), value) if key.endswith(("cv", "[cv]")) else value)
                for key, value in _decoded(match["metadata"])
            ]
            return base64.urlsafe_b64encode(urlencode(pairs).encode()).decode().rstrip("=")
        return self._ours.get((_kind(match), match[0]), match[0])


def _read(text: str, base: str) -> tuple[str, list[tuple[str, str]]]:
    """Return a text with placeholders for what may differ, and the names that were there."""
    names: list[tuple[str, str]] = []

    def note(match: re.Match[str]) -> str:
        if match["metadata"]:
            pairs = _decoded(match["metadata"])
            names.extend((key, value) for key, value in pairs if key.endswith(("cv", "[cv]")))
            return str([key if key.endswith(("cv", "[cv]")) else (key, value) for key, value in pairs])
        kind = _kind(match)
        names.append((kind, match[0]))
        return f"<{kind}>"

    shape = _TOKEN.sub(note, text.replace(base, "<base>"))
    return _PARSER_ERROR.sub(r"\1<reason>", _DAY.sub("<day>", _TIME.sub("<time>", shape))), names


def _kind(match: re.Match[str]) -> str:
    return "uuid" if match["uuid"] else "sha" if match["sha"] else "number"


def _decoded(segment: str) -> list[tuple[str, str]]:
    return parse_qsl(base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4)).decode())


def _is_about_webhooks(item: Any) -> bool:
    text = str(item.get("text") or item.get("message") or "") if isinstance(item, dict) else ""
    return WEBHOOK_NOTICES.match(text) is not None
