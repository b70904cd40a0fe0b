"""The stage of feature tables: the same bytes each time, and a clear refusal of what no table may be made of."""

import os
import resource
import shutil
import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from furrow.ground.tables import TableError, build_table
from tests.rawdata import raw

ROOT = Path(__file__).resolve().parents[2]
SQL_FILES = sorted((ROOT / "features" / "tables").glob("*.sql"))
KEYED = "select origin, scheduled_departure as event_timestamp, count(*) as n from flights group by 1, 2"


@pytest.fixture
def sql(tmp_path: Path) -> Path:
    """A SQL file for a test to write."""
    return tmp_path / "sql" / "mine.sql"


def build(sql: Path, data: Path, text: str) -> pa.Table:
    sql.parent.mkdir(exist_ok=True)
    sql.write_text(text)
    out = sql.with_suffix(".parquet")
    build_table(sql, raw(data), out)
    return pq.read_table(out)


@pytest.mark.parametrize("file", SQL_FILES, ids=lambda file: file.stem)
def test_tables_are_the_same_bytes_at_any_thread_count(
    file: Path, landed: Path, tmp_path: Path
) -> None:
    """One thread or five, here or in another folder: the same file, sorted by its keys and event time, each once."""
    build_table(file, raw(landed), tmp_path / "one.parquet", threads=1)
    elsewhere = shutil.copytree(landed, tmp_path / "another place")
    report = build_table(file, raw(elsewhere), tmp_path / "deep" / "five.parquet", threads=5)
    assert (tmp_path / "one.parquet").read_bytes() == (
        tmp_path / "deep" / "five.parquet"
    ).read_bytes()
    table = pq.read_table(tmp_path / "one.parquet")
    assert report.rows == table.num_rows > 1000
    assert report.columns == tuple(table.column_names)
    place = table.column_names.index("event_timestamp")
    keys = list(zip(*(table.column(at).to_pylist() for at in range(place + 1)), strict=True))
    assert all(before < after for before, after in pairwise(keys))
    assert table.schema.field("event_timestamp").type == pa.timestamp("us", tz="UTC")
    assert {str(table.schema.field(at).type) for at in range(place + 1, table.num_columns)} <= {
        "int64",
        "double",
    }


def test_a_table_needs_only_what_it_reads(landed: Path, tmp_path: Path) -> None:
    """Weather features are built where there is nothing but weather, as their stage's dependencies say."""
    shutil.copytree(landed / "weather", tmp_path / "data" / "weather")
    file = ROOT / "features" / "tables" / "weather_origin.sql"
    assert build_table(file, raw(tmp_path / "data"), tmp_path / "out.parquet").rows > 6000


def test_wrong_sql_is_named_with_its_line(landed: Path, sql: Path) -> None:
    """A misspelt column: the file, the line, the column and what is meant; the old table stays."""
    old = build(sql, landed, f"{KEYED} order by 1, 2")
    with pytest.raises(TableError, match=r"mine\.sql:2: .*scheduled_departur\b") as caught:
        build(
            sql,
            landed,
            "select origin,\n  scheduled_departur as event_timestamp\nfrom flights\norder by 1, 2",
        )
    assert caught.value.line == 2
    assert "scheduled_departure" in caught.value.hint
    assert pq.read_table(sql.with_suffix(".parquet")).equals(old)
    with pytest.raises(TableError, match=r"mine\.sql:3: .*syntax error"):
        build(sql, landed, "select origin\nfrom flights\nwhere where\norder by 1")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("select origin, departure as at_last from flights", "no column event_timestamp"),
        (
            "select departure as event_timestamp, origin from flights",
            "no join key before event_timestamp",
        ),
        (f"{KEYED} order by 2, 1", "not sorted by origin, event_timestamp"),
        (
            "select origin, scheduled_departure as event_timestamp from flights order by 1, 2",
            "a key and event_timestamp come again in",
        ),
        (
            "select tailnum, scheduled_departure as event_timestamp from flights order by 1, 2",
            "have a null tailnum",
        ),
        (
            "select distinct origin, departure as event_timestamp from flights order by 1, 2",
            "a null event_timestamp",
        ),
        (
            "select distinct origin, scheduled_departure::date as event_timestamp from flights order by 1, 2",
            "date32",
        ),
    ],
)
def test_rows_that_no_join_can_use_are_refused(
    landed: Path, sql: Path, text: str, said: str
) -> None:
    """No event time, no key, null or repeated keys, another order: an error that says so, and no file."""
    with pytest.raises(TableError, match=said) as caught:
        build(sql, landed, text)
    assert caught.value.hint
    assert not sql.with_suffix(".parquet").exists()


def test_raw_data_that_is_not_there_or_damaged(data: Path, sql: Path) -> None:
    """No data, a relation that was never landed, a truncated partition: which, and how to land it."""
    with pytest.raises(
        TableError, match=r"reads flights, and there is no .*flights/\{month\}\.parquet"
    ) as caught:
        build(sql, data / "nowhere", KEYED)
    assert "pipelines.ingest" in caught.value.hint
    (data / "planes.parquet").unlink()
    with pytest.raises(TableError, match=r"reads planes, and there is no .*planes\.parquet"):
        build(
            sql,
            data,
            "select tailnum, current_timestamp as event_timestamp from planes order by 1, 2",
        )
    partition = data / "flights" / "2013-02.parquet"
    partition.write_bytes(partition.read_bytes()[:5000])
    with pytest.raises(TableError, match=r"2013-02\.parquet") as caught:
        build(sql, data, KEYED)
    assert "pipelines.ingest" in caught.value.hint


@pytest.fixture
def project(landed: Path, tmp_path: Path) -> Path:
    """A project's folder with the example's tables, contract and data."""
    (tmp_path / "features").mkdir()
    (tmp_path / "features" / "tables").symlink_to(ROOT / "features" / "tables")
    (tmp_path / "conf").symlink_to(ROOT / "conf")
    (tmp_path / "data").symlink_to(landed)
    return tmp_path


def stage(project: Path, table: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "furrow.stages.tables", table],
        cwd=project,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        **options,
    )


def test_the_command(project: Path) -> None:
    """It reads and writes where dvc.yaml says, says what it wrote, and ends non-zero on an unknown table."""
    done = stage(project, "weather_origin")
    assert done.returncode == 0, done.stderr
    assert "rows" in done.stdout
    assert (project / "build" / "tables" / "weather_origin.parquet").exists()
    done = stage(project, "wether_origin")
    assert done.returncode == 1
    assert "no feature table wether_origin" in done.stderr
    assert "weather_origin" in done.stderr.splitlines()[1]


def test_a_full_disk_leaves_the_old_table(project: Path) -> None:
    """When the file can't be written whole, it is not written at all."""
    out = project / "build" / "tables" / "carrier_day.parquet"
    out.parent.mkdir(parents=True)
    out.write_bytes(b"the old one")

    def small_disk() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))

    done = stage(project, "carrier_day", preexec_fn=small_disk)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: cannot write {out}")
    assert out.read_bytes() == b"the old one"
    assert list(out.parent.iterdir()) == [out]
