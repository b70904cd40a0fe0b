"""What of a prediction log's files can't be read, and what a kill left of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from furrow.serving.log_files import live_folder, sealed_files, sealed_segments

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["damaged_files", "leftovers"]


def damaged_files(folder: Path) -> list[Path]:
    """Sealed files whose rows can't be read."""
    found = []
    for path in (one for part in sealed_segments(folder) for one in sealed_files(part)):
        try:
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches(batch_size=65536):
                    del batch
        except (OSError, pa.ArrowException):
            found.append(path)
    return found


def leftovers(folder: Path) -> list[Path]:
    """Live segments that are sealed already: the sealed ones count."""
    sealed = {path.name for path in sealed_segments(folder)}
    return [path for path in sorted(live_folder(folder).glob("*")) if path.stem in sealed]
