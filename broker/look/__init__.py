"""The one look of the dashboard, of the embedded broker's pages and of the HTML reports: a style sheet.

`style.css` names each colour once, for a light and for a dark screen, as a custom property. Whoever adds a colour, or a
rule that two of the three need, does it there. It loads nothing, so a page can hold it or serve it.
"""

from __future__ import annotations

from importlib.resources import files


def style_sheet() -> str:
    """Return the text of the style sheet."""
    return files(__name__).joinpath("style.css").read_text(encoding="utf-8")
