"""A tiny project whose declarations are compiled for real: conf/ through Hydra, features/ through Feast."""

import shutil
from pathlib import Path

from .ciproject import commit, run

ROOT = Path(__file__).parents[2]
DEFINITIONS = """from datetime import timedelta

from feast import Entity, FeatureService, FeatureView, Field, FileSource, ValueType
from feast.types import Float64

ABOUT = {"description": "Made up.", "owner": "ada@example.com", "tags": {"domain": "tests"}}
origin = Entity(name="origin", join_keys=["origin"], value_type=ValueType.STRING, **ABOUT)
table = FileSource(
    name="delays_table", path="../build/tables/delays.parquet", timestamp_field="event_timestamp", **ABOUT
)
schema = [Field(name="a", dtype=Float64, description="Made up.")]
delays = FeatureView(name="delays", entities=[origin], ttl=timedelta(days=1), schema=schema, source=table, **ABOUT)
full = FeatureService(name="full", features=[delays], **ABOUT)
"""
SQL = "select origin, departure as event_timestamp, cast(departure_delay as double) as a from flights order by 1, 2\n"
DVC_YAML = """vars:
  - conf/experiments.yaml:experiments
stages:
  compile:
    cmd: python -m furrow compile
    deps: [conf, features/definitions.py, features/feature_store.yaml, features/spines, features/tables, pipelines]
    outs:
      - runs/.compiled: {cache: false, persist: true}
  validate:
    cmd: python -m pipelines.validate
    deps: [data, runs/.compiled]
    outs:
      - runs/.validated: {cache: false, persist: true}
  tables_delays:
    cmd: python -m pipelines.tables
    deps: [data/flights, features/tables/delays.sql, runs/.validated]
    outs: [build/tables/delays.parquet]
  training_set_late_full:
    cmd: python -m pipelines.training_set
    deps: [build/tables/delays.parquet, data/flights, features/spines/late.sql, runs/.compiled]
    params:
      - features/manifest.json: [services.full.digest]
    outs: [build/training/late/full.parquet]
  train:
    foreach: ${experiments}
    do:
      cmd: python -m pipelines.train ${key}
      deps: ["build/training/${item.problem}/${item.service}.parquet", runs/.compiled]
      params:
        - runs/${key}/config.yaml: [code.digest, features, model, seed]
      outs: ["build/models/${key}"]
  evaluate:
    foreach: ${experiments}
    do:
      cmd: python -m pipelines.evaluate ${key}
      deps: ["build/models/${key}", runs/.compiled]
      params:
        - runs/${key}/config.yaml: [code, evaluation]
      metrics:
        - runs/${key}/metrics.json: {cache: false}
      outs:
        - build/evaluations/${key}.json
        - runs/${key}/record.json: {cache: false}
  select:
    cmd: python -m pipelines.select
    deps: [build/evaluations, runs/.compiled]
    params:
      - runs/pipeline.json: [gates, code.select]
    outs:
      - runs/champion.json: {cache: false}
"""
PIPELINES = {
    "__init__": "",
    "tools": """import hashlib, json, pathlib


def read(path):
    return pathlib.Path(path).read_text()


def write(path, value):
    pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
    pathlib.Path(path).write_text(value if isinstance(value, str) else json.dumps(value, sort_keys=True) + "\\n")


def sha(path):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()
""",
    "validate": "from pipelines.tools import write\n\nwrite('runs/.validated', 'fit\\n')\n",
    "tables": "from pipelines.tools import read, write\n\nwrite('build/tables/delays.parquet', read('features/tables/delays.sql'))\n",
    "training_set": "from pipelines.tools import read, write\n\n"
    "write('build/training/late/full.parquet', read('build/tables/delays.parquet') + read('data/flights/2013-01.csv'))\n",
    "train": """import re, sys

from pipelines.tools import read, write

name = sys.argv[1]
rate = re.search(r"learning_rate: (\\S+)", read(f"runs/{name}/config.yaml"))
write(f"build/models/{name}/model.joblib", f"{name} {rate[1] if rate else 'prior'}")
""",
    "evaluate": """import sys

from pipelines.tools import read, sha, write

name = sys.argv[1]
path = f"build/models/{name}/model.joblib"
rate = read(path).split()[1]
metrics = {"log_loss": 0.7 if rate == "prior" else round(0.5 - float(rate), 6)}
sums = {"model_sha256": sha(path), "service": "full", "features_digest": "f" * 64}
write(f"runs/{name}/metrics.json", metrics)
write(f"runs/{name}/record.json", {"format": 1, "experiment": name, **sums})
replicates = {"log_loss": [metrics["log_loss"] + n / 1000 for n in range(20)]}
write(f"build/evaluations/{name}.json", {"metrics": metrics, "days": ["d1"], "replicates": replicates, **sums})
""",
    "select": """import json, pathlib

from pipelines.tools import write

found = {path.stem: json.loads(path.read_text()) for path in pathlib.Path("build/evaluations").glob("*.json")}
best = min(found, key=lambda name: found[name]["metrics"]["log_loss"])
write("runs/champion.json", {
    "experiment": best, "metrics": found[best]["metrics"], "model_sha256": found[best]["model_sha256"],
    "gate": {"select": {"metric": "log_loss"}}, "verdicts": {name: {"passed": True, "failures": []} for name in found},
})
""",
}


def plant(folder: Path, store: Path) -> Path:
    """The project, compiled, trained, committed, and pushed to its DVC remote."""
    files = {
        ".gitignore": "/build/\n/data/\n__pycache__\n/.furrow/\n",
        ".dvcignore": "__pycache__\n",
        "dvc.yaml": DVC_YAML,
        "features/definitions.py": DEFINITIONS,
        "features/tables/delays.sql": SQL,
        "data/flights/2013-01.csv": "AA\nUA\n",
        **{f"pipelines/{name}.py": text for name, text in PIPELINES.items()},
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    shutil.copytree(ROOT / "conf", folder / "conf")
    shutil.copy(ROOT / "features/feature_store.yaml", folder / "features")
    shutil.copytree(ROOT / "features/spines", folder / "features/spines")
    (folder / "conf/problem/delay.yaml").unlink()
    config = folder / "conf/config.yaml"
    config.write_text(
        config.read_text().replace("keys: [origin, carrier, dest]", "keys: [origin, carrier]")
    )
    for path in (folder / "conf/experiment").glob("*.yaml"):
        if path.stem not in {"base_rate", "gbm"}:
            path.unlink()
    base_rate = folder / "conf/experiment/base_rate.yaml"
    base_rate.write_text(base_rate.read_text().replace("service: schedule", "service: full"))
    (folder / "conf/experiments.yaml").write_text(
        "experiments:\n  base_rate: {problem: late, service: full}\n  gbm: {problem: late, service: full}\n"
    )
    (folder / "conf/ci.yaml").write_text("branch: main\nreplay: none\n")
    run(folder, "git", "init", "-q", "-b", "main")
    run(folder, "dvc", "init", "-q")
    run(folder, "dvc", "remote", "add", "-q", "-d", "store", str(store))
    run(folder, "dvc", "add", "-q", "data")
    run(folder, "dvc", "repro", "-q")
    run(folder, "dvc", "push", "-q")
    commit(folder, "Compile and train")
    return folder


def set_learning_rate(folder: Path, file: str, rate: float) -> None:
    """Change gbm's learning rate in a declaration, or in what was compiled."""
    path = folder / file
    text = path.read_text()
    assert "learning_rate: 0.1\n" in text
    path.write_text(text.replace("learning_rate: 0.1\n", f"learning_rate: {rate}\n"))
