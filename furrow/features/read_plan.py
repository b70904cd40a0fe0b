"""What one service needs to answer.

Which keys, from which views, in which order, worked out once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from furrow.errors import FurrowError
from furrow.features.on_demand import OnDemandError, RequestError, coerced, compute, function_of
from furrow.features.stored_views import schema_of, stored_name
from furrow.stores.feast_key import entity_key
from furrow.stores.feast_types import parse_type
from furrow.stores.packed_values import decoder, micros_of
from furrow.stores.record import HASHED, KeyTypeError, Layout, shorten

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from furrow.features.schema import Manifest, OnDemandView, Projection, Service

__all__ = ["KeySpec", "Part", "Plan", "UnknownServiceError", "make_plan"]

DUMMY = "__dummy_id"


class UnknownServiceError(FurrowError):
    """There is no such feature service in the manifest."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(
            f"there is no feature service {name!r}",
            hint=f"there are: {', '.join(sorted(known)) or 'none'}",
        )
        self.name = name


def key_value(name: str, dtype: str, value: Any) -> Any:
    """A join key's value as the store has it.

    A time as microseconds since 1970, everything else as it is.

    Raises:
        KeyTypeError: It should be a time and isn't one.
    """
    if dtype != "UnixTimestamp":
        return value
    try:
        return micros_of(coerced(name, dtype, value))
    except RequestError as exc:
        raise KeyTypeError(name, dtype, value) from exc


@dataclass(frozen=True)
class KeySpec:
    """Where a view's key comes from in a request.

    (request field, join key, type) in the key's order.
    """

    fields: tuple[tuple[str, str, str], ...]

    def keys(self, rows: Sequence[Mapping[str, Any]]) -> list[bytes | None]:
        """Each row's key; None where a part of it is null.

        Raises:
            RequestError: A row lacks a field.
            KeyTypeError: A value has the wrong type.
        """
        if len(self.fields) != 1:
            return [self._key(at, row) for at, row in enumerate(rows)]
        name, _, dtype = self.fields[0]
        try:
            if dtype == "String":
                keys = [None if (value := row[name]) is None else str.encode(value) for row in rows]
                return (
                    [key and shorten(key) for key in keys]
                    if max(map(len, filter(None, keys)), default=0) >= HASHED
                    else keys
                )
            if dtype != "UnixTimestamp" and all(type(row[name]) is int for row in rows):
                return [row[name].to_bytes(8, "big", signed=True) for row in rows]
        except (KeyError, TypeError, OverflowError):
            pass  # found again below, where the message is made
        return [self._key(at, row) for at, row in enumerate(rows)]

    def feast_keys(self, rows: Sequence[Mapping[str, Any]]) -> list[bytes | None]:
        """Each row's key as Feast serializes it; None where a part of it is null.

        Errors as of `keys`.
        """
        names, dtypes = [key for _, key, _ in self.fields], [dtype for _, _, dtype in self.fields]
        found: list[bytes | None] = []
        for row, key in zip(rows, self.keys(rows), strict=True):
            if key is None:
                found.append(None)
                continue
            values = [key_value(name, dtype, row[name]) for name, _, dtype in self.fields]
            whole = [
                v // 1_000_000 if d == "UnixTimestamp" else v
                for v, d in zip(values, dtypes, strict=True)
            ]
            found.append(entity_key(names or [DUMMY], dtypes or ["String"], whole or [""]))
        return found

    def _key(self, at: int, row: Mapping[str, Any]) -> bytes | None:
        """One row's key, with errors in full."""
        parts = []
        for name, _, dtype in self.fields:
            try:
                value = row[name]
            except KeyError:
                raise RequestError(
                    f"row {at} lacks the join key {name}",
                    field=name,
                    hint=f"it has: {', '.join(map(str, row))}",
                ) from None
            if value is None:
                return None
            if dtype == "String" and isinstance(value, str):
                parts.append(value.encode())
            elif dtype in {"Int32", "Int64"} and type(value) is int:
                try:
                    parts.append(value.to_bytes(8, "big", signed=True))
                except OverflowError as exc:
                    raise KeyTypeError(name, dtype, value) from exc
            else:
                parts.append(Layout.key_part(name, dtype, key_value(name, dtype, value)))
        body = (
            parts[0]
            if len(parts) == 1
            else b"".join(len(part).to_bytes(4, "big") + part for part in parts)
        )
        return body if len(body) < HASHED else shorten(body)


@dataclass(frozen=True)
class Part:
    """One view's share of an answer.

    Attributes:
        stored: The view's name in the store.
        spec: Index of its key in the plan's `specs`.
        ttl: Microseconds that a value holds; None if it never expires.
        plain: For each feature what makes a plain value of a packed one; None if it is one.
    """

    view: str
    stored: str
    digest: str
    spec: int
    layout: Layout
    ttl: int | None
    plain: tuple[Callable[[Any], Any] | None, ...]


class Computed(NamedTuple):
    """An on-demand view, its function, and its inputs.

    (names the function uses, part, position).
    """

    view: OnDemandView
    function: Callable[[dict[str, Any]], Any]
    sources: list[tuple[tuple[str, str], int, int]]


@dataclass
class Plan:
    """How to answer for one service.

    Attributes:
        outputs: (name, part's index or -1 - on-demand view's index, feature's position or name,
            type), in the service's order.
        computed: On-demand views to compute.
        request: Fields of the request that on-demand views need, with their types.
    """

    service: Service
    specs: list[KeySpec] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)
    outputs: list[tuple[str, int, Any, str]] = field(default_factory=list)
    computed: list[Computed] = field(default_factory=list)
    request: dict[str, str] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """The features' names, in the service's order."""
        return tuple(output[0] for output in self.outputs)

    def request_values(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
        """The request's own fields, in their declared types.

        Raises:
            RequestError: A row lacks one, or its type is wrong.
        """
        found: dict[str, list[Any]] = {}
        for name, dtype in self.request.items():
            column = found[name] = []
            for at, row in enumerate(rows):
                if name not in row:
                    raise RequestError(
                        f"row {at} lacks {name}, which on-demand features need",
                        field=name,
                        hint=f"it has: {', '.join(map(str, row))}",
                    )
                column.append(coerced(name, dtype, row[name]))
        return found

    def compute(
        self,
        columns: Callable[[int, int], Sequence[Any]],
        request: dict[str, list[Any]],
        count: int,
    ) -> list[Any]:
        """Each on-demand view's features, from the views' columns and the request."""
        results = []
        for view, function, sources in self.computed:
            inputs: dict[str, Sequence[Any]] = {
                source.name: request[source.name]
                for source in view.inputs
                if source.view == "request"
            }
            for names, part, position in sources:
                values = columns(part, position)
                inputs.update(dict.fromkeys(names, values))
            results.append(compute(view, function, inputs, count))
        return results


def make_plan(manifest: Manifest, name: str, *, run_code: bool, full_names: bool | None) -> Plan:
    """Work out how to answer for a service.

    Args:
        manifest: The manifest.
        name: The service.
        run_code: Whether the manifest is trusted enough to run the code in it.
        full_names: Name features VIEW__FEATURE; if None, only where two would have one name.

    Raises:
        UnknownServiceError: There is no such service.
        RequestError: Two features have one name.
        OnDemandError: The service has on-demand features and the code may not run.
    """
    if name not in manifest.services:
        raise UnknownServiceError(name, list(manifest.services))
    plan = Plan(manifest.services[name])
    full = plan.service.ambiguous if full_names is None else full_names
    builder = _Builder(manifest, plan)
    for projection in plan.service.views:
        prefix = f"{projection.name}__" if full else ""
        if projection.view in manifest.views:
            at = builder.part(projection.view, projection.join_key_map)
            positions = {
                c.name: (i, c.dtype) for i, c in enumerate(manifest.views[projection.view].features)
            }
            plan.outputs += [
                (prefix + feature, at, *positions[feature]) for feature in projection.features
            ]
        else:
            at = builder.on_demand(projection, run_code=run_code)
            types = {c.name: c.dtype for c in manifest.on_demand[projection.view].features}
            plan.outputs += [
                (prefix + feature, -1 - at, feature, types[feature])
                for feature in projection.features
            ]
    names = plan.names
    twice = next((each for index, each in enumerate(names) if each in names[:index]), None)
    if twice is not None:
        raise RequestError(
            f"service {name} has two features named {twice}",
            field=twice,
            hint="ask with full_feature_names=True",
        )
    return plan


class _Builder:
    """Collects the parts and keys of a plan, each once."""

    def __init__(self, manifest: Manifest, plan: Plan) -> None:
        self.manifest = manifest
        self.plan = plan
        self.known: dict[tuple[str, int], int] = {}

    def part(self, name: str, renamed: Mapping[str, str]) -> int:
        """The index of a view's part, with its keys under the request's names."""
        view = self.manifest.views[name]
        layout = Layout(schema_of(view))
        spec = KeySpec(tuple((renamed.get(key, key), key, dtype) for key, dtype in layout.keys))
        if spec not in self.plan.specs:
            self.plan.specs.append(spec)
        at = self.plan.specs.index(spec)
        if (name, at) not in self.known:
            ttl = view.ttl_seconds * 1_000_000 if view.ttl_seconds else None
            self.known[name, at] = len(self.plan.parts)
            plain = tuple(decoder(parse_type(column.dtype)) for column in view.features)
            self.plan.parts.append(
                Part(name, stored_name(self.manifest, name), view.digest, at, layout, ttl, plain)
            )
        return self.known[name, at]

    def on_demand(self, projection: Projection, *, run_code: bool) -> int:
        """The index of an on-demand view's computation."""
        view = self.manifest.on_demand[projection.view]
        if not run_code:
            raise OnDemandError(
                f"on-demand view {view.name} comes with a manifest from elsewhere: its code is"
                " not run",
                view=view.name,
                hint=(
                    "pin the manifest: FeatureClient.open(place, digest=...); or `furrow trust`,"
                    " for a clone"
                ),
            )
        sources = []
        for source in view.inputs:
            if source.view == "request":
                self.plan.request[source.name] = source.dtype
                continue
            at = self.part(source.view, {})
            names = [column.name for column in self.manifest.views[source.view].features]
            sources.append(
                ((source.name, f"{source.view}__{source.name}"), at, names.index(source.name))
            )
        self.plan.computed.append(Computed(view, function_of(view), sources))
        return len(self.plan.computed) - 1
