"""What every feature of examples/shop should be, worked out from raw rows in plain Python: no SQL, no Furrow, no Feast."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

if TYPE_CHECKING:
    from pathlib import Path

Row = dict[str, Any]
DAY, WEEK = timedelta(days=1), timedelta(days=7)
MONDAY = datetime(2017, 1, 2, 5, tzinfo=UTC)
MAIN = ("GROCERY", "DRUG GM", "FUEL", "PRODUCE", "MEAT", "DELI")
HEARD = timedelta(hours=29)
"""A redemption of a day is known when the day is over in New York."""


def tick_after(moment: datetime) -> datetime:
    """The Monday on which what happened at a moment is told."""
    return MONDAY + ((moment - MONDAY) // WEEK + 1) * WEEK


def tick_at(moment: datetime) -> datetime:
    """The last Monday on which anything was told."""
    return MONDAY + (moment - MONDAY) // WEEK * WEEK


def cents(rows: list[Row], name: str = "sales_value") -> float:
    return float(sum((Decimal(str(round(row[name], 2))) for row in rows), Decimal(0)))


def minutes(since: datetime, until: datetime) -> int:
    """How often a clock's minute changes from one moment to another."""
    return (
        until.replace(second=0, microsecond=0) - since.replace(second=0, microsecond=0)
    ) // timedelta(minutes=1)


class ShopOracle:
    """Reads raw data once; answers for one row of a training set at a time."""

    def __init__(self, landed: Path) -> None:
        def rows(name: str) -> list[Row]:
            found: list[Row] = pq.read_table(landed / f"{name}.parquet").to_pylist()
            return found

        self.bought: dict[int, list[Row]] = defaultdict(list)
        for row in rows("transactions"):
            self.bought[row["household_id"]].append(row)
        self.department = {row["product_id"]: row["department"] for row in rows("products")}
        self.of_department: dict[str | None, list[Row]] = defaultdict(list)
        for rows_of_one in self.bought.values():
            for row in rows_of_one:
                self.of_department[self.department.get(row["product_id"])].append(row)
        self.campaigns = {row["campaign_id"]: row for row in rows("campaign_descriptions")}
        self.sent: dict[int, list[int]] = defaultdict(list)
        for row in rows("campaigns"):
            self.sent[row["household_id"]].append(row["campaign_id"])
        self.offered: dict[int, list[Row]] = defaultdict(list)
        for row in rows("coupons"):
            self.offered[row["campaign_id"]].append(row)
        self.redeemed: dict[int, list[datetime]] = defaultdict(list)
        for row in rows("coupon_redemptions"):
            self.redeemed[row["household_id"]].append(row["redemption_date"] + HEARD)
        self.survey = {row.pop("household_id"): row for row in rows("demographics")}

    def features(self, row: Row) -> Row:
        """What is known of a row's household, campaign or department at its event_timestamp."""
        moment, found = row["event_timestamp"], {}
        if "department" in row:
            return self.department_weeks(row["department"], moment)
        who = row["household_id"]
        found |= self.household_weeks(who, tick_at(moment))
        found |= self.household_departments(who, tick_at(moment))
        found |= self.household_coupons(who, moment)
        found |= self.survey.get(who, {})
        if "campaign_id" in row:
            found |= self.campaign_facts(row["campaign_id"])
            found |= self.campaign_match(who, row["campaign_id"])
        return found

    def household_weeks(self, who: int, tick: datetime) -> Row:
        rows = [row for row in self.bought[who] if row["transaction_timestamp"] < tick]
        if not rows:
            return {}

        def last(weeks: int) -> list[Row]:
            return [row for row in rows if row["transaction_timestamp"] >= tick - weeks * WEEK]

        times = [row["transaction_timestamp"] for row in rows]
        found: Row = {
            "discount_12w": cents(last(12), "retail_disc"),
            "coupons_12w": cents(last(12), "coupon_disc"),
            "days_since_basket": minutes(max(times), tick) / 1440,
            "weeks_known": (tick - tick_after(min(times))) // WEEK,
        }
        for weeks in (1, 4, 12):
            found[f"sales_{weeks}w"] = cents(last(weeks))
            found[f"baskets_{weeks}w"] = len({row["basket_id"] for row in last(weeks)})
        return found

    def mains(self, who: int, until: datetime) -> list[tuple[datetime, int, str]]:
        """A household's baskets before a moment, oldest first: when, which, and where most of the money went."""
        baskets: dict[tuple[datetime, int], dict[str, Decimal]] = defaultdict(
            lambda: defaultdict(Decimal)
        )
        for row in self.bought[who]:
            if row["transaction_timestamp"] < until and row["product_id"] in self.department:
                key = row["transaction_timestamp"], row["basket_id"]
                baskets[key][self.department[row["product_id"]]] += Decimal(
                    str(round(row["sales_value"], 2))
                )
        found = []
        for (at, basket), parts in sorted(baskets.items()):
            most = min(parts, key=lambda name: (-parts[name], name))
            found.append((at, basket, most if most in MAIN else "OTHER"))
        return found

    def household_departments(self, who: int, tick: datetime) -> Row:
        mains = self.mains(who, tick)
        if not mains:
            return {}
        recent = [name for at, _, name in mains if at >= tick - 12 * WEEK]
        shares = {
            f"{name.split()[0].lower()}_share": recent.count(name) / len(recent) if recent else None
            for name in MAIN
        }
        return {**shares, "last_department": mains[-1][2]}

    def household_coupons(self, who: int, moment: datetime) -> Row:
        sent = sum(self.campaigns[one]["start_date"] <= moment for one in self.sent[who])
        used = sum(at <= moment for at in self.redeemed[who])
        if not sent and not used:
            return {}
        share = used / sent if sent else None
        return {"campaigns_sent": sent, "coupons_redeemed": used, "redeemed_per_campaign": share}

    def campaign_facts(self, which: int) -> Row:
        told, offered = self.campaigns[which], self.offered[which]
        return {
            "campaign_kind": told["campaign_type"],
            "campaign_days": (told["end_date"] - told["start_date"]) // DAY,
            "campaign_coupons": len({row["coupon_upc"] for row in offered}),
            "campaign_products": len({row["product_id"] for row in offered}),
        }

    def campaign_match(self, who: int, which: int) -> Row:
        begin = self.campaigns[which]["start_date"]
        offered = {row["product_id"] for row in self.offered[which]}
        rows = [row for row in self.bought[who] if row["product_id"] in offered
                and begin - 84 * DAY < row["transaction_timestamp"] <= begin]  # fmt: skip
        return {
            "match_lines": len(rows),
            "match_products": len({row["product_id"] for row in rows}),
            "match_sales": cents(rows),
        }

    def department_weeks(self, department: str, tick: datetime) -> Row:
        weeks: dict[datetime, list[Row]] = defaultdict(list)
        for row in self.of_department.get(department, ()):
            if row["transaction_timestamp"] < tick:
                weeks[tick_after(row["transaction_timestamp"])].append(row)
        sales = [cents(weeks[one]) for one in sorted(weeks)][-12:]
        found: Row = {
            f"sales_{back}w": sales[-back] if back <= len(sales) else None for back in (1, 2, 3, 4)
        }
        found["sales_mean_4w"] = sum(sales[-4:]) / len(sales[-4:])
        found["sales_mean_12w"] = sum(sales) / len(sales)
        found["month_begins_1w"] = int((tick + 6 * DAY).day < 8)
        found["month_begins_4w"] = int((tick + 27 * DAY).day < 8)
        return found
