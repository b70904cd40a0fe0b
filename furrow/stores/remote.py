"""Remote object storage: Parquet objects under an address, read through Arrow."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.dataset as ds
from pyarrow import fs

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Remote", "is_remote", "open_remote", "storage"]

_GLOB = frozenset("*?[")


@dataclass(frozen=True)
class Remote:
    """The Parquet objects under an address."""

    dataset: Any

    @property
    def schema(self) -> pa.Schema:
        """Their columns, with those of Hive partitions."""
        return self.dataset.schema

    def reader(self, columns: Sequence[str]) -> pa.RecordBatchReader:
        """The rows in the order of the objects' names, the wanted columns alone."""
        names = [name for name in self.schema.names if name in columns]
        return self.dataset.scanner(columns=names).to_reader()


def is_remote(path: str) -> bool:
    """Whether a path is an address of object storage."""
    return "://" in path and not path.startswith("file://")


def storage(path: str, endpoint: str | None = None) -> tuple[fs.FileSystem, str]:
    """The file system of an address and the path in it.

    Args:
        path: For instance s3://bucket/folder.
        endpoint: The server of an s3:// address, where it is not Amazon's.

    Raises:
        OSError: It can't be reached.
        ValueError: No file system answers to such an address.
    """
    if path.startswith("s3://") and endpoint:
        scheme, _, host = endpoint.rpartition("://")
        inner = path.removeprefix("s3://").rstrip("/")
        return fs.S3FileSystem(endpoint_override=host, scheme=scheme or "https", region="us-east-1"), inner
    system, inner = fs.FileSystem.from_uri(path)
    return system, inner.rstrip("/")


def open_remote(path: str, endpoint: str | None = None) -> Remote | None:
    """Find the objects under an address and read their schema.

    Returns:
        The objects, or None if there is none.

    Raises:
        OSError: The storage can't be reached or an object can't be read.
        ValueError: No file system answers to such an address, or an object is no Parquet file.
    """
    system, inner = storage(path, endpoint)
    files = _objects(system, inner)
    if not files:
        return None
    root = "/".join(part for part in inner.split("/") if not _GLOB & set(part))
    return Remote(
        ds.dataset(
            files,
            filesystem=system,
            format="parquet",
            partitioning=ds.partitioning(flavor="hive") if any("=" in file for file in files) else None,
            partition_base_dir=root,
        )
    )


def _objects(system: fs.FileSystem, inner: str) -> list[str]:
    parts = inner.split("/")
    wild = next((i for i, part in enumerate(parts) if _GLOB & set(part)), None)
    if wild is not None:
        found = system.get_file_info(fs.FileSelector("/".join(parts[:wild]), recursive=True, allow_not_found=True))
        return sorted(item.path for item in found if item.is_file and _matches(item.path, inner))
    if system.get_file_info(inner).type == fs.FileType.File:
        return [inner]
    found = system.get_file_info(fs.FileSelector(inner, recursive=True, allow_not_found=True))
    return sorted(item.path for item in found if item.is_file and item.path.endswith(".parquet"))


def _matches(path: str, pattern: str) -> bool:
    return path.count("/") == pattern.count("/") and PurePosixPath(path).match(pattern)
