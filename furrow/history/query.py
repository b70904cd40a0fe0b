"""Questions to the index.

Which columns there are, and the rows of a scope, filtered, sorted and cut short.
"""

from __future__ import annotations

import sqlite3
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from furrow.history.metric_order import METRIC_ORDER
from furrow.history.runs_index import BOOLEAN, INTEGER, TABLES, TEXT, is_damage
from furrow.history.where import FilterError, UnknownColumnError, guard, translate
from furrow.parse import parse_json

__all__ = ["Column", "Query", "Rows", "columns_of", "select"]

_BASE = {
    "name": ("runs.name", TEXT, "the experiment"),
    "run": (
        "runs.name || '@' || lower(substr(hex(l.oid), 1, 10))",
        TEXT,
        "a name for the run that other commands take",
    ),
    "model": ("runs.model", TEXT, "the kind of model: gbm, forest, logistic, ..."),
    "status": ("runs.status", TEXT, "ok, declared (not run yet) or damaged"),
    "problem": ("runs.problem", TEXT, "what is damaged"),
    "date": ("f.date", TEXT, "when the run was first committed, UTC"),
    "last_date": ("l.date", TEXT, "when a commit last had it, UTC"),
    "commit": ("lower(hex(l.oid))", TEXT, "the last commit that has it"),
    "first_commit": ("lower(hex(f.oid))", TEXT, "the first commit that has it"),
    "commits": ("s.commits", INTEGER, "how many commits have it"),
    "author": ("f.author", TEXT, "who first committed it"),
    "subject": ("f.subject", TEXT, "the first commit's subject"),
    "tree": ("lower(hex(runs.tree))", TEXT, "the id of its folder's tree: its content"),
}
_ALIASES = {
    "experiment": "name",
    "last_commit": "commit",
    "first_date": "date",
    "message": "subject",
}
SHOWN = ("run", "date", "model", "commits")
AT_MOST = 5
_BEFORE = 5
"""What is read of each run before the columns that were asked for."""


class Column(NamedTuple):
    """A column of the list of runs.

    Attributes:
        name: As filters and output call it.
        place: Where it comes from: "run", "metric", "config" or "record".
        sql: The expression behind it.
        types: Which types its values have: a sum of INTEGER, REAL, TEXT and BOOLEAN.
    """

    name: str
    place: str
    sql: str
    types: int


class Query(NamedTuple):
    """What to list of a scope.

    Attributes:
        where: A filter; empty for none.
        sort: Columns to sort by, the first counts most; "-" before one turns it round. Newest first
            when empty.
        columns: Names or patterns ("model.*"); the usual ones when empty.
        limit: How many rows at most; None for all.
        offset: How many rows are passed over before; with a limit.
    """

    where: str = ""
    sort: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    limit: int | None = None
    offset: int = 0


class Rows(NamedTuple):
    """An answer.

    Attributes:
        columns: Of the rows.
        rows: Values in the order of the columns; NaN where a metric is NaN, None where there is
            nothing.
        total: How many rows there would be without the limit.
        problems: Runs among the rows that are damaged: (run, what is wrong).
        results: Of each row the run's name and the hash of what it predicted, empty where it says
            none.
    """

    columns: tuple[Column, ...]
    rows: list[tuple[Any, ...]]
    total: int
    problems: list[tuple[str, str]]
    results: list[tuple[str, str]] = []  # noqa: RUF012 - a tuple's default, which nobody changes


def columns_of(connection: sqlite3.Connection) -> dict[str, Column]:
    """Every column by name.

    A key of a config that is also a metric or a fact of the run is called config.KEY.
    """
    found = {name: Column(name, "run", sql, types) for name, (sql, types, _) in _BASE.items()}
    stored = connection.execute("SELECT id, place, key, types FROM columns ORDER BY id").fetchall()
    for place in ("metric", "config", "record"):
        table = TABLES[place]
        for number, where, key, types in stored:
            if where == place:
                name = key if key not in found else f"{place}.{key}"
                found[name] = Column(name, place, f"{table}.c{number}", types)
    return found


def _names(columns: dict[str, Column]) -> dict[str, str]:
    """The SQL of every name that a filter may use, other names of columns included."""
    names = {name: f"({_compared(column)})" for name, column in columns.items()}
    for name, column in columns.items():
        if column.place != "run":
            names.setdefault(f"{column.place}.{name}", names[name])
    for alias, name in _ALIASES.items():
        names.setdefault(alias, names[name])
    return names


def _compared(column: Column) -> str:
    """What filters and sorting compare.

    Where a metric is a number in some runs, text in others is nothing.
    """
    if column.place == "metric" and column.types & TEXT and column.types != TEXT:
        return f"CASE typeof({column.sql}) WHEN 'text' THEN NULL ELSE {column.sql} END"
    return column.sql


def _shown(columns: dict[str, Column], patterns: tuple[str, ...], used: set[str]) -> list[Column]:
    """The columns asked for; or the usual ones and those that the filter and the sort speak of."""
    if not patterns:
        metrics = [
            name for name, column in columns.items() if column.place == "metric" and column.types
        ]
        best = [name for name in METRIC_ORDER if name in metrics]
        names = [*SHOWN, *(best or metrics)[:AT_MOST]]
        extra = [name for name in columns if name in used and name not in {*names, "name"}]
        return [columns[name] for name in (*names, *extra)]
    shown: dict[str, Column] = {}
    for pattern in patterns:
        plain = _ALIASES.get(pattern, pattern)
        matching = (
            [plain] if plain in columns else [name for name in columns if fnmatchcase(name, plain)]
        )
        if plain == "metrics":  # there may be none
            matching = [name for name, column in columns.items() if column.place == "metric"]
        elif not matching:
            raise UnknownColumnError(pattern, columns, where="--columns")
        shown.update((name, columns[name]) for name in matching)
    return list(shown.values())


def _order(sort: tuple[str, ...], names: dict[str, str]) -> tuple[str, set[str]]:
    """The SQL of an order, newest first in the end, and the columns in it."""
    parts, used = [], set()
    for text in sort:
        name, descending = text.strip().lstrip("-+"), text.strip().startswith("-")
        words = name.split()
        if len(words) == 2 and words[1].lower() in {"asc", "desc"}:
            name, descending = words[0], words[1].lower() == "desc"
        if name not in names:
            raise UnknownColumnError(name, names, where="--sort")
        used.add(name)
        expression = "s.rank" if _ALIASES.get(name, name) == "date" else names[name]
        parts.append(f"{expression} {'DESC' if descending else 'ASC'} NULLS LAST")
    return ", ".join([*parts, "s.rank DESC", "s.run DESC"]), used


def select(connection: sqlite3.Connection, scope: int, query: Query) -> Rows:
    """The runs of a scope.

    Args:
        connection: The index.
        scope: Number of the scope.
        query: What to list.

    Raises:
        UnknownColumnError: A filter, a sort or a pattern names a column that there isn't.
        FilterError: The filter is no expression over columns.
    """
    columns = columns_of(connection)
    names = _names(columns)
    condition, filtered_by = translate(query.where, names) if query.where else ("", set())
    order, sorted_by = _order(query.sort, names)
    shown = _shown(columns, query.columns, filtered_by | sorted_by)
    predicted = columns.get("predictions_sha256")
    result = predicted.sql if predicted and predicted.place == "record" else "NULL"
    before = ("runs.exact", "runs.problem", _BASE["run"][0], "runs.name", result)
    values = ", ".join([*before, *(column.sql for column in shown)])
    inside = "s.scope = :scope" + (f" AND ({condition})" if condition else "")
    lift = guard(connection)
    try:
        rows, total = _rows(connection, scope, query, _Parts(values, inside, condition, order))
    except sqlite3.Error as exc:
        if condition and not is_damage(exc):
            hint = "for example: roc_auc > 0.75 and model = 'gbm'"
            raise FilterError(
                f"--where: {query.where!r} is not an expression: {exc}", hint=hint
            ) from exc
        raise
    finally:
        lift()
    problems = [(row[2], row[1]) for row in rows if row[1]]
    results = [(str(row[3]), str(row[4] or "")) for row in rows]
    return Rows(tuple(shown), _finished(rows, shown), total, problems, results)


class _Parts(NamedTuple):
    """Of a statement: all of them were put together from tokens that where.py let pass, none from text as typed."""

    values: str
    inside: str
    condition: str
    order: str


def _rows(
    connection: sqlite3.Connection, scope: int, query: Query, sql: _Parts
) -> tuple[list[tuple[Any, ...]], int]:
    """Rows, and how many there would be without the limit.

    With a limit, the runs are found first, from the tables that the filter and the order need and
    no other; then the few that are left are read whole.
    """
    arguments: dict[str, int] = {"scope": scope}
    limit, offset = query.limit, max(0, query.offset)
    if limit is None:
        tables = _tables(f"{sql.values} {sql.condition} {sql.order}")
        rows = connection.execute(
            f"SELECT {sql.values} FROM {tables} WHERE {sql.inside} ORDER BY {sql.order}",  # noqa: S608
            arguments,
        ).fetchall()
        return rows, len(rows)
    tables = _tables(f"{sql.condition} {sql.order}")
    statement = f"SELECT s.run FROM {tables} WHERE {sql.inside} ORDER BY {sql.order}"  # noqa: S608
    part = f"{statement} LIMIT {int(limit)} OFFSET {int(offset)}"
    found = connection.execute(part, arguments).fetchall()
    if sql.condition and 0 < len(found) < limit:  # the last of them are among these
        total = offset + len(found)
    elif sql.condition:
        count = f"SELECT count(*) FROM {_tables(sql.condition)} WHERE {sql.inside}"  # noqa: S608
        total = connection.execute(count, arguments).fetchone()[0]
    else:
        total = connection.execute(
            "SELECT runs FROM scopes WHERE id = :scope", arguments
        ).fetchone()[0]
    one = f"SELECT {sql.values} FROM {_tables(sql.values)} WHERE s.scope = :scope AND s.run = :run"  # noqa: S608
    return [
        connection.execute(one, {**arguments, "run": run}).fetchone() for (run,) in found
    ], total


def _finished(rows: list[tuple[Any, ...]], shown: list[Column]) -> list[tuple[Any, ...]]:
    """The values that were asked for.

    Metrics that SQLite can't hold (NaN, large integers), and booleans as such.
    """
    booleans = [at for at, column in enumerate(shown, start=_BEFORE) if column.types == BOOLEAN]
    metrics = {
        column.name.removeprefix("metric."): at
        for at, column in enumerate(shown, _BEFORE)
        if column.place == "metric"
    }
    finished = []
    for row in rows:
        if row[0] is None and not booleans:
            finished.append(row[_BEFORE:])
            continue
        values = list(row)
        for at in booleans:
            values[at] = None if row[at] is None else bool(row[at])
        for name, value in (parse_json(row[0]) if row[0] else {}).items():
            if name in metrics:
                values[metrics[name]] = value
        finished.append(tuple(values[_BEFORE:]))
    return finished


def _tables(sql: str) -> str:
    """The tables that some SQL needs, joined."""
    tables = "spans s"
    if "runs." in sql:
        tables += " JOIN runs ON runs.id = s.run"
    for table in ("configs", "records"):
        if f"{table}." in sql:
            tables += f" JOIN {table} ON {table}.id = s.run"
    if "f." in sql:
        tables += " JOIN commits f ON f.id = s.first"
    if "l." in sql:
        tables += " JOIN commits l ON l.id = s.last"
    return tables
