"""From the manifest's `online_store` to an open store, and from a view to its name in there."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from furrow.features.json_reader import ManifestError
from furrow.features.redis_options import feast_address, known_options
from furrow.stores.record import ViewSchema

if TYPE_CHECKING:
    from pathlib import Path

    from furrow.features.schema import Manifest, View
    from furrow.stores.store_api import OnlineStore, ReadStore

__all__ = ["open_reader", "open_store", "schema_of", "stored_name"]

PREFIX = "FURROW_ONLINE_"
LMDB = ("lmdb", "furrow.ground.feast.online.FurrowOnlineStore")
REDIS = ("redis", "furrow.ground.feast.online_redis.FurrowRedisOnlineStore")
FEAST_REDIS = ("redis", "feast.infra.online_stores.redis.RedisOnlineStore")


def stored_name(manifest: Manifest, view: str) -> str:
    """A view's name in the store: a project's views are apart from those of others."""
    return f"{manifest.project}/{view}"


def schema_of(view: View) -> ViewSchema:
    """What a view's records hold."""
    return ViewSchema(
        tuple((column.name, column.dtype) for column in view.join_keys),
        tuple((column.name, column.dtype) for column in view.features),
    )


def open_reader(manifest: Manifest, folder: Path, *, expand: bool = True) -> ReadStore:
    """Open the online store that a manifest names, to read.

    Args:
        manifest: The manifest.
        folder: The folder that its paths start from.
        expand: Whether `${FURROW_ONLINE_NAME}` is filled in; never for a manifest from elsewhere than its folder, nor
            for a clone that is not trusted.

    Raises:
        ManifestError: The store's type is not one that Furrow reads, or an option is wrong.
        StoreError: The store can't be opened.
    """
    options = _options(manifest, folder, expand=expand)
    kind = manifest.online_store.type
    if kind == FEAST_REDIS[1] or (kind == FEAST_REDIS[0] and "connection_string" in options):
        from furrow.stores.feast_redis import FeastRedisStore  # noqa: PLC0415 - others need no Redis

        views = {stored_name(manifest, name): (name, schema_of(view)) for name, view in manifest.views.items()}
        url, deadline = feast_address(options)
        return FeastRedisStore(url, manifest.project, views, deadline=deadline)
    return open_store(manifest, folder, expand=expand)


def open_store(manifest: Manifest, folder: Path, *, create: bool = False, expand: bool = True) -> OnlineStore:
    """Open the online store of packed records that a manifest names, to read and write.

    Args:
        manifest: The manifest.
        folder: The folder that its paths start from.
        create: Make an embedded store if there is none.
        expand: As in `open_reader`.

    Raises:
        ManifestError: The store's type is not one that Furrow writes, or an option is wrong.
        StoreError: The store can't be opened.
    """
    kind, options = manifest.online_store.type, _options(manifest, folder, expand=expand)
    if kind in LMDB:
        from furrow.stores.lmdb_store import LmdbStore  # noqa: PLC0415 - a Redis user needs no LMDB

        known_options(options, {"path", "limit"})
        limit = {"limit": _whole(options["limit"], "limit")} if options.get("limit") else {}
        return LmdbStore(folder / str(options.get("path", "../build/online")), create=create, **limit)
    if kind in REDIS and "connection_string" not in options:
        from furrow.stores.redis_store import RedisStore  # noqa: PLC0415 - others need no Redis

        known_options(options, {"url", "deadline_ms", "namespace"})
        url, space = options.get("url", "redis://127.0.0.1:6379/0"), options.get("namespace", "furrow")
        return RedisStore(str(url), deadline=_deadline(options), namespace=str(space))
    raise ManifestError(
        f"online_store.type: {kind!r} is no store that Furrow's client {'writes' if create else 'reads'}",
        field="online_store.type",
        hint=f"use {LMDB[1]} or {REDIS[1]}",
    )


def _options(manifest: Manifest, folder: Path, *, expand: bool) -> dict[str, Any]:
    options = manifest.online_store.options
    if expand and any("${" in str(value) for value in options.values()):
        from furrow.ground.trust import is_trusted  # noqa: PLC0415 - asks Git, where there is something to fill in

        expand = is_trusted(folder)
    return {key: _expanded(key, value, expand=expand) for key, value in options.items()}


def _deadline(options: dict[str, Any]) -> float:
    return _whole(options.get("deadline_ms", 250), "deadline_ms") / 1000


def _whole(value: Any, field: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ManifestError(
            f"online_store.{field}: {value!r} should be a positive whole number", field=f"online_store.{field}"
        )
    return value


def _expanded(key: str, value: Any, *, expand: bool) -> Any:
    """A text with its `${FURROW_ONLINE_NAME}` references to the environment filled in.

    The manifest says where they are sent. So it may name what an operator meant for the online store, and no more:
    those variables begin with FURROW_ONLINE_.

    Raises:
        ManifestError: It names another variable, one that the environment lacks, or may name none.
    """
    if not isinstance(value, str):
        return value
    field = f"online_store.{key}"

    def lookup(found: re.Match[str]) -> str:
        name = found.group(1)
        if not expand:
            raise ManifestError(
                f"{field} asks for ${{{name}}} of this environment, and the manifest is from elsewhere",
                field=field,
                hint="one from a URL, for another folder or of a clone without `furrow trust` names no variables",
            )
        if not name.startswith(PREFIX):
            raise ManifestError(
                f"{field} asks for ${{{name}}} of this environment, which is not meant for it",
                field=field,
                hint=f"name it {PREFIX}..., in feature_store.yaml and in the environment, then `furrow compile`",
            )
        if name not in os.environ:
            raise ManifestError(
                f"online_store: the environment variable {name} is not set", field="online_store", hint=f"set {name}"
            )
        return os.environ[name]

    return re.sub(r"\$\{([^}]*)\}", lookup, value)
