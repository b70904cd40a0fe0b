"""A small project of made-up visits to shops, brought from raw data to champions in this process: three kinds of models.

`python -m tests.shopproject FOLDER [THREADS]` grows one, so that another environment can be another
machine.
"""

import hashlib
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from furrow.plan.compile import compile_repository, write
from furrow.stages.evaluate import judge
from furrow.stages.select import select
from furrow.stages.tables import tables
from furrow.stages.train import train
from furrow.stages.training_set import build
from furrow.stages.validate import validate

__all__ = ["EXPERIMENTS", "declare", "grow", "hashes", "land"]

EXPERIMENTS = {
    "boosted": ("again", "gbm", "isotonic"),
    "forest": ("again", "forest", "none"),
    "line": ("again", "logistic", "sigmoid"),
    "amount": ("spent", "gbm_regressor", "conformal"),
}
"""Experiments: the problem, the model and the calibration of each."""
CONTRACT = """format: 1
clock: {timezone: UTC}
tables:
  visits:
    files: visits.parquet
    columns:
      shop: {type: string}
      customer: {type: int64, min: 0}
      moment: {type: timestamp}
      spent: {type: float64}
      again: {type: bool}
"""
TABLE = """select shop, date_trunc('day', moment) + interval 1 day as event_timestamp,
    count(*) as visits, avg(spent) as spent_mean, stddev_pop(spent) as spent_spread,
    round(cos(2 * pi() * extract(dow from any_value(moment)) / 4), 12) as weekday_cos
from visits group by all order by shop, event_timestamp
"""
SPINE = """select shop, customer, moment as event_timestamp, moment + interval 1 day as label_timestamp, {label}
from visits order by event_timestamp, shop, customer
"""
PROBLEM = """task: {task}
entity: [shop, customer]
spine: features/spines/{name}.sql
label: {name}
known_after: 24h
split: {{by: month, test: 2}}
slices: [shop, month]
"""
FEAST = """project: shops
provider: local
registry: ../build/registry.db
entity_key_serialization_version: 3
offline_store: {type: furrow.ground.feast.offline.FurrowOfflineStore}
online_store: {type: furrow.ground.feast.online.FurrowOnlineStore, path: ../build/online}
"""
DEFINITIONS = """from datetime import timedelta

from feast import Entity, FeatureService, FeatureView, Field, FileSource, ValueType
from feast.types import Float64, Int64, String

shop = Entity(name="shop", join_keys=["shop"], value_type=ValueType.STRING, description="A shop", owner="a@b.c")
source = FileSource(name="day_table", path="../build/tables/day.parquet", timestamp_field="event_timestamp")
day = FeatureView(
    name="day", entities=[shop], ttl=timedelta(days=3), source=source, owner="a@b.c", description="The day before",
    schema=[Field(name="shop", dtype=String), Field(name="visits", dtype=Int64), Field(name="spent_mean", dtype=Float64),
            Field(name="spent_spread", dtype=Float64), Field(name="weekday_cos", dtype=Float64)],
)
full = FeatureService(name="full", features=[day], owner="a@b.c", description="All there is")
"""
MODEL = "  min_samples_leaf: 20\n"


def land(folder: Path, rows: int = 1500) -> None:
    """Write the raw data: half a year of visits, amounts with zeros of both signs among them."""
    draw = np.random.default_rng(12)
    at = pd.Timestamp("2020-01-01", tz="UTC") + pd.to_timedelta(
        np.sort(draw.integers(0, 180 * 1440, rows)), "min"
    )
    spent = np.round(draw.gamma(2.0, 10.0, rows), 2) * np.where(draw.random(rows) < 0.1, -0.0, 1.0)
    again = draw.random(rows) < 1 / (1 + np.exp(2 - spent / 15))
    table = pa.table({
        "shop": draw.choice(["north", "south", "west"], rows), "customer": draw.integers(0, 400, rows),
        "moment": pa.array(at, pa.timestamp("us", "UTC")), "spent": spent, "again": again,
    })  # fmt: skip
    (folder / "data").mkdir(parents=True, exist_ok=True)
    pq.write_table(table, folder / "data/visits.parquet")


def declare(folder: Path, *, threads: int = 2) -> None:
    """Write conf/ and features/; the groups of the example's conf/ that are no example's are taken as they are."""
    ours = Path(__file__).parents[1] / "conf"
    texts = {
        "conf/data/contract.yaml": CONTRACT,
        "conf/config.yaml": (ours / "config.yaml").read_text().replace("[origin, carrier, dest]", "[shop]")
        .replace("replicates: 200", "replicates: 20"),
        "conf/experiments.yaml": "experiments:\n"
        + "".join(f"  {name}: {{problem: {one[0]}, service: full}}\n" for name, one in EXPERIMENTS.items()),
        "conf/problem/again.yaml": PROBLEM.format(task="binary", name="again"),
        "conf/problem/spent.yaml": PROBLEM.format(task="regression", name="spent"),
        "features/spines/again.sql": SPINE.format(label="cast(again as int) as again"),
        "features/spines/spent.sql": SPINE.format(label="spent"),
        "features/tables/day.sql": TABLE,
        "features/feature_store.yaml": FEAST,
        "features/definitions.py": DEFINITIONS,
        "dvc.yaml": "stages: {}\n",
        "requirements.lock": "",
    }  # fmt: skip
    for group in ("calibration", "engine", "model", "search"):
        texts |= {
            f"conf/{group}/{path.name}": path.read_text() for path in (ours / group).glob("*.yaml")
        }
    texts["conf/engine/local.yaml"] = texts["conf/engine/local.yaml"].replace(
        "threads: 2", f"threads: {threads}"
    )
    for name, (_, model, calibration) in EXPERIMENTS.items():
        texts[f"conf/experiment/{name}.yaml"] = (
            f"# @package _global_\ndefaults:\n  - override /model: {model}\n  - override /calibration: {calibration}\n\n"
            f"name: {name}\nfeatures: {{service: full}}\n"
        )
    for name in ("gbm", "gbm_regressor"):
        path = f"conf/model/{name}.yaml"
        texts[path] = (
            texts[path].replace("max_iter: 80", "max_iter: 12").replace("leaf: 200", "leaf: 20")
        )
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def grow(folder: Path, *, threads: int = 2) -> Path:
    """Land, declare, compile and run every stage."""
    land(folder)
    declare(folder, threads=threads)
    write(folder, compile_repository(folder, check=False))
    if validate(folder):
        raise SystemExit("the data break their contract")
    tables(folder, "day")
    for problem in ("again", "spent"):
        build(folder, problem, "full")
    for name in EXPERIMENTS:
        train(folder, name)
        judge(folder, name)
    select(folder)
    return folder


def hashes(folder: Path) -> dict[str, str]:
    """What the stages wrote, by path; not what says how many threads were asked for, nor how long it took."""
    found = sorted(
        path for top in ("build", "runs") for path in (folder / top).rglob("*") if path.is_file()
    )
    names = {path.relative_to(folder).as_posix(): path for path in found}
    return {
        name: hashlib.sha256(path.read_bytes()).hexdigest()
        for name, path in names.items()
        if not name.endswith("config.yaml") and "registry" not in name and "live" not in name
    }


if __name__ == "__main__":
    grow(Path(sys.argv[1]), threads=int(sys.argv[2]) if len(sys.argv) > 2 else 2)
