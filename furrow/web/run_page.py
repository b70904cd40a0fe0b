"""Run: everything about one run, with its curves, slices, replays, code and the command that makes it again."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from furrow.drawing.plots import plot
from furrow.errors import FurrowError, UsageError
from furrow.ground.gitobjects import iso_date
from furrow.history.metric_history import history
from furrow.history.named_run import run as load_run
from furrow.history.run_diff import flat
from furrow.history.show import curves, describe, patch
from furrow.history.trial_trailers import is_trial
from furrow.layout import run as run_folder
from furrow.layout import run_file
from furrow.replay.run_replays import replays_of
from furrow.training.metric_registry import ordered
from furrow.web.content import Drawing, Facts, Link, Mark, Note, Page, Section, Table, Text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from furrow.history.load import Run
    from furrow.history.show import Details
    from furrow.web.asked import Asked
    from furrow.web.content import Block, Cell
    from furrow.web.site import Site

__all__ = ["AXES", "curve_drawings", "number", "run"]

AXES = {
    "roc": ("false_positive_rate", "true_positive_rate", "ROC"),
    "pr": ("recall", "precision", "Precision and recall"),
    "calibration": ("predicted", "observed", "Calibration"),
}
"""x, y and title of the curves that have axes from 0 to 1."""
_LONGEST = 60_000
"""Characters of a text on a page: a card of 100 MB is no reason to send it."""
_SLICES, _IMPORTANT, _POINTS, _FOLDED = 200, 25, 400, 40


def run(site: Site, asked: Asked) -> Page:
    """The page of a run: `?run=NAME@REVISION`.

    Raises:
        UsageError: None is named.
        NoSuchRunError: There is no such run.
    """
    name = asked.one("run")
    if not name:
        raise UsageError("no run is named", hint="/run?run=NAME@REVISION; /runs lists them")
    found = load_run(name, repo=site.root)
    details = describe(found, replays_of)
    sections = [
        Section("", _about(site, found, details)),
        Section("Metrics", [_metrics(details), *_over_commits(site, found)]),
        Section("Curves", _curves(found, details)),
        Section("Slices", [_slices(details)]),
        Section("Config", [_pairs("config", details.config)]),
        Section("What it stands on", _stands(details)),
        Section("Replays", _replays(details)),
        Section("Code changed by the commit that made it", _code(found, details)),
        Section("Make it again", [Text("command", _again(details))]),
    ]
    notes = [Note(problem, "bad") for problem in details.problems]
    kept = [one for one in sections if one.blocks]
    return Page(
        "run",
        str(found),
        kept,
        str(details.config.get("description") or ""),
        notes,
        {"commit": found.commit},
    )


def number(value: Any) -> float | None:
    """A finite number, of anything that is one."""
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def _about(site: Site, found: Run, details: Details) -> list[Block]:
    made = details.made_by
    pairs: list[tuple[str, Cell]] = [
        ("commit", Link(found.commit[:10], "runs", {"rev": found.commit[:10]})),
        (
            "made by",
            f"{made['commit'][:10]}, {made['author']}: {made['subject']}" if made else None,
        ),
        ("made", _moment(made.get("date"))),
        ("problem", str(details.record.get("problem") or "") or None),
        ("task", str(details.record.get("task") or "") or None),
        ("model sha256", str(details.record.get("model_sha256") or "") or None),
        ("replay", _badge(details)),
    ]
    blocks: list[Block] = [Facts("about", pairs)]
    if is_trial(details.record):
        blocks.append(
            Note("A trial: it keeps no model, and of its predictions only their hash.", "warn")
        )
    if details.parent:
        before = {"run": [f"{found.name}@{details.parent[:10]}", str(found)]}
        blocks.append(
            Note("What changed since the commit before:", link=Link("compare", "compare", before))
        )
    text = found.text("card.md")
    if text:
        blocks.append(Text("Model card", _short(text), folded=True))
    elif text is None and (card := run_file(found.name, "card.md")) in site.files(
        found.commit, run_folder(found.name)
    ):
        said = f"The card is too large to be shown: git show {found.commit[:10]}:{card}"
        blocks.append(Note(said, "warn"))
    return blocks


def _moment(value: Any) -> str | None:
    """A moment to the minute, of one in ISO 8601."""
    text = str(value or "")
    return text[:16].replace("T", " ") if len(text) > 16 else text or None


def _short(text: str) -> str:
    if len(text) <= _LONGEST:
        return text
    return f"{text[:_LONGEST]}\n… {len(text) - _LONGEST:,} more characters are not shown here."


def _badge(details: Details) -> Mark:
    """What the newest replay says of this run's own stages."""
    held = [one for one in details.replays if one.get("holds")]
    if not held:
        return (
            Mark("never replayed", "dim")
            if not details.replays
            else Mark("a note that does not hold", "bad")
        )
    own = held[-1].get("own") or {}
    status = str(own.get("status") or held[-1].get("status") or "")
    return Mark(status, "good" if status in {"identical", "equal"} else "warn")


def _metrics(details: Details) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for name in ordered(details.metrics):
        span = details.intervals.get(name)
        low, high = (span.get("low"), span.get("high")) if isinstance(span, dict) else (None, None)
        rows.append((name, details.metrics[name], number(low), number(high)))
    return Table(
        "metrics", ("metric", "value", "low", "high"), rows, empty="No metric yet. Next: dvc repro"
    )


def _over_commits(site: Site, found: Run) -> list[Block]:
    """The first metric over the commits before, where it moved."""
    try:
        known = history(site.root, found.name, rev=found.commit)
    except FurrowError:
        return []
    points = [
        (float(at), one.value) for at, one in enumerate(known.points) if one.value is not None
    ]
    if len({value for _, value in points}) < 2:
        return []
    title = f"{known.metric} over {len(known.points)} commits, oldest first"
    rows = [
        (one.commit[:10], iso_date(one.time), one.value, one.subject)
        for one in known.points[-_POINTS:]
    ]
    table = Table("history", ("commit", "date", known.metric, "subject"), rows)
    return [
        Drawing(
            title,
            plot({known.metric: points}, title=title, across="commits", up=known.metric),
            table,
        )
    ]


def _curves(found: Run, details: Details) -> list[Block]:
    known = curves(found)
    blocks: list[Block] = [*curve_drawings({details.run: known})]
    if known.get("importance"):
        pairs = [tuple(row.values())[:2] for row in known["importance"]]
        rows = sorted(
            ((str(name), number(value)) for name, value in pairs), key=lambda one: -(one[1] or 0.0)
        )
        blocks.append(
            Table("importance", ("feature", "importance"), rows[:_IMPORTANT], total=len(rows))
        )
    for name, rows_of in known.items():
        if name not in AXES and name != "importance" and rows_of:
            blocks += _other(name, rows_of)
    return blocks


def curve_drawings(runs: Mapping[str, Mapping[str, Sequence[Mapping[str, str]]]]) -> list[Drawing]:
    """The curves with axes from 0 to 1 of several runs, each kind over one another.

    Args:
        runs: Rows of each curve, by run and curve.
    """
    drawings = []
    for name, (x, y, title) in AXES.items():
        series = {}
        for label, known in runs.items():
            points = [(number(row.get(x)), number(row.get(y))) for row in known.get(name, ())]
            series[label] = [(a, b) for a, b in points if a is not None and b is not None]
        series = {label: points for label, points in series.items() if points}
        if series:
            rows = [(label, a, b) for label, points in series.items() for a, b in points[:_POINTS]]
            across, up = x.replace("_", " "), y.replace("_", " ")
            table = Table(name, ("run", across, up), rows)
            drawings.append(
                Drawing(
                    title,
                    plot(series, title=title, across=across, up=up, even=name != "pr", unit=True),
                    table,
                )
            )
    return drawings


def _other(name: str, rows: Sequence[Mapping[str, str]]) -> list[Block]:
    """A curve of the project's own: the first column across, every other column of numbers a line."""
    heads = [head for head in rows[0] if head is not None]
    if len(heads) < 2:
        return []
    across = [number(row.get(heads[0])) for row in rows]
    series = {}
    for head in heads[1:8]:
        values = [number(row.get(head)) for row in rows]
        points = [
            (a, b) for a, b in zip(across, values, strict=True) if a is not None and b is not None
        ]
        if points:
            series[head] = points
    table = Table(
        name,
        heads,
        [tuple(row.get(head) for head in heads) for row in rows[:_POINTS]],
        total=len(rows),
    )
    return [Drawing(name, plot(series, title=name, across=heads[0]), table)] if series else [table]


def _slices(details: Details) -> Table:
    rows = [one for one in details.slices if isinstance(one, dict)]
    named = {name for row in rows for name in row if not name.endswith(("_low", "_high"))}
    metrics = ordered(
        {name for name in named if any(isinstance(row.get(name), int | float) for row in rows)}
        - {"rows"}
    )
    heads = [name for name in ("slice", "value", "rows") if name in named]
    columns = [*heads, *metrics[:5]]
    cells = [tuple(_value(row.get(name)) for name in columns) for row in rows[:_SLICES]]
    folded = f"{len(rows):,} slices" if len(rows) > _FOLDED else ""
    return Table("slices", columns, cells, empty="No slices.", total=len(rows), folded=folded)


def _value(value: Any) -> Cell:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _pairs(name: str, value: dict[str, Any]) -> Table:
    rows = [(key, _value(inner)) for key, inner in flat(value).items()]
    folded = f"{len(rows)} values" if len(rows) > _FOLDED else ""
    return Table(name, ("key", "value"), rows, empty=f"No {name}.", raw=True, folded=folded)


def _stands(details: Details) -> list[Block]:
    features = details.features
    outs = [
        (one.path, one.md5, one.size, one.files) for one in (details.data, *details.outputs) if one
    ]
    names = [(str(name),) for name in features.get("names") or []]
    service = str(features.get("service") or "")
    pairs: list[tuple[str, Cell]] = [
        ("feature service", Link(service, "features", {"name": service}) if service else None),
        ("features digest", str(features.get("digest") or "") or None),
    ]
    blocks: list[Block] = [
        Facts("stands on", pairs),
        Table(
            "features", ("feature",), names, empty="No features.", folded=f"{len(names)} features"
        ),
        Table(
            "data", ("path", "md5", "bytes", "files"), outs, empty="dvc.lock names no data of it."
        ),
        _pairs("environment", details.environment),
    ]
    if details.resources:
        columns = ("stage", "seconds", "cpu_seconds", "peak_mb")
        rows = [tuple(_value(line.get(name)) for name in columns) for line in details.resources]
        blocks.append(Table("resources", columns, rows))
    return blocks


def _replays(details: Details) -> list[Block]:
    rows: list[tuple[Cell, ...]] = [
        (
            str(one.get("commit", ""))[:10],
            str(one.get("started") or "") or None,
            Mark(str(one.get("status") or "?"), "good" if one.get("holds") else "bad"),
            str((one.get("own") or {}).get("status") or "") or None,
            Mark("yes", "good")
            if one.get("holds")
            else Mark("; ".join(map(str, one.get("problems", ()))) or "no", "bad"),
        )
        for one in details.replays
    ]
    empty = f"Never replayed. Next: furrow replay {details.commit[:10]}"
    return [
        Table(
            "replays",
            ("commit", "when", "all stages", "its own", "the note holds"),
            rows,
            empty=empty,
        )
    ]


def _code(found: Run, details: Details) -> list[Block]:
    rows = [(path, added, deleted) for path, added, deleted in details.code]
    blocks: list[Block] = [
        Table(
            "code",
            ("file", "added", "deleted"),
            rows[:_POINTS],
            empty="None.",
            total=len(rows),
            folded=f"{len(rows):,} files" if len(rows) > _FOLDED else "",
        )
    ]
    text = patch(found, details) if rows else ""
    return [*blocks, Text("patch", _short(text), folded=True)] if text else blocks


def _again(details: Details) -> str:
    name = details.run.rpartition("@")[0]
    commit = (details.made_by.get("commit") or details.commit)[:10]
    return f"furrow replay {commit} --experiment {name}\ngit checkout {commit} && dvc repro evaluate@{name}"
