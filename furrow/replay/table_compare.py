"""Two versions of a table, compared by rows and columns."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa

from furrow.ground.bounded_parquet import UnpackedError, read_bounded
from furrow.replay.file_compare import SHOWN, Comparison, is_number, judged, shown, words_of
from furrow.replay.replay_verdict import DIFFERENT

if TYPE_CHECKING:
    from collections.abc import Callable

    from furrow.replay.replay_settings import Settings

__all__ = ["compare_tables"]

_ROWS = 3


def compare_tables(
    kind: str, path: str, recorded: bytes, replayed: bytes, settings: Settings
) -> Comparison:
    """Compare two tables.

    Args:
        kind: csv or parquet.
        path: The file's path from the root, by which its tolerance goes.
        recorded: What the commit says.
        replayed: What the replay gave.
        settings: The declared tolerances.

    Raises:
        ValueError: One of them is no such table.
    """
    try:
        if kind == "csv":
            return _tables(path, _read_csv(recorded), _read_csv(replayed), settings)
        return _parquet(path, recorded, replayed, settings)
    except (pa.ArrowException, UnpackedError) as exc:
        raise ValueError(str(exc)) from exc


def _read_csv(content: bytes) -> pd.DataFrame:
    return pd.read_csv(io.BytesIO(content), keep_default_na=False, na_values=[""])


def _parquet(path: str, recorded: bytes, replayed: bytes, settings: Settings) -> Comparison:
    before, after = (
        read_bounded(pa.py_buffer(content), name=path) for content in (recorded, replayed)
    )
    kinds = [
        f"column {name}: recorded {before.schema.field(name).type}, replayed"
        f" {after.schema.field(name).type}"
        for name in before.column_names
        if name in after.column_names
        and before.schema.field(name).type != after.schema.field(name).type
    ]
    found = _tables(path, before.to_pandas(), after.to_pandas(), settings)
    return (
        Comparison(DIFFERENT, shown([*kinds, *found.differences]), found.values) if kinds else found
    )


def _tables(path: str, before: pd.DataFrame, after: pd.DataFrame, settings: Settings) -> Comparison:
    words = [
        f"column {name}: recorded, not replayed"
        for name in before.columns
        if name not in after.columns
    ]
    words += [
        f"column {name}: replayed, not recorded"
        for name in after.columns
        if name not in before.columns
    ]
    if len(before) != len(after):
        words.append(
            f"rows: {len(before):,} recorded, {len(after):,} replayed{_first_odd(before, after)}"
        )
        return Comparison(DIFFERENT, shown(words))
    shared = [name for name in before.columns if name in after.columns]
    values: list[Any] = []
    tolerated = 0
    for name in shared:
        odd = _odd(before[name], after[name])
        if not odd.any():
            continue
        rule = settings.tolerance(path, str(name))
        if rule and _all_allowed(before[name][odd], after[name][odd], rule.allows):
            tolerated += int(odd.sum())
            continue
        words.append(_column(str(name), before, after, odd))
        values += list(
            zip(before[name][odd].head(SHOWN), after[name][odd].head(SHOWN), strict=True)
        )
    if (
        words
        and not [name for name in before.columns if name not in after.columns]
        and _reordered(before, after)
    ):
        words = ["the same rows in another order"]
    return judged(path, words, values, tolerated, settings)


def _odd(before: pd.Series[Any], after: pd.Series[Any]) -> pd.Series[bool]:
    left, right = before.reset_index(drop=True), after.reset_index(drop=True)
    if pd.api.types.is_object_dtype(left) or pd.api.types.is_object_dtype(right):
        left, right = left.map(repr), right.map(repr)
    equal: pd.Series[bool] = (left == right) | (left.isna() & right.isna())
    return ~equal.fillna(value=False).astype(bool)


def _all_allowed(
    before: pd.Series[Any], after: pd.Series[Any], allows: Callable[[float, float], bool]
) -> bool:
    pairs = zip(before, after, strict=True)
    return all(
        is_number(one) and is_number(other) and allows(float(one), float(other))
        for one, other in pairs
    )


def _column(name: str, before: pd.DataFrame, after: pd.DataFrame, odd: pd.Series[bool]) -> str:
    places = [at for at, flag in enumerate(odd) if flag]
    words = f"column {name}: {len(places):,} of {len(before):,} rows differ"
    left, right = before[name][odd], after[name][odd]
    if pd.api.types.is_numeric_dtype(left) and pd.api.types.is_numeric_dtype(right):
        words += f", by up to {float((left.astype(float) - right.astype(float)).abs().max()):.3g}"
    keys = [key for key in before.columns if key != name][:4]
    examples = []
    for at in places[:_ROWS]:
        who = ", ".join(f"{key}={before[key].iloc[at]}" for key in keys)
        examples.append(
            f"row {at}{f' ({who})' if who else ''} {words_of(before[name].iloc[at])} →"
            f" {words_of(after[name].iloc[at])}"
        )
    return f"{words}; {'; '.join(examples)}"


def _first_odd(before: pd.DataFrame, after: pd.DataFrame) -> str:
    left, right = (part.astype(str).agg(",".join, axis=1).tolist() for part in (before, after))
    gone, new = set(left) - set(right), set(right) - set(left)
    odd = (("only recorded", left, gone), ("only replayed", right, new))
    return "".join(
        f"; {label}: {next(row for row in rows if row in some)}"
        for label, rows, some in odd
        if some
    )


def _reordered(before: pd.DataFrame, after: pd.DataFrame) -> bool:
    if list(before.columns) != list(after.columns):
        return False
    left, right = (sorted(part.astype(str).agg("\0".join, axis=1)) for part in (before, after))
    return left == right
