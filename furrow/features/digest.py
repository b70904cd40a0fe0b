"""Digests: sha256 of a definition in canonical form, transitively.

A digest covers what changes a feature's value, its type or its place, and nothing else: owner,
description and tags are not in it, nor is where the online store lives. Nothing here looks at a
folder, a clock or a hash seed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from furrow.files import sha256_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from furrow.features.schema import Column, Manifest, OnDemandView, Service, View

__all__ = ["on_demand_digest", "seal", "service_digest", "table_digest", "view_digest"]

VERSION = 1
"""Part of every digest: raise it when the same definition should get another digest."""


def _digest(kind: str, **parts: Any) -> str:
    return sha256_json({"kind": kind, "version": VERSION, **parts})


def _columns(columns: tuple[Column, ...]) -> list[list[str]]:
    return [[column.name, column.dtype] for column in columns]


def table_digest(
    canonical_sql: str, schema: Mapping[str, Mapping[str, str]], upstream: Mapping[str, str]
) -> str:
    """The digest of a feature table.

    Args:
        canonical_sql: Its SQL in canonical form (`furrow.features.sql.canonical`).
        schema: The raw columns that the SQL reads and their declared types, by relation; empty if
            unknown.
        upstream: The digests of the feature tables that the SQL reads, by name.
    """
    declared = {name: dict(columns) for name, columns in schema.items()}
    return _digest("table", sql=canonical_sql, schema=declared, upstream=dict(upstream))


def view_digest(view: View, tables: Mapping[str, str]) -> str:
    """The digest of a feature view.

    The order of features counts (it is the order of a model's columns); that of join keys does not.

    Args:
        view: The view.
        tables: The digests of the feature tables, by name.
    """
    source: Any = {"table": tables[view.table]} if view.table is not None else {"path": view.source}
    return _digest(
        "view",
        name=view.name,
        source=source,
        join_keys=sorted(_columns(view.join_keys)),
        features=_columns(view.features),
        timestamp_field=view.timestamp_field,
        created_timestamp_column=view.created_timestamp_column,
        ttl_seconds=view.ttl_seconds or None,
        field_mapping=dict(view.field_mapping),
    )


def on_demand_digest(view: OnDemandView, views: Mapping[str, str]) -> str:
    """The digest of an on-demand view.

    Args:
        view: The on-demand view; its code is in canonical form already.
        views: The digests of the feature views, by name.
    """
    inputs = sorted([i.view, i.name, i.dtype] for i in view.inputs)
    return _digest(
        "on_demand",
        name=view.name,
        inputs=inputs,
        views={name: views[name] for name in sorted({i.view for i in view.inputs} - {"request"})},
        features=_columns(view.features),
        code=view.code,
        function=view.function,
        mode=view.mode,
        singleton=view.singleton,
    )


def service_digest(service: Service, digests: Mapping[str, str]) -> str:
    """The digest of a feature service: its projections in their order, and the digest of each view.

    Its own name is not in it: two services that serve the same features have one digest.

    Args:
        service: The service.
        digests: The digests of feature views and on-demand views, by name.
    """
    projections = [
        {
            "view": projection.view,
            "digest": digests[projection.view],
            "name": projection.name,
            "features": list(projection.features),
            "join_key_map": dict(projection.join_key_map),
        }
        for projection in service.views
    ]
    return _digest("service", projections=projections)


def seal(manifest: Manifest) -> Manifest:
    """Put the right digest on every view, on-demand view, service, and on the whole manifest.

    The digests of feature tables are taken as they are.

    Args:
        manifest: A manifest whose other digests may be anything.

    Returns:
        The same manifest with its digests.
    """
    tables = {name: table.sql_digest for name, table in manifest.tables.items()}
    views = {
        name: replace(view, digest=view_digest(view, tables))
        for name, view in manifest.views.items()
    }
    digests = {name: view.digest for name, view in views.items()}
    on_demand = {
        name: replace(view, digest=on_demand_digest(view, digests))
        for name, view in manifest.on_demand.items()
    }
    digests |= {name: view.digest for name, view in on_demand.items()}
    services = {
        name: replace(service, digest=service_digest(service, digests))
        for name, service in manifest.services.items()
    }
    whole = _digest(
        "manifest",
        tables=tables,
        views=digests,
        services={name: service.digest for name, service in services.items()},
    )
    return replace(manifest, digest=whole, views=views, on_demand=on_demand, services=services)
