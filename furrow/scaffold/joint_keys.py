"""Whom a prediction is about where one column does not name them: a store and a product, an order and its line.

A key of several columns is written as one text, with commas between their names; no column that
landed has one in its name. So lists in SQL take it as it is.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from furrow.intake.table_profile import readable
from furrow.scaffold.split_guess import repeated_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from furrow.intake.table_profile import TableProfile

__all__ = [
    "guessed_joint",
    "is_joint",
    "joint_key",
    "key_held",
    "key_list",
    "key_names",
    "key_value",
    "key_words",
    "rows_each",
]

_COMMA = ", "
MOST_GUESSED = 3
"""Columns of a key that is guessed, at the most."""

_PARTS = {
    "product", "item", "article", "department", "dept", "category", "family", "brand", "region", "city", "country",
    "location", "site", "plant", "warehouse", "branch", "channel", "series", "ticker", "symbol", "zone", "meter",
}  # fmt: skip
"""Words in the names of columns that are part of a key, beside those of ids and persons."""


def joint_key(names: Sequence[str]) -> str:
    """Columns as one key."""
    return _COMMA.join(names)


def key_names(entity: str) -> list[str]:
    """The columns of a key; none of an empty one."""
    return entity.split(_COMMA) if entity else []


def is_joint(entity: str) -> bool:
    """Whether a key has several columns."""
    return _COMMA in entity


def key_list(entity: str, of: str = "") -> str:
    """A key in a list of SQL.

    Args:
        entity: The key.
        of: The table's short name, with a dot; empty for none.
    """
    return _COMMA.join(f"{of}{readable(name)}" for name in key_names(entity))


def key_held(entity: str) -> str:
    """SQL for whether a row has a key."""
    return " and ".join(f"{readable(name)} is not null" for name in key_names(entity))


def key_words(entity: str) -> str:
    """A key as people say it: store and product."""
    return " and ".join(key_names(entity))


def key_value(entity: str, of: str = "") -> str:
    """SQL for a key as one value, to be compared."""
    return f"row({key_list(entity, of)})" if is_joint(entity) else key_list(entity, of)


def rows_each(table: TableProfile, entity: str) -> float:
    """How many rows a table has of each of its keys, on average."""
    if not is_joint(entity):
        column = table.columns[entity]
        return column.held / max(column.distinct, 1)
    again = repeated_rows(table, key_names(entity))
    return table.rows / max(table.rows - again, 1)


def guessed_joint(
    table: TableProfile, names: Sequence[str], moments: list[str], label: str, most: int
) -> str:
    """Two or three columns that together name a row, at one moment if there are any; empty for none.

    Args:
        table: That holds the label.
        names: Columns that are named as ids or as persons.
        moments: The column of moments, or none.
        label: The label's column.
        most: How many rows may have the key and the moment of an earlier one.
    """
    also = [
        name
        for name, one in table.columns.items()
        if one.kind in {"string", "int64", "int32"}
        and one.distinct > 1
        and name not in {label, *names, *moments}
        and set(name.split("_")) & _PARTS
    ]
    told = [*names, *also][:6]
    for size in range(2, MOST_GUESSED + 1):
        for some in combinations(told, size):
            if repeated_rows(table, [*some, *moments]) <= most:
                return joint_key(some)
    return ""
