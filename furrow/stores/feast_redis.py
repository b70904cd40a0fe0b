"""The layout that Feast's own Redis online store writes, read without Feast.

A hash per entity: its key is Feast's serialized entity key (version 3) and the project; its fields
are the murmur3 of "view:feature" with protobuf values, and "_ts:view" with a protobuf timestamp.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from furrow.stores.feast_key import murmur3
from furrow.stores.redis_wire import Wire
from furrow.stores.store_api import Held

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from furrow.stores.record import ViewSchema

__all__ = ["FeastRedisStore"]


class FeastRedisStore:
    """Reads what Feast's Redis store holds; writing is Feast's business.

    A record is here a list: one protobuf value a feature of the schema, and the timestamp last.

    Args:
        url: redis:// or rediss:// with user, password and database.
        project: The Feast project.
        views: What the manifest says of each view: stored name -> (Feast's name, schema).
        deadline: Seconds that a read may take in all.
    """

    embedded = False
    layout = "feast"

    def __init__(
        self,
        url: str,
        project: str,
        views: Mapping[str, tuple[str, ViewSchema]],
        *,
        deadline: float = 0.25,
    ) -> None:
        self.wire = Wire(url, deadline=deadline)
        self.place = self.wire.place
        self._project = project.encode()
        self._held = {name: Held(0, schema, None) for name, (_, schema) in views.items()}
        self._requests = {name: _request(view, schema) for name, (view, schema) in views.items()}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self.wire.close()

    def held(self) -> Mapping[str, Held]:
        """The manifest's views: Feast's layout doesn't say what it holds."""
        return self._held

    def read(
        self, wanted: Sequence[tuple[str, Sequence[bytes | None]]]
    ) -> tuple[Mapping[str, Held], list[Any]]:
        """Fields for keys, per view, in one round trip; None where there is nothing.

        Raises:
            StoreUnreachableError: The server didn't answer before the deadline.
        """
        parts = []
        count = 0
        for view, keys in wanted:
            head, tail = self._requests[view]
            for key in keys:
                if key is not None:
                    whole = key + self._project
                    parts.append(b"%b$%d\r\n%b\r\n%b" % (head, len(whole), whole, tail))
                    count += 1
        found = self.wire.ask(b"".join(parts), count) if count else []
        replies = iter([self.wire.values(one) for one in found])
        answers = []
        for _, keys in wanted:
            rows = [None if key is None else next(replies) for key in keys]
            answers.append([None if not row or row[-1] is None else row for row in rows])
        return self._held, answers

    def mark(self, view: str) -> Any:
        """Feast keeps no watermark in its store."""
        del view


def _request(view: str, schema: ViewSchema) -> tuple[bytes, bytes]:
    """An HMGET before and after its key."""
    fields = [murmur3(f"{view}:{name}".encode()) for name, _ in schema.features] + [
        f"_ts:{view}".encode()
    ]
    head = b"*%d\r\n$5\r\nHMGET\r\n" % (len(fields) + 2)
    return head, b"".join(b"$%d\r\n%b\r\n" % (len(name), name) for name in fields)
