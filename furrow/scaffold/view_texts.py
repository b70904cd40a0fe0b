"""The view of a feature table as text: its fields by what they are made of, and by their types."""

from __future__ import annotations

import re
from textwrap import wrap
from typing import TYPE_CHECKING

from furrow.scaffold.window_sql import EVER, WINDOWS, span_name
from furrow.scaffold.wrapping import WIDTH, wrapped

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from furrow.scaffold.source_tables import FeatureTable

__all__ = ["view_lines"]

_USUAL = tuple(span_name(days) for days in WINDOWS)
_LONGER = (*_USUAL, span_name(EVER))


def view_lines(table: FeatureTable, abouts: Sequence[str], owner: str) -> list[str]:
    """The lines of a view: a call of `furrow.ground.feast.table_views.table_view`.

    Args:
        table: The feature table.
        abouts: What its entities are called in the file.
        owner: Of the view.
    """
    left = dict(table.features)
    happened = [_windows(source, left) for source in _sources(left)]
    stem = re.sub(r"_(profile|history|facts|features)$", "", table.name)
    of = stem if left and all(name.startswith(f"{stem}_") for name in left) else ""
    said = [f'"{table.name}"', *abouts, f'owner="{owner}"', *([f'of="{of}"'] if of else [])]
    short, long = _typed(left, of)
    several = [f"{'| ' if place else 'happened='}{one}" for place, one in enumerate(happened)]
    if len(happened) == 1:
        said += several
    lines = _filled(f"{table.name}_view = table_view(", [*said, *short])
    if len(happened) > 1:
        lines[-1] += ","
        lines += [f"    {line}" for line in several]
    for type_, names in long:
        lines[-1] += ","
        text = f'{type_}="""{" ".join(names)}"""'
        held = wrap(text, WIDTH - 8, break_long_words=False, break_on_hyphens=False)
        lines += [f"    {held[0]}", *(f"        {line}" for line in held[1:])]
    lines[-1] += ")"
    return lines


def _filled(begin: str, parts: Sequence[str]) -> list[str]:
    """A call and what it is given, without its end."""
    taken = 1
    while taken < len(parts) and len(begin) + len(", ".join(parts[: taken + 1])) < WIDTH:
        taken += 1
    first, others = ", ".join(parts[:taken]), parts[taken:]
    lines = wrapped(others, WIDTH - 4) if others else []
    return [f"{begin}{first}{',' if others else ''}", *(f"    {line}" for line in lines)]


def _sources(features: dict[str, str]) -> Iterator[str]:
    """What the counts are of: `orders` where there are orders_7d and its like."""
    end = f"_{_USUAL[0]}"
    for name in list(features):
        source = name.removesuffix(end)
        counts = [f"{source}_{span}" for span in _USUAL]
        if name.endswith(end) and all(features.get(one) == "Int64" for one in counts):
            yield source


def _windows(source: str, left: dict[str, str]) -> str:
    """A call of `windows` for the fields of a source, which are taken from those that are left."""
    spans = _LONGER if f"{source}_{_LONGER[-1]}" in left else _USUAL
    figures = ("sum", "mean") if spans == _USUAL else ("mean",)
    for span in spans:
        left.pop(f"{source}_{span}")
    numbers = []
    begin, end = f"{source}_", f"_{figures[0]}_{_USUAL[0]}"
    for name in [one for one in left if one.startswith(begin) and one.endswith(end)]:
        number = name.removeprefix(begin).removesuffix(end)
        whole = [f"{begin}{number}_{figure}_{span}" for figure in figures for span in spans]
        whole.append(f"{begin}{number}_last")
        if all(left.get(one) == "Float64" for one in whole):
            numbers.append(number)
            for one in whole:
                left.pop(one)
    said = [f'"{source}"', *([f'"{" ".join(numbers)}"'] if numbers else [])]
    if spans != _USUAL:
        said += [f'spans="{" ".join(spans)}"', f'figures="{figures[0]}"']
    return f"windows({', '.join(said)})"


def _typed(left: dict[str, str], of: str) -> tuple[list[str], list[tuple[str, list[str]]]]:
    """Fields by type: those that fit on a line, and those that take several."""
    by_type: dict[str, list[str]] = {}
    for name, type_ in left.items():
        by_type.setdefault(type_, []).append(name.removeprefix(f"{of}_") if of else name)
    short = {
        type_: f'{type_}="{" ".join(names)}"'
        for type_, names in by_type.items()
        if len(" ".join(names)) < WIDTH - 20
    }
    return list(short.values()), [one for one in by_type.items() if one[0] not in short]
