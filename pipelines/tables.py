"""Stage `tables_T`: build one feature table, features/tables/T.sql -> build/tables/T.parquet."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from furrow.errors import FurrowError
from furrow.ground.tables import build_table

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> int:
    """Build the table named on the command line; say what was written, or what is wrong."""
    parser = argparse.ArgumentParser(prog="python -m pipelines.tables", description="Build one feature table.")
    parser.add_argument("table", help="the table: T of features/tables/T.sql")
    parser.add_argument("--data-dir", type=Path, default=Path("data"))
    parser.add_argument("--sql-dir", type=Path, default=Path("features/tables"))
    parser.add_argument("--out-dir", type=Path, default=Path("build/tables"))
    parser.add_argument("--threads", type=int, default=None)
    options = parser.parse_args(arguments)
    name: str = options.table
    try:
        out = options.out_dir / f"{name}.parquet"
        report = build_table(options.sql_dir / f"{name}.sql", options.data_dir, out, threads=options.threads)
    except FurrowError as exc:
        print(f"error: {exc}", file=sys.stderr)
        return exc.exit_code
    print(f"{name}: {report.rows:,} rows, {len(report.columns)} columns, {report.size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
