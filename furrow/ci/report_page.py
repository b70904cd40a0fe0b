"""The report as one self-contained HTML file: no script, no link, nothing that is fetched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from furrow.ci.report_markdown import change, importance, number, reality, seconds, span
from furrow.ci.what_to_do import what_to_do
from furrow.drawing.curves import curves, intervals
from furrow.drawing.page_shell import alone
from furrow.safe_text import html_text as escape

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from furrow.ci.outcome import Outcome, RunReport

__all__ = ["page"]

_PLOTTED = 40
_CHARTED = 30


def page(outcome: Outcome) -> str:
    """The report of an outcome as HTML."""
    runs = sorted(outcome.runs, key=importance)
    title = f"Furrow: {outcome.verdict}"
    body = "\n".join(
        part
        for part in (
            _top(outcome),
            _next(outcome),
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
    return alone(title, body)


def _table(
    heads: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[str] = ()
) -> str:
    """A table of cells that are HTML already."""
    places = {heads.index(name) for name in right}

    def cells(row: Sequence[str], tag: str) -> str:
        drawn = []
        for place, cell in enumerate(row):
            number = ' class="n"' if place in places else ""
            said = f' data-is="{heads[place]}"' if tag == "td" else ""
            held = f"<div>{cell}</div>" if said and cell else cell
            drawn.append(f"<{tag}{number}{said}>{held}</{tag}>")
        return "".join(drawn)

    body = "\n".join(f"<tr>{cells(row, 'td')}</tr>" for row in rows)
    head = (
        f'<div class="scroll"><table class="stacked"><thead><tr>{cells(heads, "th")}</tr></thead>'
    )
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
                f"<p>Champion: {_code(run.experiment)}, {escape(one.metric)}"
                f" {number(one.after)}{before}</p>"
            )
    if outcome.offered:
        lines.append(
            "<p>The stages had not been run. CI ran them; the results are commit"
            f" {_code(outcome.offered[:10])}.</p>"
        )
    if outcome.untrusted:
        held = escape(outcome.isolation or "no credentials")
        lines.append(f"<p>Run as a branch from outside: {held}, nothing pushed.</p>")
    return "\n".join(lines)


def _next(outcome: Outcome) -> str:
    """The card with what to do."""
    steps = []
    for step in what_to_do(outcome):
        parts = step.split("`")
        words = (_code(part) if at % 2 else escape(part) for at, part in enumerate(parts))
        steps.append(f"<li>{''.join(words)}</li>")
    side = "good" if outcome else "bad"
    return (
        f'<div class="card {side}"><h2>What to do</h2><ol>{"".join(steps)}</ol></div>'
        if steps
        else ""
    )


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
    changed = [run for run in runs if run.champion or run.status != "unchanged"]
    same = [run for run in runs if run not in changed]
    heads = ["experiment", "status", "metric", "before", "here", "change, 95 %", "is it real?"]
    compared = changed or same
    charted = [(run.experiment, run.measures[0]) for run in compared if run.measures][:_CHARTED]
    chart = intervals(charted, metric=charted[0][1].metric) if charted else ""
    how = sorted({run.method for run in runs if run.method})
    note = f'<p class="dim">{escape("; ".join(how[:4]))}</p>' if how else ""
    target = escape(outcome.target or "before")
    sides = f'<span class="key before">{target}</span><span class="key after">here</span>'
    key = f'<p class="dim">Intervals of 95 %:{sides}</p>'
    table = _table(heads, _compared(changed), right=heads[3:6]) if changed else ""
    if same:
        many = f"{len(same)} experiment{'s' * (len(same) != 1)} unchanged"
        inside = _table(heads, _compared(same), right=heads[3:6])
        table += f"<details><summary>{many}</summary>{inside}</details>"
    scrolled = f'<div class="scroll">{chart}</div>' if chart else ""
    return f"<h2>Metrics</h2>{key}{scrolled}{table}{note}"


def _compared(runs: Sequence[RunReport]) -> list[list[str]]:
    """A row for each metric of each run."""
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
            cells = [name, escape(state), escape(one.metric), before, after, change(one)]
            rows.append([*cells, _word(one.verdict, reality(one))])
    return rows


def _plots(runs: Sequence[RunReport]) -> str:
    drawn = [
        run for run in runs if run.curves and (run.champion or run.status in {"new", "changed"})
    ][:_PLOTTED]
    parts = []
    for run in drawn:
        pictures = "".join(curves(name, sides) for name, sides in run.curves.items())
        opened = " open" if run.champion or len(drawn) == 1 else ""
        parts.append(
            f"<details{opened}><summary>{escape(run.experiment)}</summary><div"
            f' class="plots">{pictures}</div></details>'
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
            f"<details><summary>{escape(run.experiment)}: {len(rows)}"
            f" slices</summary>{table}</details>"
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
