"""The spine: the rows that a problem predicts, from its SQL file, held against what a spine must be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from furrow.errors import FurrowError
from furrow.ground.tables import run_sql
from furrow.plurals import number_of
from furrow.training.problem import Problem, span
from furrow.training.tasks import load_task

if TYPE_CHECKING:
    from pathlib import Path

    from furrow.ground.tables import RawFiles

__all__ = ["PERIOD", "SpineError", "spine_rows"]

PERIOD = "period"
"""What a split calls the period of each row: no column of a spine and no feature may have that name."""
_TIMES = ("event_timestamp", "label_timestamp")


class SpineError(FurrowError):
    """A spine's SQL gives rows that can't be predicted, or that nothing can be learnt from."""


def spine_rows(root: Path, problem: Problem, raw: RawFiles) -> pa.Table:
    """Run a problem's spine.

    Its entities, when each is predicted, what came of it, and when that was known.

    Args:
        root: The project.
        problem: The problem.
        raw: The raw tables.

    Returns:
        One row for each prediction, sorted by event_timestamp and entity, with what the task adds.

    Raises:
        TableError: The SQL or the raw data is at fault.
        SpineError: A column is missing, keys are null or come twice, a time has no zone, a label is
            missing.
        LabelError: The labels are none of the task's.
    """
    file = root / problem.spine
    try:
        sql = file.read_text(encoding="utf-8")
    except OSError as exc:
        raise SpineError(
            f"cannot read the spine {problem.spine}: {exc.strerror}", hint="write it"
        ) from exc
    rows = run_sql(sql, raw, sql_file=file)
    _check_columns(rows, problem)
    place = rows.column_names.index(problem.label)
    if pa.types.is_decimal(
        rows.schema.field(place).type
    ):  # what SQL makes of 1.5: a number like any other
        rows = rows.set_column(place, problem.label, rows.column(place).cast(pa.float64()))
    _check_keys(rows, problem)
    _check_labels(rows, problem)
    rows = rows.sort_by(
        [(name, "ascending") for name in ("event_timestamp", *_keys(problem, rows))]
    )
    task = load_task(problem.task)
    frame = rows.select(list(rows.column_names)).to_pandas()
    task.check(frame[problem.label], problem)
    added = task.spine(frame, problem)
    for name in added.columns:
        if name not in rows.column_names:
            rows = rows.append_column(name, pa.array(added[name], from_pandas=True))
    return rows


def _keys(problem: Problem, rows: pa.Table) -> list[str]:
    return [*problem.entity, *(["horizon"] if "horizon" in rows.column_names else [])]


def _check_columns(rows: pa.Table, problem: Problem) -> None:
    for name in (*problem.entity, "event_timestamp", problem.label):
        if name not in rows.column_names:
            raise SpineError(
                f"{problem.spine} gives no column {name!r}",
                hint=f"it gives: {', '.join(rows.column_names)}",
            )
    twice = [name for name in rows.column_names if rows.column_names.count(name) > 1]
    if twice:
        raise SpineError(
            f"{problem.spine} gives the column {twice[0]!r} twice", hint="name each column once"
        )
    if PERIOD in rows.column_names:
        raise SpineError(
            f"{problem.spine} gives a column {PERIOD!r}, which is what the rows' periods are"
            " called",
            hint="name it otherwise",
        )
    for name in _TIMES:
        if name in rows.column_names:
            kind = rows.schema.field(name).type
            if not pa.types.is_timestamp(kind) or kind.tz is None:
                raise SpineError(
                    f"{problem.spine}: {name} is {kind}, not a time with a zone",
                    hint="select a TIMESTAMPTZ: a time without a zone is another moment elsewhere",
                )
    if not rows.num_rows:
        raise SpineError(
            f"{problem.spine} gives no rows", hint="look at its WHERE, and at the raw data"
        )


def _check_keys(rows: pa.Table, problem: Problem) -> None:
    keys = [*_keys(problem, rows), "event_timestamp"]
    for name in keys:
        nulls = rows[name].null_count
        if nulls:
            said = f"{problem.spine}: {name} is null in {nulls:,} of {rows.num_rows:,} rows"
            raise SpineError(said, hint=f"leave rows without it out (WHERE {name} IS NOT NULL)")
    counts = rows.select(keys).group_by(keys).aggregate([([], "count_all")])
    repeated = rows.num_rows - counts.num_rows
    if repeated:
        one = counts.filter(pc.greater(counts["count_all"], 1)).slice(0, 1).to_pylist()[0]
        which = ", ".join(f"{name} {one[name]}" for name in keys)
        raise SpineError(
            (
                f"{problem.spine}: {', '.join(keys)} come again in {number_of(repeated, 'row')},"
                f" first {which}"
            ),
            hint="give one row for each entity and event_timestamp, or name another entity",
        )


def _check_labels(rows: pa.Table, problem: Problem) -> None:
    nulls = rows[problem.label].null_count
    if nulls:
        raise SpineError(
            f"{problem.spine}: {problem.label} is missing in {nulls:,} of {rows.num_rows:,} rows"
            f" ({nulls / rows.num_rows:.0%})",
            hint=(
                "unlabelled is not negative: leave them out (WHERE ... IS NOT NULL), or say what"
                " they are"
            ),
        )
    if "label_timestamp" not in rows.column_names:
        return
    stamps: Any = rows["label_timestamp"].to_pandas()
    events: Any = rows["event_timestamp"].to_pandas()
    if stamps.isna().any():
        said = (
            f"{problem.spine}: label_timestamp is null in {int(stamps.isna().sum()):,} rows that"
            " have a label"
        )
        raise SpineError(said, hint="say when each label was known")
    if not load_task(problem.task).waits:
        return
    limit = pd.Timedelta(span(problem.known_after, where=f"problem {problem.name}: known_after"))
    late = int(np.sum((stamps - events) > limit))
    if late:
        longest = (stamps - events).max()
        raise SpineError(
            f"problem {problem.name}: known_after {problem.known_after}, and {late:,} labels of"
            f" {problem.spine} were known later, the last {longest} after",
            hint="write a greater known_after: until then a label may be missing",
        )
