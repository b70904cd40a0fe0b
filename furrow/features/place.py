"""From the manifest's `online_store` to an open store, and from a view to its name in there."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from furrow.features.strict import ManifestError
from furrow.stores.record import ViewSchema

if TYPE_CHECKING:
    from pathlib import Path

    from furrow.features.schema import Manifest, View
    from furrow.stores.online import OnlineStore

__all__ = ["open_store", "schema_of", "stored_name"]

LMDB = ("lmdb", "furrow.ground.feast.online.FurrowOnlineStore")
REDIS = ("furrow.ground.feast.online_redis.FurrowRedisOnlineStore",)
FEAST_REDIS = ("feast.infra.online_stores.redis.RedisOnlineStore",)


def stored_name(manifest: Manifest, view: str) -> str:
    """A view's name in the store: a project's views are apart from those of others."""
    return f"{manifest.project}/{view}"


def schema_of(view: View) -> ViewSchema:
    """What a view's records hold."""
    return ViewSchema(
        tuple((column.name, column.dtype) for column in view.join_keys),
        tuple((column.name, column.dtype) for column in view.features),
    )


def open_store(manifest: Manifest, folder: Path, *, create: bool = False) -> OnlineStore:
    """Open the online store that a manifest names.

    Args:
        manifest: The manifest.
        folder: The folder that its paths start from.
        create: Make an embedded store if there is none.

    Raises:
        ManifestError: The store's type is not one that Furrow reads, or an option is wrong.
        StoreError: The store can't be opened.
    """
    kind = manifest.online_store.type
    options = {key: _expanded(value) for key, value in manifest.online_store.options.items()}
    if kind in LMDB:
        from furrow.stores.lmdb_store import LmdbStore  # noqa: PLC0415 - a Redis user needs no LMDB

        limit = {"limit": _whole(options["limit"], "limit")} if options.get("limit") else {}
        return LmdbStore(folder / str(options.get("path", "../build/online")), create=create, **limit)
    raise ManifestError(
        f"online_store.type: {kind!r} is no store that Furrow's client reads",
        field="online_store.type",
        hint=f"use {LMDB[1]} or {REDIS[0]}",
    )


def _whole(value: Any, field: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ManifestError(
            f"online_store.{field}: {value!r} should be a positive whole number", field=f"online_store.{field}"
        )
    return value


def _expanded(value: Any) -> Any:
    """A text with its `${NAME}` references to the environment filled in.

    Raises:
        ManifestError: The environment lacks one.
    """
    if not isinstance(value, str):
        return value

    def lookup(found: re.Match[str]) -> str:
        name = found.group(1)
        if name not in os.environ:
            raise ManifestError(
                f"online_store: the environment variable {name} is not set", field="online_store", hint=f"set {name}"
            )
        return os.environ[name]

    return re.sub(r"\$\{(\w+)\}", lookup, value)
