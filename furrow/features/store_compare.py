"""What another offline store makes of rows, beside the join that is right.

Rows that it loses, values that differ.

Both stores run the same definitions over the same files. Each row carries a number, by which it is
found again in what a store gives.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv

from furrow.errors import FurrowError
from furrow.features.rows_reasons import ReasonsOfRows
from furrow.features.sampled_rows import sampled_rows
from furrow.ground.bounded_parquet import read_bounded
from furrow.layout import FEATURE_STORE_YAML
from furrow.parse import ParseError, read_yaml

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["FURROW_STORES", "Differing", "StoreComparison", "compare_stores", "read_rows"]

FURROW_STORES = (
    "offline_store: {type: furrow.ground.feast.offline.FurrowOfflineStore}",
    "online_store: {type: furrow.ground.feast.online.FurrowOnlineStore, path: online}",
    "batch_engine: {type: furrow.ground.feast.compute_engine.FurrowComputeEngine}",
)
"""The lines of feature_store.yaml that make a Feast repository Furrow's: its stores, and how Feast fills them."""

_OURS = {"type": "furrow.ground.feast.offline.FurrowOfflineStore"}
_ROW = "furrow_row"
_SHOWN = 20
_CLOSE = 1e-9


@dataclass(frozen=True)
class Differing:
    """A value that differs: of a row, by both stores.

    Or a row that one store lost, without a feature.
    """

    row: Mapping[str, Any]
    feature: str
    theirs: Any
    ours: Any
    why: str = ""


@dataclass(frozen=True)
class StoreComparison:
    """What came of it; falsy when the stores agree.

    Attributes:
        store: The type of the other store.
        rows: How many were asked for.
        lost: How many the other store did not give.
        repeated: How many it gave more than once.
        features: By feature, how many values differ among the rows that it gave.
        examples: Some of what differs.
        reasons: How many lost rows and differing values there are of each reason.
        written_later: How many rows have a value, by both stores, that was written only after their
            moment (`created_timestamp_column`): a backfill, which training then knows too early.
    """

    store: str
    rows: int
    lost: int
    repeated: int
    features: Mapping[str, int]
    examples: tuple[Differing, ...]
    reasons: Mapping[str, int] = field(default_factory=dict)
    written_later: int = 0

    @property
    def differing(self) -> int:
        """How many values differ."""
        return sum(self.features.values())

    def __bool__(self) -> bool:
        return bool(self.lost or self.repeated or self.differing)


def read_rows(path: Path) -> pa.Table:
    """Rows of keys and event_timestamp.

    Args:
        path: Parquet or CSV.

    Raises:
        FurrowError: It can't be read, or has no event_timestamp.
    """
    try:
        read = read_bounded if path.suffix == ".parquet" else pyarrow.csv.read_csv
        table: pa.Table = read(path)
        at = table.schema.get_field_index("event_timestamp")
        if at < 0:
            raise FurrowError(f"{path} has no column event_timestamp", hint="say when each row is")
        moments = table.column(at).cast(pa.timestamp("us", "UTC"))
    except (pa.ArrowInvalid, OSError) as exc:
        said = str(exc).splitlines()[0]
        raise FurrowError(f"{path} can't be read: {said}", hint="give Parquet or CSV") from exc
    return table.set_column(at, "event_timestamp", moments)


def compare_stores(
    repo_dir: Path, service: str, spine: pa.Table | int, *, now: datetime | None = None
) -> StoreComparison:
    """Join a service to rows by a repository's own offline store, and by Furrow's.

    Args:
        repo_dir: The Feast repository.
        service: The feature service's name; empty for all views.
        spine: Join keys and event_timestamp; or how many such rows to make of the sources' own.
        now: No row that is made is of later; this moment by default.

    Raises:
        FurrowError: The repository's store is Furrow's, or its definitions are at fault.
    """
    # Feast takes seconds to import
    from furrow.ground.feast.retrieve import features_by_store  # noqa: PLC0415
    from furrow.ground.feast.source_events import source_events  # noqa: PLC0415 - the same

    store = _store(repo_dir)
    sources = source_events(repo_dir, service, asked=isinstance(spine, int))
    rows = (
        sampled_rows(sources, spine, now=now or datetime.now(UTC))
        if isinstance(spine, int)
        else spine
    )
    numbered = rows.append_column(_ROW, pa.array(range(rows.num_rows), pa.int64()))
    ours = features_by_store(repo_dir, service, numbered, _OURS).to_pandas().set_index(_ROW)
    theirs = features_by_store(repo_dir, service, numbered, None).to_pandas()
    repeated = int(theirs[_ROW].duplicated().sum())
    theirs = theirs.drop_duplicates(_ROW).set_index(_ROW)
    lost = ours.index.difference(theirs.index)
    both = ours.index.intersection(theirs.index)
    why = ReasonsOfRows(rows, sources, set(both))
    found = [Differing(why.rows[row], "", "no such row", "", why.lost(row)) for row in lost]
    features = {}
    for name in [column for column in ours.columns if column not in rows.column_names]:
        if name not in theirs.columns:
            raise FurrowError(f"{store} gives no {name}", hint="compare by a service that it has")
        one, other = ours.loc[both, name], theirs.loc[both, name]
        wrong = both[~_equal(one, other)]
        features[name] = len(wrong)
        found += [
            Differing(
                why.rows[row],
                name,
                _shown(other[row]),
                _shown(one[row]),
                why.differs(row, name, other[row]),
            )
            for row in wrong
        ]
    reasons = Counter(one.why for one in found)
    return StoreComparison(
        store=store,
        rows=rows.num_rows,
        lost=len(lost),
        repeated=repeated,
        features=features,
        examples=_some_of_each(found),
        reasons=dict(reasons.most_common()),
        written_later=why.written_later(),
    )


def _shown(value: Any) -> Any:
    """A value of a frame, which has more than one word for nothing."""
    # NaN
    return None if value is None or value is pd.NaT or value != value else value  # noqa: PLR0124


def _some_of_each(found: Sequence[Differing]) -> tuple[Differing, ...]:
    """Some of what differs: of every reason as many."""
    by = defaultdict(list)
    for one in found:
        by[one.why].append(one)
    each = max(1, _SHOWN // max(1, len(by)))
    return tuple(one for those in by.values() for one in those[:each])[:_SHOWN]


def _store(repo_dir: Path) -> str:
    """The type of the repository's own offline store."""
    try:
        said = (read_yaml(repo_dir / FEATURE_STORE_YAML) or {}).get("offline_store") or "dask"
    except (OSError, ParseError, AttributeError) as exc:
        raise FurrowError(
            f"{repo_dir}/feature_store.yaml can't be read: {exc}", hint="is it a Feast repository?"
        ) from exc
    kind = str(said.get("type", "dask") if isinstance(said, dict) else said)
    if kind.startswith("furrow."):
        raise FurrowError(
            f"the offline store of {repo_dir} is Furrow's: there is nothing to compare",
            hint="`furrow features verify` compares the online store",
        )
    return kind


def _equal(one: pd.Series, other: pd.Series) -> np.ndarray:
    """Where two columns agree: both nothing, or values as near as floats are."""
    gone = one.isna().to_numpy() & other.isna().to_numpy()
    if pd.api.types.is_numeric_dtype(one) and pd.api.types.is_numeric_dtype(other):
        left, right = (
            one.to_numpy(dtype="float64", na_value=np.nan),
            other.to_numpy(dtype="float64", na_value=np.nan),
        )
        found: np.ndarray = gone | np.isclose(left, right, rtol=_CLOSE, atol=0)
        return found
    same = [str(a) == str(b) for a, b in zip(one, other, strict=True)]
    alike: np.ndarray = gone | np.array(same, dtype=bool)
    return alike
