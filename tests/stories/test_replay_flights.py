"""The real pipeline, replayed: an experiment from nothing, and what a hand on its results or its code comes to."""

import json
import sys

import pytest

from .conftest import commit, edit, run

pytestmark = pytest.mark.story


def replay(folder, *arguments, code=0):
    done = run(folder, sys.executable, "-m", "furrow", "replay", "--json", *arguments, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)


@pytest.mark.long
def test_an_experiment_comes_again_byte_for_byte(flights):
    """Compile, validation, two feature tables, the training set, training and evaluation; the note on it holds."""
    verdict = replay(flights, "--experiment", "base_rate")
    assert [stage["stage"] for stage in verdict["stages"]] == [
        "compile", "validate", "tables_flight_weeks", "tables_route_weeks", "training_set_late_schedule", "train@base_rate",
        "evaluate@base_rate",
    ]  # fmt: skip
    assert {stage["status"] for stage in verdict["stages"]} == {"identical"}
    assert verdict["environment"]["locked"] > 100
    [checked] = json.loads(
        run(flights, sys.executable, "-m", "furrow", "replay", "--verify", "--json").stdout
    )["notes"]
    assert checked["holds"]
    assert checked["absent"] == 0
    assert run(flights, "git", "status", "--porcelain").stdout == ""


@pytest.mark.long
def test_a_hand_on_the_metrics_and_one_on_the_config(flights):
    """The metric is what the evaluation does not give; the config is what conf/ does not give."""
    metrics = json.loads((flights / "runs/base_rate/metrics.json").read_text())
    edit(flights / "runs/base_rate/metrics.json", str(metrics["log_loss"]), "0.001")
    edit(flights / "runs/gbm/config.yaml", "max_iter: 8", "max_iter: 9")
    commit(flights, "improve")
    verdict = replay(flights, "--stage", "evaluate@base_rate", code=1)
    assert verdict["first"] == "evaluate@base_rate"
    [reason] = verdict["stages"][0]["reasons"]
    assert reason["kind"] == "edited by hand"
    words = [text for output in verdict["stages"][0]["outputs"] for text in output["differences"]]
    assert any("log_loss: recorded 0.001, replayed" in text for text in words)
    verdict = replay(flights, "--stage", "compile", code=1)
    assert (
        "runs/gbm/config.yaml is not what compile writes"
        in verdict["stages"][0]["reasons"][0]["text"]
    )
