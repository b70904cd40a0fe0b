"""Landing: Parquet files with the same bytes for the same rows, written whole or not at all."""

from __future__ import annotations

import fcntl
import os
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from furrow.errors import FurrowError
from furrow.files import write_bytes
from furrow.ground.bounded_parquet import open_bounded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["DamagedError", "ForeignError", "LandingError", "check", "exclusive", "land", "sweep"]

_STAMP = b"furrow.landed"
_ROWS = 1 << 16
_LEFTOVER = re.compile(
    r"\..+\.parquet\.[a-z0-9_]+"
)  # what furrow.files.write_bytes leaves when it is killed


class LandingError(FurrowError):
    """A partition can't be landed, or the one in place is not what it should be."""

    def __init__(self, message: str, *, path: Path, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.path = path


class DamagedError(LandingError):
    """The file is not whole Parquet: cut short, or bytes in it changed."""


class ForeignError(LandingError):
    """The file is whole Parquet, but something else wrote it."""


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Hold a folder for this process alone; the lock goes when the process does, however it ends.

    Raises:
        LandingError: Another process holds it, or the folder can't be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as exc:
        raise LandingError(
            f"cannot open the folder {folder}: {exc.strerror}",
            path=folder,
            hint="check the path and permissions",
        ) from exc
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as exc:
        raise LandingError(
            f"another ingest is writing to {folder}",
            path=folder,
            hint="wait for it to end, then run again",
        ) from exc
    finally:
        os.close(handle)


def sweep(folder: Path) -> list[Path]:
    """Remove the temporary files that a killed run left in a folder and its sub-folders.

    Returns:
        The removed paths, sorted. Call it under `exclusive`.
    """
    found = sorted(
        path for path in folder.rglob(".*") if path.is_file() and _LEFTOVER.fullmatch(path.name)
    )
    for path in found:
        path.unlink()
    return found


def land(path: Path, table: pa.Table, *, stamp: str) -> int:
    """Write rows as one Parquet file whose bytes depend on the rows, the stamp and the pyarrow version alone.

    Args:
        path: Where; replaced whole or not at all.
        table: The rows, already sorted.
        stamp: What made the rows (source and format); `check` asks for the same.

    Returns:
        The number of bytes written.

    Raises:
        furrow.files.FileError: The disk is full or the folder can't be written; the old file is
            untouched.
    """
    sink = pa.BufferOutputStream()
    pq.write_table(
        table.replace_schema_metadata({_STAMP: stamp.encode()}),
        sink,
        version="2.6",
        compression="zstd",
        compression_level=3,
        use_dictionary=True,
        write_statistics=True,
        write_page_checksum=True,
        row_group_size=1 << 20,
        data_page_version="1.0",
        coerce_timestamps="us",
    )
    data = sink.getvalue().to_pybytes()
    write_bytes(path, data)
    return len(data)


def check(path: Path, schema: pa.Schema, *, stamp: str) -> int:
    """Read a landed file through, page checksums included.

    Returns:
        The number of rows.

    Raises:
        LandingError: It can't be opened, so that nothing can be said of it.
        UnpackedError: Some of its rows mean more than is held at a time.
        DamagedError: It is cut short or its bytes have changed.
        ForeignError: Its columns or its stamp are not those that `land` would have written.
    """
    if not path.is_file():
        raise LandingError(
            f"cannot read {path}: not a file", path=path, hint="move it away, then run again"
        )
    try:
        with open_bounded(path) as file:  # which holds pages against their checksums
            found, rows = file.schema, int(file.metadata.num_rows)
            for _ in file.parts(_ROWS):
                pass
    except PermissionError as exc:
        raise LandingError(
            f"cannot read {path}: {exc.strerror}", path=path, hint="check its permissions"
        ) from exc
    except (pa.ArrowException, OSError) as exc:
        reason = str(exc).splitlines()[0]
        raise DamagedError(f"{path} is damaged: {reason}", path=path, hint="land it again") from exc
    if not found.equals(schema):
        raise ForeignError(f"{path}: {_difference(found, schema)}", path=path)
    if (found.metadata or {}).get(_STAMP) != stamp.encode():
        raise ForeignError(f"{path} was not landed by this version of the ingest", path=path)
    return rows


def _difference(found: pa.Schema, wanted: pa.Schema) -> str:
    missing = [name for name in wanted.names if name not in found.names]
    extra = [name for name in found.names if name not in wanted.names]
    if missing or extra:
        return "; ".join(
            [f"column {name} is missing" for name in missing]
            + [f"column {name} is unknown" for name in extra]
        )
    retyped = [f for f in wanted if found.field(f.name).type != f.type]
    if retyped:
        return "; ".join(
            f"column {f.name} is {found.field(f.name).type} instead of {f.type}" for f in retyped
        )
    return "the columns are in another order"
