"""Checking definitions: what Feast accepts and nobody should, as a list of problems."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from furrow.features.schema import Manifest, Service

__all__ = ["Problem", "check_definitions"]


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong in the definitions.

    Attributes:
        where: The definition and its field, as "view.field".
        what: What is wrong with it.
        hint: The next step.
    """

    where: str
    what: str
    hint: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}\n  {self.hint}"


def check_definitions(manifest: Manifest) -> list[Problem]:
    """Look for what makes definitions ambiguous, unowned or impossible to build.

    Args:
        manifest: The compiled definitions.

    Returns:
        The problems, in the order of the definitions' names; none means all is well.
    """
    return [*_views(manifest), *_about(manifest), *_services(manifest)]


def _views(manifest: Manifest) -> Iterator[Problem]:
    sources: dict[str, str] = {}
    for name, view in sorted(manifest.views.items()):
        if view.table is None and "://" not in view.source:
            table = view.source.rpartition("/")[2].removesuffix(".parquet")
            hint = (
                f"write features/tables/{table}.sql, or name a source that one of tables/*.sql"
                " builds"
            )
            yield Problem(f"{name}.source", f"no SQL builds {view.source}", hint)
        if view.ttl_seconds is None:
            hint = (
                "write how long a value holds: ttl=timedelta(hours=...); timedelta(days=36_500) for"
                " always"
            )
            yield Problem(f"{name}.ttl", "is not declared, so a value never expires", hint)
        other = sources.setdefault(view.source, name)
        if other != name and _overlap(manifest, other, name):
            what = f"{other} and {name} claim {view.source} and the same columns of it"
            yield Problem(f"{name}.source", what, "keep one of the views")
    names = sorted(manifest.tables, key=str.lower)
    for one, two in pairwise(names):
        if one.lower() == two.lower():
            yield Problem(
                f"tables.{two}", f"claims the name of the table {one}", "rename one of the files"
            )


def _overlap(manifest: Manifest, one: str, two: str) -> bool:
    columns = [{column.name for column in manifest.views[name].features} for name in (one, two)]
    return bool(columns[0] & columns[1])


def _about(manifest: Manifest) -> Iterator[Problem]:
    for kind in (manifest.views, manifest.on_demand, manifest.services):
        for name, definition in sorted(kind.items()):
            for field in ("owner", "description"):
                if not getattr(definition, field).strip():
                    hint = f'write {field}="..." in its definition'
                    yield Problem(f"{name}.{field}", "is missing", hint)


def _services(manifest: Manifest) -> Iterator[Problem]:
    for name, service in sorted(manifest.services.items()):
        if not service.views:
            yield Problem(name, "serves no features", "list its views: features=[...]")
        yield from _collisions(name, service)
        yield from _loose_inputs(name, service, manifest)


def _collisions(name: str, service: Service) -> Iterator[Problem]:
    """Two features of one full name.

    Those that only share the short one are served by their full ones.
    """
    owners: dict[str, str] = {}
    aliases: set[str] = set()
    for projection in service.views:
        if projection.name in aliases:
            hint = 'give one of them another name: view.with_name("...")'
            yield Problem(name, f"takes the view {projection.name} twice", hint)
        aliases.add(projection.name)
        for feature in projection.features if service.ambiguous else ():
            full = f"{projection.name}__{feature}"
            other = owners.setdefault(full, projection.name)
            if other != projection.name:
                what = f"both {other} and {projection.name} give the feature {full!r}"
                yield Problem(
                    f"{name}.{feature}",
                    what,
                    'give one of them another name: view.with_name("...")',
                )


def _loose_inputs(name: str, service: Service, manifest: Manifest) -> Iterator[Problem]:
    """A feature that an on-demand view makes under the name of one of its inputs is skipped silently by Feast."""
    for projection in service.views:
        view = manifest.on_demand.get(projection.view)
        if view is None:
            continue
        for same in sorted({c.name for c in view.features} & {i.name for i in view.inputs}):
            what = f"{view.name} makes {same!r} out of an input of the same name"
            yield Problem(f"{name}.{same}", what, "rename the feature that it makes")
