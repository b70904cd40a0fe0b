"""A folder of files scored on a real Spark cluster: the bytes of one file at a time on this machine."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest

from furrow.errors import FurrowError
from furrow.files import read_json, write_json
from furrow.models.predict import open_model
from furrow.serving.batch_folder import FolderJob, engine_named, score_folder
from furrow.serving.batch_scores import BatchError, Job, score_file
from furrow.serving.batch_spark import MASTER, on_spark
from furrow.stores.spark_join import spark_session
from furrow.training.config import Engine
from tests.serving.test_batch_scores import DEFINITIONS, STORE, rows_file
from tests.servingworld import build

pytestmark = pytest.mark.spark
SPARK = Engine("spark", 2, 1)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    root = tmp_path_factory.mktemp("batch") / "world"
    build(root)
    (root / "features/feature_store.yaml").write_text(STORE)
    (root / "features/definitions.py").write_text(DEFINITIONS)
    facts = read_json(root / "build/models/binary/bundle.json")
    known = {name: facts[name] for name in ("model_sha256", "predictor_sha256")}
    write_json(root / "runs/binary/record.json", known)
    return root


@pytest.fixture
def job(world, tmp_path, monkeypatch, spark_cluster, spark_settings):
    """Three files of rows, and a session of the cluster."""
    monkeypatch.setenv("FURROW_TRUST", "1")
    monkeypatch.setenv(MASTER, spark_cluster)
    spark_session(spark_cluster, {**spark_settings, "spark.executorEnv.FURROW_TRUST": "1"})
    rows = tmp_path / "rows"
    rows.mkdir()
    for number, count in enumerate((40, 1, 23)):
        rows_file(rows / f"{number}.parquet", count)
    return FolderJob(world, "binary", rows, tmp_path / "scored", online=True)


@pytest.mark.parametrize("online", [True, pytest.param(False, marks=pytest.mark.long)])
def test_the_same_bytes(job: FolderJob, tmp_path, online: bool) -> None:
    """From the online store, and joined: each file byte for byte what it is alone; what is broken is named."""
    asked = replace(job, online=online)
    told: list[int] = []
    assert score_folder(asked, SPARK, advance=told.append) == 64
    assert sum(told) == 64
    model = open_model(job.root, job.experiment)
    for name in ("0.parquet", "1.parquet", "2.parquet"):
        alone = tmp_path / f"alone-{name}"
        score_file(Job(model, job.rows / name, alone, online=online))
        assert (job.out / name).read_bytes() == alone.read_bytes()
    shutil.copy(__file__, job.rows / "3.parquet")
    with pytest.raises(FurrowError, match=r"3\.parquet"):
        score_folder(asked, SPARK)


def _fails(name: str) -> int:
    raise BatchError(f"no {name}", hint="mend it")


def test_a_failure_on_a_worker_is_told_here(job: FolderJob) -> None:
    with pytest.raises(BatchError, match="a: no a") as caught:
        on_spark(_fails, ["a", "b"], SPARK)
    assert caught.value.hint == "mend it"
    assert on_spark(len, [], SPARK) == []


def test_spark_needs_no_file(tmp_path) -> None:
    assert engine_named(tmp_path, "spark").backend == "spark"
