"""A trial as a run: what it took is shown, and of its model and predictions what to do to have them."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from furrow.cli.main import run as furrow
from furrow.history.artifacts import AbsentError
from furrow.history.load import NotKeptError
from furrow.history.named_run import run
from furrow.history.run_diff import diff_runs
from furrow.history.show import describe
from furrow.history.trial_trailers import trial_name, tried
from furrow.replay.run_replays import replays_of

if TYPE_CHECKING:
    from pathlib import Path

PREDICTIONS = pd.DataFrame(
    {"flight": [1, 2], "label": [0, 1], "probability": [0.2, 0.7]}
).to_parquet()
MESSAGE = """furrow try gbm model.learning_rate=0.3

Furrow-Cpu-Seconds: 4.500
Furrow-Engine: loky
Furrow-Experiment: gbm
Furrow-Overrides: ["model.learning_rate=0.3"]
Furrow-Predictions: {sha256}
Furrow-Score: log_loss 0.5
Furrow-Seconds: 2.250
Furrow-Steps: 0.5 0.25
Furrow-Trial: {digest}
"""
LOCK = {
    "stages": {
        "train@gbm": {
            "outs": [
                {"path": "build/models/gbm", "md5": "a" * 32 + ".dir"},
                {"path": "build/predictions/gbm.parquet", "md5": "b" * 32},
            ]
        }
    }
}


@pytest.fixture
def trial(history: Any) -> str:
    """A trial on a run whose model and predictions dvc.lock names, recorded as trials once were: with that dvc.lock."""
    base = history.commit({**history.run("gbm", 0.7), "dvc.lock": json.dumps(LOCK)})
    files = history.run("gbm", 0.8, rate=0.3)
    sha256 = hashlib.sha256(PREDICTIONS).hexdigest()
    record = json.loads(files["runs/gbm/record.json"]) | {
        "model_sha256": None,
        "predictions_sha256": sha256,
    }
    files["runs/gbm/record.json"] = json.dumps(record)
    name = "gbm-1a2b3c4d"
    history.commit(
        files,
        ref=f"refs/exps/{base[:2]}/{base[2:]}/{name}",
        parents=(base,),
        subject=MESSAGE.format(sha256=sha256, digest="c" * 64),
    )
    history.git("reset", "-q", "--hard")
    return name


def test_what_a_trial_took_and_what_it_does_not_keep(history: Any, trial: str) -> None:
    """Nor does it show what the run before it kept, which dvc.lock may still name."""
    found = describe(run(trial, repo=history.path), replays_of)
    assert found.outputs == ()
    assert found.trial == {
        "name": trial,
        "overrides": ["model.learning_rate=0.3"],
        "engine": "loky",
        "seconds": 2.25,
        "cpu_seconds": 4.5,
        "score": "log_loss 0.5",
        "steps": [0.5, 0.25],
        "predictions_sha256": hashlib.sha256(PREDICTIONS).hexdigest(),
    }
    base = describe(run("gbm", repo=history.path), replays_of)
    assert len(base.outputs) == 2
    assert base.trial == {}


def test_a_commit_after_the_trial_and_one_that_says_little(history: Any, trial: str) -> None:
    commit = history.git("for-each-ref", "--format=%(objectname)", "refs/exps")
    later = history.commit({"docs": "words"}, ref="refs/heads/tried", parents=(commit,))
    assert tried(history.path, later, "gbm")["seconds"] == 2.25
    assert tried(history.path, later, "gbm")["name"] == trial
    assert trial_name(history.path, later) == ""
    short = (
        "try\n\nFurrow-Experiment: gbm\nFurrow-Overrides: [\nFurrow-Seconds: long\nFurrow-Trial: 1"
    )
    less = history.commit(
        history.run("gbm", 0.9), ref="refs/heads/less", parents=(commit,), subject=short
    )
    assert tried(history.path, less, "gbm")["seconds"] is None
    assert tried(history.path, less, "gbm")["overrides"] is None
    assert tried(history.path, "HEAD", "gbm") == {}


def test_model_and_predictions_tell_how_to_have_them(history: Any, trial: str) -> None:
    """Once `dvc repro` has made its predictions they are read; the advice for other runs is another."""
    found = run(trial, repo=history.path)
    for ask in (found.model, found.predictions):
        with pytest.raises(NotKeptError, match="keeps no model") as caught:
            ask()
        assert f"`dvc exp apply {trial}`" in caught.value.hint
        assert f"`furrow adopt {trial} as NAME`" in caught.value.hint
    untested = diff_runs(run("gbm", repo=history.path), found).untested
    with pytest.raises(AbsentError):
        run("gbm", repo=history.path).predictions()
    place: Path = history.path / "build/predictions/gbm.parquet"
    place.parent.mkdir(parents=True)
    place.write_bytes(PREDICTIONS)
    assert len(found.predictions()) == 2
    assert "dvc pull" in untested
    history.git("update-ref", "refs/heads/tried", found.commit)
    history.git("update-ref", "-d", history.git("for-each-ref", "--format=%(refname)", "refs/exps"))
    with pytest.raises(NotKeptError) as caught:
        run("gbm", "tried", repo=history.path).model()
    assert "dvc repro" in caught.value.hint


def test_two_trials_are_not_tested_for_the_right_reason(history: Any, trial: str) -> None:
    found = run(trial, repo=history.path)
    other = run("gbm", repo=history.path)
    said = diff_runs(found, other).untested
    assert "is a trial" in said
    assert "dvc pull" not in said


def test_the_command_says_both(
    history: Any, trial: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(history.path)
    assert furrow(["runs", "show", trial]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"^seconds +2\.25", shown, re.MULTILINE)
    assert "cpu seconds" in shown
    assert "model.learning_rate=0.3" in shown
    assert (
        f"A trial keeps no model, and of its predictions only their hash: `dvc exp apply {trial}`"
        in shown
    )
    assert "build/models/gbm" not in shown
    assert furrow(["runs", "show", "gbm"]) == 0
    assert "A trial keeps" not in capsys.readouterr().out
