"""A Feast repository's Python definitions as plain values.

No registry, no store, nothing left behind.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from types import FunctionType
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from furrow.layout import FEATURE_STORE_YAML

with warnings.catch_warnings():
    from feast import Entity, FeatureService, FeatureView, OnDemandFeatureView, RepoConfig
    from feast.base_feature_view import BaseFeatureView
    from feast.feature_view import DUMMY_ENTITY_NAME
    from feast.infra.offline_stores.file_source import FileSource
    from feast.repo_operations import get_repo_files
    from feast.type_map import pa_to_feast_value_type
    from feast.types import from_value_type
    from feast.value_type import ValueType

from furrow.ground.feast.service_definition import ServiceDefinition, read_service
from furrow.ground.project_modules import DefinitionError, importable, repo_modules
from furrow.parse import ParseError, read_yaml

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path
    from types import ModuleType

__all__ = [
    "DefinitionError",
    "Definitions",
    "OnDemandDefinition",
    "ViewDefinition",
    "read_definitions",
]

Pair = tuple[str, str]
Told = tuple[str, str, str, str]
"""Name, type, description and unit (the tag `unit`) of a field."""


@dataclass(frozen=True, slots=True)
class ViewDefinition:
    """A feature view as declared; columns are (name, Feast type) pairs."""

    name: str
    source: str
    join_keys: tuple[Pair, ...]
    features: tuple[Told, ...]
    timestamp_field: str
    created_timestamp_column: str | None
    ttl_seconds: int | None
    field_mapping: Mapping[str, str]
    owner: str
    description: str
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class OnDemandDefinition:
    """An on-demand view as declared; inputs are (view or "request", name, Feast type)."""

    name: str
    inputs: tuple[tuple[str, str, str], ...]
    features: tuple[Told, ...]
    function: FunctionType
    mode: str
    singleton: bool
    owner: str
    description: str
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Definitions:
    """Everything that a Feast repository declares.

    Attributes:
        left_out: What Feast has and a manifest hasn't, in words, and no service takes.
    """

    project: str
    online_store: Mapping[str, Any]
    views: tuple[ViewDefinition, ...] = ()
    on_demand: tuple[OnDemandDefinition, ...] = ()
    services: tuple[ServiceDefinition, ...] = ()
    left_out: tuple[str, ...] = ()


@dataclass(slots=True)
class _Found:
    """Feast objects by name, in the order in which the files are read."""

    views: dict[str, Any] = field(default_factory=dict)
    on_demand: dict[str, Any] = field(default_factory=dict)
    services: dict[str, Any] = field(default_factory=dict)
    entities: dict[str, Any] = field(default_factory=dict)
    others: dict[str, str] = field(default_factory=dict)


def read_definitions(repo_dir: Path) -> Definitions:
    """Run a Feast repository's Python files and read what they define.

    The files are run as `feast apply` runs them, but without its side effects: no registry, no
    bytecode; sys.path, sys.modules, the working directory and the warning filters are as before,
    and prints go to stderr.

    Args:
        repo_dir: The folder with feature_store.yaml.

    Returns:
        The definitions.

    Raises:
        DefinitionError: A file is missing or fails to run, or a definition is incomplete or stands
            twice.
    """
    folder = repo_dir.resolve()
    config = _read_config(repo_dir / FEATURE_STORE_YAML)
    found = _Found()
    with importable(folder, get_repo_files(folder)):
        for file, module in repo_modules(folder, get_repo_files(folder)):
            _collect(module, found, file.relative_to(folder))
    names = {**found.views, **found.on_demand}
    store = config.get("online_store", {"type": "sqlite"})
    return Definitions(
        project=str(config["project"]),
        online_store=(
            {"type": store} if isinstance(store, str) else dict(store or {"type": "sqlite"})
        ),
        views=tuple(_view(view, found.entities, folder) for view in found.views.values()),
        on_demand=tuple(map(_on_demand, found.on_demand.values())),
        services=tuple(
            read_service(service, names, found.others) for service in found.services.values()
        ),
        left_out=tuple(found.others.values()),
    )


def _read_config(path: Path) -> dict[str, Any]:
    try:
        config = read_yaml(path)
    except OSError as exc:
        hint = "name the folder of the Feast repository: `-C features`"
        raise DefinitionError(f"cannot read {path}: {exc.strerror}", hint=hint) from exc
    except ParseError as exc:
        raise DefinitionError(f"{path} is not valid YAML: {exc}") from exc
    if not isinstance(config, dict) or not isinstance(config.get("project"), str):
        raise DefinitionError(
            f"{path}: project: a name is missing", hint="write `project: my_project`"
        )
    if not isinstance(config.get("online_store", {}), dict | str | None):
        raise DefinitionError(f"{path}: online_store: should be a mapping with a `type`")
    return config


def _collect(module: ModuleType, found: _Found, file: Path) -> None:
    kinds: list[tuple[Any, dict[str, Any], str]] = [
        (OnDemandFeatureView, found.on_demand, "on-demand feature view"),
        (FeatureView, found.views, "feature view"),
        (FeatureService, found.services, "feature service"),
        (Entity, found.entities, "entity"),
    ]
    for attribute in dir(module):
        value = getattr(module, attribute)
        for kind, known, word in kinds:
            if isinstance(value, kind):
                if known.setdefault(value.name, value) is not value:
                    message = f"{file}: two definitions of the {word} {value.name!r}"
                    raise DefinitionError(
                        message, hint="give one of them another name, or delete it"
                    )
                break
        else:
            if isinstance(value, BaseFeatureView):
                found.others[value.name] = f"{file}: {value.name} is a {type(value).__name__}"
    both = found.views.keys() & found.on_demand.keys()
    if both:
        name = min(both)
        raise DefinitionError(
            f"{file}: {name!r} is both a feature view and an on-demand view",
            hint="rename one of them",
        )


def _columns(fields: Iterable[Any]) -> tuple[Told, ...]:
    return tuple(
        (field.name, str(field.dtype), field.description or "", (field.tags or {}).get("unit", ""))
        for field in fields
    )


def _view(view: Any, entities: Mapping[str, Any], folder: Path) -> ViewDefinition:
    source = view.batch_source
    if not isinstance(source, FileSource):
        what = "no source" if source is None else f"a {type(source).__name__}"
        raise DefinitionError(
            f"feature view {view.name!r}: source: {what}", hint="give it a FileSource of Parquet"
        )
    if not view.features:
        hint = "declare the features: schema=[Field(name=..., dtype=...), ...]"
        raise DefinitionError(
            f"feature view {view.name!r}: schema: no features are declared", hint=hint
        )
    if not source.timestamp_field:
        hint = 'write FileSource(..., timestamp_field="event_timestamp")'
        raise DefinitionError(
            f"feature view {view.name!r}: timestamp_field: is not declared", hint=hint
        )
    seconds = view.ttl.total_seconds() if view.ttl else 0
    if seconds < 0 or seconds != int(seconds):
        raise DefinitionError(
            f"feature view {view.name!r}: ttl: {view.ttl} is not a whole number of seconds, 0 or"
            " more"
        )
    return ViewDefinition(
        name=view.name,
        source=source.path,
        join_keys=_join_keys(view, entities, folder),
        features=_columns(view.features),
        timestamp_field=source.timestamp_field,
        created_timestamp_column=source.created_timestamp_column or None,
        ttl_seconds=int(seconds) or None,
        field_mapping=dict(source.field_mapping or {}),
        owner=view.owner,
        description=view.description,
        tags=dict(view.tags),
    )


def _join_keys(view: Any, entities: Mapping[str, Any], folder: Path) -> tuple[Pair, ...]:
    declared = {field.name: str(field.dtype) for field in view.entity_columns}
    keys = []
    for name in view.entities:
        if name == DUMMY_ENTITY_NAME:
            continue
        if name not in entities:
            hint = "make the Entity a variable of one of the repository's modules"
            raise DefinitionError(
                f"feature view {view.name!r}: entities: {name!r} is not found", hint=hint
            )
        entity = entities[name]
        dtype = declared.get(entity.join_key)
        if dtype is None and entity.value_type != ValueType.UNKNOWN:
            dtype = str(from_value_type(entity.value_type))
        dtype = dtype or _found_type(view.batch_source, entity.join_key, folder)
        if dtype is None:
            hint = "declare it: Entity(..., value_type=ValueType.STRING)"
            raise DefinitionError(
                f"entity {name!r}: value_type: the type of its key is unknown", hint=hint
            )
        keys.append((entity.join_key, dtype))
    return tuple(keys)


def _found_type(source: FileSource, key: str, folder: Path) -> str | None:
    """The type of a join key by the rows, as Feast finds it where none is declared.

    None if they aren't there.
    """
    column = {new: old for old, new in (source.field_mapping or {}).items()}.get(key, key)
    try:
        config = RepoConfig(
            project="types", provider="local", registry="none.db",
            entity_key_serialization_version=3, repo_path=folder,
        )  # fmt: skip
        held = dict(source.get_table_column_names_and_types(config))
        arrow = held[column]
        return (
            "String"
            if arrow == "large_string"
            else str(from_value_type(pa_to_feast_value_type(arrow)))
        )
    except (OSError, KeyError, pa.ArrowException):
        return None


def _on_demand(view: Any) -> OnDemandDefinition:
    transformation = view.feature_transformation
    function = getattr(transformation, "udf", None)
    if not isinstance(function, FunctionType):
        hint = 'use @on_demand_feature_view(mode="python", ...) on a function'
        raise DefinitionError(f"on-demand view {view.name!r}: it has no Python function", hint=hint)
    if view.aggregations or view.write_to_online_store:
        what = "aggregations" if view.aggregations else "write_to_online_store"
        hint = "take it away: the view is computed at read time"
        raise DefinitionError(f"on-demand view {view.name!r}: {what}: has no manifest", hint=hint)
    mode = str(getattr(view.mode, "value", view.mode))
    if mode not in {"python", "pandas"}:
        hint = 'write it for mode="python" or mode="pandas"'
        raise DefinitionError(
            f"on-demand view {view.name!r}: mode: {mode} has no manifest", hint=hint
        )
    inputs = [
        (projection.name, field.name, str(field.dtype))
        for projection in view.source_feature_view_projections.values()
        for field in projection.features
    ] + [
        ("request", field.name, str(field.dtype))
        for source in view.source_request_sources.values()
        for field in source.schema
    ]
    _check_inputs(view, inputs)
    return OnDemandDefinition(
        name=view.name,
        inputs=tuple(inputs),
        features=_columns(view.features),
        function=function,
        mode=mode,
        singleton=bool(view.singleton),
        owner=view.owner,
        description=view.description,
        tags=dict(view.tags),
    )


def _check_inputs(view: Any, inputs: list[tuple[str, str, str]]) -> None:
    """Refuse inputs that Feast joins by other keys or names than it is told, or that it can't tell apart."""
    for projection in view.source_feature_view_projections.values():
        if projection.name_alias or projection.join_key_map:
            done = "with_name" if projection.name_alias else "with_join_key_map"
            hint = (
                f"Feast looks for {projection.name} itself: take it as it is, or make a view of the"
                " renamed"
            )
            raise DefinitionError(
                f"on-demand view {view.name!r}: sources: {projection.name}.{done}(...)", hint=hint
            )
    owners: dict[str, str] = {}
    for source, name, _ in inputs:
        if owners.setdefault(name, source) != source:
            what = f"both {owners[name]} and {source} give {name!r}"
            hint = "the function sees one of them: rename the other, or leave it out: view[[...]]"
            raise DefinitionError(f"on-demand view {view.name!r}: sources: {what}", hint=hint)
