"""The join on a Spark cluster: the scale-out twin of `furrow.stores.join`.

pyspark is an extra: without it this module imports, and says at use how to install it.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from furrow.errors import FurrowError
from furrow.stores.float_columns import canonical_table
from furrow.stores.join import time_unit
from furrow.stores.spark_sql import to_spark, view_sql

try:
    from pyspark.errors import PySparkException
    from pyspark.sql import SparkSession
except ModuleNotFoundError:  # the extra is not installed
    SparkSession = None

    class PySparkException(Exception):  # type: ignore[no-redef]  # noqa: N818 - stands in for pyspark's
        """Never raised."""


if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from furrow.stores.spine import Spine
    from furrow.stores.view import View

__all__ = ["SparkError", "spark_join", "spark_session", "spark_table"]

_NEEDED = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.legacy.parquet.nanosAsLong": "true",  # Spark's own times end at microseconds
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}


class SparkError(FurrowError):
    """Spark is not installed, not reachable, or failed."""


def spark_session(master: str, settings: Mapping[str, str]) -> Any:
    """Connect to a cluster, or take the session that is there.

    Args:
        master: Such as spark://host:7077 or local[2].
        settings: Spark's settings.

    Raises:
        SparkError: pyspark is not installed, or there is no cluster.
    """
    if SparkSession is None:
        raise SparkError("pyspark is not installed", hint="install it: pip install 'furrow[spark]'")
    builder = SparkSession.builder.master(master).appName("furrow")
    for name, value in {**settings, **_NEEDED}.items():
        builder = builder.config(name, value)
    try:
        session = builder.getOrCreate()
        for name in ("spark.sql.session.timeZone", "spark.sql.legacy.parquet.nanosAsLong"):
            session.conf.set(name, _NEEDED[name])
    except (PySparkException, RuntimeError) as exc:
        raise SparkError(
            f"no Spark at {master}: {_first(exc)}", hint="start the cluster, or correct the master"
        ) from exc
    return session


def spark_join(session: Any, spine: Spine, views: Sequence[View], *, known_only: bool = False) -> pa.Table:
    """Join views to a spine on the cluster.

    Args:
        session: The Spark session.
        spine: The rows; they come back unchanged, each once, in their order.
        views: What to join; their sources must be where the workers can read them.
        known_only: Count a value only from its created time on.

    Returns:
        The spine's columns followed by the features, view by view.

    Raises:
        SparkError: The query failed.
    """
    columns = dict(zip(spine.table.column_names, spine.table.columns, strict=True))
    for view in views:
        if not view.features:
            continue
        found = _found(session, spine, view, known_only=known_only)
        place = np.empty(spine.rows, dtype=np.int64)
        place[found["row"].to_numpy()] = np.arange(spine.rows)
        for i, feature in enumerate(view.features):
            values = found[f"v{i}"].take(pa.array(place))
            columns[feature.output] = values.cast(view.type_of(feature.column))
    return pa.table(columns).replace_schema_metadata(spine.table.schema.metadata)


def spark_table(session: Any, sql: str, tables: Mapping[str, Path]) -> pa.Table:
    """Build a feature table on the cluster from the SQL that DuckDB runs.

    Args:
        session: The Spark session.
        sql: The SQL, in DuckDB's dialect.
        tables: The file or folder of each relation that it reads.

    Raises:
        SparkError: The query failed.
    """
    try:
        for name, path in tables.items():
            session.read.parquet(str(path)).createOrReplaceTempView(name)
        return canonical_table(session.sql(to_spark(sql)).toArrow())
    except PySparkException as exc:
        raise SparkError(f"Spark failed: {_first(exc)}", hint="look into the workers' logs") from exc


def _found(session: Any, spine: Spine, view: View, *, known_only: bool) -> pa.Table:
    name = uuid.uuid4().hex
    try:
        session.createDataFrame(spine.narrow(view)).createOrReplaceTempView(f"spine_{name}")
        _read(session, view).createOrReplaceTempView(f"rows_{name}")
        unit = time_unit(view, spine)
        sql = view_sql(view, unit, spine.unit, rows=f"rows_{name}", spine=f"spine_{name}", known_only=known_only)
        return session.sql(sql).toArrow()
    except PySparkException as exc:
        hint = "see that the workers reach the source's files, and look into their logs"
        raise SparkError(f"Spark failed on {view.name}: {_first(exc)}", hint=hint) from exc
    finally:
        for kind in ("spine", "rows"):
            session.catalog.dropTempView(f"{kind}_{name}")


def _read(session: Any, view: View) -> Any:
    """The source's rows with their place, which is lost behind a view unless it is selected."""
    if view.source.files:
        paths = [str(file) for file in view.source.files]
        base = _base(view.source.files) if any("=" in path for path in paths) else None
        reader = session.read.option("basePath", str(base)) if base else session.read
    else:
        paths, reader = [view.source.path], session.read
    return reader.parquet(*paths).select("*", "_metadata")


def _base(files: Sequence[Path]) -> Path:
    """The folder above the first Hive partition."""
    parts = files[0].parts
    first = next(i for i, part in enumerate(parts) if "=" in part)
    return files[0].parents[len(parts) - first - 1]


def _first(exc: Exception) -> str:
    return str(exc).strip().splitlines()[0][:300]
