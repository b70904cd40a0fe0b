"""A small world: two views over folders of Parquet, an on-demand view, and a manifest that declares them."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from furrow.features.digest import seal
from furrow.features.manifest import Manifest
from furrow.features.schema import (
    Column,
    Input,
    OnDemandView,
    OnlineStore,
    Projection,
    Service,
    View,
)
from furrow.files import write_json

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime.now(UTC).replace(microsecond=0)

CODE = textwrap.dedent(
    """
    FACTOR = 2

    def ratio(inputs):
        rows = zip(inputs["score"], inputs["amount"])
        return {"ratio": [None if s is None or not a else FACTOR * s / a for s, a in rows]}
    """
)

TYPES = {
    "drivers": {
        "id": pa.int64(), "event_timestamp": pa.timestamp("us", tz="UTC"), "created": pa.timestamp("us"),
        "score": pa.float64(), "trips": pa.int64(), "active": pa.bool_(),
    },
    "places": {
        "city": pa.string(), "zone": pa.string(), "event_timestamp": pa.timestamp("ms"),
        "label": pa.string(), "seen": pa.timestamp("us", tz="UTC"), "codes": pa.list_(pa.int64()),
    },
}  # fmt: skip


def driver(
    key: int | None,
    score: float | None,
    *,
    hours: float = 1,
    created: datetime | None = None,
    **more: Any,
) -> Any:
    """A row of the view drivers, some hours old."""
    event = NOW - timedelta(hours=hours)
    made = (created or event).replace(tzinfo=None)
    return {
        "id": key,
        "score": score,
        "trips": 3,
        "active": True,
        "event_timestamp": event,
        "created": made,
    } | more


def place(city: str | None, zone: str, label: str | None, *, hours: float = 1, **more: Any) -> Any:
    """A row of the view places, some hours old."""
    event = (NOW - timedelta(hours=hours)).replace(tzinfo=None)
    return {
        "city": city,
        "zone": zone,
        "label": label,
        "event_timestamp": event,
        "seen": NOW,
        "codes": [1, 2],
    } | more


def columns(**types: str) -> tuple[Column, ...]:
    """Columns from name=type pairs."""
    return tuple(Column(name, dtype) for name, dtype in types.items())


@dataclass
class World:
    """A features folder that tests can change."""

    root: Path
    manifest: Manifest
    now: datetime = NOW

    driver = staticmethod(driver)
    place = staticmethod(place)
    columns = staticmethod(columns)

    @property
    def folder(self) -> Path:
        """The features folder."""
        return self.root / "features"

    @property
    def store(self) -> Path:
        """The online store's folder."""
        return self.root / "build" / "online"

    def change(self, **changes: Any) -> None:
        """Change the manifest's definitions, and write it with its new digests."""
        self.manifest = seal(replace(self.manifest, **changes))
        write_json(self.folder / "manifest.json", self.manifest.to_json())

    def write(self, view: str, file: str, rows: list[dict[str, Any]]) -> Path:
        """Write a Parquet file of a view's source."""
        path = self.root / "build" / "tables" / view / file
        path.parent.mkdir(parents=True, exist_ok=True)
        columns = {
            name: pa.array(
                [row.get(name) for row in rows],
                type=dtype if not pa.types.is_timestamp(dtype) else None,
            )
            for name, dtype in TYPES[view].items()
        }
        table = pa.table({name: column.cast(TYPES[view][name]) for name, column in columns.items()})
        pq.write_table(table, path)
        return path


def declared() -> Manifest:
    """The manifest of the small world."""
    drivers = View(
        "drivers", "", None, "../build/tables/drivers", columns(id="Int64"),
        columns(score="Float64", trips="Int64", active="Bool"), "event_timestamp", "created", 86_400,
    )  # fmt: skip
    places = View(
        "places", "", None, "../build/tables/places", columns(city="String", zone="String"),
        columns(label="String", seen="UnixTimestamp", codes="Array(Int64)"), "event_timestamp",
    )  # fmt: skip
    inputs = (Input("drivers", "score", "Float64"), Input("request", "amount", "Float64"))
    ratio = OnDemandView("ratio", "", inputs, columns(ratio="Float64"), CODE, "ratio")
    all_of_drivers = Projection("drivers", "drivers", ("score", "trips", "active"))
    services = {
        "numbers": Service("numbers", "", (all_of_drivers,)),
        "all": Service(
            "all", "",
            (
                all_of_drivers, Projection("places", "places", ("label", "seen", "codes")),
                Projection("ratio", "ratio", ("ratio",)),
            ),
        ),
        "pair": Service(
            "pair", "",
            (
                Projection("drivers", "first", ("score",), {"id": "first_id"}),
                Projection("drivers", "second", ("score",), {"id": "second_id"}),
            ),
        ),
    }  # fmt: skip
    return seal(
        Manifest(
            "small", "", OnlineStore("lmdb", {"path": "../build/online"}),
            views={"drivers": drivers, "places": places}, on_demand={"ratio": ratio}, services=services,
        )
    )  # fmt: skip


@pytest.fixture
def world(tmp_path: Path) -> World:
    """The small world with a few rows, not materialized."""
    found = World(tmp_path, declared())
    found.folder.mkdir()
    found.change()
    found.write(
        "drivers",
        "a.parquet",
        [
            driver(1, 1.0, hours=5),
            driver(1, 2.0, hours=3),
            driver(2, None, hours=2),
            driver(3, 9.0, hours=40),
        ],
    )
    found.write(
        "places",
        "a.parquet",
        [place("NY", "a", "old", hours=9), place("NY", "a", "new"), place("NY", "b", None)],
    )
    return found
