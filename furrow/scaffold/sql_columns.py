"""What a feature table's SQL gives.

Its keys and its features, with Feast's types, without a row of data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb

from furrow.errors import FurrowError
from furrow.intake.quiet_db import quiet_db
from furrow.intake.table_profile import quoted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from furrow.data.contract import Contract

__all__ = ["SqlColumns", "SqlColumnsError", "sql_columns"]

_RAW = {"string": "VARCHAR", "int32": "INTEGER", "int64": "BIGINT", "float64": "DOUBLE"}
_RAW |= {"bool": "BOOLEAN", "timestamp": "TIMESTAMPTZ"}
_FEAST = {
    "VARCHAR": "String",
    "BIGINT": "Int64",
    "INTEGER": "Int32",
    "SMALLINT": "Int32",
    "TINYINT": "Int32",
}
_FEAST |= {"DOUBLE": "Float64", "FLOAT": "Float32", "BOOLEAN": "Bool"}
_FEAST |= {"TIMESTAMP WITH TIME ZONE": "UnixTimestamp"}
_TIME = "event_timestamp"


class SqlColumnsError(FurrowError):
    """The SQL of a feature table is wrong, or gives what no feature view can take."""


@dataclass(frozen=True)
class SqlColumns:
    """The columns before event_timestamp, and those after it, each with Feast's type."""

    keys: Mapping[str, str]
    features: Mapping[str, str]


def sql_columns(sql: str, contract: Contract, *, where: str) -> SqlColumns:
    """Find the columns of a SELECT over the raw tables.

    Args:
        sql: The SELECT.
        contract: Names the raw tables and their types.
        where: Its file, for messages.

    Raises:
        SqlColumnsError: The SQL is wrong, has no event_timestamp, or a column of a type that Feast
            does not have.
    """
    with quiet_db() as db:
        for name, table in contract.tables.items():
            columns = ", ".join(
                f"{quoted(column)} {_RAW.get(declared.type, 'VARCHAR')}"
                for column, declared in table.columns.items()
            )
            db.execute(f"CREATE TEMP TABLE {quoted(name)} ({columns})")
        try:
            rows = db.execute(f"DESCRIBE {sql}").fetchall()
        except duckdb.Error as exc:
            said = str(exc).splitlines()[0]
            raise SqlColumnsError(f"{where}: {said}", hint="mend the SQL, then run again") from exc
    names = [row[0] for row in rows]
    if _TIME not in names or not names.index(_TIME):
        hint = f"select the keys first, then the moment of each row as {_TIME}, then the values"
        raise SqlColumnsError(f"{where} gives no keys and {_TIME}", hint=hint)
    found = {row[0]: _feast(row[0], row[1], where) for row in rows if row[0] != _TIME}
    keys = set(names[: names.index(_TIME)])
    return SqlColumns(
        {name: type_ for name, type_ in found.items() if name in keys},
        {name: type_ for name, type_ in found.items() if name not in keys},
    )


def _feast(name: str, type_: str, where: str) -> str:
    if type_ not in _FEAST:
        hint = f"cast it: cast({name} as double), as bigint, as varchar"
        raise SqlColumnsError(
            f"{where}: {name} is of type {type_}, which no feature has", hint=hint
        )
    return _FEAST[type_]
