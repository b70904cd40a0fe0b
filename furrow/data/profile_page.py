"""The profile as one HTML page that needs no network."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from furrow.drawing.charts import bars, lines, spark
from furrow.drawing.page_shell import alone
from furrow.files import write_text
from furrow.plurals import number_of
from furrow.safe_text import html_text as escape

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from furrow.data.profile import ColumnProfile, Histogram, Profile, TableProfile

__all__ = ["heat", "write_page"]

_FEW = 8  # a number with no more distinct values than this is told, not drawn
_HEADS = ("column", "null", "distinct", "min", "median", "max", "distribution")
_SCALE = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0)


def write_page(
    path: Path, profile: Profile, about: Sequence[tuple[str, str]] = (), *, kept: bool | None = None
) -> None:
    """Draw a profile on a page: a section for each table, nothing loaded from elsewhere.

    Args:
        path: Where it goes.
        profile: What was found.
        about: What it was found of: names and words, such as the commit and the hash of the data.
        kept: Whether the data keep their contract; None where nobody looked.

    Raises:
        furrow.files.FileError: The page can't be written.
    """
    write_text(path, _page(profile, about, kept))


def _page(profile: Profile, about: Sequence[tuple[str, str]], kept: bool | None) -> str:
    links = "".join(
        f'<a href="#{escape(table.name)}"><b>{table.rows:,}</b>{escape(table.name)}</a>'
        for table in profile.tables
    )
    parts = sorted({part for table in profile.tables for part in table.partitions})
    span = f"{parts[0]} to {parts[-1]}. " if parts else ""
    state = {True: ' class="passed"', False: ' class="failed"', None: ""}[kept]
    facts = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(words)}</dd></div>" for name, words in about
    )
    doubted = [
        f"<li>{escape(table.name)}.{escape(column.name)}: {column.doubted:,} of {table.rows:,}, "
        f"from {escape(column.least)} to {escape(column.most)} {escape(column.unit)}</li>"
        for table in profile.tables
        for column in table.columns
        if column.doubted
    ]
    card = f'<div class="card doubt"><h2>Hard to believe</h2><ul>{"".join(doubted)}</ul></div>'
    sections = "".join(_section(table) for table in profile.tables)
    return alone(
        "Data profile",
        f"<main><h1{state}>Data profile</h1><p>{escape(span)}All times are UTC.</p>"
        f'<dl class="facts">{facts}</dl><nav class="tiles" aria-label="Tables">{links}</nav>'
        f"{card if doubted else ''}{sections}</main>",
    )


def _section(table: TableProfile) -> str:
    notes = "".join(f'<p class="warn">{escape(note)}</p>' for note in table.notes)
    columns = "".join(_column(column, table.rows) for column in table.columns)
    parts = f", {table.partitions[0]} to {table.partitions[-1]}" if table.partitions else ""
    words = ("column", "distribution")
    heads = "".join(
        f"<th>{name}</th>" if name in words else f'<th class="n">{name}</th>' for name in _HEADS
    )
    return (
        f'<section id="{escape(table.name)}"><h2>{escape(table.name)}</h2>'
        f"<p>{number_of(table.rows, 'row')}, {number_of(len(table.columns), 'column')}{parts}</p>"
        f"{notes}{_charts(table)}"
        f'<div class="scroll"><table class="stacked"><thead><tr>{heads}</tr></thead>'
        f"<tbody>{columns}</tbody></table></div>{_nulls(table)}</section>\n"
    )


def _charts(table: TableProfile) -> str:
    if not table.partitions:
        return ""
    by = f"by {table.period}"
    labels = [_short(part) for part in table.partitions]
    drawn = [(f"Rows {by}", bars(labels, table.rows_by_partition, text=_whole, title=f"rows {by}"))]
    drawn += [
        (
            f"Share of {label} {by}",
            lines(labels, values, text=_percent, title=f"share of {label} {by}"),
        )
        for label, values in table.share_by_partition.items()
    ]
    figures = "".join(f"<div><h3>{escape(title)}</h3>{chart}</div>" for title, chart in drawn)
    return f'<div class="charts">{figures}</div>'


def _column(column: ColumnProfile, rows: int) -> str:
    if column.histogram and column.distinct > _FEW:
        drawn = _distribution(column.name, column.histogram)
    elif column.top:
        drawn = "".join(
            f'<span class="tag">{escape(value)} <i>{_percent(share)}</i></span>'
            for value, share in column.top
        )
    elif column.distinct and column.distinct == rows - column.nulls:
        drawn = '<span class="type">each value once</span>'
    else:
        drawn = ""
    if column.doubted:
        drawn += f'<div class="warn">{column.doubted:,} hard to believe</div>'
    unit = f' <span class="unit">[{escape(column.unit)}]</span>' if column.unit else ""
    words = f"<br><small>{escape(column.description)}</small>" if column.description else ""
    figures = (
        ("null", _percent(column.null_share) if column.nulls else ""),
        ("distinct", f"{column.distinct:,}"),
        ("min", escape(column.least)),
        ("median", escape(column.median)),
        ("max", escape(column.most)),
    )
    cells = "".join(f'<td class="n" data-is="{name}">{text}</td>' for name, text in figures)
    return (
        f'<tr><td class="name"><span>{escape(column.name)}{unit} <span'
        f' class="type">{escape(column.type)}</span>{words}</span></td>{cells}<td'
        f' class="top">{drawn}</td></tr>'
    )


def _distribution(name: str, found: Histogram) -> str:
    """The histogram; its hollow ends hold what lies beyond the ends that are written below."""
    beyond = f"{found.below:,} below {found.low}, {found.above:,} above {found.high}"
    drawn = spark(
        found.counts,
        title=f"{name}: hollow ends are tails: {beyond}",
        tails=(found.below > 0, found.above > 0),
    )
    low = f"{'≤ ' * (found.below > 0)}{_day(found.low)}"
    high = f"{'≥ ' * (found.above > 0)}{_day(found.high)}"
    return f'{drawn}<div class="ends"><span>{escape(low)}</span><span>{escape(high)}</span></div>'


def heat(share: float) -> int:
    """How strong the color of a share is, in per cent.

    By its order of magnitude, from a thousandth to all.

    Args:
        share: From 0 to 1.
    """
    if share <= 0:
        return 0
    return round(6 + 64 * max(0.0, (math.log10(share) + 3) / 3))


def _nulls(table: TableProfile) -> str:
    """The share of nulls by column and partition, stronger where more is missing."""
    shares = {name: values for name, values in table.null_share_by_partition.items() if any(values)}
    if not shares:
        return ""
    head = "".join(f'<th class="n">{escape(_short(part))}</th>' for part in table.partitions)
    body = "".join(
        f'<tr><td class="name">{escape(name)}</td>{"".join(map(_warm, values))}</tr>'
        for name, values in shares.items()
    )
    scale = "".join(map(_warm, _SCALE))
    return (
        f'<h3>Null by {table.period}</h3><div class="scroll"><table'
        f' class="heat"><thead><tr><th></th>{head}</tr></thead><tbody>{body}</tbody></table></div><div'
        ' class="scroll"><table class="heat scale"><tbody><tr><td'
        f' class="dim">scale</td>{scale}</tr></tbody></table></div>'
    )


def _warm(value: float) -> str:
    return (
        f'<td class="n h{5 * round(heat(value) / 5)}">{_percent(value)}</td>'
        if value
        else '<td class="n dim">–</td>'
    )


def _short(part: str) -> str:
    """A month as Jan ’13, another partition as it is called."""
    names = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
    return (
        names[int(part[5:]) - 1] + f" ’{part[2:4]}" if re.fullmatch(r"\d{4}-\d\d", part) else part
    )


def _day(text: str) -> str:
    return text.partition(" ")[0]


def _whole(value: float) -> str:
    return f"{value:,.0f}"


def _percent(value: float) -> str:
    if 0 < value < 0.0005:
        return "<0.1%"
    return f"{value:.0%}" if value >= 0.0995 or value == 0 else f"{value:.1%}"
