"""No feature of a new project knows what came after its moment: an oracle in plain Python, and a scrambled future."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from furrow.ground.tables import RawFiles, run_sql
from furrow.scaffold.answers import Asked
from furrow.scaffold.plan_init import look, plan_init
from tests.scaffold.shop import Shop, made_shop

if TYPE_CHECKING:
    from pathlib import Path

CUSTOMERS = 60


def at_moments(folder: Path, shop: Shop, *, dated: bool = False) -> pd.DataFrame:
    """Every feature of every customer as of the moment: of each table the newest row that is not later."""
    shop.write(folder / "given", dated=dated)
    looked = look([str(folder / "given")], folder / "landed")
    asked = Asked(
        predict="Churned", about="customer", at="Signed Up", known_after="30d", test="0.2"
    )
    plan = plan_init(folder, looked, asked, now=datetime.now(UTC))
    raw = RawFiles(folder, {one.name: [one.path] for one in plan.landed})
    found = pd.DataFrame(
        [{"customer_id": who, "at": at} for who, at in shop.moments().items()],
        columns=["customer_id", "at"],
    ).astype({"at": "datetime64[us, UTC]"})
    for table in plan.features:
        rows = run_sql(table.sql, raw, sql_file=folder / table.name).to_pandas()
        rows["event_timestamp"] = rows["event_timestamp"].astype("datetime64[us, UTC]")
        joined = pd.merge_asof(
            found[["customer_id", "at"]].sort_values("at", kind="stable"),
            rows.sort_values("event_timestamp", kind="stable"),
            left_on="at",
            right_on="event_timestamp",
            by="customer_id",
        )
        found = found.merge(
            joined.drop(columns=["at", "event_timestamp"]), on="customer_id", validate="1:1"
        )
    return found.set_index("customer_id").sort_index()


def windows(shop: Shop, *, dated: bool) -> dict[str, dict[str, Any]]:
    """The same by hand: for each customer every order and line, and whether it was known by then."""
    lines: dict[int, list[list[Any]]] = {}
    for line in shop.tables["order_lines"]:
        lines.setdefault(line[0], []).append(line)
    found: dict[str, dict[str, Any]] = {}
    for who, at in shop.moments().items():
        values = found[who] = {}
        for days in (7, 30, 90):
            orders = []
            for order in shop.tables["orders"]:
                known = order[2]
                if dated:
                    known = datetime(known.year, known.month, known.day, tzinfo=UTC) + timedelta(
                        days=1
                    )
                if order[1] == who and at - timedelta(days=days) < known <= at:
                    orders.append(order)
            bought = [line for order in orders for line in lines[order[0]]]
            values[f"orders_{days}d"] = len(orders)
            values[f"orders_total_sum_{days}d"] = (
                sum(order[3] for order in orders) if orders else None
            )
            values[f"order_lines_{days}d"] = len(bought)
            values[f"order_lines_quantity_mean_{days}d"] = (
                sum(x[2] for x in bought) / len(bought) if bought else None
            )
    return found


@pytest.mark.parametrize("dated", [False, True], ids=["timed", "dated"])
def test_the_oracle_agrees(tmp_path: Path, dated: bool) -> None:
    """Counts, sums and means of windows are those that plain Python finds in the raw rows; a day is known at its end."""
    shop = made_shop(CUSTOMERS)
    found, wanted = at_moments(tmp_path, shop, dated=dated), windows(shop, dated=dated)
    compared = 0
    for who, values in wanted.items():
        for name, value in values.items():
            got = found.loc[who, name]
            if value is None or value == 0:
                assert pd.isna(got) or got == 0, (who, name)
            else:
                assert math.isclose(got, value, rel_tol=1e-9), (who, name)
                compared += 1
    assert compared > 300


def test_the_future_does_not_matter(tmp_path: Path) -> None:
    """Orders after the moment get other values, and others come in beside them: not one feature changes."""
    shop = made_shop(CUSTOMERS, seed=1)
    before, after = (
        at_moments(tmp_path / "a", shop),
        at_moments(tmp_path / "b", shop.scrambled_future()),
    )
    pd.testing.assert_frame_equal(before, after)
    assert before.filter(like="orders").notna().to_numpy().sum() > 500


def test_the_label_is_nowhere(tmp_path: Path) -> None:
    """Neither the label nor what was filled in with it is among the features."""
    names = set(at_moments(tmp_path, made_shop(CUSTOMERS)).columns)
    assert not any("churned" in name or "cancel" in name for name in names)
    assert {"customers_country", "customers_age", "orders_channel_last"} <= names
