"""The first rows of a raw table, as this machine holds them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from furrow.data.raw_files import table_files
from furrow.ground.bounded_parquet import UnpackedError, open_bounded
from furrow.web.content import Note, Table

if TYPE_CHECKING:
    from pathlib import Path

    from furrow.data.contract import Table as Declared
    from furrow.web.content import Cell

__all__ = ["ROWS", "files_inside", "sample"]

ROWS = 20
_COLUMNS, _LONGEST = 60, 200


def sample(folder: Path, name: str, declared: Declared) -> Table | Note:
    """Rows of a table's first file.

    Of columns that the contract names, and of no file outside of the project.

    Args:
        folder: The raw data.
        name: The table.
        declared: What the contract says of it.
    """
    paths = files_inside(folder, declared)
    if not paths:
        return Note(f"No file of {name} is here.", "warn")
    try:
        with open_bounded(paths[0]) as file:
            columns = [one for one in declared.columns if one in file.schema.names][:_COLUMNS]
            rows = next(file.parts(ROWS, columns), None)
    except UnpackedError as exc:
        return Note(exc.message, "bad")
    except (pa.ArrowException, OSError) as exc:
        return Note(f"{paths[0].name} can't be read: {str(exc).splitlines()[0]}", "bad")
    values = [] if rows is None else rows.to_pylist()
    cells = [tuple(_cell(row[column]) for column in columns) for row in values]
    return Table(f"sample-{name}", columns, cells, empty=f"{paths[0].name} has no row.")


def files_inside(folder: Path, declared: Declared) -> list[Path]:
    """A table's files that lie in the project, wherever links lead."""
    root = folder.resolve().parent
    return [path for path in table_files(folder, declared) if path.resolve().is_relative_to(root)]


def _cell(value: Any) -> Cell:
    if value is None or isinstance(value, bool | int | float):
        return value
    text = str(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
