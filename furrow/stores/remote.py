"""Remote object storage: the Parquet objects under an address."""

from __future__ import annotations

from pathlib import PurePosixPath

from pyarrow import fs

from furrow.stores.partitions import visible

__all__ = ["is_remote", "list_objects", "storage"]

_WILD = frozenset("*?[")


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
        return fs.S3FileSystem(
            endpoint_override=host, scheme=scheme or "https", region="us-east-1"
        ), inner
    system, inner = fs.FileSystem.from_uri(path)
    return system, inner.rstrip("/")


def list_objects(system: fs.FileSystem, inner: str) -> list[str]:
    """The Parquet objects that a path means, in the order of their names, folder by folder.

    Raises:
        OSError: The storage can't be reached.
    """
    parts = inner.split("/")
    wild = next((at for at, part in enumerate(parts) if _WILD & set(part)), None)
    if wild is None and system.get_file_info(inner).type == fs.FileType.File:
        return [inner]
    top = inner if wild is None else "/".join(parts[:wild])
    found = system.get_file_info(fs.FileSelector(top, recursive=True, allow_not_found=True))
    files = [item.path for item in found if item.is_file]
    if wild is not None:
        chosen = [file for file in files if _matches(file, inner)]
    else:
        chosen = [
            file
            for file in files
            if file.endswith((".parquet", ".pq")) and visible(_below(file, top))
        ]
    return sorted(chosen, key=lambda file: file.split("/"))


def _below(file: str, top: str) -> list[str]:
    return file.removeprefix(top).lstrip("/").split("/")


def _matches(path: str, pattern: str) -> bool:
    return path.count("/") == pattern.count("/") and PurePosixPath(path).match(pattern)
