"""The rules on single columns, run by pandera: nulls, ranges, allowed values, patterns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from furrow.data.check_report import Violation, plain
from furrow.data.imported_pandera import pandera
from furrow.data.raw_tables import FILE, Raw

if TYPE_CHECKING:
    from furrow.data.contract import Column, Table

__all__ = ["SAMPLE", "check_columns", "sample_rows"]

SAMPLE = 5


def check_columns(name: str, table: Table, raw: Raw) -> tuple[list[Violation], int]:
    """Run the rules on each column of a table.

    Returns:
        The violations, and how many rules were tried.
    """
    specs = {column: spec for column, spec in table.columns.items() if column in raw.good}
    schema = pandera.DataFrameSchema(
        {
            column: pandera.Column(
                nullable=spec.nullable, checks=[check for check, _ in _checks(spec)]
            )
            for column, spec in specs.items()
        }
    )
    words = {
        (column, check.name): said
        for column, spec in specs.items()
        for check, said in _checks(spec)
    }
    tried = sum(not spec.nullable for spec in specs.values()) + len(words)
    if not specs:
        return [], tried
    frame = raw.rows.select(list(specs)).to_pandas(types_mapper=_frame_type)
    try:
        schema.validate(frame, lazy=True)
    except pandera.errors.SchemaErrors as exc:
        cases = exc.failure_cases[["column", "check", "index"]]
    else:
        return [], tried
    found = []
    for (column, check), group in cases.groupby(["column", "check"], sort=False):
        rule = "null" if check == "not_nullable" else str(check)
        message = words.get((column, rule), "is null")
        places = sorted(int(place) for place in group["index"])
        rows = raw.rows.take(places)
        files = tuple(sorted(set(rows[FILE].to_pylist())))
        shown = [key for key in dict.fromkeys((*table.unique, str(column))) if key in raw.good]
        found.append(
            Violation(
                rule, name, str(column), message, len(places), files, sample_rows(rows, shown)
            )
        )
    return found, tried


def _checks(spec: Column) -> list[tuple[Any, str]]:
    """A column's rules as pandera checks, each with the words for its failure."""
    checks = []
    if spec.min is not None or spec.max is not None:
        bounds = " to ".join(
            "any" if bound is None else str(plain(bound)) for bound in (spec.min, spec.max)
        )
        checks.append((_range(spec), f"is not within {bounds}"))
    if spec.allowed is not None:
        said = f"is not one of {', '.join(map(str, spec.allowed))}"
        checks.append(
            (pandera.Check.isin(list(spec.allowed), name="allowed", error="allowed"), said)
        )
    if spec.pattern is not None:
        checks.append((_whole_match(spec.pattern), f"does not match {spec.pattern}"))
    return checks


def _range(spec: Column) -> Any:
    """Within the bounds, or one of the values known to lie outside."""

    def within(values: pd.Series[Any]) -> pd.Series[bool]:
        inside = pd.Series(True, index=values.index)
        if spec.min is not None:
            inside &= values >= spec.min
        if spec.max is not None:
            inside &= values <= spec.max
        if spec.known:
            inside |= values.isin(list(spec.known))
        return inside

    return pandera.Check(within, name="range", error="range")


def _whole_match(pattern: str) -> Any:
    """Whether the whole text matches, by RE2: no pattern takes it more than linear time."""

    def matches(values: pd.Series[Any]) -> pd.Series[bool]:
        texts = pa.array(values, pa.string(), from_pandas=True)
        found = pc.match_substring_regex(texts, rf"\A(?:{pattern})\z")
        return pd.Series(found.to_pandas().fillna(True).astype(bool).to_numpy(), index=values.index)

    return pandera.Check(matches, name="pattern", error="pattern")


def _frame_type(kind: pa.DataType) -> Any:
    """Nullable pandas types, so that a null never turns a whole number into a float."""
    if pa.types.is_string(kind):
        return pd.ArrowDtype(kind)
    return {
        pa.int32(): pd.Int32Dtype(),
        pa.int64(): pd.Int64Dtype(),
        pa.bool_(): pd.BooleanDtype(),
    }.get(kind)


def sample_rows(rows: pa.Table, columns: list[str]) -> tuple[dict[str, Any], ...]:
    """Rows as plain values, with their file."""
    chosen = rows.slice(0, SAMPLE).select([*columns, FILE]).rename_columns([*columns, "file"])
    return tuple({key: plain(value) for key, value in row.items()} for row in chosen.to_pylist())
