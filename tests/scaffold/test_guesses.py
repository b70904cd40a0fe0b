"""The guesses of `furrow init`, each from what a profile says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from furrow.intake.table_profile import ColumnProfile, Reference, TableProfile
from furrow.scaffold.answer_error import AnswerError, held_as, near
from furrow.scaffold.answers import Answers
from furrow.scaffold.entity_ties import tie
from furrow.scaffold.key_guess import entity_of, moment_of
from furrow.scaffold.label_guess import checked_task, guess_task, label_of, positive_value
from furrow.scaffold.split_guess import Timed, guess_split, guess_start
from furrow.scaffold.wrapping import wrapped

DAY = datetime(2023, 1, 1, tzinfo=UTC)


def column(name: str, kind: str = "int64", distinct: int = 100, **facts: Any) -> ColumnProfile:
    known = {
        "rows": 100,
        "nulls": 0,
        "least": DAY if kind == "timestamp" else 0,
        "most": DAY if kind == "timestamp" else 9,
    }
    return ColumnProfile(name=name, kind=kind, distinct=distinct, **{**known, **facts})


def table(name: str, *columns: ColumnProfile, keys: tuple[str, ...] = ()) -> TableProfile:
    return TableProfile(
        name, Path(f"{name}.parquet"), 100, {one.name: one for one in columns}, keys
    )


@pytest.mark.parametrize(
    ("label", "task"),
    [
        (column("left", "bool", 2), "binary"),
        (column("left", "int64", 2), "binary"),
        (column("left", "string", 2), "binary"),
        (column("segment", "string", 5), "multiclass"),
        (column("rating", "int64", 5), "multiclass"),
        (column("order_count", "int64", 5), "regression"),
        (column("age", "int64", 60), "regression"),
        (column("price", "float64", 3), "regression"),
    ],
)
def test_the_task_of_a_label(label: ColumnProfile, task: str) -> None:
    """Two values are yes and no, a few are classes, more of them, fractions and counts are a quantity."""
    assert guess_task(label, {}) == task
    assert checked_task(task, label) == task


@pytest.mark.parametrize("label", [column("at", "timestamp"), column("name", "string", 90)])
def test_no_task(label: ColumnProfile) -> None:
    """Moments and names are nothing to predict."""
    with pytest.raises(AnswerError):
        guess_task(label, {})


@pytest.mark.parametrize(
    ("label", "positive"),
    [
        (column("x", "bool", 2), "true"),
        (column("x", "int64", 2, least=0, most=1), "1"),
        (column("x", "string", 2, least="Bad", most="Good"), '"Bad"'),
        (column("x", "string", 2, least="no", most='y"s'), '"y\\"s"'),
    ],
)
def test_the_positive_value(label: ColumnProfile, positive: str) -> None:
    """The one that says that it happened, as YAML writes it."""
    assert positive_value(label, "binary") == positive
    assert positive_value(label, "multiclass") == ""


def test_names_as_the_file_has_them() -> None:
    """A person may write a column as its file does."""
    assert held_as("Signed Up", ["signed_up"]) == "signed_up"
    assert held_as("gone", ["signed_up"]) == ""
    assert near("signdup", ["signed_up", "x"]) == "did you mean 'signed_up'?"
    label = table("people", column("left", "bool", 2))
    assert label_of("Left", {"people": label}, {}) == (label, "left")
    assert label_of("People.Left", {"people": label}, {}) == (label, "left")


CUSTOMERS = table(
    "customers", column("id"), column("at", "timestamp"), column("left", "bool", 2), keys=("id",)
)
ORDERS = table(
    "orders", column("id"), column("customer_id"), column("at", "timestamp"), keys=("id",)
)
LINES = table("lines", column("order_id"), column("price", "float64"))
LOANS = table(
    "loans", column("loan_id"), column("customer_id"), column("bad", "bool", 2), keys=("loan_id",)
)
NOTHING = table("rates", column("id"), column("day", "timestamp"), keys=("id",))
REFERENCES = [
    Reference("orders", "customer_id", "customers", "id"),
    Reference("lines", "order_id", "orders", "id"),
    Reference("loans", "customer_id", "customers", "id"),
]
TABLES = {one.name: one for one in (CUSTOMERS, ORDERS, LINES, LOANS, NOTHING)}


def test_who_it_is_about() -> None:
    """A key of the table, by the column's name or the table's; a reference where there is no key."""
    assert entity_of("customer", CUSTOMERS, REFERENCES, "left", {}) == "id"
    assert entity_of("", CUSTOMERS, REFERENCES, "left", {}) == "id"
    assert entity_of("customer", ORDERS, REFERENCES, "", {}) == "customer_id"
    assert entity_of("", LINES, REFERENCES, "", {}) == "order_id"
    with pytest.raises(AnswerError):
        entity_of("household", CUSTOMERS, REFERENCES, "left", {})


def test_when_it_is_predicted() -> None:
    """A column, or one moment for all, which is UTC."""
    assert moment_of("", CUSTOMERS, "left", "id", {}) == ("at", "")
    assert moment_of("2024-03-01", CUSTOMERS, "left", "id", {}) == ("", "2024-03-01 00:00:00+00:00")
    assert moment_of("", LOANS, "bad", "loan_id", {}) == ("", "")
    with pytest.raises(AnswerError):
        moment_of("left", CUSTOMERS, "left", "id", {})


def answers(name: str, entity: str, label: str) -> Answers:
    return Answers(name, label, "binary", "true", entity, "", "", "0h", "random", 0.2)


def test_ties_between_tables() -> None:
    """Orders by their customer, lines through their order, a customer's orders through the loan; else none."""
    about = answers("customers", "id", "left")
    orders = tie(about, ORDERS, TABLES, REFERENCES)
    assert orders is not None
    assert (orders.entity, orders.at, orders.single) == ("customer_id", "at", False)
    lines = tie(about, LINES, TABLES, REFERENCES)
    assert lines is not None
    assert "join orders" in lines.relation
    assert (lines.entity, lines.at) == ("id", "own_at")
    assert tie(about, NOTHING, TABLES, REFERENCES) is None
    loan = answers("loans", "loan_id", "bad")
    people, bought = tie(loan, CUSTOMERS, TABLES, REFERENCES), tie(loan, ORDERS, TABLES, REFERENCES)
    assert people is not None
    assert people.single
    assert bought is not None
    assert (bought.entity, bought.single) == ("loan_id", False)


def test_a_problems_name() -> None:
    """Letters that every tool takes."""
    for label, name in {
        "größe": "groe",
        "left": "left",
        "2nd": "problem_2nd",
        "価格": "problem",
    }.items():
        found = answers("t", "id", label).name
        assert found == name or (label == "größe" and found.isascii())


def test_lines_that_fit() -> None:
    """No line is longer than it may be, none ends on a comma too many."""
    lines = wrapped(f"word{number}" for number in range(200))
    assert max(map(len, lines)) <= 125
    assert ", ".join(f"word{number}" for number in range(200)) == " ".join(lines)


def timed(tmp_path: Path, moments: list[datetime]) -> Timed:
    """Rows of these moments, each other one of them true."""
    path = tmp_path / "orders.parquet"
    pq.write_table(
        pa.table(
            {
                "at": pa.array(moments, pa.timestamp("us", "UTC")),
                "came": [n % 2 for n in range(len(moments))],
            }
        ),
        path,
    )
    return Timed(TableProfile("orders", path, len(moments), {}, ()), "came", "at", True, "UTC")


@given(days=st.lists(st.integers(0, 900), min_size=30, max_size=200), later=st.integers(0, 40))
def test_a_split_leaves_enough(
    tmp_path_factory: pytest.TempPathFactory, days: list[int], later: int
) -> None:
    """Whatever is guessed leaves rows to test, and rows whose labels are known before."""
    rows = timed(
        tmp_path_factory.mktemp("rows"), [DAY + timedelta(days=day) for day in sorted(days)]
    )
    start = guess_start(rows, f"{later}d")
    if start is not None:
        begin = datetime.fromisoformat(start).replace(tzinfo=UTC)
        known = [day for day in days if DAY + timedelta(days=day + later) <= begin]
        tested = [day for day in days if DAY + timedelta(days=day) >= begin]
        assert len(known) >= 0.3 * len(days)
        assert 0.02 * len(days) <= len(tested) <= 0.5 * len(days)


def test_a_thin_end_is_split_by_a_day(tmp_path: Path) -> None:
    """Where the last months hold next to nothing, the last fifth of the rows is tested, not a random one."""
    moments = [DAY + timedelta(hours=3 * n) for n in range(1000)] + [
        DAY + timedelta(days=200 + 40 * n) for n in range(6)
    ]
    rows = timed(tmp_path, moments)
    assert guess_split(rows, "2d") is None
    assert guess_start(rows, "2d") == "2023-04-11"
