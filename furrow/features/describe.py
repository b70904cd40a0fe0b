"""Everything known of one name of the catalog.

What it is, how fresh, from which raw columns, and who uses it.
"""

from __future__ import annotations

import math
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from furrow.errors import FurrowError
from furrow.features.catalog import Catalog, UnknownNameError, service_entry
from furrow.features.offline_rows import SourceError
from furrow.features.open_store import open_store
from furrow.features.statistics import ViewStatistics, view_statistics
from furrow.features.stored_views import stored_name
from furrow.stores.timestamps import moment

if TYPE_CHECKING:
    from furrow.features.schema import OnDemandView, Service, View
    from furrow.stores.store_api import OnlineStore

__all__ = ["describe"]


def describe(catalog: Catalog, name: str, *, statistics: bool = True) -> dict[str, Any]:
    """Tell everything known of a view, a feature, an on-demand view, a service or a feature table.

    Args:
        catalog: The catalog.
        name: Its name; a feature's may be "view:feature" or "view__feature".
        statistics: Read the offline files.

    Returns:
        A JSON value with "kind" and what that kind has.

    Raises:
        UnknownNameError: There is no such name.
    """
    return _Description(catalog, statistics).of(name)


class _Description:
    def __init__(self, catalog: Catalog, statistics: bool) -> None:
        self.catalog = catalog
        self.statistics = statistics

    def of(self, name: str) -> dict[str, Any]:
        manifest = self.catalog.manifest
        if name in manifest.views:
            return self._show_view(manifest.views[name], None)
        if name in manifest.on_demand:
            return self._show_on_demand(manifest.on_demand[name], None)
        if name in manifest.services:
            return self._show_service(manifest.services[name])
        if name in manifest.tables:
            return self._show_table(name)
        view, feature = self._feature(name)
        if view in manifest.views:
            return self._show_view(manifest.views[view], feature)
        return self._show_on_demand(manifest.on_demand[view], feature)

    def _feature(self, name: str) -> tuple[str, str]:
        known = {entry.name for entry in self.catalog.features()}
        fits = [
            full
            for full in sorted(known)
            if name in (full, full.partition(":")[2], full.replace(":", "__"))
        ]
        if len(fits) > 1:
            raise FurrowError(
                f"{name} is a feature of several views", hint=f"name one of {', '.join(fits)}"
            )
        if not fits:
            short = {full.partition(":")[2] for full in known} | known
            manifest = self.catalog.manifest
            names = short | {
                *manifest.views,
                *manifest.on_demand,
                *manifest.services,
                *manifest.tables,
            }
            raise UnknownNameError(name, names)
        view, _, feature = fits[0].partition(":")
        return view, feature

    def _show_view(self, view: View, feature: str | None) -> dict[str, Any]:
        names = tuple(column.name for column in view.features if feature in (None, column.name))
        offline, columns = self._offline(view, names) if self.statistics else (None, {})
        services = self.catalog.services_of(view.name, feature)
        shown = asdict(self.catalog.view_entry(view)) | {
            "kind": "feature" if feature else "view",
            "name": f"{view.name}:{feature}" if feature else view.name,
            "view": view.name,
            "table": view.table,
            "reads": list(self.catalog.manifest.tables[view.table].reads) if view.table else [],
            "source": view.source,
            "timestamp_field": view.timestamp_field,
            "join_keys": [key.to_json() for key in view.join_keys],
            "offline": offline,
            "online": self._online(view),
            "services": list(services),
            **self._users(services),
        }
        meanings = self.catalog.meanings(view)
        if feature:
            shown |= meanings[feature]._asdict()
        shown["features"] = [
            {
                "name": column.name,
                "dtype": column.dtype,
                **meanings[column.name]._asdict(),
                "lineage": list(self.catalog.lineage.get(f"{view.name}:{column.name}", ())),
                "services": list(self.catalog.services_of(view.name, column.name)),
                "statistics": columns.get(column.name),
            }
            for column in view.features
            if column.name in names
        ]
        return _without(shown, "keys", "dtype")

    def _show_on_demand(self, view: OnDemandView, feature: str | None) -> dict[str, Any]:
        services = self.catalog.services_of(view.name, feature)
        shown = asdict(self.catalog.on_demand_entry(view)) | {
            "kind": "feature" if feature else "on_demand",
            "name": f"{view.name}:{feature}" if feature else view.name,
            "view": view.name,
            "inputs": [asdict(each) for each in view.inputs],
            "mode": view.mode,
            "code": view.code,
            "services": list(services),
            **self._users(services),
        }
        meanings = self.catalog.meanings(view)
        if feature:
            shown |= meanings[feature]._asdict()
        shown["features"] = [
            {
                "name": column.name,
                "dtype": column.dtype,
                **meanings[column.name]._asdict(),
                "lineage": list(self.catalog.lineage.get(f"{view.name}:{column.name}", ())),
                "services": list(self.catalog.services_of(view.name, column.name)),
                "statistics": None,
            }
            for column in view.features
            if feature in (None, column.name)
        ]
        return _without(shown, "keys", "dtype", "ttl_seconds")

    def _show_service(self, service: Service) -> dict[str, Any]:
        known = {entry.name: entry for entry in self.catalog.features()}
        keys = {
            projection.join_key_map.get(key.name, key.name): key.dtype
            for projection in service.views
            for key in self._keys(projection.view)
        }
        request = {
            part.name: part.dtype
            for projection in service.views
            if projection.view in self.catalog.manifest.on_demand
            for part in self.catalog.manifest.on_demand[projection.view].inputs
            if part.view == "request"
        }
        shown = asdict(service_entry(service)) | {
            "views": [asdict(projection) for projection in service.views],
            "join_keys": [{"name": name, "dtype": dtype} for name, dtype in keys.items()],
            "request": [{"name": name, "dtype": dtype} for name, dtype in request.items()],
            **self._users((service.name,)),
        }
        shown["features"] = [
            {
                "name": feature,
                "view": p.name,
                "dtype": known[f"{p.view}:{feature}"].dtype,
                "unit": known[f"{p.view}:{feature}"].unit,
                "description": known[f"{p.view}:{feature}"].description,
            }
            for p in service.views
            for feature in p.features
        ]
        return _without(shown, "keys", "dtype", "ttl_seconds", "services")

    def _keys(self, name: str) -> list[Any]:
        """The join keys that a view needs, an on-demand view's through its inputs."""
        if name in self.catalog.manifest.views:
            return list(self.catalog.manifest.views[name].join_keys)
        sources = sorted(
            {part.view for part in self.catalog.manifest.on_demand[name].inputs} - {"request"}
        )
        return [key for source in sources for key in self.catalog.manifest.views[source].join_keys]

    def _show_table(self, name: str) -> dict[str, Any]:
        table = self.catalog.manifest.tables[name]
        views = sorted(
            view.name for view in self.catalog.manifest.views.values() if view.table == name
        )
        services = tuple(
            sorted({service for view in views for service in self.catalog.services_of(view)})
        )
        return {
            "kind": "table",
            "name": name,
            "digest": table.sql_digest,
            "reads": list(table.reads),
            "source": table.source,
            "views": views,
            "services": list(services),
            **self._users(services),
        }

    def _users(self, services: tuple[str, ...]) -> dict[str, Any]:
        now = {name: service.digest for name, service in self.catalog.manifest.services.items()}
        return {
            "experiments": sorted(
                name for name, service in self.catalog.experiments.items() if service in services
            ),
            "models": [
                {
                    "experiment": model.experiment,
                    "current": model.features_digest == now.get(model.service),
                }
                for model in self.catalog.models
                if model.service in services
            ],
        }

    def _offline(self, view: View, names: tuple[str, ...]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Freshness and statistics of the offline rows; the reason, where they can't be read."""
        try:
            held = view_statistics(self.catalog.repo_dir, view, names)
        except SourceError as exc:
            return {"problem": exc.message, "hint": exc.hint}, {}
        return _offline(held), {
            name: _plain(asdict(column)) for name, column in held.columns.items()
        }

    def _online(self, view: View) -> dict[str, Any]:
        """Freshness of the online store; the reason, where it can't be read."""
        try:
            store: OnlineStore = open_store(self.catalog.manifest, self.catalog.repo_dir)
        except FurrowError as exc:
            return {"problem": exc.message, "hint": exc.hint}
        try:
            name = stored_name(self.catalog.manifest, view.name)
            held = store.held().get(name)
            if held is None:
                return {
                    "problem": "the store holds nothing of this view",
                    "hint": "furrow features materialize",
                }
            mark = store.mark(name)
            newest = mark.get("newest") if isinstance(mark, dict) else None
            return {
                "records": store.count(name),
                "newest": moment(newest).isoformat() if newest is not None else None,
                "current": held.digest == view.digest,
            }
        except FurrowError as exc:
            return {"problem": exc.message, "hint": exc.hint}
        finally:
            store.close()


def _offline(held: ViewStatistics) -> dict[str, Any]:
    return {"rows": held.rows, "oldest": _plain(held.oldest), "newest": _plain(held.newest)}


def _plain(value: Any) -> Any:
    """A value as JSON can hold it."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC).isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def _without(shown: dict[str, Any], *names: str) -> dict[str, Any]:
    return {key: value for key, value in shown.items() if key not in names}
