"""Feast's offline store on a Spark cluster, with the answers of the one on DuckDB.

In feature_store.yaml, with the extra furrow[spark]:

    offline_store:
        type: furrow.ground.feast.spark.FurrowSparkOfflineStore
        master: spark://host:7077
        spark: {spark.executor.memory: 4g}

The joins run on the workers, which must reach the sources' files and have furrow. Entity rows and
results pass through the driver; pulls and writes are the DuckDB store's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from furrow.ground.feast.offline import FurrowOfflineStore, Limits
from furrow.stores.spark_join import spark_join, spark_session

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pyarrow as pa

    from furrow.stores.spine import Spine
    from furrow.stores.view import View

__all__ = ["FurrowSparkOfflineStore", "FurrowSparkOfflineStoreConfig"]


class FurrowSparkOfflineStoreConfig(Limits):
    """The settings under `offline_store:` in feature_store.yaml."""

    type: Literal["furrow.ground.feast.spark.FurrowSparkOfflineStore"] = (
        "furrow.ground.feast.spark.FurrowSparkOfflineStore"
    )
    """Feast's name for this store."""

    master: str = "local[*]"
    """The cluster, such as spark://host:7077."""

    spark: dict[str, str] = Field(default_factory=dict)
    """Spark's own settings."""


class FurrowSparkOfflineStore(FurrowOfflineStore):
    """The joins on Spark, the rest as on DuckDB."""

    @staticmethod
    def _joiner(config: Any) -> Callable[..., Callable[[Spine], pa.Table]]:
        def start(
            _: Any, views: Sequence[View], *, known_only: bool
        ) -> Callable[[Spine], pa.Table]:
            session = spark_session(config.offline_store.master, config.offline_store.spark)
            return lambda spine: spark_join(session, spine, views, known_only=known_only)

        return start
