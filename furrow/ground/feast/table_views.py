"""What a project's features/definitions.py declares: views over feature tables, their fields by type."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

from feast import FeatureView, Field, FileSource, types

from furrow.errors import FurrowError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from feast import Entity

__all__ = ["TableViewError", "table_view", "windows"]

_ALWAYS = timedelta(days=36_500)


class TableViewError(FurrowError):
    """A view is declared with a type that Feast does not have, or a field twice."""


def table_view(
    name: str,
    *about: Entity,
    owner: str = "",
    of: str = "",
    happened: Mapping[str, str] | None = None,
    ttl: timedelta = _ALWAYS,
    **fields: str,
) -> FeatureView:
    """A Feast view of features/tables/NAME.sql: a row of it holds until the next one of its entity.

    Args:
        name: Of the view and its table.
        about: The entities that the table is keyed by.
        owner: Of the view.
        of: What the names of `fields` begin with: `of="orders", Int64="units"` is `orders_units`.
        happened: Fields of windows (see `windows`), with their types.
        ttl: For how long a row holds at the most.
        fields: Names of features, by Feast's type of them: Int64="lines units".

    Raises:
        TableViewError: There is no such type, or a field comes twice.
    """
    named = [
        (f"{of}_{field}" if of else field, type_)
        for type_, listed in fields.items()
        for field in listed.split()
    ]
    named += (happened or {}).items()
    twice = sorted(one for one, count in Counter(field for field, _ in named).items() if count > 1)
    if twice:
        raise TableViewError(
            f"view {name}: {', '.join(twice)} comes twice", hint="name each field once"
        )
    return FeatureView(
        name=name,
        entities=list(about),
        schema=[Field(name=field, dtype=_type(type_, name)) for field, type_ in named],
        source=FileSource(
            name=f"{name}_table",
            path=f"../build/tables/{name}.parquet",
            timestamp_field="event_timestamp",
        ),
        owner=owner,
        description=f"of {name}.sql",
        ttl=ttl,
    )


def windows(
    source: str, numbers: str = "", *, spans: str = "7d 30d 90d", figures: str = "sum mean"
) -> dict[str, str]:
    """The fields of what happened: counts of each window, its numbers' figures, their last values.

    Args:
        source: What the fields' names begin with: `orders` has `orders_7d`.
        numbers: Columns of numbers: `price` has `orders_price_sum_7d` and `orders_price_last`.
        spans: The windows.
        figures: What is told of a number in a window.
    """
    fields = {f"{source}_{span}": "Int64" for span in spans.split()}
    for number in numbers.split():
        for figure in figures.split():
            for span in spans.split():
                fields[f"{source}_{number}_{figure}_{span}"] = "Float64"
        fields[f"{source}_{number}_last"] = "Float64"
    return fields


def _type(said: str, view: str) -> types.PrimitiveFeastType:
    found = getattr(types, said, None)
    if not isinstance(found, types.PrimitiveFeastType):
        raise TableViewError(
            f"view {view}: {said} is no type of Feast's", hint="Int64, Float64, String, Bool, ..."
        )
    return found
