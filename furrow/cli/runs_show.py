"""`furrow runs show`: everything about one run."""

from __future__ import annotations

import math
from dataclasses import asdict
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from furrow.cli.completed_names import run_names
from furrow.cli.plots import bars, chart
from furrow.cli.runs_render import as_json, cell, grid
from furrow.cli.terminal import say, say_block
from furrow.errors import UsageError
from furrow.history.metric_order import METRIC_ORDER
from furrow.history.named_run import run
from furrow.history.shown_values import setting
from furrow.history.trial_trailers import is_trial
from furrow.plurals import number_of
from furrow.safe_text import line
from furrow.training.metric_registry import ordered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from furrow.history.show import Details
    from furrow.history.standings import Standing

__all__ = ["command"]

CODE_LINES = 400
WIDE = 90
CURVES = {
    "roc": ("false_positive_rate", "true_positive_rate", "ROC: true over false positive rate"),
    "pr": ("recall", "precision", "Precision over recall"),
    "calibration": ("predicted", "observed", "Calibration: observed over predicted"),
}


@click.command("show")
@click.argument("run_name", metavar="RUN", shell_complete=run_names)
@click.option(
    "--plots",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write plots as PNG there.",
)
@click.option("--code", is_flag=True, help="The code's changes as a patch.")
@click.option(
    "--section",
    "sections",
    multiple=True,
    metavar="NAME",
    help="Show this part alone, such as metrics; may be given several times.",
)
@click.option("--json", "as_text", is_flag=True, help="As JSON.")
def command(
    run_name: str, folder: Path | None, code: bool, sections: tuple[str, ...], as_text: bool
) -> None:
    """Show everything about RUN: NAME (at HEAD), NAME@REVISION or REVISION:NAME."""
    found = run(run_name)
    # These read Parquet and DVC's files, which `--help` does not.
    from furrow.history import show  # noqa: PLC0415
    from furrow.replay.run_replays import replays_of  # noqa: PLC0415

    details = show.describe(found, replays_of)
    curves = show.curves(found)
    if folder is not None:
        # Only who wants files waits for matplotlib.
        from furrow.history.figures import curve_files  # noqa: PLC0415

        for path in curve_files(curves, folder, title=str(found)):
            say(f"wrote {path}", err=True)
    if as_text:
        value = {"format": 1, **asdict(details), "curves": curves}
        say_block(as_json(value | ({"patch": show.patch(found, details)} if code else {})))
        return
    parts = [*_parts(details, _standing(details)), *_plots(curves)]
    for title, lines in _chosen(parts, sections):
        if lines:
            say_block(f"{line(title)}\n{lines}\n")
    if code:
        say_block(_short(show.patch(found, details)))


def _chosen(parts: list[tuple[str, str]], sections: Sequence[str]) -> list[tuple[str, str]]:
    """The parts that were asked for: all, or those whose titles begin so.

    Raises:
        UsageError: There is no such part.
    """
    if not sections:
        return parts
    titles = {title.lower(): title for title, lines in parts[1:] if lines}
    chosen = []
    for asked in sections:
        fits = [title for low, title in titles.items() if low.startswith(asked.lower())]
        if not fits:
            close = get_close_matches(asked.lower(), titles, n=1, cutoff=0.3)
            meant = f"; did you mean {close[0]}?" if close else ""
            raise UsageError(
                f"--section: this run has no part {asked!r}{meant}",
                hint=f"it has {', '.join(titles)}",
            )
        chosen += fits
    return [(title, lines) for title, lines in parts if title in chosen]


def _parts(found: Details, standing: Standing | None) -> list[tuple[str, str]]:
    return [
        (found.run, _headline(found, standing) + _made(found)),
        ("Tried", _trial(found)),
        ("Problems", "".join(f"{problem}\n" for problem in found.problems)),
        ("Metrics", _metrics(found)),
        ("Config", _pairs(_flat(found.config))),
        ("Slices", _slices(found)),
        ("Features", _features(found)),
        ("Data", _data(found)),
        ("Environment", _pairs(_flat(found.environment))),
        ("Made here in", _resources(found)),
        ("Replayed", _replays(found)),
        ("Code changed by that commit", _code(found)),
    ]


def _headline(found: Details, standing: Standing | None) -> str:
    """What it is, on what, and how good, in a line or two: the gate's metric first."""
    problem, rows = found.record.get("problem"), found.metrics.get("rows")
    model = found.config.get("model")
    made_of = [
        f"of {problem}" if problem else "",
        f"with {found.features['service']}" if found.features.get("service") else "",
        (
            f"by {cell(model['_target_']).rpartition('.')[2]}"
            if isinstance(model, dict) and model.get("_target_")
            else ""
        ),
        f"{rows:,} rows" if isinstance(rows, int) else "",
    ]
    order = (*((standing.metric,) if standing else ()), *METRIC_ORDER, *found.metrics)
    names = [name for name in dict.fromkeys(order) if name in found.metrics]
    first = [
        f"{name} {cell(found.metrics[name])}{_between(found.intervals[name])}"
        for name in names
        if name in found.intervals
    ]
    verdict = standing.verdicts.get(_name(found), "") if standing else ""
    said = f"{verdict}: " if verdict and first else verdict
    lines = (", ".join(filter(None, made_of)), said + ", ".join(first[:3]))
    return "".join(f"{text}\n" for text in lines if text)


def _name(found: Details) -> str:
    return found.run.rpartition("@")[0]


def _standing(found: Details) -> Standing | None:
    """What the gate said of the run's problem at its commit; None where it said nothing of the run."""
    from furrow.history.standings import standings  # noqa: PLC0415 - after --help

    known = standings(Path.cwd(), found.commit)
    return next((one for one in known if _name(found) in one.verdicts), None)


def _between(span: object) -> str:
    low, high = (span.get("low"), span.get("high")) if isinstance(span, dict) else (None, None)
    return f" ({cell(low)} to {cell(high)})" if low is not None and high is not None else ""


def _made(found: Details) -> str:
    if not found.made_by:
        return ""
    made = found.made_by
    return (
        f"made by {made['commit'][:10]}, {made['date']}, {cell(made['author'])}:"
        f" {cell(made['subject'])}\n"
    )


def _trial(found: Details) -> str:
    if not is_trial(found.record):
        return ""
    rows = [
        (key.replace("_", " "), value)
        for key, value in found.trial.items()
        if value and key != "name"
    ]
    name = cell(found.trial.get("name") or found.commit[:10], widest=WIDE)
    said = "A trial keeps no model, and of its predictions only their hash: "
    return (
        _pairs(rows)
        + said
        + f"`dvc exp apply {name}` and `dvc repro` make them, or `furrow adopt {name} as NAME`\n"
    )


def _flat(value: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = []
    for key, inner in value.items():
        if isinstance(inner, dict) and inner:
            rows.extend(_flat(inner, f"{prefix}{key}."))
        else:
            rows.append((f"{prefix}{key}", inner))
    return rows


def _pairs(rows: list[tuple[str, Any]]) -> str:
    shown = [[key, setting(value, widest=WIDE)] for key, value in rows]
    return grid(["key", "value"], shown) if shown else ""


def _metrics(found: Details) -> str:
    rows = []
    for name, value in found.metrics.items():
        span = found.intervals.get(name)
        low, high = (span.get("low"), span.get("high")) if isinstance(span, dict) else (None, None)
        rows.append(
            [
                name,
                cell(value),
                f"{cell(low)} to {cell(high)}" if low is not None and high is not None else "",
            ]
        )
    about = found.intervals.get("_about")
    confidence = about.get("confidence") if isinstance(about, dict) else None
    head = f"{confidence:.0%} interval" if isinstance(confidence, float) else "interval"
    return grid(["metric", "value", head], rows) if rows else ""


def _slices(found: Details) -> str:
    rows = []
    metric = next(
        (name for name in ordered(found.metrics) if any(name in row for row in found.slices)), ""
    )
    for row in found.slices:
        low, high = row.get(f"{metric}_low"), row.get(f"{metric}_high")
        span = f"{cell(low)} to {cell(high)}" if low is not None and high is not None else ""
        shown = (
            row.get("slice"),
            row.get("value"),
            row.get("rows"),
            row.get("prevalence"),
            row.get(metric),
        )
        rows.append([*map(cell, shown), span])
    return grid(["slice", "value", "rows", "prevalence", metric, "interval"], rows) if rows else ""


def _features(found: Details) -> str:
    names = found.features["names"]
    if not found.features["service"] and not names:
        return ""
    head = (
        f"service {found.features['service']}, digest {str(found.features['digest'])[:16]},"
        f" {number_of(len(names), 'feature')}\n"
    )
    return head + "".join(f"  {cell(name)}\n" for name in names)


_REFITTED = {
    "train": " (all of them for the model that is kept)",
    "test": " (each predicted by a model of the periods before it)",
}
"""What periods are for, where the model that was judged is fitted once more on all of them."""


def _data(found: Details) -> str:
    lines = []
    if found.data:
        size = f", {found.data.size:,} bytes" if found.data.size else ""
        lines.append(f"data {found.data.md5}, {found.data.files or '?'} files{size}")
    months = found.record.get("periods") or found.record.get("months")
    if isinstance(months, dict):
        parts = {part: value for part, value in months.items() if isinstance(value, list)}
        again = set(map(str, parts.get("test", ()))) & set(map(str, parts.get("train", ())))
        lines += [
            f"{part}: {' '.join(map(str, value))}{_REFITTED.get(part, '') if again else ''}"
            for part, value in parts.items()
        ]
    rows = found.record.get("rows")
    if isinstance(rows, dict):
        lines.append(
            ", ".join(
                f"{value:,} {part} rows" for part, value in rows.items() if isinstance(value, int)
            )
        )
    lines += [f"{output.path} {output.md5}" for output in found.outputs]
    return "".join(f"{line}\n" for line in lines)


def _resources(found: Details) -> str:
    rows = [
        [
            cell(line.get("stage")),
            *(
                cell(round(v, 1)) if isinstance(v := line.get(key), (int, float)) else ""
                for key in _MEASURES
            ),
        ]
        for line in found.resources
    ]
    return grid(["stage", "seconds", "CPU seconds", "peak MB"], rows) if rows else ""


_MEASURES = ("seconds", "cpu_seconds", "peak_mb")


def _replays(found: Details) -> str:
    lines = []
    for one in found.replays:
        if one["holds"]:
            place = (
                f"on {cell(one['where'])}, Python {cell(one['python'])}, {cell(one['platform'])},"
                f" {one['started']}"
            )
            lines.append(f"{one['commit'][:10]}: {_outcome(one)}, {place}\n")
            continue
        said = f", which says {cell(one['status'])}," if "status" in one else ""
        lines.append(
            f"{one['commit'][:10]}: a note{said} does NOT hold:"
            f" {cell(one['problems'][0], widest=WIDE)}\n"
        )
    return "".join(lines) or "not yet: `furrow replay` does it\n"


def _outcome(one: dict[str, Any]) -> str:
    """The run's own stages, then what else was replayed."""
    own = one["own"]
    scope = " ".join(one["scope"].values()) or "the whole commit"
    whole = f"{cell(scope)} {_said(one)}"
    if not own["stages"]:
        return f"none of its own stages; {whole}"
    mine = f"{_said(own)} ({cell(' '.join(own['stages']))})"
    return mine if [one["scope"].get("stage")] == own["stages"] else f"{mine}; {whole}"


def _said(part: dict[str, Any]) -> str:
    if part["first"]:
        return f"{cell(part['status'])}, first at {cell(part['first'])}"
    return cell(part["status"]) + ("" if part["trusted"] else ", reading what it does not declare")


def _code(found: Details) -> str:
    rows = [
        [cell(p), "binary" if a is None else str(a), "" if d is None else str(d)]
        for p, a, d in found.code
    ]
    return grid(["file", "added", "deleted"], rows) if rows else ""


def _plots(curves: dict[str, list[dict[str, str]]]) -> list[tuple[str, str]]:
    parts = []
    for name, (x, y, title) in CURVES.items():
        points = [(_float(row.get(x)), _float(row.get(y))) for row in curves.get(name, [])]
        if points:
            parts.append((title, chart(points, width=40, height=10, low=0.0, high=1.0)))
    if importance := curves.get("importance"):
        keys = list(importance[0])
        values = [
            (cell(row.get(keys[0])), _float(row.get(keys[1])))
            for row in importance
            if len(keys) > 1
        ]
        parts.append(("Importance", bars(sorted(values, key=lambda pair: -pair[1])[:15])))
    return parts


def _float(text: str | None) -> float:
    try:
        return float(text) if text else math.nan
    except ValueError:
        return math.nan


def _short(patch: str) -> str:
    """A patch, cut short."""
    shown = patch.split("\n")
    if len(shown) > CODE_LINES:
        shown = [*shown[:CODE_LINES], f"({len(shown) - CODE_LINES} more lines: `git show`)"]
    return "\n".join(shown) + "\n"
