"""examples/shop: every feature is what plain Python says, the unknown future changes none, and each problem is judged."""

from __future__ import annotations

import math
import random
import shutil
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from furrow.features.manifest import load
from furrow.files import read_json
from furrow.stages.tables import tables
from furrow.stages.training_set import build
from furrow.training.champions import read_champions
from furrow.training.metric_registry import of_task

from .conftest import KEPT
from .shop_oracle import HEARD, ShopOracle

if TYPE_CHECKING:
    from pathlib import Path

SETS = {"redeemed": "offer", "spend": "habits", "next_department": "habits", "department_sales": "trade"}  # fmt: skip
TASKS = dict(zip(KEPT, ("binary", "regression", "multiclass", "forecast"), strict=True))
MOMENTS = (
    datetime(2017, 4, 3, tzinfo=UTC),  # a campaign begins
    datetime(2017, 8, 14, 5, tzinfo=UTC),  # on the tick of every table
    datetime(2017, 11, 1, 5, tzinfo=UTC),  # in the middle of a week; a month begins
)
LEAKS = {
    "a week's sales known when it begins": ("household_weeks", "'173 hours'", "'5 hours'", "sales_1w"),
    "a basket known a week early": ("household_departments", "'173 hours'", "'5 hours'", "last_department"),
    "a redemption known weeks before": ("household_coupons", "'29 hours'", "'-960 hours'", "coupons_redeemed"),
    "what was bought in a campaign": ("campaign_match", "transaction_timestamp <= start_date", "transaction_timestamp <= end_date", "match_lines"),
    "a department's week known when it begins": ("department_weeks", "'173 hours'", "'5 hours'", "sales_1w"),
}  # fmt: skip


def training_set(root: Path, problem: str) -> pa.Table:
    return pq.read_table(root / f"build/training/{problem}/{SETS[problem]}.parquet")


def features_of(root: Path, problem: str) -> list[str]:
    service = load(root / "features").services[SETS[problem]]
    return [name for view in service.views for name in view.features]


def same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float | int):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)
    return bool(one == other)


def disagreements(root: Path, problem: str, oracle: ShopOracle) -> Counter[str]:
    """How often each feature of some rows is not what the oracle says."""
    rows = training_set(root, problem)
    places = sorted(random.Random(3).sample(range(rows.num_rows), min(120, rows.num_rows)))
    names = features_of(root, problem)
    found: Counter[str] = Counter()
    for row in rows.take(places).to_pylist():
        told = oracle.features(row)
        found.update(name for name in names if not same(told.get(name), row[name]))
    return found


@pytest.fixture(scope="module")
def oracle(shop: Path) -> ShopOracle:
    return ShopOracle(shop / "data/landed")


@pytest.mark.parametrize("problem", SETS)
def test_each_feature_is_what_plain_python_says(
    shop: Path, oracle: ShopOracle, problem: str
) -> None:
    """Not one of them differs, and none is idle in the sample."""
    assert not disagreements(shop, problem, oracle)
    rows = training_set(shop, problem)
    for name in features_of(shop, problem):
        assert len(set(rows[name].to_pylist()) - {None}) > 1, f"{name} never varies"


def scramble(landed: Path, moment: datetime) -> None:
    """Make whatever is known only after a moment another."""
    draw = random.Random(5)

    def rewrite(name: str, change: Any) -> None:
        table = pq.read_table(landed / f"{name}.parquet")
        rows = [change(row) for row in table.to_pylist()]
        pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), landed / f"{name}.parquet")

    products = pq.read_table(landed / "products.parquet")["product_id"].to_pylist()

    def bought(row: dict[str, Any]) -> dict[str, Any]:
        if row["transaction_timestamp"] <= moment:
            return row
        return {
            **row,
            "product_id": draw.choice(products),
            "sales_value": 777.0,
            "retail_disc": 9.0,
        }

    def redeemed(row: dict[str, Any]) -> dict[str, Any]:
        if row["redemption_date"] + HEARD <= moment:
            return row
        later = moment - HEARD + timedelta(minutes=draw.randint(1, 90 * 1440))
        return {**row, "redemption_date": later}

    rewrite("transactions", bought)
    rewrite("coupon_redemptions", redeemed)


def rebuilt(root: Path, names: tuple[str, ...] = ()) -> None:
    """Build the feature tables and training sets of a changed project."""
    for file in sorted((root / "features/tables").glob("*.sql")):
        if not names or file.stem in names:
            tables(root, file.stem)
    for problem, service in SETS.items():
        build(root, problem, service)


def changes(before: Path, after: Path, moment: datetime) -> Counter[str]:
    """How often each feature of what is predicted up to a moment differs between two projects."""
    found: Counter[str] = Counter()
    for problem in SETS:
        keys = [name for name in ("household_id", "campaign_id", "department", "horizon", "event_timestamp")
                if name in training_set(before, problem).column_names]  # fmt: skip
        old, new = (
            {
                tuple(row[key] for key in keys): row
                for row in table.filter(pc.less_equal(table["event_timestamp"], moment)).to_pylist()
            }
            for table in (training_set(before, problem), training_set(after, problem))
        )
        assert len(old.keys() & new.keys()) > 5
        names = features_of(before, problem)
        for key in old.keys() & new.keys():
            found.update(name for name in names if not same(old[key][name], new[key][name]))
    return found


@pytest.mark.parametrize("moment", MOMENTS, ids=str)
def test_the_unknown_future_changes_no_feature(
    shop: Path, tmp_path: Path, moment: datetime
) -> None:
    """Whatever happens after a moment, what is predicted by then has the same features."""
    other = shutil.copytree(shop, tmp_path / "shop", symlinks=True)
    scramble(other / "data/landed", moment)
    rebuilt(other)
    assert not changes(shop, other, moment)


def test_planted_leaks_are_caught(shop: Path, tmp_path: Path, oracle: ShopOracle) -> None:
    """By the oracle and by the scrambled future, each where it was planted."""
    moment = datetime(2017, 7, 24, 5, tzinfo=UTC)  # a Monday on which baskets are predicted
    leaky = shutil.copytree(shop, tmp_path / "leaky", symlinks=True)
    for table, old, new, _ in LEAKS.values():
        path = leaky / f"features/tables/{table}.sql"
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))
    rebuilt(leaky)
    told = sum((disagreements(leaky, problem, oracle) for problem in SETS), Counter())
    other = shutil.copytree(leaky, tmp_path / "other", symlinks=True)
    scramble(other / "data/landed", moment)
    rebuilt(other)
    changed = changes(leaky, other, moment)
    for leak, (*_, feature) in LEAKS.items():
        assert told[feature], f"the oracle does not see {leak}"
        assert changed[feature], f"the scrambled future does not show {leak}"


@pytest.mark.parametrize(("name", "task"), TASKS.items())
def test_each_problem_is_judged(shop: Path, name: str, task: str) -> None:
    """Every metric of its task, with an interval, a card, a verdict; nothing that tells the label alone."""
    record = read_json(shop / "runs" / name / "record.json")
    metrics = read_json(shop / "runs" / name / "metrics.json")
    intervals = read_json(shop / "runs" / name / "intervals.json")
    assert record["task"] == task
    assert record["tells"] == {}
    assert set(of_task(task)) <= set(metrics)
    assert of_task(task).keys() & intervals.keys()
    assert f"({task})" in (shop / "runs" / name / "card.md").read_text()
    champions = read_champions((shop / "runs/champion.json").read_bytes())
    assert name in champions[record["problem"]].verdicts
