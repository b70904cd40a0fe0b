"""What monitoring found, as one page that needs no network and runs nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from furrow.drawing.charts import lines
from furrow.drawing.page_shell import alone
from furrow.safe_text import html_text as escape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from furrow.monitoring.label_verdict import LabelVerdict
    from furrow.monitoring.monitor_run import Monitored
    from furrow.monitoring.score_shift import ScoreShift

__all__ = ["page"]

_DRAWN = 60


def page(environment: str, found: Monitored) -> str:
    """The page of a run of monitoring.

    Args:
        environment: Such as "production".
        found: What the run found.
    """
    alarms = _table(
        ["kind", "version", "since", "what", "id"],
        [[one.kind, one.model, one.since[:16], one.text, one.id] for one in found.alarms],
    )
    state = f"{len(found.alarms)} open alarms" if found.alarms else "no open alarm"
    notes = "".join(f"<p>{escape(one)}</p>" for one in found.notes)
    labels = "".join(_labels(version, one) for version, one in found.labels.items())
    shifts = "".join(_shift(version, one) for version, one in found.shifts.items())
    body = (
        f"<h1>Monitoring of {escape(environment)}: {state}</h1>{alarms}{notes}{shifts}"
        f"<h2>Predictions</h2>{_charts(found.windows)}{labels}"
    )
    return alone(f"Monitoring of {environment}", body)


def _charts(windows: Sequence[dict[str, Any]]) -> str:
    """Predictions and evidence of drift by window, a pair for each version."""
    parts = []
    for version in sorted({str(one["version"]) for one in windows}):
        some = [one for one in windows if one["version"] == version][-_DRAWN:]
        step = max(1, len(some) // 8)
        names = [
            str(one["window"])[5:10] if place % step == 0 else "" for place, one in enumerate(some)
        ]
        counts = [float(one["rows"]) for one in some]
        parts.append(f"<h3>{escape(version)}</h3>")
        parts.append(lines(names, counts, text=lambda value: f"{value:,.0f}", title="predictions"))
        drifted = [
            [str(one["window"])[:16], ", ".join(one["drifted"])]
            for one in some
            if one.get("drifted")
        ]
        parts.append(_table(["window", "drifted"], drifted))
    return "".join(parts) or '<p class="dim">No window has ended since the last run.</p>'


def _shift(version: str, one: ScoreShift) -> str:
    """What moved the mean score of a version that drifts."""
    if one.why:
        return f'<p class="soft">{escape(version)}: what moved its scores is unknown: {escape(one.why)}</p>'
    rows = [
        [each.column, f"{each.value:+.4f}", f"{each.low:+.4f} to {each.high:+.4f}"]
        for each in one.moved
    ]
    said = f"Its mean score was {one.before:.4f} in training, and is {one.after:.4f} in {one.rows:,} predictions."
    table = _table(["column", "moved it by", "interval"], rows)
    return f"<h2>{escape(version)}: what moved its scores</h2><p>{escape(said)}</p>{table}"


def _labels(version: str, one: LabelVerdict) -> str:
    states = ", ".join(f"{size:,} {name}" for name, size in sorted(one.states.items()))
    rows = [
        [
            each.slice or "all",
            each.metric,
            _number(each.value),
            f"{_number(each.low)} to {_number(each.high)}",
            f"{each.rows:,}",
            each.verdict,
        ]
        for each in one.tracked
    ]
    table = _table(["of", "metric", "value", "interval", "labels", "verdict"], rows)
    estimate = ""
    if one.estimate and one.estimate.metrics:
        said = ", ".join(f"{name} {value:.4f}" for name, value in one.estimate.metrics.items())
        estimate = f'<p class="dim">{escape(one.estimate.note)}: {escape(said)}</p>'
    gaps = [
        [
            gap.measure,
            gap.by,
            _number(gap.value),
            f"{_number(gap.low)} to {_number(gap.high)}",
            gap.verdict,
        ]
        for gap in one.gaps
    ]
    fair = _table(["fairness", "by", "gap", "interval", "verdict"], gaps)
    return f"<h2>{escape(version)}: labels</h2><p>{escape(states)}</p>{table}{estimate}{fair}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return ""
    head = "".join(f"<th>{escape(name)}</th>" for name in heads)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
