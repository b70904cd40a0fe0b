"""The manifest: the feature definitions as plain JSON that serving code can read without Feast.

`compile_manifest` (furrow.features.build) makes it; `load` reads it back and trusts nothing in it:
types, sizes, numbers, names and paths are checked, references must lead somewhere, digests must be
those of the content.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from furrow.features.digest import seal
from furrow.features.json_reader import ManifestError, Node, parse_json
from furrow.features.schema import (
    FORMAT,
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
from furrow.files import inside, read_bytes
from furrow.layout import MANIFEST_JSON
from furrow.stores.feast_types import UnservedTypeError, parse_type

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = [
    "Column",
    "Input",
    "Manifest",
    "ManifestError",
    "OnDemandView",
    "OnlineStore",
    "Projection",
    "Service",
    "Table",
    "View",
    "load",
    "parse",
    "read_dtype",
    "repository_root",
]

MAX_TTL = 200 * 366 * 86_400


def repository_root(folder: Path) -> Path:
    """The repository of a features folder: the nearest folder with .git, else the folder above."""
    whole = folder.resolve()
    return next(
        (above for above in (whole, *whole.parents) if (above / ".git").exists()), whole.parent
    )


def load(path: Path) -> Manifest:
    """Read a manifest file, or the manifest.json of a features folder.

    Args:
        path: The file or the folder.

    Returns:
        The manifest, every part of it checked.

    Raises:
        ManifestError: It is missing, malformed, leads out of the repository, or its digests are not
            right.
        FileError: A path of it leads out of the repository through a symbolic link.
    """
    path = path / MANIFEST_JSON if path.is_dir() else path
    try:
        data = read_bytes(path)
    except OSError as exc:
        raise ManifestError(
            f"cannot read {path}: {exc.strerror}", hint="`furrow compile` writes it"
        ) from exc
    folder = path.parent.resolve()
    root = repository_root(folder)
    manifest = parse(data, origin=str(path), depth=len(folder.relative_to(root).parts))
    local = {view.source for view in manifest.views.values()} | {
        table.source for table in manifest.tables.values()
    }
    for source in sorted(local):
        if "://" not in source:
            inside(root, folder / source)
    return manifest


def parse(data: str | bytes, *, origin: str, depth: int = 1) -> Manifest:
    """Read a manifest's text.

    Args:
        data: The JSON text.
        origin: What errors call it: a path or a URL.
        depth: How many folders the features folder lies below the root of the repository.

    Returns:
        The manifest, every part of it checked.

    Raises:
        ManifestError: It is malformed, leads out of the repository, or its digests are not right.
    """
    node = Node(parse_json(data, origin=origin), origin)
    held = node.mapping().get("format")
    if held != FORMAT or held is True:
        node.child("format", held).fail(f"is a format this version can't read; it reads {FORMAT}")
    top = node.fields(
        "format", "project", "digest", "online_store", "tables", "views", "on_demand", "services"
    )
    manifest = Manifest(
        project=top["project"].name(),
        digest=top["digest"].digest(),
        online_store=_online_store(top["online_store"], depth),
        tables={name: _table(name, entry, depth) for name, entry in top["tables"].entries()},
        views={name: _view(name, entry, depth) for name, entry in top["views"].entries()},
        on_demand={name: _on_demand(name, entry) for name, entry in top["on_demand"].entries()},
        services={name: _service(name, entry) for name, entry in top["services"].entries()},
    )
    _check_references(manifest, node)
    _check_digests(manifest, origin)
    return manifest


def read_dtype(node: Node) -> str:
    """The name of a type of Feast's that is served, checked.

    Args:
        node: The JSON value.

    Raises:
        ManifestError: It is none.
    """
    text = node.text(10_000)
    try:
        parse_type(text)
    except UnservedTypeError:
        node.fail(
            "is not a type of Feast's that is served (Int64, String, Array(Int64), Struct({a:"
            " Int64}), ...)"
        )
    return text


def _columns(node: Node) -> tuple[Column, ...]:
    columns = []
    for item in node.items():
        part = item.fields("name", "dtype", optional=("description", "unit"))
        words, unit = _maybe(part["description"]), _maybe(part["unit"])
        said = (words.text() if words else "", unit.text(100) if unit else "")
        columns.append(Column(part["name"].name(), read_dtype(part["dtype"]), *said))
    _unique(node, [column.name for column in columns])
    return tuple(columns)


def _unique(node: Node, names: list[str]) -> None:
    twice = next((name for index, name in enumerate(names) if name in names[:index]), None)
    if twice is not None:
        node.child(twice, twice).fail("stands there twice")


def _online_store(node: Node, depth: int) -> OnlineStore:
    options: dict[str, Any] = {}
    for key, value in node.entries():
        if key in ("path", "db_path"):
            options[key] = value.path(depth)
        elif isinstance(value.value, dict):
            options[key] = {inner: entry.scalar() for inner, entry in value.entries()}
        elif isinstance(value.value, list):
            options[key] = [item.scalar() for item in value.items()]
        else:
            options[key] = value.scalar()
    kind = node.child("type", options.pop("type", None)).text(300)
    return OnlineStore(kind, options)


def _table(name: str, node: Node, depth: int) -> Table:
    part = node.fields("sql_digest", "reads", "source")
    return Table(
        name=name,
        sql_digest=part["sql_digest"].digest(),
        reads=tuple(item.name() for item in part["reads"].items()),
        source=part["source"].path(depth),
    )


def _maybe(node: Node) -> Node | None:
    return None if node.value is None else node


def _view(name: str, node: Node, depth: int) -> View:
    part = node.fields(
        "digest", "table", "source", "join_keys", "features", "timestamp_field", "ttl_seconds",
        optional=("created_timestamp_column", "field_mapping", "owner", "description", "tags"),
    )  # fmt: skip
    table, created, ttl = (
        _maybe(part["table"]),
        _maybe(part["created_timestamp_column"]),
        _maybe(part["ttl_seconds"]),
    )
    mapping = _maybe(part["field_mapping"])
    view = View(
        name=name,
        digest=part["digest"].digest(),
        table=table.name() if table else None,
        source=part["source"].path(depth),
        join_keys=_columns(part["join_keys"]),
        features=_columns(part["features"]),
        timestamp_field=part["timestamp_field"].name(),
        created_timestamp_column=created.name() if created else None,
        ttl_seconds=ttl.whole(0, MAX_TTL) if ttl else None,
        field_mapping={key: value.name() for key, value in mapping.entries()} if mapping else {},
        **_about(part),
    )
    _unique(node, [column.name for column in (*view.join_keys, *view.features)])
    return view


def _about(part: Mapping[str, Node]) -> dict[str, Any]:
    owner, description, tags = (_maybe(part[name]) for name in ("owner", "description", "tags"))
    return {
        "owner": owner.text(1000) if owner else "",
        "description": description.text() if description else "",
        "tags": tags.texts() if tags else {},
    }


def _on_demand(name: str, node: Node) -> OnDemandView:
    part = node.fields(
        "digest", "inputs", "features", "code", "function",
        optional=("mode", "singleton", "owner", "description", "tags"),
    )  # fmt: skip
    inputs = []
    for item in part["inputs"].items():
        entry = item.fields("view", "name", "dtype")
        inputs.append(Input(entry["view"].name(), entry["name"].name(), read_dtype(entry["dtype"])))
    mode, singleton = _maybe(part["mode"]), _maybe(part["singleton"])
    if mode and mode.value not in ("python", "pandas"):
        mode.fail("should be 'python' or 'pandas'")
    if not part["function"].text(200).isidentifier():
        part["function"].fail("is not the name of a function")
    return OnDemandView(
        name=name,
        digest=part["digest"].digest(),
        inputs=tuple(inputs),
        features=_columns(part["features"]),
        code=part["code"].text(1_000_000),
        function=str(part["function"].value),
        mode=str(mode.value) if mode else "python",
        singleton=singleton.truth() if singleton else False,
        **_about(part),
    )


def _service(name: str, node: Node) -> Service:
    part = node.fields("digest", "views", optional=("owner", "description", "tags"))
    projections = []
    for item in part["views"].items():
        entry = item.fields("view", "name", "features", optional=("join_key_map",))
        renamed = _maybe(entry["join_key_map"])
        projections.append(
            Projection(
                view=entry["view"].name(),
                name=entry["name"].name(),
                features=tuple(feature.name() for feature in entry["features"].items()),
                join_key_map=(
                    {key: value.name() for key, value in renamed.entries()} if renamed else {}
                ),
            )
        )
        _unique(entry["features"], list(projections[-1].features))
    return Service(
        name=name, digest=part["digest"].digest(), views=tuple(projections), **_about(part)
    )


def _check_references(manifest: Manifest, node: Node) -> None:
    for name in manifest.views.keys() & manifest.on_demand.keys():
        node.child(f"on_demand.{name}", name).fail("names a feature view too")
    for name, view in manifest.views.items():
        if view.table is not None and view.table not in manifest.tables:
            node.child(f"views.{name}.table", view.table).fail(
                "is not a feature table of this manifest"
            )
    features = {name: {c.name for c in view.features} for name, view in manifest.views.items()}
    for name, on_demand in manifest.on_demand.items():
        for source in on_demand.inputs:
            if source.view != "request" and source.name not in features.get(source.view, ()):
                wrong = f"{source.view}:{source.name}"
                node.child(f"on_demand.{name}.inputs", wrong).fail(
                    "is not a feature of this manifest"
                )
    features |= {name: {c.name for c in view.features} for name, view in manifest.on_demand.items()}
    for name, service in manifest.services.items():
        for projection in service.views:
            place = node.child(f"services.{name}.views", projection.view)
            if projection.view not in features:
                place.fail("is not a view of this manifest")
            for unknown in set(projection.features) - features[projection.view]:
                place.child(unknown, unknown).fail(f"is not a feature of {projection.view}")


def _check_digests(manifest: Manifest, origin: str) -> None:
    sealed = seal(manifest)
    for kind in ("views", "on_demand", "services"):
        for name, entry in getattr(sealed, kind).items():
            if entry.digest != getattr(manifest, kind)[name].digest:
                place = f"{kind}.{name}.digest"
                raise ManifestError(
                    f"{origin}: {place}: the digest is not that of its content", field=place
                )
    if sealed.digest != manifest.digest:
        raise ManifestError(
            f"{origin}: digest: the digest is not that of the content", field="digest"
        )
