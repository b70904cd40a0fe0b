"""Columns that a person may mean by what is to be predicted, where no name is sure enough to be taken."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from furrow.intake.table_profile import ColumnProfile, TableProfile

__all__ = ["label_candidates"]

MOST = 12
FEW_VALUES = 10
_STEMS = (
    "label", "target", "churn", "status", "outcome", "result", "class", "cancel", "default", "fraud", "convert",
    "gekundigt", "kundigung", "storn", "ziel", "ergebnis", "zustand", "ausfall", "betrug", "abgang",
    "statut", "resultat", "resili", "annul", "cible", "classe", "fraude", "depart",
    "estado", "resultado", "objetivo", "cancelad", "abandono", "baja", "situacao", "alvo",
    "stato", "esito", "risultato", "disdett", "obiettivo", "opgezegd", "uitkomst", "doel",
)  # fmt: skip
"""What names of labels begin with or hold, without accents, in several languages."""


def label_candidates(tables: Mapping[str, TableProfile]) -> list[str]:
    """Columns named as labels are, then those of two values, then those of a few.

    Args:
        tables: What landed.

    Returns:
        A few of them; as TABLE.COLUMN where there are several tables.
    """
    placed = [
        (place, f"{table.name}.{column.name}" if len(tables) > 1 else column.name)
        for table in tables.values()
        for column in table.columns.values()
        if (place := _place(column, table)) is not None
    ]
    return [name for _, name in sorted(placed, key=lambda one: one[0])][:MOST]


def _place(column: ColumnProfile, table: TableProfile) -> int | None:
    if column.kind == "timestamp" or column.distinct < 2 or column.name in table.keys:
        return None
    plain = unicodedata.normalize("NFKD", column.name).encode("ascii", "ignore").decode().lower()
    if any(word.startswith(_STEMS) for word in plain.split("_")):
        return 0 if column.distinct <= FEW_VALUES or column.kind != "string" else 1
    if column.kind == "bool" or column.distinct == 2:
        return 2
    few = column.distinct <= FEW_VALUES and column.kind in {"string", "int64", "int32"}
    return 3 if few else None
