"""Known secrets, taken out of texts in whatever form they stand there (no I/O)."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING

from broker.text.cut import CUT, beginning
from broker.text.escapes import is_escaped, unescaped, without_half_escape
from broker.text.secret_forms import LONG, SHORTEST, in_base64, is_ordinary, parts_of, spelt

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

HIDDEN = "***"
"""What is shown in the place of a secret."""
LONG_WORD = 20
"""Longer pieces of base64 are only looked for in texts that have words of this length, which most have not."""

_LONG_WORD = re.compile(f"[A-Za-z0-9+/_-]{{{LONG_WORD}}}")


class Redaction:
    """Replaces known secrets by stars.

    A text from elsewhere (what a provider prints, what a broker answers) goes through `text`. A sentence of ours goes
    through `own`, which leaves alone what may be an ordinary word, so that a password such as `wrong` spoils none.

    Args:
        secrets: The values; see `parts_of` for what else they hide.
        stars: What is shown instead.
    """

    def __init__(self, secrets: Iterable[str | None], *, stars: str = HIDDEN) -> None:
        parts = {part for secret in secrets if secret for part in parts_of(secret)}
        # the longest first, so that no end of one is left
        self._known = [_Known(part) for part in sorted(parts, key=lambda part: (-len(part), part))]
        self._all = _Search(self._known)
        self._extraordinary = _Search([known for known in self._known if not is_ordinary(known.secret)])
        self.stars = stars

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secrets in their spelt forms, the longest secret first."""
        return tuple(dict.fromkeys(form for known in self._known for form in known.spelt))

    def __bool__(self) -> bool:
        return bool(self._known)

    def text(self, text: str) -> str:
        """Return a text from elsewhere without the secrets."""
        return self._all.without(text, self.stars)

    def own(self, text: str) -> str:
        """Return a text of ours without the secrets that can't be ordinary words."""
        return self._extraordinary.without(text, self.stars)

    def cut(self, text: str, longest: int) -> str:
        """Return the beginning of a text from elsewhere, without the secrets; `CUT` at its end tells of more.

        Args:
            text: The text. If it ends with `CUT` it was cut before, so that a secret may begin at its end.
            longest: How many characters are shown.
        """
        text, is_whole = self.text(self._without_beginning(text)), not text.endswith(CUT)
        return beginning(text if is_whole else text.removesuffix(CUT) + CUT, longest)

    def _without_beginning(self, text: str) -> str:
        if not text.endswith(CUT):
            return text
        begun = text.removesuffix(CUT).rstrip("\N{REPLACEMENT CHARACTER}")  # which was half a character
        places = [place for place, _ in self.beginnings(begun)]
        if is_escaped(begun):
            reading = unescaped(without_half_escape(begun))
            ends = [(place, len(reading.text)) for place, _ in self.beginnings(reading.text)]
            places += [reading.origin(*place)[0] for place in ends]
        return begun[: min(places)] + self.stars + CUT if places else text

    def beginnings(self, text: str) -> list[tuple[int, str]]:
        """Return where secrets begin that may go on behind a text, each with the form that it has there."""
        if text[-SHORTEST:] not in self._pieces:
            return []
        found = []
        for form in self._forms:
            place = max(0, len(text) - len(form) + 1)
            while (place := text.find(form[:SHORTEST], place)) >= 0:
                if form.startswith(text[place:]):
                    found.append((place, form))
                    break
                place += 1
        return found

    def endings(self, before: str, text: str) -> list[str]:
        """Return the rests of forms of which a few characters, too few to hide, are at the end of the line before."""
        if text[:SHORTEST] not in self._second_pieces:
            return []
        return [
            form[length:]
            for form in self._forms
            for length in range(1, SHORTEST)
            if before.endswith(form[:length]) and text[:SHORTEST] == form[length : length + SHORTEST]
        ]

    @cached_property
    def _forms(self) -> list[str]:
        forms = [form for known in self._known for form in (*known.spelt, *known.base64)]
        return list(dict.fromkeys([*forms, *(unescaped(known.secret).text for known in self._known)]))

    @cached_property
    def _pieces(self) -> set[str]:
        """All that the end of a text can be if a secret begins there."""
        return {form[end - SHORTEST : end] for form in self._forms for end in range(SHORTEST, len(form))}

    @cached_property
    def _second_pieces(self) -> set[str]:
        return {form[start : start + SHORTEST] for form in self._forms for start in range(1, SHORTEST)}


class _Known:
    """A secret, and its forms."""

    def __init__(self, secret: str) -> None:
        self.secret = secret

    @cached_property
    def spelt(self) -> list[str]:
        return spelt(self.secret)

    @cached_property
    def base64(self) -> list[str]:
        return in_base64(self.secret)


class _Search:
    """The search for secrets in a text.

    Args:
        secrets: The secrets.
    """

    def __init__(self, secrets: Sequence[_Known]) -> None:
        self._secrets = secrets

    def without(self, text: str, stars: str) -> str:
        """Return a text with stars for the secrets; where they overlap, for all of them together."""
        if not self._secrets:
            return text
        places = self._places(text)
        if is_escaped(text) or (self._spaced and "+" in text):
            reading = unescaped(text)
            found = [*_find(self._undone, reading.text), *self._base64_places(reading.text)]
            if self._spaced:  # forms have `+` for a space
                found += _find(self._spaced, reading.text.replace("+", " "))
            places += [reading.origin(*place) for place in found]
        if not places:
            return text
        parts, shown = [], 0
        for start, end in sorted(places):
            if start >= shown:
                parts += [text[shown:start], stars]
            shown = max(shown, end)
        return "".join((*parts, text[shown:]))

    def _places(self, text: str) -> list[tuple[int, int]]:
        return _find(self._plain, text) + self._base64_places(text)

    def _base64_places(self, text: str) -> list[tuple[int, int]]:
        found = _find(self._short_base64, text)
        return found if _LONG_WORD.search(text) is None else found + _find(self._long_base64, text)

    @cached_property
    def _plain(self) -> list[tuple[str, str]]:
        # a form with U+FFFD is how it looks if it was written in another encoding than UTF-8
        forms = [
            form for known in self._secrets for form in known.spelt if "\N{REPLACEMENT CHARACTER}" in form
        ]
        return [_search(form) for form in (*(known.secret for known in self._secrets), *forms)]

    @cached_property
    def _undone(self) -> list[tuple[str, str]]:
        return [_search(unescaped(known.secret).text) for known in self._secrets]

    @cached_property
    def _spaced(self) -> list[tuple[str, str]]:
        spaced = [known.secret for known in self._secrets if " " in known.secret]
        return [_search(unescaped(secret).text.replace("+", " ")) for secret in spaced]

    @cached_property
    def _short_base64(self) -> list[tuple[str, str]]:
        return [(core, _whole(core)) for core in self._cores if len(core) < LONG_WORD]

    @cached_property
    def _long_base64(self) -> list[tuple[str, str]]:
        return [(core, _whole(core)) for core in self._cores if len(core) >= LONG_WORD]

    @property
    def _cores(self) -> list[str]:
        return [core for known in self._secrets for core in known.base64]


def _find(forms: list[tuple[str, str]], text: str) -> list[tuple[int, int]]:
    """Return the places of forms, each of which comes with the expression that finds it in a text that has it."""
    found = [search for form, search in forms if form in text]
    return [match.span() for search in found for match in re.finditer(search, text)]


def _search(form: str) -> tuple[str, str]:
    plain = re.escape(form)
    return form, plain if len(form) >= LONG else f"(?<![A-Za-z0-9]){plain}(?![A-Za-z0-9])"


def _whole(core: str) -> str:
    """Return what finds a piece of base64 with the characters beside it that the secret decides in part."""
    return f"[A-Za-z0-9+/_-]?{re.escape(core)}[A-Za-z0-9+/_-]?={{0,2}}"
