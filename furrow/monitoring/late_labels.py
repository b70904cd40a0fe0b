"""Labels as they come in: late, corrected, deleted, twice, or at odds with one another.

What was landed is kept as it came, each file once; which label a row has is worked out anew from
all of them, so a correction needs no more than to be landed.
"""

from __future__ import annotations

import fcntl
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.csv as pc_csv
import pyarrow.json as pc_json
import pyarrow.parquet as pq

from furrow.errors import FurrowError
from furrow.files import open_lock, sha256_file, write_bytes
from furrow.ground.bounded_parquet import read_bounded
from furrow.training.tasks import load_task

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from furrow.training.problem import Problem

__all__ = ["Landing", "LateLabelError", "Settled", "land", "landed", "settle"]

ID = "id"
_KNOWN, _SAID, _GONE = "label_timestamp", "event_timestamp", "deleted"
_SEAL = b"furrow.labels"
_LOCK = ".lock"


class LateLabelError(FurrowError):
    """A file of labels that can't be landed."""


@dataclass(frozen=True)
class Landing:
    """What came of landing a file.

    Attributes:
        path: Where it lies now.
        rows: How many labels it holds.
        new: Whether it had not been landed before.
    """

    path: Path
    rows: int
    new: bool


@dataclass(frozen=True)
class Settled:
    """Which label each row has, after all that was landed.

    Attributes:
        rows: One for each key: `key`, or `id`; event_timestamp, label, label_timestamp, and
            `state`: known, deleted or contradictory.
        duplicates: Rows that said again what was known.
        corrected: Keys whose label became another.
    """

    rows: pd.DataFrame
    duplicates: int = 0
    corrected: int = 0


def land(folder: Path, source: Path, problem: Problem, *, now: datetime) -> Landing:
    """Land a file of labels, whole or not at all; the same file again is no change.

    Args:
        folder: Where labels lie.
        source: Parquet, CSV, or JSON lines: the problem's entity and event_timestamp (or the `id`
            of a prediction), its label, label_timestamp; `deleted` where labels are taken back.
        problem: Whose labels they are.
        now: When it is landed: the label_timestamp of labels without one.

    Raises:
        LateLabelError: It can't be read, lacks a column, or holds values that are no labels.
        UnpackedError: It means more than is read.
    """
    table = _checked(_read(source, problem), problem, source)
    digest = sha256_file(source)
    if _KNOWN not in table.column_names:
        moment = pa.scalar(now, pa.timestamp("us", tz="UTC"))
        table = table.append_column(_KNOWN, pa.repeat(moment, table.num_rows))
    sink = pa.BufferOutputStream()
    pq.write_table(table.replace_schema_metadata({_SEAL: b"1"}), sink)
    with _one_lander(folder):
        there = _files(folder)
        for path in there:
            if path.stem.endswith(digest[:16]):
                return Landing(path, table.num_rows, new=False)
        number = int(there[-1].name.partition("-")[0]) + 1 if there else 1
        path = folder / f"{number:06}-{digest[:16]}.parquet"
        write_bytes(path, sink.getvalue().to_pybytes())
    return Landing(path, table.num_rows, new=True)


@contextmanager
def _one_lander(folder: Path) -> Iterator[None]:
    """Wait until nobody else lands labels here.

    The order in which files came is in their numbers.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with open_lock(folder / _LOCK) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def landed(folder: Path) -> list[pd.DataFrame]:
    """Every landed file's rows, in the order in which they came."""
    return [pq.read_table(path).to_pandas() for path in _files(folder)]


def settle(frames: list[pd.DataFrame], problem: Problem) -> Settled:
    """Which label each key has: that which was known last.

    Of the same time, that which was landed last.

    Labels of one landing and one time that differ are contradictory: none of them is used.

    Args:
        frames: Of `landed`.
        problem: Whose labels they are.
    """
    columns = ["key", "by", _SAID, "label", _KNOWN, "state"]
    if not frames:
        return Settled(pd.DataFrame(columns=columns))
    parts = [
        pd.DataFrame(
            {
                "key": key_text(one, [ID] if ID in one else problem.entity),
                "by": "id" if ID in one else "entity",
                _SAID: _utc(one[_SAID]) if _SAID in one else pd.NaT,
                "label": one[problem.label].astype(object),
                _KNOWN: _utc(one[_KNOWN]),
                "gone": (
                    (one[_GONE].eq(True) if _GONE in one else False) | one[problem.label].isna()
                ),
                "landing": number,
            }
        )
        for number, one in enumerate(frames)
    ]
    rows = pd.concat(parts, ignore_index=True)
    rows[_SAID] = _utc(rows[_SAID])
    rows.loc[rows["gone"], "label"] = None
    # A label that says no event_timestamp is of the moment at which it became known.
    rows["of"] = (
        rows[_SAID].fillna(rows[_KNOWN]).where(rows["by"] != "id", pd.Timestamp(0, tz="UTC"))
    )
    rows["said"] = rows["label"].map(repr)
    identity = ["by", "key", "of"]
    rows = rows.sort_values([*identity, _KNOWN, "landing"], kind="stable")
    repeats = rows.duplicated([*identity, _KNOWN, "said"], keep="first")
    groups = rows.groupby(identity, sort=False)
    last = groups.tail(1).set_index(identity)
    newest = rows.merge(
        last[[_KNOWN, "landing"]].reset_index(), on=[*identity, _KNOWN, "landing"], how="inner"
    )
    at_odds = newest.groupby(identity, sort=False)["said"].nunique() > 1
    last["state"] = "known"
    last.loc[last["gone"], "state"] = "deleted"
    last.loc[at_odds[at_odds].index, "state"] = "contradictory"
    several = groups["said"].nunique() > 1
    corrected = int((several & ~at_odds.reindex(several.index)).sum())
    return Settled(last.reset_index()[columns], int(repeats.sum()), corrected)


def key_text(frame: pd.DataFrame, names: list[str]) -> pd.Series[str]:
    """Keys as texts that are equal where the keys are, whether a file held 7, 7.0 or "7"."""
    parts = []
    for name in names:
        column = frame[name]
        if column.dtype.kind == "f" and column.dropna().mod(1).eq(0).all():
            column = column.astype("Int64")
        parts.append(column.astype("string").fillna("\x00"))
    found = parts[0]
    for one in parts[1:]:
        found = found + "\x1f" + one
    return found


def _utc(column: pd.Series[Any]) -> pd.Series[Any]:
    return pd.to_datetime(column, utc=True).astype("datetime64[us, UTC]")


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("[0-9]*-*.parquet"))


def _read(source: Path, problem: Problem) -> pa.Table:
    known = (ID, *problem.entity, _SAID, problem.label, _KNOWN, _GONE)

    def parquet(path: Path) -> pa.Table:  # only the columns that labels have
        names = pq.read_schema(path).names
        return read_bounded(path, [name for name in dict.fromkeys(known) if name in names])

    readers = {".parquet": parquet, ".csv": pc_csv.read_csv, ".jsonl": pc_json.read_json}
    readers[".json"] = pc_json.read_json
    reader = readers.get(source.suffix.lower())
    if reader is None:
        raise LateLabelError(
            f"{source} is not a file of labels that can be read",
            hint="give .parquet, .csv, or .jsonl (a JSON object a line)",
        )
    try:
        return reader(source)
    except (OSError, pa.ArrowException) as exc:
        raise LateLabelError(f"cannot read {source}: {exc}", hint="mend the file") from exc


def _checked(table: pa.Table, problem: Problem, source: Path) -> pa.Table:
    names = table.column_names
    keys = [ID] if ID in names else problem.entity
    needed = [*keys, problem.label]
    if ID not in names and _SAID not in names and _KNOWN not in names:
        needed.append(_SAID)
    missing = [name for name in needed if name not in names]
    if missing:
        raise LateLabelError(
            f"{source} has no column {missing[0]!r}",
            hint=f"labels of {problem.name} need: {', '.join(needed)} (or the `id` of predictions)",
        )
    kept = [name for name in (*keys, _SAID, problem.label, _KNOWN, _GONE) if name in names]
    table = table.select(list(dict.fromkeys(kept)))
    for name in (_SAID, _KNOWN):
        if name in table.column_names:
            table = _with_times(table, name, source)
    return _with_labels(table, problem, source)


def _with_times(table: pa.Table, name: str, source: Path) -> pa.Table:
    column = table.column(name)
    try:
        if not pa.types.is_timestamp(column.type):
            column = column.cast(pa.timestamp("us", tz="UTC"))
        elif column.type.tz is None:  # a time without a zone is UTC, as everywhere
            column = column.cast(pa.timestamp("us")).cast(pa.timestamp("us", tz="UTC"))
        column = column.cast(pa.timestamp("us", tz="UTC"))
    except pa.ArrowException as exc:
        raise LateLabelError(f"{source}: {name} holds no times: {exc}") from exc
    if column.null_count:
        row = column.is_null().index(True).as_py()
        raise LateLabelError(
            f"{source}: {name} is null in {column.null_count:,} rows, first in row {row + 1:,}",
            hint="say when, or leave the column out",
        )
    return table.set_column(table.column_names.index(name), name, column)


def _with_labels(table: pa.Table, problem: Problem, source: Path) -> pa.Table:
    """Labels of the task's type: numbers as numbers; a class may be anything but a list."""
    name = problem.label
    column = table.column(name)
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.int8())
    wanted = load_task(problem.task).labels_are(problem)
    if wanted == "text":
        column = column.cast(pa.string())
    elif wanted == "number":
        numbers = pd.to_numeric(column.to_pandas(), errors="coerce")
        wrong = numbers.isna().to_numpy() & ~column.is_null().to_numpy()
        if wrong.any():
            row = int(wrong.argmax())
            raise LateLabelError(
                f"{source}: {name} is {column[row].as_py()!r} in row {row + 1:,}, which is not a"
                f" label of a {problem.task} problem ({int(wrong.sum()):,} rows are such)",
                hint="nothing was landed: mend the file and land it again",
            )
        column = pa.chunked_array([pa.array(numbers, pa.float64(), from_pandas=True)])
    return table.set_column(table.column_names.index(name), name, column)
