"""Two versions of a file, compared by what they hold: keys of JSON, rows and columns of tables, lines of text."""

from __future__ import annotations

import difflib
import io
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from furrow.parse import parse_json
from furrow.replay.replay_verdict import DIFFERENT, IDENTICAL, TOLERATED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from furrow.replay.replay_settings import Settings

__all__ = ["Comparison", "compare"]

SHOWN = 12
_ROWS = 3


@dataclass(frozen=True)
class Comparison:
    """How two versions of a file compare.

    Attributes:
        status: identical, within tolerance, or different.
        differences: In words.
        values: The first values that differ, as (recorded, replayed), for whoever looks for the cause.
        at_hand: Whether both versions were at hand; else their hashes differ.
    """

    status: str
    differences: tuple[str, ...] = ()
    values: tuple[tuple[Any, Any], ...] = ()
    at_hand: bool = True


def compare(path: str, recorded: bytes, replayed: bytes, settings: Settings) -> Comparison:
    """Compare what a commit holds with what a replay gave.

    Args:
        path: The file's path from the root: its ending says what it holds, its tolerance goes by it.
        recorded: What the commit says.
        replayed: What the replay gave.
        settings: The declared tolerances.
    """
    if recorded == replayed:
        return Comparison(IDENTICAL)
    reader = {"json": _json, "csv": _csv, "parquet": _parquet}.get(path.rsplit(".", 1)[-1].lower(), _text)
    try:
        return reader(path, recorded, replayed, settings)
    except (ValueError, TypeError, KeyError, OSError, pa.ArrowException) as exc:
        sizes = f"{len(recorded):,} bytes recorded, {len(replayed):,} replayed"
        return Comparison(DIFFERENT, (f"{sizes}; not comparable by content ({type(exc).__name__})",))


def _leaves(value: Any, at: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key in value:
            yield from _leaves(value[key], f"{at}.{key}" if at else str(key))
    elif isinstance(value, list) and value:
        for number, one in enumerate(value):
            yield from _leaves(one, f"{at}[{number}]")
    else:
        yield at, value


def _json(path: str, recorded: bytes, replayed: bytes, settings: Settings) -> Comparison:
    before, after = dict(_leaves(parse_json(recorded))), dict(_leaves(parse_json(replayed)))
    words = [f"{key}: recorded {_show(before[key])}, not replayed" for key in before if key not in after]
    words += [f"{key}: replayed {_show(after[key])}, not recorded" for key in after if key not in before]
    values, tolerated = [], 0
    for key in [key for key in before if key in after]:
        if _same(before[key], after[key]):
            continue
        rule = settings.tolerance(path, key)
        if rule and _number(before[key]) and _number(after[key]) and rule.allows(before[key], after[key]):
            tolerated += 1
            continue
        values.append((before[key], after[key]))
        words.append(
            f"{key}: recorded {_show(before[key])}, replayed {_show(after[key])}{_gap(before[key], after[key])}"
        )
    return _judged(path, words, values, tolerated, settings)


def _judged(path: str, words: list[str], values: list[Any], tolerated: int, settings: Settings) -> Comparison:
    if words:
        return Comparison(DIFFERENT, _shown(words), tuple(values[:SHOWN]))
    if tolerated:
        return Comparison(TOLERATED, (f"{tolerated} values within tolerance",))
    if settings.of(path):
        return Comparison(TOLERATED, ("every value is equal, the bytes are not",))
    return Comparison(
        DIFFERENT, ("every value is equal, the bytes are not: written by another version, or in another order",)
    )


def _csv(path: str, recorded: bytes, replayed: bytes, settings: Settings) -> Comparison:
    return _tables(path, _read_csv(recorded), _read_csv(replayed), settings)


def _read_csv(content: bytes) -> pd.DataFrame:
    return pd.read_csv(io.BytesIO(content), keep_default_na=False, na_values=[""])


def _parquet(path: str, recorded: bytes, replayed: bytes, settings: Settings) -> Comparison:
    before, after = (pq.read_table(pa.BufferReader(content)) for content in (recorded, replayed))
    kinds = [
        f"column {name}: recorded {before.schema.field(name).type}, replayed {after.schema.field(name).type}"
        for name in before.column_names
        if name in after.column_names and before.schema.field(name).type != after.schema.field(name).type
    ]
    found = _tables(path, before.to_pandas(), after.to_pandas(), settings)
    return Comparison(DIFFERENT, _shown([*kinds, *found.differences]), found.values) if kinds else found


def _tables(path: str, before: pd.DataFrame, after: pd.DataFrame, settings: Settings) -> Comparison:
    words = [f"column {name}: recorded, not replayed" for name in before.columns if name not in after.columns]
    words += [f"column {name}: replayed, not recorded" for name in after.columns if name not in before.columns]
    if len(before) != len(after):
        words.append(f"rows: {len(before):,} recorded, {len(after):,} replayed{_first_odd(before, after)}")
        return Comparison(DIFFERENT, _shown(words))
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
        values += list(zip(before[name][odd].head(SHOWN), after[name][odd].head(SHOWN), strict=True))
    if words and not [name for name in before.columns if name not in after.columns] and _reordered(before, after):
        words = ["the same rows in another order"]
    return _judged(path, words, values, tolerated, settings)


def _odd(before: pd.Series[Any], after: pd.Series[Any]) -> pd.Series[bool]:
    left, right = before.reset_index(drop=True), after.reset_index(drop=True)
    if pd.api.types.is_object_dtype(left) or pd.api.types.is_object_dtype(right):
        left, right = left.map(repr), right.map(repr)
    equal: pd.Series[bool] = (left == right) | (left.isna() & right.isna())
    return ~equal.fillna(value=False).astype(bool)


def _all_allowed(before: pd.Series[Any], after: pd.Series[Any], allows: Callable[[float, float], bool]) -> bool:
    pairs = zip(before, after, strict=True)
    return all(_number(one) and _number(other) and allows(float(one), float(other)) for one, other in pairs)


def _column(name: str, before: pd.DataFrame, after: pd.DataFrame, odd: pd.Series[bool]) -> str:
    places = [at for at, flag in enumerate(odd) if flag]
    words = f"column {name}: {len(places):,} of {len(before):,} rows differ"
    left, right = before[name][odd], after[name][odd]
    if pd.api.types.is_numeric_dtype(left) and pd.api.types.is_numeric_dtype(right):
        words += f", by up to {float((left.astype(float) - right.astype(float)).abs().max()):.3g}"
    keys = [key for key in before.columns if key != name][:4]
    shown = []
    for at in places[:_ROWS]:
        who = ", ".join(f"{key}={before[key].iloc[at]}" for key in keys)
        shown.append(
            f"row {at}{f' ({who})' if who else ''} {_show(before[name].iloc[at])} → {_show(after[name].iloc[at])}"
        )
    return f"{words}; {'; '.join(shown)}"


def _first_odd(before: pd.DataFrame, after: pd.DataFrame) -> str:
    left, right = (part.astype(str).agg(",".join, axis=1).tolist() for part in (before, after))
    gone, new = set(left) - set(right), set(right) - set(left)
    odd = (("only recorded", left, gone), ("only replayed", right, new))
    return "".join(f"; {label}: {next(row for row in rows if row in some)}" for label, rows, some in odd if some)


def _reordered(before: pd.DataFrame, after: pd.DataFrame) -> bool:
    if list(before.columns) != list(after.columns):
        return False
    left, right = (sorted(part.astype(str).agg("\0".join, axis=1)) for part in (before, after))
    return left == right


def _text(path: str, recorded: bytes, replayed: bytes, settings: Settings) -> Comparison:
    del settings
    try:
        before, after = recorded.decode().splitlines(), replayed.decode().splitlines()
    except UnicodeDecodeError:
        before, after = [], []
    if not before or not after or b"\0" in recorded[:8000]:
        at = next((n for n, (a, b) in enumerate(zip(recorded, replayed, strict=False)) if a != b), -1)
        first = f"the first at {at:,}" if at >= 0 else "one is the beginning of the other"
        sizes = f"{len(recorded):,} bytes recorded, {len(replayed):,} replayed"
        return Comparison(DIFFERENT, (f"the bytes differ, {first} ({sizes})",))
    lines = [line for line in difflib.unified_diff(before, after, "recorded", "replayed", n=0, lineterm="")
             if line[:1] in "+-" and not line.startswith(("---", "+++"))]  # fmt: skip
    words = [f"{'recorded' if line[0] == '-' else 'replayed'}: {line[1:].strip()[:200]}" for line in lines]
    changed = [line[1:] for line in lines if line[0] == "+"]
    gone = [line[1:] for line in lines if line[0] == "-"]
    if not words:
        words = [f"line ends differ in {path.rsplit('/', 1)[-1]}"]
    return Comparison(DIFFERENT, _shown(words), tuple(zip(gone, changed, strict=False))[:SHOWN])


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one) and math.isnan(other):
        return True
    return type(one) is type(other) and bool(one == other)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _gap(one: Any, other: Any) -> str:
    return f" ({other - one:+.3g})" if _number(one) and _number(other) else ""


def _show(value: Any) -> str:
    text = repr(value.item() if hasattr(value, "item") else value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _shown(words: list[str]) -> tuple[str, ...]:
    return (*words[:SHOWN], *([f"and {len(words) - SHOWN} more"] if len(words) > SHOWN else []))
