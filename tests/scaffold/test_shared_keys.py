"""A loan book: tables that share no list of customers, only their numbers, are tied through them."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from furrow.ground.tables import RawFiles, run_sql
from furrow.intake.table_profile import ColumnProfile, TableProfile
from furrow.scaffold.answers import Answers, Asked
from furrow.scaffold.entity_ties import tie
from furrow.scaffold.plan_init import InitPlan, look, plan_init
from furrow.scaffold.rows_in_time import IN_TIME, share_in_time
from furrow.scaffold.shared_keys import named_in_common, names_of_others

if TYPE_CHECKING:
    from pathlib import Path

BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
CUSTOMERS, LOANS = 60, 360


def book(folder: Path) -> tuple[InitPlan, list[tuple[int, int, datetime]]]:
    """Applications of customers, inquiries about customers, and instalments of applications."""
    draw, given = random.Random(5), folder / "given"
    given.mkdir()
    loans = [
        (7000 + n, draw.randrange(CUSTOMERS), BEGIN + timedelta(hours=9 * n)) for n in range(LOANS)
    ]
    head = "antrag,kunde,zeit,betrag,ausfall\n"
    rows = [
        f"{n},{who},{at:%Y-%m-%d %H:%M},{draw.randrange(900)}.5,{draw.choice(['ja', 'nein'])}\n"
        for n, who, at in loans
    ]
    (given / "antraege.csv").write_text(head + "".join(rows))
    asked = [
        f"{who},{at - timedelta(days=draw.randrange(1, 30)):%Y-%m-%d %H:%M},{draw.choice('abc')}\n"
        for _, who, at in loans
    ]
    (given / "auskunft.csv").write_text("kunde,gefragt,stelle\n" + "".join(asked))
    paid = [
        f"{n},{who},{at + timedelta(days=30 * month):%Y-%m-%d %H:%M},{draw.randrange(90)}.5\n"
        for n, who, at in loans
        for month in (1, 2)
    ]
    (given / "raten.csv").write_text("antrag,kunde,zahlung,rate\n" + "".join(paid))
    looked = look([str(given)], folder / "landed")
    said = Asked(predict="ausfall", about="antrag", at="zeit", known_after="10d")
    return plan_init(folder, looked, said, now=datetime.now(UTC)), loans


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> tuple[InitPlan, list[dict[str, object]]]:
    """The plan, and for each application its features' last row before its moment."""
    folder = tmp_path_factory.mktemp("book")
    plan, loans = book(folder)
    (table,) = [one for one in plan.features if any("raten" in name for name in one.features)]
    raw = RawFiles(folder, {one.name: [one.path] for one in plan.landed})
    log = run_sql(table.sql, raw, sql_file=folder / "x.sql").to_pylist()
    seen = []
    for number, _, at in loans:
        known = [one for one in log if one["antrag"] == number and one["event_timestamp"] <= at]
        if known:
            seen.append(max(known, key=lambda one: one["event_timestamp"]))
    return plan, seen


def test_what_shares_a_customer_is_tied_through_him(
    planned: tuple[InitPlan, list[dict[str, object]]],
) -> None:
    """Inquiries name no application; instalments of an application come later, its customer's not."""
    plan, seen = planned
    assert not [note for note in plan.notes if "nothing in it says" in note]
    assert len(seen) > 0.9 * LOANS
    assert sum(bool(one["auskunft_30d"]) for one in seen) > 0.9 * len(seen)
    assert sum(one["raten_rate_last"] is not None for one in seen) > 0.4 * len(seen)
    assert sum(one["antraege_outcomes_ever"] is not None for one in seen) > 0.4 * len(seen)


def test_a_number_of_a_customer_is_no_quantity(
    planned: tuple[InitPlan, list[dict[str, object]]],
) -> None:
    """Neither summed up among events nor beside the label, and it is told."""
    plan, _ = planned
    features = [name for one in plan.features for name in one.features]
    assert not [name for name in features if "kunde" in name]
    told = "antraege: no features, for they are ids or differ from row to row: kunde (--keep NAME"
    assert any(note.startswith(told) for note in plan.notes)


def test_what_comes_later_under_each_tie_is_left_out(tmp_path: Path) -> None:
    """Instalments without the customer say nothing of their application before it is made."""
    given = tmp_path / "given"
    given.mkdir()
    loans = [(n, BEGIN + timedelta(hours=9 * n)) for n in range(200)]
    lines = [f"{n},{at:%Y-%m-%d %H:%M},{n % 7},{'ja' if n % 3 else 'nein'}\n" for n, at in loans]
    (given / "antraege.csv").write_text("antrag,zeit,betrag,ausfall\n" + "".join(lines))
    paid = [f"{n},{at + timedelta(days=30):%Y-%m-%d %H:%M},{n % 5}\n" for n, at in loans]
    (given / "raten.csv").write_text("antrag,zahlung,rate\n" + "".join(paid))
    looked = look([str(given)], tmp_path / "landed")
    said = Asked(predict="ausfall", about="antrag", at="zeit", known_after="10d")
    plan = plan_init(tmp_path, looked, said, now=datetime.now(UTC))
    assert [one.name for one in plan.features] == ["antraege_profile"]
    told = "raten: left out, for of a antrag hardly a row has its zahlung before zeit"
    assert told in plan.notes
    found = tie(plan.answers, looked.tables["raten"], looked.tables, looked.references)
    assert found is not None
    assert found.late
    assert share_in_time(plan.answers, found, looked.tables) < IN_TIME


def test_which_columns_name_somebody() -> None:
    """By their ending, else by many values in few rows each; an age, a kind and an amount name nobody."""

    def column(name: str, distinct: int, most: int, kind: str = "int64") -> ColumnProfile:
        return ColumnProfile(name, kind, 1000, 0, distinct, 0, most)

    columns = [column("shop_id", 40, 99), column("age", 90, 99), column("amount_paid", 300, 400), column("kind", 4, 9),
               column("sum", 300, 90_000)]  # fmt: skip
    tables = {
        name: TableProfile(name, None, 1000, {one.name: one for one in columns}, ())  # type: ignore[arg-type]
        for name in ("loans", "events")
    }
    answers = Answers("loans", "bad", "binary", "1", "loan", "at", "", "0h", "month", 1.0)
    assert named_in_common(answers, tables) == {"shop_id": ["events"]}
    assert names_of_others(answers, tables) == {"loan", "shop_id"}
