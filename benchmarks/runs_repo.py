"""Make a repository with a long history of runs: commits on main that re-run experiments, and trials beside it.

    python benchmarks/runs_repo.py /tmp/big.git --commits 10000 --trials 30000

Each commit on main re-runs every experiment (its own config, metrics, intervals, slices, record,
card); each trial is a commit of its own under refs/exps/, as DVC keeps experiments. Everything is
written through `git fast-import`, packed, and cloned bare.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

FURROW, DVC = (str(Path(sys.executable).with_name(name)) for name in ("furrow", "dvc"))
EXPERIMENTS = {
    "base_rate": ("sklearn.dummy.DummyClassifier", "schedule"),
    "logistic": ("sklearn.linear_model.LogisticRegression", "full"),
    "gbm_schedule": ("sklearn.ensemble.HistGradientBoostingClassifier", "schedule"),
    "gbm_weather": ("sklearn.ensemble.HistGradientBoostingClassifier", "weather"),
    "gbm": ("sklearn.ensemble.HistGradientBoostingClassifier", "full"),
    "forest": ("sklearn.ensemble.RandomForestClassifier", "full"),
    "gbm_search": ("sklearn.ensemble.HistGradientBoostingClassifier", "full"),
}
FEATURES = [f"feature_{number}_over_{hours}h" for number in range(10) for hours in (1, 3, 6, 24)]
PACKAGES = {
    "duckdb": "2.0.0",
    "feast": "0.67.0",
    "numpy": "2.3.1",
    "pandas": "2.3.0",
    "scikit-learn": "1.9.1",
}
METRICS = ("roc_auc", "pr_auc", "log_loss", "brier", "ece", "prevalence")


def digest(*parts: object) -> str:
    """A sha256 that depends on the parts alone."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def run_files(name: str, draw: random.Random) -> dict[str, str]:
    """The files of one run, in the format of runs/NAME/."""
    target, service = EXPERIMENTS[name]
    features = digest("features", service)
    config = f"""name: {name}
description: The experiment {name} on the features of {service}
seed: {draw.randrange(10_000)}
label: late
features:
  service: {service}
  keys:
  - origin
  - carrier
  - dest
  digest: {features}
model:
  _target_: {target}
  learning_rate: {draw.uniform(0.01, 0.3):.6f}
  max_iter: {draw.randrange(50, 400)}
  max_leaf_nodes: {draw.choice((15, 31, 63))}
  min_samples_leaf: {draw.randrange(20, 400)}
  l2_regularization: {draw.uniform(0, 20):.4f}
  early_stopping: false
encoding:
  categories: ordinal
  scale: false
  impute: false
calibration:
  method: none
  months: 1
split:
  test_months: 3
search: null
engine:
  backend: loky
  workers: 2
  threads: 2
evaluation:
  replicates: 200
  confidence: 0.95
  bins: 10
  slices:
  - origin
  - carrier
  - month
  - time_of_day
code:
  digest: {digest("code", draw.randrange(100))}
  evaluate: {digest("evaluate", draw.randrange(100))}
"""
    metrics = {metric: draw.uniform(0.05, 0.85) for metric in METRICS} | {"rows": 80_000.0}
    intervals: dict[str, object] = {
        m: {"low": v - 0.01, "high": v + 0.01} for m, v in metrics.items()
    }
    intervals["_about"] = {"confidence": 0.95, "method": "block bootstrap by day"}
    record = {
        "format": 1,
        "experiment": name,
        "service": service,
        "features_digest": features,
        "features": FEATURES,
        "model_sha256": digest("model", metrics),
        "predictions_sha256": digest("predictions", metrics),
        "training_set_sha256": digest("training", service),
        "months": {"train": ["2013-01", "2013-06"], "test": ["2013-07", "2013-08", "2013-09"]},
        "rows": {"train": 160_000, "test": 80_000},
        "environment": {"python": "3.11", "packages": PACKAGES, "lock_sha256": digest("lock")},
    }
    slices = [
        {
            "slice": "origin",
            "value": value,
            "rows": 1000,
            **{m: draw.uniform(0, 1) for m in METRICS},
        }
        for value in ("EWR", "JFK", "LGA")
    ]
    return {
        "card.md": f"# {name}\n\nROC AUC {metrics['roc_auc']:.4f} on {service}.\n",
        "config.yaml": config,
        "intervals.json": json.dumps(intervals, sort_keys=True, indent=1) + "\n",
        "metrics.json": json.dumps(metrics, sort_keys=True, indent=1) + "\n",
        "record.json": json.dumps(record, sort_keys=True, indent=1) + "\n",
        "slices.json": json.dumps(slices, sort_keys=True, indent=1) + "\n",
    }


def write_commit(
    stream: IO[bytes],
    *,
    ref: str,
    message: str,
    when: int,
    files: Mapping[str, str],
    parent: str = "",
) -> None:
    """One commit for fast-import: these files over what the parent has."""
    body = message.encode()
    stream.write(f"commit {ref}\ncommitter Ada Test <ada@example.com> {when} +0000\n".encode())
    stream.write(b"data %d\n%s\n" % (len(body), body))
    if parent:
        stream.write(f"from {parent}\n".encode())
    for path, text in files.items():
        data = text.encode()
        stream.write(f"M 100644 inline {path}\ndata {len(data)}\n".encode() + data + b"\n")


def _under(runs: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    return {
        f"runs/{name}/{path}": text for name, files in runs.items() for path, text in files.items()
    }


def _import(repo: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        ["git", "-C", str(repo), "fast-import", "--quiet"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )


def _finish(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.close()
    if process.wait():
        raise SystemExit("git fast-import failed")


def add_commits(
    repo: Path,
    count: int,
    *,
    start: int = 0,
    beside: Callable[[int], Mapping[str, str]] | None = None,
) -> None:
    """Add commits to main, each with every experiment run again, and what else belongs beside the runs."""
    draw = random.Random(start)
    process = _import(repo)
    assert process.stdin is not None
    for number in range(start, start + count):
        write_commit(
            process.stdin,
            ref="refs/heads/main",
            message=f"Re-run everything, {number}",
            when=1_600_000_000 + 600 * number,
            files=_under({name: run_files(name, draw) for name in EXPERIMENTS})
            | dict(beside(number) if beside else {}),
            parent="refs/heads/main^0" if start and number == start else "",
        )
    _finish(process)


def add_trials(repo: Path, count: int, *, start: int = 0) -> None:
    """Add trials that start from main's last commit, where DVC keeps them: refs/exps/BA/SELINE/NAME."""
    draw = random.Random(-1 - start)
    answer = subprocess.run(
        ["git", "-C", str(repo), "rev-parse", "main"], check=True, capture_output=True, text=True
    )
    process = _import(repo)
    assert process.stdin is not None
    base = answer.stdout.strip()
    for number in range(start, start + count):
        write_commit(
            process.stdin,
            ref=f"refs/exps/{base[:2]}/{base[2:]}/trial-{number}",
            message=f"Trial {number}",
            when=1_700_000_000 + 10 * number,
            files=_under({"gbm": run_files("gbm", draw)}),
            parent=base,
        )
    _finish(process)


def make(
    target: Path,
    *,
    commits: int,
    trials: int,
    repack: bool = True,
    beside: Callable[[int], Mapping[str, str]] | None = None,
) -> None:
    """A bare, packed clone at `target`."""
    work = target.with_name(target.name + ".making")
    shutil.rmtree(work, ignore_errors=True)
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(work)], check=True)
    add_commits(work, commits, beside=beside)
    add_trials(work, trials)
    if repack:
        subprocess.run(
            ["git", "-C", str(work), "repack", "-adfq", "--depth=50", "--window=10"], check=True
        )
    subprocess.run(["git", "-C", str(work), "pack-refs", "--all"], check=True)
    shutil.rmtree(target, ignore_errors=True)
    subprocess.run(["git", "clone", "-q", "--mirror", str(work), str(target)], check=True)
    shutil.rmtree(work)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("target", type=Path)
    parser.add_argument("--commits", type=int, default=10_000)
    parser.add_argument("--trials", type=int, default=30_000)
    arguments = parser.parse_args()
    make(arguments.target, commits=arguments.commits, trials=arguments.trials)


if __name__ == "__main__":
    main()
