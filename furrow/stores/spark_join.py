"""The join on a Spark cluster: the scale-out twin of `furrow.stores.join`.

The workers read the files through Arrow with `furrow.stores.source_rows`, one file a task: Spark's
own reader has other rules for partitions, names, types and times. So the workers need furrow, in
the Python that runs the driver, or that the setting spark.pyspark.python or the variable
PYSPARK_PYTHON names.

pyspark is an extra: without it this module imports, and says at use how to install it.
"""

from __future__ import annotations

import os
import re
import sys
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from furrow.errors import FurrowError, MissingExtraError
from furrow.stores.float_columns import canonical_table
from furrow.stores.join import time_unit
from furrow.stores.joined_columns import carried, feature_columns
from furrow.stores.source_rows import ORDINAL, read_file, rows_schema
from furrow.stores.sources import SourceError
from furrow.stores.spark_sql import spark_holds, to_spark, view_sql
from furrow.stores.timestamps import arrow_ticks

try:
    from pyspark.errors import PySparkException
    from pyspark.sql import SparkSession
    from pyspark.sql.pandas.types import from_arrow_schema
except ModuleNotFoundError:  # the extra is not installed
    SparkSession = None

    class PySparkException(Exception):  # type: ignore[no-redef]  # noqa: N818 - stands in for pyspark's
        """Never raised."""


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from furrow.stores.sources import Source, Wanted
    from furrow.stores.spine import Spine
    from furrow.stores.view import View

__all__ = ["PySparkException", "SparkError", "spark_join", "spark_session", "spark_table"]

_TASKS = 1000
_OURS = re.compile(r"SourceError: (.+)")

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
        MissingExtraError: pyspark is not installed.
        SparkError: There is no cluster.
    """
    if SparkSession is None:
        raise MissingExtraError("spark", "a join on Spark")
    builder = SparkSession.builder.master(master).appName("furrow")
    for name, value in {**settings, **_NEEDED}.items():
        builder = builder.config(name, value)
    try:
        session = builder.getOrCreate()
        for name in ("spark.sql.session.timeZone", "spark.sql.legacy.parquet.nanosAsLong"):
            session.conf.set(name, _NEEDED[name])
        given = settings.get("spark.pyspark.python") or os.environ.get("PYSPARK_PYTHON")
        session.sparkContext.pythonExec = given or sys.executable
    except (PySparkException, RuntimeError) as exc:
        raise SparkError(
            f"no Spark at {master}: {_first(exc)}", hint="start the cluster, or correct the master"
        ) from exc
    return session


def spark_join(
    session: Any, spine: Spine, views: Sequence[View], *, known_only: bool = False
) -> pa.Table:
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
        SourceError: A source can't be read, or a value can't be taken for its declared type.
    """
    columns = [*spine.table.columns]
    names = [*spine.table.column_names]
    for view in views:
        if not view.features:
            continue
        found = _found(session, spine, view, known_only=known_only)
        columns += feature_columns(view, found, spine.rows, spark_holds)
        names += [feature.output for feature in view.features]
    return pa.table(columns, names=names).replace_schema_metadata(spine.table.schema.metadata)


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
        raise SparkError(
            f"Spark failed: {_first(exc)}", hint="look into the workers' logs"
        ) from exc


def _found(session: Any, spine: Spine, view: View, *, known_only: bool) -> pa.Table:
    for key, type_ in zip(view.keys, view.key_types, strict=True):
        if not spark_holds(type_):
            message = f"{view.name}: Spark has no {type_}, the type of the key {key.column}"
            raise SparkError(message, hint="use furrow.ground.feast.offline.FurrowOfflineStore")
    name = uuid.uuid4().hex
    try:
        session.createDataFrame(spine.narrow(view)).createOrReplaceTempView(f"spine_{name}")
        unit = time_unit(view, spine)
        _rows(session, view.source, carried(view, spark_holds), unit).createOrReplaceTempView(
            f"rows_{name}"
        )
        sql = view_sql(
            view,
            unit,
            spine.unit,
            rows=f"rows_{name}",
            spine=f"spine_{name}",
            known_only=known_only,
        )
        return session.sql(sql).toArrow()
    except PySparkException as exc:
        ours = _OURS.search(str(exc))
        if ours:
            path = view.source.path
            raise SourceError(
                ours[1], path=path, hint="correct the file, or the type that is declared"
            ) from exc
        hint = (
            "see that the workers have furrow and reach the source's files, and look into their"
            " logs"
        )
        raise SparkError(f"Spark failed on {view.name}: {_first(exc)}", hint=hint) from exc
    finally:
        for kind in ("spine", "rows"):
            session.catalog.dropTempView(f"{kind}_{name}")


def _rows(session: Any, source: Source, wanted: Sequence[Wanted], unit: str) -> Any:
    """The rows c0, c1, ... and n, times as ticks of a unit, read by the workers."""
    fields = [
        pa.field(field.name, pa.int64()) if each.is_time else field
        for field, each in zip(rows_schema(source, wanted), wanted, strict=False)
    ]
    schema = pa.schema([*fields, (ORDINAL, pa.int64())])
    light = replace(source, files=tuple(replace(file, metadata=None) for file in source.files))
    count = len(source.files)
    numbers = session.range(0, count, 1, min(count, _TASKS))
    return numbers.mapInArrow(_reader(light, wanted, unit, schema), from_arrow_schema(schema))


def _reader(
    source: Source, wanted: Sequence[Wanted], unit: str, schema: pa.Schema
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """What a worker does: from numbers of files to their rows."""

    def read(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for number in batch.column(0).to_pylist():
                for table in read_file(source, number, wanted):
                    columns = [
                        arrow_ticks(column, unit) if each.is_time else column
                        for column, each in zip(table.columns, wanted, strict=False)
                    ]
                    yield from pa.table([*columns, table[ORDINAL]], schema=schema).to_batches()

    return read


def _first(exc: Exception) -> str:
    return str(exc).strip().splitlines()[0][:300]
