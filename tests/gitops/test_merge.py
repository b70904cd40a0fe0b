"""Merges of what stages write: no person edits dvc.lock, and only what the merge made new runs."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from furrow.clone.merge import install, merge_file, merge_stages
from furrow.errors import FurrowError

DVC_YAML = """vars:
  - conf/experiments.yaml:experiments
stages:
  train:
    foreach: ${experiments}
    do:
      cmd: python train.py ${key}
      params:
        - conf/${key}.yaml: [rate, depth]
      outs:
        - build/${key}.txt
      metrics:
        - runs/${key}/metrics.json: {cache: false}
"""
TRAIN = """import json, pathlib, sys, yaml
name = sys.argv[1]
rate = yaml.safe_load(open(f"conf/{name}.yaml"))["rate"]
pathlib.Path("build").mkdir(exist_ok=True)
pathlib.Path(f"build/{name}.txt").write_text(str(rate))
pathlib.Path(f"runs/{name}").mkdir(parents=True, exist_ok=True)
json.dump({"rate": rate}, open(f"runs/{name}/metrics.json", "w"))
"""


def run(folder: Path, *command: str) -> str:
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def ran(folder: Path) -> set[str]:
    return set(re.findall(r"Running stage '([^']+)'", run(folder, "dvc", "repro")))


def commit(folder: Path, message: str) -> None:
    run(folder, "git", "add", "-A")
    run(folder, "git", "commit", "-q", "-m", message)


def setting(rate: float, depth: int = 3) -> str:
    return f"rate: {rate}\n\n\n\n\ndepth: {depth}\n"


def add(folder: Path, name: str, rate: float) -> None:
    with (folder / "conf/experiments.yaml").open("a") as handle:
        handle.write(f"  {name}: {{}}\n")
    (folder / f"conf/{name}.yaml").write_text(setting(rate))


@pytest.fixture
def project(repo: Path) -> Path:
    """Two experiments, trained and committed, with the merge driver set up."""
    run(repo, "dvc", "init", "-q")
    (repo / "conf").mkdir()
    (repo / "conf/experiments.yaml").write_text("experiments:\n")
    for name, rate in (("base", 0.1), ("gbm", 0.2)):
        add(repo, name, rate)
    (repo / ".gitignore").write_text("/build/\n")
    (repo / "train.py").write_text(TRAIN)
    (repo / "dvc.yaml").write_text(DVC_YAML)
    assert install(repo)
    assert install(repo) == []
    ran(repo)
    commit(repo, "train")
    return repo


def branches(project: Path, mine, theirs) -> None:
    """Two branches, each with its change run and committed, then merged."""
    run(project, "git", "checkout", "-q", "-b", "theirs")
    theirs()
    ran(project)
    commit(project, "theirs")
    run(project, "git", "checkout", "-q", "main")
    run(project, "dvc", "checkout", "-q")
    mine()
    ran(project)
    commit(project, "mine")
    run(project, "git", "merge", "-q", "-m", "merge", "theirs")


def test_each_adds_an_experiment(project):
    """Both are there after the merge, and nothing is trained again."""
    branches(project, lambda: add(project, "forest", 0.3), lambda: add(project, "logistic", 0.4))
    stages = yaml.safe_load((project / "dvc.lock").read_text())["stages"]
    assert {"train@base", "train@gbm", "train@forest", "train@logistic"} == set(stages)
    assert ran(project) == set()
    assert (project / "build/logistic.txt").read_text() == "0.4"


@pytest.mark.long
def test_each_changes_another_hyper_parameter(project):
    """Both changes hold, and nothing is trained again."""
    branches(
        project,
        lambda: (project / "conf/gbm.yaml").write_text(setting(0.25)),
        lambda: (project / "conf/base.yaml").write_text(setting(0.15)),
    )
    assert ran(project) == set()
    assert (project / "build/gbm.txt").read_text() == "0.25"
    assert (project / "build/base.txt").read_text() == "0.15"


@pytest.mark.long
def test_what_the_merge_made_new_is_trained(project):
    """Two edits of one experiment that merge into a third config train that one, and no other."""
    branches(
        project,
        lambda: (project / "conf/gbm.yaml").write_text(setting(0.3)),
        lambda: (project / "conf/gbm.yaml").write_text(setting(0.2, depth=5)),
    )
    assert (project / "conf/gbm.yaml").read_text() == setting(0.3, depth=5)
    assert ran(project) == {"train@gbm"}


def test_without_the_driver_there_is_a_conflict(project):
    """The driver is what merges: without it Git stops at dvc.lock."""
    run(project, "git", "config", "--unset", "merge.furrow.driver")
    (project / ".gitattributes").unlink()
    commit(project, "without")
    with pytest.raises(AssertionError, match=r"CONFLICT.*dvc\.lock"):
        branches(
            project, lambda: add(project, "forest", 0.3), lambda: add(project, "logistic", 0.4)
        )


def test_stage_by_stage():
    """One side's change is taken, a removal too; where both changed, ours stands."""
    base = {"schema": "2.0", "stages": {"a": 1, "b": 1, "c": 1, "d": 1}}
    ours = {"schema": "2.0", "stages": {"a": 2, "b": 1, "c": 2, "d": 1, "e": 1}}
    theirs = {"schema": "2.0", "stages": {"a": 1, "b": 2, "c": 3, "f": 1}}
    assert merge_stages(base, ours, theirs)["stages"] == {"a": 2, "b": 2, "c": 2, "e": 1, "f": 1}


@pytest.mark.long
def test_the_lock_keeps_its_form(project):
    """dvc.lock changes by the other branch's stages and by nothing else: no line of ours is written in another way."""
    branches(project, lambda: add(project, "forest", 0.3), lambda: add(project, "logistic", 0.4))
    changed = run(project, "git", "diff", "--numstat", "HEAD~1", "--", "dvc.lock").split()
    theirs = run(project, "git", "diff", "--numstat", "HEAD~2", "theirs", "--", "dvc.lock").split()
    assert (changed[0], changed[1]) == (theirs[0], "0")
    assert yaml.safe_load((project / "dvc.lock").read_text())["schema"] == "2.0"


def test_a_lock_that_does_not_parse(tmp_path):
    """The driver fails, so that Git leaves the conflict, and our file is as it was."""
    for name in ("base", "ours", "theirs"):
        (tmp_path / name).write_text("stages: {}\n")
    (tmp_path / "theirs").write_text("stages: [\n")
    with pytest.raises(FurrowError, match="take either side"):
        merge_file(tmp_path / "base", tmp_path / "ours", tmp_path / "theirs", "dvc.lock")
    assert (tmp_path / "ours").read_text() == "stages: {}\n"
