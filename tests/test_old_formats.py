"""What earlier versions wrote is read: a sample of each form, as it stands in the history of projects."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import furrow
from furrow.ci.gather import champions_of
from furrow.ci.outcome import Outcome, OutcomeError
from furrow.ci.run_record import kept
from furrow.files import canonical_json, sha256_bytes, write_json
from furrow.ground.git import resolve
from furrow.ground.notes import add_line
from furrow.history.artifacts import trained_on
from furrow.history.compared_as import compared_as
from furrow.history.show import describe
from furrow.models.register import champions_at
from furrow.plan.plan_spec import PlanError, parse_plan
from furrow.replay.replay_verdict import Verdict, VerdictError
from furrow.replay.statement import NOTE, read_verdicts, verdict_of
from furrow.training.champions import verdict_of as verdict_on

RECORD = {
    "environment": {"lock_sha256": "4e", "packages": {"duckdb": "2.0.0", "scikit-learn": "1.9.1"}, "python": "3.11"},
    "experiment": "gbm", "features": ["departure_hour", "weather_temp"], "features_digest": "69" * 32,
    "model_sha256": "30" * 32, "months": {"test": ["2013-08", "2013-09"], "train": ["2013-01", "2013-02"]},
    "predictions_sha256": "17" * 32, "rows": {"test": 86326, "train": 250010}, "service": "full",
    "training_set_sha256": "a1" * 32, "trials": [],
}  # fmt: skip
"""record.json before there were problems: no format, and months."""

CONFIG = """name: gbm
description: Gradient boosting on everything
seed: 2013
label: late
features: {service: full, keys: [origin, carrier], digest: '69'}
model: {_target_: sklearn.ensemble.HistGradientBoostingClassifier, learning_rate: 0.1, max_iter: 80}
encoding: {categories: ordinal, scale: false, impute: false}
calibration: {method: none, months: 1}
split: {test_months: 3}
search: null
evaluation: {replicates: 200, confidence: 0.95, bins: 10, slices: [origin]}
"""

CHAMPION = {
    "experiment": "gbm", "gate": {"select": {"direction": "minimize", "metric": "log_loss"}, "minimum": {"roc_auc": 0.65}},
    "metrics": {"log_loss": 0.443122031, "roc_auc": 0.799042016, "rows": 86326}, "model_sha256": "30" * 32,
    "verdicts": {
        "gbm": {"failures": [], "passed": True},
        "base_rate": {"passed": False, "failures": [
            {"limit": 0.3, "rule": "minimum pr_auc", "short_by": 0.051074019, "value": 0.248925981}]},
    },
}  # fmt: skip

VERDICT = {
    "format": 1, "commit": "", "scope": {}, "status": "identical", "first": "",
    "stages": [{"stage": "train@gbm", "status": "identical", "seconds": 1.5, "outputs": [
        {"path": "m", "status": "identical", "recorded_md5": "a", "md5": "a", "sha256": {"m": "b"}, "tracked": False,
         "declared": True, "differences": [], "compared": True}],
        "reasons": [], "warnings": [], "undeclared": [], "log": ""}],
    "environment": {"python": "3.11.2", "platform": "Linux x86_64", "lock": "requirements.lock", "lock_sha256": "4e",
                    "locked": 240, "differences": []},
    "started": "2026-11-21T10:00:00+00:00", "seconds": 2.0, "where": "there", "furrow": "0.1.0", "settings_sha256": "",
}  # fmt: skip
"""A verdict before projects of one repository were told apart."""

OUTCOME = {
    "format": 1, "passed": True, "verdict": "passed", "commit": "c" * 40, "subject": "Train", "author": "Ada",
    "branch": "main", "target": "main", "base": "b" * 40, "untrusted": False, "isolation": "", "offered": "",
    "checks": [{"name": "plan", "status": "passed", "text": "every stage was run", "details": [], "seconds": 0.5}],
    "stages": [{"name": "train@gbm", "action": "run", "why": ["new"], "seconds": 3.0}], "runs": [],
    "changes": {"code": ["train.py"]}, "started": "2026-11-21T10:00:00+00:00", "seconds": 9.0, "machine": "m", "furrow": "0.1.0",
    "replays": [{"experiment": "gbm", "status": "identical", "stages": 3, "reasons": [], "seconds": 4.0}],
}  # fmt: skip
"""report.json before projects of one repository were told apart."""

PLAN = {
    "format": 1, "kind": "furrow.plan", "difference": True, "repository": "r" * 40, "head": "h" * 40, "revisions": [],
    "summary": {}, "seconds": 1.0, "breaks": [], "notes": ["a note"], "made_from": {"dvc.yaml": "m"},
    "resources": [{"address": "data/data", "kind": "data", "name": "data", "action": "add", "why": ["new"],
                   "stages": [], "seconds": None, "local": False}],
    "stages": [{"name": "train", "action": "run", "certain": True, "why": ["new"], "seconds": 2.0}],
}  # fmt: skip


@pytest.fixture
def old(repo: Path, git: Callable[..., str]) -> Path:
    """A repository with a run and a champion of the first versions."""
    (repo / "runs/gbm").mkdir(parents=True)
    for name, text in (
        ("gbm/record.json", json.dumps(RECORD)),
        ("gbm/config.yaml", CONFIG),
        ("gbm/metrics.json", json.dumps(CHAMPION["metrics"])),
        ("champion.json", json.dumps(CHAMPION)),
    ):
        (repo / "runs" / name).write_text(text)
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "-m", "an old run")
    return repo


def test_an_old_run_is_listed_shown_and_compared(old: Path) -> None:
    found = furrow.run("gbm", repo=old)
    assert found.metrics["roc_auc"] == 0.799042016
    assert found.record["months"]["test"] == ["2013-08", "2013-09"]
    assert furrow.runs(repo=old)["roc_auc"].tolist() == [0.799042016]
    assert describe(found, lambda *_: []).made_by["subject"] == "an old run"
    assert (compared_as(found, found).task, compared_as(found, found).block) == ("binary", "day")
    assert trained_on(RECORD) == "build/training/full.parquet"
    assert trained_on({**RECORD, "problem": "late"}) == "build/training/late/full.parquet"


def test_old_champions_are_judged(old: Path) -> None:
    """By the registry and by CI alike."""
    found = champions_at(old, resolve(old))
    assert found[""].experiment == "gbm"
    assert found[""].metric == "log_loss"
    assert verdict_on(found, "base_rate")["failures"][0]["short_by"] == 0.051074019
    assert champions_of(json.dumps(CHAMPION).encode())[""].experiment == "gbm"


def statement_of(verdict: dict[str, Any]) -> dict[str, Any]:
    content = canonical_json(verdict).encode()
    product = {
        "name": "verdict",
        "digest": {"sha256": sha256_bytes(content)},
        "content": base64.b64encode(content).decode(),
    }
    return {"subject": [], "predicate": {"runDetails": {"byproducts": [product]}}}


def test_an_old_note_is_read(old: Path) -> None:
    """It says of no project which it is of; one of a later format is told of, and never guessed."""
    commit = resolve(old)
    made = verdict_of(statement_of({**VERDICT, "commit": commit}))
    assert made.project is None
    assert made
    add_line(old, NOTE, commit, canonical_json(statement_of({**VERDICT, "commit": commit})))
    assert read_verdicts(old, commit) == [made]
    assert Verdict.from_json(made.to_json()) == made
    with pytest.raises(VerdictError, match="a verdict of format 9"):
        verdict_of(statement_of({**VERDICT, "format": 9}))


def test_an_old_report_is_read(tmp_path: Path) -> None:
    found = Outcome.from_json(OUTCOME)
    assert found
    assert found.project == ""
    assert found.checks[0].name == "plan"
    assert found.replays[0].status == "identical"
    with pytest.raises(OutcomeError):
        Outcome.from_json({**OUTCOME, "format": 9})
    line = {
        "format": 1,
        "commit": "c" * 40,
        "branch": "main",
        "passed": True,
        "verdict": "passed",
        "started": "2026",
    }
    write_json(tmp_path / f"furrow-ci/done/{'c' * 40}.json", {"format": 1, "lines": [line]})
    assert kept(tmp_path, "c" * 40) == [line]


def test_an_old_plan_is_read() -> None:
    found = parse_plan(PLAN, "p.json")
    assert found.stages[0].why == ("new",)
    assert parse_plan(found.to_json(), "p.json") == found
    with pytest.raises(PlanError, match="format 9"):
        parse_plan({**PLAN, "format": 9}, "p.json")
