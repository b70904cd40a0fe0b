"""Rows of a CSV body, as SageMaker's clients send them.

A header of field names, a line for each row.
"""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any

from furrow.serving.http_problem import Problem

if TYPE_CHECKING:
    from furrow.serving.row_fields import RowFields

__all__ = ["read_csv"]

_TRUTH = {"true": True, "false": False, "1": True, "0": False}


def read_csv(content: bytes | bytearray, fields: RowFields) -> list[dict[str, Any]]:
    """Rows, each value read as its field's type; an empty one is null.

    Args:
        content: UTF-8, with a header.
        fields: Of a row.

    Raises:
        Problem: It is no such text; the line and field are named.
    """
    try:
        lines = list(csv.reader(content.decode().splitlines(), strict=True))
    except (UnicodeDecodeError, csv.Error) as exc:
        raise Problem(400, "body", f"the body is not CSV in UTF-8: {exc}") from exc
    header = lines[0] if lines else []
    known = ", ".join(fields.fields)
    odd = next((name for name in header if name not in fields.fields), None)
    if not header or odd is not None:
        said = f"the first line must name fields, and {ascii(odd)[:60]} is none"
        raise Problem(422, "row", said, hint=f"a row has: {known}")
    if len(set(header)) < len(header):
        raise Problem(422, "row", "the first line names a field twice")
    rows = []
    for place, line in enumerate(filter(None, lines[1:])):
        if len(line) != len(header):
            said = f"row {place} has {len(line)} values, the first line names {len(header)}"
            raise Problem(422, "row", said, row=place)
        rows.append(
            {
                name: _value(text, fields.fields[name].dtype, place, name)
                for name, text in zip(header, line, strict=True)
            }
        )
    return rows


def _value(text: str, dtype: str, place: int, name: str) -> Any:
    """A text as its type says; what the type refuses is told as the row check tells it."""
    if not text:
        return None
    try:
        if dtype.startswith("Int"):
            return int(text)
        if dtype.startswith("Float"):
            return float(text)
        if dtype == "Bool":
            return _TRUTH[text.lower()]
    except (ValueError, KeyError) as exc:
        said = f"row {place}: {name} must be {dtype}, got {ascii(text)[:60]}"
        raise Problem(422, "row", said, row=place, field=name) from exc
    return text
