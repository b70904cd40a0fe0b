"""Files scored, or counted, on Spark.

Each by the function that does one, on a worker that sees the same folders and has Furrow.

The master is that of FURROW_SPARK, such as spark://HOST:7077; without it Spark runs on this
machine.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TypeVar

from furrow.errors import FurrowError
from furrow.serving.batch_scores import BatchError
from furrow.stores.spark_join import PySparkException, SparkError, spark_session

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from furrow.training.config import Engine

__all__ = ["BACKEND", "MASTER", "on_spark"]

T = TypeVar("T")
BACKEND = "spark"
MASTER = "FURROW_SPARK"
_TRUST = "FURROW_TRUST"


def on_spark(work: Callable[[str], T], names: Sequence[str], on: Engine) -> list[T]:
    """Do some work for each name, a task each.

    Args:
        work: Is given a name; the workers import it.
        names: Of what there is to do.
        on: How many tasks run at once where no master is named.

    Returns:
        What it gave for each, in order.

    Raises:
        SparkError: There is no Spark, or a task was lost.
        BatchError: A piece of work failed.
    """
    # a worker takes this process for trusted as a process of this machine that it starts would
    given = {f"spark.executorEnv.{_TRUST}": os.environ[_TRUST]} if _TRUST in os.environ else {}
    session = spark_session(os.environ.get(MASTER) or f"local[{on.workers}]", given)
    if not names:
        return []

    def one(name: str) -> tuple[list[T], str, str]:
        try:
            return [work(name)], "", ""
        except FurrowError as exc:
            return [], exc.message, exc.hint

    try:
        done = session.sparkContext.parallelize(names, len(names)).map(one).collect()
    except PySparkException as exc:
        raise SparkError(_said(exc), hint="look into the workers' logs") from exc
    except Exception as exc:
        if type(exc).__module__.partition(".")[0] != "py4j":
            raise
        raise SparkError(_said(exc), hint="look into the workers' logs") from exc
    for name, (_, message, hint) in zip(names, done, strict=True):
        if message:
            raise BatchError(f"{name}: {message}", hint=hint)
    return [given for found, _, _ in done for given in found]


def _said(exc: Exception) -> str:
    lines = [line for line in str(exc).splitlines() if line.strip()]
    return f"Spark failed: {lines[-1].strip()[:300] if lines else type(exc).__name__}"
