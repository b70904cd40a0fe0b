"""Where a logged feature value came from: the rows of the feature tables that were newest then."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from furrow.errors import FurrowError
from furrow.features.offline_rows import find, read

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from furrow.features.schema import Manifest, Projection, View
    from furrow.serving.prediction_record import PredictionRecord

__all__ = ["SourceRow", "source_rows"]


@dataclass(frozen=True)
class SourceRow:
    """What a view's table holds of an entity at the time that a prediction saw.

    Attributes:
        view: The feature view.
        source: Its table.
        keys: Of the entity.
        event_time: Of the row.
        values: What the row says, by feature; None where it is not found.
        same: Whether they are the ones that were logged; None where that can't be told.
        why: Why not.
    """

    view: str
    source: str
    keys: dict[str, Any]
    event_time: datetime
    values: dict[str, Any] | None
    same: bool | None
    why: str = ""


def source_rows(features: Path, manifest: Manifest, record: PredictionRecord) -> list[SourceRow]:
    """The source rows of a prediction's stored features, a row for each view that had one.

    Args:
        features: The features folder.
        manifest: Of the definitions that the prediction was made with.
        record: The prediction.
    """
    found = []
    for part in manifest.services[record.service].views:
        view = manifest.views.get(part.view)
        if view is None:
            continue
        names = [name for name in part.features if name in record.event_times]
        times = {one for name in names if (one := record.event_times[name]) is not None}
        keys = {
            key.name: record.keys.get(part.join_key_map.get(key.name, key.name))
            for key in view.join_keys
            if key.name != "__dummy_id"
        }
        asked = _Asked(features, view, part, keys, record)
        found += [asked.row(time) for time in sorted(times)]
    return found


@dataclass(frozen=True)
class _Asked:
    """What is looked for in a view's table."""

    features: Path
    view: View
    part: Projection
    keys: dict[str, Any]
    record: PredictionRecord

    def row(self, time: datetime) -> SourceRow:
        """The row at a time."""
        view, record = self.view, self.record

        def told(values: dict[str, Any] | None, why: str = "", *, same: bool | None) -> SourceRow:
            return SourceRow(view.name, view.source, self.keys, time, values, same, why)

        if any(name in record.redacted for name in self.keys):
            return told(None, "a key was redacted", same=None)
        try:
            source = find(self.features, view)
            rows = [
                row
                for file in source.files
                for table in read(source, file)
                for row in _matching(table, view, self.keys, time)
            ]
        except (FurrowError, OSError, pa.ArrowException) as exc:
            return told(None, f"the table is not here: {str(exc).splitlines()[0]}", same=None)
        if not rows:
            return told(None, "the table has no such row: it was written since", same=False)
        values = {name: rows[-1].get(name) for name in self.part.features}
        same = all(
            _equal(record.features[name], value)
            for name, value in values.items()
            if record.statuses.get(name) in ("present", "null")
            and name in record.features
            and name not in record.redacted
        )
        return told(values, "" if same else "the table holds other values", same=same)


def _matching(
    table: pa.Table, view: View, keys: Mapping[str, Any], time: datetime
) -> list[dict[str, Any]]:
    mask = pc.equal(table.column(view.timestamp_field), pa.scalar(time, pa.timestamp("us", "UTC")))
    for name, value in keys.items():
        column = table.column(name)
        wanted = pa.scalar(value, column.type) if value is not None else None
        mask = pc.and_(mask, pc.is_null(column) if wanted is None else pc.equal(column, wanted))
    rows: list[dict[str, Any]] = table.filter(mask).to_pylist()
    return rows


def _equal(logged: Any, stored: Any) -> bool:
    if stored != stored:  # noqa: PLR0124 - NaN is a null of the model's
        stored = None
    return bool(logged == stored)
