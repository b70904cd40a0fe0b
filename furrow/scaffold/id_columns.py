"""Whole numbers that only name something: no quantity, whatever a model could learn of them by heart."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from furrow.intake.table_profile import ColumnProfile, Reference, TableProfile

__all__ = ["id_columns", "is_category"]

_NAMED = re.compile(
    r"(^|_)(id|key|no|nr|code|isbn|issn|ean|gtin|upc|sku|barcode|zip|zipcode|postcode|postal|plz|postleitzahl|cep"
    r"|iban|bic|vin|imei|msisdn|phone|telephone|mobile|fax|ssn)$"
)
"""What names of such numbers end on: sums of postcodes say nothing."""
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
UNIQUE = 0.9  # the share of values that differ, of a number that counts rows
DENSE = 3  # how much greater than their count the range of such numbers is at the most
LEAST = 30  # rows that tell
FEW, OFTEN = 50, 20  # different ids at the most, and rows of each, on average, that make a category


def id_columns(
    table: TableProfile, references: Iterable[Reference], named: Collection[str] = ()
) -> set[str]:
    """The columns of whole numbers that are ids: by name, by reference, or because they count rows.

    Args:
        table: The table.
        references: Which columns refer to which keys.
        named: Columns that name somebody in another table: a number of theirs is no quantity here.
    """
    referring = {one.column for one in references if one.table == table.name}
    return {
        name
        for name, column in table.columns.items()
        if column.kind in {"int64", "int32"}
        and column.held
        and (
            _NAMED.search(_HUMP.sub("_", name).lower())
            or name in referring
            or name in named
            or _counts(column)
        )
    }


def is_category(column: ColumnProfile) -> bool:
    """Whether there are few ids, each in many rows: what they name may matter."""
    return 1 < column.distinct <= FEW and column.held >= OFTEN * column.distinct


def _counts(column: ColumnProfile) -> bool:
    """Whether numbers differ from row to row and leave little out."""
    apart = column.held >= LEAST and column.distinct >= UNIQUE * column.held
    return apart and column.most - column.least <= DENSE * column.held
