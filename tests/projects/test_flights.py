"""What every project must keep, of the flights and both of their problems: what can be told from what is committed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from furrow.features.manifest import load as load_manifest
from furrow.files import read_json
from furrow.parse import read_yaml
from furrow.training.champions import read_champions
from furrow.training.metric_registry import of_task
from furrow.training.problem import RESERVED

ROOT = Path(__file__).parents[2]
TASKS = {"late": "binary", "delay": "regression"}
DECLARED = read_yaml(ROOT / "conf/experiments.yaml")["experiments"]
SPINE = {"scheduled_departure", "distance", "time_of_day", "tailnum"}
KNOWN_AFTERWARDS = {"arrival_delay", "departure_delay", "status", "arrival", "departure"}


def record(name: str) -> dict[str, Any]:
    """What evaluation wrote of a run."""
    found: dict[str, Any] = read_json(ROOT / "runs" / name / "record.json")
    return found


def test_each_experiment_has_its_run_and_no_other() -> None:
    """runs/ holds those that conf/experiments.yaml declares, each of its own problem and service."""
    assert {path.parent.name for path in ROOT.glob("runs/*/record.json")} == set(DECLARED)
    for name, entry in DECLARED.items():
        found = record(name)
        assert (found["experiment"], found["problem"], found["service"]) == (
            name,
            entry["problem"],
            entry["service"],
        )
        assert found["task"] == TASKS[entry["problem"]]


@pytest.mark.parametrize("problem", TASKS)
def test_a_judged_model(problem: str) -> None:
    """The champion is an experiment of the problem that passed, the best by the gate's own metric, with a card and every metric."""
    champion = read_champions((ROOT / "runs/champion.json").read_bytes())[problem]
    assert champion.experiment is not None
    assert DECLARED[champion.experiment]["problem"] == problem
    passed = {name for name, verdict in champion.verdicts.items() if verdict["passed"]}
    assert champion.experiment in passed
    metrics = {name: read_json(ROOT / "runs" / name / "metrics.json") for name in champion.verdicts}
    assert set(of_task(TASKS[problem])) <= set(metrics[champion.experiment])
    better = min if of_task(TASKS[problem])[champion.metric].direction == "minimize" else max
    best = better(passed, key=lambda name: metrics[name][champion.metric])
    assert metrics[best][champion.metric] == metrics[champion.experiment][champion.metric]
    card = (ROOT / "runs" / champion.experiment / "card.md").read_text()
    assert f"({TASKS[problem]})" in card


@pytest.mark.parametrize("name", DECLARED)
def test_a_model_sees_what_it_may(name: str) -> None:
    """The features of its service as they are defined now: no label, no other column of the spine, nothing known afterwards."""
    found = record(name)
    service = load_manifest(ROOT / "features").services[found["service"]]
    assert found["features"] == [feature for part in service.views for feature in part.features]
    assert found["features_digest"] == service.digest
    assert not set(found["features"]) & {found["label"], *RESERVED, *SPINE, *KNOWN_AFTERWARDS}
    assert found["tells"] == {}
    assert found["predictor_sha256"], "it scores without a pickle"
