"""Earlier rows of the label's own table: of an order, the customer's orders before it, and nothing of itself or of labels."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from furrow.ground.tables import RawFiles, run_sql
from furrow.scaffold.answers import Asked
from furrow.scaffold.plan_init import look, plan_init

if TYPE_CHECKING:
    from pathlib import Path

HEAD = "Order ID,Customer ID,Ordered At,Amount,Returned\n"
BEGIN = datetime(2024, 1, 1, tzinfo=UTC)


def orders(count: int, customers: int) -> list[tuple[int, int, datetime, int, str]]:
    draw = random.Random(4)
    return [
        (number, 100 + draw.randrange(customers), BEGIN + timedelta(hours=7 * number), draw.randrange(1, 90),
         draw.choice(["yes", "no"]))
        for number in range(count)
    ]  # fmt: skip


def written(folder: Path, rows: list[tuple[int, int, datetime, int, str]]) -> None:
    folder.mkdir()
    lines = "".join(
        f"{a},{b},{at:%Y-%m-%d %H:%M},{amount},{came}\n" for a, b, at, amount, came in rows
    )
    (folder / "orders.csv").write_text(HEAD + lines)


def test_the_customers_orders_before(tmp_path: Path) -> None:
    """Counts, sums and the last value at each order's moment are what Python finds among the customer's earlier orders."""
    rows = orders(300, 20)
    written(tmp_path / "given", rows)
    looked = look([str(tmp_path / "given")], tmp_path / "landed")
    asked = Asked(predict="Returned", about="order", at="Ordered At", known_after="10d")
    plan = plan_init(tmp_path, looked, asked, now=datetime.now(UTC))
    (table,) = [one for one in plan.features if one.name == "orders_before_history"]
    assert not [name for name in table.features if "returned" in name]
    raw = RawFiles(tmp_path, {one.name: [one.path] for one in plan.landed})
    log = run_sql(table.sql, raw, sql_file=tmp_path / "before").to_pylist()
    checked = 0
    for number, who, at, _, _ in rows:
        known = [row for row in log if row["order_id"] == number and row["event_timestamp"] <= at]
        before = [one for one in rows if one[1] == who and one[2] < at]
        assert bool(known) == bool(before)
        if not before:
            continue
        newest = max(known, key=lambda row: row["event_timestamp"])
        month = [one[3] for one in before if one[2] > at - timedelta(days=30)]
        assert newest["orders_before_30d"] == len(month)
        assert newest["orders_before_amount_sum_30d"] == (sum(month) if month else None)
        assert newest["orders_before_amount_last"] == before[-1][3]
        checked += 1
    assert checked > 200


def test_none_where_nobody_comes_again(tmp_path: Path) -> None:
    """A customer for each order: there is no such table."""
    written(
        tmp_path / "given", [(n, n, at, amount, came) for n, _, at, amount, came in orders(60, 9)]
    )
    looked = look([str(tmp_path / "given")], tmp_path / "landed")
    asked = Asked(predict="Returned", about="order", at="Ordered At", known_after="1d")
    plan = plan_init(tmp_path, looked, asked, now=datetime.now(UTC))
    assert [one.name for one in plan.features] == ["orders_profile"]
