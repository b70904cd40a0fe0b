"""A small real repository with everything that apply makes: data, stages, Feast's registry, an online store, a champion.

Its stages are shell scripts that call the program named by $PAUSE, if there is one, before, during
and after.
"""

import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from .small import commit, run

PIPELINE = """vars:
  - conf/experiments.yaml:experiments
stages:
  tables_delays:
    cmd: sh stages.sh tables
    deps: [data/delays.parquet, features/tables/delays.sql]
    outs: [build/tables/delays.parquet]
  training_set_full:
    cmd: sh stages.sh training
    deps: [build/tables/delays.parquet]
    outs: [build/training/full.parquet]
  train:
    foreach: ${experiments}
    do:
      cmd: sh stages.sh train ${key}
      deps: [build/training/full.parquet]
      params:
        - conf/experiment/${key}.yaml: [model]
      outs:
        - build/models/${key}
  evaluate:
    foreach: ${experiments}
    do:
      cmd: sh stages.sh evaluate ${key}
      deps: ["build/models/${key}"]
      outs:
        - build/evaluations/${key}.json
        - runs/${key}/record.json: {cache: false}
      metrics:
        - runs/${key}/metrics.json: {cache: false}
  select:
    cmd: sh stages.sh select
    deps: [build/evaluations, conf/gate.yaml]
    outs:
      - runs/champion.json: {cache: false}
artifacts:
  gbm: {path: build/models/gbm, type: model}
"""
STAGES = """set -e
pause() { test -z "$PAUSE" || "$PAUSE" "$DVC_STAGE: $1"; }
tables() {
  mkdir -p build/tables
  head -c 90 data/delays.parquet > build/tables/delays.parquet
  pause during
  cp data/delays.parquet build/tables/delays.parquet
}
training() {
  mkdir -p build/training
  echo half > build/training/full.parquet
  pause during
  cp build/tables/delays.parquet build/training/full.parquet
}
train() {
  mkdir -p build/models/$1
  cp conf/experiment/$1.yaml build/models/$1/bundle.json
  pause during
  cat conf/experiment/$1.yaml build/training/full.parquet > build/models/$1/model.joblib
}
evaluate() {
  mkdir -p runs/$1 build/evaluations
  sum=$(sha256sum < build/models/$1/model.joblib | cut -c-64)
  digest=$(python -c "import json; print(json.load(open('features/manifest.json'))['services']['full']['digest'])")
  echo "{\\"model_sha256\\": \\"$sum\\", \\"features_digest\\": \\"$digest\\", \\"service\\": \\"full\\"}" > runs/$1/record.json
  pause during
  echo '{"roc_auc": 0.75}' > runs/$1/metrics.json
  echo "{\\"sum\\": \\"$sum\\"}" > build/evaluations/$1.json
}
select() {
  cat build/evaluations/*.json > /dev/null
  pause during
  cat conf/gate.yaml > runs/champion.json
}
pause before
"$@"
pause after
"""
PASSED = '{"experiment": "gbm", "verdicts": {"gbm": {"passed": true, "failures": []}}}\n'
FAILED = (
    '{"experiment": null, "verdicts": {"gbm": {"passed": false, "failures": '
    '[{"rule": "minimum roc_auc", "value": 0.75, "limit": 0.9, "short_by": 0.15}]}}}\n'
)
"""What the gate says: the select stage copies it."""
LMDB = "type: furrow.ground.feast.online.FurrowOnlineStore\n  path: ../build/online\n"
REDIS = "type: furrow.ground.feast.online_redis.FurrowRedisOnlineStore\n  url: URL\n"
FILES = {
    "dvc.yaml": PIPELINE,
    "stages.sh": STAGES,
    "conf/experiments.yaml": "experiments:\n  gbm: {}\n  base: {}\n",
    "conf/experiment/gbm.yaml": "model: {learning_rate: 0.1}\n",
    "conf/experiment/base.yaml": "model: {kind: prior}\n",
    "conf/gate.yaml": PASSED,
    "features/feature_store.yaml": "project: whole\nprovider: local\nregistry: ../build/registry.db\n"
    "entity_key_serialization_version: 3\n"
    "offline_store:\n  type: furrow.ground.feast.offline.FurrowOfflineStore\n"
    f"online_store:\n  {LMDB}",
    "features/definitions.py": """from datetime import timedelta

from feast import Entity, FeatureService, FeatureView, Field, FileSource, ValueType
from feast.types import Float64, String

origin = Entity(name="origin", join_keys=["origin"], value_type=ValueType.STRING)
source = FileSource(name="delays", path="../build/tables/delays.parquet", timestamp_field="event_timestamp")
delays = FeatureView(
    name="delays",
    entities=[origin],
    ttl=timedelta(days=9),
    schema=[Field(name="origin", dtype=String), Field(name="delay", dtype=Float64)],
    source=source,
    owner="ops@example.com",
    description="The last delay at an airport",
)
full = FeatureService(name="full", features=[delays], owner="ops@example.com", description="Everything")
""",
    "features/tables/delays.sql": "SELECT origin, departure AS event_timestamp, delay FROM flights\n",
    ".gitignore": "/build/\n/data/\n/.furrow/\n__pycache__\n",
    "runs/.gitkeep": "",
}
COMPILE = (
    "import pathlib; from furrow.features.build import compile_manifest; from furrow.files import write_json; "
    "folder = pathlib.Path('features'); write_json(folder / 'manifest.json', compile_manifest(folder).to_json())"
)


def land(folder: Path, *delays: float) -> None:
    """Write raw data: one delay a day at JFK."""
    (folder / "data").mkdir(exist_ok=True)
    table = pa.table(
        {
            "origin": ["JFK"] * len(delays),
            "event_timestamp": pa.array(
                [datetime(2013, 1, 1 + day, tzinfo=UTC) for day in range(len(delays))],
                pa.timestamp("us", "UTC"),
            ),
            "delay": list(delays),
        }
    )
    pq.write_table(table, folder / "data/new.parquet")
    shutil.move(folder / "data/new.parquet", folder / "data/delays.parquet")


def rate(folder: Path, value: float) -> None:
    """Give an experiment another hyper-parameter."""
    (folder / "conf/experiment/gbm.yaml").write_text(f"model: {{learning_rate: {value}}}\n")


def redis_at(folder: Path, url: str) -> None:
    """Declare Redis as the online store."""
    path = folder / "features/feature_store.yaml"
    path.write_text(path.read_text().replace(LMDB, REDIS.replace("URL", url)))
    compiled(folder)


def compiled(folder: Path) -> None:
    """Write features/manifest.json from the definitions."""
    run(folder, sys.executable, "-c", COMPILE)


def plant(folder: Path) -> Path:
    """The repository, applied and committed on main; no version is registered yet."""
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    run(folder, "git", "init", "-q", "-b", "main")
    run(folder, "dvc", "init", "-q")
    run(folder, "dvc", "config", "core.autostage", "false")
    run(folder, "dvc", "config", "core.analytics", "false")
    land(folder, 1.0, 2.0)
    compiled(folder)
    run(folder, "dvc", "add", "-q", "data")
    run(folder, "furrow", "apply")
    commit(folder, "apply")
    return folder
