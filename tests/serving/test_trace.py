"""Tracing: from an id to everything that the answer was made of, and the same bits again, in any clone, later."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from furrow.cli.trace import command
from furrow.files import read_json
from furrow.layout import model, run_file
from furrow.serving.deployment_state import state_folder
from furrow.serving.log_reader import read_records
from furrow.serving.log_settings import LogSettings
from furrow.serving.prediction_log import PredictionLog
from furrow.serving.prediction_record import PredictionRecord, new_id
from furrow.serving.scorer import Scorer
from furrow.serving.trace import TraceError, find_logged, trace
from furrow.serving.trace_rows import SourceRow
from tests.servingworld import NOW, ROW, TASKS

DATA = "outs:\n- md5: 0123abc.dir\n  path: data\n"
LOCK = """
schema: '2.0'
stages:
  tables@day:
    cmd: x
    deps: [{path: data/sales, md5: 77.dir}]
    outs: [{path: build/tables/day.parquet, md5: '88'}]
"""


def git(folder, *arguments):
    done = subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture(scope="module")
def project(tmp_path_factory, serving_world):
    """A clone whose commit records the models, and a log with an answer of each."""
    root = tmp_path_factory.mktemp("traced") / "project"
    shutil.copytree(serving_world.root, root)
    git(root, "init", "-q", "-b", "main")
    git(root, "config", "user.name", "Ada Test")
    git(root, "config", "user.email", "ada@example.com")
    for task in TASKS:
        (root / "runs" / task).mkdir(parents=True)
        facts = read_json(serving_world.bundle(task) / "bundle.json")
        record = {
            key: facts[key] for key in ("model_sha256", "predictor_sha256", "features_digest")
        }
        (root / run_file(task, "record.json")).write_text(json.dumps(record))
        (root / run_file(task, "config.yaml")).write_text(f"name: {task}\n")
        (root / run_file(task, "metrics.json")).write_text('{"roc_auc": 0.7}')
    (root / "data.dvc").write_text(DATA)
    (root / "dvc.lock").write_text(LOCK)
    git(root, "add", "runs", "data.dvc", "dvc.lock", "features")
    git(root, "commit", "-q", "-m", "Train")
    log = PredictionLog.open(state_folder(root, "production") / "log")
    log.append(
        [answered(serving_world, root, task, shop) for task in TASKS for shop in ("north", "west")]
    )
    log.close()
    return root


def answered(world, root, task, shop):
    """What a server logs of an answer."""
    row = {
        name: value for name, value in ROW.items() if (name, task) != ("weekday", "forecast")
    } | {"shop": shop}
    with_horizon = row | {"horizon": 2} if task == "forecast" else row
    scorer = Scorer.open(world.bundle(task), world.features)
    [scored] = scorer.score([with_horizon])
    scorer.close()
    facts = scorer.bundle.facts
    now = datetime.now(UTC)
    return PredictionRecord(
        new_id(now), now, task, f"{task}@v1.0.0", git(root, "rev-parse", "HEAD"), facts["model_sha256"],
        "full", facts["features_digest"], scored.keys, scored.request, scored.features,
        scored.statuses, scored.event_times, scored.prediction, latency_us=5,
    )  # fmt: skip


def logged(project):
    return list(read_records(state_folder(project, "production") / "log"))


@pytest.mark.parametrize("task", TASKS)
def test_every_task_s_score_is_made_again_to_the_bit(project, task):
    """From the log, which was sealed to Parquet, with what the commit says of run, config and data."""
    records = [one for one in logged(project) if one.model == task]
    assert len(records) == 2
    for record in records:
        found = trace(project, find_logged(project, record.id))
        assert found.record == record
        assert found.equal is True
        assert found.again == dict(record.prediction)
        assert (found.run, found.config[0]) == (task, f"runs/{task}/config.yaml")
        assert found.data == {"data": "0123abc.dir", "data/sales": "77.dir"}
        assert found.metrics == {"roc_auc": 0.7}
        assert (found.replays, found.missing) == ([], [])


def test_the_source_rows_are_those_that_were_served(project):
    """Of a shop whose features are fresh; of one whose row has expired, its row is told as well."""
    fresh, expired = (one for one in logged(project) if one.model == "binary")
    [row] = trace(project, fresh).rows
    assert isinstance(row, SourceRow)
    assert (row.view, row.keys, row.same) == ("day", {"shop": "north"}, True)
    assert row.event_time == fresh.event_times["visits"]
    assert row.values == {"visits": 10, "spent_mean": 5.0}
    [row] = trace(project, expired).rows
    assert row.values["visits"] == 40
    assert row.event_time < NOW


def changed(record, **changes):
    return replace(record, **changes)


def test_a_score_that_is_another_one_is_told(project):
    """One bit of a score, one feature: the trace doesn't pass it over."""
    record = next(one for one in logged(project) if one.model == "regression")
    value = record.prediction["prediction"]
    other = changed(
        record, prediction={**record.prediction, "prediction": math.nextafter(value, 1e9)}
    )
    assert trace(project, other).equal is False
    value = record.features | {"visits": 49.0}
    found = trace(project, changed(record, features=value))
    assert found.equal is False
    assert [one.same for one in found.rows] == [False]


def test_what_can_not_be_told_is_called_missing(project):
    """A redacted value, a commit that is not here, other features, no bundle: never "equal"."""
    record = next(one for one in logged(project) if one.model == "binary")
    found = trace(
        project, changed(record, redacted=("visits",), features={**record.features, "visits": None})
    )
    assert found.equal is None
    assert "what the model saw was redacted: visits" in found.missing[-1]
    found = trace(project, changed(record, redacted=("shop",), keys={"shop": None}))
    assert found.rows[0].why == "a key was redacted"
    found = trace(project, changed(record, features_digest="0" * 64))
    assert any("other definitions" in one for one in found.missing)
    found = trace(project, changed(record, commit="1" * 40))
    assert found.equal is None
    assert any("unknown revision" in one for one in found.missing)
    found = trace(project, changed(record, commit="", model_sha256="0" * 64))
    assert found.equal is None
    assert "no bundle here" in found.missing[-1]


def test_an_id_that_is_not_logged(project):
    with pytest.raises(TraceError, match="not logged"):
        find_logged(project, new_id())
    with pytest.raises(TraceError, match="not a prediction's id"):
        find_logged(project, "17")


def test_another_clone_needs_only_the_log_s_folder(project, tmp_path):
    """The work tree may hold another model by now: the bundle is found by its hash."""
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", str(project), str(clone))
    record = next(one for one in logged(project) if one.model == "binary")
    with pytest.raises(TraceError, match="not logged"):
        find_logged(clone, record.id)
    found = find_logged(clone, record.id, state_folder(project, "production") / "log")
    shutil.copytree(project / model("binary"), state_folder(clone, "x") / "versions" / "binary-v1")
    shutil.copytree(project / model("regression"), clone / model("binary"))
    traced = trace(clone, found)
    assert traced.equal is True
    assert "the table is not here" in traced.rows[0].why


def test_a_log_that_still_grows_is_traced(project, serving_world):
    record = answered(serving_world, project, "binary", "south")
    log = PredictionLog.open(state_folder(project, "other") / "log", LogSettings())
    log.append([record])
    assert trace(project, find_logged(project, record.id)).equal is True
    log.close()


def test_the_command_tells_and_its_exit_code_says(project, monkeypatch, capsys):
    """0 for equal; what it prints names commit, data, features and their source."""
    monkeypatch.chdir(project)
    record = next(one for one in logged(project) if one.model == "binary")
    assert command.main([record.id], standalone_mode=False) == 0
    said = capsys.readouterr().out
    for words in (
        record.commit,
        "0123abc.dir",
        "visits",
        "the same",
        "bit for bit equal",
        "never replayed",
    ):
        assert words in said
    assert command.main([record.id, "--json"], standalone_mode=False) == 0
    assert json.loads(capsys.readouterr().out)["equal"] is True
