"""Options of the embedded store in feature_store.yaml."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from furrow.features.redis_options import known_options, positive
from furrow.stores.lmdb_store import LmdbStore

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from furrow.features.schema import Manifest

__all__ = ["open_lmdb"]


def open_lmdb(
    manifest: Manifest, folder: Path, options: Mapping[str, Any], *, create: bool
) -> LmdbStore:
    """Open one file of packed records.

    Raises:
        ManifestError: An option is wrong.
        StoreError: It can't be opened.
    """
    del manifest
    known_options(options, {"path", "limit"})
    limit = {"limit": positive(options["limit"], "limit")} if options.get("limit") else {}
    path = (folder / str(options.get("path", "../build/online"))).resolve()
    return LmdbStore(path, create=create, **limit)
