"""A shop of customers, orders and order lines, made from the standard library, as files of another company."""

from __future__ import annotations

import csv
import math
import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Shop", "made_shop"]

HEADS = {
    "customers": [
        "Customer ID",
        "Signed Up",
        "Country",
        "Age",
        "Churned",
        "Cancel Reason",
        "Spent Later",
        "Segment",
    ],
    "orders": ["Order ID", "Customer ID", "Ordered At", "Total", "Channel"],
    "order_lines": ["Order ID", "Product", "Quantity", "Price"],
}
BEGIN = datetime(2023, 1, 1, tzinfo=UTC)


class Shop:
    """Rows by table, and how they are written."""

    def __init__(self, tables: dict[str, list[list[Any]]]) -> None:
        self.tables = tables

    def write(self, folder: Path, *, dated: bool = False) -> None:
        """Write the files; `dated`: orders have a day, and no time."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, rows in self.tables.items():
            with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as handle:
                write = csv.writer(handle)
                write.writerow(HEADS[name])
                for row in rows:
                    write.writerow(
                        [_text(value, dated=dated and name == "orders") for value in row]
                    )

    def moments(self) -> dict[str, datetime]:
        """When each customer signed up."""
        return {row[0]: row[1] for row in self.tables["customers"]}

    def scrambled_future(self) -> Shop:
        """The same shop, in which whatever came after its customer's moment is another."""
        draw, moments = random.Random(9), self.moments()
        late = {row[0] for row in self.tables["orders"] if row[2] > moments[row[1]]}
        orders = [
            [*row[:3], draw.uniform(1e3, 1e4), draw.choice("xyz")] if row[0] in late else row
            for row in self.tables["orders"]
        ]
        lines = [
            [row[0], "other", 99, -1.5] if row[0] in late else row
            for row in self.tables["order_lines"]
        ]
        extra = [
            [90_000 + number, who, at + timedelta(hours=1), 77.0, "web"]
            for number, (who, at) in enumerate(moments.items())
        ]
        return Shop({**self.tables, "orders": [*orders, *extra], "order_lines": lines})


def _text(value: Any, *, dated: bool) -> Any:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d}" if dated else f"{value:%Y-%m-%d %H:%M:%S}"
    return value


def made_shop(customers: int, seed: int = 0) -> Shop:
    """Customers whose churn, later spending and segment hang on how much they ordered before they signed up."""
    draw = random.Random(seed)
    tables: dict[str, list[list[Any]]] = {name: [] for name in HEADS}
    number = 10_000
    for place in range(customers):
        active, who = draw.gammavariate(2, 2), f"{place:05d}"
        at = BEGIN + timedelta(seconds=int(86_400 * (365 * place / customers + draw.random())))
        churned = draw.random() < 1 / (1 + math.exp(3 * (active - 3.5)))
        segment = "big" if active > 5 else "small" if active < 2 else "middle"
        tables["customers"].append(
            [who, at, draw.choice(["DE", "FR", "IT"]), draw.randint(18, 80), "yes" if churned else "no",
             draw.choice(["price", "moved"]) if churned else "", round(active * 40 + draw.gauss(0, 15), 2), segment]
        )  # fmt: skip
        for _ in range(int(active * 3)):
            when = at + timedelta(seconds=int(86_400 * draw.uniform(-120, 40)))
            tables["orders"].append(
                [
                    number,
                    who,
                    when,
                    round(draw.gammavariate(2, 20), 2),
                    draw.choice(["web", "shop", "app"]),
                ]
            )
            for _ in range(draw.randint(1, 2)):
                line = [
                    number,
                    f"SKU{draw.randint(0, 20)}",
                    draw.randint(1, 4),
                    round(draw.gammavariate(2, 5), 2),
                ]
                tables["order_lines"].append(line)
            number += 1
    draw.shuffle(tables["orders"])
    return Shop(tables)
