"""Feature views as the join sees them: a source, what to match, what to bring."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from furrow.stores.timestamps import is_time

if TYPE_CHECKING:
    from datetime import timedelta

    import pyarrow as pa

    from furrow.stores.sources import Source

__all__ = ["Feature", "Key", "View", "check_view"]


@dataclass(frozen=True)
class Key:
    """A column of the source and the column of the spine that it must equal."""

    column: str
    spine: str


@dataclass(frozen=True)
class Feature:
    """A column of the source and its name in the result."""

    column: str
    output: str


@dataclass(frozen=True)
class View:
    """One feature view.

    Args:
        name: For messages.
        source: Where its rows are.
        keys: What to join on; none: one row for all.
        features: What to bring.
        timestamp: The column of the event time.
        created: The column of the created time, which decides ties, newest first; then, and where there is none,
            the later row of the files wins.
        ttl: How old a value may be; None or zero: any age.
    """

    name: str
    source: Source
    keys: tuple[Key, ...]
    features: tuple[Feature, ...]
    timestamp: str
    created: str | None = None
    ttl: timedelta | None = None

    @property
    def columns(self) -> list[str]:
        """Every column of the source that the join reads."""
        names = [key.column for key in self.keys] + [feature.column for feature in self.features]
        names += [name for name in (self.timestamp, self.created) if name]
        return list(dict.fromkeys(names))

    def type_of(self, column: str) -> pa.DataType:
        """The type of a column of the source."""
        return self.source.schema.field(column).type


def check_view(view: View) -> View:
    """See that the source holds every column that the view names.

    Raises:
        SourceError: One is missing, or a time is of another type.
    """
    for key in view.keys:
        view.source.require(key.column, f"join key of {view.name}")
    for feature in view.features:
        view.source.require(feature.column, f"feature of {view.name}")
    for name in (view.timestamp, view.created):
        if name and not is_time(view.source.require(name, f"timestamp of {view.name}")):
            raise view.source.unusable(name, "a timestamp")
    return view
