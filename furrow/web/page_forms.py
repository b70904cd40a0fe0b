"""The form of a page for people: HTML, in which words from the repository stay words."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

from furrow.drawing.page_shell import policy_of, stylesheet
from furrow.errors import MissingExtraError
from furrow.history.shown_values import cell
from furrow.safe_text import block, line
from furrow.web.content import Drawing, Facts, Form, Link, Mark, Note, Steps, Table, Text, plain

try:
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup
except ImportError as exc:
    raise MissingExtraError("ui", "furrow ui") from exc

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from furrow.web.content import Cell, Page

__all__ = ["MENU", "as_document", "as_html"]

MENU = {
    "home": "Home",
    "runs": "Runs",
    "explore": "Explore",
    "live": "Live",
    "plan": "Plan",
    "data": "Data",
    "features": "Features",
    "models": "Models",
    "monitoring": "Monitoring",
    "ci": "CI",
    "prediction": "Prediction",
    "business": "For the business",
}
"""The pages that the menu names."""

_WIDEST, _LONG = 120, 36
_KINDS = {
    Table: "table",
    Facts: "facts",
    Drawing: "drawing",
    Text: "text",
    Note: "note",
    Form: "form",
    Steps: "steps",
}


def _harmless(value: Any) -> Any:
    """Text without controls; what is HTML already stays."""
    return block(value) if isinstance(value, str) and not isinstance(value, Markup) else value


_ENVIRONMENT = Environment(
    loader=PackageLoader("furrow.web"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    finalize=_harmless,
)


def as_html(
    page: Page,
    address: Callable[[str, Mapping[str, str | Sequence[str]]], str | None],
    *,
    rev: str = "",
    forms: Mapping[str, str] | None = None,
    policy: str = "",
    site: str = "",
    style: str = "",
) -> str:
    """A page as HTML.

    Args:
        page: The page.
        address: The address of a page in a state, or None where there is no such page.
        rev: The revision that the menu stays at.
        forms: Addresses of this very page as JSON and CSV, by name.
        policy: A Content-Security-Policy to be written into the page, where no server sends one.
        site: The project's name.
        style: The stylesheet, in a document that stands alone; else it is linked.
    """
    state = {"rev": rev} if rev else {}
    menu = [(name, words, address(name, state)) for name, words in MENU.items()]
    return _ENVIRONMENT.get_template("page.html").render(
        page=page,
        menu=[one for one in menu if one[2] is not None],
        # escaped
        cell=lambda value, column="", raw=False: Markup(_cell(value, column, address, raw=raw)),  # noqa: S704
        numeric=_numeric,
        body=lambda table, most: _body(table, most, address),
        kind=lambda found: _KINDS[type(found)],
        address=address,
        svg=Markup,  # furrow.drawing escapes every word in it
        forms=forms or {},
        rev=rev,
        policy=policy,
        site=site,
        style=Markup(style),  # noqa: S704 - furrow.drawing's own
        many=lambda value: [value] if isinstance(value, str) else value,
    )


def as_document(page: Page) -> str:
    """A page as one file that needs no network.

    Its style within, no script, no link to other pages.
    """
    style = stylesheet()

    def nowhere(name: str, state: Mapping[str, str | Sequence[str]]) -> None:
        del name, state

    return as_html(page, nowhere, policy=policy_of(style), style=style)


def _body(
    table: Table,
    most: int,
    address: Callable[[str, Mapping[str, str | Sequence[str]]], str | None],
) -> Markup:
    """The rows of a table: made here, for there may be tens of thousands of cells."""
    numeric = [_numeric(table, place) for place in range(len(table.columns))]
    lines = []
    for row in table.rows[:most]:
        cells = []
        for value, column, is_numeric in zip(row, table.columns, numeric, strict=True):
            kind = ' class="n"' if is_numeric else ' class="t"' if _is_long(value) else ""
            cells.append(f"<td{kind}>{_cell(value, column, address, raw=table.raw)}</td>")
        lines.append(f"<tr>{''.join(cells)}</tr>")
    return Markup("\n".join(lines))  # noqa: S704 - each cell is escaped by _cell


def _is_long(value: Cell) -> bool:
    return not isinstance(value, int | float) and len(str(plain(value))) > _LONG


def _cell(
    value: Cell,
    column: str,
    address: Callable[[str, Mapping[str, str | Sequence[str]]], str | None],
    *,
    raw: bool,
) -> str:
    """A cell as HTML, in which words are escaped."""
    if isinstance(value, float):
        return cell(value)
    if value is None:
        return '<span class="dim">–</span>'
    if isinstance(value, Link):
        text, place = html.escape(line(value.text)), address(value.page, value.state)
        return text if place is None else f'<a href="{html.escape(place)}">{text}</a>'
    if isinstance(value, Mark):
        shown = line(value.text) if isinstance(value.text, str) else cell(value.text, column)
        return f'<span class="{html.escape(value.kind)}">{html.escape(shown)}</span>'
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    shown = (
        block(str(value)) if raw and isinstance(value, str) else cell(value, column, widest=_WIDEST)
    )
    if isinstance(value, str) and len(value) > len(shown):
        return f'<span title="{html.escape(block(value[:1000]))}">{html.escape(shown)}</span>'
    return html.escape(shown)


def _numeric(table: Table, place: int) -> bool:
    """Whether a column holds numbers alone, and some."""
    values = [
        plain(row[place]) if isinstance(row[place], Mark) else row[place] for row in table.rows
    ]
    some = [value for value in values if value is not None]
    return bool(some) and all(
        isinstance(value, int | float) and not isinstance(value, bool) for value in some
    )
