"""A small real DVC repository with the shape of Furrow's: raw data, tables, a training set, experiments, a champion."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

PIPELINE = """vars:
  - conf/experiments.yaml:experiments
stages:
  validate:
    cmd: cat data/flights/*.csv data/weather/*.csv > build/seen.txt && echo valid > runs/.validated
    deps: [data]
    outs:
      - build/seen.txt: {persist: true}
      - runs/.validated: {cache: false, persist: true}
  tables_a:
    cmd: grep -v '^--' features/tables/a.sql > build/tables/a.parquet && cat data/flights/*.csv >> build/tables/a.parquet
    deps: [data/flights, features/tables/a.sql, runs/.validated]
    outs: [build/tables/a.parquet]
  tables_b:
    cmd: grep -v '^--' features/tables/b.sql > build/tables/b.parquet && cat data/weather/*.csv >> build/tables/b.parquet
    deps: [data/weather, features/tables/b.sql, runs/.validated]
    outs: [build/tables/b.parquet]
  training_set_full:
    cmd: cat build/tables/a.parquet build/tables/b.parquet > build/training/full.parquet; grep service params.yaml >> build/training/full.parquet
    deps: [build/tables/a.parquet, build/tables/b.parquet]
    params: [service]
    outs: [build/training/full.parquet]
  training_set_half:
    cmd: cat build/tables/a.parquet > build/training/half.parquet
    deps: [build/tables/a.parquet]
    outs: [build/training/half.parquet]
  train:
    foreach: ${experiments}
    do:
      cmd: sh train.sh ${key} ${item.service}
      deps: ["build/training/${item.service}.parquet", train.sh]
      params:
        - conf/experiment/${key}.yaml: [model, seed]
      outs:
        - build/models/${key}
        - build/predictions/${key}.csv
  evaluate:
    foreach: ${experiments}
    do:
      cmd: sh evaluate.sh ${key}
      deps: ["build/models/${key}", "build/predictions/${key}.csv"]
      metrics:
        - runs/${key}/metrics.json: {cache: false}
      outs:
        - build/evaluations/${key}.json
        - runs/${key}/card.md: {cache: false}
  select:
    cmd: cat build/evaluations/*.json > runs/champion.json
    deps: [build/evaluations]
    outs:
      - runs/champion.json: {cache: false}
"""
TRAIN = """mkdir -p build/models/$1
grep -v '^#' conf/experiment/$1.yaml > build/models/$1/model.txt
cat build/training/$2.parquet >> build/models/$1/model.txt
md5sum conf/experiment/$1.yaml build/training/$2.parquet > build/models/$1/sums.txt
sort build/models/$1/model.txt > build/predictions/$1.csv
"""
EVALUATE = """md5sum build/models/$1/* build/predictions/$1.csv > build/evaluations/$1.json
cp build/evaluations/$1.json runs/$1/card.md
echo "{}" > runs/$1/metrics.json
"""
FILES = {
    "dvc.yaml": PIPELINE,
    "evaluate.sh": EVALUATE,
    "train.sh": TRAIN,
    "params.yaml": "service: 1\nother: 1\n",
    "conf/experiments.yaml": "experiments:\n  gbm: {service: full}\n  base: {service: half}\n",
    "conf/experiment/gbm.yaml": "model: {learning_rate: 0.1, depth: 3}\nseed: 1\n",
    "conf/experiment/base.yaml": "model: {kind: prior}\nseed: 1\n",
    "features/tables/a.sql": "-- a table\nselect carrier, 1 as x from flights\n",
    "features/tables/b.sql": "select origin, 2 as y from weather\n",
    "data/flights/2013-01.csv": "AA,1\nUA,2\n",
    "data/flights/2013-02.csv": "AA,3\n",
    "data/weather/2013-01.csv": "JFK,20\n",
    ".gitignore": "/build/\n/data/\n/.furrow/\n",
    ".dvcignore": "__pycache__\n/.furrow\n*.tmp\n",
    "runs/.gitkeep": "",
    "runs/gbm/.gitkeep": "",
    "runs/base/.gitkeep": "",
    "runs/late/.gitkeep": "",
    "build/tables/.keep": "",
    "build/training/.keep": "",
    "build/predictions/.keep": "",
}


@dataclass(frozen=True)
class Repro:
    """The stages that `dvc repro` ran, and those that it took from its cache."""

    ran: set[str]
    cached: set[str]


def environment() -> dict[str, str]:
    """A terminal's environment with the virtual environment activated and a plain shell."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH")
    }
    return {
        **kept,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "SHELL": "/bin/sh",
    }


def run(folder: Path, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a command; when it must succeed and does not, show what it printed."""
    done = subprocess.run(
        command, cwd=folder, env=environment(), capture_output=True, text=True, check=False
    )
    assert not check or done.returncode == 0, (
        f"{command} exited {done.returncode}\n{done.stdout}\n{done.stderr}"
    )
    return done


def repro(folder: Path, *arguments: str) -> Repro:
    """Run `dvc repro`."""
    done = run(folder, "dvc", "repro", *arguments)
    text = done.stdout + done.stderr
    ran = set(re.findall(r"Running stage '([^']+)'", text))
    return Repro(ran, set(re.findall(r"Stage '([^']+)' is cached", text)))


def commit(folder: Path, message: str) -> None:
    """Commit everything."""
    run(folder, "git", "add", "-A")
    run(folder, "git", "commit", "-q", "--allow-empty", "-m", message)


def plant(folder: Path) -> Path:
    """The repository with every stage run once, committed."""
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "build/evaluations").mkdir()
    run(folder, "git", "init", "-q")
    run(folder, "dvc", "init", "-q")
    run(folder, "dvc", "config", "core.autostage", "false")
    run(folder, "dvc", "config", "core.analytics", "false")
    run(folder, "dvc", "add", "-q", "data")
    commit(folder, "declare")
    repro(folder)
    commit(folder, "run")
    return folder
