"""Sealing: segments of the dead alone, each record once, any value, and no more than declared is kept."""

from __future__ import annotations

import os
import threading
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from furrow.serving import prediction_log
from furrow.serving.log_files import (
    live_folder,
    live_segments,
    sealed_files,
    sealed_folder,
    sealed_segments,
)
from furrow.serving.log_reader import read_records
from furrow.serving.log_seal import BEGUN, seal
from furrow.serving.prediction_log import LogSettings, PredictionLog

from .records import killed, record

VALUE = (
    st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 64) - 1) | st.floats(allow_nan=False)
    | st.text(max_size=3) | st.lists(st.integers(0, 3), max_size=2)
)  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    found = tmp_path / "log"
    live_folder(found).mkdir(parents=True)
    return found


def test_a_kill_between_sealing_and_removing_gives_no_record_twice(folder):
    given_ = [record(number) for number in range(3)]
    killed(folder, given_)
    [path] = live_segments(folder)
    content = path.read_bytes()
    seal(folder, LogSettings())
    path.write_bytes(content)  # as if the process had died before it could remove it
    assert list(read_records(folder)) == given_
    seal(folder, LogSettings())
    assert list(read_records(folder)) == given_
    assert not path.exists()


def test_what_begins_while_another_seals_is_kept(folder):
    """Many logs are opened while somebody seals without a pause: no segment is taken for a dead one's, no record is lost."""
    done = threading.Event()

    def sealing():
        while not done.is_set():
            seal(folder, LogSettings(), wait=True)

    PredictionLog.open(folder).close()
    other = threading.Thread(target=sealing)
    other.start()
    try:
        for number in range(120):
            one = PredictionLog.open(folder)
            one.append([record(number)])
            one.close()
    finally:
        done.set()
        other.join()
    found = [each.keys["customer"] for each in read_records(folder)]
    assert sorted(found) == sorted(record(number).keys["customer"] for number in range(120))
    left = live_folder(folder) / f"x{BEGUN}"
    left.write_bytes(b"")
    seal(folder, LogSettings(), wait=True)
    assert left.exists(), "whoever begins it may still be at it"
    os.utime(left, (1e9, 1e9))
    seal(folder, LogSettings(), wait=True)
    assert not left.exists()


def test_a_living_process_s_segment_is_not_sealed(folder):
    """Two servers on one log: each writes its own file, and neither takes the other's away."""
    one, two = PredictionLog.open(folder), PredictionLog.open(folder)
    one.append([record(1)])
    two.append([record(2)])
    assert seal(folder, LogSettings(), wait=True) == 0
    one.append([record(3)])
    assert sorted(each.keys["customer"] for each in read_records(folder)) == [1, 2, 3]
    one.close()
    two.append([record(4)])
    two.close()
    assert sorted(each.keys["customer"] for each in read_records(folder)) == [1, 2, 3, 4]


def test_the_hour_s_end_closes_and_seals_a_segment(folder, monkeypatch):
    hour = ["2026-03-01T12"]
    monkeypatch.setattr(prediction_log, "_hour", lambda: hour[0])
    log = PredictionLog.open(folder, LogSettings(sync_every=0.001))
    log.append([record(1)])
    hour[0] = "2026-03-01T13"
    while not any(sealed_files(one) for one in sealed_segments(folder)):
        log._wake.set()
    log.append([record(2)])
    log.close()
    assert [path.name for path in sorted(sealed_folder(folder).iterdir())] == [
        "2026-03-01T12",
        "2026-03-01T13",
    ]
    assert [one.keys["customer"] for one in read_records(folder)] == [1, 2]


def test_old_and_large_logs_lose_their_oldest_hours(folder, monkeypatch):
    for place, days in enumerate((30, 20, 10, 0)):
        monkeypatch.setattr(prediction_log, "_hour", lambda place=place: f"2026-03-0{place + 1}T00")
        time = prediction_log.datetime.now(prediction_log.UTC) - timedelta(days)
        killed(folder, [record(place, time=time)])
        seal(folder, LogSettings())
    seal(folder, LogSettings(retention=timedelta(days=25)))
    assert [one.keys["customer"] for one in read_records(folder)] == [1, 2, 3]
    size = sum(path.stat().st_size for path in sealed_folder(folder).rglob("*") if path.is_file())
    seal(folder, LogSettings(size_limit=size - 1))
    assert [one.keys["customer"] for one in read_records(folder)] == [2, 3]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from("abc"), VALUE), min_size=1, max_size=5))
def test_sealing_keeps_any_values(tmp_path_factory, rows):
    """A column that mixes kinds keeps each value: numbers as numbers, the rest exactly as it was."""
    folder = tmp_path_factory.mktemp("log")
    live_folder(folder).mkdir()
    killed(folder, [record(number, features=row, request=row) for number, row in enumerate(rows)])
    seal(folder, LogSettings())
    found = list(read_records(folder))
    assert [{k: v for k, v in one.features.items() if v is not None} for one in found] == [
        {k: v for k, v in row.items() if v is not None} for row in rows
    ]
    assert [one.request for one in found] == [
        {k: v for k, v in row.items() if v is not None} for row in rows
    ]


def test_what_later_records_ask_for_is_sealed_as_well(tmp_path):
    """Types that the first pieces of a segment don't show: a null that becomes a number, a text that becomes a list."""
    log = PredictionLog.open(tmp_path / "log")
    given = [record(number, features={"a": None, "b": "x"}) for number in range(700)]
    given += [record(number, features={"a": 0.5, "b": [1, "x"]}) for number in range(700, 1100)]
    log.append(given)
    log.close()
    assert not list((tmp_path / "log/live").glob("*.log"))
    found = {one.id: one.features for one in read_records(tmp_path / "log")}
    assert found == {one.id: dict(one.features) for one in given}
