"""An audit as one page that loads nothing, runs nothing, and holds its own JSON."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from furrow.drawing.page_shell import alone
from furrow.safe_text import html_text

if TYPE_CHECKING:
    from furrow.governance.audit import Audit

__all__ = ["audit_json", "audit_page"]

_NOTHING = "<li>nothing that was asked for is missing</li>"
_DEEP = 6
_MANY = 2000


def audit_json(made: Audit) -> str:
    """The audit as JSON: sorted, with null for what is no number."""
    return (
        json.dumps(
            _finite(made.to_json()), sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False
        )
        + "\n"
    )


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {str(name): _finite(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return value


def audit_page(made: Audit) -> str:
    """The page.

    Args:
        made: The audit.

    Returns:
        HTML: every text escaped, no script that runs, nothing from elsewhere; the JSON is inside,
            as data.
    """
    title = html_text(f"Audit of {made.of}")
    unknown = "".join(f"<li>{html_text(one)}</li>" for one in made.unknown)
    parts = [
        f"<h2>{html_text(name)}</h2>{_drawn(value, 0)}" for name, value in made.sections.items()
    ]
    # a data block is never run; "<" is written so that no text in it can end it
    data = audit_json(made).replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
    return alone(
        f"Audit of {made.of}",
        f"<h1>{title}</h1><p>A {html_text(made.kind)}, looked at on {html_text(made.at)}.</p>"
        f'<h2>What is not known</h2><ul class="unknown">{unknown or _NOTHING}</ul>'
        f"{''.join(parts)}"
        f'<script type="application/json" id="audit">{data}</script>',
    )


def _drawn(value: Any, depth: int) -> str:
    if value in (None, "", [], {}):
        return "<p>nothing</p>" if depth == 0 else "–"
    if isinstance(value, dict) and depth < _DEEP:
        rows = (
            f"<tr><th>{html_text(name)}</th><td>{_drawn(one, depth + 1)}</td></tr>"
            for name, one in list(value.items())[:_MANY]
        )
        return f"<table>{''.join(rows)}</table>{_more(value)}"
    if isinstance(value, list | tuple) and depth < _DEEP:
        if all(isinstance(one, dict) for one in value):
            return _grid(value, depth)
        if depth == 0:
            items = (f"<li>{_drawn(one, depth + 1)}</li>" for one in value[:_MANY])
            return f"<ol>{''.join(items)}</ol>{_more(value)}"
        return ", ".join(_drawn(one, depth + 1) for one in value[:_MANY]) + _more(value)
    text = str(value)
    return f"<pre>{html_text(text)}</pre>" if "\n" in text else html_text(text)


def _grid(rows: Any, depth: int) -> str:
    """Mappings under one another, their keys as headings."""
    names = list(dict.fromkeys(str(name) for row in rows[:_MANY] for name in row))
    head = "".join(f"<th>{html_text(name)}</th>" for name in names)
    body = "".join(
        f"<tr>{''.join(f'<td>{_drawn(row.get(name), depth + 2)}</td>' for name in names)}</tr>"
        for row in rows[:_MANY]
    )
    return f"<table><tr>{head}</tr>{body}</table>{_more(rows)}"


def _more(value: Any) -> str:
    return (
        f"<p>and {len(value) - _MANY:,} more, in the JSON below</p>" if len(value) > _MANY else ""
    )
