"""Feature views as the join sees them: a source, what to match, what to bring."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from furrow.stores.sources import Wanted

if TYPE_CHECKING:
    from datetime import timedelta

    import pyarrow as pa

    from furrow.stores.relation import Relation
    from furrow.stores.sources import Source

__all__ = ["Feature", "Key", "View", "check_view"]


@dataclass(frozen=True)
class Key:
    """A column of the source and the column of the spine that it must equal.

    Args:
        column: Of the source.
        spine: Of the spine.
        type: The declared type, in which both are compared; None: the source's own.
    """

    column: str
    spine: str
    type: pa.DataType | None = None


@dataclass(frozen=True)
class Feature:
    """A column of the source and its name in the result.

    Args:
        column: Of the source.
        output: Of the result.
        type: The declared type; None: the source's own.
    """

    column: str
    output: str
    type: pa.DataType | None = None


@dataclass(frozen=True)
class View:
    """One feature view.

    Args:
        name: For messages.
        source: Where its rows are.
        keys: What to join on; none: one row for all.
        features: What to bring.
        timestamp: The column of the event time.
        created: The column of the created time, which decides ties, newest first; then, and where
            there is none, the later row of the files wins.
        ttl: How old a value may be; None or zero: any age.
        relation: Its rows, once they are ready to query.
    """

    name: str
    source: Source
    keys: tuple[Key, ...]
    features: tuple[Feature, ...]
    timestamp: str
    created: str | None = None
    ttl: timedelta | None = None
    relation: Relation | None = None

    @cached_property
    def wanted(self) -> tuple[Wanted, ...]:
        """Every column of the source that the join reads.

        Keys, features, the time, the created time.
        """
        columns = [
            Wanted(key.column, "key", key.type, f"join key of {self.name}") for key in self.keys
        ]
        columns += [
            Wanted(each.column, "feature", each.type, f"feature of {self.name}")
            for each in self.features
        ]
        columns.append(Wanted(self.timestamp, "time", None, f"timestamp of {self.name}"))
        if self.created:
            columns.append(
                Wanted(self.created, "created", None, f"created timestamp of {self.name}")
            )
        return tuple(columns)

    @cached_property
    def types(self) -> tuple[pa.DataType, ...]:
        """The types of the wanted columns, as they are compared and given back."""
        return tuple(self.source.type_of(each) for each in self.wanted)

    @property
    def key_types(self) -> tuple[pa.DataType, ...]:
        """The types in which the keys are compared."""
        return self.types[: len(self.keys)]

    @property
    def feature_types(self) -> tuple[pa.DataType, ...]:
        """The types of the features in the result."""
        return self.types[len(self.keys) : len(self.keys) + len(self.features)]

    @property
    def time_place(self) -> int:
        """The place of the time among the wanted columns; the created time follows."""
        return len(self.keys) + len(self.features)


def check_view(view: View) -> View:
    """See that the source holds every column that the view names, in types that can be taken for the declared ones.

    Raises:
        SourceError: One is missing, or of another type.
    """
    view.source.check(view.wanted)
    return view
