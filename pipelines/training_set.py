"""Stage `training_set@S`: every flight with its label, and a feature service as it was two hours before departure."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import furrow.ground.feast.offline  # noqa: F401 - Feast loads it by name: the join is part of this stage's code
from furrow.errors import FurrowError
from furrow.ground.feast.retrieve import historical_features
from furrow.ground.tables import TableError, run_sql, write_parquet

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["main", "spine"]

_SPINE = """
select
    carrier, flight, origin, dest, tailnum, scheduled_departure, distance,
    scheduled_departure - interval '2 hours' as event_timestamp,
    strftime(timezone('America/New_York', scheduled_departure), '%Y-%m') as month,
    cast(extract(hour from timezone('America/New_York', scheduled_departure)) as smallint) as hour,
    cast(case when status <> 'landed' or arrival_delay >= 15 then 1 else 0 end as tinyint) as late
from flights
order by event_timestamp, carrier, flight, origin
"""


def spine(data_dir: Path) -> pa.Table:
    """Every flight of the raw data: its keys, its prediction time, its label, sorted by the time of prediction.

    Args:
        data_dir: The folder of raw data.

    Returns:
        One row for each flight.

    Raises:
        TableError: The raw data is missing or unreadable, or there are no flights, or one comes twice.
    """
    rows = run_sql(_SPINE, data_dir, sql_file=Path(__file__))
    keys = ["carrier", "flight", "origin", "scheduled_departure"]
    distinct = rows.select(keys).group_by(keys).aggregate([]).num_rows
    if not rows.num_rows or distinct != rows.num_rows:
        raise TableError(
            f"{data_dir}/flights holds {rows.num_rows} flights, {distinct} of them distinct by {', '.join(keys)}",
            path=data_dir,
            hint="check the data against its contract: furrow data check",
        )
    return rows


def main(arguments: list[str] | None = None) -> int:
    """Build the training set of the service named on the command line; say what was written, or what is wrong."""
    parser = argparse.ArgumentParser(prog="python -m pipelines.training_set", description="Build one training set.")
    parser.add_argument("service", help="the feature service, as features/services.py names it")
    parser.add_argument("--data-dir", type=Path, default=Path("data"))
    parser.add_argument("--repo-dir", type=Path, default=Path("features"))
    parser.add_argument("--out-dir", type=Path, default=Path("build/training"))
    options = parser.parse_args(arguments)
    try:
        joined = historical_features(options.repo_dir, options.service, spine(options.data_dir))
        write_parquet(joined, options.out_dir / f"{options.service}.parquet")
    except FurrowError as exc:
        print(f"error: {exc}", file=sys.stderr)
        return exc.exit_code
    print(f"{options.service}: {joined.num_rows:,} flights, {len(joined.column_names) - 11} features")
    return 0


if __name__ == "__main__":
    sys.exit(main())
