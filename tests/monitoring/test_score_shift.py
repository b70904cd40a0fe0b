"""What moved the mean score of what was served, by the model that answered, or why nobody can tell."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from furrow.files import read_json, write_json
from furrow.monitoring.score_shift import importance_shares, score_shift
from furrow.serving.prediction_record import PredictionRecord, new_id
from tests.servingworld import NOW, build, drawn

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("shifted") / "project"
    build(root)
    for name in ("binary",):
        bundle = read_json(root / f"build/models/{name}/bundle.json")
        facts = ("model_sha256", "predictor_sha256")
        write_json(root / f"runs/{name}/record.json", {one: bundle[one] for one in facts})
    return root


def _records(root: Path, **moved: float) -> list[PredictionRecord]:
    bundle = read_json(root / "build/models/binary/bundle.json")
    frame = drawn(200)
    for name, by in moved.items():
        frame[name] += by
    names = [one["name"] for one in bundle["columns"]]
    rows = frame[names].astype(object).where(frame[names].notna(), None).to_dict("records")
    facts = {
        "time": NOW, "model": "binary", "version": "binary@v1.0.0", "commit": "", "model_sha256": bundle["model_sha256"],
        "service": "full", "features_digest": bundle["features_digest"], "keys": {}, "request": {}, "statuses": {},
        "event_times": {}, "prediction": {},
    }  # fmt: skip
    return [PredictionRecord(id=new_id(NOW), features=row, **facts) for row in rows]


@pytest.fixture(autouse=True)
def trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FURROW_TRUST", "1")


def test_the_column_that_moved_is_named(world: Path) -> None:
    """Served as in training nothing moved for sure; with one column shifted that one did, and by the difference."""
    same = score_shift(world, _records(world))
    assert same.why == ""
    moved = score_shift(world, _records(world, visits=60.0))
    assert moved.moved[0].column == "visits"
    assert moved.moved[0].low > 0 or moved.moved[0].high < 0
    gap = moved.after - same.after
    assert abs(gap) > 0.05
    assert np.sign(moved.moved[0].value) == np.sign(gap)


def test_what_nobody_can_tell_is_said(world: Path) -> None:
    """Another model in this clone, redacted features, no such run."""
    records = _records(world)[:5]
    other = [replace(one, model_sha256="0" * 64) for one in records]
    assert "not the one in this clone" in score_shift(world, other).why
    hidden = [replace(one, redacted=("visits",)) for one in records]
    assert "redacted" in score_shift(world, hidden).why
    ghosts = [replace(one, model="ghost", version="ghost@v1.0.0") for one in records]
    assert "no run" in score_shift(world, ghosts).why


def test_shares_of_importance(world: Path) -> None:
    """They add up to one, of what the bundle says; a model that is not here has none."""
    path = world / "build/models/binary/bundle.json"
    facts = read_json(path)
    told = [{"feature": "visits", "importance": 0.3}, {"feature": "share", "importance": 0.1}]
    write_json(path, {**facts, "importance": [*told, {"feature": "x", "importance": None}]})
    assert importance_shares(world, "binary") == pytest.approx(
        {"visits": 0.75, "share": 0.25, "x": 0.0}
    )
    assert importance_shares(world, "ghost") == {}
    write_json(path, facts)
