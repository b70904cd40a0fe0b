"""Filters: one boolean expression over known columns, and nothing else."""

from __future__ import annotations

import sqlite3
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from furrow.history.where import FilterError, UnknownColumnError, guard, translate

PIECES = [
    *[
        "roc_auc",
        "model",
        "(",
        ")",
        ";",
        "--",
        "/*",
        "*/",
        "select",
        "union",
        "x",
        "0.5",
        "=",
        "or",
        "and",
        "drop",
        "table",
        "secret",
    ],
    "'",
    '"',
    "not",
    ",",
]
PIECES += ["abs", "case", "end", "-", "."]
COLUMNS = {
    name: f'("{name}")'
    for name in ("roc_auc", "model", "model.rate", "scikit-learn", "rows", "name", "in")
}


@pytest.fixture
def table() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    names = ", ".join(f'"{name}"' for name in COLUMNS)
    connection.execute(f"CREATE TABLE t ({names})")
    connection.execute("INSERT INTO t VALUES (0.8, 'gbm', 0.1, '1.9', 100, 'it''s', 1)")
    connection.execute("CREATE TABLE secret (x)")
    return connection


@pytest.mark.parametrize(
    "text",
    [
        "roc_auc > 0.75 and model = 'gbm'",
        "ROC_AUC>.75 AND NOT (model<>'gbm' OR rows is null)",
        "model.rate between 1e-2 and 0.5",
        "model in ('gbm', 'forest') and name like 'it%'",
        "name = 'it''s'",
        "\"scikit-learn\" = '1.9' and scikit-learn glob '1*'",
        "case when rows > 1 then true else false end",
        "round(roc_auc * 100) - 80 = 0 and length(model) = 3 and coalesce(rows, 0) % 7 = 2",
        "model.rate*2<-1 or -model.rate<0",
        "name not like '%; drop table secret --%'",
    ],
)
def test_expressions_that_hold(table: sqlite3.Connection, text: str) -> None:
    """Comparisons, arithmetic, lists, patterns, cases and a few functions, in any spelling."""
    sql, used = translate(text, COLUMNS)
    guard(table)
    assert table.execute(f"SELECT count(*) FROM t WHERE ({sql})").fetchone() == (1,)
    assert used or "case" in text


@pytest.mark.parametrize(
    "text",
    [
        "1=1; DROP TABLE secret",
        "1=1) UNION SELECT * FROM secret --",
        "roc_auc > (SELECT max(x) FROM secret)",
        "EXISTS (SELECT 1 FROM secret)",
        "1=1 /* hidden */",
        "1=1 -- hidden",
        "name = '\udcff'",
        "load_extension('x')",
        "readfile('/etc/passwd') is not null",
        "randomblob(1000000000) is null",
        "writefile ('x', 'y')",
        "roc_auc > 0.5 LIMIT 1",
        "secret.x = 1",
        '\'a\' = "x""" OR 1',
        "?1 = 1",
        ":a = 1",
        "@a = 1",
        "$a = 1",
        "`roc_auc` = 1",
        "[roc_auc] = 1",
        "roc_auc = 'open",
        "(roc_auc > 0.5",
        "roc_auc > 0.5)",
        "1=0) OR (1=1",
        "(" * 200 + "1" + ")" * 200,
        "1" * 20_000,
        "0x10 = 16",
        "name = x'00'",
        "name collate nocase = 'x'",
        "",
        "   ",
        "roc_auc > 0.5\0",
        "model = “gbm”",
    ],
)
def test_what_is_no_expression_over_columns_is_refused(text: str) -> None:
    """Statements, sub-queries, comments, parameters, other quoting, other functions."""
    with pytest.raises(FilterError):
        translate(text, COLUMNS)


def test_a_wrong_column_suggests_the_right_one() -> None:
    """A typing error, another case and a short name are answered with the column; quotes are explained."""
    with pytest.raises(UnknownColumnError) as caught:
        translate("rocauc > 0.5", COLUMNS)
    assert "roc_auc" in caught.value.suggestions
    with pytest.raises(UnknownColumnError) as caught:
        translate("rate > 0.5", COLUMNS)
    assert caught.value.suggestions == ("model.rate",)
    with pytest.raises(UnknownColumnError, match="ext takes single quotes"):
        translate('model = "gbm"', COLUMNS)
    with pytest.raises(FilterError, match="spaces around the minus"):
        translate("rows-name > 1", COLUMNS)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.sampled_from(PIECES),
        max_size=12,
    )
)
def test_no_text_does_more_than_filter(words: list[str]) -> None:
    """Whatever passes runs as one condition, or SQLite refuses its grammar; nothing else is ever touched."""
    try:
        sql, _ = translate(" ".join(words), COLUMNS)
    except FilterError:
        return
    connection = sqlite3.connect(":memory:", isolation_level=None)
    names = ", ".join(f'"{name}"' for name in COLUMNS)
    connection.executescript(f"CREATE TABLE t ({names}); CREATE TABLE secret (x);")
    guard(connection)
    with suppress(sqlite3.OperationalError):
        connection.execute(f"SELECT 1 FROM t WHERE ({sql})").fetchall()
    assert connection.execute("SELECT count(*) FROM secret").fetchone() == (0,)


def test_the_guard_refuses_what_would_slip_through(table: sqlite3.Connection) -> None:
    """The second line of defence, tried alone."""
    lift = guard(table)
    for statement in (
        "DROP TABLE secret",
        "INSERT INTO t SELECT * FROM t",
        "PRAGMA user_version",
        "ATTACH 'x' AS y",
    ):
        with pytest.raises(sqlite3.DatabaseError):
            table.execute(statement)
    with pytest.raises(sqlite3.DatabaseError):
        table.execute("SELECT randomblob(10)")
    lift()
    table.execute("DROP TABLE secret")
