"""The prediction log: nothing that was answered is missing, whatever happens to process, disk and clock."""

from __future__ import annotations

import io
import os
import random
import resource
import signal
import threading
from contextlib import contextmanager
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from furrow.serving.log_files import live_folder, live_segments
from furrow.serving.log_frames import read_frames, read_seed
from furrow.serving.log_reader import find_record, query, read_log, read_losses, read_records
from furrow.serving.log_seal import seal
from furrow.serving.prediction_log import LogError, LogSettings, PredictionLog

from .records import NOON, killed, record


@pytest.fixture
def folder(tmp_path):
    found = tmp_path / "log"
    live_folder(found).mkdir(parents=True)
    return found


def test_what_was_appended_is_read_at_once_and_after_it_was_sealed(folder):
    """Before the log is closed, and after; each record once, as it was."""
    log = PredictionLog.open(folder)
    given_ = [record(number) for number in range(5)]
    log.append(given_[:3])
    log.append(given_[3:])
    assert list(read_records(folder)) == given_
    log.close()
    assert not list(live_folder(folder).iterdir())
    assert list(read_records(folder)) == given_
    assert find_record(folder, given_[3].id) == given_[3]
    assert find_record(folder, record(1).id) is None


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1 << 30))
def test_a_kill_at_any_byte_loses_no_whole_record(tmp_path_factory, cut):
    """The next to open the log heals what is torn: it seals the whole records, and says what was damaged."""
    folder = tmp_path_factory.mktemp("log")
    live_folder(folder).mkdir()
    given_ = [record(number) for number in range(4)]
    killed(folder, given_)
    [path] = live_segments(folder)
    content = path.read_bytes()
    cut = 16 + cut % (len(content) - 15)
    path.write_bytes(content[:cut])
    before = list(read_records(folder))
    assert before == given_[: len(before)]
    assert len(before) >= int(4 * (cut - 16) / (len(content) - 16)) - 1
    assert seal(folder, LogSettings()) == 1
    assert list(read_records(folder)) == before
    assert not list(live_folder(folder).iterdir())
    assert bool(read_losses(folder).damaged) == (
        cut < len(content) and not _at_an_end(content, cut)
    )


def _at_an_end(content, cut):
    file = io.BytesIO(content)
    return cut in {16, *(one.end for one in read_frames(file, read_seed(file)))}


def killed_while_it_answers(folder, answers, **declared):
    """Kill a server's process (SIGKILL) after so many answers; what it had answered by then."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.close(reader)
        log = PredictionLog.open(folder, LogSettings(**declared))
        number = 0
        while True:
            one = record(number)
            log.append([one])
            os.write(writer, one.id.encode())  # the answer leaves
            number += 1
    os.close(writer)
    with os.fdopen(reader, "rb") as told:
        seen = told.read(36 * answers)
        os.kill(child, signal.SIGKILL)
        seen += told.read()
    os.waitpid(child, 0)
    return {seen[at : at + 36].decode() for at in range(0, len(seen) - 35, 36)}


def kill_again_and_again(folder, times):
    generator = random.Random(5)
    answered = set()
    for _ in range(times):
        answered |= killed_while_it_answers(
            folder,
            generator.randrange(1, 200),
            segment_bytes=generator.choice([5_000, 1 << 20]),
            sync_every=0.001,
        )
    assert answered <= {one.id for one in read_records(folder)}
    seal(folder, LogSettings(), wait=True)
    ids = [one.id for one in read_records(folder)]
    assert answered <= set(ids)
    assert len(ids) == len(set(ids))
    assert not list(live_folder(folder).iterdir())


def test_no_answered_prediction_is_missing_after_kills(folder):
    """kill -9 at any moment, sealing and new segments included; the next process heals and goes on."""
    kill_again_and_again(folder, 8)


@pytest.mark.long
def test_no_answered_prediction_is_missing_after_a_thousand_kills(folder):
    kill_again_and_again(folder, 1_000)


def test_several_processes_write_and_one_reads_meanwhile(folder):
    """Nothing is missing or twice of what four processes write while segments are sealed under the reader."""
    children = []
    for start in range(4):
        child = os.fork()
        if not child:
            log = PredictionLog.open(folder, LogSettings(segment_bytes=3_000, sync_every=0.001))
            for number in range(30):
                log.append([record(1000 * start + number)])
            log.close()
            os._exit(0)
        children.append(child)
    seen: set[str] = set()
    while children:
        ids = [one.id for one in read_records(folder)]
        assert len(ids) == len(set(ids))
        assert seen <= set(ids)
        seen = set(ids)
        children = [one for one in children if os.waitpid(one, os.WNOHANG)[0] == 0]
    found = sorted(one.keys["customer"] for one in read_records(folder))
    assert found == [1000 * start + number for start in range(4) for number in range(30)]


def test_a_clock_that_steps_back_loses_nothing(folder):
    """Records are found by their times, and by their ids, whatever file they are in."""
    times = [NOON, NOON - timedelta(days=3), NOON + timedelta(days=900), NOON]
    given_ = [record(number, time=time) for number, time in enumerate(times)]
    log = PredictionLog.open(folder)
    log.append(given_)
    log.close()
    assert list(read_records(folder)) == given_
    assert list(read_records(folder, until=NOON)) == [given_[1]]
    assert list(read_records(folder, NOON, NOON + timedelta(1))) == [given_[0], given_[3]]
    assert all(find_record(folder, one.id) == one for one in given_)


@contextmanager
def longest_file(limit):
    """The kernel refuses to let a file grow beyond a size, as it does on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_counted_and_answers_go_on(folder):
    """What fits is kept whole, what doesn't is counted, and the log says so once it can be written again."""
    log = PredictionLog.open(folder)
    with longest_file(2_000):
        for number in range(20):
            log.append([record(number)])
    kept = [one.keys["customer"] for one in read_records(folder)]
    assert log.dropped == 20 - len(kept)
    assert 0 < len(kept) < 20
    log.append([record(99)])
    log.close()
    assert [one.keys["customer"] for one in read_records(folder)] == [*kept, 99]
    losses = read_losses(folder)
    assert (losses.dropped, losses.damaged) == (20 - len(kept), 0)
    assert losses.why == "File too large"


def test_a_full_disk_stops_answers_where_that_is_declared(folder):
    log = PredictionLog.open(folder, LogSettings(when_full="stop"))
    log.append([record(0)])
    with longest_file(1_000), pytest.raises(LogError, match=r"File too large.*declared to stop"):
        log.append([record(1), record(2)])
    log.append([record(99)])
    log.close()
    found = [one.keys["customer"] for one in read_records(folder)]
    assert found == [0, 99]


class Disk:
    """A disk that stalls for as long as the test says."""

    def __init__(self):
        self.free = threading.Event()
        self.asked = threading.Event()

    def sync(self, file):
        self.asked.set()
        assert self.free.wait(60)
        os.fdatasync(file)


@pytest.mark.parametrize("when", ["continue", "stop"])
def test_a_stalled_disk_holds_no_answer_up_and_no_memory(folder, when):
    """Within bounds records wait for the disk; beyond, they are counted, or answers stop as declared."""
    disk = Disk()
    declared = LogSettings(stalled_after=0.02, sync_every=0.001, buffer_bytes=2_000, when_full=when)
    log = PredictionLog.open(folder, declared, sync=disk.sync)
    log.append([record(0)])
    assert disk.asked.wait(60)
    while not log.stalled:
        pass
    if when == "stop":
        with pytest.raises(LogError, match="stalls"):
            log.append([record(1)])
    else:
        for number in range(1, 50):
            log.append([record(number)])
        assert log._held_bytes <= 2_000
        assert log.dropped > 40
    disk.free.set()
    log.close()
    found = [one.keys["customer"] for one in read_records(folder)]
    assert found == list(range(50 - log.dropped if when == "continue" else 1))
    assert read_losses(folder).dropped == log.dropped


def test_a_durable_log_waits_for_the_disk(folder):
    """An append returns after the fdatasync that came after its write, and not before."""
    disk = Disk()
    log = PredictionLog.open(folder, LogSettings(durable=True, stalled_after=60), sync=disk.sync)
    done = threading.Event()

    def append():
        log.append([record(1)])
        done.set()

    thread = threading.Thread(target=append)
    thread.start()
    assert disk.asked.wait(60)
    assert not done.is_set()
    disk.free.set()
    thread.join(60)
    assert done.is_set()
    log.close()


def test_a_durable_log_does_not_wait_for_a_disk_that_fails(folder):
    def fail(_file):
        raise OSError(5, "Input/output error")

    log = PredictionLog.open(folder, LogSettings(durable=True, when_full="stop"), sync=fail)
    with pytest.raises(LogError, match="declared to stop"):
        log.append([record(1)])
    log.close()


def test_sampling_is_recorded_and_the_same_for_every_reader(folder):
    """Each record that is kept says with which probability; what is left out is counted."""
    log = PredictionLog.open(folder, LogSettings(sample=0.25))
    log.append([record(number) for number in range(400)])
    log.close()
    found = list(read_records(folder))
    assert 60 < len(found) < 140
    assert {one.sampling for one in found} == {0.25}
    assert read_losses(folder).sampled_out == 400 - len(found)


def test_declared_columns_are_never_written(folder):
    """Neither in the live segment nor in what is sealed; the record says what it lacks."""
    log = PredictionLog.open(folder, LogSettings(redact=frozenset({"city", "customer", "other"})))
    log.append([record(0, keys={"customer": "Ada Lovelace"})])
    [path] = live_segments(folder)
    content = path.read_bytes()
    assert b"visits" in content
    assert b"Ada" not in content
    assert "Göteborg".encode() not in content
    log.close()
    [found] = read_records(folder)
    assert found.redacted == ("city", "customer")
    assert found.features["city"] is None


def test_batches_hold_one_version_each_and_choose_by_model(folder):
    log = PredictionLog.open(folder)
    log.append([record(1), record(2, model="linear", version="linear@v2.0.0", features={"x": 1.5})])
    for _ in range(2):
        batches = list(read_log(folder, model="linear"))
        assert [one.column("features").to_pylist() for one in batches] == [[{"x": 1.5}]]
        assert len(list(read_log(folder))) == 2
        log.close()


def test_a_log_answers_sql_while_it_grows(folder):
    """Sealed and live records of versions with other features are one table."""
    killed(folder, [record(1), record(2)])
    seal(folder, LogSettings())
    log = PredictionLog.open(folder)
    log.append([record(3, model="linear", version="linear@v2.0.0", features={"x": 1.5})])
    sql = "select model, count(*), sum(features.visits), max(features.x) from predictions group by 1 order by 1"
    assert query(folder, sql).fetchall() == [
        ("gbm", 2, pytest.approx(0.3), None),
        ("linear", 1, None, 1.5),
    ]
    log.close()
