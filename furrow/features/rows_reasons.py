"""Why another store lost rows or gave other values.

Each row held against the events of its own keys.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from furrow.features.store_reasons import UNKNOWN, EventHistory

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from furrow.features.store_reasons import Sourced

__all__ = ["ReasonsOfRows"]


class ReasonsOfRows:
    """Why rows are lost and values differ."""

    def __init__(self, rows: pa.Table, sources: Sequence[Sourced], given: set[int]) -> None:
        """Gather what tells them.

        Args:
            rows: That were asked for.
            sources: The events of each view.
            given: The places of the rows that the other store gave.
        """
        self.rows = rows.to_pylist()
        self._given = {_as_key(self.rows[row]) for row in given}
        names = set(rows.column_names)
        self._histories = [
            EventHistory(one, [tuple(row[key] for key in one.keys) for row in self.rows])
            for one in sources
            if names >= set(one.keys)
        ]
        self._times = Counter(map(_as_key, self.rows))

    def lost(self, row: int) -> str:
        """Why the other store has no such row."""
        wanted = _as_key(self.rows[row])
        if self._times[wanted] > 1 and wanted in self._given:
            return "another row has its keys and its moment: only one of such rows is kept"
        said = (history.why_lost(self.rows[row]) for history in self._histories)
        return next(filter(None, said), UNKNOWN)

    def differs(self, row: int, feature: str, theirs: Any) -> str:
        """Why the other store gives another value."""
        held = [one for one in self._histories if feature in one.source.features]
        return held[0].why_differs(self.rows[row], feature, theirs) if held else _COMPUTED

    def written_later(self) -> int:
        """Rows with a value that was written after their moment."""
        dated = [one for one in self._histories if one.source.created]
        return sum(any(one.written_later(row) for one in dated) for row in self.rows)


_COMPUTED = "computed of values, of which one may differ"


def _as_key(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(map(str, row.values()))
