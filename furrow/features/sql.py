"""The SQL of a feature table: its canonical form, the raw relations it reads, and their columns."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.normalize_identifiers import normalize_identifiers
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import traverse_scope

from furrow.errors import FurrowError
from furrow.features.spelled_columns import UnspelledError, spelled_columns
from furrow.time_limit import time_limit

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SqlError", "canonical", "columns_read", "parse_query", "reads"]

DIALECT = "duckdb"
RELATION = re.compile(r"\w+\Z")
PARSING = 120
"""Seconds of processor time to parse or resolve one query."""


class SqlError(FurrowError):
    """The SQL of a feature table can't be understood.

    Args:
        origin: The file.
        why: What is wrong.
        hint: The next step.
    """

    def __init__(self, origin: str, why: str, *, hint: str = "") -> None:
        super().__init__(f"{origin}: {why}", hint=hint)
        self.origin = origin


def parse_query(text: str, *, origin: str) -> exp.Query:
    """Parse the one query of a feature table.

    Args:
        text: The SQL, in DuckDB's dialect.
        origin: The file, for errors.

    Returns:
        SQLGlot's tree, without comments.

    Raises:
        SqlError: It does not parse, or is not exactly one query.
        TooLongError: Parsing takes longer than that of any honest query.
    """
    try:
        with time_limit(PARSING, f"{origin}: parsing it"):
            statements = [tree for tree in sqlglot.parse(text, dialect=DIALECT) if tree is not None]
    except SqlglotError as exc:
        problem = exc.errors[0] if getattr(exc, "errors", None) else {}
        place = (
            f"line {problem['line']}: {problem['description']}"
            if problem.get("line")
            else str(exc).split("\n")[0]
        )
        raise SqlError(origin, place, hint="the SQL is DuckDB's dialect, one SELECT") from exc
    except RecursionError as exc:
        raise SqlError(origin, "is nested too deeply", hint="take some of it apart") from exc
    statements = [tree for tree in statements if not isinstance(tree, exp.Semicolon)]
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        what = (
            f"{len(statements)} statements"
            if len(statements) != 1
            else type(statements[0]).__name__.upper()
        )
        raise SqlError(
            origin, f"holds {what} where one SELECT belongs", hint="a feature table is one query"
        )
    for node in statements[0].walk():
        node.pop_comments()
    return statements[0]


def canonical(tree: exp.Query) -> str:
    """One text for one query: comments, white space and the case of keywords do not show in it."""
    return str(tree.sql(dialect=DIALECT, comments=False, pretty=False))


def reads(tree: exp.Query, *, origin: str = "the query") -> tuple[str, ...]:
    """The raw relations that a query reads, sorted, in lower case; its own CTEs are not among them.

    Args:
        tree: The query.
        origin: The file, for errors.

    Raises:
        SqlError: It reads a file, a catalog or another database: no digest could cover that.
    """
    names = set()
    for scope in traverse_scope(normalize_identifiers(tree.copy(), dialect=DIALECT)):
        for source in scope.sources.values():
            if not isinstance(source, exp.Table) or isinstance(source.this, exp.GenerateSeries):
                continue
            if (
                source.db
                or not isinstance(source.this, exp.Identifier)
                or not RELATION.match(source.name)
            ):
                hint = "name the raw tables and feature tables as relations: FROM orders"
                raise SqlError(
                    origin, f"reads {source.sql(dialect=DIALECT)[:80]} directly", hint=hint
                )
            names.add(source.name)
    return tuple(sorted(names))


def columns_read(
    tree: exp.Query, schema: Mapping[str, Mapping[str, str]]
) -> dict[str, dict[str, str]]:
    """The raw columns that a query reads, with their declared types.

    Args:
        tree: The query.
        schema: Declared columns and types by relation.

    Returns:
        By relation, the columns read; every declared column where the query can't be resolved
        column by column.
    """
    known = {name: dict(schema[name]) for name in reads(tree) if name in schema}
    if not known:
        return {}
    try:
        with time_limit(PARSING, "finding the columns that a query reads"):
            resolved = qualify(
                spelled_columns(tree, known).copy(),
                dialect=DIALECT,
                schema=known,
                validate_qualify_columns=False,
            )
            scopes = traverse_scope(resolved)
    except (SqlglotError, RecursionError, UnspelledError):
        return known
    found: dict[str, dict[str, str]] = {name: {} for name in known}
    for scope in scopes:
        for column in scope.columns:
            source = scope.sources.get(column.table)
            if (
                isinstance(source, exp.Table)
                and source.name in known
                and column.name in known[source.name]
            ):
                found[source.name][column.name] = known[source.name][column.name]
            elif not column.table:
                for name, columns in known.items():
                    if column.name in columns:
                        found[name][column.name] = columns[column.name]
    return found
