"""A tiny real project for CI: its stages take milliseconds, and it has runs, a champion, a model and a DVC remote."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

DVC_YAML = """vars:
  - conf/experiments.yaml:experiments
stages:
  train:
    foreach: ${experiments}
    do:
      cmd: python stages.py train ${key}
      deps: [data/flights.csv, stages.py]
      params:
        - conf/${key}.yaml: [rate]
      outs:
        - build/models/${key}
        - build/predictions/${key}.csv
  evaluate:
    foreach: ${experiments}
    do:
      cmd: python stages.py evaluate ${key}
      deps: ["build/models/${key}", "build/predictions/${key}.csv"]
      outs:
        - build/evaluations/${key}.json
        - runs/${key}/record.json: {cache: false}
        - runs/${key}/intervals.json: {cache: false}
        - runs/${key}/slices.json: {cache: false}
        - runs/${key}/plots/roc.csv: {cache: false}
      metrics:
        - runs/${key}/metrics.json: {cache: false}
  select:
    cmd: python stages.py select
    deps: [build/evaluations]
    params:
      - conf/experiments.yaml: [experiments]
    outs:
      - runs/champion.json: {cache: false}
"""
SETTINGS = "branch: main\nreplay: changed\n"
STAGES = """import hashlib, json, os, pathlib, sys


def rate(name):
    return float(pathlib.Path(f"conf/{name}.yaml").read_text().split("rate:")[1].split()[0])


def write(path, value):
    pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
    pathlib.Path(path).write_text(value if isinstance(value, str) else json.dumps(value, sort_keys=True) + "\\n")


def sha(path):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


def train(name):
    rows = pathlib.Path("data/flights.csv").read_text().split()
    write(f"build/models/{name}/model.joblib", f"model of {name} {rate(name)} {len(rows)}")
    write(f"build/predictions/{name}.csv", f"{rate(name)} {len(rows)}")


def evaluate(name):
    value, rows = pathlib.Path(f"build/predictions/{name}.csv").read_text().split()
    loss = abs(float(value) - 0.5) + 0.1
    metrics = {"log_loss": round(loss, 6), "roc_auc": round(1 - loss, 6), "rows": int(rows)}
    write(f"runs/{name}/metrics.json", metrics)
    write(f"runs/{name}/intervals.json", {"log_loss": {"low": loss - 0.01, "high": loss + 0.01}})
    write(f"runs/{name}/slices.json", [{"slice": "origin", "value": "JFK", "rows": 9, "log_loss": loss}])
    write(f"runs/{name}/plots/roc.csv", "false_positive_rate,true_positive_rate\\n0,0\\n0.2,0.7\\n1,1\\n")
    sums = {"model_sha256": sha(f"build/models/{name}/model.joblib"), "service": "full", "features_digest": "f" * 64}
    write(f"runs/{name}/record.json", {"format": 1, "experiment": name, "features": ["a"], **sums})
    replicates = {"log_loss": [loss + n / 1000 for n in range(20)]}
    write(f"build/evaluations/{name}.json", {"metrics": metrics, "days": ["d1"], "replicates": replicates, **sums})


def select():
    found = {p.stem: json.loads(p.read_text()) for p in pathlib.Path("build/evaluations").glob("*.json")}
    best = min(found, key=lambda name: found[name]["metrics"]["log_loss"])
    write("runs/champion.json", {
        "experiment": best, "metrics": found[best]["metrics"], "model_sha256": found[best]["model_sha256"],
        "gate": {"select": {"metric": "log_loss"}}, "verdicts": {n: {"passed": True, "failures": []} for n in found},
    })


globals()[sys.argv[1]](*sys.argv[2:])
"""


def environment() -> dict[str, str]:
    """The test's environment, this Python first on the PATH."""
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


def run(
    folder: Path, *command: str, check: bool = True, **extra: str
) -> subprocess.CompletedProcess[str]:
    """Run a command; when it must succeed and does not, show what it printed."""
    done = subprocess.run(
        command,
        cwd=folder,
        env={**environment(), **extra},
        capture_output=True,
        text=True,
        check=False,
    )
    assert not check or done.returncode == 0, (
        f"{command} exited {done.returncode}\n{done.stdout}\n{done.stderr}"
    )
    return done


def furrow(
    folder: Path, *arguments: str, check: bool = True, **extra: str
) -> subprocess.CompletedProcess[str]:
    """Run the installed furrow."""
    return run(folder, sys.executable, "-P", "-m", "furrow", *arguments, check=check, **extra)


def commit(folder: Path, message: str) -> str:
    """Commit everything and return the id."""
    run(folder, "git", "add", "-A")
    run(folder, "git", "commit", "-q", "--allow-empty", "-m", message)
    return run(folder, "git", "rev-parse", "HEAD").stdout.strip()


def experiment(folder: Path, name: str, rate: float) -> None:
    """Declare an experiment."""
    with (folder / "conf/experiments.yaml").open("a") as handle:
        handle.write(f"  {name}: {{}}\n")
    (folder / f"conf/{name}.yaml").write_text(f"rate: {rate}\n")


def set_rate(folder: Path, name: str, rate: float) -> None:
    """Change a hyper-parameter."""
    (folder / f"conf/{name}.yaml").write_text(f"rate: {rate}\n")


def plant(folder: Path, store: Path) -> Path:
    """The project with two experiments trained, committed, and pushed to its DVC remote."""
    folder.mkdir(parents=True)
    run(folder, "git", "init", "-q", "-b", "main")
    run(folder, "git", "config", "user.name", "Ada Test")
    run(folder, "git", "config", "user.email", "ada@example.com")
    run(folder, "dvc", "init", "-q")
    run(folder, "dvc", "remote", "add", "-q", "-d", "store", str(store))
    (folder / "conf").mkdir()
    (folder / "conf/experiments.yaml").write_text("experiments:\n")
    (folder / "conf/ci.yaml").write_text(SETTINGS)
    experiment(folder, "base", 0.1)
    experiment(folder, "gbm", 0.2)
    (folder / "data").mkdir()
    (folder / "data/flights.csv").write_text("AA\nUA\n")
    (folder / "stages.py").write_text(STAGES)
    (folder / "dvc.yaml").write_text(DVC_YAML)
    (folder / ".gitignore").write_text("/build/\n/data/\n__pycache__\n/.furrow/\n")
    run(folder, "dvc", "add", "-q", "data")
    run(folder, "dvc", "repro", "-q")
    run(folder, "dvc", "push", "-q")
    commit(folder, "Train two experiments")
    return folder


_AT_REST: list[Path] = []


def at_rest(factory: pytest.TempPathFactory) -> Path:
    """A folder with a project and its store, planted once for all tests of a process; not to be changed."""
    if not _AT_REST:
        folder = factory.mktemp("at-rest")
        plant(folder / "project", folder / "store")
        _AT_REST.append(folder)
    return _AT_REST[0]


def copied(
    factory: pytest.TempPathFactory, folder: Path, name: str = "project", settings: str = SETTINGS
) -> Path:
    """A copy of the project, and of its store beside it, to be changed at will."""
    rest, project = at_rest(factory), folder / name
    subprocess.run(["cp", "-a", str(rest / "project"), str(project)], check=True)
    subprocess.run(["cp", "-a", str(rest / "store"), str(folder / "store")], check=True)
    config = project / ".dvc/config"
    config.write_text(config.read_text().replace(str(rest / "store"), str(folder / "store")))
    (project / "conf/ci.yaml").write_text(settings)
    commit(project, "Use another remote")
    return project
