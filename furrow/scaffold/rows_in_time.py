"""Whether a table's rows are known before the moments at which is predicted, under a tie."""

# ruff: noqa: S608 - names are quoted, and DuckDB reads landed files only

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb

from furrow.intake.quiet_db import quiet_db
from furrow.intake.table_profile import quoted
from furrow.intake.table_profile import relation as relation_of
from furrow.scaffold.joint_keys import key_value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from furrow.intake.table_profile import TableProfile
    from furrow.scaffold.answers import Answers
    from furrow.scaffold.entity_ties import Tie

__all__ = ["IN_TIME", "MOST_PAIRS", "in_time", "share_in_time", "with_tables"]

IN_TIME = 0.01
"""The share of a table's rows that come before the moment of a prediction, at the least."""

MOST_PAIRS = 20_000_000
"""Pairs of rows of one customer, of all, that are joined at the most."""


def in_time(
    answers: Answers, ties: Sequence[Tie], tables: Mapping[str, TableProfile]
) -> Tie | None:
    """The first tie under which rows come before the moment; None where they do under none.

    Args:
        answers: Who is predicted, and when.
        ties: How one table's rows may be tied, the likeliest first.
        tables: All tables.
    """
    for one in ties:
        if share_in_time(answers, one, tables) >= IN_TIME:
            return one
    return None


def share_in_time(answers: Answers, source: Tie, tables: Mapping[str, TableProfile]) -> float:
    """The share of a source's rows known at the last moment of whom they are about.

    1 where there is nothing to compare, or no file to read.

    Args:
        answers: Who is predicted, and when.
        source: How the rows are tied.
        tables: All tables.
    """
    if not (source.at and answers.at) or source.pairs > MOST_PAIRS:
        return 1.0
    entity, at = key_value(answers.entity), quoted(answers.at)
    known = f"s.{quoted(source.at)}" + (" + INTERVAL '1 day'" if source.dated else "")
    asked = f"SELECT {entity} AS e, max({at}) AS last FROM {quoted(answers.table)} GROUP BY 1"
    query = (
        f"SELECT avg(CASE WHEN {known} <= l.last THEN 1 ELSE 0 END) FROM {source.relation} AS s"
        f" JOIN ({asked}) AS l ON {key_value(source.entity, 's.')} = l.e"
        f" WHERE s.{quoted(source.at)} IS NOT NULL AND l.last IS NOT NULL"
    )
    try:
        with quiet_db() as db:
            with_tables(db, tables)
            share = db.execute(query).fetchall()[0][0]
    except duckdb.IOException:  # profiles whose files are elsewhere
        return 1.0
    return 1.0 if share is None else float(share)


def with_tables(db: duckdb.DuckDBPyConnection, tables: Mapping[str, TableProfile]) -> None:
    """Let SQL of the project name raw tables, as where it runs.

    Args:
        db: The connection.
        tables: What landed, by name.
    """
    for name, table in tables.items():
        db.execute(f"CREATE TEMP VIEW {quoted(name)} AS SELECT * FROM {relation_of(table.path)}")
