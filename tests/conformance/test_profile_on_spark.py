"""Profiles of files counted on a real Spark cluster: the bytes that one machine gives."""

from __future__ import annotations

import pytest

from furrow.errors import FurrowError
from furrow.monitoring.profile_counts import count, reference_of
from furrow.monitoring.profile_parts import profile_parts
from furrow.serving.batch_spark import MASTER
from furrow.stores.spark_join import spark_session
from furrow.training.config import Engine
from tests.monitoring.test_profile_parts import parts_in, rows_of

pytestmark = pytest.mark.spark
SPARK = Engine("spark", 2, 1)


def test_the_same_bytes_as_on_one_machine(tmp_path, monkeypatch, spark_cluster, spark_settings):
    """A file that is none is named."""
    monkeypatch.setenv("FURROW_TRUST", "1")
    monkeypatch.setenv(MASTER, spark_cluster)
    spark_session(spark_cluster, {**spark_settings, "spark.executorEnv.FURROW_TRUST": "1"})
    files, whole = parts_in(tmp_path)
    bins = reference_of(rows_of(0, 500)).bins
    expected = count(whole, bins).to_bytes()
    assert profile_parts(files, bins, SPARK).to_bytes() == expected
    (tmp_path / "x.parquet").write_text("no")
    with pytest.raises(FurrowError, match=r"x\.parquet"):
        profile_parts([*files, tmp_path / "x.parquet"], bins, SPARK)
