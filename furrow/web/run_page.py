"""Run: everything about one run, with its curves, slices, replays, code and the command that makes it again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from furrow.drawing.plots import plot
from furrow.errors import FurrowError, UsageError
from furrow.ground.gitobjects import iso_date
from furrow.history.metric_history import history
from furrow.history.named_run import run as load_run
from furrow.history.run_diff import flat
from furrow.history.show import describe, patch
from furrow.history.trial_trailers import is_trial
from furrow.layout import run as run_folder
from furrow.layout import run_file
from furrow.plurals import number_of
from furrow.replay.run_replays import replays_of
from furrow.training.metric_registry import ordered
from furrow.web.content import Drawing, Facts, Link, Mark, Note, Page, Section, Table, Text
from furrow.web.moments import utc_minute
from furrow.web.plain_values import number, shown_value
from furrow.web.run_columns import replay_mark
from furrow.web.run_curves import own_curves
from furrow.web.run_story import counted, running, said_where, written

if TYPE_CHECKING:
    from furrow.history.load import Run
    from furrow.history.show import Details
    from furrow.web.asked import Asked
    from furrow.web.content import Block, Cell
    from furrow.web.site import Site

__all__ = ["run"]

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
        Section("", [*_about(site, found, details), *running(site, found)]),
        Section("Written about it", written(found)),
        Section("Metrics", [_metrics(details), *_over_commits(site, found)]),
        Section("Curves", own_curves(found, str(found))),
        Section("Slices", [_slices(details)]),
        Section("Which was taken for which", counted(site, found, asked)),
        Section("Config, and where it was said", [said_where(site, found, details)]),
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


def _about(site: Site, found: Run, details: Details) -> list[Block]:
    made = details.made_by
    pairs: list[tuple[str, Cell]] = [
        ("commit", Link(found.commit[:10], "runs", {"rev": found.commit[:10]})),
        (
            "made by",
            f"{made['commit'][:10]}, {made['author']}: {made['subject']}" if made else None,
        ),
        ("made", utc_minute(made.get("date"))),
        ("problem", str(details.record.get("problem") or "") or None),
        ("task", str(details.record.get("task") or "") or None),
        ("model sha256", str(details.record.get("model_sha256") or "") or None),
        ("replay", replay_mark(details.replays)),
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


def _short(text: str) -> str:
    if len(text) <= _LONGEST:
        return text
    return f"{text[:_LONGEST]}\n… {len(text) - _LONGEST:,} more characters are not shown here."


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
        known = history(site.root, found.name, rev=found.commit, most=_POINTS)
    except FurrowError:
        return []
    points = [
        (float(at), one.value) for at, one in enumerate(known.points) if one.value is not None
    ]
    if len({value for _, value in points}) < 2:
        return []
    newest = "the newest " if len(known.points) == _POINTS else ""
    title = f"{known.metric} over {newest}{number_of(len(known.points), 'commit')}, oldest first"
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


def _slices(details: Details) -> Table:
    rows = [one for one in details.slices if isinstance(one, dict)]
    named = {name for row in rows for name in row if not name.endswith(("_low", "_high"))}
    metrics = ordered(
        {name for name in named if any(isinstance(row.get(name), int | float) for row in rows)}
        - {"rows"}
    )
    heads = [name for name in ("slice", "value", "rows") if name in named]
    columns = [*heads, *metrics[:5]]
    cells = [tuple(shown_value(row.get(name)) for name in columns) for row in rows[:_SLICES]]
    folded = f"{len(rows):,} slices" if len(rows) > _FOLDED else ""
    return Table("slices", columns, cells, empty="No slices.", total=len(rows), folded=folded)


def _pairs(name: str, value: dict[str, Any]) -> Table:
    rows = [(key, shown_value(inner)) for key, inner in flat(value).items()]
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
            "features",
            ("feature",),
            names,
            empty="No features.",
            folded=f"{number_of(len(names), 'feature')}",
        ),
        Table(
            "data", ("path", "md5", "bytes", "files"), outs, empty="dvc.lock names no data of it."
        ),
        _pairs("environment", details.environment),
    ]
    if details.resources:
        columns = ("stage", "seconds", "cpu_seconds", "peak_mb")
        rows = [
            tuple(shown_value(line.get(name)) for name in columns) for line in details.resources
        ]
        blocks.append(Table("resources", columns, rows))
    return blocks


def _replays(details: Details) -> list[Block]:
    rows: list[tuple[Cell, ...]] = [
        (
            str(one.get("commit", ""))[:10],
            str(one.get("started") or "") or None,
            Mark(str(one.get("status") or "?"), "good" if one.get("holds") else "bad"),
            str((one.get("own") or {}).get("status") or "") or None,
            (
                Mark("yes", "good")
                if one.get("holds")
                else Mark("; ".join(map(str, one.get("problems", ()))) or "no", "bad")
            ),
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
            folded=f"{number_of(len(rows), 'file')}" if len(rows) > _FOLDED else "",
        )
    ]
    text = patch(found, details) if rows else ""
    return [*blocks, Text("patch", _short(text), folded=True)] if text else blocks


def _again(details: Details) -> str:
    name = details.run.rpartition("@")[0]
    commit = (details.made_by.get("commit") or details.commit)[:10]
    return (
        f"furrow replay {commit} --experiment {name}\ngit checkout {commit} && dvc repro"
        f" evaluate@{name}"
    )
