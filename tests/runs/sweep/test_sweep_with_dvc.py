"""Trials are DVC experiments: shown, applied, reproduced, branched and pushed by the real DVC; adopted into conf/."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from furrow.ground.git import resolve
from furrow.history.artifacts import outputs

OWN = {"build/models/gbm", "build/predictions/gbm.parquet", "build/evaluations/gbm.json"}


def metrics(root: Path, name: str) -> dict:
    return json.loads((root / f"runs/{name}/metrics.json").read_text())


@pytest.mark.long
def test_a_trial_is_a_dvc_experiment_and_its_declaration_gives_the_same_metrics(
    project: Path, run: Callable
) -> None:
    """exp show, apply, repro, branch, push, and adopt followed by repro: one story, for a repro costs seconds."""
    run(project, "dvc", "repro", "-q")
    run(project, "git", "add", "-A")
    run(project, "git", "commit", "-qm", "run")
    done = run(
        project, "furrow", "try", "gbm", "model.learning_rate=0.05,0.3", "--jobs", "2", "--json"
    )
    trials = json.loads(done.stdout)["trials"]
    assert [trial["state"] for trial in trials] == ["done", "done"]
    best = trials[0]

    replayed = json.loads(
        run(project, "furrow", "replay", best["trial"], "--experiment", "gbm", "--json").stdout
    )
    found = {stage["stage"]: stage["status"] for stage in replayed["stages"]}
    assert found["train@gbm"] == "not kept"
    assert found["evaluate@gbm"] == replayed["status"] == "identical"
    assert "select" not in found

    shown = json.loads(run(project, "dvc", "exp", "show", "--json").stdout)
    listed = {one["name"]: one for state in shown for one in state["experiments"] or []}
    assert set(listed) == {trial["trial"] for trial in trials}
    data = listed[best["trial"]]["revs"][0]["data"]
    assert data["metrics"]["runs/gbm/metrics.json"]["data"] == best["metrics"]

    remote = project.parent / "remote.git"
    run(project.parent, "git", "init", "-q", "--bare", str(remote))
    run(project, "git", "remote", "add", "origin", str(remote))
    run(project, "git", "push", "-q", "origin", "HEAD")
    run(project, "dvc", "remote", "add", "-d", "--local", "store", str(project.parent / "store"))
    run(project, "dvc", "exp", "push", "origin", best["trial"])
    assert best["trial"] in run(remote, "git", "for-each-ref", "refs/exps").stdout
    run(project, "dvc", "exp", "branch", best["trial"], "tried")
    assert "learning_rate" in run(project, "git", "show", "tried:conf/experiment/gbm.yaml").stdout
    before = outputs(project, resolve(project))
    assert set(before) > OWN
    empty = outputs(project, resolve(project, "tried"))
    assert all(empty[path].size == 0 for path in OWN)

    run(project, "dvc", "exp", "apply", best["trial"])
    applied = metrics(project, "gbm")
    assert applied == best["metrics"]
    record = json.loads((project / "runs/gbm/record.json").read_text())
    config = (project / "runs/gbm/config.yaml").read_text()
    assert not list((project / "build/models/gbm").iterdir())
    assert not (project / "build/predictions/gbm.parquet").read_bytes()
    run(project, "dvc", "repro", "-q", "evaluate@gbm")
    assert metrics(project, "gbm") == applied
    assert (project / "runs/gbm/config.yaml").read_text() == config
    again = json.loads((project / "runs/gbm/record.json").read_text())
    assert again["model_sha256"]
    assert again["predictor_sha256"]
    assert {**again, "model_sha256": None, "predictor_sha256": None} == record
    assert (project / "runs/gbm/card.md").is_file()
    made = yaml.safe_load((project / "dvc.lock").read_text())["stages"]
    named = {
        out["path"]: out["md5"]
        for name in ("train@gbm", "evaluate@gbm")
        for out in made[name]["outs"]
    }
    assert set(named) > OWN
    assert all(named[path] != before[path].md5 for path in OWN)

    run(project, "git", "checkout", "-qf", "main")
    run(project, "git", "clean", "-fdq")
    run(project, "furrow", "adopt", best["trial"], "as", "gbm_fast")
    assert "what to beat" in (project / "conf/experiments.yaml").read_text()
    before = (project / "conf/experiment/gbm.yaml").read_text()
    run(project, "dvc", "repro", "-q", "evaluate@gbm_fast")
    assert metrics(project, "gbm_fast") == best["metrics"]
    assert metrics(project, "gbm") != best["metrics"]
    assert (project / "conf/experiment/gbm.yaml").read_text() == before
