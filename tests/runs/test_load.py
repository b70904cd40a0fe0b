"""One run of any commit, with its predictions and model where they are; runs as a DataFrame."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import joblib
import pandas as pd
import pytest

import furrow
from furrow.ground.git import UnknownRevisionError
from furrow.history.artifacts import AbsentError
from furrow.history.load import NoSuchRunError, RunFileError
from furrow.history.named_run import parse_run, run

if TYPE_CHECKING:
    from pathlib import Path


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def keep(cache: Path, content: bytes, suffix: str = "") -> str:
    """Put content into a DVC cache; its name."""
    name = md5(content) + suffix
    path = cache / "files/md5" / name[:2] / name[2:]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return name


@pytest.fixture
def with_bulk(history: Any, tmp_path: Path) -> tuple[Any, pd.DataFrame]:
    """A run whose predictions and model are in a DVC cache outside the repository, as dvc.lock says."""
    cache = tmp_path / "cache"
    frame = pd.DataFrame({"flight": [1, 2], "label": [0, 1], "probability": [0.2, 0.7]})
    predictions = frame.to_parquet()
    joblib.dump({"fitted": True}, tmp_path / "model.joblib")
    model = (tmp_path / "model.joblib").read_bytes()
    listing = json.dumps([{"md5": keep(cache, model), "relpath": "model.joblib"}]).encode()
    lock = {
        "schema": "2.0",
        "stages": {
            "train@gbm": {
                "cmd": "python -m pipelines.train gbm",
                "outs": [
                    {
                        "path": "build/models/gbm",
                        "hash": "md5",
                        "md5": keep(cache, listing, ".dir"),
                        "nfiles": 1,
                    },
                    {
                        "path": "build/predictions/gbm.parquet",
                        "hash": "md5",
                        "md5": keep(cache, predictions),
                    },
                ],
            }
        },
    }
    files = history.run("gbm")
    record = json.loads(files["runs/gbm/record.json"])
    record |= {
        "predictions_sha256": hashlib.sha256(predictions).hexdigest(),
        "model_sha256": hashlib.sha256(model).hexdigest(),
    }
    files |= {"runs/gbm/record.json": json.dumps(record), "dvc.lock": json.dumps(lock)}
    files |= {".dvc/config": f"[core]\n    analytics = false\n[cache]\n    dir = {cache}\n"}
    history.commit(files)
    history.git("reset", "-q", "--hard")
    return history, frame


def test_a_run_of_any_commit(history: Any) -> None:
    """Config, metrics, intervals, features and files as they were."""
    history.commit(history.run("gbm", 0.7, rate=0.1))
    history.commit(history.run("gbm", 0.8, rate=0.2))
    old, new = run("gbm", rev="HEAD~1", repo=history.path), run("gbm", repo=history.path)
    assert (old.metrics["roc_auc"], new.metrics["roc_auc"]) == (0.7, 0.8)
    assert old.config["model"]["learning_rate"] == 0.1
    assert old.features == ["feature_0", "feature_1", "feature_2"]
    assert old.intervals["roc_auc"] == {"low": 0.69, "high": 0.71}
    assert (old.text("plots/roc.csv") or "").startswith("false_positive_rate")
    assert (old.text("card.md"), old.slices) == (None, [])
    assert (
        str(run("gbm@HEAD~1", repo=history.path))
        == str(run("HEAD~1:gbm", repo=history.path))
        == str(old)
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("gbm", ("gbm", "HEAD")),
        ("gbm@main~2", ("gbm", "main~2")),
        ("gbm@HEAD@{1}", ("gbm", "HEAD@{1}")),
        ("main~2:gbm", ("gbm", "main~2")),
        ("v1.0:runs/gbm", ("gbm", "v1.0")),
        ("HEAD@{1}:gbm", ("gbm", "HEAD@{1}")),
        ("gbm@", ("gbm", "HEAD")),
        ("gbm@:/fix: the model", ("gbm", ":/fix: the model")),
    ],
)
def test_names_of_runs(text: str, expected: tuple[str, str]) -> None:
    """NAME, NAME@REVISION and REVISION:NAME, with whatever a revision may hold."""
    assert parse_run(text) == expected


def test_a_name_of_two_lines(history: Any) -> None:
    """Whatever Git can hold is read: also where a line feed is in a run's name."""
    history.commit(
        {'"runs/two\\nlines/metrics.json"': '{"roc_auc": 0.7}', '"runs/gbm/\\316\\261"': "x"}
    )
    assert run("two\nlines", repo=history.path).metrics == {"roc_auc": 0.7}
    assert run("gbm", repo=history.path).text("α") == "x"


def test_unknown_runs_and_damaged_files(history: Any) -> None:
    """The name is suggested; a damaged file is told when it is asked for, and no other."""
    history.commit(
        {**history.run("gbm"), "runs/bad/metrics.json": "{", "runs/bad/config.yaml": "- x"}
    )
    with pytest.raises(NoSuchRunError, match="did you mean gbm"):
        run("gmb", repo=history.path)
    with pytest.raises(NoSuchRunError):
        run("../gbm", repo=history.path)
    with pytest.raises(UnknownRevisionError):
        run("gbm", rev="nowhere", repo=history.path)
    bad = run("bad", repo=history.path)
    assert bad.record == {}
    for attribute in ("metrics", "config"):
        with pytest.raises(RunFileError, match=attribute):
            getattr(bad, attribute)
    with pytest.raises(RunFileError, match="model_sha256"):
        bad.model()


def test_predictions_and_model_through_the_cache(with_bulk: tuple[Any, pd.DataFrame]) -> None:
    """Found by the hashes in that commit's dvc.lock, without a work tree's copy and without DVC."""
    history, frame = with_bulk
    history.commit({"docs": "later", "dvc.lock": "schema: '2.0'\n"})
    old = run("gbm", rev="HEAD~1", repo=history.path)
    pd.testing.assert_frame_equal(old.predictions(), frame)
    assert old.model() == {"fitted": True}
    with pytest.raises(
        AbsentError, match=r"build/predictions/gbm\.parquet of gbm@.* is not on this machine"
    ):
        run("gbm", repo=history.path).predictions()


def test_a_work_tree_copy_counts_only_if_it_is_the_same(
    with_bulk: tuple[Any, pd.DataFrame], tmp_path: Path
) -> None:
    """Another file in the work tree is passed over; a forged cache entry is not opened."""
    history, frame = with_bulk
    path = history.path / "build/predictions/gbm.parquet"
    path.parent.mkdir(parents=True)
    frame.assign(probability=0.5).to_parquet(path)
    found = run("gbm", repo=history.path)
    assert found.predictions_path() != path
    for cached in (tmp_path / "cache").rglob("*"):
        if cached.is_file() and not cached.read_bytes().startswith(b"["):
            cached.write_bytes(b"forged")
    with pytest.raises(AbsentError, match="is not on this machine") as caught:
        found.model()
    assert "dvc pull build/models/gbm/model.joblib" in caught.value.hint
    frame.to_parquet(path)
    assert found.predictions_path() == path


def test_runs_as_a_frame_with_types(history: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Integers, numbers, text, truth and dates have their own types; what is missing is NA."""
    history.commit(history.run("gbm", 0.7))
    history.commit({**history.run("forest", 0.6), "runs/new/config.yaml": "name: new\n"})
    monkeypatch.chdir(history.path)
    frame = furrow.runs(where="roc_auc > 0.65 or status = 'declared'", revs="all")
    assert sorted(frame["name"]) == ["gbm", "new"]
    kinds = {
        name: str(frame[name].dtype)
        for name in ("roc_auc", "rows", "model", "model.early_stopping", "date")
    }
    assert kinds == {
        "roc_auc": "Float64",
        "rows": "Int64",
        "model": "string",
        "model.early_stopping": "boolean",
        "date": "datetime64[ns, UTC]",
    }
    assert frame["roc_auc"].isna().sum() == 1
    assert list(furrow.runs(columns=["roc_auc"], sort=["-roc_auc"])["roc_auc"].dropna()) == [
        0.7,
        0.6,
    ]
    assert list(furrow.runs(columns="roc_auc", sort="-roc_auc")["roc_auc"].dropna()) == [0.7, 0.6]
    assert len(furrow.runs(revs=["HEAD~1", "HEAD"])) == 3
    assert furrow.runs(where="roc_auc > 2").empty
    assert furrow.run("gbm", rev="HEAD~1").metrics["roc_auc"] == 0.7


@pytest.mark.parametrize(
    "order",
    [
        "import furrow; furrow.runs; import furrow.history.runs_index",
        "import furrow.history.runs_index, furrow",
        "from furrow.history import frame; import furrow; from furrow import runs; assert runs is furrow.runs",
        "import importlib, furrow; importlib.import_module('furrow.history.listing')",
        "from furrow import run, runs; import furrow",
    ],
)
def test_runs_can_be_called_in_any_order_of_imports(history: Any, order: str) -> None:
    """`furrow.runs` is a function, whatever was imported before."""
    history.commit(history.run("gbm"))
    code = f"{order}; print(len(furrow.runs()), furrow.run('gbm').name)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=history.path, capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["1", "gbm"], done.stderr
