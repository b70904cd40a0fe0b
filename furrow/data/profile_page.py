"""The profile as one HTML page that needs no network."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from furrow.drawing.charts import bars, lines, spark
from furrow.files import write_text
from furrow.safe_text import html_text as escape

if TYPE_CHECKING:
    from pathlib import Path

    from furrow.data.profile import ColumnProfile, Profile, TableProfile

__all__ = ["write_page"]

_STYLE = """
:root { --ink:#1d2433; --soft:#667085; --line:#e4e7ec; --paper:#ffffff; --ground:#f6f7f9; --hue:#2f6f4f;
  --pale:#e3efe8; --warn:#b54708; --heat:47,111,79; }
@media (prefers-color-scheme: dark) { :root { --ink:#e6e9ef; --soft:#98a2b3; --line:#2b3342; --paper:#161b26;
  --ground:#0e121b; --hue:#63b48a; --pale:#21392d; --warn:#f79009; --heat:99,180,138; } }
* { box-sizing:border-box }
html { scroll-behavior:smooth }
body { margin:0; background:var(--ground); color:var(--ink);
  font:15px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif }
main { max-width:1240px; margin:0 auto; padding:32px 24px 64px }
h1 { font-size:28px; margin:0 }
h2 { font-size:20px; margin:0 0 4px }
h3 { font-size:14px; margin:0 0 8px }
p { margin:4px 0 16px; color:var(--soft) }
.note { color:var(--warn) }
nav { display:flex; flex-wrap:wrap; gap:8px; margin:16px 0 24px }
nav a { color:var(--ink); text-decoration:none; background:var(--paper); border:1px solid var(--line);
  border-radius:8px; padding:8px 14px }
nav a:hover { border-color:var(--hue) }
nav b { display:block; font-size:18px }
section { background:var(--paper); border:1px solid var(--line); border-radius:12px; padding:20px 24px;
  margin:0 0 24px }
.charts { display:grid; grid-template-columns:repeat(auto-fit,minmax(min(420px,100%),1fr)); gap:24px;
  margin:8px 0 24px }
.chart { width:100%; max-width:640px; height:auto; display:block }
.chart .bar, .spark rect, .chart circle { fill:var(--hue) }
.chart line { stroke:var(--line) }
.chart polyline { fill:none; stroke:var(--hue); stroke-width:2 }
.chart text { fill:var(--soft); font-size:11px }
.chart .label, .chart .value { text-anchor:middle }
.chart .value { fill:var(--ink); paint-order:stroke; stroke:var(--paper); stroke-width:4px }
.chart .scale { text-anchor:end }
.wide { overflow-x:auto }
table { border-collapse:collapse; width:100%; font-size:13.5px }
th { text-align:left; color:var(--soft); font-weight:600; border-bottom:1px solid var(--line);
  padding:6px 10px; white-space:nowrap }
td { border-bottom:1px solid var(--line); padding:6px 10px; vertical-align:middle }
tr:last-child td { border-bottom:0 }
td.n, th.n { text-align:right; font-variant-numeric:tabular-nums; white-space:nowrap }
td.name { font-weight:600; white-space:nowrap }
.type, .ends { color:var(--soft); font-size:12px; font-weight:400 }
.ends { display:flex; justify-content:space-between; width:168px; white-space:nowrap; gap:6px }
.top { min-width:260px }
.tag { display:inline-block; background:var(--pale); border-radius:6px; padding:0 7px; margin:1px 4px 1px 0;
  white-space:nowrap }
.tag i { color:var(--soft); font-style:normal; font-size:12px }
.heat td.n, .heat th.n { text-align:center }
"""


_FEW = 8  # a number with no more distinct values than this is told, not drawn


def write_page(path: Path, profile: Profile) -> None:
    """Draw a profile on a page: a section for each table, nothing loaded from elsewhere.

    Raises:
        furrow.files.FileError: The page can't be written.
    """
    write_text(path, _page(profile))


def _page(profile: Profile) -> str:
    links = "".join(
        f'<a href="#{escape(table.name)}"><b>{table.rows:,}</b>{escape(table.name)}</a>'
        for table in profile.tables
    )
    parts = sorted({part for table in profile.tables for part in table.partitions})
    span = f"{parts[0]} to {parts[-1]}. " if parts else ""
    sections = "".join(_section(table) for table in profile.tables)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Data profile</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>\n'
        f"<body><main><h1>Data profile</h1><p>{escape(span)}All times are UTC.</p><nav>{links}</nav>{sections}"
        "</main></body></html>\n"
    )


def _section(table: TableProfile) -> str:
    notes = "".join(f'<p class="note">{escape(note)}</p>' for note in table.notes)
    columns = "".join(_column(column) for column in table.columns)
    parts = f", {table.partitions[0]} to {table.partitions[-1]}" if table.partitions else ""
    return (
        f'<section id="{escape(table.name)}"><h2>{escape(table.name)}</h2>'
        f"<p>{table.rows:,} rows, {len(table.columns)} columns{parts}</p>{notes}{_charts(table)}"
        '<div class="wide"><table><thead><tr><th>column</th><th class="n">null</th><th class="n">distinct</th>'
        '<th class="n">min</th><th class="n">median</th><th class="n">max</th><th>distribution</th></tr></thead>'
        f"<tbody>{columns}</tbody></table></div>{_heat(table)}</section>\n"
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


def _column(column: ColumnProfile) -> str:
    if column.histogram and column.distinct > _FEW:
        drawn = spark(
            column.histogram.counts,
            title=f"{column.name}: the ends hold the outermost half per cent",
        )
        drawn += f'<div class="ends"><span>{escape(_ends(column.histogram.low))}</span>'
        drawn += f"<span>{escape(_ends(column.histogram.high))}</span></div>"
    elif column.top:
        drawn = "".join(
            f'<span class="tag">{escape(value)} <i>{_percent(share)}</i></span>'
            for value, share in column.top
        )
    else:
        drawn = ""
    return (
        f'<tr><td class="name">{escape(column.name)} <span class="type">{escape(column.type)}</span></td>'
        f'<td class="n">{_percent(column.null_share) if column.nulls else ""}</td>'
        f'<td class="n">{column.distinct:,}</td>'
        f'<td class="n">{escape(column.least)}</td><td class="n">{escape(column.median)}</td>'
        f'<td class="n">{escape(column.most)}</td><td class="top">{drawn}</td></tr>'
    )


def _heat(table: TableProfile) -> str:
    """The share of nulls by column and partition, darker where more is missing."""
    shares = {name: values for name, values in table.null_share_by_partition.items() if any(values)}
    if not shares:
        return ""
    head = "".join(f'<th class="n">{escape(_short(part))}</th>' for part in table.partitions)
    body = "".join(
        f'<tr><td class="name">{escape(name)}</td>'
        + "".join(
            f'<td class="n" style="background:rgba(var(--heat),{min(0.08 + value * 0.6, 0.6) if value else 0:.2f})">'
            f"{_percent(value) if value else '–'}</td>"
            for value in values
        )
        + "</tr>"
        for name, values in shares.items()
    )
    return (
        f'<h3 style="margin-top:24px">Null by {table.period}</h3>'
        '<div class="wide"><table class="heat"><thead><tr><th></th>'
        f"{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _short(part: str) -> str:
    """A month as Jan ’13, another partition as it is called."""
    names = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
    return (
        names[int(part[5:]) - 1] + f" ’{part[2:4]}" if re.fullmatch(r"\d{4}-\d\d", part) else part
    )


def _ends(text: str) -> str:
    return text.partition(" ")[0]


def _whole(value: float) -> str:
    return f"{value:,.0f}"


def _percent(value: float) -> str:
    if 0 < value < 0.0005:
        return "<0.1%"
    return f"{value:.0%}" if value >= 0.0995 or value == 0 else f"{value:.1%}"
