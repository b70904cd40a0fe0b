"""The report as one self-contained HTML file: no script, no link, nothing that is fetched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from furrow.ci.report_markdown import importance, number, reality, seconds, span
from furrow.drawing.curves import curves, intervals
from furrow.safe_text import html_text as escape

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from furrow.ci.outcome import Outcome, RunReport

__all__ = ["page"]

_PLOTTED = 40
_CHARTED = 30
_STYLE = """
:root{color-scheme:light dark;--ink:#1c2024;--dim:#60646c;--line:#d9dce1;--page:#fff;--soft:#f5f6f8;--before:#8b8f98;
--after:#0b68cb;--good:#18794e;--bad:#c62a2f;--warn:#9a6700}
@media (prefers-color-scheme:dark){:root{--ink:#e6e8eb;--dim:#9ba1a6;--line:#35393f;--page:#16181b;--soft:#1f2226;
--before:#8b9098;--after:#5eb0ff;--good:#4cc38a;--bad:#ff6369;--warn:#e5b454}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--page);max-width:68rem;margin:2rem auto;
padding:0 1.2rem}
h1{font-size:1.5rem;margin:0 0 .3rem;padding-left:.7rem;border-left:6px solid}h1.passed{border-color:var(--good)}
h1.failed{border-color:var(--bad)}h2{font-size:1.1rem;margin:2.2rem 0 .6rem}h3{font-size:1rem;margin:1.2rem 0 .4rem}
p{margin:.3rem 0}.dim,small{color:var(--dim)}code{font:13px ui-monospace,monospace;overflow-wrap:anywhere}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;
padding:.35rem .7rem;border-bottom:1px solid var(--line)}th{color:var(--dim);font-weight:600;white-space:nowrap}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.passed,.better,.identical{color:var(--good)}.failed,.worse,.different{color:var(--bad)}.warning{color:var(--warn)}
h1.passed,h1.failed{color:inherit}.skipped,.luck,.same,.untested{color:var(--dim)}
details{border:1px solid var(--line);border-radius:6px;margin:.5rem 0;padding:.5rem .9rem}summary{cursor:pointer;
font-weight:600}ul{margin:.3rem 0;padding-left:1.2rem}.plots{display:flex;flex-wrap:wrap;gap:.6rem}
svg{max-width:100%;height:auto}svg text{fill:var(--ink);font:12px system-ui,sans-serif}svg text.tick{fill:var(--dim);
font-size:10px}svg text.title{font-weight:600}svg .grid{stroke:var(--line)}svg .even{stroke:var(--dim);
stroke-dasharray:4 4}svg line.before,svg polyline.before{stroke:var(--before)}svg line.after,
svg polyline.after{stroke:var(--after)}svg polyline{fill:none;stroke-width:1.8}svg line.before,
svg line.after{stroke-width:2}svg circle.before{fill:var(--before)}svg circle.after{fill:var(--after)}
.key::before{content:"";display:inline-block;width:.8em;height:.8em;border-radius:50%;margin:0 .35em 0 .8em}
.key.before::before{background:var(--before)}.key.after::before{background:var(--after)}
"""


def page(outcome: Outcome) -> str:
    """The report of an outcome as HTML."""
    runs = sorted(outcome.runs, key=importance)
    title = f"Furrow: {outcome.verdict}"
    body = "\n".join(
        part
        for part in (
            _top(outcome),
            _checks(outcome),
            _metrics(outcome, runs),
            _plots(runs),
            _changes(outcome),
            _slices(runs),
            _replays(outcome),
            _stages(outcome),
            _foot(outcome),
        )
        if part
    )
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style></head>\n<body>\n{body}\n</body></html>\n"
    )


def _table(
    heads: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[str] = ()
) -> str:
    """A table of cells that are HTML already."""
    places = {heads.index(name) for name in right}

    def cells(row: Sequence[str], tag: str) -> str:
        return "".join(
            f'<{tag} class="n">{cell}</{tag}>' if place in places else f"<{tag}>{cell}</{tag}>"
            for place, cell in enumerate(row)
        )

    body = "\n".join(f"<tr>{cells(row, 'td')}</tr>" for row in rows)
    head = f'<div class="scroll"><table><thead><tr>{cells(heads, "th")}</tr></thead>'
    return f"{head}\n<tbody>{body}</tbody></table></div>"


def _code(text: str) -> str:
    return f"<code>{escape(text)}</code>"


def _word(kind: str, text: str = "") -> str:
    return f'<span class="{escape(kind.replace(" ", "-"))}">{escape(text or kind)}</span>'


def _top(outcome: Outcome) -> str:
    state = "passed" if outcome else "failed"
    words = f"{_code(outcome.commit[:10])} {escape(outcome.subject)}"
    words += f' <span class="dim">by {escape(outcome.author)}</span>' if outcome.author else ""
    if outcome.base:
        words += f", against {_code(outcome.target)} at {_code(outcome.base[:10])}"
    lines = [f'<h1 class="{state}">Furrow: {escape(outcome.verdict)}</h1>', f"<p>{words}</p>"]
    for run in outcome.runs:
        if run.champion and run.measures:
            one = run.measures[0]
            before = (
                f", before {number(one.before)}: {_word(one.verdict, reality(one))}"
                if one.before
                else ""
            )
            lines.append(
                f"<p>Champion: {_code(run.experiment)}, {escape(one.metric)} {number(one.after)}{before}</p>"
            )
    if outcome.offered:
        lines.append(
            f"<p>The stages had not been run. CI ran them; the results are commit {_code(outcome.offered[:10])}.</p>"
        )
    if outcome.untrusted:
        held = escape(outcome.isolation or "no credentials")
        lines.append(f"<p>Run as a branch from outside: {held}, nothing pushed.</p>")
    return "\n".join(lines)


def _checks(outcome: Outcome) -> str:
    rows = []
    for check in outcome.checks:
        details = "".join(f"<li>{_code(line)}</li>" for line in check.details)
        finding = escape(check.text) + (f"<ul>{details}</ul>" if details else "")
        rows.append([escape(check.name), _word(check.status), finding, seconds(check.seconds)])
    return (
        "<h2>Checks</h2>" + _table(["check", "", "finding", "time"], rows, right=["time"])
        if rows
        else ""
    )


def _metrics(outcome: Outcome, runs: Sequence[RunReport]) -> str:
    if not runs:
        return ""
    rows = []
    for run in runs:
        for place, one in enumerate(run.measures):
            name = (
                _code(run.experiment) + (" <b>champion</b>" if run.champion else "")
                if place == 0
                else ""
            )
            state = (
                run.status + (", failed the gate" if run.passed is False else "")
                if place == 0
                else ""
            )
            before = f"{number(one.before)}<br><small>{span(one.before_span)}</small>"
            after = f"{number(one.after)}<br><small>{span(one.after_span)}</small>"
            rows.append(
                [
                    name,
                    escape(state),
                    escape(one.metric),
                    before,
                    after,
                    span(one.span, signed=True),
                    _word(one.verdict, reality(one)),
                ]
            )
    heads = ["experiment", "status", "metric", "before", "here", "difference", "is it real?"]
    charted = [(run.experiment, run.measures[0]) for run in runs if run.measures][:_CHARTED]
    chart = intervals(charted, metric=charted[0][1].metric) if charted else ""
    how = sorted({run.method for run in runs if run.method})
    note = f'<p class="dim">{escape("; ".join(how[:4]))}</p>' if how else ""
    target = escape(outcome.target or "before")
    sides = f'<span class="key before">{target}</span><span class="key after">here</span>'
    key = f'<p class="dim">Intervals of 95 %:{sides}</p>'
    return f"<h2>Metrics</h2>{key}{chart}{_table(heads, rows, right=heads[3:6])}{note}"


def _plots(runs: Sequence[RunReport]) -> str:
    drawn = [
        run for run in runs if run.curves and (run.champion or run.status in {"new", "changed"})
    ][:_PLOTTED]
    parts = []
    for run in drawn:
        pictures = "".join(curves(name, sides) for name, sides in run.curves.items())
        opened = " open" if run.champion or len(drawn) == 1 else ""
        parts.append(
            f'<details{opened}><summary>{escape(run.experiment)}</summary><div class="plots">{pictures}</div></details>'
        )
    return f"<h2>Plots</h2>{''.join(parts)}" if parts else ""


def _changes(outcome: Outcome) -> str:
    parts = []
    for kind in ("data", "features", "config", "code"):
        lines = outcome.changes.get(kind, ())
        if lines:
            items = "".join(f"<li>{_code(line)}</li>" for line in lines)
            parts.append(f"<h3>In {kind}</h3><ul>{items}</ul>")
    return f"<h2>What changed</h2>{''.join(parts)}" if parts else ""


def _slices(runs: Sequence[RunReport]) -> str:
    parts = []
    for run in [
        run for run in runs if run.slices and (run.champion or run.status in {"new", "changed"})
    ][:_PLOTTED]:
        rows = [
            [
                f"{escape(one.name)} = {escape(one.value)}",
                f"{one.rows:,}",
                escape(one.metric),
                number(one.before),
                number(one.after),
                span(one.after_span),
            ]
            for one in run.slices
        ]
        heads = ["slice", "rows", "metric", "before", "here", "95 %"]
        table = _table(heads, rows, right=["rows", "before", "here", "95 %"])
        parts.append(
            f"<details><summary>{escape(run.experiment)}: {len(rows)} slices</summary>{table}</details>"
        )
    return f"<h2>Slices</h2>{''.join(parts)}" if parts else ""


def _replays(outcome: Outcome) -> str:
    rows = [
        [
            _code(one.experiment),
            _word(one.status),
            str(one.stages),
            "<br>".join(escape(reason) for reason in one.reasons),
            seconds(one.seconds),
        ]
        for one in outcome.replays
    ]
    heads = ["experiment", "verdict", "stages", "why", "time"]
    return f"<h2>Replay</h2>{_table(heads, rows, right=['stages', 'time'])}" if rows else ""


def _stages(outcome: Outcome) -> str:
    rows = [
        [
            _code(one.name),
            escape(one.action),
            "<br>".join(escape(word) for word in one.why),
            seconds(one.seconds),
        ]
        for one in outcome.stages
    ]
    return (
        f"<h2>Stages</h2>{_table(['stage', '', 'why', 'time'], rows, right=['time'])}"
        if rows
        else ""
    )


def _foot(outcome: Outcome) -> str:
    words = [
        f"Furrow {outcome.furrow}".strip(),
        outcome.machine,
        outcome.started,
        seconds(outcome.seconds),
    ]
    return f'<p class="dim">{escape(", ".join(filter(None, words)))}</p>'
