"""The definitions of a Feast repository as plain frozen values: what the manifest holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, TypeAlias

__all__ = [
    "FORMAT",
    "Column",
    "Input",
    "Manifest",
    "OnDemandView",
    "OnlineStore",
    "Projection",
    "Service",
    "Table",
    "View",
]

FORMAT = 1
Scalar: TypeAlias = str | int | float | bool | None
Options: TypeAlias = Mapping[str, Scalar | list[Scalar] | dict[str, Scalar]]


@dataclass(frozen=True, slots=True)
class Column:
    """A named, typed column.

    The type is Feast's word ("Int64", "UnixTimestamp", "Array(String)"). What it means and its unit
    make no other column of it.
    """

    name: str
    dtype: str
    description: str = field(default="", compare=False)
    unit: str = field(default="", compare=False)

    def to_json(self) -> dict[str, str]:
        """The column as a JSON value, without what nobody said."""
        more = {"description": self.description, "unit": self.unit}
        said = {key: value for key, value in more.items() if value}
        return {"name": self.name, "dtype": self.dtype, **said}


@dataclass(frozen=True, slots=True)
class OnlineStore:
    """Where online features live: "lmdb", "redis", or another Feast store's type, and its options.

    Options keep `${FURROW_ONLINE_NAME}` references to the environment unexpanded: no secret gets
    into the manifest.
    """

    type: str
    options: Options = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Table:
    """A feature table: the digest of its SQL, the raw relations it reads, the Parquet file it builds."""

    name: str
    sql_digest: str
    reads: tuple[str, ...]
    source: str


@dataclass(frozen=True, slots=True)
class View:
    """A feature view: where its rows are, how they are keyed and timed, and how long a value holds.

    Attributes:
        table: The feature table behind it; None if no SQL of this repository builds its source.
        source: Path of its rows relative to the features folder, or a remote URI.
        ttl_seconds: None or 0: a value never expires.
        field_mapping: Source column -> feature name, where they differ.
    """

    name: str
    digest: str
    table: str | None
    source: str
    join_keys: tuple[Column, ...]
    features: tuple[Column, ...]
    timestamp_field: str
    created_timestamp_column: str | None = None
    ttl_seconds: int | None = None
    field_mapping: Mapping[str, str] = field(default_factory=dict)
    owner: str = ""
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Input:
    """An input of an on-demand view.

    A feature of a view, or a field of the request (view "request").
    """

    view: str
    name: str
    dtype: str


@dataclass(frozen=True, slots=True)
class OnDemandView:
    """An on-demand view: features computed at request time.

    Attributes:
        code: Source text that needs nothing but itself; running it defines `function`.
        mode: "python" (a dict of lists, or of scalars when `singleton`) or "pandas".
    """

    name: str
    digest: str
    inputs: tuple[Input, ...]
    features: tuple[Column, ...]
    code: str
    function: str
    mode: str = "python"
    singleton: bool = False
    owner: str = ""
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Projection:
    """What a service takes of a view, on-demand or not.

    `name` is the alias in full feature names.
    """

    view: str
    name: str
    features: tuple[str, ...]
    join_key_map: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Service:
    """A feature service: the features that a model takes, in order."""

    name: str
    digest: str
    views: tuple[Projection, ...]
    owner: str = ""
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def ambiguous(self) -> bool:
        """Whether two of its features have one name, so that all go by VIEW__FEATURE.

        Trained, served and verified.
        """
        names = [feature for projection in self.views for feature in projection.features]
        return len(names) > len(set(names))


@dataclass(frozen=True, slots=True)
class Manifest:
    """All definitions of a Feast repository, and the digest of each."""

    project: str
    digest: str
    online_store: OnlineStore
    tables: Mapping[str, Table] = field(default_factory=dict)
    views: Mapping[str, View] = field(default_factory=dict)
    on_demand: Mapping[str, OnDemandView] = field(default_factory=dict)
    services: Mapping[str, Service] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The manifest as a JSON value; write it with `furrow.files.write_json`."""

        def entries(definitions: Mapping[str, Any]) -> dict[str, Any]:
            plain = {name: _plain(asdict(value)) for name, value in sorted(definitions.items())}
            return {
                name: {k: v for k, v in entry.items() if k != "name"}
                for name, entry in plain.items()
            }

        return {
            "format": FORMAT,
            "project": self.project,
            "digest": self.digest,
            "online_store": {"type": self.online_store.type, **self.online_store.options},
            "tables": entries(self.tables),
            "views": entries(self.views),
            "on_demand": entries(self.on_demand),
            "services": entries(self.services),
        }


_COLUMN = {"name", "dtype", "description", "unit"}


def _plain(value: Any) -> Any:
    """Tuples as lists, all the way down, so that the value equals what JSON gives back."""
    if isinstance(value, dict):
        if value.keys() == _COLUMN:
            return Column(**value).to_json()
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list | tuple) else value
