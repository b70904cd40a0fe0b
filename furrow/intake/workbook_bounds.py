"""What a workbook may unpack to.

It is a zip, in which kilobytes mean gigabytes, and a cell far away means all before it.
"""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

from furrow.intake.dialect import IntakeError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

__all__ = ["bounded_cells", "check_workbook"]

PARTS = 10_000
PART, RATIO = 64 << 20, 50
"""Bytes that a part may unpack to, or so many times what it takes: XML packs to a tenth, a bomb to a thousandth."""
CELLS, EACH = 20_000_000, 20
"""Cells that a sheet may have, or so many for a byte of the file."""
_HINT = "look at what wrote it; if it is meant, save the sheet as CSV"


def check_workbook(path: Path) -> None:
    """Hold the list of a workbook's parts against what they may unpack to: no part is read beyond what is listed.

    Raises:
        IntakeError: It is no workbook, or one of its parts would be too large.
    """
    try:
        with zipfile.ZipFile(path) as book:
            parts = book.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as exc:
        raise IntakeError(f"{path} is no workbook that can be read: {exc}", path=path) from exc
    if len(parts) > PARTS:
        said = f"{path} has {len(parts):,} parts, more than the {PARTS:,} that are read"
        raise IntakeError(said, path=path, hint=_HINT)
    for one in parts:
        most = max(PART, RATIO * one.compress_size)
        if one.file_size > most:
            said = (
                f"{path}: {one.filename} unpacks to {one.file_size:,} bytes, more than the {most:,}"
            )
            raise IntakeError(f"{said} that are read", path=path, hint=_HINT)


def bounded_cells(
    path: Path, sheet: str, rows: Iterable[tuple[object, ...]]
) -> Iterator[tuple[object, ...]]:
    """A sheet's rows, counted with the empty cells that are filled in before one far away.

    Raises:
        IntakeError: They are more than the file can mean.
    """
    left = most = max(CELLS, EACH * path.stat().st_size)
    for row in rows:
        left -= len(row) + 1
        if left < 0:
            said = f"{path}: {sheet} has more than the {most:,} cells that are read"
            raise IntakeError(said, path=path, hint=_HINT)
        yield row
