"""Monitors and labels over the world's prediction log: two at once, killed, on a clock that jumps.

What must hold: each window is looked at once and stays in the history with the rows that it had; an
alarm that was told stays in the book, with who has seen it, and in the file that it went to, once; a
label that was landed stays.
"""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pandas as pd

from furrow.monitoring.late_labels import land, landed
from furrow.monitoring.monitor_run import monitor
from furrow.monitoring.monitor_settings import MonitorSettings, Sink
from furrow.monitoring.monitor_site import Site
from furrow.monitoring.monitor_state import load_state, one_writer, save_state
from furrow.serving.log_reader import read_records
from furrow.serving.prediction_log import PredictionLog
from furrow.training import config
from furrow.training.config import Experiment, Features
from furrow.training.problem import Problem, Split
from tests.serving.records import record
from tests.torture.at_once import at_once

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.torture.world import Ack

FIRST = datetime(2026, 3, 1, tzinfo=UTC)
DAYS, ROWS = 9, 12
_AHEAD = timedelta(days=4000)
_PROBLEM = Problem(
    name="churned", task="binary", entity=["customer"], spine="s.sql", label="churned",
    known_after="1d", split=Split(by="day", test=2),
)  # fmt: skip


def begin(folder: Path) -> None:
    """The project whose log it is."""
    experiment = Experiment(
        name="gbm", problem=_PROBLEM, features=Features(service="full", digest="d" * 64),
        model={"_target_": "sklearn.ensemble.HistGradientBoostingClassifier"},
    )  # fmt: skip
    runs = folder / "watched/runs/gbm"
    runs.mkdir(parents=True)
    (runs / "config.yaml").write_text(config.dump(experiment))
    (runs / "intervals.json").write_text('{"_about": {}, "brier": {"low": 0.19, "high": 0.21}}')


def site(folder: Path, now: datetime) -> Site:
    """Where monitoring is at work."""
    settings = MonitorSettings(
        first=1, season="none", settle="1h", alarms=[Sink(to="file", path="alarms.jsonl")]
    )
    return Site(folder / "watched", folder / "log", folder / "watched/monitor", settings, now)


def answers(root: Path, n: int, ack: Ack) -> None:
    """A day's predictions; on some days a feature is of another type, or missing."""
    day = n % DAYS
    made = PredictionLog.open(root.parent / "log")
    for k in range(ROWS):
        time = FIRST + timedelta(days=day, hours=1, minutes=n % 60, seconds=k)
        one = record(n * 100 + k, time=time)
        if n % 4 == 0:
            one = record(n * 100 + k, time=time, features={**one.features, "visits": "many"})
        ack(("begun", one.id))
        made.append([one])
        if not made.dropped:
            ack(("logged", one.id))
    made.close()


def labels(root: Path, n: int, ack: Ack) -> None:
    """Two files of labels, landed at once."""

    def lander(number: int) -> None:
        known = (FIRST + timedelta(days=number % DAYS, hours=3)).isoformat()
        rows = [
            {"customer": number + k, "churned": (number + k) % 2, "label_timestamp": known}
            for k in range(3)
        ]
        source = root.parent / f"watched/labels-{number}.jsonl"
        source.write_text("".join(json.dumps(one) + "\n" for one in rows))

        def work(tell: Ack) -> None:
            place = site(root.parent, FIRST).labels
            land(place, source, _PROBLEM, now=FIRST + timedelta(days=number % DAYS, hours=5))
            for one in rows:
                tell(("label", *map(str, one.values())))

        works.append(work)

    works: list = []
    lander(n)
    lander(n + 1 if n % 3 else n)  # the same file twice, at times
    at_once(works, ack)


def monitors(root: Path, n: int, ack: Ack) -> None:
    """Two monitors at once, at any moment: the clock jumps."""
    folder = root.parent
    if not (folder / "log").is_dir():
        return
    now = FIRST + timedelta(days=n % (DAYS + 3), hours=2 + n % 5)

    def work(tell: Ack) -> None:
        _look(folder, now + _AHEAD if n % 9 == 8 else now, tell)

    at_once([work, work], ack)


def _look(folder: Path, now: datetime, tell: Ack) -> None:
    found = monitor(site(folder, now), say=lambda _: None)
    for one in found.windows:
        tell(("window", str(one["window"]), str(one["version"]), str(one["rows"])))
    for alarm in found.alarms:
        tell(("alarm", alarm.id))


def acknowledge(root: Path, n: int, ack: Ack) -> None:
    """A person has seen an alarm."""
    place = site(root.parent, FIRST)
    with one_writer(place.folder):
        state = load_state(place.folder)
        alarms = state.book.alarms
        if not alarms:
            return
        chosen = alarms[n % len(alarms)].id
        state.book = state.book.acknowledge(chosen, f"ada{n}", place.now)
        save_state(place.folder, state)
    ack(("seen", chosen))


VERBS = {"answers": answers, "labels": labels, "monitors": monitors, "acknowledge": acknowledge}


def lost(folder: Path, told: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """What was acknowledged and is not there."""
    place = site(folder, FIRST)
    state = load_state(place.folder)
    windows = Counter((str(one["window"]), str(one["version"])) for one in state.history)
    if twice := [one for one, count in windows.items() if count > 1]:
        yield f"the window {twice[0]} is in the history twice"
    kept = {(str(o["window"]), str(o["version"]), str(o["rows"])) for o in state.history}
    alarms = {one.id: one for one in state.book.alarms}
    sent = _sent(place.folder / "alarms.jsonl")
    frames = landed(place.labels)
    held = _held(frames)
    for kind, *said in told:
        if kind == "window" and tuple(said) not in kept:
            yield f"the window {said} is in the history no more"
        if kind == "alarm" and (said[0] not in alarms or sent[said[0]] != 1):
            yield f"the alarm {said[0]} is in the book no more, or was sent {sent[said[0]]} times"
        if kind == "seen" and not alarms[said[0]].acknowledged:
            yield f"nobody has seen the alarm {said[0]} any more"
        if kind == "label" and tuple(said) not in held:
            yield f"the label {said} is gone"
    if len({repr(one.to_numpy().tolist()) for one in frames}) != len(frames):
        yield "a file of labels was landed twice"
    numbers = Counter(path.name[:6] for path in place.labels.glob("[0-9]*-*.parquet"))
    if any(count > 1 for count in numbers.values()):
        yield "two files of labels have one number: which came later is lost"


def _sent(path: Path) -> Counter[str]:
    lines = path.read_bytes().splitlines() if path.is_file() else []
    found: Counter[str] = Counter()
    for line in lines:
        try:
            found[str(json.loads(line)["id"])] += 1
        except ValueError:
            continue  # half a line of a killed process: the alarm follows, whole
    return found


def _held(frames: list[pd.DataFrame]) -> set[tuple[str, ...]]:
    return {
        (str(one.customer), str(int(one.churned)), pd.Timestamp(one.label_timestamp).isoformat())
        for frame in frames
        for one in frame.itertuples()
    }


def converged(folder: Path, _told: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """When the clock is right again, new days are looked at, each with the rows that the log has."""
    if not (folder / "log").is_dir():
        return
    days = [FIRST + timedelta(days=DAYS + 10 + k) for k in range(2)]
    made = PredictionLog.open(folder / "log")
    made.append([record(k, time=day + timedelta(hours=1)) for k, day in enumerate(days)])
    made.close()
    _look(folder, days[-1] + timedelta(days=1, hours=2), lambda _: None)
    state = load_state(site(folder, FIRST).folder)
    looked = {str(one["window"])[:10]: int(one["rows"]) for one in state.history}
    for day in days:
        if looked.get(day.date().isoformat()) != 1:
            yield f"{day.date()} was served after the clock had jumped, and is never looked at"
    there = Counter(one.time.date().isoformat() for one in read_records(folder / "log"))
    for window, rows in looked.items():
        if rows > there[window]:
            yield f"{window} counts {rows} rows, the log has {there[window]}"
