"""Moments of a batch of text: what landing reads as moments, a batch reads, too."""

from __future__ import annotations

from datetime import UTC, datetime

import pyarrow.parquet as pq
import pytest

from furrow.errors import FurrowError
from furrow.serving.batch_csv import parquet_of
from furrow.serving.batch_moments import SAMPLE

DAY = datetime(2024, 3, 21, tzinfo=UTC)
NOON = datetime(2024, 3, 21, 12, 30, tzinfo=UTC)


def read(tmp_path, moments, types=None):
    rows = tmp_path / "rows.csv"
    lines = "".join(f'007,"{one}",x\n' for one in moments)
    rows.write_text(f"shop,event_timestamp,said\n{lines}", encoding="utf-8")
    with parquet_of(
        rows, tmp_path / "out.parquet", types or {"shop": "String"}, "event_timestamp"
    ) as path:
        return pq.read_table(path)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2024-03-21T12:30Z", NOON),
        ("2024-03-21 13:30+01:00", NOON),
        ("2024-03-21", DAY),
        ("21.03.2024", DAY),
        ("21.03.2024 12:30", NOON),
        ("03/21/2024 12:30 PM", NOON),
        ("2024/03/21", DAY),
        ("20240321", DAY),
        ("21 Mar 2024", DAY),
        ("21. März 2024", DAY),
        (str(int(NOON.timestamp())), NOON),
        (str(int(NOON.timestamp()) * 1000), NOON),
    ],
)
def test_a_batch_reads_moments_as_landing_does(tmp_path, text, moment):
    """Also where all rows are of one moment, and some have none."""
    found = read(tmp_path, [text, "", "n/a", text])
    assert found["event_timestamp"].to_pylist() == [moment, None, None, moment]
    assert found["shop"].to_pylist() == ["007"] * 4


def test_another_field_of_moments_is_read_alike(tmp_path):
    found = read(tmp_path, ["21.03.2024"], {"event_timestamp": "UnixTimestamp"})
    assert found["event_timestamp"].to_pylist() == [DAY]


def test_what_could_be_read_in_two_ways_is_refused(tmp_path):
    """A few rows do not tell day from month, as the many that landed may have."""
    with pytest.raises(
        FurrowError, match=r"event_timestamp: day and month could change places\n.*write"
    ):
        read(tmp_path, ["03/04/2024", "05/06/2024"])


@pytest.mark.parametrize("place", [1, SAMPLE + 2])
def test_what_is_no_moment_is_named(tmp_path, place):
    """On any row: it is no missing value."""
    moments = ["2024-03-21"] * place + ["then", "2024-03-21"]
    with pytest.raises(FurrowError, match="event_timestamp 'then' is no moment"):
        read(tmp_path, moments)
    assert not list(tmp_path.glob(".*rows*"))
