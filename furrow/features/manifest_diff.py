"""What changed between two manifests, in words, and whom it concerns.

The plan that `feast plan` can't give.
"""

from __future__ import annotations

import ast
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from furrow.features.schema import Column, Manifest, OnDemandView, Service, View
    from furrow.features.uses import TrainedModel

__all__ = ["Change", "Diff", "diff", "duration"]


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one definition.

    Attributes:
        kind: "table", "view", "on_demand", "service" or "store".
        name: The definition.
        what: The change in words.
        meaning: Whether it changes a digest: a value, a type or a place. An owner or a description
            does not.
    """

    kind: str
    name: str
    what: str
    meaning: bool = True

    def __str__(self) -> str:
        return f"{self.name}{'' if self.what.startswith('.') else ' '}{self.what}"


@dataclass(frozen=True, slots=True)
class Diff:
    """The changes, and whom they concern; false when there are none.

    Attributes:
        services: Services of the new definitions whose digest is another one, or that are new, and
            those that are gone.
        experiments: Declared experiments on these services.
        models: Experiments whose trained model stands on another digest than its service has now.
    """

    changes: tuple[Change, ...] = ()
    services: tuple[str, ...] = ()
    experiments: tuple[str, ...] = ()
    models: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.changes)

    def to_json(self) -> dict[str, Any]:
        """The diff as a JSON value."""
        return {
            "changes": [asdict(change) | {"words": str(change)} for change in self.changes],
            "services": list(self.services),
            "experiments": list(self.experiments),
            "models": list(self.models),
        }


def diff(
    old: Manifest,
    new: Manifest,
    *,
    experiments: Mapping[str, str] | None = None,
    models: Sequence[TrainedModel] = (),
) -> Diff:
    """Compare two manifests.

    Args:
        old: The definitions before.
        new: The definitions now.
        experiments: Feature service by experiment.
        models: The models that were trained.

    Returns:
        The changes by kind and name, and whom they concern.
    """
    changes = [
        *_tables(old, new),
        *_views(old, new),
        *_on_demand(old, new),
        *_services(old, new),
        *_store(old, new),
    ]
    before = {name: service.digest for name, service in old.services.items()}
    now = {name: service.digest for name, service in new.services.items()}
    touched = sorted(name for name in before | now if before.get(name) != now.get(name))
    return Diff(
        changes=tuple(changes),
        services=tuple(touched),
        experiments=tuple(
            sorted(name for name, service in (experiments or {}).items() if service in touched)
        ),
        models=tuple(
            model.experiment
            for model in models
            if model.service in touched and model.features_digest != now.get(model.service)
        ),
    )


def duration(seconds: int | None) -> str:
    """A time to live in words: 6h, 90m, 2d; "never expires" for None or 0."""
    if not seconds:
        return "never expires"
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _added(kind: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    yield from (Change(kind, name, "added") for name in sorted(new.keys() - old.keys()))
    yield from (Change(kind, name, "removed") for name in sorted(old.keys() - new.keys()))


def _tables(old: Manifest, new: Manifest) -> Iterator[Change]:
    """A table's change is told together with the columns that views take of it."""
    yield from _added("table", old.tables, new.tables)
    for name in sorted(old.tables.keys() & new.tables.keys()):
        if old.tables[name].sql_digest == new.tables[name].sql_digest:
            continue
        counts = _counted(_of_table(old, name), _of_table(new, name))
        relations = _names(set(old.tables[name].reads), set(new.tables[name].reads), "reads ")
        yield Change(
            "table",
            name,
            "SQL changed" + "".join(f": {part}" for part in (*counts, *relations) if part),
        )


def _of_table(manifest: Manifest, table: str) -> set[str]:
    return {
        column.name
        for view in manifest.views.values()
        if view.table == table
        for column in view.features
    }


def _counted(old: set[str], new: set[str]) -> list[str]:
    parts = [(len(new - old), "+"), (len(old - new), "-")]
    said = [f"{sign}{count} feature{'s' * (count > 1)}" for count, sign in parts if count]
    return [", ".join(said)] if said else []


def _names(old: set[str], new: set[str], word: str = "") -> list[str]:
    said = [f"+{word}{name}" for name in sorted(new - old)] + [
        f"-{word}{name}" for name in sorted(old - new)
    ]
    return [", ".join(said)] if said else []


def _views(old: Manifest, new: Manifest) -> Iterator[Change]:
    yield from _added("view", old.views, new.views)
    for name in sorted(old.views.keys() & new.views.keys()):
        one, two = old.views[name], new.views[name]
        yield from (Change("view", name, what) for what in _view(one, two))
        yield from _about("view", name, one, two)


def _view(one: View, two: View) -> Iterator[str]:
    if (one.ttl_seconds or None) != (two.ttl_seconds or None):
        yield f".ttl {duration(one.ttl_seconds)} -> {duration(two.ttl_seconds)}"
    for field in ("source", "timestamp_field", "created_timestamp_column"):
        before, after = getattr(one, field), getattr(two, field)
        if before != after:
            yield f".{field} {before or 'none'} -> {after or 'none'}"
    if sorted((c.name, c.dtype) for c in one.join_keys) != sorted(
        (c.name, c.dtype) for c in two.join_keys
    ):
        yield f".join_keys {_listed(one.join_keys)} -> {_listed(two.join_keys)}"
    yield from _columns(one.features, two.features)
    if dict(one.field_mapping) != dict(two.field_mapping):
        yield f".field_mapping {dict(one.field_mapping)} -> {dict(two.field_mapping)}"


def _listed(columns: Sequence[Column]) -> str:
    return ", ".join(f"{column.name} {column.dtype}" for column in columns) or "none"


def _columns(one: Sequence[Column], two: Sequence[Column]) -> Iterator[str]:
    before, after = {c.name: c.dtype for c in one}, {c.name: c.dtype for c in two}
    for name in (name for name in after if name not in before):
        yield f"+ feature {name} ({after[name]})"
    for name in (name for name in before if name not in after):
        yield f"- feature {name}"
    for name in (name for name in after if name in before and before[name] != after[name]):
        yield f".{name} {before[name]} -> {after[name]}"
    if before.keys() == after.keys() and list(before) != list(after):
        yield f".features in another order: {', '.join(after)}"


def _about(kind: str, name: str, one: Any, two: Any) -> Iterator[Change]:
    for field in ("owner", "description"):
        before, after = getattr(one, field), getattr(two, field)
        if before != after:
            yield Change(
                kind, name, f".{field} {before or 'none'!r} -> {after or 'none'!r}", meaning=False
            )
    if dict(one.tags) != dict(two.tags):
        pairs = [{f"{key}={value}" for key, value in tags.items()} for tags in (one.tags, two.tags)]
        yield Change(kind, name, f".tags {_names(pairs[0], pairs[1])[0]}", meaning=False)


def _on_demand(old: Manifest, new: Manifest) -> Iterator[Change]:
    yield from _added("on_demand", old.on_demand, new.on_demand)
    for name in sorted(old.on_demand.keys() & new.on_demand.keys()):
        one, two = old.on_demand[name], new.on_demand[name]
        yield from (Change("on_demand", name, what) for what in _code(one, two))
        yield from (
            Change("on_demand", name, what) for what in _columns(one.features, two.features)
        )
        inputs = [{f"{i.view}:{i.name} ({i.dtype})" for i in view.inputs} for view in (one, two)]
        yield from (
            Change("on_demand", name, f".inputs {said}") for said in _names(inputs[0], inputs[1])
        )
        if (one.mode, one.singleton) != (two.mode, two.singleton):
            yield Change(
                "on_demand", name, f".mode {one.mode} -> {two.mode}, singleton {two.singleton}"
            )
        yield from _about("on_demand", name, one, two)


def _code(one: OnDemandView, two: OnDemandView) -> Iterator[str]:
    if one.code == two.code and one.function == two.function:
        return
    before, after = _statements(one.code), _statements(two.code)
    said = []
    for name in sorted(before.keys() | after.keys()):
        was, is_ = before.get(name), after.get(name)
        if was == is_:
            continue
        short = (
            was is not None
            and is_ is not None
            and len(was) + len(is_) < 80
            and "\n" not in was + is_
        )
        said.append(
            f"{name} {was} -> {is_}"
            if short
            else f"{'+' if not was else '-' if not is_ else ''}{name}"
        )
    yield f"code changed: {', '.join(said) or 'order of its statements'}"


def _statements(code: str) -> dict[str, str]:
    """What each name of a piece of code is: a constant's value, or a function's whole text."""
    found: dict[str, str] = {}
    try:
        body = ast.parse(code).body
    except (
        SyntaxError,
        ValueError,
        RecursionError,
        MemoryError,
    ):  # the other revision's code may be anything
        return {"code": code + "\n"}
    for statement in body:
        if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            found[ast.unparse(statement.targets[0])] = ast.unparse(statement.value)
        elif isinstance(statement, ast.FunctionDef | ast.ClassDef):
            found[f"{statement.name}()"] = ast.unparse(statement) + "\n"
        else:
            found[ast.unparse(statement).split("\n")[0]] = ast.unparse(statement) + "\n"
    return found


def _services(old: Manifest, new: Manifest) -> Iterator[Change]:
    yield from _added("service", old.services, new.services)
    for name in sorted(old.services.keys() & new.services.keys()):
        yield from (
            Change("service", name, what)
            for what in _service(old.services[name], new.services[name])
        )
        yield from _about("service", name, old.services[name], new.services[name])


def _service(one: Service, two: Service) -> Iterator[str]:
    before = {projection.name: projection for projection in one.views}
    after = {projection.name: projection for projection in two.views}
    yield from (f"+ view {name}" for name in after if name not in before)
    yield from (f"- view {name}" for name in before if name not in after)
    for name in (name for name in after if name in before):
        was, is_ = before[name], after[name]
        if was.view != is_.view:
            yield f".{name} is a projection of {is_.view}, no longer of {was.view}"
        for said in _names(set(was.features), set(is_.features), "feature "):
            yield f".{name} {said}"
        if set(was.features) == set(is_.features) and was.features != is_.features:
            yield f".{name} in another order: {', '.join(is_.features)}"
        if dict(was.join_key_map) != dict(is_.join_key_map):
            yield f".{name}.join_key_map {dict(was.join_key_map)} -> {dict(is_.join_key_map)}"
    if before.keys() == after.keys() and list(before) != list(after):
        yield f"takes its views in another order: {', '.join(after)}"


def _store(old: Manifest, new: Manifest) -> Iterator[Change]:
    if old.project != new.project:
        yield Change("store", "project", f"{old.project} -> {new.project}", meaning=False)
    one, two = old.online_store, new.online_store
    if one.type != two.type:
        yield Change("store", "online_store", f"{one.type} -> {two.type}", meaning=False)
    elif dict(one.options) != dict(two.options):
        keys = sorted(
            key
            for key in {**one.options, **two.options}
            if one.options.get(key) != two.options.get(key)
        )
        yield Change("store", "online_store", f"options changed: {', '.join(keys)}", meaning=False)
