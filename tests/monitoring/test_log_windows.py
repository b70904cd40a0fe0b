"""Windows of a log: on declared clocks, whatever the records hold; and estimates of numbers from what was judged."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from furrow.monitoring.label_verdict import judge_labels
from furrow.monitoring.log_windows import SCORE, first_rows, flat, window_starts
from furrow.monitoring.monitor_settings import MonitorSettings
from furrow.monitoring.monitor_site import Site
from furrow.serving.log_seal import seal
from furrow.serving.log_settings import LogSettings
from furrow.serving.log_tables import to_batch
from furrow.serving.prediction_log import PredictionLog
from furrow.serving.prediction_record import PredictionRecord, new_id
from furrow.training import config
from furrow.training.config import Experiment, Features
from furrow.training.problem import Problem, Split

_NOW = datetime(2024, 3, 10, tzinfo=UTC)


def _record(number: int, prediction: dict[str, float], **more: object) -> PredictionRecord:
    time = _NOW - timedelta(hours=number)
    facts = {
        "id": new_id(time), "time": time, "model": "m", "version": "m@v1.0.0", "commit": "", "model_sha256": "", "service": "s",
        "features_digest": "", "keys": {"who": number}, "request": {}, "features": {"x": 1.0}, "statuses": {}, "event_times": {},
        "prediction": prediction,
    }  # fmt: skip
    return PredictionRecord(**(facts | more))


def test_days_are_those_of_the_declared_clocks() -> None:
    """The day that has 23 hours begins at its own midnight and ends at the next one's; hours are UTC's."""
    times = pd.Series(
        pd.to_datetime(["2024-03-31T22:30Z", "2024-03-30T23:00Z", "2024-03-31T21:59Z"], utc=True)
    )
    days = [one.isoformat() for one in window_starts(times, "day", "Europe/Vienna")]
    assert days == [
        "2024-03-31T22:00:00+00:00",
        "2024-03-30T23:00:00+00:00",
        "2024-03-30T23:00:00+00:00",
    ]
    assert (
        window_starts(times, "hour", "Europe/Vienna").iloc[0].isoformat()
        == "2024-03-31T22:00:00+00:00"
    )


@pytest.mark.parametrize(
    ("said", "score"),
    [
        ({"probability": 0.25}, 0.25),
        ({"prediction": 7.5, "low": 1.0, "high": 9.0}, 7.5),
        ({"probability_a": 0.2, "probability_b": 0.5, "probability_c": 0.3}, 0.5),
        ({"odd": 1.0}, None),
    ],
)
def test_each_task_has_a_score_to_watch(said: dict[str, float], score: float | None) -> None:
    """The probability, the number, the most probable class's; a feature's own name comes before a key's."""
    table = flat(to_batch([_record(1, said, keys={"who": 3, "x": 9.0})]))
    assert (table.column(SCORE).to_pylist() if score is not None else []) == (
        [score] if score is not None else []
    )
    assert (SCORE in table.column_names) == (score is not None)
    assert table.column("x").to_pylist() == [1.0]
    assert table.column("who").to_pylist() == [3]


def test_errors_of_numbers_are_estimated_from_what_was_judged(tmp_path) -> None:
    """Before any label: the errors of predictions like these, on the rows that the run was judged by."""
    problem = Problem(
        name="p",
        task="regression",
        entity=["who"],
        spine="s.sql",
        label="y",
        known_after="1d",
        split=Split(by="day"),
    )
    experiment = Experiment(
        name="m",
        problem=problem,
        features=Features(service="s"),
        model={"_target_": "sklearn.linear_model.Ridge"},
    )
    (tmp_path / "runs/m").mkdir(parents=True)
    (tmp_path / "runs/m/config.yaml").write_text(config.dump(experiment))
    said = np.linspace(1, 10, 400)
    (tmp_path / "build/predictions").mkdir(parents=True)
    judged = pa.table(
        {"prediction": said, "label": said + np.where(np.arange(400) % 2, 1, -1) * said / 10}
    )
    pq.write_table(judged, tmp_path / "build/predictions/m.parquet")
    log = PredictionLog.open(tmp_path / "log")
    log.append([_record(number, {"prediction": 8.0 + number % 3}) for number in range(60)])
    log.close()
    site = Site(
        tmp_path,
        tmp_path / "log",
        tmp_path / "monitor",
        MonitorSettings(),
        _NOW + timedelta(hours=1),
    )
    found, notes = judge_labels(site)
    assert notes == []
    one = found["m@v1.0.0"]
    assert one.estimate.metrics["mae"] == pytest.approx(0.9, abs=0.05)
    assert set(one.states) == {"pending", "missing"}
    assert one.tracked == []


def test_first_rows_whose_types_are_at_odds(tmp_path) -> None:
    """A column that was null for a while, then a number, then text: what most rows hold is what bins are laid by."""
    cities: list[list[object]] = [[None, None], [7.0], ["north", "south", "west"]]
    for day, some in enumerate(cities):  # each in a file of its own, of its own type
        log = PredictionLog.open(tmp_path / "log")
        log.append(
            [
                _record(24 * day + n, {"probability": 0.5}, features={"city": city, "x": 1.0})
                for n, city in enumerate(some)
            ]
        )
        log.close()
        seal(tmp_path / "log", LogSettings(), wait=True)
    found = first_rows(tmp_path / "log", "m@v1.0.0", _NOW + timedelta(days=1))
    texts = sorted(one for one in found.column("city").to_pylist() if one)
    assert texts == ["north", "south", "west"]
    assert found.column("x").to_pylist() == [1.0] * 6
