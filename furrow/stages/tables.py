"""Stage `tables_T`: build one feature table, features/tables/T.sql -> build/tables/T.parquet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from furrow.data.contract import load_contract
from furrow.data.raw_files import project_files
from furrow.ground.tables import build_table
from furrow.layout import CONTRACT, table, table_sql
from furrow.plurals import number_of
from furrow.stages.command import run_stage, say

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["tables"]


def tables(root: Path, name: str) -> None:
    """Build a feature table and say what was written.

    Args:
        root: The project.
        name: The table: T of features/tables/T.sql.
    """
    raw = project_files(root, load_contract(root / CONTRACT))
    report = build_table(root / table_sql(name), raw, root / table(name))
    say(
        f"{name}: {number_of(report.rows, 'row')}, {number_of(len(report.columns), 'column')},"
        f" {report.size / 1e6:.1f} MB"
    )


if __name__ == "__main__":
    run_stage("tables", "Build one feature table.", ("table",), tables)
