"""Somebody taken out of a prediction log: the answers stay, of whom they were does not; the others keep every bit."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from furrow.cli.log import command
from furrow.serving.log_files import sealed_folder
from furrow.serving.log_reader import read_records
from furrow.serving.log_redact import redact_log
from furrow.serving.log_search import records_about
from furrow.serving.prediction_log import PredictionLog

from .records import killed, record


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Records of four customers in two segments, one of them of a process that was killed."""
    folder = tmp_path / "log"
    made = PredictionLog.open(folder)
    made.append([record(n, keys={"customer": n % 4}) for n in range(40)])
    made.close()
    killed(folder, [record(n, keys={"customer": n % 4}) for n in range(40, 60)])
    return folder


def test_somebody_is_taken_out(log: Path) -> None:
    """Keys, request, features and event times are null and named as redacted; id, time, version and score stay."""
    before = {one.id: one for one in read_records(log)}
    done = redact_log(log, [{"customer": "2"}])
    assert (done.records, done.left, done.unread) == (15, 0, ())
    after = {one.id: one for one in read_records(log)}
    assert after.keys() == before.keys()
    for identity, one in after.items():
        was = before[identity]
        if was.keys["customer"] != 2:
            assert one == was
            continue
        assert (one.time, one.version, one.prediction) == (was.time, was.version, was.prediction)
        assert (dict(one.keys), dict(one.request)) == ({}, {})
        assert set(one.features.values()) == set(one.event_times.values()) == {None}
        assert set(one.redacted) >= {"customer", "amount", "visits", "city", "age"}
    assert records_about(log, {"customer": "2"})[0] == {}
    assert redact_log(log, [{"customer": "2"}]).records == 0


def test_what_a_server_still_writes_is_left_and_told(log: Path) -> None:
    made = PredictionLog.open(log)
    made.append([record(99, keys={"customer": 2})])
    done = redact_log(log, [{"customer": "2"}, {"customer": "3"}])
    assert (done.records, done.left) == (30, 1)
    made.close()
    assert redact_log(log, [{"customer": "2"}]).records == 1


def test_nobody_and_a_file_that_is_broken(log: Path) -> None:
    assert redact_log(log, [{"customer": "9"}, {"nothing": "2"}]).records == 0
    (path, *_) = sorted(sealed_folder(log).rglob("*.parquet"))
    path.write_bytes(b"x")
    done = redact_log(log, [{"customer": "2"}])
    assert done.unread == (path.relative_to(log).as_posix(),)


def test_the_command_changes_nothing_without_yes(log: Path) -> None:
    words = [str(log), "--forget", "customer=2"]
    told = CliRunner().invoke(command, words, catch_exceptions=False).output
    assert "15 records are about them; nothing was changed" in told
    assert records_about(log, {"customer": "2"})[0] != {}
    told = CliRunner().invoke(command, [*words, "--yes", "--json"], catch_exceptions=False).output
    assert json.loads(told)["rows"][0]["redacted"] == 15
    assert all(
        pq.read_table(one, partitioning=None) for one in sealed_folder(log).rglob("*.parquet")
    )
