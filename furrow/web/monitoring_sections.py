"""What monitoring found, as parts of a page: of the state that it left, and of one run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from furrow.drawing.charts import lines
from furrow.drawing.plots import plot
from furrow.drawing.strips import strips
from furrow.web.content import Drawing, Link, Mark, Note, Section, Table
from furrow.web.plain_values import number

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from furrow.monitoring.alarm_book import Alarm
    from furrow.monitoring.score_shift import ScoreShift
    from furrow.web.content import Block

__all__ = ["alarm_table", "label_sections", "over_time", "shift_sections", "window_sections"]

_DRAWN, _LISTED = 60, 200
_KINDS = {
    "surely worse": "bad",
    "surely better": "good",
    "as evaluated": "good",
    "broken": "bad",
    "holds": "good",
    "unsure": "warn",
}

Window = dict[str, Any]


def alarm_table(alarms: Iterable[Alarm]) -> Table:
    """Alarms, the open ones first."""
    ordered = sorted(alarms, key=lambda one: (not one.open, one.since))
    rows = [
        (Mark("open", "bad") if one.open else Mark("closed", "dim"), one.kind, one.subject, one.model,
         one.since, one.text, one.acknowledged or None, Mark(one.id, "code"))
        for one in ordered[:_LISTED]
    ]  # fmt: skip
    heads = ("state", "kind", "about", "version", "since", "what", "seen by", "id")
    return Table("alarms", heads, rows, empty="No alarm was ever raised.", total=len(ordered))


def window_sections(history: Sequence[Window]) -> list[Section]:
    """Predictions and latency by window, the evidence of drift, and which feature drifted when."""
    return [
        Section("Predictions by window", _windows(history)),
        Section("Drift by feature", [*_drift_over_time(history), _drift(history)]),
    ]


def _versions(history: Sequence[Window]) -> dict[str, list[Window]]:
    found: dict[str, list[Window]] = {}
    for one in history:
        found.setdefault(str(one["version"]), []).append(one)
    return {version: some[-_DRAWN:] for version, some in sorted(found.items())}


def _windows(history: Sequence[Window]) -> list[Block]:
    blocks: list[Block] = []
    for version, some in _versions(history).items():
        step = max(1, len(some) // 8)
        names = [str(one["window"])[5:10] if at % step == 0 else "" for at, one in enumerate(some)]
        rows = [
            (
                str(one["window"])[:16],
                int(one["rows"]),
                one.get("latency_ms"),
                one.get("evidence"),
                ", ".join(one.get("drifted") or ()) or None,
            )
            for one in some
        ]
        heads = ("window", "predictions", "ms", "evidence of drift", "drifted")
        title = f"Predictions of {version} by window"
        counts = [float(one["rows"]) for one in some]
        drawn = lines(names, counts, text=lambda value: f"{value:,.0f}", title=title)
        where = Link("its evidence", "models", {"version": version})
        blocks += [
            Note(f"Version {version}:", link=where),
            Drawing(title, drawn, Table(f"windows-{version}", heads, rows)),
        ]
        slow = [number(one.get("latency_ms")) for one in some]
        if any(slow):
            said = f"Milliseconds for a prediction of {version}"
            drawn = lines(
                names, [one or 0.0 for one in slow], text=lambda ms: f"{ms:.3g}", title=said
            )
            blocks.append(Drawing(said, drawn))
    return blocks or [Note("No window has ended yet.")]


def _drift_over_time(history: Sequence[Window]) -> list[Block]:
    """The evidence of drift of each version, and the windows in which each feature drifted."""
    evidence: dict[str, list[tuple[float, float]]] = {}
    windows = sorted({str(one["window"]) for one in history})[-_DRAWN:]
    place = {window: at for at, window in enumerate(windows)}
    drifted: dict[str, list[bool]] = {}
    for one in history:
        at = place.get(str(one["window"]))
        if at is None:
            continue
        value = number(one.get("evidence"))
        if value is not None:
            evidence.setdefault(str(one["version"]), []).append((float(at), value))
        for feature in one.get("drifted") or ():
            drifted.setdefault(str(feature), [False] * len(windows))[at] = True
    blocks: list[Block] = []
    if any(len(points) > 1 for points in evidence.values()):
        title = "Evidence of drift by window"
        across = f"windows, {windows[0][:10]} to {windows[-1][:10]}"
        drawn = plot(evidence, title=title, across=across, up="evidence (logarithm)")
        rows = [
            (version, windows[int(at)][:16], value)
            for version, points in evidence.items()
            for at, value in points
        ]
        table = Table("evidence", ("version", "window", "evidence"), rows)
        blocks.append(Drawing(title, drawn, table))
    if drifted:
        order = sorted(drifted, key=lambda name: (-sum(drifted[name]), name))
        title = "When each feature drifted"
        names = [window[:10] for window in windows]
        drawn = strips(names, {name: drifted[name] for name in order}, title=title)
        blocks.append(Drawing(title, drawn, broad=True))
    return blocks


def _drift(history: Sequence[Window]) -> Table:
    """How often each feature drifted, and when last."""
    found: dict[tuple[str, str], list[str]] = {}
    for one in history:
        for feature in one.get("drifted") or ():
            key = str(feature), str(one["version"])
            found.setdefault(key, []).append(str(one["window"])[:16])
    rows = [
        (feature, version, len(when), when[0], when[-1])
        for (feature, version), when in found.items()
    ]
    rows.sort(key=lambda one: (-one[2], one[0]))
    heads = ("feature", "version", "windows", "first", "last")
    return Table("drift", heads, rows, empty="No feature drifted.")


def label_sections(labels: Mapping[str, Mapping[str, Any]]) -> list[Section]:
    """Performance by labels that have come, estimates before they do, and fairness, of each version.

    Args:
        labels: By version, as `LabelVerdict.to_json` tells them.
    """
    found = []
    for version, one in labels.items():
        states = ", ".join(f"{int(n):,} {name}" for name, n in sorted(one["states"].items()))
        late = int(one.get("late") or 0)
        about = f"Of its predictions: {states}." + (f" {late:,} labels came late." if late else "")
        blocks: list[Block] = [Note(about), _tracked(version, one), *_estimate(one)]
        if one.get("fairness"):
            blocks.append(_gaps(version, one))
        found.append(Section(f"What labels say of {version}", blocks))
    return found


def shift_sections(shifts: Mapping[str, ScoreShift]) -> list[Section]:
    """What moved the mean score of each version that drifts."""
    found = []
    for version, one in shifts.items():
        if one.why:
            blocks: list[Block] = [Note(f"What moved them is unknown: {one.why}")]
        else:
            said = (
                f"Their mean was {one.before:.4f} in training, and is {one.after:.4f}"
                f" in {one.rows:,} predictions."
            )
            rows = [(each.column, each.value, each.low, each.high) for each in one.moved]
            heads = ("column", "moved it by", "low", "high")
            blocks = [Note(said), Table(f"moved-{version}", heads, rows)]
        found.append(Section(f"What moved the scores of {version}", blocks))
    return found


def _tracked(version: str, one: Mapping[str, Any]) -> Table:
    rows = [
        (
            each["slice"] or "all",
            each["metric"],
            each["value"],
            each["low"],
            each["high"],
            "–".join(f"{end:.4g}" for end in each["expected"]) if each.get("expected") else None,
            int(each["rows"]),
            Mark(each["verdict"], _KINDS.get(each["verdict"], "dim")),
        )
        for each in one.get("performance") or ()
    ]
    heads = ("of", "metric", "value", "low", "high", "as evaluated", "labels", "verdict")
    return Table(f"performance-{version}", heads, rows[:_LISTED], empty="No label has come yet.")


def _estimate(one: Mapping[str, Any]) -> list[Block]:
    estimate = one.get("estimate")
    if not estimate or not estimate.get("metrics"):
        return []
    said = ", ".join(f"{name} {value:.4f}" for name, value in estimate["metrics"].items())
    return [Note(f"{estimate.get('note', '')}: {said}")]


def _gaps(version: str, one: Mapping[str, Any]) -> Table:
    rows = [
        (gap["measure"], gap["by"], gap["value"], gap["low"], gap["high"], gap["limit"],
         Mark(gap["verdict"], _KINDS.get(gap["verdict"], "warn")))
        for gap in one["fairness"]
    ]  # fmt: skip
    heads = ("measure", "between groups of", "gap", "low", "high", "allowed", "verdict")
    return Table(f"fairness-{version}", heads, rows)


def over_time(performance: Sequence[Mapping[str, Any]]) -> list[Block]:
    """Each metric as it was at each run of monitoring, a line for each version.

    Args:
        performance: `{at, version, metric, value, low, high, rows}` of each, the newest last.
    """
    moments = sorted({str(one["at"]) for one in performance})[-400:]
    place = {moment: float(at) for at, moment in enumerate(moments)}
    series: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for one in performance:
        value = number(one.get("value"))
        if value is not None and str(one["at"]) in place:
            lines_of = series.setdefault(str(one["metric"]), {})
            lines_of.setdefault(str(one["version"]), []).append((place[str(one["at"])], value))
    blocks: list[Block] = []
    for metric, versions in series.items():
        if all(len(points) < 2 for points in versions.values()):
            continue
        title = f"{metric} by labels that had come"
        across = f"runs of monitoring, {moments[0][:10]} to {moments[-1][:10]}"
        rows = [
            (
                str(one["at"])[:16],
                str(one["version"]),
                one["value"],
                one["low"],
                one["high"],
                one["rows"],
            )
            for one in performance
            if one["metric"] == metric
        ]
        table = Table(
            f"over-time-{metric}", ("at", "version", "value", "low", "high", "labels"), rows
        )
        drawn = plot(versions, title=title, across=across, up=metric)
        blocks.append(Drawing(title, drawn, table))
    return blocks
