"""SQL in which DuckDB's columns(...) is written out: which columns a query asks the same of.

A copy for those who look at a query column by column; what runs is the text as it was written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
from sqlglot import exp

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["UnspelledError", "spelled_columns"]

_MOST = 50_000
"""Columns of a query that are written out at the most: honest ones have some thousands."""


class UnspelledError(ValueError):
    """Which columns are meant can't be told."""


def spelled_columns(tree: exp.Query, schema: Mapping[str, Mapping[str, str]]) -> exp.Query:
    """A query with its columns(...) written out; itself where it has none.

    Args:
        tree: The query.
        schema: Declared columns and types by relation.

    Raises:
        UnspelledError: Which columns are meant can't be told.
    """
    if tree.find(exp.Columns) is None:
        return tree
    copied = tree.copy()
    _names(copied, {name: list(columns) for name, columns in schema.items()})
    return copied


def _names(query: exp.Expression, known: Mapping[str, Sequence[str]]) -> list[str]:
    """The names of a query's columns; those of columns(...) are written out on the way."""
    for cte in query.args["with_"].expressions if query.args.get("with_") else ():
        known = {**known, cte.alias.lower(): _names(cte.this, known)}
    if isinstance(query, exp.Subquery):
        return _names(query.this, known)
    if isinstance(query, exp.SetOperation):
        sides = [_names(query.left, known), _names(query.right, known)]
        return _by_name(query, sides) if query.args.get("by_name") else sides[0]
    if not isinstance(query, exp.Select):
        raise UnspelledError(f"a {type(query).__name__}")
    there = [name for source in _sources(query) for name in _columns(source, known)]
    rows = {source.alias_or_name.lower() for source in _sources(query)} - set(there)
    written: list[exp.Expression] = []
    for projection in query.expressions:
        written += _written(projection, there)
        if len(written) > _MOST:
            raise UnspelledError(f"more than {_MOST} columns")
    for projection in written:
        if isinstance(projection, exp.Alias) and projection.this.name.lower() in rows:
            projection.set("this", exp.Null())  # a whole row: it is made of no column of its own
    query.set("expressions", written)
    return [name for one in written for name in (there if one.is_star else [one.alias_or_name])]


def _sources(select: exp.Select) -> Iterator[exp.Expression]:
    """What a SELECT reads."""
    begin = select.args.get("from_")
    if begin is not None:
        yield begin.this
    yield from (join.this for join in select.args.get("joins") or ())


def _columns(source: exp.Expression, known: Mapping[str, Sequence[str]]) -> Sequence[str]:
    """The columns of something that is read."""
    alias = source.args.get("alias")
    if alias is not None and alias.columns:
        return [column.name for column in alias.columns]
    if isinstance(source, exp.Subquery):
        return _names(source, known)
    return known.get(source.name.lower(), ())


def _written(projection: exp.Expression, there: Sequence[str]) -> Iterator[exp.Expression]:
    """A projection for each column that it is meant for; itself where it names none so."""
    asked = projection.find(exp.Columns)
    if asked is None:
        yield projection
        return
    chosen = _chosen(asked.this, there)
    if not chosen:
        raise UnspelledError(f"{asked.sql('duckdb')} names no column")
    pattern = asked.this.name if isinstance(asked.this, exp.Literal) else "(.*)"
    for name in chosen:
        one = projection.copy()
        for place in list(one.find_all(exp.Columns)):
            column = exp.column(name, quoted=True)
            if place is one:
                one = column
            else:
                place.replace(column)
        if isinstance(one, exp.Alias):
            one.set("alias", exp.to_identifier(_called(one.alias, pattern, name), quoted=True))
        elif not isinstance(one, exp.Column):
            one = exp.alias_(one, name, quoted=True)
        yield one


def _chosen(asked: exp.Expression, there: Sequence[str]) -> list[str]:
    """The columns that columns(...) names."""
    if isinstance(asked, exp.Literal) and asked.is_string:
        try:
            found = pc.match_substring_regex(pa.array(there, pa.string()), asked.name)
        except pa.ArrowInvalid as exc:
            raise UnspelledError(str(exc)) from exc
        return [name for name, fits in zip(there, found.to_pylist(), strict=True) if fits]
    if isinstance(asked, exp.Array):
        named = [one.name for one in asked.expressions]
        return [name for name in there if name in named] or named
    if isinstance(asked, exp.Star):
        out = {one.name.lower() for one in asked.args.get("except_") or ()}
        return [name for name in there if name.lower() not in out]
    raise UnspelledError(asked.sql("duckdb"))


def _called(alias: str, pattern: str, name: str) -> str:
    r"""What a column is called: its name for `\0`, what groups of the pattern hold for `\1`, ..."""
    if "\\" not in alias:
        return alias
    parts = alias.split("\\0")
    whole = f"(?s)^.*?(?:{pattern}).*$"
    return name.join(
        pc.replace_substring_regex(pa.scalar(name), whole, one).as_py() if one else ""
        for one in parts
    )


def _by_name(union: exp.SetOperation, sides: Sequence[Sequence[str]]) -> list[str]:
    """Both sides of a union by name with the same columns in one order: what one lacks is null."""
    names = list(dict.fromkeys([*sides[0], *sides[1]]))
    for side, there in zip((union.left, union.right), sides, strict=True):
        selects = [side] if isinstance(side, exp.Select) else list(_selects(side))
        for select in selects:
            if any(one.is_star for one in select.expressions):
                continue
            held = dict(zip(there, select.expressions, strict=True))
            null = {name: exp.alias_(exp.Null(), name, quoted=True) for name in names}
            select.set("expressions", [held.get(name, null[name]) for name in names])
    union.set("by_name", False)
    return names


def _selects(query: exp.Expression) -> Iterator[exp.Select]:
    """The SELECTs of a union."""
    if isinstance(query, exp.Select):
        yield query
    elif isinstance(query, exp.SetOperation):
        yield from _selects(query.left)
        yield from _selects(query.right)
