"""Every verb in projects that are not the example: it works as far as it can, or says what it needs."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from furrow.cli.group import COMMANDS
from furrow.cli.main import run as furrow

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.story

VERBS = [
    "runs --all", "runs --json", "runs --where 'auc > 0.5'", "runs show gbm", "runs show gbm --json", "runs show exp-one",
    "runs diff gbm@HEAD~1 gbm", "runs diff gbm exp-one", "runs history gbm", "runs history gbm --metric val.auc",
    "runs watch --help", "plan", "plan --json", "plan --rev HEAD~1..HEAD", "apply --target experiments/gbm", "trust",
    "replay HEAD --json", "replay --experiment gbm", "replay --verify", "compile", "gate", "gate --json", "data check",
    "data profile", "features list", "features show x", "features search x", "features diff HEAD", "features digest",
    "features materialize", "features verify x", "features get x a=1", "features push x -e a=1", "models register",
    "models register gbm", "models list", "models list --json", "models show gbm", "models card gbm", "models diff gbm gbm",
    "models get gbm --out got", "models promote gbm --to production", "models rollback production", "models log",
    "ci --base HEAD~1", "ci status", "predict --carrier B6 --flight 1 --origin JFK --dest BOS", "install", "apply",
    "try gbm model.rate=1,2", "adopt exp-one as new", "trust --list", "init", "init data.csv --predict b --dry-run",
    "man", "mcp --help", "add table spending", "add problem churn", "add metric money", "import dvc", "import mlflow nowhere", "schema", "completion bash",
    "doctor", "cost", "cost --json", "fsck", "fsck --json", "gc", "score", "score --json", "audit gbm", "audit production", "audit 2024-03",
    "audit --key customer=1", "verify", "verify HEAD", "verify gbm@v1.0.0", "approve gbm@v1.0.0 --to production", "deployments",
    "deployments production", "status production", "hold production", "release production", "rollback production",
    "labels land data.csv", "labels land data.csv --json", "log build/log", "monitor", "monitor production", "trace x",
    "pause production --why tired", "resume production --why rested", "retrain production", "simulate production --from 2024-01 --to 2024-02",
    "serve", "serve production", "serve build/models/gbm", "serve gbm@v1.0.0 --manifest compose", "ui --export site",
]  # fmt: skip
"""Each verb of `furrow --help`, and the ways to ask it that differ in what they read."""


def run(folder: Path, *command: str) -> str:
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def commit(folder: Path, message: str, files: dict[str, str]) -> None:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    run(folder, "git", "add", "-A")
    run(folder, "git", "commit", "-q", "--allow-empty", "-m", message)


def unborn(folder: Path) -> None:
    run(folder, "git", "init", "-q")


def empty(folder: Path) -> None:
    unborn(folder)
    commit(folder, "first", {"README.md": "x\n"})
    commit(folder, "second", {"README.md": "y\n"})


def plain(folder: Path) -> None:
    unborn(folder)
    run(folder, "dvc", "init", "-q")
    commit(folder, "first", {"data.csv": "a,b\n1,2\n"})
    stage = "stages:\n  copy:\n    cmd: cp data.csv out.csv\n    deps: [data.csv]\n    outs: [out.csv]\n"
    commit(folder, "second", {"dvc.yaml": stage})


METRICS = {
    "auc": 0.7,
    "val": {"auc": 0.6},
    "confusion": [[1, 2], [3, 4]],
    "note": "good",
    "nothing": None,
}


def measured(folder: Path) -> None:
    plain(folder)
    for auc in (0.7, 0.8):
        text = json.dumps({**METRICS, "auc": auc})
        commit(
            folder,
            f"auc {auc}",
            {"runs/gbm/metrics.json": text, "runs/toml/metrics.toml": "auc = 0.5\n"},
        )


def tried(folder: Path) -> None:
    measured(folder)
    base = run(folder, "git", "rev-parse", "HEAD").strip()
    commit(
        folder,
        "a trial",
        {"runs/gbm/metrics.json": json.dumps({**METRICS, "auc": 0.9}), "params.yaml": "x: 1\n"},
    )
    run(folder, "git", "update-ref", f"refs/exps/{base[:2]}/{base[2:]}/exp-one", "HEAD")
    run(folder, "git", "reset", "-q", "--hard", base)


def declared(folder: Path) -> None:
    """With conf/ for another program, and a champion that is none."""
    tried(folder)
    files = {
        "conf/config.yaml": "a: 1\n",
        "conf/data/x.yaml": "b: 2\n",
        "runs/champion.json": "{}\n",
    }
    commit(folder, "conf", {**files, "features/readme.txt": "no Feast\n"})


def nowhere(folder: Path) -> None:
    """No repository at all."""


KINDS = [nowhere, unborn, empty, plain, measured, tried, declared]


def test_the_table_has_every_verb() -> None:
    """A verb that is added is tried here, too."""
    assert {verb.split()[0] for verb in VERBS} == set(COMMANDS)


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_verb_in_every_kind_of_project(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    kind: Callable[[Path], None],
) -> None:
    """None traces back or calls itself a bug; each that can't work says so in a sentence, and what to do next."""
    project = tmp_path / "project"
    project.mkdir()
    kind(project)
    monkeypatch.chdir(project)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    wrong = []
    for verb in VERBS:
        capfd.readouterr()
        code = furrow(shlex.split(verb))
        out, err = capfd.readouterr()
        said = f"{verb}: exit {code}\n{out[-600:]}{err[-1500:]}"
        bad = code not in {0, 1, 2, 4} or "a bug in Furrow" in err or "Traceback" in out + err
        unsaid = code in {1, 2} and not out.strip() and len(err.strip().splitlines()) < 2
        if bad or unsaid:
            wrong.append(said)
        monkeypatch.chdir(project)
    assert not wrong, "\n".join(wrong)
