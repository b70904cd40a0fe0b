"""A folder of files scored by workers: the bytes of one file at a time, wherever it is done and however often it was stopped."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from furrow.files import read_json, write_json
from furrow.ground.hydra import ConfigError
from furrow.models.predict import open_model
from furrow.serving.batch_folder import FolderJob, engine_named, score_folder
from furrow.serving.batch_scores import BatchError, Job, score_file
from furrow.training.config import Engine
from tests.serving.test_batch_scores import rows_file


@pytest.fixture
def job(serving_world, tmp_path, monkeypatch):
    """Three files of rows, and a model with its record."""
    monkeypatch.setenv("FURROW_TRUST", "1")
    root = tmp_path / "world"
    shutil.copytree(serving_world.root, root)
    facts = read_json(root / "build/models/binary/bundle.json")
    known = {name: facts[name] for name in ("model_sha256", "predictor_sha256")}
    write_json(root / "runs/binary/record.json", known)
    rows = tmp_path / "rows"
    rows.mkdir()
    for number, count in enumerate((40, 1, 23)):
        rows_file(rows / f"{number}.parquet", count)
    return FolderJob(root, "binary", rows, tmp_path / "scored", online=True)


def _alone(job: FolderJob, name: str) -> pa.Table:
    out = job.out.parent / f"alone-{name}"
    model = open_model(job.root, job.experiment)
    score_file(Job(model, job.rows / name, out, online=True))
    return pq.read_table(out)


@pytest.mark.parametrize(
    "on",
    [
        Engine("sequential", 1, 1),
        Engine("loky", 2, 1),
        pytest.param(Engine("dask", 2, 1), marks=pytest.mark.long),
    ],
    ids=lambda one: one.backend,
)
def test_each_file_as_if_it_were_alone(job: FolderJob, on: Engine) -> None:
    """In this process, in two of this machine, on a Dask cluster: the same rows, and each is told of."""
    told: list[int] = []
    assert score_folder(job, on, advance=told.append) == 64
    assert sum(told) == 64
    assert sorted(path.name for path in job.out.iterdir()) == [
        "0.parquet",
        "1.parquet",
        "2.parquet",
    ]
    for name in ("0.parquet", "1.parquet", "2.parquet"):
        assert pq.read_table(job.out / name).equals(_alone(job, name))


def test_what_is_done_is_kept(job: FolderJob) -> None:
    """Joined results stay when they are whole, of this model and newer than their rows; others are made again."""
    past = FolderJob(job.root, job.experiment, job.rows, job.out)
    job.out.mkdir()
    facts = read_json(job.root / "build/models/binary/bundle.json")
    about = {"furrow.model": facts["model_sha256"], "furrow.run": "binary"}
    for name in ("0.parquet", "1.parquet", "2.parquet"):
        rows = pq.read_table(job.rows / name)
        pq.write_table(rows.replace_schema_metadata(about), job.out / name)
    one = Engine("sequential", 1, 1)
    before = {path.name: path.stat().st_mtime_ns for path in job.out.iterdir()}
    assert score_folder(past, one) == 64
    assert {path.name: path.stat().st_mtime_ns for path in job.out.iterdir()} == before
    os.utime(job.rows / "1.parquet", (2e9, 2e9))
    (job.out / "2.parquet").write_bytes(b"half")
    os.utime(job.out / "2.parquet", (2.1e9, 2.1e9))
    fresh = FolderJob(job.root, job.experiment, job.rows, job.out, online=True)
    score_folder(fresh, one)
    assert pq.read_table(job.out / "2.parquet").equals(_alone(job, "2.parquet"))


def test_a_folder_without_files_and_an_engine_that_is_not_declared(
    job: FolderJob, tmp_path
) -> None:
    empty = tmp_path / "nothing"
    empty.mkdir()
    with pytest.raises(BatchError, match="no Parquet file"):
        score_folder(FolderJob(job.root, "binary", empty, job.out), Engine("sequential", 1, 1))
    conf = job.root / "conf"
    assert engine_named(job.root, "local") == Engine()
    (conf / "engine").mkdir(parents=True)
    (conf / "config.yaml").write_text("defaults:\n  - engine: local\n  - experiment: ???\n")
    (conf / "engine/local.yaml").write_text(
        "# @package engine\nbackend: loky\nworkers: 3\nthreads: 1\n"
    )
    (conf / "engine/wide.yaml").write_text("backend: dask\nworkers: 9\n")
    assert engine_named(job.root, "local") == Engine("loky", 3, 1)
    assert engine_named(job.root, "wide") == Engine("dask", 9, 2)
    with pytest.raises(ConfigError, match="no engine 'nowhere'") as caught:
        engine_named(job.root, "nowhere")
    assert "there are: local, spark, wide" in caught.value.hint


def test_the_engines_that_this_repository_declares() -> None:
    """Where a config asks for an experiment, too."""
    root = Path(__file__).parents[2]
    for path in (root / "conf/engine").glob("*.yaml"):
        assert engine_named(root, path.stem).backend
