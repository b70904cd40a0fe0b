"""What a project's own raw tables look like, as its contract names them.

For additions to a project that is there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow.parquet as pq

from furrow.data.contract import load_contract
from furrow.data.raw_files import how_to_land, table_files
from furrow.errors import FurrowError
from furrow.intake.landed import Landed
from furrow.intake.table_profile import profile_tables, references
from furrow.layout import CONTRACT, DATA
from furrow.scaffold.answer_error import near

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from furrow.intake.table_profile import Reference, TableProfile

__all__ = ["raw_profiles"]


def raw_profiles(
    root: Path, names: Iterable[str] = ()
) -> tuple[Mapping[str, TableProfile], list[Reference]]:
    """Profile a project's raw tables.

    Args:
        root: The project.
        names: Of the tables; all of them if empty.

    Returns:
        The profiles by name, and which columns refer to which keys.

    Raises:
        FurrowError: The contract names no such table, or its data have not landed.
    """
    contract = load_contract(root / CONTRACT)
    zone = contract.clock.timezone
    landed = []
    for name in names or contract.tables:
        if name not in contract.tables:
            hint = near(name, contract.tables)
            raise FurrowError(f"{CONTRACT} names no raw table {name!r}", hint=hint)
        table = contract.tables[name]
        files = table_files(root / DATA, table)
        if not files:
            hint = how_to_land(root) or "run what lands them (pipelines/ingest.py), or `dvc pull`"
            raise FurrowError(f"the data of {name} are not in {DATA}/", hint=hint)
        rows = sum(pq.read_metadata(file).num_rows for file in files)
        there = pq.read_schema(files[0]).names if table.types else ()
        ordered = dict.fromkeys([*(one for one in there if one in table.columns), *table.columns])
        columns = {column: table.columns[column].type for column in ordered}
        landed.append(Landed(name, _glob(root, table.files, files), rows, columns, False, ()))
    tables = profile_tables(landed, timezone=zone)
    return tables, references(tables)


def _glob(root: Path, pattern: str, files: list[Path]) -> Path:
    """One path for all files of a table, as DuckDB reads patterns."""
    if len(files) == 1:
        return files[0]
    before, _, rest = pattern.partition("{")
    return root / DATA / f"{before}*{rest.partition('}')[2]}"
