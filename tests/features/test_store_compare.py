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
from furrow.features.store_reasons import UNKNOWN

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


def test_rows_of_the_repositorys_own(
    repository: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without rows and without a service: rows are made of what the sources hold, and every fault has its reason."""
    definitions = repository / "definitions.py"
    text = definitions.read_text()
    text = text.replace('"event_timestamp")', '"event_timestamp", created_timestamp_column="at")')
    definitions.write_text(text.partition("every =")[0])
    hours = [
        place // 2 * 30 for place in range(60)
    ]  # two events at each moment, the first written last
    moments = [DAY + timedelta(hours=hour) for hour in hours]
    rows = {
        "who": ["ab"[hour % 4 // 2] for hour in hours],
        "event_timestamp": moments,
        "at": [at + timedelta(hours=2 - place % 2) for place, at in enumerate(moments)],
        "price": [float(place) for place in range(60)],
        "word": [str(place % 2) for place in range(60)],
    }
    pq.write_table(pa.table(rows), repository / "facts.parquet")
    found = compare_stores(repository, "", 60, now=DAY + timedelta(days=99))
    assert found.lost > 10
    assert found.written_later > 10
    values = {one.why for one in found.examples if one.feature}
    lost = {one.why for one in found.examples if not one.feature}
    # Feast sorts twice, the second time by a sort that is not stable: which of two it takes is luck.
    assert values <= {"of two events at one moment another is taken: the one created last counts"}
    assert len(lost) >= 2
    assert UNKNOWN not in lost
    assert sum(found.reasons.values()) == found.lost + found.differing
    monkeypatch.chdir(repository)
    assert furrow(["features", "compare-stores", "-C", "."]) == 1
    said = capsys.readouterr().out
    assert "made of the sources' own keys and moments" in said
    assert "rows whose values expired are dropped" in said


def test_a_store_that_is_right(
    repository: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing expires and no two events are of one moment, Feast's own store agrees on every row of later."""
    text = (repository / "definitions.py").read_text().replace("days=2", "days=0")
    (repository / "definitions.py").write_text(text)
    pq.write_table(spine(0, 0.5, 1, 1.5, 2, 30), repository / "rows.parquet")
    monkeypatch.chdir(repository)
    assert furrow(["features", "compare-stores", "every", "rows.parquet", "-C", "."]) == 0
    said = capsys.readouterr().out
    assert "lost: 0 rows; repeated: 0; values that differ: 0" in said
    assert "the two stores agree" in said


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
