"""Ids are no quantities, a date of birth is an age, and what is not taken is told."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from furrow.ground.tables import RawFiles, run_sql
from furrow.intake.table_profile import ColumnProfile, Reference, TableProfile
from furrow.scaffold.answers import Asked
from furrow.scaffold.entity_ties import event_moment
from furrow.scaffold.id_columns import id_columns, is_category
from furrow.scaffold.plan_init import InitPlan, look, plan_init
from furrow.scaffold.planned_moments import is_of_a_life, is_recorded

if TYPE_CHECKING:
    from pathlib import Path

BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
PATIENTS = 60


def clinic(folder: Path) -> InitPlan:
    """Visits of patients to a few wards; the patients in a table of their own."""
    draw, given = random.Random(8), folder / "given"
    given.mkdir()
    people = "".join(
        f"{who},{1940 + who}-03-01,2023-0{who % 9 + 1}-05,{draw.choice(['a', 'b'])},st. {who * 7}\n"
        for who in range(PATIENTS)
    )
    (given / "patients.csv").write_text(f"patient_id,dob,registered_on,plan,street\n{people}")
    visits = "".join(
        f"{number + 500},{draw.randrange(PATIENTS)},{number % 4 + 7},{9000 + number * 2 + number % 2},"
        f"{BEGIN + timedelta(hours=9 * number):%Y-%m-%d %H:%M},{draw.choice(['yes', 'no'])}\n"
        for number in range(400)
    )
    (given / "visits.csv").write_text(
        f"visit_id,patient_id,ward_id,ticket,planned_for,missed\n{visits}"
    )
    looked = look([str(given)], folder / "landed")
    asked = Asked(predict="missed", about="visit", at="planned_for", known_after="1d")
    return plan_init(folder, looked, asked, now=datetime.now(UTC))


def test_ids_are_no_quantities(tmp_path: Path) -> None:
    """Neither beside the label nor among earlier rows; a ward of many visits is a word; the rest is told."""
    plan = clinic(tmp_path)
    features = {name: type_ for one in plan.features for name, type_ in one.features.items()}
    assert not [name for name in features if "patient_id" in name or "ticket" in name]
    assert {name: type_ for name, type_ in features.items() if "ward" in name} == {
        "visits_ward_id": "String"
    }
    said = "visits: no features, for they are ids or differ from row to row: patient_id, ticket (--keep NAME takes one all the same)"
    assert said in plan.notes


def test_a_patient_is_as_old_as_at_the_visit(tmp_path: Path) -> None:
    """From the registration on, not from birth on; the age is in years at the moment of the prediction."""
    plan = clinic(tmp_path)
    (table,) = [one for one in plan.features if "patients_dob_age" in one.features]
    raw = RawFiles(tmp_path, {one.name: [one.path] for one in plan.landed})
    rows = run_sql(table.sql, raw, sql_file=tmp_path / "x.sql").to_pylist()
    visits = {
        one["visit_id"]: one
        for one in run_sql("select * from visits", raw, sql_file=tmp_path / "y.sql").to_pylist()
    }
    aged = [row for row in rows if row["patients_dob_age"] is not None]
    assert {row["visit_id"] for row in aged} == set(visits)
    for row in aged[::20]:
        visit = visits[row["visit_id"]]
        born = datetime(1940 + visit["patient_id"], 3, 1, tzinfo=UTC)
        age = (visit["planned_for"] - born).days / 365.25
        assert row["patients_dob_age"] == pytest.approx(age, abs=0.01)
    assert min(row["event_timestamp"].year for row in aged) == 2023


def test_which_columns_are_ids() -> None:
    """By name, by reference, or by counting rows; amounts that hardly repeat are none."""

    def column(name: str, distinct: int, most: int, kind: str = "int64") -> ColumnProfile:
        return ColumnProfile(name, kind, 1000, 0, distinct, 1, most)

    columns = [
        column("shop_id", 40, 99), column("order", 990, 1_400), column("salary", 995, 90_000), column("seats", 9, 9),
        column("plan", 3, 3), column("word_id", 30, 0, "string"),
    ]  # fmt: skip
    table = TableProfile("t", None, 1000, {one.name: one for one in columns}, ())  # type: ignore[arg-type]
    assert id_columns(table, [Reference("t", "plan", "plans", "id")]) == {
        "shop_id",
        "order",
        "plan",
    }
    assert is_category(columns[0])
    assert not is_category(columns[1])


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("book_isbn", True), ("zip", True), ("ZipCode", True), ("plz", True), ("orderId", True), ("error_code", True),
        ("phone", True), ("EAN", True), ("unzipped", False), ("encode", False), ("idle", False), ("paid", False),
        ("nights", False), ("phone_calls", False), ("casino", False),
    ],
)  # fmt: skip
def test_numbers_that_name_things_are_no_quantities(name: str, code: bool) -> None:
    """A postcode or a book's number is not summed, whatever way its name is written in."""
    column = ColumnProfile(name, "int64", 1000, 0, 700, 10_000, 99_000_000)
    table = TableProfile("t", None, 1000, {name: column}, ())  # type: ignore[arg-type]
    assert (id_columns(table, []) == {name}) is code


def test_from_when_on_a_row_is_known() -> None:
    """A birth never says it; when the row was written does before the earliest moment."""

    def table(**years: int) -> TableProfile:
        columns = {
            name: ColumnProfile(name, "timestamp", 9, 0, 9, datetime(year, 1, 1, tzinfo=UTC), None)
            for name, year in years.items()
        }
        return TableProfile("t", None, 9, columns, ())  # type: ignore[arg-type]

    assert event_moment(table(dob=1950, registered_on=2022)) == "registered_on"
    assert event_moment(table(created_at=2020, updated_at=2021, seen=2019)) == "updated_at"
    assert event_moment(table(paid=2020, ordered=2019)) == "ordered"
    assert event_moment(table(birth_date=1950)) == ""
    assert is_of_a_life("date_of_birth")
    assert is_recorded("member_since")
