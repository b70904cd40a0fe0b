"""A small project whose world changes: what depots get back, before and after a shop sells dearer things.

Until the shift dear things come back; what is dearer than all before it, as it is sold from then on,
comes back seldom: the amounts move, and what they mean. Labels are known 36 hours later.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from dvc.repo import Repo

from furrow.models.register import register
from furrow.stages.tables import tables
from tests.gitops.ciproject import commit, run

__all__ = ["BEGIN", "LEARNED", "SHIFT", "grow", "sold"]

BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
LEARNED, SHIFT, DAYS, ROWS = 40, 52, 76, 240
"""Days that the first version is trained on, the day of the shift, all days, and sales of a day."""
CONTRACT = """format: 1
clock: {timezone: UTC}
tables:
  sales:
    files: sales.parquet
    columns:
      depot: {type: string}
      moment: {type: timestamp}
      amount: {type: float64, min: 0}
      returned: {type: int64, allowed: [0, 1]}
      known: {type: timestamp}
"""
PROBLEM = """# Will what is sold come back? Said when it is sold, known 36 hours later.
task: binary
entity: [depot]
spine: features/spines/returned.sql
label: returned
known_after: 40h
split: {by: day, test: 2}
block: hour
positive: 1
"""
SPINE = """select depot, amount, moment as event_timestamp, known as label_timestamp, returned
from sales order by event_timestamp, depot
"""
TABLE = """-- What is known of a depot when a day is over.
select depot, date_trunc('day', moment) + interval 1 day as event_timestamp,
    count(*) as sold, avg(amount) as amount_mean
from sales group by all order by depot, event_timestamp
"""
DEFINITIONS = '''"""What each depot sold of late, as features."""

from datetime import timedelta

from feast import Entity, FeatureService, FeatureView, Field, FileSource, RequestSource, ValueType
from feast.on_demand_feature_view import on_demand_feature_view
from feast.types import Float64, Int64, String

depot = Entity(name="depot", join_keys=["depot"], value_type=ValueType.STRING, description="A depot", owner="a@b.c")
source = FileSource(name="depot_days_table", path="../build/tables/depot_days.parquet", timestamp_field="event_timestamp")
depot_days = FeatureView(
    name="depot_days", entities=[depot], ttl=timedelta(days=9), source=source, owner="a@b.c", description="The day before",
    schema=[Field(name="depot", dtype=String), Field(name="sold", dtype=Int64), Field(name="amount_mean", dtype=Float64)],
)
request = RequestSource(name="sale", schema=[Field(name="amount", dtype=Float64)], description="What is sold.")


def priced(inputs):
    return {"price": [None if one is None else float(one) for one in inputs["amount"]]}


price = on_demand_feature_view(
    sources=[request], schema=[Field(name="price", dtype=Float64)], mode="python", owner="a@b.c", description="Its price",
)(priced)
service = FeatureService(name="sales", features=[depot_days, price], owner="a@b.c", description="All there is")
'''
FEAST = """project: depots
provider: local
registry: ../build/registry.db
entity_key_serialization_version: 3
offline_store: {type: furrow.ground.feast.offline.FurrowOfflineStore}
online_store: {type: furrow.ground.feast.online.FurrowOnlineStore, path: ../build/online}
"""
CONFIG = """defaults:
  - _self_
  - model: boosted
  - problem: ???
  - experiment: ???
name: ???
description: ""
seed: 7
features:
  service: ???
evaluation: {replicates: 100}
engine: {threads: 1}
"""
BOOSTED = """# @package _global_
model:
  _target_: sklearn.ensemble.HistGradientBoostingClassifier
  max_iter: 40
  max_leaf_nodes: 7
  min_samples_leaf: 20
  early_stopping: false
"""
MONITOR = """reference: first
first: 5
season: none
settle: 1h
retraining: {drift: false, decay: true, cooling: 2d, land: "python land.py"}
"""
DEPLOYMENT = """approve: gate
trial:
  approver: Release Desk <release@example.com>
  canary: {share: 0.5, by: [depot], least: 100, margin: 0.05, abort: {label: true}}
"""
LAND = """# Brings the sales whose label is known by now: at $FURROW_AT, where that is said.
import os
from datetime import datetime
import pyarrow.compute as pc
import pyarrow.parquet as pq
rows = pq.read_table(os.environ["SALES"])
known = pc.less_equal(rows["known"], datetime.fromisoformat(os.environ["FURROW_AT"]))
pq.write_table(rows.filter(known), "data/sales.parquet")
"""


def sold() -> pa.Table:
    """Every sale, in order."""
    draw = np.random.default_rng(7)
    count = DAYS * ROWS
    place = np.arange(count)
    moment = pd.Timestamp(BEGIN) + pd.to_timedelta(place * (86_400 // ROWS), "s")
    shifted = place >= SHIFT * ROWS
    amount = np.round(draw.gamma(4.0, 5.0, count) * np.where(shifted, 6.0, 1.0), 2)
    usual, dear = 1 / (1 + np.exp((20 - amount) / 4)), 1 / (1 + np.exp((amount - 110) / 20))
    chance = np.where(shifted, dear, usual)
    stamp = pa.timestamp("us", "UTC")
    return pa.table({
        "depot": draw.choice([f"d{n:02}" for n in range(30)], count), "moment": pa.array(moment, stamp),
        "amount": amount, "returned": (draw.random(count) < chance).astype("int64"),
        "known": pa.array(moment + pd.Timedelta("36h"), stamp),
    })  # fmt: skip


def grow(place: Path) -> Path:
    """The project in Git, with a version in production; its work tree has the data of all days, its branch those of the first."""
    root = place / "project"
    root.mkdir(parents=True)
    sales = sold()
    pq.write_table(sales, place / "sales.parquet")
    _write(root)
    run(root, "git", "init", "-q", "-b", "main")
    for key, value in (("user.name", "Ada Test"), ("user.email", "ada@example.com")):
        run(root, "git", "config", key, value)
    Repo.init(str(root)).close()
    run(root, "dvc", "remote", "add", "-q", "-d", "store", str(place / "store"))
    begun = {
        "SALES": str(place / "sales.parquet"),
        "FURROW_AT": (BEGIN + timedelta(days=LEARNED)).isoformat(),
    }
    run(root, sys.executable, "land.py", **begun)
    run(root, "dvc", "add", "-q", "data")
    run(root, sys.executable, "-m", "furrow", "compile", "--write")
    run(root, "dvc", "repro", "-q")
    run(root, "dvc", "push", "-q")
    commit(root, "A first model")
    version = register(root)
    (root / "conf/deployment").mkdir()
    (root / "conf/deployment/production.yaml").write_text(f"model: {version}\n{DEPLOYMENT}")
    commit(root, "Deploy it")
    (root / "data/sales.parquet").unlink()
    pq.write_table(sales, root / "data/sales.parquet")
    (root / "build/tables/depot_days.parquet").unlink()
    tables(root, "depot_days")
    return root


def _write(root: Path) -> None:
    stages = (Path(__file__).parents[1] / "projects/retail/dvc.yaml").read_text()
    for old, new in (("country_days", "depot_days"), ("units_sales", "returned_sales"), ("units", "returned"),
                     ("data/days", "data")):  # fmt: skip
        stages = stages.replace(old, new)
    texts = {
        "dvc.yaml": stages,
        "land.py": LAND,
        ".gitignore": "/build/\n/.furrow/\n__pycache__/\n",
        "conf/config.yaml": CONFIG,
        "conf/ci.yaml": "branch: main\nreplay: none\n",
        "conf/data/contract.yaml": CONTRACT,
        "conf/experiments.yaml": "experiments:\n  boosted: {service: sales}\n",
        "conf/experiment/boosted.yaml": "# @package _global_\nname: boosted\n"
        "features: {service: sales, keys: [depot]}\ncalibration: {method: none}\n",
        "conf/gate/returned.yaml": "minimum: {roc_auc: 0.7}\nselect: {metric: log_loss}\n",
        "conf/model/boosted.yaml": BOOSTED,
        "conf/monitor/production.yaml": MONITOR,
        "conf/problem/returned.yaml": PROBLEM,
        "features/definitions.py": DEFINITIONS,
        "features/feature_store.yaml": FEAST,
        "features/spines/returned.sql": SPINE,
        "features/tables/depot_days.sql": TABLE,
    }  # fmt: skip
    (root / "data").mkdir()
    for name, text in texts.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
