"""Feast's own offline store beside Furrow's: the rows that it loses are counted, the values that differ are shown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from furrow.cli.main import run as furrow
from furrow.errors import FurrowError
from furrow.features.store_compare import compare_stores, read_rows

if TYPE_CHECKING:
    from pathlib import Path

DAY = datetime(2024, 1, 1, tzinfo=UTC)
DEFINITIONS = """\
from datetime import timedelta

from feast import Entity, FeatureService, FeatureView, Field, FileSource, ValueType
from feast.types import Float64, String

who = Entity(name="who", join_keys=["who"], value_type=ValueType.STRING)
source = FileSource(name="facts", path="facts.parquet", timestamp_field="event_timestamp")
schema = [Field(name="price", dtype=Float64), Field(name="word", dtype=String)]
facts = FeatureView(name="facts", entities=[who], schema=schema, source=source, ttl=timedelta(days=2))
every = FeatureService(name="every", features=[facts])
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A Feast repository as `feast init` would make one: files, and the store that it takes by default."""
    (tmp_path / "feature_store.yaml").write_text(
        "project: p\nregistry: r.db\nprovider: local\noffline_store: {type: dask}\n"
        "entity_key_serialization_version: 3\n"
    )
    (tmp_path / "definitions.py").write_text(DEFINITIONS)
    moments = [DAY + timedelta(days=day) for day in range(3)]
    rows = {
        "who": ["a"] * 3,
        "event_timestamp": moments,
        "price": [1.0, 2.0, None],
        "word": ["x", "y", "z"],
    }
    pq.write_table(pa.table(rows), tmp_path / "facts.parquet")
    return tmp_path


def spine(*moments: float) -> pa.Table:
    at = [DAY + timedelta(days=day) for day in moments]
    return pa.table(
        {"who": ["a"] * len(at), "event_timestamp": pa.array(at, pa.timestamp("us", "UTC"))}
    )


def test_rows_that_are_lost_are_counted(
    repository: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows before the first event and after the ttl, and one of two alike, are what Feast's store drops."""
    found = compare_stores(repository, "every", spine(-1, 0.5, 1.5, 1.5, 30))
    assert found
    assert (found.store, found.rows, found.repeated) == ("dask", 5, 0)
    assert found.lost >= 2
    assert set(found.features) == {"price", "word"}
    assert found.examples[0].theirs == "no such row"
    agreed = compare_stores(repository, "every", spine(0.5, 1.5))
    assert not agreed
    assert agreed.features == {"price": 0, "word": 0}
    pq.write_table(spine(0.5, 30), repository / "rows.parquet")
    monkeypatch.chdir(repository)
    assert furrow(["features", "compare-stores", "every", "rows.parquet", "-C", "."]) == 1
    said = capsys.readouterr().out
    assert "lost: 1 rows" in said
    assert "offline_store: {type: furrow.ground.feast.offline.FurrowOfflineStore}" in said


def test_what_can_not_be_compared(repository: Path, tmp_path: Path) -> None:
    """A store that is Furrow's, a service that is not there, rows without a moment, definitions that fail."""
    with pytest.raises(FurrowError, match="no feature service 'evry'"):
        compare_stores(repository, "evry", spine(1))
    (tmp_path / "rows.csv").write_text("who,event_timestamp\na,2024-01-02 00:00:00\n")
    assert read_rows(tmp_path / "rows.csv")["event_timestamp"][0].as_py() == DAY + timedelta(days=1)
    (tmp_path / "no.csv").write_text("who\na\n")
    with pytest.raises(FurrowError, match="no column event_timestamp"):
        read_rows(tmp_path / "no.csv")
    (repository / "definitions.py").write_text("import nothing_of_this_name\n")
    with pytest.raises(FurrowError, match="nothing_of_this_name"):
        compare_stores(repository, "every", spine(1))
    (repository / "feature_store.yaml").write_text(
        "project: p\noffline_store: {type: furrow.ground.feast.offline.FurrowOfflineStore}\n"
    )
    with pytest.raises(FurrowError, match="is Furrow's"):
        compare_stores(repository, "every", spine(1))
