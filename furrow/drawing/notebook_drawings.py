"""Drawings as a notebook shows them.

The pages' own SVG with the pages' own colours, in light and dark, and no script.

Each carries the rules that it needs, which hold inside it alone: a notebook may be sent on, or
shown by a program that has no stylesheet of Furrow's.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from furrow.drawing.page_shell import stylesheet
from furrow.safe_text import html_text as escape

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["SCOPE", "Drawn", "notebook_drawing", "notebook_style"]

SCOPE = "furrow-drawing"
_RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")
_DRAWS = re.compile(r"\s*(svg\b|\.chart|\.bar|\.spark)")


class Drawn:
    """A drawing that a notebook shows.

    Args:
        svg: Its text, whose words are escaped.
        title: Above it.
    """

    def __init__(self, svg: str, title: str = "") -> None:
        self.svg = svg
        self.title = title

    def __repr__(self) -> str:
        return f"<drawing: {self.title}>" if self.title else "<drawing>"

    def _repr_html_(self) -> str:
        return notebook_drawing([(self.title, self.svg)])


def notebook_drawing(drawings: Sequence[tuple[str, str]]) -> str:
    """Drawings side by side, with the style that they need; nothing where none is drawn.

    Args:
        drawings: Title and SVG of each, whose words are escaped.
    """
    some = [(title, svg) for title, svg in drawings if svg]
    if not some:
        return ""
    figures = "".join(
        '<figure style="display:inline-block;vertical-align:top;margin:.5em 1em .5em'
        f' 0;max-width:100%"><figcaption>{escape(title)}</figcaption>{svg}</figure>'
        for title, svg in some
    )
    return f'<div class="{SCOPE}"><style>{notebook_style()}</style>{figures}</div>'


@cache
def notebook_style() -> str:
    """The rules of the stylesheet that draw, for what is inside of a drawing alone."""
    text = stylesheet()
    light = text[: text.index("@media (prefers-color-scheme:dark)")]
    rest = text[len(light) :]
    dark_end = rest.index("}}") + 2
    dark = rest[rest.index("{") + 1 : dark_end - 1]
    colours, night = _declared(light), _declared(dark)
    rules = [
        f"{','.join(f'.{SCOPE} {one.strip()}' for one in chosen)}{{{body}}}"
        for names, body in _RULE.findall(
            re.sub(r"@media[^{]*\{(?:[^{}]*\{[^{}]*\})*\s*\}", "", text)
        )
        if (chosen := [one for one in names.split(",") if _DRAWS.match(one)])
    ]
    return (
        f".{SCOPE}{{{colours};color:var(--ink)}}"
        f"@media (prefers-color-scheme:dark){{.{SCOPE}{{{night}}}}}"
        f'body[data-jp-theme-light="true"] .{SCOPE}{{{colours}}}'
        f'body[data-jp-theme-light="false"] .{SCOPE},.vscode-dark .{SCOPE}{{{night}}}'
        f"{''.join(rules)}"
    )


def _declared(text: str) -> str:
    """The colours that a part of the stylesheet declares."""
    found = re.findall(r"(--[a-z0-9]+):([^;}]+)", text)
    return ";".join(f"{name}:{value.strip()}" for name, value in found)
