"""Prediction records as Arrow.

Typed columns where the values allow it, exact text where they don't.
"""

from __future__ import annotations

import json
from datetime import datetime
from itertools import chain
from typing import TYPE_CHECKING, Any, Self

import pyarrow as pa

from furrow.parse import parse_json
from furrow.serving.prediction_record import FIELDS, PredictionRecord, record_values, unfolded

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["STRUCTS", "Piece", "Shape", "group_of", "records_of", "to_batch"]

TIME = pa.timestamp("us", tz="UTC")
STRUCTS = ("keys", "request", "features", "statuses", "event_times", "prediction")
"""Fields that map names to values: a struct column each."""
GROUP = ("model", "version", "features_digest")
"""What records that stand in one table have in common."""
_GROUP = tuple(FIELDS.index(name) for name in GROUP)
TEXT = b"furrow.json"
"""Of a column whose values have no common type: each is a JSON text."""
_FIXED = {
    "time": TIME,
    "latency_us": pa.int64(),
    "sampling": pa.float64(),
    "redacted": pa.list_(pa.string()),
}
_SCALARS = {
    bool: pa.bool_(),
    int: pa.int64(),
    float: pa.float64(),
    str: pa.string(),
    datetime: TIME,
}
_INT64 = range(-(1 << 63), 1 << 63)
_EXACT = range(-(1 << 53), (1 << 53) + 1)


class Piece:
    """Some records of one version turned round: a column of values for each field and name.

    What is one value under many names, as statuses and event times mostly are, is one column,
    looked at and made once.

    Args:
        rows: Each record's values in the fields' order, of `record_values` or `payload_values`.
    """

    def __init__(self, rows: Sequence[Sequence[Any]]) -> None:
        self.count = len(rows)
        turned = zip(*rows, strict=True) if rows else [() for _ in FIELDS]
        self.fields: dict[str, Any] = dict(zip(FIELDS, turned, strict=True))
        for part in STRUCTS:
            self.fields[part] = _columns(self.fields[part])

    @classmethod
    def of(cls, records: Sequence[PredictionRecord]) -> Self:
        """A piece of records."""
        return cls([record_values(one) for one in records])

    def key(self) -> tuple[str, str, str]:
        """As `group`."""
        model, version, digest = (self.fields[name][0] for name in GROUP)
        return str(model), str(version), str(digest)


class Shape:
    """The types that the columns of some records have, found by looking at each.

    Records of one model have the same names, so that a file of them reads like a table.
    """

    def __init__(self) -> None:
        self._seen: dict[str, dict[str, set[Any]]] = {part: {} for part in STRUCTS}

    def see(self, piece: Piece) -> None:
        """Look at the values of records."""
        for part in STRUCTS:
            seen, known = self._seen[part], dict[int, set[Any]]()
            for name, values in piece.fields[part].items():
                kinds = known.get(id(values))
                if kinds is None:
                    kinds = known[id(values)] = _kinds(values)
                seen.setdefault(name, set()).update(kinds)

    def size(self) -> int:
        """How many names and kinds were seen: it grows whenever anything new was."""
        every = (kinds for names in self._seen.values() for kinds in names.values())
        return sum(1 + len(kinds) for kinds in every)

    def schema(self) -> pa.Schema:
        """The schema; a mapping that is always empty has no column."""
        columns = []
        for name in FIELDS:
            if name not in STRUCTS:
                columns.append(pa.field(name, _FIXED.get(name, pa.string())))
            elif self._seen[name]:
                parts = [_column(one, kinds) for one, kinds in sorted(self._seen[name].items())]
                columns.append(pa.field(name, pa.struct(parts)))
        return pa.schema(columns)


def group_of(values: Sequence[Any]) -> tuple[str, ...]:
    """What a record has in common with those that stand in one table with it.

    Args:
        values: In the fields' order, of `record_values` or `payload_values`.
    """
    return tuple(str(values[place]) for place in _GROUP)


def to_batch(
    records: Sequence[PredictionRecord] | Piece, schema: pa.Schema | None = None
) -> pa.RecordBatch:
    """Records of one version as a batch.

    Args:
        records: The records, or a piece of them.
        schema: Of a `Shape` that has seen them; their own, if None.
    """
    piece = records if isinstance(records, Piece) else Piece.of(records)
    if schema is None:
        shape = Shape()
        shape.see(piece)
        schema = shape.schema()
    columns = []
    nothing = [None] * piece.count
    for column in schema:
        values = piece.fields[column.name]
        if column.name in STRUCTS:
            made: dict[tuple[int, pa.DataType, bool], pa.Array] = {}
            parts = []
            for part in column.type:
                of = values.get(part.name, nothing)
                key = id(of), part.type, TEXT in (part.metadata or {})
                if key not in made:
                    made[key] = _array(part, of)
                parts.append(made[key])
            columns.append(pa.StructArray.from_arrays(parts, fields=list(column.type)))
        else:
            columns.append(pa.array(values, column.type))
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def records_of(batch: pa.RecordBatch) -> Iterator[PredictionRecord]:
    """The records of a batch; of keys, request fields and the like, what is null is left out."""
    columns = {}
    for place, column in enumerate(batch.schema):
        array = batch.column(place)
        columns[column.name] = (
            _mappings(column, array) if column.name in STRUCTS else array.to_pylist()
        )
    for place in range(batch.num_rows):
        values: dict[str, Any] = {part: {} for part in STRUCTS}
        values |= {name: column[place] for name, column in columns.items()}
        yield PredictionRecord(**{**values, "redacted": tuple(values["redacted"])})


def _mappings(column: pa.Field, array: pa.StructArray) -> list[dict[str, Any]]:
    keep_null = column.name in ("features", "event_times")
    names = [part.name for part in column.type]
    parts = []
    for place, part in enumerate(column.type):
        values = array.field(place).to_pylist()
        if TEXT in (part.metadata or {}):
            values = [None if one is None else parse_json(one) for one in values]
        parts.append(values)
    rows = zip(*parts, strict=True)
    return [
        {
            name: value
            for name, value in zip(names, row, strict=True)
            if keep_null or value is not None
        }
        for row in rows
    ]


def _columns(folded: Sequence[Any]) -> dict[str, Sequence[Any]]:
    """Mappings turned round.

    At once where all have the same names in the same order, as those of a version have.
    """
    first = folded[0] if folded else {}
    if isinstance(first, list) and all(
        type(one) is list and one[1:] == first[1:] for one in folded
    ):
        return dict.fromkeys(first[1:], tuple(one[0] for one in folded))
    rows = [unfolded(one) for one in folded]
    names = list(rows[0]) if rows else []
    if names and all(list(row) == names for row in rows):
        turned = zip(*(row.values() for row in rows), strict=True)
        return dict(zip(names, turned, strict=True))
    every = dict.fromkeys(chain.from_iterable(rows))
    return {name: [row.get(name) for row in rows] for name in every}


def _kinds(values: Sequence[Any]) -> set[Any]:
    """What values ask of their column: types, or what makes it text."""
    found: set[Any] = set()
    for kind in set(map(type, values)) - {type(None)}:
        if kind is int:
            mine = [one for one in values if type(one) is int]
            low, high = min(mine), max(mine)
            exact = low in _EXACT and high in _EXACT
            found.add(int if exact else "int64" if low in _INT64 and high in _INT64 else "text")
        elif kind is list:
            lists = [one for one in values if type(one) is list]
            floats = all(one and set(map(type, one)) == {float} for one in lists)
            found.add("floats" if floats else "text")
        else:
            found.add(kind if kind in _SCALARS else "text")
    return found


def _column(name: str, kinds: set[Any]) -> pa.Field:
    if kinds <= {int, "int64"}:
        found = pa.int64() if kinds else pa.float64()
    elif len(kinds) == 1 and next(iter(kinds)) in _SCALARS:
        found = _SCALARS[next(iter(kinds))]
    elif kinds == {"floats"}:
        found = pa.list_(pa.float64())
    elif kinds == {int, float}:
        found = pa.float64()
    else:
        return pa.field(name, pa.string(), metadata={TEXT: b"1"})
    return pa.field(name, found)


def _array(part: pa.Field, values: Sequence[Any]) -> pa.Array:
    if TEXT in (part.metadata or {}):
        values = [None if one is None else json.dumps(one, default=str) for one in values]
    return pa.array(values, part.type)
