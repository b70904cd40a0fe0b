"""Within a simulated day the online store has at each moment what the tables say of it, no more and no less."""

from __future__ import annotations

import shutil
from datetime import timedelta

import pyarrow as pa
import pyarrow.parquet as pq

from furrow.features.client import FeatureClient
from furrow.features.materialize import materialize
from furrow.rehearsal.rehearsed_features import features_of_day
from tests.servingworld import NOW, build_features

BEGIN = NOW - timedelta(hours=12)
HOUR = timedelta(hours=1)
ROWS = [  # shop, hours after the beginning, visits; not in order, and one twice at the same moment
    ("north", 5, 50), ("north", -3, 1), ("south", -30, 7), ("north", 2, 20), ("west", 2, 9),
    (None, 3, 99), ("south", 8, 80), ("north", 5, 51), ("south", 30, 300),
]  # fmt: skip


def _visits(folder):
    with FeatureClient.open(folder) as client:
        rows = [{"shop": name, "amount": 1.0} for name in ("north", "south", "west")]
        return client.get("full", rows).to_dict()["visits"]


def test_each_moment_has_what_was_known_then(tmp_path):
    """Rows come in as they are due, ties as the tables have them; the next day begins as if nothing had been written."""
    build_features(tmp_path)
    table = pa.table({
        "shop": pa.array([name for name, _, _ in ROWS], pa.string()), "visits": [n for _, _, n in ROWS],
        "spent_mean": [1.0] * len(ROWS),
        "event_timestamp": pa.array([BEGIN + hours * HOUR for _, hours, _ in ROWS], pa.timestamp("us", "UTC")),
    })  # fmt: skip
    pq.write_table(table, tmp_path / "build/tables/day.parquet")
    shutil.rmtree(tmp_path / "build/online")
    folder = tmp_path / "features"
    end = BEGIN + 24 * HOUR
    with features_of_day(folder, BEGIN, end) as coming:
        known = {}
        for hours in (0, 1, 2, 4, 5, 7, 9):
            coming.bring(BEGIN + hours * HOUR)
            known[hours] = _visits(folder)
        assert coming.bring(BEGIN + 9 * HOUR) == 0
    assert known == {
        0: [1, 7, None], 1: [1, 7, None], 2: [20, 7, 9], 4: [20, 7, 9],
        5: [51, 7, 9], 7: [51, 7, 9], 9: [51, 80, 9],
    }  # fmt: skip
    materialize(folder, end=end)
    assert _visits(folder) == [51, 80, 9]
    with features_of_day(folder, end, end + 24 * HOUR) as coming:
        assert coming.bring(end + 12 * HOUR) == 1
        assert _visits(folder) == [51, 300, 9]
