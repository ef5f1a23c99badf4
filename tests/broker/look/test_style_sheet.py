"""The style sheet: its colours can be read, in both schemes, and it has all that it uses."""

from __future__ import annotations

import re
from itertools import product

import pytest

from broker.look import style_sheet

GROUNDS = ("ground", "card", "code", "passed-ground", "failed-ground", "error-ground")
TEXTS = ("ink", "soft", "link", "passed", "failed", "error", "focus")
LIGHT, DARK = (
    dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", colours))
    for colours in re.findall(r":root \{([^}]*--[^}]*)\}", style_sheet())
)
AA = 4.5


def luminance(colour: str) -> float:
    """Return the relative luminance of a colour, as WCAG defines it."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_any_text_can_be_read_on_any_ground(colours: dict[str, str]) -> None:
    pairs = [(text, ground) for text, ground in product(TEXTS, GROUNDS)]
    pairs.append(("card", "link"))  # the first of several buttons
    for text, ground in pairs:
        dark, light = sorted(luminance(colours[name]) for name in (text, ground))
        assert (light + 0.05) / (dark + 0.05) >= AA, (text, ground)


def test_both_schemes_name_the_same_colours() -> None:
    assert set(LIGHT) == set(DARK) == {*GROUNDS, *TEXTS, "line"}


def test_each_colour_has_a_name_and_each_name_is_defined() -> None:
    rules = re.sub(r":root \{[^}]*--[^}]*\}", "", style_sheet())
    assert not re.findall(r"#[0-9a-f]{3,8}\b|\brgba?\(|\bhsla?\(", rules)
    assert set(re.findall(r"var\(--([a-z-]+)", rules)) <= set(LIGHT)


def test_it_loads_nothing() -> None:
    """It stands in a page under a policy that lets nothing in, and in a file that is passed on."""
    assert not re.findall(r"@import|url\(|https?:|</", style_sheet())


def test_paper_is_never_dark() -> None:
    assert re.findall(r"@media ([^{]*)prefers-color-scheme", style_sheet()) == ["screen and ("]
