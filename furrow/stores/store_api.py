"""What an online store is.

Its errors, what it holds of a view, and the operations that LMDB and Redis both give.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeAlias

from furrow.errors import FurrowError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from furrow.stores.record import ViewSchema

__all__ = [
    "REBUILD",
    "Answers",
    "Held",
    "OnlineStore",
    "ReadStore",
    "StoreCorruptError",
    "StoreError",
    "StoreFullError",
    "StoreLockedError",
    "StoreMissingError",
    "StorePermissionError",
    "StoreUnreachableError",
    "StoreVersionError",
    "ViewMissingError",
]

Answers: TypeAlias = list[list[bytes | None]]

REBUILD = "rebuild it from the offline tables: furrow features materialize --full"


class StoreError(FurrowError):
    """An online store failed; `.place` says which one: a folder or an address."""

    def __init__(self, message: str, *, place: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.place = place


class StoreMissingError(StoreError):
    """There is no store at the place."""


class StoreCorruptError(StoreError):
    """The store's files are damaged."""


class StoreVersionError(StoreError):
    """The store was written by a Furrow of another format."""


class StorePermissionError(StoreError):
    """The store's folder or files can't be opened by this user."""


class StoreFullError(StoreError):
    """The disk, or the limit set for the store, is full."""


class StoreLockedError(StoreError):
    """Another process is materializing into the store."""


class StoreUnreachableError(StoreError):
    """The store's server didn't answer before the deadline."""


class ViewMissingError(StoreError):
    """The store holds nothing of a view."""


@dataclass(frozen=True)
class Held:
    """What a store holds of one view.

    Attributes:
        generation: Number of the set of records being served; a rebuilt view gets a new one.
        schema: Join keys and features of its records.
        digest: The definition's digest that the records were made from; None if Feast's own SDK
            made them.
    """

    generation: int
    schema: ViewSchema
    digest: str | None


class ReadStore(Protocol):
    """What the client needs of a store.

    Attributes:
        place: The folder or address, for messages.
        embedded: Whether a read is a matter of microseconds, without a network.
        layout: "furrow" for packed records, "feast" for the fields that Feast's own Redis store
            writes.
    """

    place: str
    embedded: bool
    layout: str

    def __enter__(self) -> Self:
        """The store itself."""

    def __exit__(self, *_: object) -> None:
        """Close the store."""

    def held(self) -> Mapping[str, Held]:
        """What is held of each view, by name."""

    def read(
        self, wanted: Sequence[tuple[str, Sequence[bytes | None]]]
    ) -> tuple[Mapping[str, Held], Answers]:
        """Records for keys, per view, all from one moment where the store can.

        None where there is none.

        Returns:
            What was held at that moment (the same object until it changes), and the records.

        Raises:
            ViewMissingError: The store doesn't hold a view.
            StoreUnreachableError: A server didn't answer before the deadline.
        """

    def mark(self, view: str) -> Any:
        """The watermark of a view, or None."""

    def close(self) -> None:
        """Let go of files and connections."""


class OnlineStore(ReadStore, Protocol):
    """Packed records by view and key; the newest event wins whatever the order of writes."""

    def define(self, view: str, schema: ViewSchema, digest: str | None = None) -> Held:
        """Make sure that a view is held with a schema.

        A changed schema keeps the features that are still there.
        """

    def write(self, view: str, items: Iterable[tuple[bytes, bytes]], *, mark: Any = None) -> int:
        """Write (key, record) pairs where they are newer, with a watermark if one is given.

        The number written.
        """

    def drop(self, views: Iterable[str]) -> None:
        """Forget views and their records; the ones that aren't held are no error."""

    def build(self, view: str, schema: ViewSchema, digest: str | None) -> int:
        """Begin a new generation beside the one being served."""

    def fill(self, view: str, generation: int, items: Iterable[tuple[bytes, bytes]]) -> int:
        """Write into a generation that is being built."""

    def swap(
        self, view: str, generation: int, items: Iterable[tuple[bytes, bytes]], *, mark: Any = None
    ) -> int:
        """Write the last pairs, serve the built generation from now on, and drop the old one."""

    def lock(self) -> AbstractContextManager[None]:
        """Be the only one who materializes.

        Raises:
            StoreLockedError: Another process does.
        """

    def items(self, view: str) -> Iterator[tuple[bytes, bytes]]:
        """All (key, record) pairs served for a view."""

    def count(self, view: str) -> int:
        """How many records are served for a view."""
