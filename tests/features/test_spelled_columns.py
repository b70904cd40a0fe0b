"""columns(...) written out is what DuckDB makes of it: the same columns, by the same names, with the same values."""

from __future__ import annotations

import duckdb
import pytest

from furrow.features.lineage import query_lineage
from furrow.features.spelled_columns import UnspelledError, spelled_columns
from furrow.features.sql import columns_read, parse_query

SCHEMA = {"t": {"k": "int64", "a": "int64", "b": "int64", "w_c": "string"}, "u": {"k": "int64", "d": "int64"}}  # fmt: skip
QUERIES = {
    "a list": r"""select k, columns(['a', 'b']) as "t_\0" from t""",
    "a list, no name": "select k, columns(['b', 'a']) from t",
    "a pattern": r"""select k, sum(columns('^(.)$')) as "sum_\1" from t group by k order by k""",
    "all but some": r"select columns(* exclude (w_c)) as x from t",
    "twice in one": r"""select k, columns('^(a|b)$') + columns('^(a|b)$') as "\1_2" from t""",
    "of a query": r"""with q as (select columns(['a', 'b']) as "n_\0" from t)
        select columns('^n_(.*)') as "\1", 1 as one from q""",
    "a union by name": r"""with q as (select k, columns(['a']) as "n_\0" from t
        union all by name select k, d as n_d from u)
        select k, columns('^n_(.*)') as "\1" from q order by all""",
    "a part of a row": r"""with q as (select k, {'x': columns(['a', 'b']), 'y': 1} as "s_\0" from t)
        select k, columns('^s_(.*)').x as "\1" from q""",
}


@pytest.mark.parametrize("query", list(QUERIES.values()), ids=list(QUERIES))
def test_what_duckdb_makes_of_it(query: str) -> None:
    """Names and rows of the query and of its copy without columns(...) are one."""
    spelled = spelled_columns(parse_query(query, origin="q"), SCHEMA).sql("duckdb")
    assert "COLUMNS(" not in spelled
    with duckdb.connect() as db:
        db.execute("create table t as select i as k, i * 2 as a, i * 3 as b, 'w' as w_c from range(3) r(i)")  # fmt: skip
        db.execute("create table u as select i as k, i * 5 as d from range(2) r(i)")
        wanted, found = db.sql(query), db.sql(spelled)
        assert found.columns == wanted.columns
        assert found.fetchall() == wanted.fetchall()


def test_what_is_read_is_known() -> None:
    """The raw columns behind features, and those that a digest covers, are those of the lists."""
    query = parse_query(QUERIES["of a query"], origin="q")
    assert query_lineage(query, SCHEMA) == {"a": ("t.a",), "b": ("t.b",), "one": ("t.*",)}
    assert columns_read(query, SCHEMA) == {"t": {"a": "int64", "b": "int64"}}


@pytest.mark.parametrize("asked", ["'^z'", "'('", "c -> c like 'a%'"])
def test_what_can_not_be_told(asked: str) -> None:
    """No such column, no pattern, a function: every declared column counts as read."""
    query = parse_query(f"select columns({asked}) from t", origin="q")
    with pytest.raises(UnspelledError):
        spelled_columns(query, SCHEMA)
    assert columns_read(query, SCHEMA) == {"t": SCHEMA["t"]}
    assert query_lineage(query, SCHEMA) == {}


def test_a_query_that_doubles_is_not_followed() -> None:
    """A chain of queries, each with twice the columns of the one before, ends."""
    parts = ["q0 as (select a, b from t)"]
    for at in range(1, 40):
        doubled = r"""columns(*) as "x\0", columns(*) as "y\0\""""[:-2] + '"'
        parts.append(f"q{at} as (select {doubled} from q{at - 1})")
    query = parse_query(f"with {', '.join(parts)} select columns(*) from q39", origin="q")
    with pytest.raises(UnspelledError, match="more than"):
        spelled_columns(query, SCHEMA)
