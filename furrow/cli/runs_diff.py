"""`furrow runs diff`: compare two runs."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from furrow.cli.completed_names import run_names
from furrow.cli.patience import waiting
from furrow.cli.runs_render import as_json, cell, grid
from furrow.cli.terminal import say, say_block
from furrow.history.metrics_file import as_float, is_number
from furrow.history.named_run import run
from furrow.history.shown_values import setting

if TYPE_CHECKING:
    from furrow.history.run_diff import RunDiff

__all__ = ["command"]

SAID = {
    "better": "better",
    "worse": "worse",
    "luck": "can't be told from luck",
    "same": "the same",
    "untested": "not tested",
}


@click.command("diff")
@click.argument("before", shell_complete=run_names)
@click.argument("after", shell_complete=run_names)
@click.option(
    "--replicates",
    type=click.IntRange(100, 100_000),
    default=2000,
    show_default=True,
    help="Of the test.",
)
@click.option(
    "--confidence",
    type=click.FloatRange(0.5, 0.999),
    default=0.95,
    show_default=True,
    help="Of intervals.",
)
@click.option("--json", "as_text", is_flag=True, help="As JSON.")
def command(before: str, after: str, replicates: int, confidence: float, as_text: bool) -> None:
    """Compare two runs, each NAME, NAME@REVISION or REVISION:NAME.

    Metrics are tested on the stored predictions of both: the rows that both predicted are drawn
    together, whole days with replacement. A difference whose interval holds 0 can't be told from
    luck.
    """
    runs = run(before), run(after)
    # The test needs pandas and pyarrow, which `--help` does not.
    from furrow.history.run_diff import diff_runs  # noqa: PLC0415

    with waiting(f"comparing {before} and {after}"):
        found = diff_runs(*runs, replicates=replicates, confidence=confidence)
    if as_text:
        say_block(as_json({"format": 1, **asdict(found)}))
        return
    say(f"{found.before}  →  {found.after}")
    if not found:
        say("no difference")
        return
    for title, lines in _parts(found):
        if lines:
            say_block(f"\n{title}\n{lines}")


def _parts(found: RunDiff) -> list[tuple[str, str]]:
    return [
        (
            "Config",
            _table(
                ["key", "before", "after"], [[k, _said(a), _said(b)] for k, a, b in found.config]
            ),
        ),
        ("Metrics, as recorded", _metrics(found)),
        ("Better, or luck?", _test(found)),
        ("Features", _lines(found.features_added, "+") + _lines(found.features_dropped, "-")),
        ("Rows", _rows(found)),
        ("Data", _data(found)),
        (
            "Code",
            _table(
                ["file", "added", "deleted"], [[p, _count(a), _count(d)] for p, a, d in found.code]
            ),
        ),
    ]


def _metrics(found: RunDiff) -> str:
    rows = []
    for name, before, after in found.metrics:
        change = (
            as_float(after) - as_float(before) if is_number(after) and is_number(before) else None
        )
        counts = isinstance(before, int) and isinstance(after, int)
        said = "" if change is None else f"{change:+,.0f}" if counts else f"{change:+.4f}"
        rows.append([name, cell(before), cell(after), said])
    return _table(["metric", "before", "after", "change"], rows)


def _test(found: RunDiff) -> str:
    test = found.comparison
    if test is None:
        return f"no test: {found.untested}\n"
    rows = []
    for one in test.differences:
        span = (
            f"{one.low:+.4f} to {one.high:+.4f}"
            if one.low is not None and one.high is not None
            else ""
        )
        p = "" if one.p is None else f"{one.p:.3g}"
        rows.append([one.metric, f"{one.after - one.before:+.4f}", span, p, SAID[one.verdict]])
    about = f"{test.rows:,} rows that both predicted; {test.method}\n"
    if test.only_before or test.only_after:
        about += (
            f"left out: {test.only_before:,} rows of the first alone, {test.only_after:,} of the"
            " second alone\n"
        )
    if test.relabelled:
        about += f"left out: {test.relabelled:,} rows whose labels differ\n"
    return (
        _table(["metric", "change", f"{test.confidence:.0%} interval", "p", "verdict"], rows)
        + about
    )


def _rows(found: RunDiff) -> str:
    rows = []
    for part, (before, after) in found.rows.items():
        if before != after and before is not None and after is not None:
            rows.append([part, f"{before:,}", f"{after:,}", f"{after - before:+,}"])
    return _table(["rows", "before", "after", "change"], rows)


def _data(found: RunDiff) -> str:
    change = found.data
    if not change:
        return ""
    sides = [
        f"{side.md5[:10]} ({side.files or '?'} files)" if side else "none"
        for side in (change.before, change.after)
    ]
    text = f"data: {sides[0]} → {sides[1]}\n"
    if change.files is None:
        return (
            text
            + "which files changed can't be told here: `dvc fetch --all-commits data` brings their"
            " lists\n"
        )
    rows = [
        [path, what, f"{change.rows[path]:+,}" if path in change.rows else ""]
        for path, what in change.files
    ]
    total = sum(change.rows.values())
    return (
        text
        + _table(["file", "what", "rows"], rows)
        + (f"{total:+,} rows in all\n" if change.rows else "")
    )


def _table(head: list[str], rows: list[list[str]]) -> str:
    return grid(head, rows) if rows else ""


def _lines(names: tuple[str, ...], mark: str) -> str:
    return "".join(f"{mark} {name}\n" for name in names)


def _said(value: Any) -> str:
    return "–" if value is None else setting(value)


def _count(lines: int | None) -> str:
    return "binary" if lines is None else str(lines)
