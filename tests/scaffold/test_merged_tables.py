"""More sources than feature tables: several in one, whose features are those of a table for each."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from furrow.ground.tables import RawFiles, run_sql
from furrow.intake.quiet_db import quiet_db
from furrow.intake.table_profile import ColumnProfile, TableProfile
from furrow.scaffold import feature_sql
from furrow.scaffold.answers import Asked
from furrow.scaffold.entity_ties import Tie
from furrow.scaffold.merged_sql import Known, merged_facts
from furrow.scaffold.plan_init import InitPlan, look, plan_init
from furrow.scaffold.source_tables import MERGED, not_taken

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
ASKED = Asked(predict="left", about="account", at="asked_at", known_after="10d")


def written(folder: Path, accounts: int = 60) -> None:
    """Accounts of regions; logins, payments and one contract of each; what they are of, and where."""
    draw, folder = random.Random(3), folder / "given"
    folder.mkdir()
    rows: dict[str, list[Any]] = {name: [] for name in HEADS}
    for number in range(accounts):
        at = BEGIN + timedelta(hours=31 * number)
        rows["accounts"].append((number, number % 20 + 100, at, draw.choice(["yes", "no"])))
        rows["contracts"].append(
            (number, at - timedelta(days=draw.randrange(90)), draw.randrange(9))
        )
        rows["sizes"].append((number, draw.randrange(500)))
        rows["marks"] += [(number, draw.randrange(5)) for _ in range(2)]
        for _ in range(draw.randrange(6)):
            when = at - timedelta(minutes=draw.randrange(100_000))
            rows["logins"].append((number, when, draw.choice(["web", "app", ""])))
            paid = when + timedelta(minutes=draw.randrange(9_000))
            rows["payments"].append((number, paid, draw.choice(["", "1.5", "20.25", "7"])))
    for name, held in rows.items():
        lines = "".join(f"{','.join(map(str, row))}\n" for row in held)
        (folder / f"{name}.csv").write_text(f"{HEADS[name]}\n{lines}")


HEADS = {
    "accounts": "account_id,region_id,asked_at,left",
    "contracts": "account_id,signed_at,seats",
    "sizes": "account_id,size",
    "marks": "account_id,mark",
    "logins": "account_id,at,channel",
    "payments": "account_id,at,amount",
}


def planned(folder: Path) -> InitPlan:
    looked = look([str(folder / "given")], folder / "landed")
    return plan_init(folder, looked, ASKED, now=datetime.now(UTC))


def known(plan: InitPlan, folder: Path) -> list[dict[str, Any]]:
    """Every feature of each account at the moment at which it is asked for; the newest row of each table."""
    raw = RawFiles(folder, {one.name: [one.path] for one in plan.landed})
    logs = [run_sql(one.sql, raw, sql_file=folder / one.name).to_pylist() for one in plan.features]
    found = []
    for number in range(60):
        at = BEGIN + timedelta(hours=31 * number)
        values: dict[str, Any] = {}
        for table, log in zip(plan.features, logs, strict=True):
            rows = [
                row for row in log if row["account_id"] == number and row["event_timestamp"] <= at
            ]
            newest = max(rows, key=lambda row: row["event_timestamp"], default={})
            values |= {name: newest.get(name) for name in table.features}
        found.append(values)
    return found


def test_several_in_one_say_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At each moment every feature has the value that it has in a table of its own; there are fourteen files."""
    written(tmp_path)
    merged = planned(tmp_path)
    assert [one.name for one in merged.features] == ["accounts_profile", MERGED, "facts"]
    assert len(merged.texts) == 14
    assert any("7 sources are in 2 feature tables" in note for note in merged.notes)
    monkeypatch.setattr(feature_sql, "MOST_TABLES", 99)
    each = planned(tmp_path)
    assert len(each.features) == 8
    one, other = known(merged, tmp_path), known(each, tmp_path)
    assert one == other
    assert {
        "accounts_before_7d",
        "contracts_seats",
        "logins_30d",
        "payments_amount_mean_7d",
    } <= set(one[0])
    filled = pa.Table.from_pylist(one)
    empty = {name for name in filled.column_names if filled[name].null_count == 60}
    assert empty == {"accounts_outcomes_left_mean_7d"}  # a region is asked every 26 days


def test_the_same_again(tmp_path: Path) -> None:
    """The same text from the same data, and the same rows whatever order the files are in."""
    written(tmp_path)
    assert planned(tmp_path).texts == planned(tmp_path).texts


def test_facts_of_those_whom_one_source_knows() -> None:
    """Everybody of whom any source says something has a row; what a source does not say is missing."""
    sizes = Known(
        "who", {"size": "avg(n)"}, {"size": "Float64"}, "a where who is not null group by who"
    )
    marks = Known("id as who", {"marks": "count(*)"}, {"marks": "Int64"}, "b group by id")
    found = merged_facts("who", "timestamptz '1970-01-01'", [sizes, marks])
    assert dict(found.features) == {"size": "Float64", "marks": "Int64"}
    with quiet_db() as db:
        db.execute(
            "create table a as select * from (values (1, 4), (1, 6), (2, 1), (null, 9)) t(who, n)"
        )
        db.execute("create table b as select * from (values (2), (3), (3)) t(id)")
        rows = db.sql(found.sql).fetchall()
    assert [(who, size, marks) for who, _, size, marks in rows] == [
        (1, 5.0, None),
        (2, 1.0, 1),
        (3, None, 2),
    ]


def test_columns_that_are_left_are_told(tmp_path: Path) -> None:
    """Four columns of numbers are summed; the fifth is named."""
    names = [f"x{number}" for number in range(5)]
    columns = {name: ColumnProfile(name, "float64", 9, 0, 9, 0.0, 1.0) for name in names}
    table = TableProfile("logs", tmp_path, 9, columns, ())
    assert not_taken(Tie(table, "logs", "who", "at", False, False)) == ["x4"]
