"""What changed between two runs, and everything about one."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from furrow.history.named_run import run
from furrow.history.run_diff import diff_runs
from furrow.history.show import curves, describe, patch
from furrow.replay.replay_verdict import Environment, Verdict
from furrow.replay.run_replays import replays_of
from furrow.replay.statement import write_note

if TYPE_CHECKING:
    from pathlib import Path


def keep(cache: Path, content: bytes, suffix: str = "") -> str:
    name = hashlib.md5(content, usedforsecurity=False).hexdigest() + suffix
    path = cache / "files/md5" / name[:2] / name[2:]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return name


def predicted(noise: float) -> pd.DataFrame:
    generator = np.random.default_rng(0)
    truth = generator.normal(0, 1, 2000)
    scores = truth + generator.normal(0, noise, 2000)
    return pd.DataFrame(
        {
            "flight": np.arange(2000),
            "scheduled_departure": pd.Timestamp("2013-07-01", tz="UTC")
            + pd.to_timedelta(np.arange(2000) % 40, unit="D"),
            "label": (truth > 0.5).astype(np.int8),
            "probability": 1 / (1 + np.exp(-scores)),
        }
    )


@pytest.fixture
def two(history: Any) -> Any:
    """Two commits of one run: other config, features, predictions, data and code."""
    cache = history.path / ".dvc/cache"
    months = [pd.DataFrame({"x": range(rows)}).to_parquet() for rows in (10, 25)]
    for at, noise in enumerate((3.0, 0.5)):
        content = predicted(noise).to_parquet()
        listing = [
            {"md5": keep(cache, month), "relpath": f"2013-0{n + 1}.parquet"}
            for n, month in enumerate(months[: at + 1])
        ]
        data = keep(cache, json.dumps(listing).encode(), ".dir")
        lock = {
            "stages": {
                "train@gbm": {
                    "outs": [{"path": "build/predictions/gbm.parquet", "md5": keep(cache, content)}]
                }
            }
        }
        files = history.run("gbm", 0.6 + at / 10, rate=0.1 + at / 10)
        record = json.loads(files["runs/gbm/record.json"])
        record["features"] = ["kept", "new"] if at else ["kept", "old"]
        record["rows"] = {"train": 100 + at * 50, "test": 100}
        record["predictions_sha256"] = hashlib.sha256(content).hexdigest()
        files |= {
            "runs/gbm/record.json": json.dumps(record),
            "dvc.lock": json.dumps(lock),
            "data.dvc": f"outs:\n- md5: {data}\n  nfiles: {at + 1}\n  path: data\n  size: 100\n",
            "src/model.py": "a = 1\n" * (at + 1),
        }
        history.commit(files, subject=f"Step {at}")
    return history


def test_a_diff_of_everything(two: Any) -> None:
    """Config, metrics with a verdict, features, rows, data by file, code."""
    found = diff_runs(run("gbm@HEAD~1", repo=two.path), run("gbm", repo=two.path), replicates=300)
    assert found.config == (("model.learning_rate", 0.1, 0.2),)
    assert ("roc_auc", 0.6, 0.7) in found.metrics
    assert found.comparison is not None
    assert {one.metric: one.verdict for one in found.comparison.differences}["roc_auc"] == "better"
    assert (found.features_added, found.features_dropped) == (("new",), ("old",))
    assert found.rows == {"train": (100, 150), "test": (100, 100)}
    assert found.data.files == (("2013-02.parquet", "added"),)
    assert found.data.rows == {"2013-02.parquet": 25}
    assert found.code == (("src/model.py", 1, 0),)
    assert found
    two.git("reset", "-q", "--hard")
    inside = two.path / "src"
    again = diff_runs(run("gbm@HEAD~1", repo=inside), run("gbm", repo=inside), replicates=300)
    assert again.code == found.code


def test_nothing_changed(two: Any) -> None:
    """A diff of equals is falsy."""
    same = run("gbm", repo=two.path)
    found = diff_runs(same, same)
    assert not found
    assert found.untested == "both have the same predictions, byte for byte"
    metrics = two.git("show", "HEAD:runs/gbm/metrics.json").replace(
        '"log_loss": 0.5', '"log_loss": NaN'
    )
    two.commit({"runs/gbm/metrics.json": metrics}, subject="No loss")
    same = run("gbm", repo=two.path)
    assert diff_runs(same, same).untested == "both have the same predictions, byte for byte"
    two.commit(
        {"runs/gbm/metrics.json": metrics.replace('"roc_auc": 0.7', '"roc_auc": 0.9')},
        subject="By hand",
    )
    found = diff_runs(same, run("gbm", repo=two.path))
    assert "yet not the same roc_auc: `furrow replay` tells which holds" in found.untested


def test_without_predictions_the_rest_is_told(two: Any, tmp_path: Path) -> None:
    """In a bare clone without a cache: no test, and how to get what it needs; also no list of data files."""
    two.git("clone", "-q", "--bare", str(two.path), str(tmp_path / "bare.git"))
    found = diff_runs(
        run("gbm@HEAD~1", repo=tmp_path / "bare.git"), run("gbm", repo=tmp_path / "bare.git")
    )
    assert found.comparison is None
    assert "dvc pull build/predictions/gbm.parquet" in found.untested
    assert found.data.files is None
    assert found.config


def test_show_everything(two: Any) -> None:
    """Who made it, from what, with what; what it cost here; what the commit changed; a replay note."""
    sha256 = run("gbm", repo=two.path).record["predictions_sha256"]
    lines = [
        {"stage": "train@gbm", "started": 1, "seconds": 9.0, "predictions_sha256": "0" * 64},
        {
            "stage": "train@gbm",
            "started": 2,
            "seconds": 12.5,
            "cpu_seconds": 20.1,
            "peak_mb": 300,
            "predictions_sha256": sha256,
        },
        {"stage": "evaluate@forest", "started": 3, "seconds": 1.0},
        {"stage": "evaluate@gbm", "started": 4, "seconds": 2.0},
    ]
    (two.path / ".furrow").mkdir()
    (two.path / ".furrow/journal.jsonl").write_text(
        "".join(json.dumps(line) + "\n" for line in lines) + '{"torn'
    )
    made = two.git("rev-parse", "HEAD")
    two.commit({"docs": "later"})
    environment = Environment(python="3.11.7", platform="Linux-x86_64")
    when = "2026-01-31T12:00:00+00:00"
    write_note(
        two.path, Verdict(made, {}, "identical", "", (), environment, when, 1.0, "ci-7", "0.1.0")
    )
    found = run("gbm", repo=two.path)
    details = describe(found, replays_of)
    assert details.made_by["commit"] == made
    assert details.made_by["subject"] == "Step 1"
    assert [line["seconds"] for line in details.resources] == [12.5, 2.0]
    assert details.code == (("src/model.py", 1, 0),)
    assert [(one["status"], one["where"], one["python"]) for one in details.replays] == [
        ("identical", "ci-7", "3.11.7")
    ]
    assert details.data is not None
    assert details.data.files == 2
    assert details.features["names"] == ["kept", "new"]
    assert [output.path for output in details.outputs] == ["build/predictions/gbm.parquet"]
    assert not details.problems
    assert curves(found)["roc"][1] == {"false_positive_rate": "0.2", "true_positive_rate": "0.6"}
    assert "+a = 1" in patch(found, details)


def test_show_what_is_left_of_a_damaged_run(history: Any) -> None:
    """A first commit, no dvc.lock, torn files: problems are listed, the rest is shown."""
    history.commit(
        {
            "runs/x/metrics.json": "{",
            "runs/x/config.yaml": "name: x\n",
            "src.py": "1\n",
            "dvc.lock": "a: [1,",
        }
    )
    details = describe(run("x", repo=history.path), replays_of)
    assert details.config == {"name": "x"}
    assert details.parent is None
    assert details.code == (("src.py", 1, 0),)
    assert len(details.problems) == 2
