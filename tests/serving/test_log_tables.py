"""Records as Arrow: typed where values allow it, in one table for each version."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from click.testing import CliRunner

from furrow.cli.log import command as log_command
from furrow.errors import UsageError
from furrow.serving.log_reader import read_log
from furrow.serving.log_settings import LogSettings
from furrow.serving.log_tables import records_of, to_batch
from furrow.serving.prediction_log import PredictionLog

from .records import record

if TYPE_CHECKING:
    from pathlib import Path


def test_columns_have_the_types_of_their_values():
    given = [record(1, request={"n": 1, "mixed": 1}), record(2, request={"n": 2, "mixed": "a"})]
    batch = to_batch(given)
    assert batch.schema.field("features").type.field("visits").type == pa.float64()
    assert batch.schema.field("event_times").type.field("visits").type == pa.timestamp("us", "UTC")
    assert batch.schema.field("request").type.field("n").type == pa.int64()
    assert batch.schema.field("request").type.field("mixed").type == pa.string()
    assert list(records_of(batch)) == given


def test_a_mapping_that_is_always_empty_has_no_column():
    """Parquet has no word for it; it comes back empty."""
    given = [record(1, request={}, statuses={})]
    batch = to_batch(given)
    assert "request" not in batch.schema.names
    assert list(records_of(batch)) == given


def test_a_segment_that_is_still_written_is_read_by_span_column_and_version(tmp_path):
    """As the same records are when they are sealed."""
    log = PredictionLog.open(tmp_path / "log", LogSettings())
    log.append([record(number, version=f"gbm@v1.{number % 2}.0") for number in range(6)])
    first, last = record(1).time, record(4).time
    asked = (
        {},
        {"columns": ["time", "version", "prediction"]},
        {"without": ("event_times", "features", "redacted")},
    )

    def read():
        return [
            [batch.to_pydict() for batch in read_log(log.folder, first, last, **one)]
            for one in asked
        ]

    live = read()
    log.close()
    assert live == read()
    assert sorted(len(one["time"]) for one in live[1]) == [1, 2]
    assert set(live[1][0]) == {"time", "version", "prediction"}
    assert "features" not in live[2][0]


def test_the_command_asks_a_log_that_grows(tmp_path, capsys):
    log = PredictionLog.open(tmp_path / "log", LogSettings())
    log.append([record(number) for number in range(3)])
    for words in (
        ["select count(*) as n from predictions", "--json"],
        ["--since", "2026-03-01T12:30:02Z"],
    ):
        log_command.main([str(tmp_path / "log"), *words], standalone_mode=False)
    said = capsys.readouterr().out
    assert '"n": 3' in said
    assert said.count("gbm@v1.0.0") == 1
    log.close()


def test_the_table_is_named_where_another_was_asked(tmp_path: Path) -> None:
    """`from log` is a guess of many: the error says what it is called."""
    with pytest.raises(UsageError, match="the query is wrong") as caught:
        CliRunner().invoke(log_command, [str(tmp_path), "select 1 from log"], standalone_mode=False, catch_exceptions=False)  # fmt: skip
    assert caught.value.hint == "the table is `predictions`"
