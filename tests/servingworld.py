"""A small world to serve from: shops with features online, an on-demand view, and a bundle of each task; no Git, no Feast."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from furrow.features.digest import seal
from furrow.features.materialize import materialize
from furrow.features.schema import (
    Column,
    Input,
    Manifest,
    OnDemandView,
    OnlineStore,
    Projection,
    Service,
    View,
)
from furrow.files import write_json
from furrow.models.bundle import save
from furrow.training.config import Calibration, Encoding, Experiment, Features
from furrow.training.fit import fit
from furrow.training.problem import Problem, Split

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["NOW", "ROW", "TASKS", "ServingWorld", "build", "build_features"]

NOW = datetime.now(UTC).replace(microsecond=0)
TASKS = ("binary", "multiclass", "regression", "forecast")
ROW: dict[str, Any] = {"shop": "north", "amount": 12.5, "weekday": 3}
"""A row that every bundle but the forecast's takes."""
CODE = """
def share(inputs):
    rows = zip(inputs["amount"], inputs["spent_mean"])
    return {"share": [None if a is None or not m else a / m for a, m in rows]}
"""
FEATURES = ["visits", "spent_mean", "share"]
MODELS = {
    "binary": ("sklearn.ensemble.HistGradientBoostingClassifier", "sigmoid"),
    "multiclass": ("sklearn.ensemble.HistGradientBoostingClassifier", "isotonic"),
    "regression": ("sklearn.ensemble.HistGradientBoostingRegressor", "conformal"),
    "forecast": ("sklearn.ensemble.HistGradientBoostingRegressor", "conformal"),
}


@dataclass(frozen=True)
class ServingWorld:
    """Where the world lies.

    Attributes:
        root: The project's folder: features/, build/online, build/models/TASK.
        frame: What the models were trained on.
    """

    root: Path
    frame: pd.DataFrame

    @property
    def features(self) -> Path:
        """The features folder."""
        return self.root / "features"

    def bundle(self, task: str) -> Path:
        """The bundle of a task."""
        return self.root / "build/models" / task


def build(root: Path) -> ServingWorld:
    """Make it: north and south are known and fresh, west is known and has expired."""
    manifest = build_features(root)
    frame = drawn()
    for task in TASKS:
        _train(root, task, frame, manifest.services["full"].digest)
    return ServingWorld(root, frame)


def build_features(root: Path) -> Manifest:
    """The features alone: declared, their table, and the online store."""
    manifest = declared()
    write_json(root / "features/manifest.json", manifest.to_json())
    times = [NOW - timedelta(hours=1), NOW - timedelta(hours=2), NOW - timedelta(days=9)]
    table = pa.table({
        "shop": ["north", "south", "west"], "visits": [10, 25, 40], "spent_mean": [5.0, None, 30.0],
        "event_timestamp": pa.array(times, pa.timestamp("us", "UTC")),
    })  # fmt: skip
    (root / "build/tables").mkdir(parents=True)
    pq.write_table(table, root / "build/tables/day.parquet")
    materialize(root / "features", end=NOW)
    return manifest


def declared() -> Manifest:
    """The manifest: a view of shops, what an amount is of the shop's mean, and one service of both."""
    day = View(
        "day", "", None, "../build/tables/day.parquet", (Column("shop", "String"),),
        (Column("visits", "Int64"), Column("spent_mean", "Float64")), "event_timestamp", None, 3 * 86_400,
    )  # fmt: skip
    inputs = (Input("day", "spent_mean", "Float64"), Input("request", "amount", "Float64"))
    share = OnDemandView("share", "", inputs, (Column("share", "Float64"),), CODE, "share")
    full = Service(
        "full", "",
        (Projection("day", "day", ("visits", "spent_mean")), Projection("share", "share", ("share",))),
        tags={"request_may_give": "visits"},
    )  # fmt: skip
    store = OnlineStore("lmdb", {"path": "../build/online"})
    return seal(
        Manifest(
            "shops",
            "",
            store,
            views={"day": day},
            on_demand={"share": share},
            services={"full": full},
        )
    )


def drawn(rows: int = 600) -> pd.DataFrame:
    """Training rows."""
    draw = np.random.default_rng(3)
    at = pd.Timestamp("2020-01-01", tz="UTC") + pd.to_timedelta(np.arange(rows) * 6, "h")
    mean, visits = draw.gamma(3.0, 5.0, rows), draw.integers(0, 50, rows)
    amount = draw.gamma(2.0, 6.0, rows)
    frame = pd.DataFrame({
        "shop": draw.choice(["north", "south", "west"], rows), "weekday": np.arange(rows) % 7,
        "horizon": 1 + np.arange(rows) % 2, "visits": visits, "event_timestamp": at,
        "spent_mean": np.where(draw.random(rows) < 0.1, np.nan, mean), "share": amount / mean,
    })  # fmt: skip
    base = visits + 4 * frame["share"] + draw.normal(size=rows)
    frame["binary"] = (base > base.median()).astype("int8")
    frame["multiclass"] = pd.cut(base, 3, labels=["few", "some", "many"]).astype(str)
    frame["regression"] = frame["forecast"] = base
    return frame


def _train(root: Path, task: str, frame: pd.DataFrame, digest: str) -> None:
    target, calibration = MODELS[task]
    keys = ["shop", "horizon"] if task == "forecast" else ["shop", "weekday"]
    problem = Problem(
        name=task, task=task, entity=["shop"], spine="features/spines/s.sql", label=task,
        known_after="1h", split=Split(by="month", test=1),
    )  # fmt: skip
    experiment = Experiment(
        name=task, seed=5, problem=problem, features=Features("full", keys, digest), encoding=Encoding(),
        model={"_target_": target, "max_iter": 8, "max_leaf_nodes": 5, "early_stopping": False},
        calibration=Calibration(calibration, 0.3),
    )  # fmt: skip
    rows = frame.assign(label_timestamp=frame["event_timestamp"] + pd.Timedelta("1h"))
    classes = tuple(sorted(frame[task].unique())) if task == "multiclass" else ()
    fitted = fit(experiment, rows, FEATURES, classes)
    save(root / "build/models" / task, experiment, fitted, rows, extra={"importance": []})
