"""Compiling the manifest.

Feast's definitions and the feature tables' SQL become one file of plain JSON.
"""

from __future__ import annotations

import posixpath
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from furrow.errors import FurrowError
from furrow.features import manifest as reading
from furrow.features.digest import seal, table_digest
from furrow.features.online_kinds import MANIFEST_TYPES
from furrow.features.raw_columns import read_contract
from furrow.features.schema import (
    Column,
    Input,
    Manifest,
    OnDemandView,
    OnlineStore,
    Projection,
    Service,
    Table,
    View,
)
from furrow.features.sql import SqlError, canonical, columns_read, parse_query, reads
from furrow.features.udf_source import extract, prove
from furrow.files import canonical_json
from furrow.ground.feast.definitions import Definitions, read_definitions
from furrow.stores.feast_types import KEYS, UnservedTypeError, parse_type

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["compile_manifest", "read_tables"]


def compile_manifest(repo_dir: Path, notify: Callable[[str], None] = lambda _: None) -> Manifest:
    """Read a Feast repository's definitions and its tables' SQL, and give each its digest.

    Args:
        repo_dir: The features folder: feature_store.yaml, the definitions, tables/*.sql.
        notify: Told, in a line each, what is left out.

    Returns:
        The manifest; write it with `write_json(repo_dir / "manifest.json", manifest.to_json())`.

    Raises:
        FurrowError: A definition is wrong; the message says which.
    """
    root = reading.repository_root(repo_dir)
    definitions = read_definitions(repo_dir)
    for other in definitions.left_out:
        notify(f"{other}, which is left out: it is not served")
    check_types(definitions)
    tables = read_tables(repo_dir, read_contract(root))
    views = {view.name: view for view in _views(definitions, tables, repo_dir.resolve(), root)}
    sealed = seal(
        Manifest(
            project=definitions.project,
            digest="",
            online_store=_online_store(definitions.online_store, repo_dir.resolve(), root),
            tables=tables,
            views=views,
            on_demand={view.name: view for view in _on_demand(definitions, repo_dir)},
            services={service.name: service for service in _services(definitions)},
        )
    )
    depth = len(repo_dir.resolve().relative_to(root).parts)
    return reading.parse(canonical_json(sealed.to_json()), origin=str(repo_dir), depth=depth)


def check_types(definitions: Definitions) -> None:
    """Look for a type that can't be served as it was trained.

    Raises:
        FurrowError: There is one; the message names the view and its column, the hint the types
            that are served.
    """
    columns = [(view.name, *told[:2]) for view in definitions.views for told in view.features]
    for made in definitions.on_demand:
        columns += [(made.name, *told[:2]) for told in made.features]
        columns += [(made.name, name, dtype) for _, name, dtype in made.inputs]
    for where, name, dtype in columns:
        try:
            parse_type(dtype)
        except UnservedTypeError as exc:
            raise FurrowError(f"view {where!r}: {name}: {exc.message}", hint=exc.hint) from exc
    for view in definitions.views:
        for name, dtype in view.join_keys:
            if dtype not in KEYS:
                hint = f"a key can be {', '.join(KEYS)}: give the entity another value_type"
                raise FurrowError(
                    f"view {view.name!r}: join key {name}: {dtype} can't be a key", hint=hint
                )


def read_tables(repo_dir: Path, contract: Mapping[str, Mapping[str, str]]) -> dict[str, Table]:
    """The feature tables that tables/*.sql declares.

    Args:
        repo_dir: The features folder.
        contract: Declared columns and types of the raw relations; may be empty.

    Returns:
        The tables by name.

    Raises:
        SqlError: A file's SQL is wrong, or two files claim one name.
    """
    files = _sql_files(repo_dir)
    trees = {name: parse_query(text, origin=origin) for name, (origin, text) in files.items()}
    relations = {name: reads(tree, origin=files[name][0]) for name, tree in trees.items()}
    needs = {name: {other for other in trees if other.lower() in relations[name]} for name in trees}
    try:
        order = list(TopologicalSorter(needs).static_order())
    except CycleError as exc:
        hint = "a feature table can't be built from itself"
        raise SqlError(
            str(repo_dir / "tables"), f"{' -> '.join(exc.args[1])}: read one another", hint=hint
        ) from exc
    tables: dict[str, Table] = {}
    for name in order:
        tree = trees[name]
        upstream = {other: tables[other].sql_digest for other in sorted(needs[name])}
        digest = table_digest(canonical(tree), columns_read(tree, contract), upstream)
        source = f"../build/tables/{name}.parquet"
        tables[name] = Table(name=name, sql_digest=digest, reads=relations[name], source=source)
    return dict(sorted(tables.items()))


def _sql_files(repo_dir: Path) -> dict[str, tuple[str, str]]:
    """Path and text of each feature table's SQL, by the table's name."""
    files: dict[str, Path] = {}
    for path in sorted((repo_dir / "tables").rglob("*.sql")):
        other = files.setdefault(path.stem.lower(), path)
        if other != path:
            both = f"{other.relative_to(repo_dir)} and {path.relative_to(repo_dir)}"
            message = f"both claim the feature table {path.stem!r}"
            raise SqlError(both, message, hint="rename one of the files, and its view's source")
    try:
        return {path.stem: (str(path), path.read_text(encoding="utf-8")) for path in files.values()}
    except (OSError, UnicodeDecodeError) as exc:
        raise SqlError(str(repo_dir / "tables"), f"a file can't be read: {exc}") from exc


def _views(
    definitions: Definitions, tables: Mapping[str, Table], folder: Path, root: Path
) -> list[View]:
    views = []
    for view in definitions.views:
        source = _relative(view.source, folder, root, f"feature view {view.name!r}: source")
        built = {table.source: name for name, table in tables.items()}
        views.append(
            View(
                name=view.name,
                digest="",
                table=built.get(source),
                source=source,
                join_keys=tuple(Column(*pair) for pair in view.join_keys),
                features=tuple(Column(*pair) for pair in view.features),
                timestamp_field=view.timestamp_field,
                created_timestamp_column=view.created_timestamp_column,
                ttl_seconds=view.ttl_seconds,
                field_mapping=view.field_mapping,
                owner=view.owner,
                description=view.description,
                tags=view.tags,
            )
        )
    return views


def _relative(path: str, folder: Path, root: Path, what: str) -> str:
    """A path as seen from the features folder; remote URIs as they are."""
    if path.startswith("file://"):
        path = path.removeprefix("file://")
    if "://" in path:
        return path
    whole = posixpath.normpath(posixpath.join(folder.as_posix(), path))
    if not Path(whole).is_relative_to(root):
        raise FurrowError(
            f"{what}: {path} leads out of {root}", hint="keep it inside the repository"
        )
    return posixpath.relpath(whole, folder.as_posix())


def _online_store(declared: Mapping[str, Any], folder: Path, root: Path) -> OnlineStore:
    options = dict(declared)
    kind = str(options.pop("type", "sqlite"))
    kind = MANIFEST_TYPES.get(kind, kind)
    if kind == "lmdb":
        options.setdefault("path", "../build/online")
    for key in ("path", "db_path"):
        if isinstance(options.get(key), str):
            options[key] = _relative(
                options[key], folder, root, f"feature_store.yaml: online_store.{key}"
            )
    return OnlineStore(kind, options)


def _on_demand(definitions: Definitions, repo_dir: Path) -> list[OnDemandView]:
    views = []
    for view in definitions.on_demand:
        code, function = extract(view.function, repo_dir, view=view.name)
        prove(code, function, view=view.name)
        views.append(
            OnDemandView(
                name=view.name,
                digest="",
                inputs=tuple(Input(*part) for part in view.inputs),
                features=tuple(Column(*pair) for pair in view.features),
                code=code,
                function=function,
                mode=view.mode,
                singleton=view.singleton,
                owner=view.owner,
                description=view.description,
                tags=view.tags,
            )
        )
    return views


def _services(definitions: Definitions) -> list[Service]:
    return [
        Service(
            name=service.name,
            digest="",
            views=tuple(
                Projection(part.view, part.name, part.features, part.join_key_map)
                for part in service.views
            ),
            owner=service.owner,
            description=service.description,
            tags=service.tags,
        )
        for service in definitions.services
    ]
